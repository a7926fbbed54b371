/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load for tests/bench/feed.sh: one thread, kept connections, and an app that answers with the X-Ask field it was
 * sent, so that an answer that belongs to another request, or to none, is told from the right one. Apart from wrk,
 * which looks at the status only, and cannot ask at a rate: at a rate, what takes long counts from when it was due.
 *
 *   asker [--get] [--rate N] [--body N] [--connections N] [--seconds N] HOST:PORT
 *
 * stdout: one JSON object. Exits 1 if a request failed, or none was made. Each request has X-Lane: the connection's
 * number.
 */
#include "histogram.h"
#include "target.h"

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/epoll.h>

enum { CONNECTIONS_MAX = 256, ANSWER_MAX = 4096, BODY_MAX = 65536, PATIENCE_S = 10 };

struct connection {
    int fd;
    bool asked;
    uint64_t number, since_ns, due_ns;
    size_t used;
    char answer[ANSWER_MAX + 1];
};

static struct {
    struct target target;
    bool get;
    unsigned rate, count, seconds;
    size_t body;
    uint64_t end_ns, requests, failed;
    char why[160]; /* the first failure */
    int epoll;
    struct histogram took_us;
    struct connection connections[CONNECTIONS_MAX];
    char request[BODY_MAX + 512];
} load = {.count = 16, .seconds = 1, .body = 100};

static unsigned index_of(const struct connection *connection)
{
    return (unsigned)(connection - load.connections);
}

/* --- one connection ----------------------------------------------------------------------------------------------- */

static void open_connection(struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->fd = target_connect(&load.target, NULL, SOCK_STREAM, PATIENCE_S);
    if (connection->fd < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        err(1, "connect to %s", load.target.host);
    connection->used = 0;
    connection->asked = false;
}

/* A new connection, or at a rate of failures nothing else would be seen. */
static void fail(struct connection *connection, const char *why)
{
    load.failed++;
    if (load.why[0] == '\0')
        snprintf(load.why, sizeof load.why, "%s, after %" PRIu64 " requests", why, load.requests);
    close(connection->fd);
    if (load.failed > 1000)
        errx(1, "gave up after 1000 failures; the first: %s", load.why);
    open_connection(connection);
}

/* The body is made once, behind the longest head. */
static void ask(struct connection *connection, uint64_t since_ns)
{
    char head[400];
    connection->number++;
    connection->since_ns = since_ns;
    connection->asked = true;
    int length = snprintf(head, sizeof head, "%s /ask HTTP/1.1\r\nHost: %s\r\nX-Ask: %u.%" PRIu64 "\r\nX-Lane: %u\r\n",
                          load.get ? "GET" : "POST", load.target.host, index_of(connection), connection->number,
                          index_of(connection));
    if (!load.get)
        length += snprintf(head + length, sizeof head - (size_t)length,
                           "Content-Type: text/plain\r\nContent-Length: %zu\r\n", load.body);
    length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
    size_t whole = (size_t)length + (load.get ? 0 : load.body);
    char *at = load.request + sizeof head - length;
    memcpy(at, head, (size_t)length);
    if (send(connection->fd, at, whole, MSG_NOSIGNAL) != (ssize_t)whole)
        fail(connection, strerror(errno));
}

/* 1: right; 0: not whole yet; -1: wrong. */
static int look(const struct connection *connection)
{
    char wanted[64];
    const char *body = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    size_t wanted_length =
        (size_t)snprintf(wanted, sizeof wanted, "%u.%" PRIu64 "\n", index_of(connection), connection->number);
    if (!body)
        return connection->used == ANSWER_MAX ? -1 : 0;
    size_t have = connection->used - (size_t)(body + 4 - connection->answer);
    if (strncmp(connection->answer, "HTTP/1.1 200 ", 13) != 0 || !length || length > body ||
        strtoul(length + 17, NULL, 10) != wanted_length || have > wanted_length)
        return -1;
    return have < wanted_length ? 0 : memcmp(body + 4, wanted, wanted_length) == 0 ? 1 : -1;
}

static void on_readable(struct connection *connection, uint64_t now_ns)
{
    ssize_t got = recv(connection->fd, connection->answer + connection->used, ANSWER_MAX - connection->used, 0);
    if (got <= 0 || !connection->asked) {
        fail(connection, got > 0 ? "an answer that nobody asked for" : got == 0 ? "closed" : strerror(errno));
        return;
    }
    connection->used += (size_t)got;
    connection->answer[connection->used] = '\0';
    int result = look(connection);
    if (result < 0) {
        connection->answer[100] = '\0';
        fail(connection, connection->answer);
    } else if (result == 1) {
        load.requests++;
        histogram_add(&load.took_us, (now_ns - connection->since_ns) / 1000);
        connection->used = 0;
        connection->asked = false;
    }
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* Who may ask, asks; returns the time at which the next one is due, or the end. */
static uint64_t ask_due(uint64_t now_ns)
{
    uint64_t next_ns = load.end_ns, every_ns = load.rate ? (uint64_t)load.count * 1000000000u / load.rate : 0;
    for (unsigned i = 0; i < load.count; i++) {
        struct connection *connection = &load.connections[i];
        if (connection->asked)
            continue;
        if (load.rate == 0) {
            ask(connection, now_ns);
        } else if (connection->due_ns <= now_ns) {
            ask(connection, connection->due_ns);
            connection->due_ns += every_ns;
        } else if (connection->due_ns < next_ns) {
            next_ns = connection->due_ns;
        }
    }
    return next_ns;
}

static bool some_asked(void)
{
    for (unsigned i = 0; i < load.count; i++) {
        if (load.connections[i].asked)
            return true;
    }
    return false;
}

static void wait_until(uint64_t at_ns)
{
    struct epoll_event events[64];
    uint64_t now_ns_ = now_ns(), left = at_ns > now_ns_ ? at_ns - now_ns_ : 0;
    struct timespec limit = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    int count = epoll_pwait2(load.epoll, events, 64, &limit, NULL);
    uint64_t then = now_ns();
    for (int i = 0; i < count; i++)
        on_readable(events[i].data.ptr, then);
}

/* What is under way at the end is waited for: that it never comes is a failure. */
static void run(void)
{
    uint64_t begin = now_ns(), now;
    load.end_ns = begin + load.seconds * UINT64_C(1000000000);
    for (unsigned i = 0; i < load.count; i++) /* at a rate, one after the other */
        load.connections[i].due_ns = begin + (load.rate ? (uint64_t)i * 1000000000u / load.rate : 0);
    while ((now = now_ns()) < load.end_ns)
        wait_until(ask_due(now));
    while (some_asked() && now_ns() < load.end_ns + PATIENCE_S * UINT64_C(1000000000))
        wait_until(now_ns() + 100000000u);
    for (unsigned i = 0; i < load.count; i++) {
        if (load.connections[i].asked)
            fail(&load.connections[i], "no answer");
    }
    printf("{\"requests\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"why\":\"%.*s\",\"per_second\":%.0f,\"p50_us\":%" PRIu64
           ",\"p99_us\":%" PRIu64 ",\"max_us\":%" PRIu64 "}\n",
           load.requests, load.failed, (int)strcspn(load.why, "\r\n\"\\"), load.why,
           (double)load.requests * 1e9 / (double)(now - begin), histogram_at(&load.took_us, 500),
           histogram_at(&load.took_us, 990), load.took_us.max);
}

static unsigned number(const char *text, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value == 0 || value > most)
        errx(2, "%s is no number from 1 to %u", text, most);
    return (unsigned)value;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"get", no_argument, NULL, 'g'},           {"rate", required_argument, NULL, 'r'},
        {"body", required_argument, NULL, 'b'},    {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'g': load.get = true; break;
        case 'r': load.rate = number(optarg, 1000000); break;
        case 'b': load.body = number(optarg, BODY_MAX); break;
        case 'c': load.count = number(optarg, CONNECTIONS_MAX); break;
        case 's': load.seconds = number(optarg, 3600); break;
        default: return 2;
        }
    }
    if (optind + 1 != argc || !target_parse(&load.target, argv[optind]))
        errx(2, "asker [--get] [--rate N] [--body N] [--connections N] [--seconds N] HOST:PORT");
    memset(load.request, 'b', sizeof load.request);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < load.count; i++)
        open_connection(&load.connections[i]);
    run();
    return load.failed > 0 || load.requests == 0;
}
