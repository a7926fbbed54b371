/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When memory runs out: whom the kernel takes, and that it has taken somebody. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a process: the live zone's, and all others'. The kernel's scale is -1000 to 1000, a thousand being all memory. */
enum { OOM_SCORE_LIVE = 0, OOM_SCORE_OTHER = 500 };

/* Gives them to every process in a cgroup, but not to those that have chosen another one by themselves. */
int oom_score_set(const char *payload, int score, struct error *err);

/* A descriptor that epoll calls EPOLLPRI when the kernel killed somebody in a cgroup (and for less); -1 without the
 * memory controller. */
int oom_watch(const char *payload);
struct oom_count {
    uint64_t kills;  /* processes */
    uint64_t groups; /* times that the whole cgroup was killed; 0 also before Linux 5.17 */
};

/* Reads it, so that it is quiet again. False if it cannot be read any more: the cgroup is gone. */
bool oom_read(int fd, struct oom_count *count);
