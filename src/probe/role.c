/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe role. Each request becomes a check, each check ends in exactly one result: from its
 * engine, from its deadline, or at once if it cannot be made. Results that the monitor is too busy
 * to take wait here, and no further request is read meanwhile.
 */
#include "probe/role.h"

#include "base/cleanup.h"
#include "os/log.h"
#include "os/process.h"
#include "probe/check.h"
#include "probe/reason.h"
#include "probe/tcp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define READ_BATCH 64 /* requests taken in one go, before the checks that run get their turn */

struct unsent {
    struct list link;
    struct check_result message;
};

struct role {
    struct loop *loop;
    struct http *http;
    int channel;
    struct loop_source *source;
    uint32_t watched; /* events */
    size_t checks_max, open_count, unsent_count;
    struct list open, unsent;
};

static void watch_channel(struct role *role)
{
    bool full = role->open_count + role->unsent_count >= role->checks_max;
    uint32_t events = (full ? 0u : EPOLLIN) | (role->unsent_count ? EPOLLOUT : 0u);
    if (events != role->watched && loop_set_events(role->source, events) == 0)
        role->watched = events;
}

/* True once the message needs no further care: sent, or nobody is there to read it. */
static bool try_send(struct role *role, const struct check_result *message)
{
    int result = message_send(role->channel, message, sizeof *message, NULL, 0);
    if (result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM)
        return false;
    if (result < 0) {
        if (result != -EPIPE)
            log_error("send a result to bluegreend: %s", strerror(-result));
        loop_quit(role->loop, result == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return true;
}

static void answer(struct role *role, uint64_t id, const struct probe_result *result)
{
    struct check_result message = {.version = CHECK_VERSION, .id = id, .result = *result};
    if (role->unsent_count == 0 && try_send(role, &message))
        return;
    struct unsent *unsent = malloc(sizeof *unsent);
    if (!unsent) { /* the monitor ends all open checks of a role that dies: none is lost */
        log_error("out of memory with results to send; ending");
        loop_quit(role->loop, EXIT_FAILURE);
        return;
    }
    unsent->message = message;
    list_append(&role->unsent, &unsent->link);
    role->unsent_count++;
}

static void send_waiting(struct role *role)
{
    struct unsent *unsent;
    list_for_each(unsent, &role->unsent, link)
    {
        if (!try_send(role, &unsent->message))
            return;
        list_remove(&unsent->link);
        role->unsent_count--;
        free(unsent);
    }
}

int check_take_socket(struct check *check)
{
    return check->next_socket < check->socket_count ? check->sockets[check->next_socket++] : -1;
}

static void free_check(struct check *check)
{
    list_remove(&check->link);
    check->role->open_count--;
    for (size_t i = check->next_socket; i < check->socket_count; i++)
        close(check->sockets[i]);
    loop_timer_free(check->deadline);
    free(check);
}

void check_finish(struct check *check, struct probe_result *result)
{
    struct role *role = check->role;
    uint64_t duration_us = (clock_monotonic_ns() - check->started_ns) / 1000;
    result->duration_us = duration_us < UINT32_MAX ? (uint32_t)duration_us : UINT32_MAX;
    answer(role, check->request.id, result);
    free_check(check);
    watch_channel(role);
}

static void on_deadline(void *context)
{
    struct check *check = context;
    struct probe_result result = {0};
    if (check->request.health.kind == HEALTH_HTTP)
        http_expire(check, &result);
    else
        tcp_expire(check, &result);
    check_finish(check, &result);
}

/* The monitor makes the sockets; a wrong one is its bug, and would look like the app's fault. */
static bool socket_fits(int fd, const struct address *target)
{
    int domain = 0, type = 0;
    socklen_t length = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
           domain == (target->family == 4 ? AF_INET : AF_INET6);
}

static const char *refusal(const struct check_request *request, const int sockets[], size_t count)
{
    if (!check_request_valid(request, sizeof *request))
        return "the check's description is not valid";
    if (count == 0 || count > CHECK_SOCKETS_MAX)
        return "the check came without a socket, or with too many";
    for (size_t i = 0; i < count; i++) {
        if (!socket_fits(sockets[i], &request->target))
            return "the check came with a socket that cannot reach its target";
    }
    return NULL;
}

static void refuse(struct role *role, uint64_t id, const char *why, const int sockets[], size_t count)
{
    struct probe_result result = {0};
    for (size_t i = 0; i < count; i++)
        close(sockets[i]);
    log_error("check %" PRIu64 ": %s", id, why);
    reason_set(&result, PROBE_INTERNAL, "%s", why);
    answer(role, id, &result);
}

static void begin(struct role *role, const struct check_request *request, const int sockets[], size_t count)
{
    const char *why = refusal(request, sockets, count);
    struct check *check = why ? NULL : calloc(1, sizeof *check);
    struct loop_timer *deadline = check ? loop_timer_new(role->loop, on_deadline, check) : NULL;
    if (!deadline) {
        free(check);
        refuse(role, request->id, why ? why : "the probe ran out of memory", sockets, count);
        return;
    }
    *check = (struct check){.role = role,
                            .request = *request,
                            .socket_count = count,
                            .started_ns = clock_monotonic_ns(),
                            .deadline = deadline};
    memcpy(check->sockets, sockets, count * sizeof *sockets);
    list_append(&role->open, &check->link);
    role->open_count++;
    loop_timer_arm(deadline, request->health.timeout_ms);
    if (request->health.kind == HEALTH_HTTP)
        http_begin(role->http, check);
    else
        tcp_begin(role->loop, check);
}

/* False when there is nothing more to read now, or ever. */
static bool read_request(struct role *role)
{
    struct check_request request;
    int sockets[MESSAGE_FDS_MAX];
    size_t count = 0;
    ssize_t length = message_receive(role->channel, &request, sizeof request, sockets, &count);
    if (length == (ssize_t)sizeof request) {
        begin(role, &request, sockets, count);
        return true;
    }
    if (length == -EAGAIN)
        return false;
    for (size_t i = 0; i < count; i++)
        close(sockets[i]);
    if (length == 0) {
        loop_quit(role->loop, EXIT_SUCCESS);
        return false;
    }
    /* Nobody knows which check this was: the monitor ends all of them when we are gone. */
    if (length > 0)
        log_error("a request of %zd bytes where %zu were expected: is bluegreend of another "
                  "version? ending",
                  length, sizeof request);
    else
        log_error("read from bluegreend: %s; ending", strerror((int)-length));
    loop_quit(role->loop, EXIT_FAILURE);
    return false;
}

static void on_channel(void *context, int fd, uint32_t events)
{
    struct role *role = context;
    (void)fd;
    if (events & EPOLLOUT)
        send_waiting(role);
    if (events & EPOLLIN) {
        for (int i = 0; i < READ_BATCH && role->open_count + role->unsent_count < role->checks_max; i++) {
            if (!read_request(role))
                break;
        }
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        loop_quit(role->loop, EXIT_SUCCESS);
    }
    watch_channel(role);
}

int role_new(struct loop *loop, struct http *http, int channel, size_t checks_max, struct role **out, struct error *err)
{
    struct role *role = calloc(1, sizeof *role);
    if (!role)
        return error_errno(err, ENOMEM, "make the probe role");
    *role = (struct role){.loop = loop, .http = http, .channel = channel, .watched = EPOLLIN, .checks_max = checks_max};
    list_init(&role->open);
    list_init(&role->unsent);
    role->source = loop_add_fd(loop, channel, EPOLLIN, on_channel, role);
    if (!role->source) {
        int code = errno;
        free(role);
        return error_errno(err, code, "watch the channel to bluegreend");
    }
    *out = role;
    return 0;
}

void role_free(struct role *role)
{
    if (!role)
        return;
    struct check *check;
    struct unsent *unsent;
    list_for_each(check, &role->open, link)
    {
        if (check->transfer)
            http_abandon(check);
        if (check->connecting)
            tcp_abandon(check);
        free_check(check);
    }
    list_for_each(unsent, &role->unsent, link) free(unsent);
    loop_remove_fd(role->source);
    free(role);
}
