/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections to a zone: waiting for a socket, connecting, used, kept. */
#include "feed/back.h"

#include "base/cleanup.h"
#include "feed/control.h"
#include "feed/role.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum back_state { WAITING, CONNECTING, OPEN, KEPT };

/* The monitor may have lost a request for sockets with its own restart of things: it is made again. */
enum { ASK_AGAIN_MS = 1000 };

struct back {
    struct list link;
    struct backs *backs;
    enum back_state state;
    int fd;
    uint16_t port;
    bool was_kept;
    struct loop_source *source;
    uint32_t watched;
    uint64_t since_ms; /* of the state */
    const char *why;
    back_callback *callback;
    void *context;
};

bool backs_reachable(const struct backs *backs)
{
    return backs->there && !backs->frozen;
}

bool backs_idle(const struct backs *backs)
{
    return list_empty(&backs->waiting) && list_empty(&backs->used) && list_empty(&backs->kept);
}

bool back_is_open(const struct back *back)
{
    return back->state == OPEN;
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
    if (back->state != OPEN || back->watched == events)
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

static void free_back(struct back *back)
{
    if (back->state == KEPT)
        back->backs->kept_count--;
    list_remove(&back->link);
    loop_remove_fd(back->source);
    close_fd(&back->fd);
    free(back);
}

void back_close(struct back *back)
{
    if (back)
        free_back(back);
}

static void set_state(struct back *back, enum back_state state, struct list *list)
{
    back->state = state;
    back->since_ms = clock_monotonic_ms();
    list_remove(&back->link);
    list_append(list, &back->link);
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

/* An app is fed in one mode. */
static uint8_t protocol_of(const struct backs *backs)
{
    return backs->role->rules.mode == FEED_DATAGRAM ? PROTOCOL_UDP : PROTOCOL_TCP;
}

void backs_ask(struct backs *backs)
{
    uint64_t now = clock_monotonic_ms();
    size_t waiting = 0;
    struct back *back;
    list_for_each(back, &backs->waiting, link) waiting++;
    if (backs->asked > 0 && now - backs->asked_ms >= ASK_AGAIN_MS)
        backs->asked = 0;
    size_t have = backs->stock_count + backs->asked, want = BACK_STOCK + waiting;
    if (!backs->there || backs->role->rules.mode == FEED_OFF || have + FEED_SOCKETS_MAX > want)
        return;
    size_t count = want - have < UINT16_MAX ? want - have : UINT16_MAX;
    struct feed_sockets message = {.zone = (uint8_t)backs->zone,
                                   .protocol = protocol_of(backs),
                                   .count = (uint16_t)count,
                                   .serial = backs->serial};
    backs->asked += (unsigned)count;
    backs->asked_ms = now;
    control_send(backs->role->control, FEED_WANT, &message.header, sizeof message);
}

static bool fits(const struct backs *backs, int fd, int *domain)
{
    int type = 0, wanted = protocol_of(backs) == PROTOCOL_UDP ? SOCK_DGRAM : SOCK_STREAM;
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

static void fail(struct back *back, const char *why)
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
        fail(back, connect_error(code));
        return;
    }
    set_state(back, OPEN, &back->backs->used);
    back_watch(back, EPOLLIN);
    back->callback(back->context, back, BACK_OPENED, 0);
}

static void on_event(void *context, int fd, uint32_t events)
{
    struct back *back = context;
    (void)fd;
    if (back->state == CONNECTING)
        on_connected(back);
    else if (back->state == KEPT) /* the app has closed it, or speaks without being asked */
        free_back(back);
    else
        back->callback(back->context, back, BACK_EVENTS, events);
}

/* 1: open; 0: on its way; NULL in *why or what is wrong. */
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
    set_state(back, done ? OPEN : CONNECTING, &back->backs->used);
    back->watched = done ? EPOLLIN : EPOLLOUT;
    back->source = loop_add_fd(back->backs->role->loop, fd, back->watched, on_event, back);
    if (!back->source) {
        *why = "it could not be watched";
        return -ENOMEM;
    }
    return done;
}

/* One of those that wait gets a socket. */
static void begin_waiting(struct back *back, int fd)
{
    const char *why = NULL;
    int result = connect_socket(back, fd, &why);
    if (result < 0)
        fail(back, why);
    else if (result == 1)
        back->callback(back->context, back, BACK_OPENED, 0);
}

void backs_sockets(struct backs *backs, const struct feed_sockets *message, const int fds[], size_t count)
{
    bool good = message->serial == backs->serial && message->protocol == protocol_of(backs);
    backs->asked -= count < backs->asked ? (unsigned)count : backs->asked;
    for (size_t i = 0; i < count; i++) {
        if (!good || backs->stock_count == BACK_STOCK_MAX)
            close(fds[i]);
        else
            backs->stock[backs->stock_count++] = fds[i];
    }
    while (backs->stock_count > 0 && !list_empty(&backs->waiting))
        begin_waiting(list_entry(backs->waiting.next, struct back, link), backs->stock[--backs->stock_count]);
    backs_ask(backs);
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
            set_state(back, OPEN, &backs->used);
            return back;
        }
        free_back(back);
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
        set_state(back, WAITING, &backs->waiting);
        backs_ask(backs);
        return back;
    }
    if (connect_socket(back, backs->stock[--backs->stock_count], why) < 0) {
        free_back(back);
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
    if (back->state != OPEN || backs->kept_count >= BACK_KEEP_MAX) {
        free_back(back);
        return;
    }
    back_watch(back, EPOLLIN);
    back->was_kept = true;
    back->callback = NULL;
    backs->kept_count++;
    set_state(back, KEPT, &backs->kept);
}

/* --- the zone ----------------------------------------------------------------------------------------------------- */

void backs_init(struct backs *backs, struct role *role, enum colour zone)
{
    *backs = (struct backs){.role = role, .zone = zone};
    list_init(&backs->waiting);
    list_init(&backs->used);
    list_init(&backs->kept);
}

static void drop_stock(struct backs *backs)
{
    struct back *back;
    while (backs->stock_count > 0)
        close(backs->stock[--backs->stock_count]);
    backs->asked = 0;
    list_for_each(back, &backs->kept, link) free_back(back);
}

void backs_clear(struct backs *backs)
{
    struct back *back;
    drop_stock(backs);
    list_for_each(back, &backs->waiting, link) free_back(back);
    list_for_each(back, &backs->used, link) free_back(back);
}

void backs_zone(struct backs *backs, const struct feed_zone *zone)
{
    bool anew = zone->serial != backs->serial;
    struct back *back;
    backs->there = zone->there;
    backs->frozen = zone->frozen;
    backs->serial = zone->serial;
    backs->service4 = zone->service4;
    backs->service6 = zone->service6;
    if (anew || !zone->there)
        drop_stock(backs);
    if (anew) { /* whoever uses one hears of it from the loop, as if the app had closed it */
        list_for_each(back, &backs->used, link) shutdown(back->fd, SHUT_RDWR);
    }
    backs_ask(backs);
}

static void fail_late(struct list *list, uint64_t now_ms, const char *why)
{
    struct back *back;
    list_for_each(back, list, link)
    {
        bool pending = back->state == WAITING || back->state == CONNECTING;
        if (pending && now_ms - back->since_ms >= BACK_CONNECT_MS)
            fail(back, why);
    }
}

void backs_sweep(struct backs *backs, uint64_t now_ms)
{
    struct back *back;
    list_for_each(back, &backs->kept, link)
    {
        if (now_ms - back->since_ms >= BACK_KEEP_MS)
            free_back(back);
    }
    fail_late(&backs->waiting, now_ms, "no socket for it in time");
    fail_late(&backs->used, now_ms, "no connection in time");
    backs_ask(backs);
}
