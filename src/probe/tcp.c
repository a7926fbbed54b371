/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP checks: a non-blocking connect over the one socket handed over, closed as soon as it is
 * known. */
#include "probe/tcp.h"

#include "base/cleanup.h"
#include "probe/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static socklen_t target_address(const struct check_request *request, struct sockaddr_storage *storage)
{
    *storage = (struct sockaddr_storage){0};
    if (request->target.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(request->health.port);
        memcpy(&in->sin_addr, request->target.bytes, sizeof in->sin_addr);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(request->health.port);
    memcpy(&in6->sin6_addr, request->target.bytes, sizeof in6->sin6_addr);
    return sizeof *in6;
}

static void finish(struct check *check, int errnum)
{
    struct probe_result result = {0};
    if (errnum == 0)
        reason_set(&result, PROBE_PASS, "connected");
    else
        reason_errno(&result, errnum);
    check_finish(check, &result);
}

void tcp_abandon(struct check *check)
{
    loop_remove_fd(check->connecting);
    check->connecting = NULL;
    close_fd(&check->sockets[0]);
}

static void on_connected(void *context, int fd, uint32_t events)
{
    struct check *check = context;
    int errnum = 0;
    socklen_t length = sizeof errnum;
    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &length) < 0)
        errnum = errno;
    tcp_abandon(check);
    finish(check, errnum);
}

void tcp_begin(struct loop *loop, struct check *check)
{
    struct sockaddr_storage storage;
    socklen_t length = target_address(&check->request, &storage);
    int fd = check->sockets[0] = check_take_socket(check);
    int errnum = 0;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || connect(fd, (struct sockaddr *)&storage, length) < 0)
        errnum = errno;
    if (errnum == EINPROGRESS) {
        check->connecting = loop_add_fd(loop, fd, EPOLLOUT, on_connected, check);
        if (check->connecting)
            return;
        errnum = errno;
    }
    close_fd(&check->sockets[0]);
    finish(check, errnum);
}

void tcp_expire(struct check *check, struct probe_result *result)
{
    char duration[REASON_DURATION_MAX];
    tcp_abandon(check);
    reason_set(result, PROBE_TIMEOUT, "no connection within %s",
               reason_duration(check->request.health.timeout_ms, duration));
}
