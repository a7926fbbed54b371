/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a zone's configuration to what runs in it: kernel objects, limits, processes. Apart from zones.c, which says
 * when. */
#include "agent/launching.h"

#include "agent/agent.h"
#include "agent/commands.h"
#include "agent/feeding.h"
#include "agent/hooks.h"
#include "agent/processes.h"
#include "agent/usage.h"
#include "agent/zones.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- limits ---------------------------------------------------------------------------------- */

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length) {
        if ((at == words || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    }
    return false;
}

static void add_missing(struct text *missing, const char *have, bool needed, const char *controller)
{
    if (needed && !has_word(have, controller))
        text_addf(missing, "%s%s", missing->length ? ", " : "", controller);
}

int limits_check(struct agent *agent, const struct service *service, struct error *err)
{
    const struct limits *limits = &service->limits;
    const char *have = zone_host_controllers(agent->zone_host);
    CLEANUP_TEXT struct text missing = {0};
    add_missing(&missing, have, limits->memory || limits->memory_high || limits->swap_set, "memory");
    add_missing(&missing, have, limits->cpu_permille || limits->cpu_weight, "cpu");
    add_missing(&missing, have, limits->tasks, "pids");
    add_missing(&missing, have, limits->io_weight, "io");
    if (missing.length == 0 || limits->optional)
        return 0;
    return error_set(err, EOPNOTSUPP,
                     "%s.conf asks for [limits], and this host has no cgroup v2 controller %s for zones; enable it, or "
                     "set [limits] required = no to run without",
                     service->name, missing.failed ? "" : missing.data);
}

/* again: what served before is not kept down because a controller is gone. */
static int set_limits(struct app_zone *zone, bool again, struct error *err)
{
    const struct limits *limits = &zone->service->limits;
    zone->unlimited = false;
    if (!limits_need_cgroups(limits))
        return 0;
    int result = zone_limit(zone->kernel, limits, err);
    if (result == 0)
        return 0;
    if (result != -EOPNOTSUPP || !(limits->optional || again))
        return error_suffix(err, "; or set [limits] required = no to run without");
    zone->unlimited = true;
    if (limits->optional)
        log_warning("%s/%s: %s runs without its limits: %s", zone->app->name, colour_name(zone->colour), zone->release,
                    err->text);
    else
        log_error("%s/%s: %s runs without the limits that it requires, because it ran before: %s", zone->app->name,
                  colour_name(zone->colour), zone->release, err->text);
    return 0;
}

/* --- the zone --------------------------------------------------------------------------------- */

int zone_build(struct app_zone *zone, bool again, struct error *err)
{
    struct zone_id id;
    zone_id_of(zone, &id);
    int result = zone_clean(zone->app->agent->zone_host, &id, err); /* what a crash may have left in its place */
    if (result == 0)
        result = zone_create(zone->app->agent->zone_host, &id, &zone->kernel, err);
    if (result < 0)
        return result;
    result = zone_watch(zone, err);
    if (result < 0) { /* nothing runs in it yet, and nobody would hear of its end */
        zone_destroy(zone->kernel);
        zone->kernel = NULL;
        return result;
    }
    usage_begin(zone);
    result = feeding_make_doors(zone, err);
    return result < 0 ? result : set_limits(zone, again, err);
}

int zone_adopt_running(struct app_zone *zone, struct error *err)
{
    struct zone_id id;
    struct error limits = {0};
    zone_id_of(zone, &id);
    int result = zone_adopt(zone->app->agent->zone_host, &id, &zone->kernel, err);
    if (result < 0)
        return result;
    result = zone_watch(zone, err);
    if (result < 0) { /* its end would not be noticed */
        zone_release(zone->kernel);
        zone->kernel = NULL;
        return result;
    }
    usage_begin(zone);
    if (set_limits(zone, true, &limits) < 0)
        log_warning("%s/%s: %s", zone->app->name, colour_name(zone->colour), limits.text);
    zone->unfed = feeding_make_doors(zone, &limits) < 0;
    if (zone->unfed)
        log_error("%s; it is not fed", limits.text);
    processes_found(zone);
    commands_found(zone);
    hooks_found(zone);
    return 0;
}

/* --- processes -------------------------------------------------------------------------------- */

void zone_forget_resolved(struct app_zone *zone)
{
    if (zone->resolved)
        resolved_clear(zone->resolved);
    free(zone->resolved);
    zone->resolved = NULL;
}

/* The user database and the files are asked once for each start of the zone, not for each process. */
static int resolve(struct app_zone *zone, struct error *err)
{
    if (zone->resolved)
        return 0;
    struct resolved *resolved = calloc(1, sizeof *resolved);
    if (!resolved)
        return error_errno(err, ENOMEM, "start %s", zone->release);
    int result = service_resolve(zone->service, zone->release, zone->colour, resolved, err);
    if (result < 0)
        free(resolved);
    else
        zone->resolved = resolved;
    return result;
}

int zone_launch_prepare(struct app_zone *zone, struct zone_launch *launch, struct error *err)
{
    if (zone->state == ZONE_FROZEN)
        return error_set(err, EBUSY,
                         "zone %s of %s is frozen: nothing runs in it until \"bluegreen rollback %s\" lets it go on",
                         colour_name(zone->colour), zone->app->name, zone->app->name);
    int result = resolve(zone, err);
    if (result < 0)
        return result;
    const struct service *service = zone->service;
    const struct resolved *resolved = zone->resolved;
    snprintf(zone->hostname, sizeof zone->hostname, "%s-%s", zone->app->name, colour_name(zone->colour));
    *launch = (struct zone_launch){
        .argv = resolved->argv,
        .environment = resolved->environment,
        .workdir = resolved->workdir,
        .uid = resolved->uid,
        .gid = resolved->gid,
        .groups = resolved->groups,
        .group_count = resolved->group_count,
        .hostname = zone->hostname,
        .stop_timeout_ms = service->stop_timeout_ms,
        .stop_signal = service->stop_signal,
        .restart = service->restart,
        .sandbox = &service->sandbox,
        .files = resolved->files,
        .file_count = resolved->file_count,
        .open_files = service->limits.open_files,
        .live = zone->state == ZONE_LIVE,
    };
    return 0;
}

int zone_run_worker(struct app_zone *zone, size_t worker, struct error *err)
{
    struct zone_launch launch;
    int result = zone_launch_prepare(zone, &launch, err);
    if (result < 0)
        return result;
    if (worker == 0) {
        launch.notify = zone->service->health.notify;
        launch.watchdog_ms = zone->service->health.watchdog_ms;
        launch.ports = zone->service->ports;
        launch.port_count = zone->service->port_count;
    } else {
        launch.process = zone->service->processes[worker - 1].name;
        launch.argv = zone->resolved->processes[worker - 1];
    }
    result = zone_start(zone->kernel, &launch, err);
    if (result == 0)
        processes_started(zone, worker);
    else if (worker > 0)
        error_prefix(err, "[process %s]", launch.process);
    return result;
}

int zone_run_app(struct app_zone *zone, struct error *err)
{
    zone_forget_resolved(zone); /* as the host is now */
    int result = zone_run_worker(zone, 0, err);
    for (size_t i = 0; result == 0 && i < zone->service->process_count; i++) {
        if (!zone->service->processes[i].live_only)
            result = zone_run_worker(zone, i + 1, err);
    }
    return result;
}
