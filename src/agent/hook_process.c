/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hook's process: in the zone, by its shim, or on the host. Apart from hooks.c, which says when there is one and what
 * follows from its end, and mostly need not know where it runs. */
#include "agent/hook.h"

#include "agent/hooks.h"
#include "agent/launching.h"
#include "agent/processes.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define NAME_PREFIX "hook-"

enum { NAMES_TRIED_MAX = 64 };

bool hook_process_is(const char *name)
{
    return text_starts_with(name, NAME_PREFIX);
}

/* --- its end ------------------------------------------------------------------------------------------ */

/* "60 s", "1500 ms". */
static const char *duration(uint32_t ms, char text[24])
{
    snprintf(text, 24, ms % 1000 ? "%u ms" : "%u s", ms % 1000 ? ms : ms / 1000);
    return text;
}

void hook_process_describe(const struct hook_call *call, bool signalled, int value, char *text, size_t size)
{
    char patience[24];
    bool late = call->late || (signalled && value == SIGKILL && !call->on_host &&
                               clock_monotonic_ms() - call->began_ms >= call->timeout_ms);
    if (late)
        snprintf(text, size, "killed after %s", duration(call->timeout_ms, patience));
    else if (signalled)
        snprintf(text, size, "ended by signal %d (%s)", value, strsignal(value));
    else if (value != 0)
        snprintf(text, size, "exit status %d", value);
    else
        text[0] = '\0';
}

static void stop_in_zone(struct app_zone *zone, const char *name)
{
    struct error err = {0};
    if (zone->kernel && zone_stop(zone->kernel, name, &err) < 0)
        log_warning("%s/%s: end the hook %s: %s", zone->app->name, colour_name(zone->colour), name, err.text);
}

void hook_process_kill(struct hook_call *call)
{
    if (call->on_host)
        command_kill(&call->host);
    else
        stop_in_zone(call->zone, call->name);
}

void hooks_found(struct app_zone *zone)
{
    size_t count = 0, worker;
    const struct zone_app *processes = zone_processes(zone->kernel, &count);
    for (size_t i = 0; i < count; i++) {
        if (processes[i].pid && hook_process_is(processes[i].name) && !worker_find(zone, processes[i].name, &worker))
            stop_in_zone(zone, processes[i].name);
    }
}

/* --- its beginning ------------------------------------------------------------------------------------ */

static int start_on_host(struct hook_call *call, const struct zone_launch *launch, int writer,
                         loop_fd_callback *on_exit, struct error *err)
{
    const struct command_spec spec = {
        .argv = launch->argv.items,
        .environment = launch->environment.items,
        .workdir = "/",
        .uid = launch->uid,
        .gid = launch->gid,
        .groups = launch->groups,
        .group_count = launch->group_count,
        .output = writer,
    };
    int result = command_start(&spec, &call->host, err);
    if (result < 0)
        return result;
    call->exit_source = loop_add_fd(call->zone->app->agent->loop, call->host.pidfd, EPOLLIN, on_exit, call);
    if (call->exit_source)
        return 0;
    command_kill(&call->host);
    return error_errno(err, errno, "watch it");
}

/* A former agent may have left some that still end: their names are passed over. */
static int start_in_zone(struct hook_call *call, struct zone_launch *launch, int writer, struct error *err)
{
    struct app_zone *zone = call->zone;
    size_t worker;
    CLEANUP_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int stdio[] = {null_fd, writer, writer};
    if (null_fd < 0)
        return error_errno(err, errno, "open /dev/null");
    launch->process = call->name;
    launch->stdio = stdio;
    launch->deadline_ms = call->timeout_ms;
    launch->stop_timeout_ms = 0;
    int result = -EBUSY;
    for (int tries = 0; result == -EBUSY && tries < NAMES_TRIED_MAX; tries++) {
        snprintf(call->name, sizeof call->name, NAME_PREFIX "%u", ++zone->app->agent->last_command);
        if (!worker_find(zone, call->name, &worker))
            result = zone_start(zone->kernel, launch, err);
    }
    return result;
}

int hook_process_start(struct hook_call *call, loop_fd_callback *on_exit, struct error *err)
{
    struct app_zone *zone = call->zone;
    struct zone_launch launch;
    int result = 0;
    if (!zone->service || (!call->on_host && (!zone->kernel || zone->closing)))
        return error_set(err, ENOENT, "the zone is gone");
    result = zone_launch_prepare(zone, &launch, err);
    if (result < 0)
        return result;
    CLEANUP_WORDS struct words environment = {0};
    CLEANUP_FD int writer = -1;
    if (hook_environment(call, &launch.environment, &environment) < 0)
        return error_errno(err, ENOMEM, "prepare its environment");
    result = hook_output_open(&call->output, zone->app->agent->loop, launch.uid, launch.gid, &writer, err);
    if (result < 0)
        return result;
    launch.argv = zone->resolved->hooks[call->hook];
    launch.environment = environment;
    return call->on_host ? start_on_host(call, &launch, writer, on_exit, err)
                         : start_in_zone(call, &launch, writer, err);
}
