/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load client: keeps new and keep-alive connections on the demo app, checks every byte of every
 * answer, and says what was asked, what failed, and which release answered. Exits 1 if one request
 * failed or none was made.
 *
 * One request in four over a new connection is a POST whose body must come back, the others are
 * GETs. Keep-alive workers send only GETs: a server may close an idle connection at any time (RFC
 * 9112 section 9.3.1), and an idempotent request that met a clean close before the first byte of
 * its answer is repeated once on a new connection and counted as retried, not as failed. A reset is
 * a failure wherever it happens.
 */
#include "histogram.h"
#include "http_client.h"
#include "seconds.h"

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define TIMEOUT_S    10
#define RELEASES_MAX 32
#define SAMPLES_MAX  10
#define TARGETS_MAX  8

struct tally { /* of one release */
    uint64_t count, first_ns, last_ns;
};

struct worker {
    pthread_t thread;
    unsigned number;
    bool keepalive;
    uint64_t random;
    uint64_t requests, connections, retried, failures[FAILURES]; /* read by others while it runs */
    struct tally tally[RELEASES_MAX];
    uint64_t began; /* the request under way */
    struct histogram latency;
    struct seconds seconds;
    struct answer answer;
};

static struct {
    struct target targets[TARGETS_MAX];
    unsigned target_count;
    struct target from[2];
    unsigned from_count;
    unsigned new_workers, keepalive_workers, per_connection, slow_ms;
    size_t body;
    double duration_s, rate;
    bool until_stdin_closes, json;

    uint64_t started;
    int64_t started_unix_ms;
    bool stop;
    struct worker *workers;
    unsigned worker_count;
    pthread_mutex_t lock; /* for what follows */
    char releases[RELEASES_MAX][65];
    unsigned release_count;
    char samples[SAMPLES_MAX][448];
    unsigned sample_count;
} load = {.per_connection = 50, .body = 1000, .lock = PTHREAD_MUTEX_INITIALIZER};

static bool stopped(void)
{
    return __atomic_load_n(&load.stop, __ATOMIC_RELAXED);
}

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static unsigned release_index(const char *name)
{
    unsigned n = __atomic_load_n(&load.release_count, __ATOMIC_ACQUIRE), i;

    for (i = 0; i < n; i++) {
        if (strcmp(load.releases[i], name) == 0)
            return i;
    }
    pthread_mutex_lock(&load.lock);
    for (i = 0; i < load.release_count; i++) {
        if (strcmp(load.releases[i], name) == 0)
            break;
    }
    if (i == RELEASES_MAX) {
        i--; /* the last one stands for the rest */
    } else if (i == load.release_count) {
        snprintf(load.releases[i], sizeof(load.releases[i]), "%s", name);
        __atomic_store_n(&load.release_count, i + 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&load.lock);
    return i;
}

static const struct target *source_for(const struct target *to)
{
    for (unsigned i = 0; i < load.from_count; i++) {
        if (load.from[i].addr.ss_family == to->addr.ss_family)
            return &load.from[i];
    }
    return NULL;
}

/* --- workers --------------------------------------------------------------------------------- */

static void record_failure(struct worker *w, const struct request *r, enum failure why, int fd)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);
    unsigned port = 0;

    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&local, &len) == 0)
        port = ntohs(((struct sockaddr_in *)&local)->sin_port); /* at the same place in IPv6 */
    count(&w->failures[why]);
    seconds_failure((now_ns() - w->began) / 1000, "%s: %s %s, %s connection, release %s: %s", failure_name[why],
                    r->post ? "POST to" : "GET from", r->target->host, w->keepalive ? "keep-alive" : "new",
                    w->answer.release[0] ? w->answer.release : "unknown", w->answer.what);
    pthread_mutex_lock(&load.lock);
    if (load.sample_count < SAMPLES_MAX)
        snprintf(load.samples[load.sample_count++], sizeof(load.samples[0]),
                 "%.3f s: %s: %s %s from port %u, %s connection, release %s: %s (errno %d)",
                 (double)(now_ns() - load.started) / 1e9, failure_name[why], r->post ? "POST to" : "GET from",
                 r->target->host, port, w->keepalive ? "keep-alive" : "new",
                 w->answer.release[0] ? w->answer.release : "unknown", w->answer.what, w->answer.error);
    pthread_mutex_unlock(&load.lock);
}

static void record_success(struct worker *w)
{
    struct tally *t = &w->tally[release_index(w->answer.release)];
    uint64_t now = now_ns();

    if (t->count == 0)
        t->first_ns = now;
    t->last_ns = now;
    count(&t->count);
    histogram_add(&w->latency, (now - w->began) / 1000);
    seconds_answer(&w->seconds, (now - w->began) / 1000);
}

static int open_connection(struct worker *w, const struct request *r, enum failure *why)
{
    int fd = target_connect(r->target, source_for(r->target), SOCK_STREAM, TIMEOUT_S);

    if (fd >= 0) {
        count(&w->connections);
        return fd;
    }
    w->answer.error = errno;
    w->answer.release[0] = '\0';
    *why = errno == ECONNREFUSED ? FAIL_REFUSED : errno == ETIMEDOUT ? FAIL_TIMEOUT : FAIL_CONNECT;
    answer_failed(&w->answer, *why, "connect: %s", strerror(errno));
    return -1;
}

static void next_request(struct worker *w, struct request *r)
{
    struct stream s = stream_start(w->random++);

    r->seed = stream_word(&s) >> 16;
    r->body = load.body;
    r->slow_ms = load.slow_ms;
    r->post = !w->keepalive && w->random % 4 == 0 && load.body <= REQUEST_POST_MAX && !load.slow_ms;
}

/* Whether the server has closed the connection while nothing was going on. */
static bool closed_while_idle(int fd)
{
    char c;

    return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* One request; *fd is the connection to use (-1: open one) and the one that may be used again (-1:
 * none). */
static void one_request(struct worker *w, struct request *r, int *fd, unsigned *used)
{
    enum failure f = OK;
    bool again = false;

    w->began = now_ns();
    count(&w->requests);
    for (;;) {
        if (*fd < 0) {
            *used = 0;
            *fd = open_connection(w, r, &f);
        }
        if (*fd < 0)
            return record_failure(w, r, f, -1);
        f = exchange(r, *fd, &w->answer);
        if (f != CLOSED_UNUSED || *used == 0 || again || r->post)
            break;
        again = true;
        count(&w->retried);
        close(*fd);
        *fd = -1;
    }
    ++*used;
    if (f)
        record_failure(w, r, f == CLOSED_UNUSED ? FAIL_SHORT : f, *fd);
    else
        record_success(w);
    if (f || r->close || w->answer.close || *used >= load.per_connection) {
        close(*fd);
        *fd = -1;
    }
}

/* Waits for the next turn at the rate asked for. */
static void pace(uint64_t *due)
{
    uint64_t now = now_ns();
    struct timespec ts;

    if (load.rate <= 0)
        return;
    *due += (uint64_t)(1e9 / load.rate);
    if (*due + 1000000000u < now)
        *due = now; /* far behind: do not catch up in one burst */
    if (*due <= now)
        return;
    ts = (struct timespec){(time_t)(*due / 1000000000u), (long)(*due % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct request r = {.close = !w->keepalive};
    unsigned turn = w->number, used = 0;
    uint64_t due = now_ns();
    int fd = -1;

    while (!stopped()) {
        if (fd >= 0 && closed_while_idle(fd)) {
            close(fd);
            fd = -1;
        }
        if (fd < 0)
            r.target = &load.targets[turn++ % load.target_count];
        next_request(w, &r);
        one_request(w, &r, &fd, &used);
        /* A server that is not there at all must not be asked a million times a second. */
        if (w->failures[FAIL_REFUSED] || w->failures[FAIL_CONNECT])
            usleep(1000);
        pace(&due);
    }
    if (fd >= 0)
        close(fd);
    seconds_flush(&w->seconds);
    return NULL;
}

/* --- report ---------------------------------------------------------------------------------- */

struct totals {
    uint64_t requests, by_kind[2], connections[2], retried, failed, failures[FAILURES];
    struct tally tally[RELEASES_MAX][2]; /* of new, of keep-alive connections */
};

static void add_tally(struct tally *to, const struct tally *from)
{
    if (from->count == 0)
        return;
    if (to->count == 0 || from->first_ns < to->first_ns)
        to->first_ns = from->first_ns;
    if (from->last_ns > to->last_ns)
        to->last_ns = from->last_ns;
    to->count += from->count;
}

static struct totals sum(void)
{
    struct totals t = {0};

    for (unsigned i = 0; i < load.worker_count; i++) {
        const struct worker *w = &load.workers[i];
        uint64_t requests = __atomic_load_n(&w->requests, __ATOMIC_RELAXED);

        t.requests += requests;
        t.by_kind[w->keepalive] += requests;
        t.connections[w->keepalive] += __atomic_load_n(&w->connections, __ATOMIC_RELAXED);
        t.retried += __atomic_load_n(&w->retried, __ATOMIC_RELAXED);
        for (unsigned f = 0; f < FAILURES; f++) {
            uint64_t n = __atomic_load_n(&w->failures[f], __ATOMIC_RELAXED);

            t.failures[f] += n;
            t.failed += n;
        }
        for (unsigned k = 0; k < RELEASES_MAX; k++)
            add_tally(&t.tally[k][w->keepalive], &w->tally[k]);
    }
    return t;
}

static double seconds_since_start(uint64_t ns)
{
    return ns > load.started ? (double)(ns - load.started) / 1e9 : 0;
}

static void print_live(const char *end)
{
    struct totals t = sum();
    double s = seconds_since_start(now_ns());

    fprintf(stderr, "%6.1f s  %9" PRIu64 " requests  %6.0f/s  %" PRIu64 " failed  %" PRIu64 " retried ", s, t.requests,
            s > 0 ? (double)t.requests / s : 0, t.failed, t.retried);
    for (unsigned i = 0; i < load.release_count; i++)
        fprintf(stderr, " %s: %" PRIu64, load.releases[i], t.tally[i][0].count + t.tally[i][1].count);
    fputs(end, stderr);
}

static void print_text(const struct totals *t, const struct histogram *h, double seconds)
{
    printf("requests   %" PRIu64 " in %.1f s: %" PRIu64 " over as many new connections, %" PRIu64 " over %" PRIu64
           " keep-alive connections\n",
           t->requests, seconds, t->by_kind[0], t->by_kind[1], t->connections[1]);
    printf("failed     %" PRIu64, t->failed);
    for (unsigned f = 1; f < FAILURES; f++) {
        if (t->failures[f])
            printf(", %s %" PRIu64, failure_name[f], t->failures[f]);
    }
    printf("\nretried    %" PRIu64 " (closed cleanly by the server between two requests)\n", t->retried);
    printf("answered   ");
    for (unsigned i = 0; i < load.release_count; i++)
        printf("%s%" PRIu64 " by release %s", i ? ", " : "", t->tally[i][0].count + t->tally[i][1].count,
               load.releases[i]);
    printf("%s\nlatency    p50 %" PRIu64 " us, p99 %" PRIu64 " us, max %" PRIu64 " us\n",
           load.release_count ? "" : "by none", histogram_at(h, 500), histogram_at(h, 990), h->max);
    for (unsigned i = 0; i < load.sample_count; i++)
        printf("failure    %s\n", load.samples[i]);
}

static void print_json_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json_tally(const char *name, const struct tally *t)
{
    printf("\"%s\":{\"requests\":%" PRIu64, name, t->count);
    if (t->count)
        printf(",\"first_s\":%.6f,\"last_s\":%.6f", seconds_since_start(t->first_ns), seconds_since_start(t->last_ns));
    putchar('}');
}

static void print_json(const struct totals *t, const struct histogram *h, double seconds)
{
    printf("{\"requests\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"retried\":%" PRIu64 ",\"new_requests\":%" PRIu64
           ",\"keepalive_requests\":%" PRIu64 ",\"keepalive_connections\":%" PRIu64
           ",\"duration_s\":%.3f,\"started_unix_ms\":%" PRId64 ",\"failures\":{",
           t->requests, t->failed, t->retried, t->by_kind[0], t->by_kind[1], t->connections[1], seconds,
           load.started_unix_ms);
    for (unsigned f = FAIL_REFUSED; f <= FAIL_CONTENT; f++)
        printf("%s\"%s\":%" PRIu64, f > FAIL_REFUSED ? "," : "", failure_name[f], t->failures[f]);
    printf("},\"releases\":{");
    for (unsigned i = 0; i < load.release_count; i++) {
        printf("%s\"%s\":{\"requests\":%" PRIu64 ",", i ? "," : "", load.releases[i],
               t->tally[i][0].count + t->tally[i][1].count);
        print_json_tally("new", &t->tally[i][0]);
        putchar(',');
        print_json_tally("keepalive", &t->tally[i][1]);
        putchar('}');
    }
    printf("},\"latency_us\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "},\"samples\":[",
           histogram_at(h, 500), histogram_at(h, 990), h->max);
    for (unsigned i = 0; i < load.sample_count; i++) {
        if (i)
            putchar(',');
        print_json_string(load.samples[i]);
    }
    printf("]}\n");
}

static int report(double seconds)
{
    struct totals t = sum();
    struct histogram h = {0};

    for (unsigned i = 0; i < load.worker_count; i++)
        histogram_merge(&h, &load.workers[i].latency);
    if (load.json)
        print_json(&t, &h, seconds);
    else
        print_text(&t, &h, seconds);
    return fflush(stdout) == 0 && t.failed == 0 && t.requests > 0 ? 0 : 1;
}

/* --- options and life ------------------------------------------------------------------------- */

static void usage(void)
{
    fprintf(stderr, "usage: load --url http://ADDRESS:PORT [--url ...] [--new N] [--keepalive N]\n"
                    "            [--requests-per-connection K] [--duration SECONDS] [--until-stdin-closes]\n"
                    "            [--rate PER_WORKER_AND_SECOND] [--body BYTES] [--slow MS] [--from ADDRESS]\n"
                    "            [--json] [--seconds FILE]\n"
                    "SIGUSR1 prints the state to stderr; SIGINT and SIGTERM end the run with its report.\n");
    exit(2);
}

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (errno || *end || end == text || n > max) {
        fprintf(stderr, "load: not a number from 0 to %lu: %s\n", max, text);
        exit(2);
    }
    return n;
}

static double seconds(const char *text)
{
    char *end;
    double s = strtod(text, &end);

    if (end == text || *end || !(s >= 0 && s <= 1e6))
        usage();
    return s;
}

static void parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"url", 1, NULL, 'u'},       {"new", 1, NULL, 'n'},
        {"keepalive", 1, NULL, 'k'}, {"requests-per-connection", 1, NULL, 'c'},
        {"duration", 1, NULL, 'd'},  {"until-stdin-closes", 0, NULL, 'i'},
        {"rate", 1, NULL, 'r'},      {"body", 1, NULL, 'b'},
        {"slow", 1, NULL, 's'},      {"from", 1, NULL, 'f'},
        {"json", 0, NULL, 'j'},      {"seconds", 1, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'u':
            if (load.target_count == TARGETS_MAX || !target_parse(&load.targets[load.target_count++], optarg))
                usage();
            break;
        case 'n': load.new_workers = (unsigned)number(optarg, 1000); break;
        case 'k': load.keepalive_workers = (unsigned)number(optarg, 1000); break;
        case 'c': load.per_connection = (unsigned)number(optarg, 1000000000); break;
        case 'd': load.duration_s = seconds(optarg); break;
        case 'i': load.until_stdin_closes = true; break;
        case 'r': load.rate = seconds(optarg); break;
        case 'b': load.body = number(optarg, 1000000000); break;
        case 's': load.slow_ms = (unsigned)number(optarg, 8000); break;
        case 'f':
            if (load.from_count == 2 || !target_set(&load.from[load.from_count++], optarg, NULL))
                usage();
            break;
        case 'j': load.json = true; break;
        case 'S':
            if (!seconds_open(optarg)) {
                perror("load: --seconds");
                exit(2);
            }
            break;
        default: usage();
        }
    }
    if (optind < argc || load.target_count == 0 || load.per_connection == 0 ||
        load.new_workers + load.keepalive_workers == 0 || (load.duration_s <= 0 && !load.until_stdin_closes))
        usage();
}

static void start_workers(void)
{
    struct timespec real;

    load.worker_count = load.new_workers + load.keepalive_workers;
    load.workers = calloc(load.worker_count, sizeof(*load.workers));
    if (!load.workers)
        exit(1);
    clock_gettime(CLOCK_REALTIME, &real);
    load.started_unix_ms = (int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000;
    load.started = now_ns();
    for (unsigned i = 0; i < load.worker_count; i++) {
        struct worker *w = &load.workers[i];

        w->number = i;
        w->keepalive = i >= load.new_workers;
        w->random = load.started + ((uint64_t)i << 40);
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            perror("load: start a worker");
            exit(1);
        }
    }
}

/* Waits for the end of the run: its duration, the end of stdin, or a signal. */
static void wait_for_end(int signals)
{
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                            {.fd = load.until_stdin_closes ? 0 : -1, .events = POLLIN}};
    bool live = isatty(STDERR_FILENO) && !load.json;

    for (;;) {
        double left = load.duration_s > 0 ? load.duration_s - seconds_since_start(now_ns()) : 1;
        struct signalfd_siginfo info;
        char drop[256];

        if (left <= 0)
            break;
        poll(fds, 2, left < 1 ? (int)(left * 1000) + 1 : 1000);
        if (fds[1].revents && read(0, drop, sizeof(drop)) <= 0)
            break;
        if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
            if (info.ssi_signo != SIGUSR1)
                break;
            print_live("\n");
        } else if (live) {
            print_live("\r");
        }
    }
    if (live)
        fputc('\n', stderr);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    sigset_t set;
    uint64_t ended;
    int signals;

    parse_arguments(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        perror("load: signalfd");
        return 1;
    }
    start_workers();
    wait_for_end(signals);
    __atomic_store_n(&load.stop, true, __ATOMIC_RELAXED);
    ended = now_ns();
    for (unsigned i = 0; i < load.worker_count; i++)
        pthread_join(load.workers[i].thread, NULL);
    return report(seconds_since_start(ended));
}
