/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Schema changes: the steps that run the commands of [schema], look whether the live release is still well after them,
 * and keep what came of it in the journal: a record is there before a command begins, and another behind its end. What
 * may be done is model/schema.c's.
 */
#include "agent/schema.h"

#include "agent/agent.h"
#include "agent/hook_steps.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/probing.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/zones.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 100, GATE_SLACK_MS = 500 };

static struct app_zone *target_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

/* The release that clients reach meanwhile; NULL: none. */
static struct app_zone *live_of(struct app *app)
{
    return app->state == APP_RUNNING && app->live >= 0 ? zone_of(app, (enum colour)app->live) : NULL;
}

static bool is_well(const struct app_zone *zone)
{
    const struct verdict_tracker *tracker = &zone->tracker;
    return zone->kernel && !zone->closing && tracker->verdict == VERDICT_HEALTHY && tracker->last.outcome == PROBE_PASS;
}

uint32_t zone_schema_needs(const struct app_zone *zone)
{
    return zone->service ? zone->service->schema_needs : 0;
}

/* --- commands ------------------------------------------------------------------------------------------- */

static enum hook hook_of(enum schema_command command)
{
    switch (command) {
    case SCHEMA_CHECK: return HOOK_CHECK;
    case SCHEMA_CONTRACT: return HOOK_CONTRACT;
    case SCHEMA_REVERT: return HOOK_REVERT;
    default: return HOOK_EXPAND;
    }
}

static void look_at_live(struct app *app);

static void finish(struct app *app, const char *verified)
{
    schema_done(&app->schema, verified, clock_unix_ms());
    record_schema(app, NULL); /* without it the command counts as interrupted, which is on the safe side */
}

/* What to do is for the history and whoever asked, whole; the schema's own status knows that best. */
static void fail(struct app *app, const char *why)
{
    char reason[WIRE_TEXT_MAX + 1], what_to_do[96 + APP_NAME_MAX];
    char *failure = app->schema_run.failure;
    snprintf(what_to_do, sizeof what_to_do, "; \"bluegreen schema %s status\" says what can be done", app->name);
    text_shorten(failure, sizeof app->schema_run.failure - strlen(what_to_do), why);
    snprintf(reason, sizeof reason, "%s", failure);
    text_copy(reason + strlen(reason), sizeof reason - strlen(reason), what_to_do);
    operation_event(app, EVENT_FAILED, reason);
}

static void on_failed(struct app *app, const char *hook, const struct hook_result *result)
{
    char why[2 * WIRE_TEXT_MAX];
    progress(app, app->operation.target, step_name(operation_step(app)), "%s failed: %s", hook, result->text);
    operation_keep_output(app, result->output);
    snprintf(why, sizeof why, "%s failed: %s", hook, result->text);
    fail(app, why);
}

static void on_result(void *context, const struct hook_result *result)
{
    struct app *app = context;
    enum step step = operation_step(app);
    const char *hook = hook_place(hook_of(app->schema_run.command));
    if (!result->ok) {
        on_failed(app, hook, result);
        return;
    }
    progress(app, app->operation.target, step_name(step), "%s passed", hook);
    if (step == STEP_VERIFY) {
        look_at_live(app);
        return;
    }
    if (step != STEP_EXPAND)
        finish(app, "");
    operation_event(app, EVENT_DONE, NULL);
}

static void run(struct app *app, enum schema_command command)
{
    struct app_zone *target = target_of(app);
    app->schema_run.command = command;
    if (schema_moving(&app->schema))
        schema_goes_on(&app->schema, command);
    progress(app, target->colour, step_name(operation_step(app)), "%s of %s runs, for version %u",
             hook_place(hook_of(command)), target->release, app->schema.version);
    hook_run(target, hook_of(command), app->operation.reason, on_result, app);
}

/* The journal knows of it first. False: it does not, and the operation has failed. */
static bool begin(struct app *app, enum schema_command command, uint32_t version)
{
    struct schema before = app->schema;
    struct error err = {0};
    schema_begin(&app->schema, command, version, target_of(app)->release, app->operation.who, clock_unix_ms());
    if (record_schema(app, &err) == 0)
        return true;
    app->schema = before;
    error_prefix(&err, "%s is not begun because it could not be recorded", schema_command_name(command));
    operation_event(app, EVENT_FAILED, err.text);
    return false;
}

/* --- expand and verify ------------------------------------------------------------------------------------ */

static void on_timer(void *context);

/* The live release is looked at again in a moment. */
static void look_later(struct app *app)
{
    if (!app->schema_timer)
        app->schema_timer = loop_timer_new(app->agent->loop, on_timer, app);
    if (app->schema_timer)
        loop_timer_arm(app->schema_timer, LOOK_MS);
    else
        operation_event(app, EVENT_FAILED, "no memory to look at the live release");
}

/* How long it takes until a release that cannot stand the new schema has become unhealthy, or is known not to. */
static bool can_wait(struct app *app, const struct app_zone *live)
{
    const struct health *health = &live->service->health;
    uint64_t patience =
        (uint64_t)health->interval_ms * (health->failures + health->passes) + health->timeout_ms + GATE_SLACK_MS;
    bool ill = live->tracker.verdict == VERDICT_UNHEALTHY || live->lost;
    return !ill && loop_now_ms(app->agent->loop) - app->schema_run.since_ms < patience;
}

/* Where the live release is ill already nobody could tell whether it can work with the new schema. */
static void expand_anyway(struct app *app, const struct app_zone *live)
{
    char reason[WIRE_TEXT_MAX + 128];
    app->schema_run.blind = true;
    if (app->operation.force) {
        progress(app, live->colour, step_name(STEP_EXPAND),
                 "%s is not healthy, so nobody can tell whether the new schema harms it (going on by force)",
                 live->release);
        if (begin(app, SCHEMA_EXPAND, zone_schema_needs(target_of(app))))
            run(app, SCHEMA_EXPAND);
        return;
    }
    snprintf(
        reason, sizeof reason,
        "%s, which is live, is not healthy (%.100s), so nobody could tell whether the new schema harms it; --force "
        "goes on",
        live->release, live->tracker.last.detail);
    operation_event(app, EVENT_FAILED, reason);
}

/* A new agent knows nothing of the live release yet. */
static void expand_when_well(struct app *app)
{
    struct app_zone *live = live_of(app);
    if (live && live->service && !is_well(live)) {
        if (!can_wait(app, live))
            expand_anyway(app, live);
        else
            look_later(app);
        return;
    }
    if (begin(app, SCHEMA_EXPAND, zone_schema_needs(target_of(app))))
        run(app, SCHEMA_EXPAND);
}

void schema_expand(struct app *app)
{
    app->schema_run = (struct schema_run){.since_ms = loop_now_ms(app->agent->loop)};
    if (zone_schema_needs(target_of(app)) <= app->schema.expanded)
        operation_event(app, EVENT_DONE, NULL);
    else
        expand_when_well(app);
}

static void verified(struct app *app, const char *release)
{
    if (schema_moving(&app->schema)) {
        finish(app, release);
        log_notice("%s: the schema is expanded to version %u; %s%s", app->name, app->schema.expanded,
                   release[0] ? release : "nothing that is live", release[0] ? " is healthy on it" : " could be asked");
    }
    operation_event(app, EVENT_DONE, NULL);
}

/* As many checks as make a release healthy have had their time since, and the last one passed. */
static bool confirmed(const struct app_zone *zone, uint64_t since_ms)
{
    const struct health *health = &zone->service->health;
    return is_well(zone) && zone->tracker.probed_ms > since_ms + (uint64_t)health->interval_ms * (health->passes - 1);
}

static void verify_when_known(struct app *app)
{
    struct app_zone *live = live_of(app);
    char why[2 * WIRE_TEXT_MAX];
    if (!live || !live->service) {
        verified(app, "");
    } else if (confirmed(live, app->schema_run.since_ms)) {
        progress(app, live->colour, step_name(STEP_VERIFY), "%s is healthy on version %u: the way back", live->release,
                 app->schema.version);
        verified(app, live->release);
    } else if (can_wait(app, live)) {
        look_later(app);
    } else {
        snprintf(why, sizeof why, "%s, which is live, is not healthy on version %u of the schema: %s", live->release,
                 app->schema.version, live->tracker.last.detail);
        fail(app, why);
    }
}

static void on_timer(void *context)
{
    struct app *app = context;
    if (operation_step(app) == STEP_EXPAND)
        expand_when_well(app);
    else if (operation_step(app) == STEP_VERIFY)
        verify_when_known(app);
}

static void look_at_live(struct app *app)
{
    struct app_zone *live = live_of(app);
    if (schema_moving(&app->schema))
        schema_goes_on(&app->schema, SCHEMA_VERIFY);
    if (!live || !live->service || app->schema_run.blind) {
        verified(app, "");
        return;
    }
    app->schema_run.since_ms = loop_now_ms(app->agent->loop);
    progress(app, live->colour, step_name(STEP_VERIFY), "is %s still healthy?", live->release);
    probing_now(live);
    look_later(app);
}

void schema_verify(struct app *app)
{
    bool asked = app->operation.verb == VERB_SCHEMA && app->operation.action == WIRE_SCHEMA_CHECK;
    if (asked)
        app->schema_run.blind = app->operation.force;
    if (asked && app->schema.state == SCHEMA_BROKEN && !begin(app, SCHEMA_CHECK, app->schema.version))
        return;
    if (!asked && app->schema.state != SCHEMA_EXPANDING)
        operation_event(app, EVENT_DONE, NULL);
    else if (hook_configured(target_of(app), HOOK_CHECK))
        run(app, SCHEMA_CHECK);
    else
        look_at_live(app);
}

/* --- contract and revert ------------------------------------------------------------------------------------ */

void schema_retire(struct app *app)
{
    struct app_zone *other = zone_of(app, colour_other(app->operation.target));
    struct schema_around around;
    schema_look_around(app, &around);
    if (!schema_leaves_behind(&app->schema, &around.other)) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    progress(app, other->colour, step_name(STEP_RETIRE), "removing %s, which needs the schema as it was",
             other->release);
    zone_change(other, CHANGE_REMOVE);
    if (!zone_busy(other))
        operation_event(app, EVENT_DONE, NULL);
}

void schema_contract(struct app *app)
{
    if (begin(app, SCHEMA_CONTRACT, app->schema.expanded))
        run(app, SCHEMA_CONTRACT);
}

void schema_revert(struct app *app)
{
    if (begin(app, SCHEMA_REVERT, app->schema.version))
        run(app, SCHEMA_REVERT);
}

/* --- around an operation -------------------------------------------------------------------------------------- */

void schema_step_leave(struct app *app)
{
    if (app->schema_timer)
        loop_timer_disarm(app->schema_timer);
    hooks_cancel_for(app, on_result);
}

void schema_operation_failed(struct app *app, const char *reason)
{
    char *failure = app->schema_run.failure;
    if (schema_moving(&app->schema)) {
        schema_failed(&app->schema, failure[0] ? failure : reason, clock_unix_ms());
        record_schema(app, NULL);
        log_error("%s: the schema is broken: %s for version %u: %s", app->name,
                  schema_command_name(app->schema.command), app->schema.version, reason);
    }
    failure[0] = '\0';
}

void schema_operation_done(struct app *app)
{
    struct operation *operation = &app->operation;
    char stands[WIRE_TEXT_MAX + 1];
    if (operation->verb != VERB_SCHEMA)
        return;
    schema_describe(&app->schema, stands, sizeof stands);
    snprintf(operation->reason, sizeof operation->reason, "%s: the schema is %.200s",
             wire_action_name(operation->action), stands);
    if (operation->staged) /* it was only there for the command */
        zone_change(target_of(app), CHANGE_REMOVE);
}

void schema_recover(struct app *app, const struct schema *known)
{
    app->schema = *known;
    if (!schema_moving(known))
        return;
    schema_operation_failed(app, "the agent ended while it ran, and nobody knows how far it came");
}

void schema_dispose(struct app *app)
{
    loop_timer_free(app->schema_timer);
    app->schema_timer = NULL;
}
