/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STEP_TAIL: before a switch the other zone gets what it still lacks, and new transactions wait meanwhile. */
#include "agent/feeding.h"

#include "os/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SLACK_MS = 500 /* beyond the time that the role has: for one that hangs */ };

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
    log_warning("%s: %s goes on, and %" PRIu64 " transaction%s missed by %s", app->name,
                verb_name(operation->verb), missing, missing == 1 ? " is" : "s are", operation->release);
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

void feeding_hold_late(void *context)
{
    struct feeding *feeding = context;
    if (!feeding->holds || !in_tail(feeding->app))
        return;
    bool runs = feeding->process.pid && feeding->asked;
    be_late(feeding->app, unknown_missing(feeding), runs ? "the feed does not answer" : "the feed does not run");
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
    if (feeding->holds && in_tail(feeding->app))
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
    uint32_t wait = app->zones[app->live].service->feed.wait_ms;
    progress(app, target->colour, "tail", "new transactions wait until %s has those before them, no longer than %u ms",
             target->release, wait);
    feeding->holds = true;
    feeding->asked = feeding->planned = false;
    feeding->missed = 0;
    feeding->hold_until_ms = clock_monotonic_ms() + wait;
    loop_timer_arm(feeding->hold_timer, (uint64_t)wait + SLACK_MS);
    feeding_follow(app);
}

/* The operation ends without a switch: all goes on as before. */
void feeding_hold_over(struct app *app)
{
    struct feeding *feeding = app->feeding;
    if (!feeding || !feeding->holds)
        return;
    struct feed_hold hold = {.token = feeding->token};
    feeding->holds = false;
    loop_timer_disarm(feeding->hold_timer);
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
