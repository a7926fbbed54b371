/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a command's terminal and pipes are to be, and carrying bytes through them. */
#include "cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int add_channel(struct relay *relay, struct channel channel)
{
    channel.bytes = malloc(RELAY_BUFFER);
    relay->channels[relay->count++] = channel; /* without memory too: what is ours is closed in the end */
    return channel.bytes ? 0 : -1;
}

void relay_resize(const struct relay *relay)
{
    struct winsize size;
    if (relay->master >= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(relay->master, TIOCSWINSZ, &size);
}

static bool same_file(int a, int b)
{
    struct stat first, second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

void relay_look(struct relay *relay)
{
    *relay = (struct relay){.master = -1};
    relay->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && tcgetattr(STDIN_FILENO, &relay->before) == 0;
    if (relay->terminal)
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &relay->size);
    /* One pipe where both go to one file, or their order would be lost. */
    relay->merge = relay->terminal ? isatty(STDERR_FILENO) : same_file(STDOUT_FILENO, STDERR_FILENO);
}

/* --- taking over ------------------------------------------------------------------------------------------- */

static int set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int begin_terminal(struct relay *relay)
{
    if (set_flags(relay->master) < 0 ||
        add_channel(relay, (struct channel){.from = STDIN_FILENO, .to = relay->master}) < 0 ||
        add_channel(relay, (struct channel){.from = relay->master, .to = STDOUT_FILENO, .output = true}) < 0)
        return -1;
    struct termios raw = relay->before;
    cfmakeraw(&raw); /* what is typed is for the command's terminal to interpret: Ctrl-C, Ctrl-Z, Ctrl-D */
    relay->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    relay_resize(relay); /* it may have changed since it was asked for */
    return 0;
}

static int begin_pipe(struct relay *relay, int stream, int near)
{
    bool output = stream != STDIN_FILENO;
    struct channel channel = {.from = output ? near : stream,
                              .to = output ? stream : near,
                              .ours_from = output,
                              .ours_to = !output,
                              .output = output};
    int result = add_channel(relay, channel);
    return result < 0 ? result : set_flags(near);
}

int relay_begin(struct relay *relay, const int descriptors[3])
{
    int result = 0;
    if (relay->terminal)
        relay->master = descriptors[0];
    for (int stream = 0; stream < 3; stream++) {
        if (descriptors[stream] >= 0 && descriptors[stream] != relay->master &&
            begin_pipe(relay, stream, descriptors[stream]) < 0)
            result = -1;
    }
    return result == 0 && relay->terminal ? begin_terminal(relay) : result;
}

/* --- carrying ---------------------------------------------------------------------------------------------- */

static void end_channel(struct channel *channel)
{
    if (channel->ours_from && channel->from >= 0)
        close(channel->from);
    if (channel->ours_to)
        close(channel->to);
    channel->from = -1;
    channel->ours_from = channel->ours_to = false;
    channel->start = channel->end = 0;
}

size_t relay_polls(const struct relay *relay, struct pollfd polls[RELAY_CHANNELS * 2])
{
    size_t count = 0;
    for (size_t i = 0; i < relay->count; i++) {
        const struct channel *channel = &relay->channels[i];
        if (channel->from < 0)
            continue;
        bool full = channel->end > channel->start;
        polls[count++] = (struct pollfd){.fd = full ? channel->to : channel->from, .events = full ? POLLOUT : POLLIN};
    }
    return count;
}

static bool is_ready(int fd, short events)
{
    struct pollfd wait = {.fd = fd, .events = events};
    return poll(&wait, 1, 0) == 1;
}

/* True if it moved. */
static bool fill(struct channel *channel)
{
    if (!is_ready(channel->from, POLLIN))
        return false;
    ssize_t got = read(channel->from, channel->bytes, RELAY_BUFFER);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) { /* EIO: the last one closed the command's terminal */
        end_channel(channel);
        return false;
    }
    channel->start = 0;
    channel->end = (size_t)got;
    return true;
}

static bool empty(struct channel *channel)
{
    if (!is_ready(channel->to, POLLOUT))
        return false;
    size_t length = channel->end - channel->start;
    /* To somebody else's pipe, which may wait: after POLLOUT this much never does. */
    if (!channel->ours_to && length > PIPE_BUF)
        length = PIPE_BUF;
    ssize_t put = write(channel->to, channel->bytes + channel->start, length);
    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (put < 0) { /* nobody reads any more: whoever writes is to notice */
        end_channel(channel);
        return false;
    }
    channel->start += (size_t)put;
    return true;
}

void relay_carry(struct relay *relay)
{
    for (size_t i = 0; i < relay->count; i++) {
        struct channel *channel = &relay->channels[i];
        /* Bounded, so that a flood of output does not keep what is typed from getting through. */
        for (int turn = 0; turn < 64 && channel->from >= 0; turn++) {
            if (!(channel->end > channel->start ? empty(channel) : fill(channel)))
                break;
        }
    }
}

bool relay_drained(const struct relay *relay)
{
    for (size_t i = 0; i < relay->count; i++) {
        if (relay->channels[i].output && relay->channels[i].from >= 0)
            return false;
    }
    return true;
}

void relay_end(struct relay *relay)
{
    for (size_t i = 0; i < relay->count; i++) {
        end_channel(&relay->channels[i]);
        free(relay->channels[i].bytes);
    }
    relay->count = 0;
    if (relay->master >= 0)
        close(relay->master);
    relay->master = -1;
    if (relay->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &relay->before);
    relay->raw = false;
}
