/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When memory runs out. memory.events is watched by poll(2) on the attribute itself and not by inotify: that would take
 * an instance for each zone, of which a user has 128.
 */
#include "zone/oom.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "zone/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSES_MAX = 8 };

/* --- scores -------------------------------------------------------------------------------------- */

/* Through one descriptor of /proc/PID: a pid that is used again meanwhile has another directory. True if it was
 * changed. */
static bool set_one(pid_t pid, const char *payload, int score)
{
    char path[32], content[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    CLEANUP_FD int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int cgroup = directory < 0 ? -1 : openat(directory, "cgroup", O_RDONLY | O_CLOEXEC);
    CLEANUP_FD int file = cgroup < 0 ? -1 : openat(directory, "oom_score_adj", O_RDWR | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(cgroup, content, sizeof content - 1);
    content[got > 0 ? got : 0] = '\0';
    /* "…/payload/main": the last two parts of ours are enough to tell it from a stranger. */
    const char *zone = strrchr(payload, '/');
    while (zone && zone > payload && zone[-1] != '/')
        zone--;
    if (!zone || !strstr(content, zone))
        return false;
    got = read(file, content, sizeof content - 1);
    content[got > 0 ? got : 0] = '\0';
    int now = atoi(content);
    if (now == score || (now != OOM_SCORE_LIVE && now != OOM_SCORE_OTHER))
        return false;
    return dprintf(file, "%d", score) > 0;
}

int oom_score_set(const char *payload, int score, struct error *err)
{
    /* Until nobody had to be changed: who is forked while we look inherits what its parent had. */
    bool changed = true;
    for (unsigned pass = 0; changed && pass < PASSES_MAX; pass++) {
        CLEANUP_FREE pid_t *pids = NULL;
        size_t count = 0;
        int result = cgroup_processes(payload, &pids, &count);
        if (result < 0)
            return error_errno(err, -result, "read the processes of %s", payload);
        changed = false;
        for (size_t i = 0; i < count; i++)
            changed = set_one(pids[i], payload, score) || changed;
    }
    return 0;
}

/* --- watching ------------------------------------------------------------------------------------ */

int oom_watch(const char *payload)
{
    char path[PATH_MAX];
    return cgroup_join(path, payload, "memory.events") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

bool oom_read(int fd, struct oom_count *count)
{
    char content[512];
    *count = (struct oom_count){0};
    ssize_t got = pread(fd, content, sizeof content - 1, 0);
    if (got < 0)
        return false;
    content[got] = '\0';
    cgroup_keyed(content, "oom_group_kill", &count->groups);
    return cgroup_keyed(content, "oom_kill", &count->kills);
}
