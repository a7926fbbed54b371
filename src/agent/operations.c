/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An operation from its beginning to its end: the plan's steps by the table, its journal records, and who hears of
 * it. */
#include "agent/operations.h"

#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/failover.h"
#include "agent/feeding.h"
#include "agent/groups.h"
#include "agent/holding.h"
#include "agent/hook_steps.h"
#include "agent/keeping.h"
#include "agent/preview.h"
#include "agent/records.h"
#include "agent/replies.h"
#include "agent/schema.h"
#include "agent/steps.h"
#include "agent/waiting.h"
#include "agent/zones.h"
#include "base/cleanup.h"
#include "model/history.h"
#include "model/wire_answers.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOG_LINES_SHOWN = 15,
    FAILOVER_AGAIN_MS = 30000, /* after one that failed */
};

/* --- the end ------------------------------------------------------------------------------------ */

static size_t add_text(char *text, size_t size, size_t used, const char *title, const char *lines)
{
    if (used + 512 < size)
        snprintf(text + used, size - used, "\n%s:\n%.*s", title, (int)(size - used - strlen(title) - 8), lines);
    return strlen(text);
}

/* The reason, and what the hook or the app said last: what somebody woken at night wants. */
static void failure_text(struct app *app, bool with_log, const char *reason, char *text, size_t size)
{
    const struct operation *operation = &app->operation;
    char path[PATH_MAX], title[PATH_MAX + 32], tail[4096];
    snprintf(text, size, "%s %s%s%s: %s", verb_name(operation->verb), app->name, operation->release[0] ? " " : "",
             operation->release, reason);
    size_t used = strlen(text);
    if (operation->output)
        used = add_text(text, size, used, "The hook's last output", operation->output);
    if (!with_log || !zone_log_path_of(app->agent->zone_host, app->name, operation->target, path, sizeof path))
        return;
    snprintf(title, sizeof title, "The last lines of %s", path);
    if (file_tail(path, operation->log_before, LOG_LINES_SHOWN, tail, sizeof tail) == 0 && tail[0])
        add_text(text, size, used, title, tail);
}

static void undo(struct app *app, const char *reason)
{
    struct operation *operation = &app->operation;
    struct app_zone *target = zone_of(app, operation->target);
    if (operation->switched) /* it is live: going back is another operation */
        return;
    if (operation->plan[operation->at] == STEP_TAIL && !operation->aborted) /* well, and only late: it may catch up */
        return;
    if (operation->staged && plan_undoes_staging(operation->verb)) {
        zone_set_reason(target, "%s", reason);
        zone_change(target, CHANGE_BREAK);
    } else if (operation->held) { /* packets that wait there are not for anybody any more */
        zone_discard(target);
    } else if (operation->verb == VERB_START) {
        zone_change(target, CHANGE_HALT);
    }
}

/* What failed behind its switch is live and no good, or somebody wants it back: that is a rollback. */
static void after_failure(struct app *app, const struct operation *ended, const char *reason)
{
    struct error err = {0};
    bool live = ended->switched && (ended->verb == VERB_DEPLOY || ended->verb == VERB_SWITCH);
    bake_operation_ended(app, reason);
    if (ended->verb == VERB_FAILOVER)
        app->failover_after_ms = loop_now_ms(app->agent->loop) + FAILOVER_AGAIN_MS;
    if (live && ended->aborted && !ended->taken_back && group_back(app, ended->who, reason, &err) < 0)
        log_error("%s: %s stays live: %s", app->name, ended->release, err.text);
    failover_consider(app);
}

static void end_failed(struct app *app, const char *reason)
{
    const struct operation *failed = &app->operation;
    enum step step = failed->back ? failed->failed_in : failed->plan[failed->at];
    static char text[WIRE_END_TEXT_MAX];
    bool with_log =
        step == STEP_START || step == STEP_HEALTH || step == STEP_TEST || step == STEP_GATE || step == STEP_RESTORE;
    failure_text(app, with_log, reason, text, sizeof text);
    log_warning("%s: %s failed in step %s: %s", app->name, verb_name(app->operation.verb), step_name(step), reason);
    struct operation ended = app->operation;
    bool live = ended.switched && (ended.verb == VERB_DEPLOY || ended.verb == VERB_SWITCH);
    if (live && !ended.aborted) /* before the end is recorded: what a crash leaves behind it must not look like well */
        bake_breach(app, reason);
    feeding_hold_over(app);
    schema_operation_failed(app, reason);
    undo(app, reason); /* before the end is recorded: what a crash leaves between the two is undone by recovery */
    record_end(app, false, reason);
    app->operation.plan = NULL;
    app->operation.group = NULL;
    free(app->operation.output);
    app->operation.output = NULL;
    changed(app->agent);
    keeping_schedule(app);
    bool tried = ended.at > 0 && !plan_only_looked(ended.plan, ended.at);
    requests_end(app, WAIT_OPERATION, tried ? RESULT_FAILED : RESULT_REFUSED, NULL, text);
    after_failure(app, &ended, reason);
    group_left(ended.group, app);
}

static void restore_other(struct app *app)
{
    struct app_zone *other = zone_of(app, colour_other((enum colour)app->operation.target));
    if (app->operation.verb == VERB_START && other->state == ZONE_STOPPED)
        zone_change(other, app_holds(app) ? CHANGE_REST : CHANGE_RESTORE);
}

/* At once: recovery, should it come to that, is to find what the operation was for. */
static void mark_zones(struct app *app)
{
    struct operation *operation = &app->operation;
    if (!operation->switched || operation->from < 0)
        return;
    struct app_zone *from = zone_of(app, (enum colour)operation->from);
    if (operation->verb == VERB_FAILOVER)
        zone_set_mark(from, MARK_LEFT, operation->reason);
    else if (operation->new_release && from->mark == MARK_LEFT)
        zone_set_mark(from, MARK_NONE, "");
}

/* What follows when nothing of the operation runs any more. */
static void after_success(struct app *app)
{
    const struct operation *operation = &app->operation;
    bake_operation_ended(app, NULL);
    if (operation->switched && (operation->verb == VERB_DEPLOY || operation->verb == VERB_SWITCH))
        bake_begin(app);
    if (operation->switched)
        hook_tell(app);
}

/* Where what was staged can be looked at. */
static void add_preview(struct app *app, char *text, size_t size)
{
    const struct app_zone *zone = preview_zone(app);
    char url[WIRE_TEXT_MAX + 1] = "";
    size_t used = strlen(text);
    if (zone)
        preview_url(zone, url, sizeof url);
    if (url[0])
        snprintf(text + used, size - used, "\nlook at it: %s", url);
}

static void end_done(struct app *app)
{
    struct operation *operation = &app->operation;
    bool stopped = operation->verb == VERB_DEPLOY && !operation->switched;
    char text[2 * WIRE_TEXT_MAX + 2] = "";
    if (stopped)
        snprintf(operation->reason, sizeof operation->reason, "stopped after step %s, as asked for",
                 step_name(operation->choice.stop_after));
    struct group_run *group = operation->group;
    if (group && !operation->reason[0])
        snprintf(operation->reason, sizeof operation->reason, "together with group %s", group_run_name(group));
    schema_operation_done(app);
    record_end(app, true, NULL);
    log_notice("%s: %s %s%sdone in %llu ms, asked for by %s", app->name, verb_name(operation->verb), operation->release,
               operation->release[0] ? " " : "", (unsigned long long)(clock_monotonic_ms() - operation->begun_ms),
               operation->who);
    restore_other(app);
    struct app_zone *old = operation->from >= 0 ? zone_of(app, (enum colour)operation->from) : NULL;
    struct wire_receipt receipt = operation->receipt;
    receipt.duration_ms = clock_monotonic_ms() - operation->begun_ms;
    bool switched = operation->switched, forgotten = operation->verb == VERB_REMOVE;
    uint64_t begun = operation->begun_ms;
    if (operation->verb == VERB_STAGE || stopped)
        snprintf(text, sizeof text,
                 "%s is staged in %s: \"bluegreen switch %s\" makes it live, \"bluegreen abort %s\" "
                 "removes it",
                 operation->release, colour_name(operation->target), app->name, app->name);
    if (operation->verb == VERB_STAGE || stopped)
        add_preview(app, text, sizeof text);
    if (operation->verb == VERB_REHEARSE || operation->verb == VERB_SCHEMA)
        text_copy(text, sizeof text, operation->reason);
    bool canary = operation->canary;
    if (canary)
        canary_done_text(app, text, sizeof text);
    free(operation->output); /* of a hook that failed and decided nothing */
    operation->output = NULL;
    operation->plan = NULL;
    operation->group = NULL;
    changed(app->agent);
    keeping_schedule(app);
    after_success(app);
    group_left(group, app);
    if (switched && old && old->state == ZONE_DRAINING) {
        drain_set_receipt(old, &receipt, begun);
        requests_move_to_drain(app);
        return;
    }
    if (canary && old && drain_runs(old)) {
        requests_move_to_drain(app);
        return;
    }
    requests_end(app, WAIT_OPERATION, RESULT_DONE, switched ? &receipt : NULL, text);
    if (forgotten && !app->service)
        app_free(app);
}

/* --- from step to step --------------------------------------------------------------------------- */

static void advance(struct app *app)
{
    struct operation *operation = &app->operation;
    if (operation_step(app) == STEP_SWITCH) {
        mark_zones(app);
        bake_switched(app);
        if (operation->verb == VERB_DEPLOY || operation->verb == VERB_SWITCH)
            bake_begin(app);
    }
    operation->at = plan_next(operation->plan, operation->at, &operation->choice);
    if (operation_step(app) == STEP_IDLE) {
        end_done(app);
        return;
    }
    bake_before_step(app, operation_step(app));
    step_enter(app, operation_step(app));
}

static void note_step(struct app *app, enum step step)
{
    struct operation *operation = &app->operation;
    if (!operation->idle_step)
        history_add_step(operation->steps, step_name(step), clock_monotonic_ms() - operation->step_ms);
    operation->idle_step = false;
}

int operation_event(struct app *app, enum step_event event, const char *reason)
{
    enum step step = operation_step(app);
    enum move move = step_transition(step, event);
    if (move == MOVE_STAY)
        return 0;
    if (move == MOVE_REFUSE)
        return -EPERM;
    note_step(app, step);
    loop_timer_disarm(app->step_timer);
    hook_step_leave(app);
    if (move == MOVE_NEXT) {
        if (step == STEP_REHEARSE && event != EVENT_DONE) /* what the way back will say */
            text_copy(app->operation.failure, sizeof app->operation.failure, reason ? reason : "it took too long");
        advance(app);
        return 0;
    }
    char words[ERROR_TEXT_MAX];
    const struct probe_result *last = &zone_of(app, app->operation.target)->tracker.last;
    if (app->operation.failing || app->operation.back)
        text_copy(words, sizeof words, app->operation.failure);
    else if (reason)
        text_copy(words, sizeof words, reason);
    else
        snprintf(words, sizeof words, "not healthy in time; the last probe said: %s",
                 last->detail[0] ? last->detail : "nothing");
    app->operation.aborted = app->operation.aborted || event == EVENT_ABORT;
    if (hold_way_back(app, words))
        return 0;
    if (app->operation.group)
        group_failed(app, event, words);
    if (app->operation.aborted || !hook_step_on_failure(app, words))
        end_failed(app, words);
    return 0;
}

void operation_zone_closed(struct app_zone *zone)
{
    struct app *app = zone->app;
    enum step step = operation_step(app);
    bool all = !zone_busy(&app->zones[BLUE]) && !zone_busy(&app->zones[GREEN]);
    if ((step == STEP_CLEAR && app->operation.target == zone->colour) ||
        (step == STEP_RETIRE && app->operation.target != zone->colour) || (step == STEP_HALT && all))
        operation_event(app, EVENT_DONE, NULL);
    else if (app_is_empty(app) && !app->service)
        app_free(app);
}

/* What is live; of a canary that is taken back the zone that had it. */
static int origin_of(struct app *app, enum wire_verb verb, enum colour target)
{
    if (app->state != APP_RUNNING)
        return -1;
    bool taken_back = verb == VERB_ROLLBACK && canary_runs(app) && app->live == (int)target;
    return taken_back ? (int)colour_other(target) : app->live;
}

int operation_begin(struct app *app, enum wire_verb verb, enum colour target, const char *release, bool force,
                    const char *who, struct error *err)
{
    struct operation *operation = &app->operation;
    const struct app_zone *zone = zone_of(app, target);
    bake_make_way(app);
    canary_make_way(app);
    *operation = (struct operation){
        .verb = verb,
        .target = target,
        .new_release = verb == VERB_DEPLOY || zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY,
        .from = origin_of(app, verb, target),
        .force = force,
        .begun_ms = clock_monotonic_ms(),
        .begun_unix_ms = clock_unix_ms(),
    };
    text_copy(operation->release, sizeof operation->release, release);
    text_copy(operation->who, sizeof operation->who, who);
    int result = record_app(app, err);
    if (result == 0)
        result = record_begin(app, err);
    if (result < 0 && plan_needs_journal(verb))
        return error_prefix(err, "%s %s is refused because it could not be recorded", verb_name(verb), app->name);
    log_info("%s: %s %s begins, asked for by %s", app->name, verb_name(verb), release, who);
    operation->hold = hold_applies(app, verb, target);
    operation->plan = operation->hold ? plan_of_hold(verb) : plan_of(verb);
    return 0;
}

int operation_begin_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason,
                             struct error *err)
{
    if (operation_running(app) || app->live < 0)
        return error_set(err, EBUSY, "%s %s: another operation runs, or nothing is live", verb_name(verb), app->name);
    enum colour target = colour_other((enum colour)app->live);
    const struct app_zone *zone = zone_of(app, target);
    if (!zone_was_live(zone) || !zone->service)
        return error_set(err, ENOENT, "%s %s: there is nothing to switch to: zone %s is %s", verb_name(verb), app->name,
                         colour_name(target), zone_state_name(zone->state));
    int result = schema_admits(app, zone, err);
    if (result == 0)
        result = operation_begin(app, verb, target, zone->release, false, who, err);
    if (result < 0)
        return result;
    app->operation.by_agent = true;
    text_copy(app->operation.reason, sizeof app->operation.reason, reason);
    return 0;
}

int operation_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason, struct error *err)
{
    int result = operation_begin_by_agent(app, verb, who, reason, err);
    if (result == 0)
        step_enter(app, operation_step(app));
    return result;
}
