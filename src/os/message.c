/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with descriptors over SOCK_SEQPACKET. */
#include "os/process.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void message_refuse_descriptors(int socket)
{
    int zero = 0;
    setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof zero);
}

int message_send(int channel, const void *message, size_t length, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
    } control = {0};
    struct iovec part = {.iov_base = (void *)message, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > MESSAGE_FDS_MAX)
        return -EINVAL;
    if (fd_count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * fd_count)};
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do
        sent = sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    return 0;
}

static size_t take_descriptors(struct msghdr *header, int fds[MESSAGE_FDS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            if (count < MESSAGE_FDS_MAX)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

ssize_t message_receive(int channel, void *message, size_t size, int fds[MESSAGE_FDS_MAX], size_t *fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = message, .iov_len = size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = fds ? control.space : NULL,
                            .msg_controllen = fds ? sizeof control.space : 0};
    size_t count = 0;
    ssize_t got;
    bool reset = false;
    do { /* a peer that died with unread messages is told once as a reset, before what it had sent itself */
        got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        reset = got < 0 && errno == ECONNRESET && !reset;
    } while (reset || (got < 0 && errno == EINTR));
    if (got < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (fds)
        count = take_descriptors(&header, fds);
    bool whole = !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    while (!whole && count > 0)
        close(fds[--count]);
    if (fd_count)
        *fd_count = count;
    return whole ? got : -EMSGSIZE;
}
