/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apps that are switched together. Each has its own operation, with its own gate and hooks; they meet before the
 * switch, and the last one to come has one transaction move them all. Who fails before it keeps all of them from
 * moving. The journal hears of the move in one record before it and one behind it, so that it never knows half of one.
 */
#include "agent/groups.h"

#include "agent/clients.h"
#include "agent/feeding.h"
#include "agent/giving_way.h"
#include "agent/group.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/queue.h"
#include "agent/records.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/routing.h"
#include "agent/steps.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool takes_part(const struct group_run *run, const struct app *app)
{
    return app && operation_running(app) && app->operation.group == run;
}

void group_run_unuse(struct group_run *run)
{
    run->used--;
    for (size_t i = 0; i < run->count; i++) {
        if (run->members[i])
            return;
    }
    if (run->used == 0)
        free(run);
}

void group_left(struct group_run *run, const struct app *app)
{
    if (!run)
        return;
    run->used++;
    for (size_t i = 0; i < run->count; i++) {
        if (run->members[i] == app)
            run->members[i] = NULL;
    }
    group_run_unuse(run);
}

/* --- the move ------------------------------------------------------------------------------------------- */

static void fill_move(const struct group_run *run, enum group_phase phase, struct record *record)
{
    struct group_move *move = &record->group;
    record_init(record, RECORD_GROUP, "");
    move->phase = phase;
    text_copy(move->name, sizeof move->name, run->name);
    for (size_t i = 0; i < run->count; i++) {
        const struct app *app = run->members[i];
        if (!takes_part(run, app))
            continue;
        text_copy(move->members[move->count].app, sizeof move->members[0].app, app->name);
        move->members[move->count++].zone = (int8_t)app->operation.target;
    }
}

static int record_move(struct group_run *run, enum group_phase phase, struct app *any, struct error *err)
{
    struct record record;
    fill_move(run, phase, &record);
    return agent_record(any->agent, &record, err);
}

/* Others may have kept it waiting for long. */
static const char *unfit(const struct app *app)
{
    const struct app_zone *target = &app->zones[app->operation.target];
    if (!target->kernel || target->closing)
        return "its zone does not exist at the moment; it is being rebuilt";
    if (app->operation.force || target->tracker.verdict == VERDICT_HEALTHY)
        return NULL;
    return target->tracker.last.detail[0] ? target->tracker.last.detail : "it is not healthy any more";
}

/* False: one of them was not, and said so. */
static bool all_fit(struct group_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const char *why = takes_part(run, run->members[i]) ? unfit(run->members[i]) : NULL;
        if (!why)
            continue;
        operation_event(run->members[i], EVENT_BAD, why);
        return false;
    }
    return true;
}

static int move(struct group_run *run, struct app *any, struct error *err)
{
    struct route routes[GROUP_APPS_MAX];
    size_t count = 0;
    int result = record_move(run, GROUP_ABOUT, any, err);
    if (result < 0 && plan_needs_journal(run->verb))
        return error_prefix(err, "group %s does not move because it could not be recorded", run->name);
    for (size_t i = 0; i < run->count; i++) {
        if (takes_part(run, run->members[i]))
            routes[count++] = (struct route){.app = run->members[i], .to = run->members[i]->operation.target};
    }
    result = routing_switch_all(any->agent, routes, count, &run->transaction, err);
    if (result < 0)
        return result;
    run->moved = true;
    record_move(run, GROUP_MOVED, any, NULL); /* a failure is said by the record's own code; what is live is live */
    log_notice("group %s: %zu apps were moved in one transaction of %u us", run->name, count,
               run->transaction.microseconds);
    return 0;
}

static void go_on_together(struct group_run *run, struct app *any)
{
    struct error err = {0};
    run->used++;
    if (all_fit(run)) {
        int result = move(run, any, &err);
        if (result < 0)
            operation_event(any, EVENT_FAILED, err.text);
        for (size_t i = 0; result == 0 && i < run->count; i++) {
            if (takes_part(run, run->members[i]))
                operation_event(run->members[i], EVENT_DONE, NULL);
        }
    }
    group_run_unuse(run);
}

static size_t missing(const struct group_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++)
        count += takes_part(run, run->members[i]) && operation_step(run->members[i]) != STEP_MEET;
    return count;
}

static bool has_come(const struct app *app)
{
    return operation_step(app) == STEP_MEET || (operation_step(app) == STEP_TAIL && feeding_is_near(app));
}

/* The clients of one that is fed wait for the feed alone, and not for another one's gate or hooks. */
void group_gather(struct group_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (takes_part(run, run->members[i]) && !has_come(run->members[i]))
            return;
    }
    run->used++;
    for (size_t i = 0; i < run->count; i++) {
        if (takes_part(run, run->members[i]))
            feeding_go_on(run->members[i]);
    }
    group_run_unuse(run);
}

void group_meet(struct app *app)
{
    struct group_run *run = app->operation.group;
    size_t others = missing(run);
    if (others == 0) {
        go_on_together(run, app);
        return;
    }
    progress(app, app->operation.target, step_name(STEP_MEET), "ready; waits for %zu more of group %s", others,
             run->name);
    group_gather(run);
}

const char *group_run_name(const struct group_run *run)
{
    return run->name;
}

const struct transaction *group_transaction(const struct app *app)
{
    return &app->operation.group->transaction;
}

/* --- failing ----------------------------------------------------------------------------------------------- */

/* The one that has to go back does so without one that cannot. */
static void go_on_without(struct group_run *run, struct app *app, const char *reason)
{
    log_warning("group %s: goes back without %s: %s", run->name, app->name, reason);
    app->operation.group = NULL;
    group_left(run, app);
    if (missing(run) == 0)
        go_on_together(run, run->leader);
    else
        group_gather(run);
}

void group_failed(struct app *app, enum step_event event, const char *reason)
{
    struct group_run *run = app->operation.group;
    struct request *request;
    char text[ERROR_TEXT_MAX];
    if (!run || run->failed || run->moved)
        return;
    if (run->leader && run->leader != app) {
        go_on_without(run, app, reason);
        return;
    }
    run->failed = true;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->group && request->app == app)
            group_answer_blame(request->group, app);
    }
    snprintf(text, sizeof text, "group %s: %s: %.640s", run->name, app->name, reason);
    run->used++;
    for (size_t i = 0; i < run->count; i++) {
        struct app *other = run->members[i];
        if (other != app && takes_part(run, other) && !other->operation.failing)
            operation_event(other, event == EVENT_ABORT ? EVENT_ABORT : EVENT_FAILED, text);
    }
    group_run_unuse(run);
}

/* --- the beginning ------------------------------------------------------------------------------------------ */

void group_run_join(struct group_run *run, struct app *app)
{
    struct operation *operation = &app->operation;
    operation->group = run;
    operation->choice.group = true;
    run->members[run->count++] = app;
}

struct group_run *group_run_new(const char *name, enum wire_verb verb)
{
    struct group_run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->verb = verb;
    run->used = 1;
    text_copy(run->name, sizeof run->name, name);
    return run;
}

/* Of a run that did not fail meanwhile: a gate may say no at once. */
void group_run_enter(struct group_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct app *app = run->members[i];
        if (takes_part(run, app) && !run->failed)
            step_enter(app, operation_step(app));
    }
}

/* Who asked waits for it together with the others. */
static void wait_for(const struct asked *asked, struct app *app, struct group_answer *answer)
{
    struct request *request = request_wait_for(asked, app, WAIT_OPERATION);
    if (!request) {
        group_answer_told(answer);
        return;
    }
    request->group = answer;
    group_answer_hold(answer);
}

static int begin_all(const struct asked *asked, const struct group_choice *choice, struct group_run *run,
                     struct error *err)
{
    bool force = asked->request->flags & WIRE_FORCE;
    for (size_t i = 0; i < choice->count; i++) {
        struct app *app = choice->routes[i].app;
        enum colour target = choice->routes[i].to;
        int result =
            operation_begin(app, run->verb, target, app->zones[target].release, force, client_name(asked->client), err);
        if (result < 0)
            return result;
        app->operation.lose = asked->request->lose;
        group_run_join(run, app);
    }
    return 0;
}

static void begin(const struct asked *asked, const struct group_choice *choice)
{
    struct error err = {0};
    struct group_run *run = group_run_new(asked->request->app, (enum wire_verb)asked->request->verb);
    struct group_answer *answer = run ? group_answer_new(asked, choice) : NULL;
    if (!answer) {
        free(run);
        request_refuse(asked, RESULT_FAILED, "out of memory; try again");
        return;
    }
    if (begin_all(asked, choice, run, &err) < 0) {
        group_answer_told(answer);
        request_refuse(asked, RESULT_REFUSED, err.text);
        if (run->count > 0)
            operation_event(run->members[0], EVENT_FAILED, err.text); /* and with it the others */
    } else {
        for (size_t i = 0; i < run->count; i++)
            wait_for(asked, run->members[i], answer);
        queue_begins(asked);
        group_run_enter(run);
    }
    group_answer_drop(answer, false);
    group_run_unuse(run);
}

/* Hooks behind the switch that is to be undone; true if any ran. */
static bool leave_running(const struct asked *asked, const struct group_choice *choice)
{
    bool any = false;
    for (size_t i = 0; i < choice->count; i++) {
        if (!operation_can_be_left(choice->routes[i].app, (enum wire_verb)asked->request->verb))
            continue;
        operation_leave(choice->routes[i].app, client_name(asked->client));
        any = true;
    }
    return any;
}

void handle_group(const struct asked *asked)
{
    struct error err = {0};
    struct group_choice choice = {0};
    enum wire_result result = group_admit(asked, &choice, &err);
    if (result == RESULT_DONE && leave_running(asked, &choice)) {
        text_clear(&choice.stays);
        choice = (struct group_choice){0};
        result = group_admit(asked, &choice, &err);
    }
    if (result == RESULT_DONE)
        begin(asked, &choice);
    else
        request_refuse(asked, result, err.text);
    text_clear(&choice.stays);
}
