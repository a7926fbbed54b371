/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to a zone: waits for a socket, connects, is used, is kept. */
#include "feed/back_inside.h"

#include "base/cleanup.h"
#include "feed/role.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

bool back_is_open(const struct back *back)
{
    return back->state == BACK_OPEN;
}

bool back_was_kept(const struct back *back)
{
    return back->was_kept;
}

int back_fd(const struct back *back)
{
    return back->fd;
}

const char *back_why(const struct back *back)
{
    return back->why ? back->why : "no connection";
}

static void on_event(void *context, int fd, uint32_t events);

/* The end of a connection is told again and again, whatever is asked for: who wants nothing is not to be woken by it.
 */
void back_watch(struct back *back, uint32_t events)
{
    if (back->state != BACK_OPEN || back->watched == events)
        return;
    if (events == 0) {
        loop_remove_fd(back->source);
        back->source = NULL;
    } else if (!back->source) {
        back->source = loop_add_fd(back->backs->role->loop, back->fd, events, on_event, back);
        if (!back->source)
            return; /* out of memory: by its time it ends */
    } else if (loop_set_events(back->source, events) < 0) {
        return;
    }
    back->watched = events;
}

void back_close(struct back *back)
{
    if (!back)
        return;
    if (back->state == BACK_KEPT)
        back->backs->kept_count--;
    list_remove(&back->link);
    loop_remove_fd(back->source);
    close_fd(&back->fd);
    free(back);
}

static void set_state(struct back *back, enum back_state state, struct list *list)
{
    back->state = state;
    back->since_ms = clock_monotonic_ms();
    list_remove(&back->link);
    list_append(list, &back->link);
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

static bool fits(const struct backs *backs, int fd, int *domain)
{
    int type = 0, wanted = backs_protocol(backs) == PROTOCOL_UDP ? SOCK_DGRAM : SOCK_STREAM;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, domain, &length) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == wanted &&
           (*domain == AF_INET || *domain == AF_INET6);
}

/* Where the app is, seen from inside its zone. */
static socklen_t target_of(const struct backs *backs, int domain, uint16_t port, struct sockaddr_storage *target)
{
    *target = (struct sockaddr_storage){0};
    if (domain == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)target;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
        if (backs->service6.family == 6)
            memcpy(&in6->sin6_addr, backs->service6.bytes, 16);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)target;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (backs->service4.family == 4)
        memcpy(&in->sin_addr, backs->service4.bytes, 4);
    return sizeof *in;
}

void back_fail(struct back *back, const char *why)
{
    back->why = why;
    back->callback(back->context, back, BACK_FAILED, 0);
}

static const char *connect_error(int code)
{
    return code == ECONNREFUSED ? "connection refused: nothing listens at its port" : strerror(code);
}

static void on_connected(struct back *back)
{
    int code = 0;
    socklen_t length = sizeof code;
    if (getsockopt(back->fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0)
        code = errno;
    if (code != 0) {
        back_fail(back, connect_error(code));
        return;
    }
    set_state(back, BACK_OPEN, &back->backs->used);
    back_watch(back, EPOLLIN);
    back->callback(back->context, back, BACK_OPENED, 0);
}

static void on_event(void *context, int fd, uint32_t events)
{
    struct back *back = context;
    (void)fd;
    if (back->state == BACK_CONNECTING)
        on_connected(back);
    else if (back->state == BACK_KEPT) /* the app has closed it, or speaks without being asked */
        back_close(back);
    else
        back->callback(back->context, back, BACK_EVENTS, events);
}

/* 1: open; 0: on its way; negative: *why says what is wrong. */
static int connect_socket(struct back *back, int fd, const char **why)
{
    struct sockaddr_storage target;
    int domain = 0, one = 1, flags = fcntl(fd, F_GETFL);
    back->fd = fd;
    if (!fits(back->backs, fd, &domain) || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        *why = "the agent sent a descriptor that is no socket for it";
        return -EINVAL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    socklen_t length = target_of(back->backs, domain, back->port, &target);
    bool done = connect(fd, (struct sockaddr *)&target, length) == 0;
    if (!done && errno != EINPROGRESS) {
        *why = connect_error(errno);
        return -errno;
    }
    set_state(back, done ? BACK_OPEN : BACK_CONNECTING, &back->backs->used);
    back->watched = done ? EPOLLIN : EPOLLOUT;
    back->source = loop_add_fd(back->backs->role->loop, fd, back->watched, on_event, back);
    if (!back->source) {
        *why = "it could not be watched";
        return -ENOMEM;
    }
    return done;
}

void back_begin(struct back *back, int fd)
{
    const char *why = NULL;
    int result = connect_socket(back, fd, &why);
    if (result < 0)
        back_fail(back, why);
    else if (result == 1)
        back->callback(back->context, back, BACK_OPENED, 0);
}

/* --- opening and keeping ------------------------------------------------------------------------------------------ */

/* Nothing has come on it: neither the end nor bytes that nobody asked for. */
static bool is_quiet(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* The one that rested for the shortest time. */
static struct back *take_kept(struct backs *backs, uint16_t port)
{
    uint64_t now = clock_monotonic_ms();
    for (struct list *at = backs->kept.previous, *before = at->previous; at != &backs->kept;
         at = before, before = at->previous) {
        struct back *back = list_entry(at, struct back, link);
        if (back->port != port)
            continue;
        if (now - back->since_ms < BACK_KEEP_MS && is_quiet(back->fd)) {
            backs->kept_count--;
            set_state(back, BACK_OPEN, &backs->used);
            return back;
        }
        back_close(back);
    }
    return NULL;
}

static struct back *open_new(struct backs *backs, uint16_t port, const char **why)
{
    struct back *back = calloc(1, sizeof *back);
    if (!back) {
        *why = "out of memory";
        return NULL;
    }
    *back = (struct back){.backs = backs, .fd = -1, .port = port};
    list_init(&back->link);
    if (backs->stock_count == 0) {
        set_state(back, BACK_WAITING, &backs->waiting);
        backs_ask(backs);
        return back;
    }
    if (connect_socket(back, backs->stock[--backs->stock_count], why) < 0) {
        back_close(back);
        back = NULL;
    }
    backs_ask(backs);
    return back;
}

struct back *back_open(struct backs *backs, uint16_t port, bool fresh, back_callback *callback, void *context,
                       const char **why)
{
    if (port == 0) {
        *why = "its release does not feed the port that the client came to";
        return NULL;
    }
    if (!backs_reachable(backs)) {
        *why = backs->there ? "its zone is frozen" : "its app does not run";
        return NULL;
    }
    struct back *back = fresh ? NULL : take_kept(backs, port);
    if (!back)
        back = open_new(backs, port, why);
    if (back) {
        back->callback = callback;
        back->context = context;
    }
    role_wake(backs->role);
    return back;
}

void back_keep(struct back *back)
{
    struct backs *backs = back->backs;
    if (back->state != BACK_OPEN || backs->kept_count >= BACK_KEEP_MAX) {
        back_close(back);
        return;
    }
    back_watch(back, EPOLLIN);
    back->was_kept = true;
    back->callback = NULL;
    backs->kept_count++;
    set_state(back, BACK_KEPT, &backs->kept);
}
