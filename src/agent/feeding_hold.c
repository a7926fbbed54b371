/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STEP_TAIL: before a switch the other zone gets what it still lacks. Most of it while clients are served as ever; for
 * what is left then, new transactions wait. In a group nobody's wait before all of them are that near. */
#include "agent/feeding_role.h"

#include "agent/feeding.h"
#include "agent/groups.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "os/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SLACK_MS = 500, /* beyond the time that the role has: for one that hangs */
    FEW = 16,       /* transactions that are applied while clients wait, however long each takes */
    MEASURE_MS = 400,
};

static void pass(struct app *app, bool planned)
{
    app->feeding->planned = planned;
    operation_event(app, EVENT_DONE, NULL);
}

/* What the agent itself goes back from is bad: it does not stay because of what the other one lacks. */
static bool may_miss(const struct app *app, uint64_t missing)
{
    return app->operation.by_agent || operation_step(app) == STEP_BACK_TAIL || missing <= app->operation.lose;
}

static void say_missed(struct app *app, uint64_t missing)
{
    struct operation *operation = &app->operation;
    log_warning("%s: %s goes on, and %" PRIu64 " transaction%s missed by %s", app->name, verb_name(operation->verb),
                missing, missing == 1 ? " is" : "s are", operation->release);
    progress(app, operation->target, "tail", "%" PRIu64 " transaction%s missed", missing,
             missing == 1 ? " is" : "s are");
}

/* "; v2 is staged in green: ...": it is well, and stays. */
static void say_staged(const struct app *app, char *text, size_t size)
{
    const struct operation *operation = &app->operation;
    text[0] = '\0';
    if (operation->verb == VERB_DEPLOY)
        snprintf(text, size, "; %s is staged in %s: \"bluegreen switch %s\" goes on", operation->release,
                 colour_name(operation->target), app->name);
}

static void be_late(struct app *app, uint64_t missing, const char *why)
{
    char text[WIRE_TEXT_MAX + 1], staged[WIRE_TEXT_MAX + 1];
    if (may_miss(app, missing)) {
        app->feeding->missed = missing;
        say_missed(app, missing);
        pass(app, false);
        return;
    }
    say_staged(app, staged, sizeof staged);
    snprintf(text, sizeof text, "%s would miss %" PRIu64 " transaction%s (--lose %" PRIu64 " accepts that)%s: %s",
             app->zones[app->operation.target].release, missing, missing == 1 ? "" : "s", missing, staged, why);
    operation_event(app, EVENT_FAILED, text);
}

static bool in_tail(const struct app *app)
{
    return operation_step(app) == STEP_TAIL || operation_step(app) == STEP_BACK_TAIL;
}

static enum colour target_of(const struct app *app)
{
    return operation_step(app) == STEP_BACK_TAIL ? (enum colour)app->operation.from : app->operation.target;
}

static uint64_t unknown_missing(const struct feeding *feeding)
{
    const struct feed_figures *figures = &feeding->figures;
    uint64_t missing = feeding->has_figures ? figures->behind + figures->in_doubt : 0;
    return missing ? missing : 1;
}

static uint32_t wait_of(const struct app *app)
{
    return app->zones[app->live].service->feed.wait_ms;
}

/* --- catching up ---------------------------------------------------------------------------------------------- */

/* What the other zone will take for what is left, as it has come forward since this began; UINT64_MAX: not at all. */
static uint64_t time_left_ms(const struct feeding *feeding)
{
    uint64_t took = clock_monotonic_ms() - feeding->catch_began_ms;
    uint64_t now = feeding->figures.applied[target_of(feeding->app)];
    uint64_t applied = now > feeding->catch_applied ? now - feeding->catch_applied : 0;
    return applied == 0 || took < MEASURE_MS ? UINT64_MAX : feeding->figures.behind * took / applied;
}

/* Clients wait for a quarter of what they may; or for more, as long as it can still be in time, where the other zone
 * falls back further: later they would wait longer. */
static bool is_soon(const struct feeding *feeding)
{
    uint64_t left = time_left_ms(feeding), wait = wait_of(feeding->app);
    bool falls_back = feeding->figures.behind >= feeding->catch_behind;
    return left <= wait / 4 || (falls_back && left <= wait / 4 * 3);
}

/* A role that waits in vain, or has nothing to wait for, says so at once. */
static bool is_near(const struct feeding *feeding)
{
    const struct app *app = feeding->app;
    const struct feed_figures *figures = &feeding->figures;
    bool applies = figures->state == FEED_STATE_BEHIND || figures->state == FEED_STATE_DOUBT;
    if (app->operation.by_agent || operation_step(app) == STEP_BACK_TAIL)
        return true; /* what is live is no good, or only lent */
    return !feeding->has_figures || !applies || figures->behind <= FEW || is_soon(feeding);
}

static void begin_hold(struct app *app)
{
    struct feeding *feeding = app->feeding;
    uint32_t wait = wait_of(app);
    feeding->catches_up = feeding->near = false;
    progress(app, target_of(app), "tail", "new transactions wait until %s has those before them, no longer than %u ms",
             app->zones[target_of(app)].release, wait);
    feeding->holds = true;
    feeding->hold_until_ms = clock_monotonic_ms() + wait;
    loop_timer_arm(feeding->hold_timer, (uint64_t)wait + SLACK_MS);
    feeding_follow(app);
}

static void come_near(struct app *app)
{
    struct feeding *feeding = app->feeding;
    feeding->catches_up = false;
    feeding->near = true;
    loop_timer_disarm(feeding->hold_timer);
    if (app->operation.group)
        group_gather(app->operation.group);
    else
        begin_hold(app);
}

bool feeding_is_near(const struct app *app)
{
    return app->feeding && (app->feeding->near || app->feeding->holds);
}

void feeding_go_on(struct app *app)
{
    if (app->feeding && app->feeding->near)
        begin_hold(app);
}

void feeding_catch_up(struct feeding *feeding)
{
    if (feeding->catches_up && in_tail(feeding->app) && is_near(feeding))
        come_near(feeding->app);
}

static void end_catching_up(struct feeding *feeding)
{
    char why[160];
    const struct feed_figures *figures = &feeding->figures;
    uint64_t left = time_left_ms(feeding), wait = wait_of(feeding->app);
    if (left <= wait) {
        come_near(feeding->app);
        return;
    }
    feeding->catches_up = false;
    if (left == UINT64_MAX)
        snprintf(why, sizeof why, "in %" PRIu64 " ms it has applied none%s%.100s", wait, figures->reason[0] ? ": " : "",
                 figures->reason);
    else
        snprintf(why, sizeof why, "after %" PRIu64 " ms it would still take some %" PRIu64 " s to apply them", wait,
                 left / 1000 + 1);
    be_late(feeding->app, unknown_missing(feeding), why);
}

/* --- the hold ------------------------------------------------------------------------------------------------- */

void feeding_hold_late(void *context)
{
    struct feeding *feeding = context;
    if (!in_tail(feeding->app))
        return;
    if (feeding->catches_up) {
        end_catching_up(feeding);
    } else if (feeding->holds) {
        bool runs = feeding->process.pid && feeding->asked;
        be_late(feeding->app, unknown_missing(feeding), runs ? "the feed does not answer" : "the feed does not run");
    }
}

void feeding_hold_tell(struct feeding *feeding)
{
    uint64_t now = clock_monotonic_ms();
    if (!feeding->holds || feeding->asked || !in_tail(feeding->app))
        return;
    struct feed_hold hold = {.token = ++feeding->token,
                             .wait_ms = feeding->hold_until_ms > now ? (uint32_t)(feeding->hold_until_ms - now) : 1,
                             .target = (uint8_t)target_of(feeding->app)};
    feeding_send(feeding, FEED_HOLD, &hold.header, sizeof hold, NULL, 0);
    feeding->asked = true;
}

/* A role that was started again in the middle of a hold is told who is live, too: it is asked once more then. */
void feeding_hold_ended(struct feeding *feeding)
{
    feeding->asked = false;
    if ((feeding->holds || feeding->catches_up) && in_tail(feeding->app))
        return;
    feeding->holds = false;
    loop_timer_disarm(feeding->hold_timer);
}

void feeding_ready(struct feeding *feeding, const struct feed_ready *ready)
{
    struct app *app = feeding->app;
    const struct feed_figures *figures = &feeding->figures;
    if (ready->token != feeding->token || !feeding->holds || !in_tail(app))
        return;
    loop_timer_disarm(feeding->hold_timer);
    if (ready->ready) {
        pass(app, true);
        return;
    }
    const char *why =
        feeding->has_figures && figures->reason[0] ? figures->reason : "it did not get there in time; try again";
    be_late(app, ready->missing, why);
}

/* STEP_TAIL and STEP_BACK_TAIL. */
void feeding_tail(struct app *app)
{
    struct feeding *feeding = app->feeding;
    const struct app_zone *target = &app->zones[target_of(app)];
    bool moves = app->state == APP_RUNNING && app->live >= 0 && app->live != (int)target->colour;
    if (!feeding || !moves || !zone_is_fed(&app->zones[app->live]) || !zone_is_fed(target)) {
        app->operation.idle_step = true;
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    feeding->asked = feeding->planned = feeding->near = false;
    feeding->missed = 0;
    feeding->catches_up = true;
    feeding->catch_began_ms = clock_monotonic_ms();
    feeding->catch_behind = feeding->figures.behind;
    feeding->catch_applied = feeding->figures.applied[target->colour];
    loop_timer_arm(feeding->hold_timer, wait_of(app));
    if (!is_near(feeding))
        progress(app, target->colour, "tail",
                 "%s lacks %" PRIu64 " transactions; clients are served until it has nearly all, for up to %u ms",
                 target->release, feeding->figures.behind, wait_of(app));
    feeding_catch_up(feeding);
}

/* The operation ends without a switch: all goes on as before. */
void feeding_hold_over(struct app *app)
{
    struct feeding *feeding = app->feeding;
    if (!feeding)
        return;
    feeding->catches_up = feeding->near = false;
    loop_timer_disarm(feeding->hold_timer);
    if (!feeding->holds)
        return;
    struct feed_hold hold = {.token = feeding->token};
    feeding->holds = false;
    if (feeding->asked)
        feeding_send(feeding, FEED_GO, &hold.header, sizeof hold, NULL, 0);
    feeding->asked = false;
}

/* A transaction has made another zone live. */
void feeding_moved(struct app *app)
{
    struct feeding *feeding = app->feeding;
    if (!feeding || feeding->process.pid == 0)
        return;
    const struct feed_figures *figures = &feeding->figures;
    uint64_t missed = feeding->holds ? feeding->missed : feeding->has_figures ? figures->behind + figures->in_doubt : 0;
    bool other = feeding->live >= 0 && feeding->live != app->live;
    struct operation *operation = &app->operation;
    if (other && !(feeding->holds && feeding->planned) && missed > 0 && operation_running(app)) {
        size_t used = strlen(operation->reason);
        snprintf(operation->reason + used, sizeof operation->reason - used,
                 "%s%" PRIu64 " transaction%s of the feed missed", used ? "; " : "", missed, missed == 1 ? "" : "s");
    }
    feeding_tell(feeding);
}
