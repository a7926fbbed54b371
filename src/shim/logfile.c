/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The app's output moves from its pipe into a file by splice(2): the shim neither reads nor copies it. The file is
 * rotated by size together with its index, one former file is kept. When the file cannot be written (disk full), output
 * is thrown away: an app must not stand still because of its log.
 */
#include "shim/logfile.h"

#include "base/cleanup.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_SIZE_MAX = 10 * 1024 * 1024, /* of each of the two files */
    PIECE_MAX = 64 * 1024,           /* a pipe's default capacity, pipe(7): what one turn of the loop may take */
    NULL_FD = 0,                     /* stdin is /dev/null, for reading and writing */
    NOTE_MAX = 1024,
    TURN_MS = 100,
};

static void open_file(struct logfile *log)
{
    /* No O_APPEND: splice(2) refuses it. The shim is the only writer. */
    log->file = openat(log->directory, "log", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
    if (log->file < 0)
        return;
    off_t end = lseek(log->file, 0, SEEK_END);
    log->size = end > 0 ? (uint64_t)end : 0;
    log_index_open(&log->index, log->directory, "log.index", log->file, log->size);
}

/* The app's pipe, and journald's socket while that is behind, are one descriptor for the shim's loop. */
static int open_events(struct logfile *log)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = log->pipe_read};
    log->events = epoll_create1(EPOLL_CLOEXEC);
    return log->events < 0 || epoll_ctl(log->events, EPOLL_CTL_ADD, log->pipe_read, &event) < 0 ? -errno : 0;
}

int logfile_open(struct logfile *log, int directory, const char *zone)
{
    int ends[2];
    char app[sizeof log->journal.identifier];
    *log = (struct logfile){
        .events = -1, .directory = directory, .file = -1, .pipe_read = -1, .pipe_write = -1, .index = {.file = -1}};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    log->pipe_read = ends[0];
    log->pipe_write = ends[1]; /* stays blocking for the app: each end has flags of its own */
    int result = fcntl(log->pipe_read, F_SETFL, O_NONBLOCK) < 0 ? -errno : open_events(log);
    if (result < 0)
        return result;
    snprintf(app, sizeof app, "%.*s", (int)strcspn(zone, "."), zone);
    journal_open(&log->journal, JOURNAL_SOCKET, app, log->events);
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
    log_index_close(&log->index);
    renameat(log->directory, "log", log->directory, "log.1");
    renameat(log->directory, "log.index", log->directory, "log.1.index");
    open_file(log);
    /* Where rename failed (read-only, full) the old file goes on to be used: cutting it is all that is left. */
    if (log->file >= 0 && log->size >= LOG_SIZE_MAX && ftruncate(log->file, 0) == 0 &&
        lseek(log->file, 0, SEEK_SET) == 0) {
        log->size = 0;
        log_index_close(&log->index);
        log_index_open(&log->index, log->directory, "log.index", log->file, 0);
    }
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

static ssize_t throw_away(struct logfile *log, size_t most)
{
    return splice(log->pipe_read, NULL, NULL_FD, NULL, most, SPLICE_F_NONBLOCK);
}

static ssize_t put_away(struct logfile *log, int file, size_t most)
{
    uint64_t at = log->size, when = clock_unix_ms();
    ssize_t moved = splice(log->pipe_read, NULL, file, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved > 0) {
        log->size += (uint64_t)moved;
        log_index_mark(&log->index, when, at);
    }
    return moved < 0 && errno != EAGAIN && errno != EINTR ? throw_away(log, most) : moved;
}

/* Returns how much. */
static size_t move(struct logfile *log)
{
    int file = writable_file(log);
    uint64_t room = file < 0 ? PIECE_MAX : LOG_SIZE_MAX - log->size;
    size_t most = room < PIECE_MAX ? (size_t)room : PIECE_MAX;
    journal_flush(&log->journal);
    /* The journal copies what the pipe goes on to hold, so the same piece has to move on, and no more. */
    if (log->copied == 0)
        log->copied = journal_copy(&log->journal, log->pipe_read, most, clock_monotonic_ms());
    if (log->copied > 0 && log->copied < most)
        most = log->copied;
    ssize_t moved = file < 0 ? throw_away(log, most) : put_away(log, file, most);
    if (moved > 0)
        log->copied -= (size_t)moved < log->copied ? (size_t)moved : log->copied;
    return moved > 0 ? (size_t)moved : 0;
}

bool logfile_move(struct logfile *log)
{
    return move(log) > 0;
}

/* --- in turns --------------------------------------------------------------------------------------- */

static void listen_to_app(struct logfile *log, bool listening)
{
    struct epoll_event event = {.events = listening ? EPOLLIN : 0, .data.fd = log->pipe_read};
    epoll_ctl(log->events, EPOLL_CTL_MOD, log->pipe_read, &event);
}

/* What the shim does for an app is not in the app's own limits, so it has a measure of its own. */
void logfile_serve(struct logfile *log)
{
    uint64_t now = clock_monotonic_ms();
    if (now < log->rest_until_ms) { /* the journal's socket woke us */
        journal_flush(&log->journal);
        return;
    }
    if (log->rest_until_ms)
        listen_to_app(log, true);
    log->rest_until_ms = 0;
    if (now - log->turn_ms >= TURN_MS) {
        log->turn_ms = now;
        log->turn_bytes = 0;
    }
    log->turn_bytes += move(log);
    if (log->turn_bytes < LOG_RATE / 1000 * TURN_MS)
        return;
    log->rest_until_ms = log->turn_ms + TURN_MS;
    listen_to_app(log, false);
}

void logfile_note(struct logfile *log, const char *const parts[], size_t count)
{
    char line[NOTE_MAX];
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof line; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, "%s", parts[i]);
    journal_text(&log->journal, line, clock_monotonic_ms());
    int file = writable_file(log);
    if (file < 0)
        return;
    log_index_mark(&log->index, clock_unix_ms(), log->size);
    ssize_t put = write(file, line, strlen(line));
    if (put > 0)
        log->size += (uint64_t)put;
}
