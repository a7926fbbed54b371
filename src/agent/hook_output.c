/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hooks write. Apart from hooks.c because it is all about bytes that nobody can trust: how many, how fast, and
 * what they would do to a terminal. */
#include "agent/hook.h"

#include "agent/hooks.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    PIECE = 16384,
    PAUSE_MS = 10,      /* behind a whole piece: 1.6 MB/s are more than anybody reads */
    PIECES_AT_END = 64, /* the largest pipe that a user may make (fs.pipe-max-size) */
};

static void keep(struct hook_output *output, const char *bytes, size_t length)
{
    size_t size = sizeof output->bytes;
    if (length > size) {
        output->cut = true;
        bytes += length - size;
        length = size;
    }
    if (output->length + length > size) {
        size_t drop = output->length + length - size;
        output->cut = true;
        output->length -= drop;
        memmove(output->bytes, output->bytes + drop, output->length);
    }
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
}

static void stop_reading(struct hook_output *output)
{
    loop_remove_fd(output->source);
    output->source = NULL;
    close_fd(&output->fd);
}

/* How much came; 0 when there is nothing now, or never again. */
static size_t read_piece(struct hook_output *output)
{
    static char piece[PIECE]; /* one loop, one thread */
    if (output->fd < 0)
        return 0;
    ssize_t got = read(output->fd, piece, sizeof piece);
    if (got > 0)
        keep(output, piece, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        stop_reading(output);
    return got > 0 ? (size_t)got : 0;
}

static void on_output(void *context, int fd, uint32_t events)
{
    struct hook_output *output = context;
    (void)fd;
    (void)events;
    if (read_piece(output) < PIECE || !output->source || loop_set_events(output->source, 0) < 0)
        return;
    loop_timer_arm(output->pause, PAUSE_MS);
}

static void on_pause_over(void *context)
{
    struct hook_output *output = context;
    if (output->source && loop_set_events(output->source, EPOLLIN) < 0)
        stop_reading(output);
}

int hook_output_open(struct hook_output *output, struct loop *loop, uid_t uid, gid_t gid, int *writer,
                     struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe for its output");
    CLEANUP_FD int read_end = ends[0];
    CLEANUP_FD int write_end = ends[1];
    if (fchown(write_end, uid, gid) < 0 || fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, errno, "prepare the pipe for its output");
    output->loop = loop;
    output->pause = loop_timer_new(loop, on_pause_over, output);
    output->source = output->pause ? loop_add_fd(loop, read_end, EPOLLIN, on_output, output) : NULL;
    if (!output->source) {
        loop_timer_free(output->pause);
        output->pause = NULL;
        return error_errno(err, ENOMEM, "watch its output");
    }
    output->fd = steal_fd(&read_end);
    *writer = steal_fd(&write_end);
    return 0;
}

void hook_output_close(struct hook_output *output)
{
    for (int i = 0; i < PIECES_AT_END && read_piece(output) > 0; i++)
        ;
    if (output->fd >= 0)
        stop_reading(output);
    loop_timer_free(output->pause);
    output->pause = NULL;
}

/* A half line or character at the beginning is of no use to anybody. */
static size_t first_whole_line(const struct hook_output *output)
{
    const char *newline = output->cut ? memchr(output->bytes, '\n', output->length) : NULL;
    return newline && newline + 1 < output->bytes + output->length ? (size_t)(newline + 1 - output->bytes) : 0;
}

/* A carriage return begins a line anew on a terminal; here what it would overwrite stays, on a line of its own. */
static size_t copy_lines(const struct hook_output *output, char *text)
{
    size_t used = 0;
    for (size_t i = first_whole_line(output); i < output->length; i++) {
        char c = output->bytes[i] == '\r' ? '\n' : output->bytes[i] ? output->bytes[i] : '?';
        if (c != '\n' || (used > 0 && text[used - 1] != '\n')) /* no empty lines */
            text[used++] = c;
    }
    while (used > 0 && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    return used;
}

void hook_output_text(const struct hook_output *output, char text[HOOK_OUTPUT_MAX + 1])
{
    char *end = text + copy_lines(output, text);
    for (char *line = text; line < end;) {
        char *newline = strchr(line, '\n');
        if (newline)
            *newline = '\0';
        text_sanitise(line);
        if (!newline)
            return;
        *newline = '\n';
        line = newline + 1;
    }
}

const char *hook_last_line(const char *text)
{
    const char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}
