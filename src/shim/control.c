/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's connection. There is one agent: a new connection replaces the old one, whose agent may have died. Every
 * message tells the whole state, so an agent that does not read for a while misses steps but never ends up wrong.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS_MAX = 4 };

union control_space {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

int control_open(struct shim *shim)
{
    /* The agent made the socket; listening again makes us the peer that SO_PEERCRED names. */
    if (listen(shim->listener, 4) < 0)
        return -errno;
    shim->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return shim->self < 0 ? -errno : 0;
}

static void watch_agent(struct shim *shim, int operation, bool for_writing)
{
    struct epoll_event event = {.events = EPOLLIN | (for_writing ? (uint32_t)EPOLLOUT : 0), .data.fd = shim->agent};
    epoll_ctl(shim->epoll, operation, shim->agent, &event);
}

static void hang_up(struct shim *shim)
{
    close_fd(&shim->agent); /* epoll forgets it: there is no other descriptor of this connection */
    shim->behind = false;
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
    watch_agent(shim, EPOLL_CTL_ADD, false);
    control_say(shim, SHIM_HELLO, 0);
}

/* --- speaking -------------------------------------------------------------------------------- */

static size_t fds_for(const struct shim *shim, enum shim_type type, int fds[FDS_MAX])
{
    size_t count = 0;
    if (type == SHIM_HELLO)
        fds[count++] = shim->self;
    if ((type == SHIM_HELLO || type == SHIM_STARTED || type == SHIM_RUNNING) && shim->app)
        fds[count++] = shim->app_pidfd;
    return count;
}

void control_say(struct shim *shim, enum shim_type type, uint32_t serial)
{
    uint32_t message[SHIM_ANSWER_MAX / sizeof(uint32_t)];
    int fds[FDS_MAX];
    if (shim->agent < 0)
        return;
    size_t length = shim_encode_state(type, &shim->state, serial, message, sizeof message);
    int result = message_send(shim->agent, message, length, fds, fds_for(shim, type, fds));
    bool behind = result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM;
    if (behind) {
        shim->owed = type;
        shim->owed_serial = serial;
    }
    if (behind != shim->behind) {
        shim->behind = behind;
        watch_agent(shim, EPOLL_CTL_MOD, behind);
    }
    if (result < 0 && !behind)
        hang_up(shim);
}

void control_writable(struct shim *shim)
{
    if (shim->behind)
        control_say(shim, shim->owed, shim->owed_serial);
}

/* --- listening ------------------------------------------------------------------------------- */

static void refuse(struct shim *shim, int error, uint32_t tag, uint32_t serial)
{
    shim->state.error = (uint32_t)error;
    shim->state.tag = tag;
    control_say(shim, SHIM_REFUSED, serial);
    shim->state.error = shim->state.tag = 0;
}

/* Keeps the first descriptor, closes the rest. -1 if there is none. */
static int take_descriptor(struct msghdr *header)
{
    int first = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (first < 0)
                first = fd;
            else
                close(fd);
        }
    }
    return first;
}

static void on_start(struct shim *shim, const void *message, size_t length, int *payload, uint32_t serial)
{
    if (shim->app || shim->leaving || shim->state.phase == SHIM_STOPPING) {
        refuse(shim, EBUSY, 0, serial);
        return;
    }
    void *copy = malloc(length); /* exactly what it takes, kept for restarts */
    if (!copy) {
        refuse(shim, ENOMEM, 0, serial);
        return;
    }
    memcpy(copy, message, length);
    app_start(shim, copy, length, steal_fd(payload), serial);
}

static void on_message(struct shim *shim, const void *message, size_t length, int *payload)
{
    struct shim_header header;
    if (shim_check(message, length, &header) < 0) {
        refuse(shim, EBADMSG, 0, 0);
        return;
    }
    switch (header.type) {
    case SHIM_START: on_start(shim, message, length, payload, header.serial); break;
    case SHIM_STOP: app_stop(shim); break;
    default: refuse(shim, EOPNOTSUPP, 0, header.serial);
    }
}

void control_receive(struct shim *shim)
{
    /* Static and not on the heap: pages that no message ever reached cost nothing. */
    static uint32_t message[SHIM_MESSAGE_MAX / sizeof(uint32_t)];
    union control_space control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof message};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    if (shim->agent < 0)
        return;
    ssize_t got = recvmsg(shim->agent, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        hang_up(shim);
        return;
    }
    CLEANUP_FD int payload = take_descriptor(&header);
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        refuse(shim, EMSGSIZE, 0, 0);
    else
        on_message(shim, message, (size_t)got, &payload);
}
