/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of the connection to a shim. */
#include "zone/channel.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/files.h"
#include "os/log.h"
#include "os/loop.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HELLO_TIMEOUT_MS = 3000,
    ANSWER_TIMEOUT_MS = 5000, /* above the shim's own patience with an exec (4 s), so that its reason arrives */
};

/* --- messages ------------------------------------------------------------------------------------- */

struct incoming {
    struct shim_header header;
    struct shim_state state;
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count;
};

static void cleanup_incoming(struct incoming *incoming)
{
    for (size_t i = 0; i < incoming->fd_count; i++)
        close(incoming->fds[i]);
}

/* The pid behind a pidfd, as this process's /proc numbers it; 0 if it has ended. */
static pid_t pid_of(int pidfd)
{
    char path[64];
    CLEANUP_FREE char *content = NULL;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    if (file_read(path, 4096, &content, NULL, NULL) < 0)
        return 0;
    const char *line = strstr(content, "\nPid:");
    long pid = line ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : 0;
}

/* 1: a message; 0: none now; -EPIPE: the shim is gone; -EBADMSG: not a message we understand. */
static int read_message(struct channel *channel, struct incoming *incoming)
{
    uint32_t bytes[SHIM_MESSAGE_MAX / 64 / sizeof(uint32_t)]; /* many times what shims say today */
    uint32_t unknown;
    incoming->fd_count = 0;
    ssize_t got = message_receive(channel->socket, bytes, sizeof bytes, incoming->fds, &incoming->fd_count);
    if (got == 0 || got == -EPIPE)
        return -EPIPE;
    if (got < 0)
        return got == -EAGAIN ? 0 : got == -EMSGSIZE ? -EBADMSG : (int)got;
    if (shim_check(bytes, (size_t)got, &incoming->header) < 0 ||
        shim_decode_state(bytes, (size_t)got, &incoming->state, &unknown) < 0)
        return -EBADMSG;
    return 1;
}

static void take_state(struct channel *channel, const struct incoming *incoming)
{
    const struct shim_state *state = &incoming->state;
    size_t app_fd = incoming->header.type == SHIM_HELLO ? 1 : 0;
    struct zone_app *app = &channel->app;
    if (incoming->header.type == SHIM_HELLO && incoming->fd_count > 0) {
        close_fd(&channel->shim_pidfd);
        channel->shim_pidfd = fcntl(incoming->fds[0], F_DUPFD_CLOEXEC, 0);
        channel->shim_pid = pid_of(incoming->fds[0]);
    }
    if (incoming->fd_count > app_fd)
        app->pid = pid_of(incoming->fds[app_fd]);
    else if (state->phase == SHIM_IDLE || state->phase == SHIM_BACK_OFF)
        app->pid = 0;
    app->restarts = state->restarts;
    app->exited = state->exited;
    app->signalled = state->signalled;
    app->value = (int)state->exit_value;
    app->unix_ms = state->exit_unix_ms;
}

static enum zone_event event_of(const struct incoming *incoming)
{
    switch (incoming->header.type) {
    case SHIM_RUNNING: return ZONE_EVENT_RUNNING;
    case SHIM_EXITED: return ZONE_EVENT_EXITED;
    case SHIM_STOPPED: return ZONE_EVENT_STOPPED;
    default: return ZONE_EVENT_NONE; /* an answer that nobody waits for any more, or news from a newer shim */
    }
}

static enum zone_event shim_gone(struct channel *channel)
{
    channel->gone = true;
    channel->app.pid = 0;
    if (channel->shim_pidfd >=
        0) { /* our child, if we started it: leave no zombie. Its descriptors close before it ends. */
        struct pollfd ended = {.fd = channel->shim_pidfd, .events = POLLIN};
        poll(&ended, 1, 100);
        waitid(P_PIDFD, (id_t)channel->shim_pidfd, NULL, WEXITED | WNOHANG);
    }
    return ZONE_EVENT_GONE;
}

/* --- queue ---------------------------------------------------------------------------------------- */

static void enqueue(struct channel *channel, enum zone_event event)
{
    if (event == ZONE_EVENT_NONE)
        return;
    if (channel->queued == CHANNEL_QUEUE_MAX) { /* an app that dies all the time: the last ones tell the truth */
        memmove(channel->queue, channel->queue + 1, (CHANNEL_QUEUE_MAX - 1) * sizeof *channel->queue);
        channel->queued--;
    }
    channel->queue[channel->queued++] = event;
    if (channel->queued == 1)
        eventfd_write(channel->wake, 1);
}

static enum zone_event dequeue(struct channel *channel)
{
    enum zone_event first = channel->queue[0];
    eventfd_t value;
    memmove(channel->queue, channel->queue + 1, --channel->queued * sizeof *channel->queue);
    if (channel->queued == 0)
        eventfd_read(channel->wake, &value);
    return first;
}

enum zone_event channel_receive(struct channel *channel)
{
    if (channel->queued > 0)
        return dequeue(channel);
    while (!channel->gone) {
        CLEANUP(cleanup_incoming) struct incoming incoming;
        int result = read_message(channel, &incoming);
        if (result == 0)
            return ZONE_EVENT_NONE;
        if (result == -EBADMSG) {
            log_warning("shim %d: a message that this agent does not understand is ignored", (int)channel->shim_pid);
            continue;
        }
        if (result < 0)
            return shim_gone(channel);
        take_state(channel, &incoming);
        enum zone_event event = event_of(&incoming);
        if (event != ZONE_EVENT_NONE)
            return event;
    }
    return ZONE_EVENT_GONE;
}

/* --- requests ------------------------------------------------------------------------------------- */

/* Waits for the message of this serial (0: the first HELLO); others are taken note of. */
static int wait_for_answer(struct channel *channel, uint32_t serial, unsigned timeout_ms, struct incoming *answer,
                           struct error *err)
{
    uint64_t until = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        struct pollfd ready = {.fd = channel->socket, .events = POLLIN};
        uint64_t now = clock_monotonic_ms();
        if (now >= until)
            return error_set(err, ETIMEDOUT, "the zone's shim does not answer within %u ms", timeout_ms);
        if (poll(&ready, 1, (int)(until - now)) < 0 && errno != EINTR)
            return error_errno(err, errno, "wait for the zone's shim");
        CLEANUP(cleanup_incoming) struct incoming incoming;
        int result = read_message(channel, &incoming);
        if (result == 0 || result == -EBADMSG)
            continue;
        if (result < 0) {
            enqueue(channel, shim_gone(channel));
            return error_set(err, EPIPE, "the zone's shim has ended");
        }
        take_state(channel, &incoming);
        if (serial ? incoming.header.serial == serial : incoming.header.type == SHIM_HELLO) {
            *answer = incoming;
            incoming.fd_count = 0;
            return 0;
        }
        enqueue(channel, event_of(&incoming));
    }
}

uint32_t channel_serial(struct channel *channel)
{
    if (++channel->serial == 0)
        channel->serial = 1; /* 0 is for events */
    return channel->serial;
}

static int send_bytes(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                      struct error *err)
{
    int result = channel->gone ? -EPIPE : message_send(channel->socket, message, length, fds, fd_count);
    return result < 0 ? error_errno(err, -result, "speak to the zone's shim") : 0;
}

int channel_send(struct channel *channel, const void *message, size_t length, struct error *err)
{
    return send_bytes(channel, message, length, NULL, 0, err);
}

int channel_request(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                    enum shim_type *answer, struct shim_state *state, struct error *err)
{
    CLEANUP(cleanup_incoming) struct incoming incoming = {.fd_count = 0};
    int result = send_bytes(channel, message, length, fds, fd_count, err);
    if (result == 0)
        result = wait_for_answer(channel, channel->serial, ANSWER_TIMEOUT_MS, &incoming, err);
    if (result == 0) {
        *answer = incoming.header.type;
        *state = incoming.state;
    }
    return result;
}

/* --- opening -------------------------------------------------------------------------------------- */

static int connect_socket(struct channel *channel, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!text_copy(address.sun_path, sizeof address.sun_path, path))
        return error_errno(err, ENAMETOOLONG, "connect to the zone's shim at %s (choose a shorter --run directory)",
                           path);
    channel->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel->socket < 0)
        return error_errno(err, errno, "make a socket for the zone's shim");
    if (connect(channel->socket, (struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    /* Refused: the file is left over from a shim that has ended. */
    return error_errno(err, errno == ECONNREFUSED ? ENOENT : errno, "connect to the zone's shim at %s", path);
}

static int open_readable(struct channel *channel, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    channel->readable = epoll_create1(EPOLL_CLOEXEC);
    channel->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (channel->readable < 0 || channel->wake < 0 ||
        epoll_ctl(channel->readable, EPOLL_CTL_ADD, channel->socket, &event) < 0 ||
        epoll_ctl(channel->readable, EPOLL_CTL_ADD, channel->wake, &event) < 0)
        return error_errno(err, errno, "watch the zone's shim");
    return 0;
}

int channel_open(struct channel *channel, const char *socket_path, struct error *err)
{
    CLEANUP(cleanup_incoming) struct incoming hello = {.fd_count = 0};
    *channel = (struct channel){.socket = -1, .readable = -1, .wake = -1, .shim_pidfd = -1};
    int result = connect_socket(channel, socket_path, err);
    if (result == 0)
        result = open_readable(channel, err);
    if (result == 0)
        result = wait_for_answer(channel, 0, HELLO_TIMEOUT_MS, &hello, err);
    if (result == -EPIPE)
        result = error_set(err, ENOENT, "connect to the zone's shim at %s: it is ending", socket_path);
    if (result == 0 && channel->shim_pidfd < 0)
        result = error_set(err, EPROTO, "the shim at %s does not say who it is", socket_path);
    if (result < 0)
        channel_close(channel);
    return result;
}

void channel_close(struct channel *channel)
{
    close_fd(&channel->socket);
    close_fd(&channel->readable);
    close_fd(&channel->wake);
    close_fd(&channel->shim_pidfd);
}
