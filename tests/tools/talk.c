/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long connections on which both sides talk whenever they like, as over a websocket: each sends
 * pieces of a stream of its own and checks every byte of the other's. Apart from load.c because
 * there are no requests here: what counts is that a connection lives, in both directions, to the
 * end that the client chooses.
 *
 *   talk serve PORT                                  the server; its name is $BLUEGREEN_RELEASE
 *   talk [--connections N] [--pieces PER_SECOND] [--duration SECONDS] ADDRESS:PORT...
 *
 * The client ends at SIGTERM too. It prints one JSON object, and exits 1 when a connection failed:
 * was not made, was ended by the other side, was silent for 10 s, brought a wrong byte, or had
 * another number of bytes than were sent. A server that got something wrong resets the connection.
 *
 * On the wire: a piece is its length in two bytes and so many bytes; the server's first one is its
 * name. Length 0 is the end, followed by the sum of the lengths before it in eight bytes.
 */
#include "../../demo/stream.h"
#include "target.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#define PIECE_MAX   1200u
#define SILENCE_S   10
#define CONNECTIONS 256u

struct talk {
    pthread_t thread;
    const struct target *target; /* NULL: we are the server */
    int fd;
    uint64_t number, sent, received, heard_ns;
    struct stream mine, theirs, sizes;
    bool end_sent, end_seen;
    char name[65]; /* of the server */
    char failure[128];
    size_t have;
    unsigned char buffer[65536];
};

static struct {
    struct target targets[8];
    unsigned target_count, connections;
    double pieces, duration_s;
    const char *name;
    bool stop;
} talk = {.connections = 4, .pieces = 100, .duration_s = 600};

static void on_signal(int number)
{
    (void)number;
    __atomic_store_n(&talk.stop, true, __ATOMIC_RELAXED);
}

static bool failed(struct talk *t, const char *what)
{
    snprintf(t->failure, sizeof(t->failure), "%s", what);
    return false;
}

static bool send_all(struct talk *t, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(t, errno == EAGAIN ? "sending: no progress" : strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_piece(struct talk *t)
{
    unsigned char piece[2 + PIECE_MAX];
    unsigned len = 1 + (unsigned)(stream_word(&t->sizes) >> 32) % PIECE_MAX;

    piece[0] = (unsigned char)(len >> 8);
    piece[1] = (unsigned char)len;
    stream_fill(&t->mine, piece + 2, len);
    t->sent += len;
    return send_all(t, piece, 2 + len);
}

static bool send_end(struct talk *t)
{
    unsigned char end[10] = {0};

    for (unsigned i = 0; i < 8; i++)
        end[2 + i] = (unsigned char)(t->sent >> (56 - 8 * i));
    t->end_sent = true;
    return send_all(t, end, sizeof(end));
}

static bool on_end(struct talk *t, const unsigned char *sum)
{
    uint64_t said = 0;

    for (unsigned i = 0; i < 8; i++)
        said = said << 8 | sum[i];
    t->end_seen = true;
    return said == t->received || failed(t, "bytes were lost or doubled");
}

/* A piece as it came: the server's name, or the next of the other side's stream. */
static bool on_piece(struct talk *t, const unsigned char *data, size_t len)
{
    if (t->target && !t->name[0]) {
        if (len >= sizeof(t->name))
            return failed(t, "no name of the server");
        memcpy(t->name, data, len);
        return true;
    }
    t->received += len;
    return stream_matches(&t->theirs, data, len) == len || failed(t, "wrong bytes");
}

/* Takes every whole piece out of the buffer. */
static bool take_pieces(struct talk *t)
{
    size_t at = 0, len;

    while (!t->end_seen && t->have - at >= 2) {
        len = (size_t)t->buffer[at] << 8 | t->buffer[at + 1];
        if (t->have - at < 2 + (len ? len : 8))
            break;
        if (!(len ? on_piece(t, t->buffer + at + 2, len) : on_end(t, t->buffer + at + 2)))
            return false;
        at += 2 + (len ? len : 8);
    }
    t->have -= at;
    memmove(t->buffer, t->buffer + at, t->have);
    return t->have <= 2 + PIECE_MAX || failed(t, "a piece that is too long");
}

static bool receive(struct talk *t)
{
    ssize_t n = recv(t->fd, t->buffer + t->have, sizeof(t->buffer) - t->have, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR || failed(t, strerror(errno));
    if (n == 0)
        return failed(t, "closed by the other side");
    t->have += (size_t)n;
    t->heard_ns = now_ns();
    return take_pieces(t);
}

/* Whether it is our turn to say that we have done: the client's when it stops, the server's after that. */
static bool end_is_due(const struct talk *t)
{
    return !t->end_sent && (t->target ? __atomic_load_n(&talk.stop, __ATOMIC_RELAXED) : t->end_seen);
}

static bool converse(struct talk *t)
{
    uint64_t due = now_ns(), step = (uint64_t)(1e9 / talk.pieces), now;

    t->heard_ns = due;
    while (!t->end_sent || !t->end_seen) {
        struct pollfd p = {.fd = t->fd, .events = POLLIN};

        if (poll(&p, 1, 5) > 0 && !receive(t))
            return false;
        now = now_ns();
        if (now - t->heard_ns > SILENCE_S * 1000000000ull)
            return failed(t, "silent for 10 s");
        if (end_is_due(t) && !send_end(t))
            return false;
        if (now < due || t->end_sent)
            continue;
        due = due + step > now ? due + step : now + step; /* late: no burst to catch up */
        if (!send_piece(t))
            return false;
    }
    return true;
}

/* --- the server ------------------------------------------------------------------------------ */

static void *serve_one(void *arg)
{
    struct talk *t = arg;
    unsigned char hello[2 + 64];
    size_t len = strlen(talk.name);

    hello[0] = 0;
    hello[1] = (unsigned char)len;
    memcpy(hello + 2, talk.name, len);
    /* A close with a reset is what tells the client. */
    if (!send_all(t, hello, 2 + len) || !converse(t))
        setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(t->fd);
    free(t);
    return NULL;
}

static void streams(struct talk *t, uint64_t mine, uint64_t theirs)
{
    t->mine = stream_start(mine);
    t->theirs = stream_start(theirs);
    t->sizes = stream_start(now_ns() ^ t->number << 48);
}

static int serve(const char *port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    talk.name = getenv("BLUEGREEN_RELEASE");
    if (!talk.name || !talk.name[0] || strlen(talk.name) > 64)
        talk.name = "unknown";
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 128) < 0) {
        perror("talk: listen");
        return 1;
    }
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR || errno == ECONNABORTED) {
        struct talk *t = fd >= 0 ? calloc(1, sizeof(*t)) : NULL;

        if (!t)
            continue;
        t->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        streams(t, 1, 2);
        if (pthread_create(&t->thread, NULL, serve_one, t) == 0)
            pthread_detach(t->thread);
    }
    perror("talk: accept");
    return 1;
}

/* --- the client ------------------------------------------------------------------------------ */

static void *speak(void *arg)
{
    struct talk *t = arg;

    t->fd = target_connect(t->target, NULL, SOCK_STREAM, SILENCE_S);
    if (t->fd < 0) {
        failed(t, strerror(errno));
        return NULL;
    }
    streams(t, 2, 1);
    converse(t);
    close(t->fd);
    return NULL;
}

static int report(const struct talk *all)
{
    uint64_t sent = 0, received = 0;
    unsigned failures = 0;

    for (unsigned i = 0; i < talk.connections; i++) {
        sent += all[i].sent;
        received += all[i].received;
        failures += all[i].failure[0] != '\0';
    }
    printf("{\"connections\":%u,\"failed\":%u,\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"served_by\":[",
           talk.connections, failures, sent, received);
    for (unsigned i = 0; i < talk.connections; i++)
        printf("%s\"%s\"", i ? "," : "", all[i].name);
    printf("],\"samples\":[");
    for (unsigned i = 0, n = 0; i < talk.connections; i++) {
        if (all[i].failure[0])
            printf("%s\"%s, of %s after %" PRIu64 " bytes\"", n++ ? "," : "", all[i].failure, all[i].target->host,
                   all[i].received);
    }
    printf("]}\n");
    return fflush(stdout) == 0 && failures == 0 ? 0 : 1;
}

static int client(void)
{
    struct talk *all = calloc(talk.connections, sizeof(*all));
    uint64_t until = now_ns() + (uint64_t)(talk.duration_s * 1e9);

    if (!all)
        return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    for (unsigned i = 0; i < talk.connections; i++) {
        all[i].number = i;
        all[i].target = &talk.targets[i % talk.target_count];
        if (pthread_create(&all[i].thread, NULL, speak, &all[i]) != 0)
            return 1;
    }
    while (!__atomic_load_n(&talk.stop, __ATOMIC_RELAXED) && now_ns() < until)
        usleep(10000);
    on_signal(0);
    for (unsigned i = 0; i < talk.connections; i++)
        pthread_join(all[i].thread, NULL);
    return report(all);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"connections", 1, NULL, 'c'}, {"pieces", 1, NULL, 'p'}, {"duration", 1, NULL, 'd'}, {NULL, 0, NULL, 0}};
    int opt;

    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2]);
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'c': talk.connections = (unsigned)atoi(optarg); break;
        case 'p': talk.pieces = atof(optarg); break;
        case 'd': talk.duration_s = atof(optarg); break;
        default: optind = argc + 1;
        }
    }
    for (; optind < argc && talk.target_count < 8 && target_parse(&talk.targets[talk.target_count], argv[optind]);
         optind++)
        talk.target_count++;
    if (optind == argc && talk.target_count > 0 && talk.connections - 1 < CONNECTIONS && talk.pieces > 0)
        return client();
    fprintf(stderr,
            "usage: talk serve PORT | talk [--connections 1-%u] [--pieces PER_SECOND] [--duration SECONDS] "
            "ADDRESS:PORT...\n",
            CONNECTIONS);
    return 2;
}
