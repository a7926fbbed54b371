/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receiving descriptors. */
#include "client/descriptors.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union space {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
};

static void take(struct msghdr *header, int fds[DESCRIPTORS_MAX], size_t *count)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (*count < DESCRIPTORS_MAX)
                fds[(*count)++] = fd;
            else
                close(fd);
        }
    }
}

ssize_t descriptors_receive(int socket, void *bytes, size_t size, int fds[DESCRIPTORS_MAX], size_t *count)
{
    union space space;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (got >= 0)
        take(&header, fds, count);
    return got;
}
