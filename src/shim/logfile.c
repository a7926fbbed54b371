/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The app's output moves from its pipe into a file by splice(2): the shim neither reads nor copies it. The file is
 * rotated by size, one former file is kept. When the file cannot be written (disk full), output is thrown away:
 * an app must not stand still because of its log.
 */
#include "shim/shim.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    LOG_SIZE_MAX = 10 * 1024 * 1024, /* of each of the two files */
    PIECE_MAX = 64 * 1024,           /* a pipe's default capacity, pipe(7): what one turn of the loop may take */
    NULL_FD = 0,                     /* stdin is /dev/null, for reading and writing */
};

static void open_file(struct logfile *log)
{
    /* No O_APPEND: splice(2) refuses it. The shim is the only writer. */
    log->file = openat(log->directory, "log", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
    if (log->file < 0)
        return;
    off_t end = lseek(log->file, 0, SEEK_END);
    log->size = end > 0 ? (uint64_t)end : 0;
}

int logfile_open(struct logfile *log, int directory)
{
    int ends[2];
    *log = (struct logfile){.directory = directory, .file = -1, .pipe_read = -1, .pipe_write = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    log->pipe_read = ends[0];
    log->pipe_write = ends[1]; /* stays blocking for the app: each end has flags of its own */
    if (fcntl(log->pipe_read, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    open_file(log);
    return 0;
}

int logfile_give(const struct logfile *log, uid_t uid, gid_t gid)
{
    return fchown(log->pipe_write, uid, gid);
}

static void rotate(struct logfile *log)
{
    close_fd(&log->file);
    renameat(log->directory, "log", log->directory, "log.1");
    open_file(log);
    /* Where rename failed (read-only, full) the old file goes on to be used: cutting it is all that is left. */
    if (log->file >= 0 && log->size >= LOG_SIZE_MAX && ftruncate(log->file, 0) == 0 &&
        lseek(log->file, 0, SEEK_SET) == 0)
        log->size = 0;
}

/* A file that can take something now, or -1. */
static int writable_file(struct logfile *log)
{
    if (log->file < 0)
        open_file(log);
    if (log->file >= 0 && log->size >= LOG_SIZE_MAX)
        rotate(log);
    return log->file >= 0 && log->size < LOG_SIZE_MAX ? log->file : -1;
}

static bool throw_away(struct logfile *log)
{
    return splice(log->pipe_read, NULL, NULL_FD, NULL, PIECE_MAX, SPLICE_F_NONBLOCK) > 0;
}

bool logfile_move(struct logfile *log)
{
    int file = writable_file(log);
    if (file < 0)
        return throw_away(log);
    uint64_t room = LOG_SIZE_MAX - log->size;
    ssize_t moved = splice(log->pipe_read, NULL, file, NULL, room < PIECE_MAX ? (size_t)room : PIECE_MAX,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved > 0)
        log->size += (uint64_t)moved;
    if (moved < 0 && errno != EAGAIN && errno != EINTR)
        return throw_away(log);
    return moved > 0;
}

void logfile_note(struct logfile *log, const char *const parts[], size_t count)
{
    struct iovec pieces[8];
    int file = writable_file(log);
    if (file < 0 || count > sizeof pieces / sizeof *pieces)
        return;
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct iovec){.iov_base = (void *)(uintptr_t)parts[i], .iov_len = strlen(parts[i])};
    ssize_t put = writev(file, pieces, (int)count);
    if (put > 0)
        log->size += (uint64_t)put;
}
