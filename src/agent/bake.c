/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bake: a release that has just become live is watched, and left again at the first breach. It runs beside
 * operations, never in one: those that only wait for a test or a hook give way to a breach, the others it waits for.
 * All of it is in the journal, so that an agent that is started again goes on where the former one ended.
 */
#include "agent/bake.h"

#include "agent/agent.h"
#include "agent/failover.h"
#include "agent/hooks.h"
#include "agent/incidents.h"
#include "agent/keeping.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/replies.h"
#include "agent/serving.h"
#include "agent/waiting.h"
#include "agent/watching.h"
#include "os/log.h"

#include <stdio.h>

enum {
    AGAIN_MS = 5000,             /* between two attempts to switch back */
    LOOK_MS = 1000,              /* between two looks at the figures; exits and probes are looked at when they happen */
    BREACH_PATIENCE_MS = 300000, /* without [bake] time: how long a way back is looked for after a breach */
};

struct app_zone *bake_zone(const struct app *app)
{
    return zone_of((struct app *)app, app->bake.zone);
}

bool baking(const struct app *app)
{
    return app->bake.on;
}

/* While a rehearsal has the other zone serve, nothing that happens says anything about this one. */
static bool paused(const struct app *app)
{
    return app->live != (int)app->bake.zone;
}

/* --- what there is to see ---------------------------------------------------------------------------- */

static void look(struct app *app)
{
    struct bake_run *bake = &app->bake;
    struct app_zone *zone = bake_zone(app);
    char why[WIRE_TEXT_MAX + 1];
    if (!bake->on || bake->breach[0] || paused(app) || !zone->service)
        return;
    if (watching_look(&bake->watching, zone, why, sizeof why))
        bake_breach(app, why);
}

void bake_look(struct app_zone *zone)
{
    if (zone->app->bake.on && zone == bake_zone(zone->app))
        look(zone->app);
}

void bake_probed(struct app_zone *zone)
{
    struct app *app = zone->app;
    if (!app->bake.on || zone != bake_zone(app) || paused(app))
        return;
    /* An app that was started again with the host is not asked more of than one that is staged. */
    if (zone->tracker.verdict != VERDICT_UNKNOWN)
        bake_watch_probe(&app->bake.watching.watch, &zone->tracker.last);
    look(app);
}

/* --- the guard hook ------------------------------------------------------------------------------------ */

static void on_guard(void *context, const struct hook_result *result)
{
    struct app *app = context;
    struct bake_run *bake = &app->bake;
    if (!bake->watching.guard_running)
        return;
    serving_guard(app, result->output);
    watching_guard_ended(&bake->watching, bake_zone(app), result);
    look(app);
}

void bake_make_way(struct app *app)
{
    watching_drop_guard(&app->bake.watching, app, on_guard);
}

/* --- its end ------------------------------------------------------------------------------------------ */

/* What there is to say of its end; why NULL: it is over, by itself or because of `finisher`. */
static void end_text(const struct app *app, const char *why, const char *finisher, char *text, size_t size)
{
    const struct bake_run *bake = &app->bake;
    const struct app_zone *zone = bake_zone(app);
    char stands[WIRE_TEXT_MAX + 1] = "";
    if (zone->service)
        bake_text(&bake->watching.watch, &zone->service->bake, stands, sizeof stands);
    if (why)
        snprintf(text, size, "the bake of %s has ended: %s", zone->release, why);
    else if (bake->breach[0])
        snprintf(text, size, "the bake of %s %s%s; it is bad and stays live: %s", zone->release,
                 finisher ? "was finished by " : "is over", finisher ? finisher : "", bake->breach);
    else if (finisher)
        snprintf(text, size, "the bake of %s was finished by %s, so far: %s", zone->release, finisher, stands);
    else
        snprintf(text, size, "%s has passed its bake: %s", zone->release, stands);
}

static void end(struct app *app, const char *why, const char *finisher)
{
    struct bake_run *bake = &app->bake;
    struct app_zone *zone = bake_zone(app);
    char text[2 * WIRE_TEXT_MAX];
    if (!bake->on)
        return;
    bool breached = bake->breach[0];
    end_text(app, why, finisher, text, sizeof text);
    log_line(breached && !why ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "%s/%s: %s", app->name, colour_name(zone->colour),
             text);
    bake_make_way(app);
    loop_timer_disarm(bake->timer);
    bake->on = false;
    changed(app->agent);
    keeping_schedule(app);
    bake->breach[0] = bake->stuck[0] = '\0';
    if (app->indexed)
        record_bake(app);
    if (!why && !breached && zone->mark == MARK_BAD) /* somebody forced it to be live, and was right */
        zone_set_mark(zone, MARK_NONE, "");
    requests_end(app, WAIT_BAKE, why || breached ? RESULT_FAILED : RESULT_DONE, NULL, text); /* not passed is failed */
}

void bake_finish(struct app *app, const char *finisher)
{
    end(app, NULL, finisher);
}

/* --- from look to look ------------------------------------------------------------------------------------ */

static void on_timer(void *context)
{
    struct app *app = context;
    struct bake_run *bake = &app->bake;
    uint64_t now = loop_now_ms(app->agent->loop);
    look(app);
    if (bake->breach[0])
        bake_switch_back(app);
    if (!bake->on)
        return;
    if (now >= bake->until_ms && !operation_running(app)) {
        end(app, NULL, NULL);
        return;
    }
    if (!bake->breach[0])
        watching_run_guard(&bake->watching, bake_zone(app), on_guard);
    progress_bake(app);
    uint64_t left = bake->until_ms > now ? bake->until_ms - now : LOOK_MS;
    loop_timer_arm(bake->timer, left < LOOK_MS ? left : LOOK_MS);
}

static bool start(struct app *app, uint64_t until_unix_ms, uint64_t left_ms)
{
    struct bake_run *bake = &app->bake;
    struct loop *loop = app->agent->loop;
    if (!bake->timer)
        bake->timer = loop_timer_new(loop, on_timer, app);
    if (!bake->timer) {
        log_error("%s: no memory to watch %s in its bake", app->name, app->zones[app->live].release);
        return false;
    }
    *bake = (struct bake_run){.on = true,
                              .zone = (enum colour)app->live,
                              .until_ms = loop_now_ms(loop) + left_ms,
                              .until_unix_ms = until_unix_ms,
                              .watching.base = bake->watching.base,
                              .timer = bake->timer};
    watching_begin(&bake->watching, bake_zone(app), false);
    loop_timer_arm(bake->timer, left_ms < LOOK_MS ? left_ms : LOOK_MS);
    return true;
}

void bake_switched(struct app *app)
{
    struct app_zone *zone = zone_of(app, (enum colour)app->live);
    struct error err = {0};
    app->bake.watching.base = (struct bake_figures){0};
    if (!zone->service || zone->service->bake.time_ms == 0)
        return;
    watching_set_base(&app->bake.watching, zone, &err);
    if (err.code)
        log_warning("%s/%s: the bake cannot watch resets and listen overflows: %s", app->name,
                    colour_name(zone->colour), err.text);
}

/* It watches from the switch on; its time counts from the end of what belongs to the switch, a hook say. */
static void begin_time(struct app *app, uint32_t time_ms)
{
    struct bake_run *bake = &app->bake;
    uint64_t until = loop_now_ms(app->agent->loop) + time_ms;
    if (bake->breach[0] || until < bake->until_ms + LOOK_MS)
        return;
    bake->until_ms = until;
    bake->until_unix_ms = clock_unix_ms() + time_ms;
    record_bake(app);
}

bool bake_is_about_to_leave(const struct app *app)
{
    const struct bake_run *bake = &app->bake;
    return bake->on && bake->breach[0] && !bake->tried && !bake->stuck[0];
}

/* Somebody has made another release live. */
static void left(struct app *app)
{
    struct bake_run *bake = &app->bake;
    char why[2 * WIRE_TEXT_MAX];
    const char *live = app->live >= 0 ? app->zones[app->live].release : "nothing";
    snprintf(why, sizeof why, "%s is live again, by %s%s%s", live, app->operation.who, bake->breach[0] ? ": " : "",
             bake->breach);
    end(app, why, NULL);
}

void bake_begin(struct app *app)
{
    if (app->live < 0 || app->state != APP_RUNNING)
        return;
    struct app_zone *zone = zone_of(app, (enum colour)app->live);
    uint32_t time_ms = zone->service ? zone->service->bake.time_ms : 0;
    if (app->bake.on && paused(app))
        left(app);
    if (app->bake.on)
        begin_time(app, time_ms);
    if (app->bake.on || time_ms == 0 || !start(app, clock_unix_ms() + time_ms, time_ms))
        return;
    record_bake(app);
    char why[WIRE_TEXT_MAX + 1];
    bool back = bake_way_back(app, why, sizeof why);
    log_notice("%s/%s: %s is in its bake for the next %u s%s%s", app->name, colour_name(zone->colour), zone->release,
               (time_ms + 999) / 1000, back ? "" : "; a breach will only be told: ", back ? "" : why);
}

void bake_breach(struct app *app, const char *why)
{
    struct bake_run *bake = &app->bake;
    if (app->live < 0 || app->state != APP_RUNNING)
        return;
    struct app_zone *zone = zone_of(app, (enum colour)app->live);
    if (bake->on && bake->zone != zone->colour)
        end(app, "another release is live", NULL);
    if (bake->breach[0] || (!bake->on && !start(app, clock_unix_ms() + BREACH_PATIENCE_MS, BREACH_PATIENCE_MS)))
        return;
    snprintf(bake->breach, sizeof bake->breach, "%s", why);
    text_sanitise(bake->breach);
    log_error("%s/%s: %s is bad: %s", app->name, colour_name(zone->colour), zone->release, bake->breach);
    record_bake(app); /* first: recovery makes the mark again from that */
    zone_set_mark(zone, MARK_BAD, bake->breach);
    incident_record(zone, INCIDENT_BREACH, "%s", bake->breach);
    progress(app, zone->colour, "bake", "%s is bad: %s", zone->release, bake->breach);
    loop_timer_arm(bake->timer, 0); /* not from here: whoever found it is in the middle of something */
}

/* --- operations meanwhile ---------------------------------------------------------------------------------- */

void bake_before_step(struct app *app, enum step step)
{
    char why[WIRE_TEXT_MAX + 1];
    if (!app->bake.on || (step != STEP_CLEAR && step != STEP_HALT))
        return;
    if (step == STEP_CLEAR)
        snprintf(why, sizeof why, "%s takes the place of what could be switched back to", app->operation.release);
    else
        snprintf(why, sizeof why, "%s by %s", verb_name(app->operation.verb), app->operation.who);
    end(app, why, NULL);
}

void bake_operation_ended(struct app *app, const char *failure)
{
    struct bake_run *bake = &app->bake;
    if (!bake->on)
        return;
    if (app->state != APP_RUNNING || paused(app)) {
        left(app);
        return;
    }
    if (failure && app->operation.by_agent && bake->breach[0]) { /* one that went back with another has none */
        bake_say_stuck(app, failure);
        bake->again_ms = loop_now_ms(app->agent->loop) + AGAIN_MS;
    }
    loop_timer_arm(bake->timer, bake->breach[0] && !(failure && app->operation.by_agent) ? 0 : LOOK_MS);
}

/* --- after a start, and for others ------------------------------------------------------------------------- */

/* Time went on while no agent looked, and what was counted of probes is gone: a bake does not pass before there are
 * enough of them again to say something. */
static uint64_t time_left(const struct app_zone *zone, uint64_t until_unix_ms)
{
    const struct health *health = &zone->service->health;
    uint64_t now = clock_unix_ms(), left = until_unix_ms > now ? until_unix_ms - now : 0;
    uint32_t probes = health->failures > BAKE_PROBES_LEAST ? health->failures : BAKE_PROBES_LEAST;
    uint64_t least = (uint64_t)health->interval_ms * probes + health->timeout_ms;
    uint64_t most = zone->service->bake.time_ms > BREACH_PATIENCE_MS ? zone->service->bake.time_ms : BREACH_PATIENCE_MS;
    least = least < most ? least : most;
    return left < least ? least : left < most ? left : most; /* the clock may have been set */
}

void bake_recover(struct app *app, const struct folded_app *folded)
{
    const struct folded_bake *from = &folded->bake;
    const struct record *operation = &folded->operation;
    bool runs = app->state == APP_RUNNING && app->live >= 0 && app->zones[app->live].service;
    bool same = runs && from->until_unix_ms && (int)from->zone == app->live;
    bool new_release = runs && folded->interrupted && operation->to == app->live && !operation_running(app) &&
                       (operation->verb == VERB_DEPLOY || operation->verb == VERB_SWITCH);
    if (!same) {
        if (from->until_unix_ms)
            record_bake(app); /* that it is over */
        if (new_release) {
            bake_switched(app);
            bake_begin(app);
        }
        return;
    }
    struct app_zone *zone = zone_of(app, (enum colour)app->live);
    const struct bake_figures base = {
        .restarts = from->restarts, .oom_kills = from->oom_kills, .overflows = from->overflows};
    watching_resume_base(&app->bake.watching, zone, &base);
    if (!start(app, from->until_unix_ms, time_left(zone, from->until_unix_ms)))
        return;
    text_copy(app->bake.breach, sizeof app->bake.breach, from->reason);
    if (from->reason[0])
        zone_set_mark(zone, MARK_BAD, from->reason);
    log_notice("%s/%s: the bake of %s goes on%s%s", app->name, colour_name(zone->colour), zone->release,
               from->reason[0] ? "; it is bad: " : "", from->reason);
}

void bake_dispose(struct app *app)
{
    loop_timer_free(app->bake.timer);
    app->bake = (struct bake_run){0};
}
