/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canary: the zone that is not live gets a share of the new connections, and loses it at the first breach
 * (canary_watch.c) or when something else happens to its zone. The other zone stays what is live, in the journal and
 * for everything else here. Apart from bake.c because a bake's way back is a rollback, and this one is a share that
 * becomes nothing.
 */
#include "agent/canary.h"

#include "agent/agent.h"
#include "agent/drains.h"
#include "agent/hooks.h"
#include "agent/incidents.h"
#include "agent/keeping.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/routing.h"
#include "agent/waiting.h"
#include "agent/watching.h"
#include "agent/zones.h"
#include "model/wire_answers.h"
#include "os/log.h"

#include <stdio.h>

bool canary_runs(const struct app *app)
{
    return app->canary.percent > 0;
}

struct app_zone *canary_zone(struct app *app)
{
    return canary_runs(app) ? zone_of(app, colour_other((enum colour)app->live)) : NULL;
}

/* --- the share ----------------------------------------------------------------------------------------- */

static void record_share(struct app *app, enum colour zone, uint8_t percent, const char *reason)
{
    const struct canary_run *canary = &app->canary;
    struct record record;
    if (!app->indexed)
        return;
    record_init(&record, RECORD_CANARY, app->name);
    record.zone = (int8_t)zone;
    record.share = percent;
    if (percent > 0) {
        record.sticky = canary->sticky;
        record.begun_unix_ms = canary->since_unix_ms;
        record.operation = canary->operation;
        record.restarts = canary->watching.base.restarts;
        record.oom_kills = canary->watching.base.oom_kills;
        record.overflows = canary->watching.base.overflows;
    } else if (drain_runs(zone_of(app, zone))) {
        drain_tell(zone_of(app, zone), &record);
    }
    text_copy(record.reason, sizeof record.reason, reason);
    agent_record(app->agent, &record, NULL);
}

void canary_record(struct app *app)
{
    if (app->live >= 0)
        record_share(app, colour_other((enum colour)app->live), app->canary.percent, "");
}

static void rest(struct app *app)
{
    struct canary_run *canary = &app->canary;
    canary_unwatch(app);
    canary->percent = 0;
    changed(app->agent);
    keeping_schedule(app);
}

/* Of a share that it had before. Whoever watches it goes on. */
static void end_drain(struct app_zone *zone)
{
    const struct app *app = zone->app;
    char why[WIRE_TEXT_MAX];
    snprintf(why, sizeof why, "%s has a share of the connections again, as %.60s asked for: its drain is over",
             zone->release, app->operation.who);
    if (drain_runs(zone))
        drain_stop(zone, why);
}

/* The record comes first, here and where the share ends. What comes to the zone in between and finds no agent is not
 * forgotten by the next one, which would fence it at once: it gives the share, or drains. */
static int begin(struct app *app, struct transaction *transaction, struct error *err)
{
    const struct operation *operation = &app->operation;
    struct canary_run *canary = &app->canary;
    struct app_zone *zone = zone_of(app, operation->target);
    bool first = !canary_runs(app), was_sticky = canary->sticky;
    uint64_t former = canary->operation;
    canary->operation = operation->number;
    canary->sticky = operation->sticky || (!first && was_sticky);
    if (first) {
        canary->since_unix_ms = clock_unix_ms();
        watching_set_base(&canary->watching, zone, NULL);
    }
    record_share(app, zone->colour, operation->share, "");
    int result = routing_share(app, operation->share, canary->sticky, transaction, err);
    if (result < 0) {
        canary->operation = former;
        canary->sticky = was_sticky;
        record_share(app, zone->colour, canary->percent, "it could not be given");
        return result;
    }
    end_drain(zone);
    if (first && !canary_watch(app))
        log_error("%s: no memory to watch the canary %s", app->name, zone->release);
    return 0;
}

/* The operation that its drain belongs to: the one that takes the share away, or, where nobody asked, the one that had
 * given it. */
static uint64_t ends_by(const struct app *app)
{
    const struct operation *operation = &app->operation;
    bool asked = operation_running(app) && operation->canary && operation->share == 0;
    return asked ? operation->number : app->canary.operation;
}

/* The drain first: what its connections need is open as long as that lasts. */
int canary_leave(struct app_zone *zone, const char *reason, struct transaction *transaction, struct error *err)
{
    struct app *app = zone->app;
    drain_start(zone, ends_by(app));
    record_share(app, zone->colour, 0, reason);
    int result = routing_share(app, 0, false, transaction, err);
    if (result < 0) {
        drain_stop(zone, "its share could not be taken away");
        record_share(app, zone->colour, app->canary.percent, "");
        return result;
    }
    rest(app);
    return 0;
}

/* --- operations ---------------------------------------------------------------------------------------- */

static void take_figures(struct app *app, const struct transaction *transaction)
{
    struct wire_receipt *receipt = &app->operation.receipt;
    receipt->transaction_us = transaction->microseconds ? transaction->microseconds : 1;
    receipt->generation_before = transaction->generation_before;
    receipt->generation_after = transaction->generation_after;
}

static void enter_back(struct app *app)
{
    struct operation *operation = &app->operation;
    struct transaction transaction = {0};
    struct error err = {0};
    struct app_zone *zone = canary_zone(app), *live = zone_of(app, operation->target);
    uint8_t percent = app->canary.percent;
    if (!zone) { /* lost a moment ago */
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    snprintf(operation->reason, sizeof operation->reason, "the canary %s is taken back from %u%%", zone->release,
             percent);
    if (canary_leave(zone, operation->reason, &transaction, &err) < 0) {
        operation_event(app, EVENT_FAILED, err.text);
        return;
    }
    take_figures(app, &transaction);
    progress(app, zone->colour, "share", "%s had %u%% of new connections and has none, transaction %u us",
             zone->release, percent, transaction.microseconds);
    char reason[2 * WIRE_TEXT_MAX];
    snprintf(reason, sizeof reason, "%s, asked for by %s", operation->reason, operation->who);
    if (hook_configured(live, HOOK_ON_ROLLBACK))
        hook_run(live, HOOK_ON_ROLLBACK, reason, NULL, NULL);
    operation_event(app, EVENT_DONE, NULL);
}

void canary_enter(struct app *app)
{
    struct operation *operation = &app->operation;
    struct transaction transaction = {0};
    struct error err = {0};
    if (operation->share == 0) {
        enter_back(app);
        return;
    }
    if (begin(app, &transaction, &err) < 0) {
        operation_event(app, EVENT_FAILED, err.text);
        return;
    }
    take_figures(app, &transaction);
    snprintf(operation->reason, sizeof operation->reason, "canary %u%%%s", app->canary.percent,
             app->canary.sticky ? ", sticky" : "");
    progress(app, operation->target, "share", "%s has %u%% of new %s, transaction %u us",
             zone_of(app, operation->target)->release, app->canary.percent,
             app->canary.sticky ? "clients" : "connections", transaction.microseconds);
    operation_event(app, EVENT_DONE, NULL);
}

void canary_done_text(const struct app *app, char *text, size_t size)
{
    const struct operation *operation = &app->operation;
    if (operation->share == 0)
        snprintf(text, size, "%s", operation->reason[0] ? operation->reason : "the canary had ended already");
    else
        snprintf(
            text, size,
            "%s in %s has %u%% of new %s: \"bluegreen switch %s\" gives it all, \"bluegreen abort %s\" takes them back",
            app->zones[operation->target].release, colour_name(operation->target), app->canary.percent,
            app->canary.sticky ? "clients" : "connections", app->name, app->name);
}

int canary_take_back(struct app *app, const char *asker, struct error *err)
{
    enum colour live = (enum colour)app->live;
    int result = operation_begin(app, VERB_ROLLBACK, live, app->zones[live].release, false, asker, err);
    if (result < 0)
        return result;
    app->operation.canary = true;
    app->operation.plan = plan_of_canary(true);
    return 0;
}

/* --- others change what it is about ---------------------------------------------------------------------- */

void canary_over(struct app *app)
{
    rest(app);
}

/* At once, before what the change does to the zone. */
void canary_zone_changes(struct app_zone *zone, enum zone_change change, enum zone_state next)
{
    struct app *app = zone->app;
    struct error err = {0};
    bool stays = next == ZONE_HEALTHY || next == ZONE_UNHEALTHY || next == ZONE_STANDBY;
    if (zone != canary_zone(app) || (stays && change != CHANGE_LOST))
        return;
    uint8_t percent = app->canary.percent;
    const char *why = change == CHANGE_LOST ? "its shim died, and everything in it" : "its zone is removed";
    app->canary.percent = 0;
    record_share(app, zone->colour, 0, why);
    rest(app);
    if (routing_apply(app->agent, NULL, &err) < 0)
        log_error("%s: take the canary %s out of the rule set: %s", app->name, zone->release, err.text);
    log_error("%s/%s: the canary %s had %u%% of new connections and has none: %s", app->name, colour_name(zone->colour),
              zone->release, percent, why);
    if (change == CHANGE_LOST)
        incident_record(zone, INCIDENT_BREACH, "the canary %s is taken back from %u%%: %s", zone->release, percent,
                        why);
}

static bool is_staged(const struct app_zone *zone)
{
    return zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY || zone->state == ZONE_STANDBY;
}

/* By the new agent: what the former one had sent there is drained, if it is there still. */
static void give_back(struct app *app, const struct folded_canary *from, const char *why, bool there)
{
    if (there)
        drain_start(zone_of(app, from->zone), from->operation);
    record_share(app, from->zone, 0, why);
    log_warning("%s: the canary in %s had %u%% of new connections and has none: %s", app->name, colour_name(from->zone),
                from->share, why);
}

void canary_recover(struct app *app, const struct folded_app *folded)
{
    const struct folded_canary *from = &folded->canary;
    const struct record *operation = &folded->operation;
    if (from->share == 0)
        return;
    struct app_zone *zone = zone_of(app, from->zone);
    /* Somebody was taking it back: that is finished, not undone. */
    bool unwanted = folded->interrupted && operation->verb == VERB_ROLLBACK && operation->to == app->live;
    bool there = app->state == APP_RUNNING && app->live >= 0 && app->live != (int)from->zone && is_staged(zone) &&
                 zone->kernel && zone->service;
    if (!there || unwanted) {
        give_back(app, from, unwanted ? "it was being taken back" : "its zone was gone", there);
        return;
    }
    app->canary = (struct canary_run){.percent = from->share,
                                      .sticky = from->sticky,
                                      .since_unix_ms = from->since_unix_ms,
                                      .operation = from->operation};
    const struct bake_figures base = {
        .restarts = from->restarts, .oom_kills = from->oom_kills, .overflows = from->overflows};
    watching_resume_base(&app->canary.watching, zone, &base);
    if (!canary_watch(app))
        log_error("%s: no memory to watch the canary %s", app->name, zone->release);
    log_notice("%s/%s: the canary %s goes on with %u%% of new connections", app->name, colour_name(zone->colour),
               zone->release, from->share);
}

void canary_dispose(struct app *app)
{
    loop_timer_free(app->canary.timer);
    app->canary = (struct canary_run){0};
}
