/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is watched of a canary, and how it loses its share when that is bad. Apart from canary.c, which gives the share
 * and takes it, whoever asks for that. */
#include "agent/canary.h"

#include "agent/agent.h"
#include "agent/failover.h"
#include "agent/hooks.h"
#include "agent/incidents.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/watching.h"
#include "os/log.h"

#include <stdio.h>

enum { LOOK_MS = 1000 }; /* exits and probes are looked at when they happen */

/* Somebody is about to give it more, or all: not what was found bad meanwhile, unless they insist. */
static void stop_raising(const struct app_zone *zone, const char *why)
{
    struct app *app = zone->app;
    const struct operation *operation = &app->operation;
    if (operation_running(app) && operation->verb == VERB_SWITCH && operation->target == zone->colour &&
        !operation_insists(app))
        operation_event(app, EVENT_BAD, why);
}

/* Loud, and in the history; the release stays where it is, for a look. */
static void give_up(struct app_zone *zone)
{
    struct app *app = zone->app;
    struct canary_run *canary = &app->canary;
    struct app_zone *live = zone_of(app, (enum colour)app->live);
    struct transaction transaction = {0};
    struct error err = {0};
    char text[2 * WIRE_TEXT_MAX];
    uint8_t percent = canary->percent;
    zone_set_mark(zone, MARK_BAD, canary->breach); /* first: what has no share any more may be given one again */
    if (canary_leave(zone, canary->breach, &transaction, &err) < 0) {
        log_error("%s/%s: the canary %s is bad and KEEPS ITS SHARE: %s; it is tried again", app->name,
                  colour_name(zone->colour), zone->release, err.text);
        loop_timer_arm(canary->timer, LOOK_MS);
        return;
    }
    snprintf(text, sizeof text, "the canary %s is taken back from %u%%: %.300s", zone->release, percent,
             canary->breach);
    log_error("%s/%s: %s", app->name, colour_name(zone->colour), text);
    incident_record(zone, INCIDENT_BREACH, "%.*s", WIRE_TEXT_MAX, text);
    progress(app, zone->colour, "share", "%s", text);
    if (hook_configured(live, HOOK_ON_ROLLBACK))
        hook_run(live, HOOK_ON_ROLLBACK, text, NULL, NULL);
    stop_raising(zone, text);
}

static void look(struct app_zone *zone)
{
    struct canary_run *canary = &zone->app->canary;
    if (!zone->service || !canary->timer)
        return;
    if (!canary->breach[0]) {
        if (!watching_look(&canary->watching, zone, canary->breach, sizeof canary->breach))
            return;
        text_sanitise(canary->breach);
    }
    give_up(zone);
}

void canary_look(struct app_zone *zone)
{
    if (zone == canary_zone(zone->app))
        look(zone);
}

void canary_probed(struct app_zone *zone)
{
    if (zone != canary_zone(zone->app))
        return;
    bake_watch_probe(&zone->app->canary.watching.watch, &zone->tracker.last);
    look(zone);
}

static void on_guard(void *context, const struct hook_result *result)
{
    struct app *app = context;
    struct app_zone *zone = canary_zone(app);
    if (!app->canary.watching.guard_running || !zone)
        return;
    watching_guard_ended(&app->canary.watching, zone, result);
    look(zone);
}

void canary_make_way(struct app *app)
{
    watching_drop_guard(&app->canary.watching, app, on_guard);
}

static void on_timer(void *context)
{
    struct app *app = context;
    struct app_zone *zone = canary_zone(app);
    if (zone)
        look(zone);
    if (!zone || !canary_runs(app))
        return;
    if (!app->canary.breach[0])
        watching_run_guard(&app->canary.watching, zone, on_guard);
    loop_timer_arm(app->canary.timer, LOOK_MS);
}

bool canary_watch(struct app *app)
{
    struct canary_run *canary = &app->canary;
    if (!canary->timer)
        canary->timer = loop_timer_new(app->agent->loop, on_timer, app);
    if (!canary->timer)
        return false;
    watching_begin(&canary->watching, canary_zone(app), true);
    canary->breach[0] = '\0';
    loop_timer_arm(canary->timer, LOOK_MS);
    return true;
}

void canary_unwatch(struct app *app)
{
    canary_make_way(app);
    if (app->canary.timer)
        loop_timer_disarm(app->canary.timer);
}
