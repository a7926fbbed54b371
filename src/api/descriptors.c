/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending of descriptors on a stream. */
#include "api/descriptors.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union space {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
};

void descriptors_close(struct descriptors *descriptors)
{
    while (descriptors->count > 0)
        close(descriptors->fds[--descriptors->count]);
}

void descriptors_move(struct descriptors *to, struct descriptors *from)
{
    *to = *from;
    from->count = 0;
}

ssize_t descriptors_send(int socket, const void *bytes, size_t length, struct descriptors *with)
{
    union space space = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (with->count > 0) {
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * with->count);
        space.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * with->count)};
        memcpy(CMSG_DATA(&space.header), with->fds, sizeof(int) * with->count);
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    descriptors_close(with);
    return sent;
}
