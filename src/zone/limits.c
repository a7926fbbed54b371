/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [limits] as cgroup v2 has them: Documentation/admin-guide/cgroup-v2.rst of the kernel. */
#include "zone/limits.h"

#include "zone/cgroup.h"
#include "zone/controllers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CPU_PERIOD_US = 100000, /* the kernel's default */
    CPU_WEIGHT_DEFAULT = 100,
    IO_WEIGHT_DEFAULT = 100,
    PAGE = 4096,
};
#define VALUE_MAX 64

struct job {
    const char *payload;
    struct error *err; /* of the first failure */
    int result;
    unsigned missing; /* controllers */
};

static void bytes_value(char value[VALUE_MAX], bool limited, uint64_t bytes)
{
    if (limited)
        snprintf(value, VALUE_MAX, "%" PRIu64, bytes);
    else
        snprintf(value, VALUE_MAX, "max");
}

static void cpu_value(char value[VALUE_MAX], uint32_t permille)
{
    if (permille)
        snprintf(value, VALUE_MAX, "%" PRIu64 " %d", (uint64_t)permille * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
    else
        snprintf(value, VALUE_MAX, "max %d", CPU_PERIOD_US);
}

/* asked: a missing attribute is to be told. What was not asked for and is not there is as it should be. */
static void set(struct job *job, const char *attribute, const char *value, bool asked, unsigned controller)
{
    int result = cgroup_write(job->payload, attribute, value);
    if (result == 0 || (result == -ENOENT && !asked))
        return;
    if (result == -ENOENT || result == -EOPNOTSUPP) {
        job->missing |= controller;
        return;
    }
    if (job->result == 0)
        job->result = error_errno(job->err, -result, "set %s/%s to %s", job->payload, attribute, value);
}

static void set_memory(struct job *job, const struct limits *limits)
{
    char value[VALUE_MAX];
    bytes_value(value, limits->memory_high > 0, limits->memory_high);
    set(job, "memory.high", value, limits->memory_high > 0, CONTROLLER_MEMORY);
    bytes_value(value, limits->swap_set, limits->swap);
    /* A kernel without swap has no such attribute: 0 is what it gives anyway. */
    set(job, "memory.swap.max", value, limits->swap_set && limits->swap > 0, CONTROLLER_MEMORY);
    /* An app of which one process is missing is in a state that nobody has thought of. */
    set(job, "memory.oom.group", "1", false, CONTROLLER_MEMORY);
    bytes_value(value, limits->memory > 0, limits->memory);
    set(job, "memory.max", value, limits->memory > 0, CONTROLLER_MEMORY);
}

static void set_cpu(struct job *job, const struct limits *limits)
{
    char value[VALUE_MAX];
    cpu_value(value, limits->cpu_permille);
    set(job, "cpu.max", value, limits->cpu_permille > 0, CONTROLLER_CPU);
    snprintf(value, sizeof value, "%u", limits->cpu_weight ? limits->cpu_weight : CPU_WEIGHT_DEFAULT);
    set(job, "cpu.weight", value, limits->cpu_weight > 0, CONTROLLER_CPU);
}

/* Two schedulers know weights, each by a name of its own: BFQ's is io.bfq.weight, that of blk-iocost io.weight. */
static void set_io(struct job *job, const struct limits *limits)
{
    char value[VALUE_MAX];
    struct job other = {.payload = job->payload};
    snprintf(value, sizeof value, "default %u", limits->io_weight ? limits->io_weight : IO_WEIGHT_DEFAULT);
    set(&other, "io.bfq.weight", value, limits->io_weight > 0, CONTROLLER_IO);
    set(job, "io.weight", value, limits->io_weight > 0 && other.missing, CONTROLLER_IO);
}

static int say_missing(const struct job *job)
{
    char here[CONTROLLERS_TEXT_MAX], missing[CONTROLLERS_TEXT_MAX];
    unsigned present = controllers_of(job->payload);
    controllers_text(present, here);
    controllers_text(job->missing, missing);
    if ((job->missing & ~present) == 0)
        return error_set(job->err, EOPNOTSUPP,
                         "[limits] this kernel has the controllers %s, but not all that is asked of %s; take the key "
                         "out, or set required = no to run without",
                         here, missing);
    return error_set(job->err, EOPNOTSUPP,
                     "[limits] this host has no cgroup v2 controllers %s for zones (it has: %s); boot it with cgroup "
                     "v2 alone (systemd.unified_cgroup_hierarchy=1), or set required = no to run without limits",
                     missing, *here ? here : "none");
}

int limits_set(const char *payload, const struct limits *limits, struct error *err)
{
    char value[VALUE_MAX];
    struct job job = {.payload = payload, .err = err};
    set_memory(&job, limits);
    set_cpu(&job, limits);
    bytes_value(value, limits->tasks > 0, limits->tasks);
    set(&job, "pids.max", value, limits->tasks > 0, CONTROLLER_PIDS);
    set_io(&job, limits);
    return job.result == 0 && job.missing ? say_missing(&job) : job.result;
}

void limits_repeat(const char *process, const struct limits *limits)
{
    char value[VALUE_MAX];
    /* A page more, so that it is always payload's limit that is met first: the group is what dies, and is told of. */
    bytes_value(value, limits->memory > 0, limits->memory + PAGE);
    cgroup_write(process, "memory.max", value);
    cpu_value(value, limits->cpu_permille);
    cgroup_write(process, "cpu.max", value);
}
