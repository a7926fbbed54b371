/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rehearsal: the standby becomes live under the present load, serves for a moment, and the release that was live
 * before is live again. What follows a failure is the same way back. The zone that was live keeps its connections
 * meanwhile: none is cut, however short [drain] timeout is.
 */
#include "agent/rehearse.h"

#include "agent/agent.h"
#include "agent/drains.h"
#include "agent/failover.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/routing.h"
#include "agent/usage.h"
#include "agent/zones.h"

#include <errno.h>
#include <stdio.h>

enum {
    SERVE_MS = 2000, /* long enough for a probe and for clients to come; as short as can be, as two releases serve */
    LOOK_MS = 100,
};

static struct app_zone *usual(struct app *app)
{
    return zone_of(app, (enum colour)app->operation.from);
}

static struct app_zone *standby(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static bool confirmed(const struct app_zone *zone, uint64_t since_ms)
{
    const struct verdict_tracker *tracker = &zone->tracker;
    return tracker->verdict == VERDICT_HEALTHY && tracker->last.outcome == PROBE_PASS && tracker->probed_ms > since_ms;
}

static uint64_t patience(const struct app_zone *zone)
{
    const struct health *health = &zone->service->health;
    uint32_t probes = health->failures > health->passes ? health->failures : health->passes;
    return SERVE_MS + (uint64_t)health->interval_ms * (probes + 1) + health->timeout_ms;
}

static void count(struct app *app)
{
    struct rehearsal *rehearsal = &app->rehearsal;
    usage_count_connections(usual(app));
    usage_count_connections(standby(app));
    if (usual(app)->tcp_count > rehearsal->most_usual)
        rehearsal->most_usual = usual(app)->tcp_count;
    if (standby(app)->tcp_count > rehearsal->most_standby)
        rehearsal->most_standby = standby(app)->tcp_count;
}

static void on_timer(void *context)
{
    struct app *app = context;
    struct rehearsal *rehearsal = &app->rehearsal;
    uint64_t now = loop_now_ms(app->agent->loop), served = now - rehearsal->switched_ms;
    if (operation_step(app) != STEP_REHEARSE)
        return;
    count(app);
    bool both = confirmed(standby(app), rehearsal->switched_ms) && confirmed(usual(app), rehearsal->switched_ms);
    if (zone_failing(usual(app))) {
        operation_event(app, EVENT_FAILED, zone_failing(usual(app)));
    } else if (served >= SERVE_MS && both) {
        operation_event(app, EVENT_DONE, NULL);
    } else if (served > patience(standby(app)) && served > patience(usual(app))) {
        const struct app_zone *silent = confirmed(standby(app), rehearsal->switched_ms) ? usual(app) : standby(app);
        char reason[WIRE_TEXT_MAX];
        snprintf(reason, sizeof reason, "no probe of %s has passed since %s became live: %.60s", silent->release,
                 standby(app)->release, silent->tracker.last.detail);
        operation_event(app, EVENT_FAILED, reason);
    } else {
        loop_timer_arm(rehearsal->timer, LOOK_MS);
    }
}

void rehearse_enter(struct app *app)
{
    struct rehearsal *rehearsal = &app->rehearsal;
    if (!rehearsal->timer)
        rehearsal->timer = loop_timer_new(app->agent->loop, on_timer, app);
    if (!rehearsal->timer) {
        operation_event(app, EVENT_FAILED, "no memory to watch it");
        return;
    }
    *rehearsal = (struct rehearsal){.timer = rehearsal->timer,
                                    .switched_ms = loop_now_ms(app->agent->loop),
                                    .there_us = app->operation.receipt.transaction_us};
    usual(app)->drain.passive = true;
    progress(app, app->operation.target, "rehearse", "%s serves for %u ms, or longer until both were probed",
             standby(app)->release, SERVE_MS);
    count(app);
    loop_timer_arm(rehearsal->timer, LOOK_MS);
}

/* --- back ------------------------------------------------------------------------------------------------ */

static bool cannot_serve(const struct app_zone *zone)
{
    return !zone->kernel || zone->closing || zone_failing(zone);
}

static bool is_well(const struct app_zone *zone)
{
    return !cannot_serve(zone) && zone->tracker.verdict == VERDICT_HEALTHY;
}

/* One that was just started again is no place to go back to, although it does not fail yet. Where nothing is known of
 * either (a new agent), the usual one it is. */
static bool stays(struct app *app)
{
    return (cannot_serve(usual(app)) && !cannot_serve(standby(app))) || (!is_well(usual(app)) && is_well(standby(app)));
}

static void report(struct app *app)
{
    const struct rehearsal *rehearsal = &app->rehearsal;
    struct operation *operation = &app->operation;
    snprintf(operation->reason, sizeof operation->reason,
             "%s served for %llu ms and %s is live again; transactions %u us there, %u us back; at most %u connections "
             "in %s, %u in %s; both healthy",
             standby(app)->release, (unsigned long long)(loop_now_ms(app->agent->loop) - rehearsal->switched_ms),
             usual(app)->release, rehearsal->there_us, rehearsal->back_us, rehearsal->most_standby,
             standby(app)->release, rehearsal->most_usual, usual(app)->release);
    progress(app, usual(app)->colour, "rehearse", "%s", operation->reason);
}

/* Like after any switch, from here on. */
static void drain_anew(struct app_zone *zone)
{
    if (zone->state != ZONE_DRAINING) /* it was lost, and is another one's place to start */
        return;
    drain_start(zone, zone->app->operation.number);
    record_zone(zone);
}

void rehearse_switch_back(struct app *app)
{
    struct operation *operation = &app->operation;
    struct transaction transaction = {0};
    struct error err = {0};
    if (app->rehearsal.timer)
        loop_timer_disarm(app->rehearsal.timer);
    int result = 0;
    if (stays(app))
        result = error_set(&err, EHOSTDOWN, "%s is not healthy, so %s stays live: %s", usual(app)->release,
                           standby(app)->release, usual(app)->tracker.last.detail);
    else if ((result = routing_switch(app, usual(app)->colour, &transaction, &err)) < 0)
        error_suffix(&err, "; %s is still live: \"bluegreen rollback %s\"", standby(app)->release, app->name);
    if (result < 0) {
        drain_anew(usual(app));
        operation_event(app, EVENT_FAILED, err.text);
        return;
    }
    record_live(app, NULL);
    zone_change(usual(app), CHANGE_GAIN);
    zone_change(standby(app), CHANGE_LOSE);
    operation->switched = false; /* nothing has changed for anybody who waits */
    app->rehearsal.back_us = transaction.microseconds;
    if (operation->failure[0]) {
        operation_event(app, EVENT_FAILED, operation->failure);
        return;
    }
    report(app);
    operation_event(app, EVENT_DONE, NULL);
}

void rehearse_dispose(struct app *app)
{
    loop_timer_free(app->rehearsal.timer);
    app->rehearsal = (struct rehearsal){0};
}
