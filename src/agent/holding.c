/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * [switch] mode = hold: the live release stops before the next one starts, because the two must not run at once. New
 * connections wait in the kernel meanwhile (zone/plug.h), so that no client is refused. Apart from steps.c because it
 * is one thing from its first step to its last; its way back is hold_back.c.
 */
#include "agent/holding.h"

#include "agent/agent.h"
#include "agent/drains.h"
#include "agent/egress.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/nudging.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/routing.h"
#include "agent/zones.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>

enum {
    EMPTY_SHARE = 4, /* so much of the time, one part of it, is for connections to end by themselves */
    LOOK_MS = 30,    /* a handshake on its way is in neither count: two zeros this far apart end it */
};

static struct app_zone *target_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static struct app_zone *other_of(struct app *app)
{
    return zone_of(app, colour_other(app->operation.target));
}

static void done_or_failed(struct app *app, int result, const struct error *err)
{
    operation_event(app, result < 0 ? EVENT_FAILED : EVENT_DONE, result < 0 ? err->text : NULL);
}

/* --- when ----------------------------------------------------------------------------------------- */

bool app_holds(const struct app *app)
{
    const struct service *blue = app->zones[BLUE].service, *green = app->zones[GREEN].service;
    return (blue && blue->hold) || (green && green->hold);
}

bool hold_applies(const struct app *app, enum wire_verb verb, enum colour target)
{
    if (!plan_of_hold(verb) || app->state != APP_RUNNING || app->live < 0 || app->live == (int)target)
        return false;
    const struct service *next = verb == VERB_DEPLOY ? app->service : app->zones[target].service;
    const struct service *live = app->zones[app->live].service;
    return (next && next->hold) || (live && live->hold) || app->zones[target].state == ZONE_RESTING;
}

/* --- its beginning -------------------------------------------------------------------------------- */

void hold_revive(struct app *app)
{
    struct app_zone *target = target_of(app);
    struct error err = {0};
    if (target->kernel) {
        app->operation.idle_step = true;
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    progress(app, target->colour, "revive", "network namespace, links, cgroup");
    int result = target->service ? 0 : zone_load_configuration(target, &err);
    if (result == 0)
        result = zone_build(target, false, &err);
    if (result == 0)
        result = routing_apply(app->agent, NULL, &err);
    done_or_failed(app, result, &err);
}

static uint32_t limit_ms(const struct app *app)
{
    return app->zones[app->operation.target].service->hold_max_ms;
}

static void on_limit(void *context)
{
    struct app *app = context;
    char reason[WIRE_TEXT_MAX];
    snprintf(reason, sizeof reason, "clients have waited for %u ms, which is [switch] hold_max", limit_ms(app));
    if (app->operation.held && !app->operation.back)
        operation_event(app, EVENT_FAILED, reason);
}

static void look(struct app *app);

static void on_look(void *context)
{
    look(context);
}

static int make_timers(struct app *app, struct error *err)
{
    struct hold_run *hold = &app->hold;
    if (!hold->limit_timer)
        hold->limit_timer = loop_timer_new(app->agent->loop, on_limit, app);
    if (!hold->look_timer)
        hold->look_timer = loop_timer_new(app->agent->loop, on_look, app);
    return hold->limit_timer && hold->look_timer ? 0 : error_errno(err, ENOMEM, "hold the clients of %s", app->name);
}

/* The plug first: a packet that came before it would be refused. */
static int plug_and_turn(struct app *app, struct error *err)
{
    struct app_zone *target = target_of(app);
    if (!target->kernel || target->closing)
        return error_set(err, ENOENT, "%s: the zone of %s has gone", app->name, target->release);
    int result = zone_plug(target->kernel, err);
    if (result < 0)
        return result;
    result = routing_hold(app, (int)target->colour, &app->hold.transaction, err);
    struct error unused;
    if (result < 0)
        zone_unplug(target->kernel, &unused);
    return result;
}

void hold_begin(struct app *app)
{
    struct hold_run *hold = &app->hold;
    struct error err = {0};
    int result = make_timers(app, &err);
    if (result == 0)
        result = plug_and_turn(app, &err);
    if (result == 0) {
        hold->began_ms = clock_monotonic_ms();
        hold->most = hold->cut = 0;
        app->operation.held = true;
        loop_timer_arm(hold->limit_timer, limit_ms(app));
        progress(app, app->operation.target, "hold", "new connections wait for %s, no longer than %u ms",
                 target_of(app)->release, limit_ms(app));
    }
    done_or_failed(app, result, &err);
}

/* --- the live release goes ------------------------------------------------------------------------ */

static void cut(struct app *app, struct app_zone *old, uint32_t left)
{
    struct error err = {0};
    uint32_t destroyed = 0;
    if (sockets_destroy(zone_diag_fd(old->kernel), old->service->ports, old->service->port_count, &destroyed, &err) < 0)
        log_error("%s/%s: cut the connections that are left: %s", app->name, colour_name(old->colour), err.text);
    progress(app, old->colour, "empty", "%u connections of %s were cut, for others wait", destroyed ? destroyed : left,
             old->release);
    log_notice("%s/%s: %u connections of %s cut, for others wait", app->name, colour_name(old->colour),
               destroyed ? destroyed : left, old->release);
    app->hold.cut = destroyed;
}

/* A connection that idles would use up the time of those who wait: it has its share and no more. */
static void look(struct app *app)
{
    struct hold_run *hold = &app->hold;
    struct app_zone *old = other_of(app);
    if (operation_step(app) != STEP_EMPTY)
        return;
    uint32_t left = zone_count_tcp(old);
    hold->most = left > hold->most ? left : hold->most;
    bool gone = left == 0 && hold->zero_seen;
    if (left > 0 && !old->drain.timer)
        nudging_consider(old);
    hold->zero_seen = left == 0;
    if (!gone && loop_now_ms(app->agent->loop) < hold->empty_until_ms) {
        loop_timer_arm(hold->look_timer, LOOK_MS);
        return;
    }
    if (left > 0)
        cut(app, old, left);
    operation_event(app, EVENT_DONE, NULL);
}

void hold_empty(struct app *app)
{
    struct hold_run *hold = &app->hold;
    const struct app_zone *old = other_of(app);
    uint32_t share = limit_ms(app) / EMPTY_SHARE, timeout = old->service->drain_timeout_ms;
    hold->zero_seen = false;
    hold->empty_until_ms = loop_now_ms(app->agent->loop) + (timeout < share ? timeout : share);
    look(app);
}

void hold_rest(struct app *app)
{
    struct app_zone *old = other_of(app);
    progress(app, old->colour, "rest", "stopping %s", old->release);
    zone_change(old, CHANGE_REST);
    if (!old->quieting && operation_step(app) == STEP_REST)
        operation_event(app, EVENT_DONE, NULL);
}

void hold_quieted(struct app_zone *zone)
{
    struct app *app = zone->app;
    enum step step = operation_step(app);
    bool all = !app->zones[BLUE].quieting && !app->zones[GREEN].quieting;
    if ((step == STEP_REST && zone == other_of(app)) || (step == STEP_BACK_REST && all))
        operation_event(app, EVENT_DONE, NULL);
}

/* --- its end -------------------------------------------------------------------------------------- */

void hold_over(struct app *app)
{
    if (app->hold.limit_timer)
        loop_timer_disarm(app->hold.limit_timer);
    if (app->hold.look_timer)
        loop_timer_disarm(app->hold.look_timer);
}

/* The journal first: an agent that finds the zone plugged, and live by the journal, lets the clients in. */
int hold_let_in(struct app *app, struct transaction *transaction, struct error *err)
{
    struct hold_run *hold = &app->hold;
    struct app_zone *target = target_of(app);
    int former = app->live;
    if (!target->kernel || target->closing)
        return error_set(err, ENOENT, "%s: the zone of %s has gone", app->name, target->release);
    app->live = (int)target->colour;
    app->held = -1;
    record_live(app, NULL); /* a failure is said by the record's own code */
    if (zone_unplug(target->kernel, err) < 0) {
        app->held = app->live;
        app->live = former;
        record_live(app, NULL);
        return -err->code;
    }
    hold_over(app);
    *transaction = hold->transaction;
    egress_drained(other_of(app)); /* nothing runs there; nobody waits for this transaction */
    unsigned long long waited_ms = clock_monotonic_ms() - hold->began_ms;
    progress(app, target->colour, "hold", "new connections waited for %llu ms", waited_ms);
    if (!app->operation.reason[0])
        snprintf(app->operation.reason, sizeof app->operation.reason, "new connections waited for %llu ms", waited_ms);
    return 0;
}

void hold_fill_receipt(struct app *app)
{
    const struct hold_run *hold = &app->hold;
    app->operation.receipt.cut = hold->cut;
    app->operation.receipt.drained = hold->most > hold->cut ? hold->most - hold->cut : 0;
}

void hold_dispose(struct app *app)
{
    loop_timer_free(app->hold.limit_timer);
    loop_timer_free(app->hold.look_timer);
    app->hold = (struct hold_run){0};
}
