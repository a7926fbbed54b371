/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back of a hold that failed: the release that was live is started again in its zone, and the clients that
 * waited for the other one wait for it. Whatever comes of a step, the next one is taken, for they wait. A new agent
 * takes the same way where another one ended in the middle of a hold.
 */
#include "agent/agent.h"

#include "agent/holding.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/routing.h"
#include "agent/steps.h"
#include "agent/zones.h"
#include "os/log.h"

#include <errno.h>

/* While this runs the target is the release that comes back. */
static struct app_zone *old_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static struct app_zone *new_of(struct app *app)
{
    return zone_of(app, colour_other(app->operation.target));
}

/* It had not been stopped when the hold failed. */
static bool runs_still(const struct app_zone *old)
{
    return old->state == ZONE_LIVE;
}

static void said(struct app *app, int result, const struct error *err)
{
    if (result < 0)
        log_error("%s: on the way back to %s: %s", app->name, old_of(app)->release, err->text);
    operation_event(app, result < 0 ? EVENT_FAILED : EVENT_DONE, NULL);
}

static void turn_round(struct app *app)
{
    struct operation *operation = &app->operation;
    operation->back = true;
    operation->target = colour_other(operation->target);
    operation->plan = plan_of_hold_back();
    operation->at = 0;
}

bool hold_way_back(struct app *app, const char *reason)
{
    struct operation *operation = &app->operation;
    if (!operation->held || operation->back || operation->switched)
        return false;
    hold_over(app);
    operation->failed_in = operation_step(app);
    text_copy(operation->failure, sizeof operation->failure, reason);
    turn_round(app);
    log_warning("%s: %s failed in step %s, and %s comes back: %s", app->name, operation->release,
                step_name(operation->failed_in), old_of(app)->release, reason);
    progress(app, operation->target, "back-hold", "%s comes back, for %s", old_of(app)->release, reason);
    step_enter(app, STEP_BACK_HOLD);
    return true;
}

/* Where its clients can wait. */
static int prepare(struct app_zone *old, struct error *err)
{
    int result = old->kernel ? 0 : zone_build(old, true, err);
    return result < 0 ? result : zone_plug(old->kernel, err);
}

/* Packets that wait for the other one stay where they are, or they would be refused there: those who sent them send
 * them again, and the new ones come here. */
void hold_back_hold(struct app *app)
{
    struct app_zone *old = old_of(app);
    struct error err = {0};
    int result = runs_still(old) ? 0 : prepare(old, &err);
    if (result < 0)
        log_error("%s: on the way back to %s: %s", app->name, old->release, err.text);
    result = routing_hold(app, -1, NULL, &err);
    said(app, result, &err);
}

void hold_back_rest(struct app *app)
{
    struct app_zone *new = new_of(app), *old = old_of(app);
    if (new->kernel && !new->closing)
        zone_change(new, CHANGE_REST);
    if (old->state == ZONE_RESTING && old->kernel && zone_app(old->kernel)->pid && !old->quieting)
        zone_change(old, CHANGE_REST);
    if (!new->quieting && !old->quieting && operation_step(app) == STEP_BACK_REST)
        operation_event(app, EVENT_DONE, NULL);
}

void hold_back_start(struct app *app)
{
    struct app_zone *old = old_of(app);
    struct error err = {0};
    if (runs_still(old)) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    int result = old->kernel ? zone_run_app(old, &err) : error_set(&err, ENOENT, "its zone has gone");
    if (result == 0)
        zone_change(old, CHANGE_STARTED);
    said(app, result, &err);
}

void hold_back_health(struct app *app)
{
    struct app_zone *old = old_of(app);
    const struct service *service = old->service;
    if (runs_still(old) || old->state != ZONE_STANDBY || !service) {
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    uint32_t start = service->health.start_timeout_ms;
    loop_timer_arm(app->step_timer, start < service->hold_max_ms ? start : service->hold_max_ms);
}

static void let_in(struct app *app)
{
    struct app_zone *old = old_of(app);
    struct error err = {0};
    if (old->state == ZONE_RESTING) /* it could not be started there: as after a loss, in a new zone, again and again */
        zone_change(old, CHANGE_RESTORE);
    if (old->kernel && zone_unplug(old->kernel, &err) < 0)
        log_error("%s: %s", app->name, err.text);
    if (old->state == ZONE_STANDBY)
        zone_change(old, CHANGE_GAIN);
    progress(app, old->colour, "back-switch", "%s is live again", old->release);
}

void hold_back_switch(struct app *app)
{
    if (!runs_still(old_of(app)))
        let_in(app);
    app->operation.target = colour_other(app->operation.target);
    operation_event(app, EVENT_DONE, NULL);
}

/* --- a new agent ------------------------------------------------------------------------------------ */

static bool is_plugged(struct app_zone *zone)
{
    struct zone_id id;
    zone_id_of(zone, &id);
    return zone_plugged(zone->app->agent->zone_host, &id);
}

bool hold_resume(struct app *app, const struct folded_app *folded, int kernel_live)
{
    struct operation *operation = &app->operation;
    struct error err = {0};
    if (!plan_of_hold(operation->verb) || app->state != APP_RUNNING || operation->from < 0 ||
        operation->from != app->live || operation->from == folded->operation.to)
        return false;
    struct app_zone *new = zone_of(app, operation->target), *old = zone_of(app, (enum colour)operation->from);
    bool holds = kernel_live == (int)new->colour &&is_plugged(new);
    bool comes_back = kernel_live == (int)old->colour && is_plugged(old);
    if (!holds && !comes_back)
        return false;
    if (!new->service && zone_load_configuration(new, &err) < 0)
        log_warning("%s/%s: %s", app->name, colour_name(new->colour), err.text);
    operation->hold = operation->held = true;
    operation->staged = plan_undoes_staging(operation->verb);
    operation->failed_in = STEP_HOLD;
    text_copy(operation->failure, sizeof operation->failure, "the agent ended in the middle of it");
    turn_round(app);
    return true;
}

void hold_recover(struct app *app)
{
    struct app_zone *old = old_of(app);
    struct error err = {0};
    if (old->kernel && old->state == ZONE_LIVE && zone_app(old->kernel)->pid && !zone_app(old->kernel)->stopping)
        return;
    old->state = ZONE_RESTING;
    record_zone(old);
    if (prepare(old, &err) < 0)
        log_error("%s: let the clients of %s wait: %s", app->name, old->release, err.text);
}
