/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the journal and the kernel have to say of an app, made one: an operation that a crash interrupted is finished if
 * its transaction took place, and undone if not. Apart from recovery.c, which has the zones that this decides about.
 */
#include "agent/recovery.h"

#include "agent/apps.h"
#include "agent/failover.h"
#include "agent/holding.h"
#include "agent/hook_steps.h"
#include "agent/records.h"
#include "agent/schema.h"
#include "agent/zones.h"
#include "os/log.h"

#include <stdio.h>

static bool can_switch(enum wire_verb verb)
{
    return verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK || verb == VERB_START ||
           verb == VERB_FAILOVER;
}

/* The transaction took place although the journal could not say so any more. False: nobody knows what that zone
 * serves. */
static bool finish_switch(struct app *app, enum colour to)
{
    struct error err = {0};
    if (!app->zones[to].service && recovery_load_configuration(zone_of(app, to), &err) < 0) {
        log_error("%s/%s: %s; what was live before is live again", app->name, colour_name(to), err.text);
        return false;
    }
    log_notice("%s: the switch to %s (%s) had taken place before the agent ended; it is finished", app->name,
               colour_name(to), app->zones[to].release);
    app->live = to;
    app->state = APP_RUNNING;
    record_live(app, NULL);
    record_app_state(app, NULL);
    return true;
}

static void correct(struct app_zone *zone, enum zone_state state)
{
    if (zone->state == state)
        return;
    zone->state = state;
    zone->since_unix_ms = clock_unix_ms();
    record_zone(zone);
}

static bool zone_had_turn(const struct app_zone *zone)
{
    return zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY || zone->state == ZONE_STOPPED;
}

/* The zones' states follow from the app's, also where some of their records could not be written. */
static void correct_zones(struct app *app)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        bool live = app->state == APP_RUNNING && colour == app->live;
        if (live && zone->service)
            correct(zone, ZONE_LIVE);
        else if (!live && app_holds(app) && app->state == APP_RUNNING && zone_had_turn(zone))
            correct(zone, ZONE_RESTING); /* the two are never started both */
        else if (!live && zone->state == ZONE_LIVE && app->state == APP_RUNNING)
            correct(zone, ZONE_DRAINING);
        else if (app->state == APP_STOPPED && recovery_keeps(zone->state))
            correct(zone, ZONE_STOPPED);
    }
}

/* A zone that was only staged when the agent died goes, with the reason. One whose place was to be taken stays. */
static void undo_staging(struct app *app, enum colour target)
{
    struct app_zone *zone = zone_of(app, target);
    bool staged = zone->state == ZONE_STAGING || zone->state == ZONE_STARTING || zone->state == ZONE_HEALTHY ||
                  zone->state == ZONE_UNHEALTHY;
    bool not_ours = app->operation.verb == VERB_SCHEMA && zone->state != ZONE_STAGING; /* it was there before */
    if (!staged || not_ours || (int)target == app->live)
        return;
    zone_set_reason(zone, "the agent ended while %s was being deployed", zone->release);
    zone->state = ZONE_FAILED;
    record_zone(zone);
}

/* When the operation began, by the monotonic clock: below zero, modulo, if the host was booted since then. */
static uint64_t begun_ms_of(uint64_t begun_unix_ms)
{
    uint64_t now = clock_unix_ms();
    return clock_monotonic_ms() - (now > begun_unix_ms ? now - begun_unix_ms : 0);
}

static void restore_operation(struct app *app, const struct folded_app *folded)
{
    const struct record *operation = &folded->operation;
    app->operation = (struct operation){.verb = operation->verb,
                                        .number = operation->operation,
                                        .target = (enum colour)operation->to,
                                        .from = operation->from,
                                        .begun_unix_ms = operation->unix_ms,
                                        .begun_ms = begun_ms_of(operation->unix_ms)};
    text_copy(app->operation.release, sizeof app->operation.release, operation->release);
    text_copy(app->operation.who, sizeof app->operation.who, operation->who);
    if (operation->verb == VERB_ROLLBACK && folded->bake.until_unix_ms && (int)folded->bake.zone == operation->from)
        text_copy(app->operation.reason, sizeof app->operation.reason, folded->bake.reason);
    if (operation->verb == VERB_FAILOVER && operation->from >= 0)
        text_copy(app->operation.reason, sizeof app->operation.reason, folded->zones[operation->from].mark_reason);
}

/* The standby of a rehearsal serves: the rest of the plan is the way back, taken when the zones are there again. */
static bool resume_rehearsal(struct app *app, int kernel_live)
{
    struct operation *operation = &app->operation;
    bool there = app->state == APP_RUNNING && operation->from >= 0 &&
                 (kernel_live == (int)operation->target || (kernel_live < 0 && app->live == (int)operation->target));
    if (operation->verb != VERB_REHEARSE || !there || !recovery_keeps(app->zones[operation->from].state) ||
        (app->live != (int)operation->target && !finish_switch(app, operation->target)))
        return false;
    operation->plan = plan_of(VERB_REHEARSE);
    while (operation->plan[operation->at] != STEP_REHEARSE)
        operation->at++;
    text_copy(operation->failure, sizeof operation->failure, "the agent ended in the middle of it");
    return true;
}

/* stop and remove are finished, not undone: the operator wanted it, and half of it may have happened. */
static void finish_stop(struct app *app, enum wire_verb verb)
{
    if (verb == VERB_STOP)
        app->state = APP_STOPPED;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        bool keep = verb == VERB_STOP &&
                    (zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING ||
                     zone->state == ZONE_FROZEN || zone->state == ZONE_STOPPED || zone->state == ZONE_RESTING);
        zone->state = keep ? ZONE_STOPPED : zone->state == ZONE_FAILED ? ZONE_FAILED : ZONE_ABSENT;
        record_zone(zone);
    }
    if (verb == VERB_STOP) {
        record_app_state(app, NULL);
        return;
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        recovery_clean(&app->zones[colour]);
        app->zones[colour].release[0] = app->zones[colour].reason[0] = '\0';
    }
    if (app_forget(app, NULL) == 0)
        return;
    app->live = -1;
    app->state = APP_EMPTY;
}

static void resolve_operation(struct app *app, const struct folded_app *folded, int kernel_live)
{
    const struct record *operation = &folded->operation;
    if (!folded->interrupted || operation->to < 0)
        return;
    restore_operation(app, folded);
    if (resume_rehearsal(app, kernel_live) || hold_resume(app, folded, kernel_live))
        return;
    bool recorded = app->live == operation->to && app->state == APP_RUNNING;
    bool switched = can_switch(operation->verb) && (kernel_live == operation->to || recorded) &&
                    finish_switch(app, (enum colour)operation->to);
    if (!switched && plan_undoes_staging(operation->verb))
        undo_staging(app, (enum colour)operation->to);
    if (switched && operation->verb == VERB_FAILOVER && operation->from >= 0)
        zone_set_mark(zone_of(app, (enum colour)operation->from), MARK_LEFT, app->operation.reason);
    bool shared = folded->canary.share > 0 && folded->canary.operation == app->operation.number;
    if (shared)
        snprintf(app->operation.reason, sizeof app->operation.reason, "canary %u%%", folded->canary.share);
    bool stopping = operation->verb == VERB_STOP || operation->verb == VERB_REMOVE;
    if (stopping)
        finish_stop(app, operation->verb);
    /* Only its END is missing. */
    bool schema_done = operation->verb == VERB_SCHEMA && schema_completed_since(&folded->schema, operation->unix_ms);
    bool finished = switched || stopping || shared || schema_done;
    bool bad = switched && folded->bake.until_unix_ms && (int)folded->bake.zone == operation->to;
    const char *breach = bad && folded->bake.reason[0] ? folded->bake.reason : NULL; /* it failed behind its switch */
    record_end(app, finished && !breach, finished ? breach : "the agent ended before it was done; it was undone");
    if (switched && !breach)
        hook_tell(app); /* it runs when the zone is there again */
    log_notice("%s: \"%s %s\" was interrupted and is now %s", app->name, verb_name(operation->verb), operation->release,
               finished ? "finished" : "undone");
    app->operation = (struct operation){.number = switched ? app->operation.number : 0}; /* its drain has it */
}

static int read_kernel_live(struct app *app)
{
    struct error err = {0};
    int live = -1;
    if (traffic_read_live(app->agent->traffic, app->name, &live, &err) < 0)
        log_warning("%s: what the kernel has live: %s; the journal is believed", app->name, err.text);
    return live;
}

void recovery_resolve(struct app *app, const struct folded_app *folded)
{
    int kernel_live = read_kernel_live(app);
    schema_recover(app, &folded->schema);
    resolve_operation(app, folded, kernel_live);
    if (app->operation.back)
        return;
    /* A rollback may have gone ahead without a journal. */
    if (app->state == APP_RUNNING && kernel_live >= 0 && kernel_live != app->live &&
        recovery_keeps(app->zones[kernel_live].state))
        finish_switch(app, (enum colour)kernel_live);
    correct_zones(app);
}
