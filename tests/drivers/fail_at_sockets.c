/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that fail: see fail_at_wrap.h. A netlink message is also refused as the kernel does it: it is not sent, and
 * the next thing that is received is an error with its number.
 */
#undef _FORTIFY_SOURCE
#include "fail_at_wrap.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

CALL(socket, ON_NOTHING, 0, (int domain, int type, int protocol), (domain, type, protocol))
CALL(socketpair, ON_NOTHING, 0, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
CALL(bind, ON_FD, fd, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
CALL(listen, ON_FD, fd, (int fd, int backlog), (fd, backlog))
CALL(connect, ON_FD, fd, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
CALL(accept4, ON_FD, fd, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags))
CALL(shutdown, ON_FD, fd, (int fd, int how), (fd, how))
CALL(setsockopt, ON_FD, fd, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
CALL(getsockopt, ON_FD, fd, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
BYTES(send, ON_FD, fd, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
BYTES(recv, ON_FD, fd, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))

/* --- netlink: refusing -------------------------------------------------------------------------------------------- */

/* The answer to what was refused; one at a time, for one fault is injected at a time. */
static struct {
    bool waiting;
    int fd;
    struct sockaddr_nl from;
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } message;
} answer;

/* What the kernel says of a batch bears the number of the message in it that it did not like. */
static void refuse(int fd, const void *data, size_t size, int error)
{
    struct nlmsghdr refused;
    const char *at = data;
    memcpy(&refused, at, sizeof refused);
    if (refused.nlmsg_type == NFNL_MSG_BATCH_BEGIN && size >= NLMSG_ALIGN(refused.nlmsg_len) + sizeof refused)
        memcpy(&refused, at + NLMSG_ALIGN(refused.nlmsg_len), sizeof refused);
    memset(&answer, 0, sizeof answer);
    answer.waiting = true;
    answer.fd = fd;
    answer.from.nl_family = AF_NETLINK;
    answer.message.header = (struct nlmsghdr){.nlmsg_len = sizeof answer.message,
                                              .nlmsg_type = NLMSG_ERROR,
                                              .nlmsg_flags = NLM_F_CAPPED,
                                              .nlmsg_seq = refused.nlmsg_seq,
                                              .nlmsg_pid = refused.nlmsg_pid};
    answer.message.error = (struct nlmsgerr){.error = -error, .msg = refused};
}

static size_t take_answer(void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
    size_t length = sizeof answer.message;
    memcpy(data, &answer.message, length < size ? length : size);
    if (from && from_size && *from_size >= sizeof answer.from) {
        memcpy(from, &answer.from, sizeof answer.from);
        *from_size = sizeof answer.from;
    }
    answer.waiting = flags & MSG_PEEK;
    return flags & MSG_TRUNC || length < size ? length : size;
}

EXPORTED long sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size);
EXPORTED long sendmsg(int fd, const struct msghdr *message, int flags);
EXPORTED long recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size);
EXPORTED long recvmsg(int fd, struct msghdr *message, int flags);

long sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
    NEXT(sendto, long, (int, const void *, size_t, int, const struct sockaddr *, socklen_t));
    int error = fail_now(CALL_sendto, ON_FD, fd);
    if (!error)
        return next(fd, data, size, flags, to, to_size);
    if (error > FAIL_REFUSED) {
        refuse(fd, data, size, error - FAIL_REFUSED);
        return (long)size;
    }
    errno = error;
    return -1;
}

long sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg, long, (int, const struct msghdr *, int));
    int error = fail_now(CALL_sendmsg, ON_FD, fd);
    if (!error)
        return next(fd, message, flags);
    if (error > FAIL_REFUSED) {
        size_t size = 0;
        for (size_t i = 0; i < message->msg_iovlen; i++)
            size += message->msg_iov[i].iov_len;
        refuse(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, error - FAIL_REFUSED);
        return (long)size;
    }
    errno = error;
    return -1;
}

long recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
    NEXT(recvfrom, long, (int, void *, size_t, int, struct sockaddr *, socklen_t *));
    int error = fail_now(CALL_recvfrom, ON_FD, fd);
    if (!error && answer.waiting && answer.fd == fd)
        return (long)take_answer(data, size, flags, from, from_size);
    if (!error)
        return next(fd, data, size, flags, from, from_size);
    errno = error;
    return -1;
}

long recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg, long, (int, struct msghdr *, int));
    int error = fail_now(CALL_recvmsg, ON_FD, fd);
    if (!error && answer.waiting && answer.fd == fd) {
        size_t size = message->msg_iov[0].iov_len;
        message->msg_flags = sizeof answer.message > size ? MSG_TRUNC : 0;
        message->msg_controllen = 0;
        return (long)take_answer(message->msg_iov[0].iov_base, size, flags, message->msg_name, &message->msg_namelen);
    }
    if (!error)
        return next(fd, message, flags);
    errno = error;
    return -1;
}
