/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process writes to: the zone's log, or for a check a pipe of which only the last line is kept. */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_PIPE_BYTES = 65536, /* a new pipe's size, pipe(7) */
    PIECE = 4096,
    PIECES_MAX = 512, /* twice the largest pipe (fs.pipe-max-size), so that a writer who goes on does not hold us */
};

/* --- to the log --------------------------------------------------------------------------------- */

/* All processes share the pipe, but each gets an open file of its own: what one sets on it (O_NONBLOCK) is not the
 * others'. Opening what belongs to the app already takes CAP_DAC_OVERRIDE; without it they share that too. */
static int log_writer(struct shim *shim, const struct shim_start *start)
{
    char path[48];
    const struct logfile *log = &shim->log;
    fcntl(log->pipe_write, F_SETPIPE_SZ, LOG_PIPE_BYTES); /* may be refused above the user's share: fine */
    snprintf(path, sizeof path, "/proc/self/fd/%d", log->pipe_write);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        fd = fcntl(log->pipe_write, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || logfile_give(log, start->uid, start->gid) < 0)
        return -1;
    return steal_fd(&fd);
}

/* --- of a check --------------------------------------------------------------------------------- */

static int check_writer(struct shim *shim, struct child *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    CLEANUP_FD int read_end = ends[0];
    CLEANUP_FD int write_end = ends[1];
    if (fchown(write_end, child->start.uid, child->start.gid) < 0 || fcntl(read_end, F_SETFL, O_NONBLOCK) < 0 ||
        watch_fd(shim, read_end) < 0)
        return -1;
    child->capture = steal_fd(&read_end);
    child->line[0] = '\0';
    child->line_length = 0;
    child->line_ended = false;
    return steal_fd(&write_end);
}

/* A line begins when the first byte after the end of the former one comes: so the last one stays, and empty ones do
 * not count. */
static void take_bytes(struct child *child, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            child->line_ended = true;
            continue;
        }
        if (child->line_ended)
            child->line_length = 0;
        child->line_ended = false;
        if (child->line_length < SHIM_OUTPUT_MAX)
            child->line[child->line_length++] = bytes[i] ? bytes[i] : '?';
        child->line[child->line_length] = '\0';
    }
}

/* False when there is nothing now, or never again. */
static bool read_piece(struct shim *shim, struct child *child)
{
    char piece[PIECE];
    if (child->capture < 0)
        return false;
    ssize_t got = read(child->capture, piece, sizeof piece);
    if (got > 0)
        take_bytes(child, piece, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        unwatch_fd(shim, &child->capture);
    return got > 0;
}

void output_read(struct shim *shim, struct child *child)
{
    read_piece(shim, child);
}

void output_close(struct shim *shim, struct child *child)
{
    for (unsigned i = 0; i < PIECES_MAX && read_piece(shim, child); i++)
        ;
    unwatch_fd(shim, &child->capture);
    text_sanitise(child->line);
    child->state.output = child->line[0] ? child->line : NULL;
}

int output_open(struct shim *shim, struct child *child)
{
    unwatch_fd(shim, &child->capture);
    return child->start.deadline_ms > 0 ? check_writer(shim, child) : log_writer(shim, &child->start);
}
