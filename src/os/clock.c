/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time, as all programs here count it. */
#include "os/clock.h"

#include <time.h>

static uint64_t ns_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000u;
}

uint64_t clock_unix_ms(void)
{
    return ns_of(CLOCK_REALTIME) / 1000000u;
}
