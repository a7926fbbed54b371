/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes with when = live: they run in the live zone and nowhere else, and never in both. Nothing here remembers
 * what was going on: each look compares what runs with what should, does the next thing that is possible and waits for
 * the shims. So it does not matter whether a switch, a rollback in the drain, a crash or a new agent came between.
 */
#include "agent/workers.h"

#include "agent/agent.h"
#include "agent/launching.h"
#include "agent/processes.h"
#include "model/wire_status.h"
#include "os/log.h"

enum { AGAIN_MS = 10000 /* one that could not be started or told to stop */ };

static bool is_up(const struct worker *worker)
{
    return worker->state == PROCESS_RUNNING || worker->state == PROCESS_BACK_OFF || worker->state == PROCESS_STOPPING;
}

static bool is_live(const struct app_zone *zone)
{
    return zone->app->state == APP_RUNNING && zone->app->live == (int)zone->colour;
}

static const struct process_rule *rule_of(const struct app_zone *zone, size_t worker)
{
    return &zone->service->processes[worker - 1];
}

bool workers_running(const struct app_zone *zone)
{
    for (size_t i = 1; i < worker_count(zone); i++) {
        if (rule_of(zone, i)->live_only && is_up(&zone->workers[i]))
            return true;
    }
    return false;
}

/* True if that could not be asked for. */
static bool stop_one(struct app_zone *zone, size_t worker)
{
    struct error err = {0};
    if (zone_stop(zone->kernel, worker_name(zone, worker), &err) < 0) {
        log_error("%s/%s: stop process %s, which is for the live zone: %s", zone->app->name, colour_name(zone->colour),
                  worker_name(zone, worker), err.text);
        return true;
    }
    log_info("%s/%s: the zone is not live: %s of %s is to stop", zone->app->name, colour_name(zone->colour),
             worker_name(zone, worker), zone->release);
    zone->workers[worker].state = PROCESS_STOPPING;
    return false;
}

static bool stop_unwanted(struct app_zone *zone)
{
    bool failed = false;
    for (size_t i = 1; zone->kernel && !zone->closing && i < worker_count(zone); i++) {
        struct worker *worker = &zone->workers[i];
        if (!rule_of(zone, i)->live_only || is_live(zone))
            continue;
        if (worker->state == PROCESS_RUNNING || worker->state == PROCESS_BACK_OFF)
            failed = stop_one(zone, i) || failed;
        else if (worker->state == PROCESS_ENDED) /* when the zone is live again it has its turn again */
            worker->state = PROCESS_WAITING;
    }
    return failed;
}

/* Its main process was executed, and may go on. */
static bool can_run(const struct app_zone *zone)
{
    if (!zone->kernel || zone->closing || !zone->service || zone->workers[0].state == PROCESS_WAITING)
        return false;
    return zone->state == ZONE_STARTING || zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY ||
           zone->state == ZONE_LIVE || zone->state == ZONE_DRAINING || zone->state == ZONE_STANDBY;
}

static bool start_wanted(struct app_zone *zone, bool others_gone)
{
    bool failed = false;
    for (size_t i = 1; can_run(zone) && i < worker_count(zone); i++) {
        bool wanted = !rule_of(zone, i)->live_only || (is_live(zone) && others_gone);
        struct error err = {0};
        if (!wanted || zone->workers[i].state != PROCESS_WAITING)
            continue;
        if (zone_run_worker(zone, i, &err) < 0) {
            log_error("%s/%s: %s of %s cannot be started: %s; trying again in %d s", zone->app->name,
                      colour_name(zone->colour), worker_name(zone, i), zone->release, err.text, AGAIN_MS / 1000);
            failed = true;
        } else {
            log_info("%s/%s: %s of %s was started, pid %d", zone->app->name, colour_name(zone->colour),
                     worker_name(zone, i), zone->release, worker_app(zone, i) ? (int)worker_app(zone, i)->pid : 0);
        }
    }
    return failed;
}

void on_workers_timer(void *context)
{
    struct app *app = context;
    bool failed = false, others_gone = true;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = zone_of(app, (enum colour)colour);
        failed = stop_unwanted(zone) || failed;
        others_gone = others_gone && (is_live(zone) || !workers_running(zone));
    }
    for (int colour = 0; colour < COLOURS; colour++)
        failed = start_wanted(zone_of(app, (enum colour)colour), others_gone) || failed;
    if (failed)
        loop_timer_arm(app->workers_timer, AGAIN_MS);
}

void workers_schedule(struct app *app)
{
    loop_timer_arm(app->workers_timer, 0);
}
