/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small real web app, for the demo and the tests: HTTP/1.1 with keep-alive and pipelining, and a
 * UDP echo, in one thread around epoll. Every answer names the release and the zone that gave it,
 * and follows from the request alone, so that a client can verify each byte. It can also misbehave
 * on request.
 *
 *   GET /                   a page naming release and zone
 *   GET /healthz            200 "ok RELEASE", or 503 once --unhealthy-after has passed
 *   GET /bytes/SEED/N       N bytes of the stream that SEED gives (stream.h)
 *   GET /slow/SEED/N/MS     the same, spread over MS milliseconds
 *   GET /peer               the client's address and port as the app sees them
 *   GET /env                the BLUEGREEN_* environment
 *   POST /echo              the request's body
 *   GET /crash              abort()
 */
#include "http_request.h"
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK     65536u
#define TICK_MS   10
#define LINGER_MS 500   /* how long to read on after our FIN, so that late data is not answered by RST */
#define STOP_MS   30000 /* how long requests in progress may take once we were told to stop */

struct conn {
    struct conn *prev, *next;
    int fd;
    uint32_t events; /* what epoll waits for; 0 when lingering, then epoll does not know it */
    char *in;
    size_t in_len, in_cap;
    char *out;
    size_t out_len, out_sent, out_cap;
    bool responding, close_after, eof;
    struct stream stream; /* the generated body */
    uint64_t body_total, body_made;
    uint64_t slow_ms, slow_start; /* spread over slow_ms; 0 is at once */
    uint64_t linger_until;        /* 0: not lingering */
};

static struct {
    int epoll, listener, udp, signals;
    struct conn *conns;
    unsigned timed; /* connections that need the tick: trickling or lingering */
    const char *release, *zone;
    const char *listen;
    unsigned port, udp_port;
    uint64_t start_delay_ms, unhealthy_after_ms, exit_after_ms, rude_ms;
    bool fail_start;
    uint64_t started, stopping; /* 0: not stopping, else since when */
} app = {.epoll = -1, .listener = -1, .udp = -1, .signals = -1};

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
    fprintf(stderr, "web: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- answers --------------------------------------------------------------------------------- */

static void out_reserve(struct conn *c, size_t more)
{
    if (c->out_len + more <= c->out_cap)
        return;
    c->out_cap = c->out_len + more + CHUNK;
    c->out = realloc(c->out, c->out_cap);
    if (!c->out)
        die("memory for an answer");
}

static void out_add(struct conn *c, const void *data, size_t len)
{
    out_reserve(c, len);
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Bad Request";
    }
}

static void answer_head(struct conn *c, int status, const char *type, uint64_t length)
{
    char head[1024];
    int n;

    if (app.stopping)
        c->close_after = true;
    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 %d %s\r\nServer: bluegreen-demo\r\nX-Release: %s\r\nX-Zone: %s\r\n"
                 "Content-Type: %s\r\nContent-Length: %" PRIu64 "\r\n%s%s\r\n",
                 status, reason_of(status), app.release, app.zone, type, length,
                 status == 405 ? "Allow: GET, HEAD\r\n" : "",
                 c->close_after ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
    out_add(c, head, (size_t)n);
    c->responding = true;
}

static void answer(struct conn *c, bool head_only, int status, const char *body, size_t len)
{
    answer_head(c, status, "text/plain; charset=utf-8", len);
    if (!head_only)
        out_add(c, body, len);
}

__attribute__((format(printf, 4, 5))) static void answer_text(struct conn *c, bool head_only, int status,
                                                              const char *format, ...)
{
    char body[4096];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(body, sizeof(body), format, args);
    va_end(args);
    answer(c, head_only, status, body, n < (int)sizeof(body) ? (size_t)n : sizeof(body) - 1);
}

/* Refuses what is not a request. Where the next one would begin is unknown: the connection ends. */
static void refuse(struct conn *c, int status)
{
    c->close_after = true;
    c->in_len = 0;
    answer_text(c, false, status, "%d %s\n", status, reason_of(status));
}

static void answer_page(struct conn *c, bool head_only)
{
    char body[1024];
    int n = snprintf(body, sizeof(body),
                     "<!doctype html>\n<title>%s</title>\n<h1>Hello from release %s</h1>\n"
                     "<p>This answer was given in zone %s.</p>\n",
                     app.release, app.release, app.zone);

    answer_head(c, 200, "text/html; charset=utf-8", (uint64_t)n);
    if (!head_only)
        out_add(c, body, (size_t)n);
}

static void answer_stream(struct conn *c, bool head_only, uint64_t seed, uint64_t n, uint64_t ms)
{
    answer_head(c, 200, "application/octet-stream", n);
    if (head_only || n == 0)
        return;
    c->stream = stream_start(seed);
    c->body_total = n;
    c->body_made = 0;
    c->slow_ms = ms;
    c->slow_start = now_ms();
    if (ms)
        app.timed++;
}

static void answer_peer(struct conn *c, bool head_only)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    char text[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;

    if (getpeername(c->fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&ss;

        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        port = ntohs(in->sin_port);
    } else if (ss.ss_family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        port = ntohs(in6->sin6_port);
    }
    answer_text(c, head_only, 200, "%s %u\n", strncmp(text, "::ffff:", 7) ? text : text + 7, port);
}

static void answer_env(struct conn *c, bool head_only)
{
    char body[4096];
    size_t len = 0;

    for (char **e = environ; *e; e++) {
        size_t n = strlen(*e);

        if (strncmp(*e, "BLUEGREEN_", 10) != 0 || len + n + 1 > sizeof(body))
            continue;
        memcpy(body + len, *e, n);
        body[len + n] = '\n';
        len += n + 1;
    }
    answer(c, head_only, 200, body, len);
}

/* Reads "/12/34" into numbers; true if there are exactly `count`. */
static bool path_numbers(const char *s, uint64_t *to, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char *end;

        if (*s != '/' || s[1] < '0' || s[1] > '9')
            return false;
        errno = 0;
        to[i] = strtoull(s + 1, &end, 10);
        if (errno)
            return false;
        s = end;
    }
    return *s == '\0';
}

static void answer_health(struct conn *c, bool head_only)
{
    if (app.unhealthy_after_ms && now_ms() - app.started >= app.unhealthy_after_ms)
        answer_text(c, head_only, 503, "not well %s\n", app.release);
    else
        answer_text(c, head_only, 200, "ok %s\n", app.release);
}

static void answer_get(struct conn *c, const char *path, bool head_only)
{
    uint64_t n[3];

    if (strcmp(path, "/") == 0)
        answer_page(c, head_only);
    else if (strcmp(path, "/healthz") == 0)
        answer_health(c, head_only);
    else if (strncmp(path, "/bytes", 6) == 0 && path_numbers(path + 6, n, 2))
        answer_stream(c, head_only, n[0], n[1], 0);
    else if (strncmp(path, "/slow", 5) == 0 && path_numbers(path + 5, n, 3))
        answer_stream(c, head_only, n[0], n[1], n[2]);
    else if (strcmp(path, "/peer") == 0)
        answer_peer(c, head_only);
    else if (strcmp(path, "/env") == 0)
        answer_env(c, head_only);
    else if (strcmp(path, "/crash") == 0)
        abort();
    else
        answer_text(c, head_only, 404, "no such page\n");
}

/* --- connections ----------------------------------------------------------------------------- */

static void conn_watch(struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};

    if (events == c->events)
        return;
    c->events = events;
    if (epoll_ctl(app.epoll, EPOLL_CTL_MOD, c->fd, &ev) < 0)
        die("epoll_ctl");
}

static void conn_free(struct conn *c)
{
    if (c->linger_until || (c->slow_ms && c->body_made < c->body_total))
        app.timed--;
    if (c->prev)
        c->prev->next = c->next;
    else
        app.conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

/*
 * Ends a connection the way RFC 9112 section 9.6 asks: our FIN first, then read on for a while.
 * Closing with unread data in the socket would send RST, and the client could lose the answer that
 * it has not read yet.
 */
static void conn_linger(struct conn *c)
{
    shutdown(c->fd, SHUT_WR);
    epoll_ctl(app.epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->events = 0;
    c->linger_until = now_ms() + LINGER_MS;
    app.timed++;
}

/* true when the connection is gone */
static bool conn_linger_step(struct conn *c, uint64_t now)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    char drop[4096];

    while (recv(c->fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
        ;
    if (now < c->linger_until && getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        (info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2))
        return false;
    conn_free(c);
    return true;
}

/* Takes the next complete request from the buffer and answers it; false when there is none. */
static bool conn_next_request(struct conn *c)
{
    struct http_request req;
    bool head_only;
    size_t total;
    int r;

    /* An empty line before a request is to be ignored, RFC 9112 section 2.2. */
    if (c->in_len >= 2 && memcmp(c->in, "\r\n", 2) == 0) {
        c->in_len -= 2;
        memmove(c->in, c->in + 2, c->in_len);
    }
    if (c->in_len == 0)
        return false;
    r = http_request_parse(c->in, c->in_len, &req);
    if (r < 0)
        refuse(c, -r);
    if (r <= 0)
        return r < 0;
    total = req.head_len + req.body_len;
    if (c->in_len < total) {
        if (req.expects_continue && c->in_len == req.head_len)
            send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_DONTWAIT | MSG_NOSIGNAL);
        return false;
    }
    c->close_after = !req.keep_alive;
    head_only = strcmp(req.method, "HEAD") == 0;
    if (strcmp(req.method, "POST") == 0 && strcmp(req.path, "/echo") == 0)
        answer(c, false, 200, c->in + req.head_len, req.body_len);
    else if (head_only || strcmp(req.method, "GET") == 0)
        answer_get(c, req.path, head_only);
    else
        answer_text(c, false, 405, "%s is not for %s\n", req.method, req.path);
    c->in_len -= total;
    memmove(c->in, c->in + total, c->in_len);
    return true;
}

/* Makes the next piece of a generated body; false when it must wait for the tick. */
static bool conn_make_body(struct conn *c)
{
    uint64_t due = c->body_total, n;

    if (c->slow_ms) {
        uint64_t passed = now_ms() - c->slow_start;

        if (passed < c->slow_ms)
            due = c->body_total * passed / c->slow_ms;
    }
    n = due - c->body_made;
    if (n > CHUNK)
        n = CHUNK;
    if (n == 0)
        return false;
    out_reserve(c, n);
    stream_fill(&c->stream, (unsigned char *)c->out + c->out_len, n);
    c->out_len += n;
    c->body_made += n;
    if (c->slow_ms && c->body_made == c->body_total)
        app.timed--;
    return true;
}

/* Sends what is there: 1 all sent, 0 the socket is full, -1 the connection is broken. */
static int conn_flush(struct conn *c)
{
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->out_sent += (size_t)n;
    }
    c->out_len = c->out_sent = 0;
    return 1;
}

/* Goes on as far as it can without waiting. The connection may be gone afterwards. */
static void conn_run(struct conn *c)
{
    for (;;) {
        int sent;

        if (c->body_made < c->body_total && c->out_len == 0)
            conn_make_body(c);
        sent = conn_flush(c);
        if (sent < 0)
            return conn_free(c);
        if (sent == 0)
            return conn_watch(c, EPOLLOUT);
        if (c->body_made < c->body_total) {
            if (c->slow_ms)
                return conn_watch(c, 0); /* the tick comes back to it */
            continue;
        }
        if (c->responding) {
            c->responding = false;
            c->body_total = c->body_made = c->slow_ms = 0;
            if (c->close_after)
                return conn_linger(c);
        }
        if (conn_next_request(c))
            continue;
        if (c->eof && app.rude_ms) { /* as careless servers do, and late: what came meanwhile is never read */
            usleep((useconds_t)app.rude_ms * 1000);
            return conn_free(c);
        }
        if (c->eof || (app.stopping && c->in_len == 0))
            return conn_linger(c);
        return conn_watch(c, EPOLLIN);
    }
}

static void conn_readable(struct conn *c)
{
    for (;;) {
        size_t max = HTTP_HEAD_MAX + HTTP_BODY_MAX + 4;
        ssize_t n;

        if (c->in_cap - c->in_len < 4096 && c->in_cap < max) {
            c->in_cap = c->in_cap ? c->in_cap * 4 : 8192;
            c->in = realloc(c->in, c->in_cap);
            if (!c->in)
                die("memory for a request");
        }
        if (c->in_len == c->in_cap)
            break; /* a client that pipelines this much waits for its answers first */
        n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);
        if (n > 0) {
            c->in_len += (size_t)n;
            continue;
        }
        if (n == 0)
            c->eof = true;
        else if (errno == EINTR)
            continue;
        else if (errno != EAGAIN)
            return conn_free(c);
        break;
    }
    conn_run(c);
}

static void accept_all(void)
{
    int fd;

    while ((fd = accept4(app.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

        if (!c)
            die("memory for a connection");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        c->events = EPOLLIN;
        c->next = app.conns;
        if (c->next)
            c->next->prev = c;
        app.conns = c;
        if (epoll_ctl(app.epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
            die("epoll_ctl");
    }
}

static void udp_echo(void)
{
    char buf[65536], tag[256];
    struct sockaddr_storage peer;
    int tag_len = snprintf(tag, sizeof(tag), "%s %s\n", app.release, app.zone);

    for (;;) {
        socklen_t len = sizeof(peer);
        ssize_t n = recvfrom(app.udp, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&peer, &len);
        struct iovec iov[2] = {{tag, (size_t)tag_len}, {buf, n > 0 ? (size_t)n : 0}};
        struct msghdr msg = {&peer, len, iov, 2, NULL, 0, 0};

        if (n < 0)
            return;
        sendmsg(app.udp, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

/* Accepts what is queued, stops listening, ends idle connections; others end after their answer. */
static void begin_stop(void)
{
    struct conn *next;

    if (app.stopping)
        return;
    app.stopping = now_ms();
    accept_all();
    close(app.listener);
    for (struct conn *c = app.conns; c; c = next) {
        next = c->next;
        if (!c->linger_until && c->events == EPOLLIN)
            conn_readable(c);
    }
}

static void tick(void)
{
    uint64_t now = now_ms();
    struct conn *next;

    for (struct conn *c = app.conns; c; c = next) {
        next = c->next;
        if (c->linger_until)
            conn_linger_step(c, now);
        else if (c->body_made < c->body_total && c->slow_ms)
            conn_run(c);
    }
}

static int open_socket(unsigned port, int type)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool v4 = app.listen && inet_pton(AF_INET, app.listen, &any4.sin_addr) == 1;
    int fd = -1;

    if (app.listen && !v4 && inet_pton(AF_INET6, app.listen, &any6.sin6_addr) != 1) {
        errno = EINVAL;
        die(app.listen);
    }
    if (!v4)
        fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) { /* asked for, or a kernel without IPv6 */
        v4 = true;
        fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (!v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if ((v4 ? bind(fd, (struct sockaddr *)&any4, sizeof(any4)) : bind(fd, (struct sockaddr *)&any6, sizeof(any6))) < 0)
        die("bind");
    if (type == SOCK_STREAM && listen(fd, 4096) < 0)
        die("listen");
    return fd;
}

/* The pointer in an epoll event is a connection, or the address of one of our own descriptors. */
static void watch(int *fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};

    if (epoll_ctl(app.epoll, EPOLL_CTL_ADD, *fd, &ev) < 0)
        die("epoll_ctl");
}

/* What we were given to listen on, as sd_listen_fds(3) has it; the second one is for UDP. -1: nothing. */
static int given_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) < 1)
        return -1;
    fcntl(3, F_SETFL, O_NONBLOCK);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    if (strtol(count, NULL, 10) > 1 && app.udp_port) {
        fcntl(4, F_SETFL, O_NONBLOCK);
        fcntl(4, F_SETFD, FD_CLOEXEC);
        app.udp = 4;
    }
    return 3;
}

static void start(void)
{
    struct rlimit files;
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    app.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    app.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (app.signals < 0 || app.epoll < 0)
        die("start");
    app.listener = given_socket();
    if (app.listener < 0)
        app.listener = open_socket(app.port, SOCK_STREAM);
    watch(&app.signals);
    watch(&app.listener);
    if (app.udp_port) {
        if (app.udp < 0)
            app.udp = open_socket(app.udp_port, SOCK_DGRAM);
        watch(&app.udp);
    }
    app.started = now_ms();
}

/* The time until something is due without an event, for epoll. */
static int wait_ms(void)
{
    uint64_t passed = now_ms() - app.started;

    if (app.timed > 0 || app.stopping)
        return TICK_MS;
    if (!app.exit_after_ms)
        return -1;
    return passed < app.exit_after_ms ? (int)(app.exit_after_ms - passed) + 1 : 0;
}

static void dispatch(const struct epoll_event *ev)
{
    if (ev->data.ptr == &app.signals) {
        struct signalfd_siginfo info;

        while (read(app.signals, &info, sizeof(info)) > 0)
            ;
        begin_stop();
    } else if (ev->data.ptr == &app.listener) {
        if (!app.stopping)
            accept_all();
    } else if (ev->data.ptr == &app.udp) {
        udp_echo();
    } else {
        struct conn *c = ev->data.ptr;

        if (c->events == EPOLLIN)
            conn_readable(c);
        else if (ev->events & EPOLLERR)
            conn_free(c);
        else if (c->events == EPOLLOUT)
            conn_run(c);
        else if (ev->events & EPOLLHUP)
            conn_free(c);
    }
}

/* One event a turn: handling one may free the connection that a later one of that turn names. */
static int serve(void)
{
    for (;;) {
        struct epoll_event ev;
        int n = epoll_wait(app.epoll, &ev, 1, wait_ms());
        static uint64_t last_tick;
        uint64_t now;

        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        if (n > 0)
            dispatch(&ev);
        now = now_ms();
        if (app.timed > 0 && now - last_tick >= TICK_MS) {
            last_tick = now;
            tick();
        }
        if (app.exit_after_ms && now - app.started >= app.exit_after_ms)
            return 3;
        if (app.stopping && (!app.conns || now - app.stopping > STOP_MS))
            return 0;
    }
}

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno || *end || end == text || n > max) {
        fprintf(stderr, "web: not a number from 0 to %" PRIu64 ": %s\n", max, text);
        exit(2);
    }
    return n;
}

static void parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},
        {"udp", 1, NULL, 'u'},
        {"listen", 1, NULL, 'l'},
        {"rude-close", 1, NULL, 'R'},
        {"start-delay", 1, NULL, 'd'},
        {"exit-after", 1, NULL, 'x'},
        {"unhealthy-after", 1, NULL, 'h'},
        {"fail-start", 0, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'p': app.port = (unsigned)number(optarg, 65535); break;
        case 'u': app.udp_port = (unsigned)number(optarg, 65535); break;
        case 'l': app.listen = optarg; break;
        case 'R': app.rude_ms = number(optarg, 10000); break;
        case 'd': app.start_delay_ms = number(optarg, 3600000); break;
        case 'x': app.exit_after_ms = number(optarg, 3600) * 1000; break;
        case 'h': app.unhealthy_after_ms = number(optarg, 3600) * 1000; break;
        case 'f': app.fail_start = true; break;
        default:
            app.port = 0;
            optind = argc;
            break;
        }
    }
    if (app.port == 0 || optind < argc) {
        fprintf(stderr, "usage: web --port P [--udp P] [--listen ADDR] [--start-delay MS] "
                        "[--unhealthy-after S] [--exit-after S] [--fail-start] [--rude-close MS]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    parse_arguments(argc, argv);
    app.release = getenv("BLUEGREEN_RELEASE");
    app.zone = getenv("BLUEGREEN_ZONE");
    if (!app.release)
        app.release = "unknown";
    if (!app.zone)
        app.zone = "none";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (app.fail_start) {
        fprintf(stderr, "web: release %s does not start, as it was told\n", app.release);
        return 1;
    }
    if (app.start_delay_ms)
        usleep((useconds_t)app.start_delay_ms * 1000);
    start();
    printf("web: release %s in zone %s serves port %u\n", app.release, app.zone, app.port);
    return serve();
}
