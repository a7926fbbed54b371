/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role with faulty.so: its disk fails, its clock goes ahead, by what a test writes to their page. */
#pragma once

#include "../drivers/faulty.h"
#include "feed_client.h"

#include <sys/mman.h>

/* Before feed_start. */
static inline struct faulty *faults_begin(struct monitor *monitor)
{
    snprintf(monitor->faults, sizeof monitor->faults, "/tmp/feed-faults-XXXXXX");
    int fd = mkstemp(monitor->faults);
    if (fd < 0 || fchmod(fd, 0666) < 0 || ftruncate(fd, sizeof(struct faulty)) < 0)
        abort();
    struct faulty *faulty = mmap(NULL, sizeof *faulty, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (faulty == MAP_FAILED)
        abort();
    return faulty;
}

/* As monitor_leave; the role has to end well. */
static inline int faults_leave(struct monitor *monitor, struct faulty *faulty)
{
    int result = monitor_leave(monitor, false);
    munmap(faulty, sizeof *faulty);
    unlink(monitor->faults);
    monitor->faults[0] = '\0';
    return result;
}

/* After `skip` more calls, `count` fail. */
static inline void fault(struct faulty *faulty, enum faulty_call call, int skip, int count, int code)
{
    faulty->calls[call].code = code;
    faulty->calls[call].skip = skip;
    faulty->calls[call].seen = 0;
    faulty->calls[call].left = count;
}

/* The role's clock, after it has taken what was sent; it looks once a second. */
static inline void later(struct faulty *faulty, int ms)
{
    pause_ms(100);
    faulty->ahead_ms += ms;
    pause_ms(1300);
}
