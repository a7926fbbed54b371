/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of the connection to a shim. */
#include "zone/channel.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "zone/channel_processes.h"

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
    struct channel_answer *content;
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count;
};

static void cleanup_incoming(struct incoming *incoming)
{
    for (size_t i = 0; i < incoming->fd_count; i++)
        close(incoming->fds[i]);
}

/* 1: a message; 0: none now; -EPIPE: the shim is gone; -EBADMSG: not a message we understand. */
static int read_message(struct channel *channel, struct incoming *incoming)
{
    struct channel_answer *content = incoming->content;
    uint32_t unknown;
    incoming->fd_count = 0;
    ssize_t got =
        message_receive(channel->socket, content->bytes, sizeof content->bytes, incoming->fds, &incoming->fd_count);
    if (got == 0 || got == -EPIPE)
        return -EPIPE;
    if (got < 0)
        return got == -EAGAIN ? 0 : got == -EMSGSIZE ? -EBADMSG : (int)got;
    if (shim_check(content->bytes, (size_t)got, &incoming->header) < 0 ||
        shim_decode_state(content->bytes, (size_t)got, &content->state, &unknown) < 0)
        return -EBADMSG;
    content->type = incoming->header.type;
    return 1;
}

/* 0: it has ended, or nobody knows; that is kept for channel_pids_known. */
static pid_t pid_of(struct channel *channel, int pidfd)
{
    pid_t pid = pidfd_pid(pidfd);
    if (pid < 0)
        channel->pid_error = -pid;
    return pid > 0 ? pid : 0;
}

static void take_shim(struct channel *channel, const struct incoming *incoming)
{
    if (incoming->fd_count == 0)
        return;
    close_fd(&channel->shim_pidfd);
    channel->shim_pidfd = fcntl(incoming->fds[0], F_DUPFD_CLOEXEC, 0);
    if (channel->shim_pidfd < 0)
        channel->pid_error = errno;
    channel->shim_pid = pid_of(channel, incoming->fds[0]);
}

/* Everything in the zone has ended, or the shim itself. */
static void nothing_runs(struct channel *channel)
{
    channel->app.pid = 0;
    for (size_t i = 0; i < channel->other_count; i++)
        channel->others[i].pid = 0;
}

/* Whom it was about; NULL if that cannot be kept. */
static struct zone_app *take_state(struct channel *channel, const struct incoming *incoming)
{
    const struct shim_state *state = &incoming->content->state;
    enum shim_type type = incoming->content->type;
    size_t pidfd = type == SHIM_HELLO ? 1 : 0;
    if (type == SHIM_HELLO)
        take_shim(channel, incoming);
    channel->can_nudge = incoming->header.version >= 2;
    if (type == SHIM_NUDGED) {
        channel->nudged += state->count;
        if (state->error && state->error != channel->nudge_error)
            log_warning("shim %d: end connections that rest: %s", (int)channel->shim_pid, strerror((int)state->error));
        channel->nudge_error = state->error;
        return NULL;
    }
    /* Answers to what was about no process: their state is main's, or nobody's. */
    if (type == SHIM_DONE || type == SHIM_REFUSED || (type == SHIM_FAILED && state->process))
        return channel_process(channel, state->process);
    struct zone_app *process = channel_known_process(channel, state->process);
    if (!process)
        return NULL;
    channel_take_process(process, state);
    process->timed_out = type == SHIM_ENDED && state->error == ETIMEDOUT;
    if (incoming->fd_count > pidfd)
        process->pid = pid_of(channel, incoming->fds[pidfd]);
    if (type == SHIM_HELLO)
        channel->frozen = state->frozen;
    if (type == SHIM_STOPPED && !state->process)
        nothing_runs(channel);
    return process;
}

static enum zone_event event_of(enum shim_type type)
{
    switch (type) {
    case SHIM_RUNNING: return ZONE_EVENT_RUNNING;
    case SHIM_EXITED: return ZONE_EVENT_EXITED;
    case SHIM_STOPPED: return ZONE_EVENT_STOPPED;
    case SHIM_NOTIFIED: return ZONE_EVENT_NOTIFIED;
    case SHIM_ENDED: return ZONE_EVENT_ENDED;
    default: return ZONE_EVENT_NONE; /* an answer that nobody waits for any more, or news from a newer shim */
    }
}

/* Takes note of a message. *about is a copy: what runs once is forgotten here. */
static enum zone_event take_message(struct channel *channel, const struct incoming *incoming, struct zone_app *about)
{
    struct start start;
    bool answered = starts_take(&channel->starts, incoming->header.serial, &start);
    if (answered && incoming->content->type != SHIM_STARTED) {
        start_failed(&start, &incoming->content->state, incoming->content->type, about);
        return ZONE_EVENT_ENDED;
    }
    struct zone_app *process = take_state(channel, incoming);
    if (answered)
        channel_mark_transient(channel, start.process);
    enum zone_event event = event_of(incoming->content->type);
    if (!process)
        return ZONE_EVENT_NONE;
    *about = *process;
    bool ended = event == ZONE_EVENT_ENDED || event == ZONE_EVENT_STOPPED;
    if (!ended)
        return event;
    process->output[0] = '\0';
    process->timed_out = false;
    /* One of which we do not know that it runs once, for a former agent started it: it is idle then, and not over. */
    if (process != &channel->app &&
        (channel->transient[process - channel->others] || (event == ZONE_EVENT_ENDED && !about->over)))
        channel_forget_process(channel, (size_t)(process - channel->others));
    return event;
}

static enum zone_event shim_gone(struct channel *channel)
{
    channel->gone = true;
    nothing_runs(channel);
    if (channel->shim_pidfd >=
        0) { /* our child, if we started it: leave no zombie. Its descriptors close before it ends. */
        struct pollfd ended = {.fd = channel->shim_pidfd, .events = POLLIN};
        poll(&ended, 1, 100);
        waitid(P_PIDFD, (id_t)channel->shim_pidfd, NULL, WEXITED | WNOHANG);
    }
    return ZONE_EVENT_GONE;
}

/* --- events --------------------------------------------------------------------------------------- */

/* One message. NONE with *more: it was no event, and there may be another one. */
static enum zone_event receive_one(struct channel *channel, struct zone_app *about, bool *more)
{
    struct channel_answer content;
    CLEANUP(cleanup_incoming) struct incoming incoming = {.content = &content};
    int result = read_message(channel, &incoming);
    *more = result > 0 || result == -EBADMSG;
    if (result == -EBADMSG)
        log_warning("shim %d: a message that this agent does not understand is ignored", (int)channel->shim_pid);
    if (result < 0 && result != -EBADMSG)
        return shim_gone(channel);
    return result > 0 ? take_message(channel, &incoming, about) : ZONE_EVENT_NONE;
}

enum zone_event channel_receive(struct channel *channel, struct zone_app *about)
{
    struct zone_app unused = {0};
    about = about ? about : &unused;
    if (channel->queue.count > 0)
        return event_queue_take(&channel->queue, about);
    *about = channel->app;
    for (bool more = true; more && !channel->gone;) {
        enum zone_event event = receive_one(channel, about, &more);
        if (event != ZONE_EVENT_NONE)
            return event;
    }
    return channel->gone ? ZONE_EVENT_GONE : ZONE_EVENT_NONE;
}

/* --- requests ------------------------------------------------------------------------------------- */

static int wait_readable(struct channel *channel, uint64_t until, unsigned timeout_ms, struct error *err)
{
    struct pollfd ready = {.fd = channel->socket, .events = POLLIN};
    uint64_t now = clock_monotonic_ms();
    if (now >= until)
        return error_set(err, ETIMEDOUT, "the zone's shim does not answer within %u ms", timeout_ms);
    if (poll(&ready, 1, (int)(until - now)) < 0 && errno != EINTR)
        return error_errno(err, errno, "wait for the zone's shim");
    return 0;
}

/* Waits for the message of this serial (0: the first HELLO); others are taken note of. */
static int wait_for_answer(struct channel *channel, uint32_t serial, unsigned timeout_ms, struct channel_answer *answer,
                           struct error *err)
{
    uint64_t until = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        struct zone_app about = channel->app;
        CLEANUP(cleanup_incoming) struct incoming incoming = {.content = answer};
        int result = wait_readable(channel, until, timeout_ms, err);
        if (result < 0)
            return result;
        result = read_message(channel, &incoming);
        if (result == 0 || result == -EBADMSG)
            continue;
        if (result < 0) {
            event_queue_add(&channel->queue, shim_gone(channel), &channel->app);
            return error_set(err, EPIPE, "the zone's shim has ended");
        }
        enum zone_event event = take_message(channel, &incoming, &about);
        if (serial ? incoming.header.serial == serial : answer->type == SHIM_HELLO)
            return 0;
        if (event != ZONE_EVENT_NONE)
            event_queue_add(&channel->queue, event, &about);
    }
}

uint32_t channel_serial(struct channel *channel)
{
    if (++channel->serial == 0)
        channel->serial = 1; /* 0 is for events */
    return channel->serial;
}

int channel_send_files(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                       struct error *err)
{
    int result = channel->gone ? -EPIPE : message_send(channel->socket, message, length, fds, fd_count);
    return result < 0 ? error_errno(err, -result, "speak to the zone's shim") : 0;
}

int channel_send(struct channel *channel, const void *message, size_t length, struct error *err)
{
    return channel_send_files(channel, message, length, NULL, 0, err);
}

int channel_request(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                    struct channel_answer *answer, struct error *err)
{
    int result = channel_send_files(channel, message, length, fds, fd_count, err);
    return result < 0 ? result : wait_for_answer(channel, channel->serial, ANSWER_TIMEOUT_MS, answer, err);
}

int channel_set(struct channel *channel, const struct shim_set *set, struct error *err)
{
    uint32_t message[SHIM_ANSWER_MAX / sizeof(uint32_t)];
    struct channel_answer answer;
    size_t length = shim_encode_set(set, channel_serial(channel), message, sizeof message);
    int result = channel_request(channel, message, length, NULL, 0, &answer, err);
    if (result < 0 || answer.type == SHIM_DONE)
        return result;
    if (answer.type == SHIM_REFUSED && answer.state.error == EOPNOTSUPP)
        return 0;
    return error_errno(err, answer.state.error ? (int)answer.state.error : EPROTO, "%s",
                       answer.type == SHIM_FAILED ? shim_stage_text(answer.state.stage) : "the zone's shim refuses");
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
    channel->queue.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (channel->readable < 0 || channel->queue.wake < 0 ||
        epoll_ctl(channel->readable, EPOLL_CTL_ADD, channel->socket, &event) < 0 ||
        epoll_ctl(channel->readable, EPOLL_CTL_ADD, channel->queue.wake, &event) < 0)
        return error_errno(err, errno, "watch the zone's shim");
    return 0;
}

int channel_pids_known(const struct channel *channel, struct error *err)
{
    return channel->pid_error ? error_errno(err, channel->pid_error, "look up the process ids of the zone") : 0;
}

int channel_open(struct channel *channel, const char *socket_path, struct error *err)
{
    struct channel_answer hello;
    *channel = CHANNEL_NONE;
    int result = connect_socket(channel, socket_path, err);
    if (result == 0)
        result = open_readable(channel, err);
    if (result == 0)
        result = wait_for_answer(channel, 0, HELLO_TIMEOUT_MS, &hello, err);
    if (result == -EPIPE)
        result = error_set(err, ENOENT, "connect to the zone's shim at %s: it is ending", socket_path);
    if (result == 0)
        result = channel_pids_known(channel, err);
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
    close_fd(&channel->shim_pidfd);
    event_queue_clear(&channel->queue);
    free(channel->others);
    channel->others = NULL;
    channel->other_count = 0;
}
