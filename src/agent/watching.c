/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a release is watched whose clients have just come to it: what it has counted, from the shim, the cgroup and the
 * network namespace, and what its guard says. Apart from bake.c and canary.c, which have it watched and know what to do
 * about a breach.
 */
#include "agent/watching.h"

#include "agent/agent.h"
#include "agent/failover.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/processes.h"
#include "agent/usage.h"
#include "model/wire_status.h"

#include <stdio.h>

/* --- figures -------------------------------------------------------------------------------------------- */

static uint32_t ends_of(const struct app_zone *zone)
{
    uint32_t ends = 0;
    for (size_t i = 0; i < worker_count(zone); i++) {
        const struct zone_app *about = worker_app(zone, i);
        enum wire_process_state state = zone->workers[i].state;
        if (!about)
            continue;
        bool failed = i == 0 || about->signalled || about->value != 0;
        ends += about->restarts + (state == PROCESS_BACK_OFF || (state == PROCESS_ENDED && failed));
    }
    return ends;
}

/* What cannot be read stays as it was; err says why some of it could not. */
static void read_figures(struct app_zone *zone, struct bake_figures *figures, struct error *err)
{
    struct zone_counters counters;
    if (!zone->kernel || zone->closing)
        return;
    usage_sample(zone);
    figures->restarts = ends_of(zone);
    if (zone->usage.known) /* a reading that failed is not a zone without kills */
        figures->oom_kills = zone->usage.oom_kills;
    if (zone_counters(zone->kernel, &counters, err) < 0)
        return;
    figures->resets = counters.resets_sent;
    figures->overflows = counters.listen_overflows;
}

void watching_set_base(struct watching *watching, struct app_zone *zone, struct error *err)
{
    watching->base = (struct bake_figures){0};
    zone->usage_ms = 0; /* read it now, however fresh it is */
    read_figures(zone, &watching->base, err);
}

void watching_resume_base(struct watching *watching, struct app_zone *zone, const struct bake_figures *known)
{
    struct bake_figures now = {0};
    read_figures(zone, &now, NULL);
    watching->base = (struct bake_figures){0};
    if (!zone->kernel) /* it is built again, and counts from nothing */
        return;
    watching->base = *known;
    watching->base.resets = now.resets;
}

void watching_begin(struct watching *watching, const struct app_zone *zone, bool canary)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    bake_watch_start(&watching->watch, &watching->base, now);
    watching->watch.canary = canary;
    watching->guard_due_ms = now + zone->service->bake.guard_interval_ms;
    watching->guard_running = false;
}

bool watching_look(struct watching *watching, struct app_zone *zone, char *why, size_t size)
{
    struct bake_figures figures = watching->watch.now;
    read_figures(zone, &figures, NULL);
    bake_watch_figures(&watching->watch, &figures, loop_now_ms(zone->app->agent->loop));
    return bake_breached(&watching->watch, &zone->service->bake, zone_failing(zone), why, size);
}

/* --- the guard hook ------------------------------------------------------------------------------------- */

void watching_run_guard(struct watching *watching, struct app_zone *zone, hook_done *done)
{
    struct app *app = zone->app;
    bool runs = watching->guard_running && hooks_running(app); /* one that went with its zone tells nothing */
    if (runs || !hook_configured(zone, HOOK_GUARD) || operation_running(app) || !zone->kernel ||
        loop_now_ms(app->agent->loop) < watching->guard_due_ms)
        return;
    watching->guard_running = true;
    hook_run(zone, HOOK_GUARD, "", done, app);
}

void watching_guard_ended(struct watching *watching, const struct app_zone *zone, const struct hook_result *result)
{
    watching->guard_running = false;
    watching->guard_due_ms = loop_now_ms(zone->app->agent->loop) + zone->service->bake.guard_interval_ms;
    bake_watch_guard(&watching->watch, result->ok ? NULL : result->text);
}

void watching_drop_guard(struct watching *watching, struct app *app, hook_done *done)
{
    if (!watching->guard_running)
        return;
    watching->guard_running = false;
    hooks_cancel_for(app, done);
}
