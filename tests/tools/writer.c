/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that post to tests/tools/keeper.c and remember what was acknowledged.
 *
 *   writer ADDRESS PORT THREADS PER_SECOND [FILE [FIRST]]
 *       until SIGTERM: each thread, FIRST (0) and on, posts /add/THREAD.NUMBER over a connection that it keeps while it
 *       may; stdout: a line "ID STATUS" for each, STATUS 0 where there was no answer. At the end, on stderr, figures.
 *       FILE, if it is not "": what was seen in each second (seconds.h)
 */
#include "seconds.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
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

static struct sockaddr_in server;
static unsigned pause_us;
static atomic_bool over;
static atomic_ulong good, refused, broken, slowest_ms;

struct link {
    int fd;
    bool close_after;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int open_link(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct timeval patience = {.tv_sec = 30};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) == 0)
        return fd;
    close(fd);
    return -1;
}

/* 0: no answer. */
static int read_answer(struct link *link)
{
    char text[4096];
    size_t used = 0;
    int status = 0;
    while (used < sizeof text - 1) {
        ssize_t got = read(link->fd, text + used, sizeof text - 1 - used);
        if (got <= 0)
            return 0;
        used += (size_t)got;
        text[used] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        if (end && (size_t)(end + 4 - text) + body <= used)
            break;
    }
    link->close_after = strcasestr(text, "\r\nConnection: close") != NULL;
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static int post(struct link *link, unsigned thread, unsigned long number)
{
    char text[256];
    int length = snprintf(text, sizeof text, "POST /add/%u.%lu HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody",
                          thread, number);
    if (link->fd < 0)
        link->fd = open_link();
    link->close_after = true;
    int status = link->fd >= 0 && send(link->fd, text, (size_t)length, MSG_NOSIGNAL) == length ? read_answer(link) : 0;
    if (link->fd >= 0 && link->close_after) {
        close(link->fd);
        link->fd = -1;
    }
    return status;
}

static void *write_on(void *argument)
{
    unsigned thread = (unsigned)(long)argument;
    struct link link = {.fd = -1};
    struct seconds seconds = {0};
    for (unsigned long number = 0; !over; number++) {
        uint64_t began = now_us();
        int status = post(&link, thread, number);
        uint64_t took_us = now_us() - began, took = took_us / 1000;
        if (status == 201)
            seconds_answer(&seconds, took_us);
        else
            seconds_failure(took_us, "%s: POST /add/%u.%lu: status %d", status ? "refused" : "no answer", thread,
                            number, status);
        printf("%u.%lu %d\n", thread, number, status);
        (*(status == 201 ? &good : status ? &refused : &broken))++;
        if (took > slowest_ms)
            slowest_ms = took;
        usleep(pause_us);
    }
    seconds_flush(&seconds);
    return NULL;
}

static void on_term(int signal)
{
    (void)signal;
    over = true;
}

int main(int argc, char *argv[])
{
    if (argc < 5 || argc > 7)
        errx(2, "writer ADDRESS PORT THREADS PER_SECOND [FILE [FIRST]]");
    if (argc > 5 && argv[5][0] && !seconds_open(argv[5]))
        err(2, "open %s", argv[5]);
    pthread_t threads[64];
    unsigned first = argc == 7 ? (unsigned)atoi(argv[6]) : 0;
    unsigned count = (unsigned)atoi(argv[3]);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || count == 0 || count > 64 || atoi(argv[4]) <= 0)
        errx(2, "writer ADDRESS PORT THREADS PER_SECOND [FILE]");
    pause_us = 1000000u * count / (unsigned)atoi(argv[4]);
    signal(SIGTERM, on_term);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, write_on, (void *)(long)(first + i)) != 0)
            err(1, "make a thread");
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    fprintf(stderr, "good %lu refused %lu broken %lu slowest_ms %lu\n", good, refused, broken, slowest_ms);
    return 0;
}
