/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/lock.h"

#include "os/loop.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

static void sleep_a_moment(void)
{
    static const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    nanosleep(&moment, NULL);
}

int lock_file(int fd)
{
    uint64_t begun = clock_monotonic_ms();
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || clock_monotonic_ms() - begun > LOCK_WAIT_MS)
            return -errno;
        sleep_a_moment();
    }
    return 0;
}

int lock_name(int fd, const struct sockaddr *address, socklen_t length)
{
    uint64_t begun = clock_monotonic_ms();
    while (bind(fd, address, length) < 0) {
        if (errno != EADDRINUSE || clock_monotonic_ms() - begun > LOCK_WAIT_MS)
            return -errno;
        sleep_a_moment();
    }
    return 0;
}
