/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each step of an operation does when it is entered. Each ends in operation_event, now or when something
 * happened. */
#include "agent/steps.h"

#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/feeding.h"
#include "agent/groups.h"
#include "agent/holding.h"
#include "agent/hook_steps.h"
#include "agent/host.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/operations.h"
#include "agent/parity.h"
#include "agent/probing.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/rehearse.h"
#include "agent/routing.h"
#include "agent/schema.h"
#include "agent/testing.h"
#include "agent/usage.h"
#include "agent/waiting.h"
#include "agent/zones.h"
#include "model/memory.h"
#include "model/wire_answers.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    GATE_SLACK_MS = 500, /* for the probe's way there and back */
    GATE_BY_AGENT_MS = 5000,
};

static struct app_zone *target_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static void done_or_failed(struct app *app, int result, const struct error *err)
{
    operation_event(app, result < 0 ? EVENT_FAILED : EVENT_DONE, result < 0 ? err->text : NULL);
}

static void enter_clear(struct app *app)
{
    struct app_zone *target = target_of(app);
    if (target->state != ZONE_ABSENT) {
        if (zone_busy(target))
            progress(app, target->colour, "clear", "removing %s", target->release);
        zone_change(target, CHANGE_REMOVE);
    }
    if (!zone_busy(target))
        operation_event(app, EVENT_DONE, NULL);
}

/* Two releases need the memory of two. Looked at before the old standby goes: a refusal costs nothing. */
static void enter_memory(struct app *app)
{
    struct app_zone *target = target_of(app),
                    *live = app->operation.from >= 0 ? zone_of(app, (enum colour)app->operation.from) : NULL;
    struct memory_balance balance = {.available = zone_host_memory_available(app->agent->zone_host),
                                     .limit = app->service->limits.memory};
    char figures[MEMORY_TEXT_MAX], reason[MEMORY_TEXT_MAX + 128];
    usage_sample(target);
    if (target->kernel)
        balance.given_back = target->usage.memory;
    if (live && live->kernel) {
        usage_sample(live);
        balance.live = live->usage.memory;
    }
    if (memory_suffices(&balance)) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    memory_text(&balance, figures);
    if (app->operation.force) {
        progress(app, target->colour, "memory", "%s (going on by force)", figures);
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    snprintf(reason, sizeof reason,
             "not enough memory for two releases: %s; free some, give the new one less ([limits] memory), or go on "
             "with --force",
             figures);
    operation_event(app, EVENT_FAILED, reason);
}

static int build_target(struct app *app, struct error *err)
{
    struct app_zone *target = target_of(app);
    app->operation.staged = true;
    text_copy(target->release, sizeof target->release, app->operation.release);
    target->reason[0] = '\0';
    memset(target->incidents, 0, sizeof target->incidents);
    int result = zone_keep_configuration(target, app->service, err);
    if (result == 0)
        result = zone_load_configuration(target, err);
    if (result < 0)
        return result;
    target->unseeded = feeding_seeds(target);
    zone_change(target, CHANGE_STAGE);
    result = zone_build(target, false, err);
    if (result == 0)
        result = routing_apply(app->agent, NULL, err);
    return result;
}

static uint64_t log_size(const struct app *app)
{
    char path[PATH_MAX];
    struct stat log;
    bool there = zone_log_path_of(app->agent->zone_host, app->name, app->operation.target, path, sizeof path) &&
                 stat(path, &log) == 0;
    return there ? (uint64_t)log.st_size : 0;
}

static void enter_build(struct app *app)
{
    struct error err = {0};
    app->operation.log_before = log_size(app);
    progress(app, app->operation.target, "build", "network namespace, links, cgroup");
    int result = build_target(app, &err);
    done_or_failed(app, result, &err);
}

static void enter_start(struct app *app)
{
    struct app_zone *target = target_of(app);
    struct error err = {0};
    int result = zone_run_app(target, &err);
    if (result == 0) {
        progress(app, target->colour, "start", "%s runs, pid %d", target->release, (int)zone_app(target->kernel)->pid);
        zone_change(target, CHANGE_STARTED);
    }
    done_or_failed(app, result, &err);
}

static void enter_health(struct app *app)
{
    loop_timer_arm(app->step_timer, target_of(app)->service->health.start_timeout_ms);
    progress(app, app->operation.target, "health", "waiting for the first check");
}

static void enter_gate(struct app *app)
{
    struct app_zone *target = target_of(app);
    const struct health *health = &target->service->health;
    const struct verdict_tracker *tracker = &target->tracker;
    if (target->state == ZONE_FROZEN) {
        progress(app, target->colour, "gate", "%s is thawed", target->release);
        zone_change(target, CHANGE_THAW);
    }
    if (app->operation.force) {
        progress(app, target->colour, "gate", "passed by force; the last probe said: %s", tracker->last.detail);
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    uint64_t now = clock_monotonic_ms();
    bool fresh = verdict_fresh(tracker, health, now);
    if (fresh && tracker->verdict == VERDICT_HEALTHY && tracker->last.outcome == PROBE_PASS) {
        progress(app, target->colour, "gate", "%s is healthy: %s, %llu ms ago", target->release, tracker->last.detail,
                 (unsigned long long)(now - tracker->probed_ms));
        operation_event(app, EVENT_GOOD, NULL);
        return;
    }
    if (fresh && tracker->verdict == VERDICT_UNHEALTHY) {
        char reason[WIRE_TEXT_MAX + 64];
        snprintf(reason, sizeof reason, "%s is not healthy: %s; --force switches all the same", target->release,
                 tracker->last.detail);
        operation_event(app, EVENT_BAD, reason);
        return;
    }
    uint64_t patience = (uint64_t)health->interval_ms * health->failures + health->timeout_ms + GATE_SLACK_MS;
    if (app->operation.by_agent && patience > GATE_BY_AGENT_MS) /* what is live is bad, and nobody looks */
        patience = GATE_BY_AGENT_MS;
    loop_timer_arm(app->step_timer, patience);
    probing_now(target);
}

/* Looked at before an app's first switch: later the live release shares whatever the packets meet. */
static void enter_firewall(struct app *app)
{
    CLEANUP_WORDS struct words findings = {0};
    struct error err = {0};
    if (app->operation.from >= 0) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    if (app->agent->conf.firewall_integrate)
        host_firewall_accept(app->agent);
    if (host_firewall_look(app->agent, app, &findings, &err) < 0) {
        log_warning("%s: look at the host's firewall: %s", app->name, err.text);
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    if (findings.count == 0) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    CLEANUP_TEXT struct text reason = {0};
    text_add(&reason, "the host's firewall would drop what clients send");
    if (!app->operation.force)
        text_add(&reason, "; mend that, or go on with --force");
    for (size_t i = 0; i < findings.count; i++)
        text_addf(&reason, "%s%s", i ? "\n" : ": ", findings.items[i]);
    if (app->operation.force) {
        progress(app, app->operation.target, "firewall", "%s (going on by force)",
                 reason.failed ? "no memory" : reason.data);
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    operation_event(app, EVENT_FAILED, reason.failed ? "no memory" : reason.data);
}

static void fill_receipt(struct app *app, const struct transaction *transaction)
{
    struct operation *operation = &app->operation;
    operation->receipt = (struct wire_receipt){
        .from = (int8_t)operation->from,
        .to = (int8_t)operation->target,
        .transaction_us = transaction->microseconds,
        .generation_before = transaction->generation_before,
        .generation_after = transaction->generation_after,
    };
    text_copy(operation->receipt.release, sizeof operation->receipt.release, target_of(app)->release);
    text_copy(operation->receipt.who, sizeof operation->receipt.who, operation->who);
    operation->switched = true;
}

/* A group's apps have been moved, and recorded, when they come here. */
static int make_live(struct app *app, struct transaction *transaction, struct error *err)
{
    bool was_stopped = app->state != APP_RUNNING;
    if (app->operation.group) {
        *transaction = *group_transaction(app);
        return 0;
    }
    if (app->operation.held)
        return hold_let_in(app, transaction, err);
    int result = routing_switch(app, app->operation.target, transaction, err);
    if (result < 0)
        return result;
    record_live(app, NULL); /* a failure is said by the record's own code; what is live is live */
    if (was_stopped)
        record_app_state(app, NULL);
    return 0;
}

/* Somebody waited for its connections: those of a canary that was taken back, or whatever it had. */
static void end_watch(struct app_zone *target)
{
    const struct operation *operation = &target->app->operation;
    char why[WIRE_TEXT_MAX];
    if (!target->drain.timer || target->state == ZONE_DRAINING)
        return;
    snprintf(why, sizeof why, "%s became live in %s (%s, asked for by %.60s): its connections are not waited for",
             target->release, colour_name(target->colour), verb_name(operation->verb), operation->who);
    drain_stop(target, why);
}

static void enter_switch(struct app *app)
{
    struct operation *operation = &app->operation;
    struct transaction transaction = {0};
    struct error err = {0};
    if (make_live(app, &transaction, &err) < 0) {
        operation_event(app, EVENT_FAILED, err.text);
        return;
    }
    fill_receipt(app, &transaction);
    if (operation->held)
        hold_fill_receipt(app);
    end_watch(target_of(app));
    zone_change(target_of(app), CHANGE_GAIN);
    if (operation->from >= 0 && operation->from != (int)operation->target && !operation->held)
        zone_change(zone_of(app, (enum colour)operation->from), CHANGE_LOSE);
    progress(app, operation->target, "switch", "%s is live, transaction %u us", target_of(app)->release,
             transaction.microseconds);
    operation_event(app, EVENT_DONE, NULL);
}

static void enter_unpublish(struct app *app)
{
    struct error err = {0};
    bool was_empty = app->state == APP_EMPTY;
    int result = routing_unpublish(app, &err);
    if (result == 0 && app->operation.verb == VERB_STOP && !was_empty)
        record_app_state(app, NULL); /* BEGIN is on the disk: recovery finishes a stop of which no more was heard */
    done_or_failed(app, result, &err);
}

static void enter_halt(struct app *app)
{
    enum zone_change change = app->operation.verb == VERB_REMOVE ? CHANGE_REMOVE : CHANGE_HALT;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = zone_of(app, (enum colour)colour);
        if (zone_busy(zone))
            progress(app, zone->colour, "halt", "stopping %s", zone->release);
        zone_change(zone, change);
    }
    if (!zone_busy(&app->zones[BLUE]) && !zone_busy(&app->zones[GREEN]))
        operation_event(app, EVENT_DONE, NULL);
}

static void enter_restore(struct app *app)
{
    struct app_zone *target = target_of(app);
    struct error err = {0};
    if (!target->service && zone_load_configuration(target, &err) < 0) {
        operation_event(app, EVENT_FAILED, err.text);
        return;
    }
    progress(app, target->colour, "restore", "starting %s again", target->release);
    loop_timer_arm(app->step_timer, target->service->health.start_timeout_ms);
    zone_change(target, CHANGE_RESTORE);
}

static void enter_forget(struct app *app)
{
    struct error err = {0};
    if (feeding_ends(app))
        return;
    int result = app_forget(app, &err);
    done_or_failed(app, result, &err);
}

void step_enter(struct app *app, enum step step)
{
    static void (*const enter[STEPS])(struct app *) = {
        [STEP_PARITY] = parity_enter,
        [STEP_MEMORY] = enter_memory,
        [STEP_CLEAR] = enter_clear,
        [STEP_BUILD] = enter_build,
        [STEP_START] = enter_start,
        [STEP_HEALTH] = enter_health,
        [STEP_GATE] = enter_gate,
        [STEP_FIREWALL] = enter_firewall,
        [STEP_SEED] = feeding_seed,
        [STEP_TAIL] = feeding_tail,
        [STEP_BACK_TAIL] = feeding_tail,
        [STEP_SWITCH] = enter_switch,
        [STEP_UNPUBLISH] = enter_unpublish,
        [STEP_HALT] = enter_halt,
        [STEP_RESTORE] = enter_restore,
        [STEP_FORGET] = enter_forget,
        [STEP_TEST] = testing_begin,
        [STEP_REHEARSE] = rehearse_enter,
        [STEP_SWITCH_BACK] = rehearse_switch_back,
        [STEP_MEET] = group_meet,
        [STEP_EXPAND] = schema_expand,
        [STEP_SHARE] = canary_enter,
        [STEP_VERIFY] = schema_verify,
        [STEP_RETIRE] = schema_retire,
        [STEP_CONTRACT] = schema_contract,
        [STEP_REVERT] = schema_revert,
        [STEP_REVIVE] = hold_revive,
        [STEP_HOLD] = hold_begin,
        [STEP_EMPTY] = hold_empty,
        [STEP_REST] = hold_rest,
        [STEP_BACK_HOLD] = hold_back_hold,
        [STEP_BACK_REST] = hold_back_rest,
        [STEP_BACK_START] = hold_back_start,
        [STEP_BACK_HEALTH] = hold_back_health,
        [STEP_BACK_SWITCH] = hold_back_switch,
    };
    app->operation.step_ms = clock_monotonic_ms();
    app->operation.idle_step = false;
    changed(app->agent);
    if (enter[step])
        enter[step](app);
    else
        hook_step_enter(app, step);
}
