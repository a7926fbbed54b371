/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone's app uses. */
#include "zone/usage.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "zone/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STAT_MAX = 8192, /* memory.stat has some 1.5 KiB */
    DESCENDANTS_MAX = 1 << 16,
};

/* --- one process --------------------------------------------------------------------------------- */

/* "Name:     123 kB" in a file of /proc. */
static uint64_t field_of(const char *content, const char *name)
{
    const char *line = strstr(content, name);
    return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

/* What the process has for itself: pages of files are the kernel's to take back. */
static void add_process(pid_t pid, struct zone_usage *usage)
{
    char path[32];
    CLEANUP_FREE char *content = NULL;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, STAT_MAX, &content, NULL, NULL) < 0)
        return;
    usage->memory += (field_of(content, "\nRssAnon:") + field_of(content, "\nRssShmem:")) * 1024;
    usage->tasks += (uint32_t)field_of(content, "\nThreads:");
}

/* The shim is PID 1 of its zone: whoever lost his parent is its child. */
static void add_descendants(pid_t pid, unsigned *budget, struct zone_usage *usage)
{
    char path[64];
    CLEANUP_FREE char *content = NULL;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (file_read(path, 1 << 20, &content, NULL, NULL) < 0)
        return;
    for (char *word = content, *rest; *budget > 0; word = rest) {
        long child = strtol(word, &rest, 10);
        if (rest == word || child <= 0)
            break;
        (*budget)--;
        add_process((pid_t)child, usage);
        add_descendants((pid_t)child, budget, usage);
    }
}

/* True if it saw all processes. */
static bool estimate(const char *payload, pid_t shim, struct zone_usage *usage)
{
    CLEANUP_FREE pid_t *pids = NULL;
    unsigned budget = DESCENDANTS_MAX;
    size_t count = 0;
    if (!payload) {
        add_descendants(shim, &budget, usage);
        return budget > 0;
    }
    bool seen = cgroup_processes(payload, &pids, &count) == 0;
    for (size_t i = 0; i < count; i++)
        add_process(pids[i], usage);
    return seen;
}

/* --- a cgroup ------------------------------------------------------------------------------------ */

static uint32_t narrow(uint64_t number)
{
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* In use, without what the kernel takes back first. */
static bool working_set(const char *path, uint64_t *memory)
{
    char content[STAT_MAX];
    uint64_t inactive = 0;
    if (!cgroup_number(path, "memory.current", memory))
        return false;
    if (cgroup_read(path, "memory.stat", content, sizeof content))
        cgroup_keyed(content, "inactive_file", &inactive);
    *memory -= inactive < *memory ? inactive : *memory;
    return true;
}

static void read_memory(const char *payload, struct zone_usage *usage)
{
    char content[512];
    uint64_t kills = 0, hits = 0;
    usage->known = working_set(payload, &usage->memory);
    if (!cgroup_number(payload, "memory.peak", &usage->memory_peak)) /* Linux 5.19 and newer */
        usage->memory_peak = 0;
    if (cgroup_read(payload, "memory.events", content, sizeof content)) {
        cgroup_keyed(content, "oom_kill", &kills);
        cgroup_keyed(content, "oom", &hits); /* "max" counts what could be taken back as well */
    }
    usage->oom_kills = narrow(kills);
    usage->memory_limit_hits = narrow(hits);
}

struct hits {
    const char *payload;
    uint64_t own, below;
};

static int add_hits(const char *path, void *context)
{
    struct hits *hits = context;
    char content[128];
    uint64_t number = 0;
    if (cgroup_read(path, "pids.events", content, sizeof content))
        cgroup_keyed(content, "max", &number);
    if (strcmp(path, hits->payload) == 0)
        hits->own = number;
    else
        hits->below += number;
    return 0;
}

/* Whose limit was met counts since Linux 6.11, before it who forked; and newer kernels add up what is below. */
static void read_tasks(const char *payload, struct zone_usage *usage)
{
    struct hits hits = {.payload = payload};
    uint64_t tasks;
    if (!cgroup_number(payload, "pids.current", &tasks))
        return;
    usage->tasks = narrow(tasks);
    usage->tasks_known = true;
    cgroup_walk(payload, add_hits, &hits);
    usage->tasks_limit_hits = narrow(hits.own > hits.below ? hits.own : hits.below);
}

void usage_read(const char *payload, pid_t shim, struct zone_usage *usage)
{
    char content[1024];
    *usage = (struct zone_usage){0};
    if (payload && cgroup_read(payload, "cpu.stat", content, sizeof content)) { /* there without the controller too */
        usage->cpu_known = cgroup_keyed(content, "usage_usec", &usage->cpu_us);
        cgroup_keyed(content, "throttled_usec", &usage->throttled_us);
    }
    if (payload)
        read_memory(payload, usage);
    if (!usage->known)
        usage->tasks_known = estimate(payload, shim, usage);
    if (payload)
        read_tasks(payload, usage);
}

/* --- what is left -------------------------------------------------------------------------------- */

uint64_t usage_host_available(void)
{
    CLEANUP_FREE char *content = NULL;
    if (file_read("/proc/meminfo", 65536, &content, NULL, NULL) < 0)
        return 0;
    return field_of(content, "\nMemAvailable:") * 1024;
}

uint64_t usage_below_limits(const char *root, const char *path, uint64_t available)
{
    char above[PATH_MAX];
    if ((size_t)snprintf(above, sizeof above, "%s", path) >= sizeof above)
        return available;
    for (;;) {
        uint64_t max = UINT64_MAX, high = UINT64_MAX, used;
        cgroup_number(above, "memory.max", &max);
        cgroup_number(above, "memory.high", &high);
        uint64_t limit = max < high ? max : high;
        if (limit != UINT64_MAX && working_set(above, &used)) {
            uint64_t left = limit > used ? limit - used : 0;
            available = left < available ? left : available;
        }
        char *slash = strrchr(above, '/');
        if (strlen(above) <= strlen(root) || !slash)
            return available;
        *slash = '\0';
    }
}
