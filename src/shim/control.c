/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's connection. There is one agent: a new connection replaces the old one, whose agent may have died. Every
 * message tells the whole state of a process, so an agent that does not read for a while misses steps but never ends
 * up wrong: what it is still to hear is a mark at the process, not a queue. As long as it owes us its attention, we do
 * not listen either: so there is never more than one answer to keep.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int control_open(struct shim *shim)
{
    /* The agent made the socket; listening again makes us the peer that SO_PEERCRED names. */
    if (listen(shim->listener, 4) < 0)
        return -errno;
    shim->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return shim->self < 0 ? -errno : 0;
}

/* --- what is owed --------------------------------------------------------------------------------- */

static void settle(struct shim *shim, struct child *child)
{
    child->owed = 0;
    if (child->done)
        child_drop(shim, child);
}

static void hang_up(struct shim *shim)
{
    unwatch_fd(shim, &shim->agent);
    shim->behind = false;
    shim->answer_length = 0;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++)
        settle(shim, &shim->children[i]);
}

static void set_behind(struct shim *shim, bool behind)
{
    struct epoll_event event = {.events = behind ? EPOLLOUT : EPOLLIN, .data.fd = shim->agent};
    if (behind != shim->behind)
        epoll_ctl(shim->epoll, EPOLL_CTL_MOD, shim->agent, &event);
    shim->behind = behind;
}

/* True if that is done: sent, or there is nobody to send to any more. */
static bool deliver(struct shim *shim, const void *message, size_t length, const int fds[], size_t fd_count)
{
    int result = message_send(shim->agent, message, length, fds, fd_count);
    bool behind = result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM;
    if (result < 0 && !behind)
        hang_up(shim);
    else
        set_behind(shim, behind);
    return !behind;
}

static bool deliver_answer(struct shim *shim)
{
    const struct child *about = shim->answer_about;
    int fd = about ? about->pidfd : -1;
    size_t length = shim->answer_length;
    if (length > 0 && !deliver(shim, shim->answer, length, &fd, fd >= 0 ? 1 : 0))
        return false;
    shim->answer_length = 0;
    return true;
}

/* The newest first. */
static size_t exit_ages(const struct child *child, uint32_t ages[SHIM_EXITS_MAX])
{
    uint64_t now = clock_monotonic_ms();
    size_t count = child->exit_count < SHIM_EXITS_MAX ? child->exit_count : SHIM_EXITS_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t age = now - child->exit_ms[(child->exit_count - 1 - i) % SHIM_EXITS_MAX];
        ages[i] = age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
    }
    return count;
}

static bool deliver_event(struct shim *shim, struct child *child)
{
    uint32_t message[SHIM_ANSWER_MAX / sizeof(uint32_t)], ages[SHIM_EXITS_MAX];
    int fds[2];
    size_t count = 0;
    enum shim_type type = child->owed;
    if (type == SHIM_HELLO)
        fds[count++] = shim->self;
    if ((type == SHIM_HELLO || type == SHIM_PROCESS || type == SHIM_RUNNING) && child->pidfd >= 0)
        fds[count++] = child->pidfd;
    struct shim_state state = child->state;
    state.frozen = shim->frozen;
    state.exit_ages = ages;
    state.exit_count = type == SHIM_HELLO || type == SHIM_PROCESS ? exit_ages(child, ages) : 0;
    size_t length = shim_encode_state(type, &state, 0, message, sizeof message);
    if (!deliver(shim, message, length, fds, count))
        return false;
    settle(shim, child);
    return true;
}

static void deliver_all(struct shim *shim)
{
    bool more = shim->agent >= 0 && deliver_answer(shim);
    for (size_t i = 0; i < SHIM_PROCESSES_MAX && more; i++) {
        if (shim->children[i].used && shim->children[i].owed)
            more = shim->agent >= 0 && deliver_event(shim, &shim->children[i]);
    }
}

void control_say(struct shim *shim, struct child *child, enum shim_type type)
{
    if (shim->agent < 0) {
        settle(shim, child);
        return;
    }
    /* HELLO says it all, and nothing may come before it. */
    if (child->owed != SHIM_HELLO)
        child->owed = type;
    deliver_all(shim);
}

void control_answer(struct shim *shim, enum shim_type type, const struct shim_state *state, uint32_t serial,
                    const struct child *about)
{
    struct shim_state whole = *state;
    if (shim->agent < 0)
        return;
    whole.frozen = shim->frozen;
    shim->answer_length = shim_encode_state(type, &whole, serial, shim->answer, sizeof shim->answer);
    shim->answer_about = about;
    deliver_all(shim);
}

void control_writable(struct shim *shim)
{
    deliver_all(shim);
}

void control_accept(struct shim *shim)
{
    CLEANUP_FD int fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0)
        return;
    hang_up(shim);
    shim->agent = steal_fd(&fd);
    watch_fd(shim, shim->agent);
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++)
        shim->children[i].owed = !shim->children[i].used ? 0 : i == 0 ? SHIM_HELLO : SHIM_PROCESS;
    deliver_all(shim);
}

/* --- listening ------------------------------------------------------------------------------------ */

static void answer(struct shim *shim, enum shim_type type, int error, uint32_t tag, uint32_t serial)
{
    struct shim_state state = shim->children[0].state;
    state.error = (uint32_t)-error;
    state.tag = tag;
    control_answer(shim, type, &state, serial, NULL);
}

static void on_start(struct shim *shim, const void *message, size_t length, int fds[], size_t fd_count, uint32_t serial)
{
    uint32_t unknown = 0;
    void *copy = malloc(length); /* exactly what it takes, kept for restarts */
    if (copy)
        memcpy(copy, message, length);
    int result = copy ? child_start(shim, copy, length, fds, fd_count, serial, &unknown) : -ENOMEM;
    if (result < 0)
        answer(shim, SHIM_REFUSED, result, unknown, serial);
}

static void on_stop(struct shim *shim, const void *message, size_t length, uint32_t serial)
{
    const char *name;
    uint32_t unknown;
    int result = shim_decode_stop(message, length, &name, &unknown);
    if (result < 0)
        answer(shim, SHIM_REFUSED, result, unknown, serial);
    else
        child_stop(shim, name);
}

static void on_set(struct shim *shim, const void *message, size_t length, uint32_t serial)
{
    struct shim_set set;
    uint32_t unknown;
    int result = shim_decode_set(message, length, &set, &unknown);
    if (result == 0)
        child_set(shim, &set);
    answer(shim, result == 0 ? SHIM_DONE : SHIM_REFUSED, result, unknown, serial);
}

static void on_nudge(struct shim *shim, const void *message, size_t length, uint32_t serial)
{
    struct shim_nudge nudge;
    struct shim_state state = shim->children[0].state;
    uint32_t unknown;
    int result = shim_decode_nudge(message, length, &nudge, &unknown);
    if (result < 0) {
        answer(shim, SHIM_REFUSED, result, unknown, serial);
        return;
    }
    result = nudge_all(&nudge, &state.count);
    state.error = (uint32_t)-result;
    control_answer(shim, SHIM_NUDGED, &state, serial, NULL);
}

static void on_message(struct shim *shim, const void *message, size_t length, int fds[], size_t fd_count)
{
    struct shim_header header;
    if (shim_check(message, length, &header) < 0) {
        answer(shim, SHIM_REFUSED, -EBADMSG, 0, 0);
        return;
    }
    switch (header.type) {
    case SHIM_START: on_start(shim, message, length, fds, fd_count, header.serial); break;
    case SHIM_STOP: on_stop(shim, message, length, header.serial); break;
    case SHIM_SET: on_set(shim, message, length, header.serial); break;
    case SHIM_NUDGE: on_nudge(shim, message, length, header.serial); break;
    default: answer(shim, SHIM_REFUSED, -EOPNOTSUPP, 0, header.serial);
    }
}

void control_receive(struct shim *shim)
{
    /* Static and not on the heap: pages that no message ever reached cost nothing. */
    static uint32_t message[SHIM_MESSAGE_MAX / sizeof(uint32_t)];
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count = 0;
    if (shim->agent < 0)
        return;
    ssize_t got = message_receive(shim->agent, message, sizeof message, fds, &fd_count);
    if (got > 0)
        on_message(shim, message, (size_t)got, fds, fd_count);
    else if (got == -EMSGSIZE)
        answer(shim, SHIM_REFUSED, -EMSGSIZE, 0, 0);
    else if (got != -EAGAIN)
        hang_up(shim);
    for (size_t i = 0; i < fd_count; i++)
        close_fd(&fds[i]);
}
