/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients saw, second by second, in a file that is looked at when all is over: latencies are put together by what
 * happened in their second, and a failure is held against what happened while its request was under way (tests/soak).
 *
 *   s SECOND VALUE:COUNT ...     answers that came in this second of unix time, by latency in microseconds
 *   ! BEGAN ENDED TEXT           a request that failed; milliseconds of unix time
 *
 * A line is one write to the end of the file, so that threads and programs may share it.
 */
#pragma once

#include "histogram.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct seconds { /* of one thread; zero-initialise */
    uint64_t second;
    struct histogram histogram;
};

static int seconds_file = -1; /* -1: nobody wants to know */

static inline uint64_t seconds_unix_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline bool seconds_open(const char *path)
{
    seconds_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return seconds_file >= 0;
}

static inline void seconds_write(const char *line, size_t length)
{
    if (write(seconds_file, line, length) != (ssize_t)length) {
        perror("write what was seen");
        exit(1);
    }
}

static inline void seconds_flush(struct seconds *s)
{
    char line[HISTOGRAM_BUCKETS * 24];
    int length = snprintf(line, sizeof(line), "s %" PRIu64, s->second);

    if (s->histogram.count == 0)
        return;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (s->histogram.bucket[i])
            length += snprintf(line + length, sizeof(line) - (size_t)length, " %" PRIu64 ":%" PRIu64,
                               histogram_value(i), s->histogram.bucket[i]);
    }
    line[length++] = '\n';
    seconds_write(line, (size_t)length);
    memset(&s->histogram, 0, sizeof(s->histogram));
}

static inline void seconds_answer(struct seconds *s, uint64_t latency_us)
{
    uint64_t second = seconds_unix_ms() / 1000;

    if (seconds_file < 0)
        return;
    if (second != s->second)
        seconds_flush(s);
    s->second = second;
    histogram_add(&s->histogram, latency_us);
}

/* It ends now, and began so long ago. */
static inline __attribute__((format(printf, 2, 3))) void seconds_failure(uint64_t ago_us, const char *format, ...)
{
    char line[512], text[400];
    uint64_t now = seconds_unix_ms();
    va_list arguments;

    if (seconds_file < 0)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    seconds_write(line, (size_t)snprintf(line, sizeof(line), "! %" PRIu64 " %" PRIu64 " %s\n", now - ago_us / 1000 - 1,
                                         now, text));
}
