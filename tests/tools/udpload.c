/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP load client: sends numbered datagrams to the demo app's echo, checks each reply to the
 * last byte, and says how many were lost and which release answered. A steady flow keeps its
 * socket, so its address and port, and sends at its rate whether replies come or not: it is the
 * flow that connection tracking would keep where it is. A fresh flow takes a new socket for each
 * datagram. Apart from load.c because UDP has no connection whose end could be a failure: what
 * counts here is loss and the time without an answer.
 */
#include "../../demo/stream.h"
#include "seconds.h"
#include "target.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#define RELEASES_MAX 16
#define WINDOW       65536u /* how many datagrams back a reply is still told from a duplicate */
#define BODY_MAX     1400u
#define SILENCE_MS   300u /* of a steady flow, that is told as a failure */

struct head { /* of a datagram; the rest is the stream of its number */
    uint64_t number, flow;
};

struct tally {
    uint64_t count, first_ns, last_ns;
};

struct flow {
    pthread_t thread;
    bool fresh;
    uint64_t id, sent, answered, refused, wrong, duplicate, silence_ns, last_answer, last_number;
    char releases[RELEASES_MAX][65];
    struct tally tally[RELEASES_MAX];
    unsigned char seen[WINDOW / 8];
    char sample[160];
    struct seconds seconds; /* of datagrams over new sockets */
};

static struct {
    struct target target, from;
    bool has_from, json;
    unsigned steady, fresh;
    size_t body;
    double rate, duration_s;
    unsigned timeout_ms;
    uint64_t max_lost, started, ends;
    bool stop;
} load = {.body = 64, .rate = 50, .timeout_ms = 1000};

static void on_signal(int number)
{
    (void)number;
    __atomic_store_n(&load.stop, true, __ATOMIC_RELAXED);
}

static bool over(void)
{
    return __atomic_load_n(&load.stop, __ATOMIC_RELAXED) || now_ns() >= load.ends;
}

static size_t make(unsigned char *to, const struct flow *f, uint64_t number)
{
    struct head h = {number, f->id};
    struct stream s = stream_start(number ^ f->id << 32);

    memcpy(to, &h, sizeof(h));
    stream_fill(&s, to + sizeof(h), load.body);
    return sizeof(h) + load.body;
}

static void tally(struct flow *f, const char *release, uint64_t now)
{
    unsigned i;

    for (i = 0; i < RELEASES_MAX - 1 && f->releases[i][0]; i++) {
        if (strcmp(f->releases[i], release) == 0)
            break;
    }
    if (f->tally[i].count++ == 0) {
        snprintf(f->releases[i], sizeof(f->releases[i]), "%.64s", release);
        f->tally[i].first_ns = now;
    }
    f->tally[i].last_ns = now;
}

static void wrong(struct flow *f, const char *what)
{
    if (f->wrong++ == 0)
        snprintf(f->sample, sizeof(f->sample), "flow %" PRIu64 ": %s", f->id, what);
}

/* A reply is "RELEASE ZONE\n" and then what we sent. */
static void check(struct flow *f, unsigned char *reply, size_t len)
{
    unsigned char want[sizeof(struct head) + BODY_MAX], *text, *space;
    unsigned char *newline = memchr(reply, '\n', len < 128 ? len : 128);
    struct head h;
    size_t bit;
    uint64_t now = now_ns();

    if (!newline || !(space = memchr(reply, ' ', (size_t)(newline - reply))) || space - reply > 64)
        return wrong(f, "no release in front of the reply");
    *space = '\0';
    text = newline + 1;
    len -= (size_t)(text - reply);
    if (len != sizeof(h) + load.body)
        return wrong(f, "the reply has another length");
    memcpy(&h, text, sizeof(h));
    if (h.flow != f->id || h.number >= f->sent)
        return wrong(f, "a reply to what was not sent");
    make(want, f, h.number);
    if (memcmp(text, want, len) != 0)
        return wrong(f, "wrong bytes");
    bit = h.number % WINDOW;
    if (f->sent - h.number > WINDOW || (f->seen[bit / 8] & 1 << bit % 8)) {
        f->duplicate++;
        return;
    }
    f->seen[bit / 8] |= (unsigned char)(1 << bit % 8);
    f->answered++;
    if (f->last_answer && now - f->last_answer > f->silence_ns)
        f->silence_ns = now - f->last_answer;
    /* Late is not lost: who is only late answers what comes next in its order. */
    if (f->last_answer && !f->fresh && now - f->last_answer > SILENCE_MS * 1000000u && h.number != f->last_number + 1)
        seconds_failure((now - f->last_answer) / 1000,
                        "silence of a steady flow: %" PRIu64 " ms, number %" PRIu64 " behind %" PRIu64,
                        (now - f->last_answer) / 1000000, h.number, f->last_number);
    f->last_number = h.number;
    f->last_answer = now;
    tally(f, (char *)reply, now);
}

/* Takes replies until `until`, or until there are as many as datagrams when `enough`. */
static void receive(struct flow *f, int fd, uint64_t until, bool enough)
{
    for (;;) {
        unsigned char reply[2048];
        uint64_t now = now_ns();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (now >= until || (enough && f->answered == f->sent))
            return;
        struct timespec left = {(time_t)((until - now) / 1000000000u), (long)((until - now) % 1000000000u)};
        if (ppoll(&p, 1, &left, NULL) <= 0)
            continue;
        n = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
        if (n >= 0)
            check(f, reply, (size_t)n);
        else if (errno == ECONNREFUSED)
            f->refused++;
    }
}

static void send_next(struct flow *f, int fd)
{
    unsigned char datagram[sizeof(struct head) + BODY_MAX];
    size_t bit = f->sent % WINDOW, len = make(datagram, f, f->sent);

    f->seen[bit / 8] &= (unsigned char)~(1 << bit % 8);
    f->sent++;
    /* An ICMP error for an earlier datagram is reported once, here; this one then was not sent. */
    if (send(fd, datagram, len, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED) {
        f->refused++;
        send(fd, datagram, len, MSG_NOSIGNAL);
    }
}

static int open_socket(void)
{
    int fd = target_connect(&load.target, load.has_from ? &load.from : NULL, SOCK_DGRAM, 1);

    if (fd < 0) {
        perror("udpload: socket");
        exit(1);
    }
    return fd;
}

static void *run(void *arg)
{
    struct flow *f = arg;
    uint64_t due = now_ns(), step = (uint64_t)(1e9 / load.rate);
    uint64_t patience = (uint64_t)load.timeout_ms * 1000000u;
    int fd = f->fresh ? -1 : open_socket();

    while (!over()) {
        if (f->fresh)
            fd = open_socket();
        send_next(f, fd);
        due += step;
        if (f->fresh) {
            uint64_t before = f->answered, began = now_ns(), until = began + patience;

            while (f->answered == before && now_ns() < until)
                receive(f, fd, now_ns() + 1000000u, true);
            if (f->answered != before)
                seconds_answer(&f->seconds, (now_ns() - began) / 1000);
            else
                seconds_failure((now_ns() - began) / 1000, "lost: a datagram over a new socket");
            close(fd);
            if (due < now_ns())
                due = now_ns();
            struct timespec ts = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
        } else {
            receive(f, fd, due, false);
        }
    }
    if (!f->fresh) {
        receive(f, fd, now_ns() + patience, true);
        close(fd);
    }
    seconds_flush(&f->seconds);
    return NULL;
}

/* --- report ---------------------------------------------------------------------------------- */

static double since_start(uint64_t ns)
{
    return (double)(ns - load.started) / 1e9;
}

static void add(struct flow *sum, const struct flow *f)
{
    sum->sent += f->sent;
    sum->answered += f->answered;
    sum->refused += f->refused;
    sum->wrong += f->wrong;
    sum->duplicate += f->duplicate;
    if (f->silence_ns > sum->silence_ns)
        sum->silence_ns = f->silence_ns;
    if (!sum->sample[0])
        memcpy(sum->sample, f->sample, sizeof(sum->sample));
    for (unsigned i = 0; i < RELEASES_MAX && f->tally[i].count; i++) {
        unsigned k = 0;

        while (k < RELEASES_MAX - 1 && sum->releases[k][0] && strcmp(sum->releases[k], f->releases[i]) != 0)
            k++;
        memcpy(sum->releases[k], f->releases[i], sizeof(sum->releases[k]));
        if (!sum->tally[k].count || f->tally[i].first_ns < sum->tally[k].first_ns)
            sum->tally[k].first_ns = f->tally[i].first_ns;
        if (f->tally[i].last_ns > sum->tally[k].last_ns)
            sum->tally[k].last_ns = f->tally[i].last_ns;
        sum->tally[k].count += f->tally[i].count;
    }
}

static void print_text(const struct flow *s, uint64_t lost)
{
    printf("datagrams  %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " lost, %" PRIu64
           " duplicate, longest silence of a steady flow %" PRIu64 " ms\n",
           s->sent, s->answered, lost, s->duplicate, s->silence_ns / 1000000);
    printf("failed     %" PRIu64 ": %" PRIu64 " refused, %" PRIu64 " wrong\nanswered  ", s->refused + s->wrong,
           s->refused, s->wrong);
    for (unsigned i = 0; i < RELEASES_MAX && s->tally[i].count; i++)
        printf("%s %" PRIu64 " by release %s", i ? "," : "", s->tally[i].count, s->releases[i]);
    printf("\n");
    if (s->sample[0])
        printf("failure    %s\n", s->sample);
}

static void print_json(const struct flow *s, uint64_t lost)
{
    printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"longest_silence_ms\":%" PRIu64
           ",\"releases\":{",
           s->sent, s->answered, lost, s->refused + s->wrong, s->refused, s->wrong, s->duplicate,
           s->silence_ns / 1000000);
    for (unsigned i = 0; i < RELEASES_MAX && s->tally[i].count; i++)
        printf("%s\"%s\":{\"answered\":%" PRIu64 ",\"first_s\":%.6f,\"last_s\":%.6f}", i ? "," : "", s->releases[i],
               s->tally[i].count, since_start(s->tally[i].first_ns), since_start(s->tally[i].last_ns));
    printf("}}\n");
}

static void usage(void)
{
    fprintf(stderr, "usage: udpload --to ADDRESS:PORT --duration SECONDS [--steady N] [--fresh N]\n"
                    "               [--rate PER_FLOW_AND_SECOND] [--body BYTES] [--timeout MS]\n"
                    "               [--from ADDRESS] [--max-lost N] [--json] [--seconds FILE]\n"
                    "Exits 1 if a reply was wrong, a datagram refused, more than N lost, or none sent.\n");
    exit(2);
}

static void parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"to", 1, NULL, 'u'},       {"duration", 1, NULL, 'd'}, {"steady", 1, NULL, 's'},  {"fresh", 1, NULL, 'n'},
        {"rate", 1, NULL, 'r'},     {"body", 1, NULL, 'b'},     {"timeout", 1, NULL, 't'}, {"from", 1, NULL, 'f'},
        {"max-lost", 1, NULL, 'l'}, {"json", 0, NULL, 'j'},     {"seconds", 1, NULL, 'S'}, {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'u':
            if (!target_parse(&load.target, optarg))
                usage();
            break;
        case 'd': load.duration_s = strtod(optarg, NULL); break;
        case 's': load.steady = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'n': load.fresh = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'r': load.rate = strtod(optarg, NULL); break;
        case 'b': load.body = strtoul(optarg, NULL, 10); break;
        case 't': load.timeout_ms = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'l': load.max_lost = strtoull(optarg, NULL, 10); break;
        case 'f':
            load.has_from = target_set(&load.from, optarg, NULL);
            if (!load.has_from)
                usage();
            break;
        case 'j': load.json = true; break;
        case 'S':
            if (!seconds_open(optarg)) {
                perror("udpload: --seconds");
                exit(2);
            }
            break;
        default: usage();
        }
    }
    if (optind < argc || !load.target.len || !(load.duration_s > 0) || load.body > BODY_MAX || !(load.rate > 0) ||
        load.steady + load.fresh == 0 || load.steady + load.fresh > 1000)
        usage();
}

int main(int argc, char **argv)
{
    struct flow *flows, sum = {0};
    unsigned n;
    uint64_t lost;

    parse_arguments(argc, argv);
    n = load.steady + load.fresh;
    flows = calloc(n, sizeof(*flows));
    if (!flows)
        return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    load.started = now_ns();
    load.ends = load.started + (uint64_t)(load.duration_s * 1e9);
    for (unsigned i = 0; i < n; i++) {
        flows[i].id = i + 1;
        flows[i].fresh = i >= load.steady;
        if (pthread_create(&flows[i].thread, NULL, run, &flows[i]) != 0) {
            perror("udpload: start a flow");
            return 1;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        pthread_join(flows[i].thread, NULL);
        if (flows[i].fresh)
            flows[i].silence_ns = 0;
        add(&sum, &flows[i]);
    }
    free(flows);
    lost = sum.sent - sum.answered;
    if (load.json)
        print_json(&sum, lost);
    else
        print_text(&sum, lost);
    return sum.refused + sum.wrong > 0 || lost > load.max_lost || sum.sent == 0 || fflush(stdout);
}
