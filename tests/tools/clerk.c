/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that post to tests/tools/ledger.c and remember what came of each request.
 *
 *   clerk [--again] ADDRESS PORT THREADS COUNT SEED     until COUNT are acknowledged, or SIGTERM; stdout: a line
 *       "ID ACCOUNT STATUS BEGAN ENDED" each, the times in microseconds; STATUS 0: sent, and there was no answer;
 *       -1: there was no connection. At the end, on stderr, how many there were of each
 *
 * Each thread has a connection that it keeps for a while, some requests have a connection of their own, some a body of
 * 70 KiB, and some clients leave without waiting for the answer. IDs begin with SEED. The accounts are everybody's;
 * with --again each thread has one of its own, gives each request an Idempotency-Key, and repeats it with that until it
 * is acknowledged.
 */
#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, TRIES_MAX = 4000, ACCOUNTS = 37, LARGE = 70 << 10, NO_ANSWER = 0, NO_CONNECTION = -1 };

static struct sockaddr_in server;
static bool again;
static unsigned seed;
static unsigned long wanted;
static atomic_bool over;
static atomic_ulong acknowledged, refused, unanswered, unconnected, slowest_us;
static char large[LARGE];

struct teller {
    unsigned thread, random;
    int fd;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool one_in(struct teller *teller, unsigned n)
{
    return (unsigned)rand_r(&teller->random) % n == 0;
}

static void hang_up(struct teller *teller)
{
    if (teller->fd >= 0)
        close(teller->fd);
    teller->fd = -1;
}

static bool connected(struct teller *teller)
{
    struct timeval patience = {.tv_sec = 30};
    int one = 1;
    if (teller->fd >= 0)
        return true;
    teller->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(teller->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(teller->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(teller->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (teller->fd >= 0 && connect(teller->fd, (struct sockaddr *)&server, sizeof server) == 0)
        return true;
    hang_up(teller);
    return false;
}

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

static int read_answer(struct teller *teller)
{
    char text[4096];
    size_t used = 0;
    int status = NO_ANSWER;
    while (used < sizeof text - 1) {
        ssize_t got = read(teller->fd, text + used, sizeof text - 1 - used);
        if (got <= 0)
            return NO_ANSWER;
        used += (size_t)got;
        text[used] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        if (end && (size_t)(end + 4 - text) + body <= used)
            break;
    }
    if (strcasestr(text, "\r\nConnection: close"))
        hang_up(teller);
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : NO_ANSWER;
}

/* What became of it. Nothing is sent a second time here: without an answer nobody knows whether it was done. */
static int post(struct teller *teller, const char *account, const char *id, bool leaves)
{
    char head[512], once[128] = "";
    size_t body = one_in(teller, 200) ? LARGE : strlen(id);
    bool own = one_in(teller, 16);
    if (again)
        snprintf(once, sizeof once, "Idempotency-Key: once-%s\r\n", id);
    int length = snprintf(head, sizeof head,
                          "POST /book/%s/%s HTTP/1.1\r\nHost: web\r\nX-Account: %s\r\n%s%sContent-Length: %zu\r\n\r\n",
                          account, id, account, once, own ? "Connection: close\r\n" : "", body);
    if (one_in(teller, 16))
        hang_up(teller);
    if (!connected(teller))
        return NO_CONNECTION;
    bool sent = send_all(teller->fd, head, (size_t)length) && send_all(teller->fd, body == LARGE ? large : id, body);
    int status = leaves || (!sent && body != LARGE) ? NO_ANSWER : read_answer(teller);
    if (status == NO_ANSWER)
        hang_up(teller);
    return status;
}

static void count(int status, uint64_t took_us)
{
    (*(status == 201             ? &acknowledged
       : status == NO_ANSWER     ? &unanswered
       : status == NO_CONNECTION ? &unconnected
                                 : &refused))++;
    if (took_us > slowest_us)
        slowest_us = took_us;
}

static void *work(void *argument)
{
    struct teller teller = {.thread = (unsigned)(long)argument, .fd = -1};
    char account[16], id[32];
    teller.random = seed * 1000 + teller.thread;
    for (unsigned long number = 0; !over && acknowledged < wanted; number++) {
        snprintf(id, sizeof id, "%u.%u.%lu", seed, teller.thread, number);
        snprintf(account, sizeof account, "%u", again ? teller.thread : (unsigned)rand_r(&teller.random) % ACCOUNTS);
        int status = NO_ANSWER;
        for (int tries = 0; status != 201 && tries < (again ? TRIES_MAX : 1); tries++) {
            uint64_t began = now_us();
            status = post(&teller, account, id, one_in(&teller, 100));
            uint64_t ended = now_us();
            printf("%s %s %d %" PRIu64 " %" PRIu64 "\n", id, account, status, began, ended);
            count(status, ended - began);
            if (status != 201)
                usleep(10000 + (unsigned)rand_r(&teller.random) % 20000);
        }
    }
    hang_up(&teller);
    return NULL;
}

static void on_term(int signal)
{
    (void)signal;
    over = true;
}

int main(int argc, char *argv[])
{
    pthread_t threads[THREADS_MAX];
    again = argc > 1 && strcmp(argv[1], "--again") == 0;
    char **words = argv + again;
    unsigned thread_count = argc - again == 6 ? (unsigned)atoi(words[3]) : 0;
    server = (struct sockaddr_in){.sin_family = AF_INET};
    if (thread_count == 0 || thread_count > THREADS_MAX || inet_pton(AF_INET, words[1], &server.sin_addr) != 1)
        errx(2, "clerk [--again] ADDRESS PORT THREADS COUNT SEED");
    server.sin_port = htons((uint16_t)atoi(words[2]));
    wanted = strtoul(words[4], NULL, 10);
    seed = (unsigned)atoi(words[5]);
    memset(large, 'x', sizeof large);
    signal(SIGTERM, on_term);
    for (unsigned i = 0; i < thread_count; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)(long)i) != 0)
            err(1, "make a thread");
    }
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    fprintf(stderr, "acknowledged %lu refused %lu unanswered %lu unconnected %lu slowest_ms %lu\n", acknowledged,
            refused, unanswered, unconnected, slowest_us / 1000);
    return 0;
}
