/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a standby is kept ([standby] keep): from when it was drained, and not before what is live has passed its
 * bake and is well, because until then it is the way back. A release that was found bad, or was failed over from, stays
 * for a look until its place is needed.
 */
#include "agent/keeping.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/incidents.h"
#include "agent/operations.h"
#include "agent/probing.h"
#include "agent/zones.h"
#include "conf/keys.h"
#include "os/log.h"

#include <stdio.h>

enum { JOURNAL_AGAIN_MS = 60000 };

static bool rests(const struct app_zone *zone)
{
    return zone->state == ZONE_STANDBY || zone->state == ZONE_FROZEN || zone->state == ZONE_RESTING;
}

static struct app_zone *standby_of(struct app *app)
{
    if (app->state != APP_RUNNING || app->live < 0)
        return NULL;
    struct app_zone *other = zone_of(app, colour_other((enum colour)app->live));
    bool bounded = other->service && other->service->keep_ms != KEEP_UNTIL_NEXT;
    return bounded && rests(other) && other->mark == MARK_NONE && !canary_runs(app) ? other : NULL;
}

uint64_t keeping_until(const struct app_zone *zone)
{
    struct app *app = zone->app;
    if (zone != standby_of(app))
        return 0;
    uint64_t now = clock_unix_ms(), since = zone->since_unix_ms < now ? zone->since_unix_ms : now;
    uint64_t until = since + zone->service->keep_ms;
    return baking(app) && app->bake.until_unix_ms > until ? app->bake.until_unix_ms : until;
}

/* Nothing is under way that may need it. */
static bool may_go(const struct app *app)
{
    const struct app_zone *live = &app->zones[app->live];
    bool drains = drain_runs(&app->zones[colour_other((enum colour)app->live)]); /* a canary that was taken back */
    return !baking(app) && live->mark != MARK_BAD && !live->lost && !operation_running(app) && !drains;
}

/* What hangs is still healthy while its probe waits for an answer: only one that passed since it was asked for says
 * something. */
static bool live_is_well(const struct app *app)
{
    const struct app_zone *live = &app->zones[app->live];
    const struct verdict_tracker *tracker = &live->tracker;
    return live->service && tracker->verdict == VERDICT_HEALTHY && tracker->last.outcome == PROBE_PASS &&
           tracker->probed_ms >= app->keep_asked_ms &&
           verdict_fresh(tracker, &live->service->health, loop_now_ms(app->agent->loop));
}

static void ask(struct app *app)
{
    app->keep_asked_ms = loop_now_ms(app->agent->loop);
    probing_now(&app->zones[app->live]);
}

static void remove_standby(struct app_zone *zone)
{
    char age[KEY_DURATION_TEXT_MAX];
    uint64_t keep_ms = zone->service->keep_ms;
    if (keep_ms == 0)
        zone_set_reason(zone, "%s was removed when it was drained, as [standby] keep = no says", zone->release);
    else
        zone_set_reason(zone, "%s was removed after %s, as [standby] keep says", zone->release,
                        key_show_duration(keep_ms, age));
    log_notice("%s/%s: %s; there is nothing to roll back to now", zone->app->name, colour_name(zone->colour),
               zone->reason);
    incident_record(zone, INCIDENT_REMOVED, "%s; there is nothing to roll back to", zone->reason);
    zone->expired = true;
    zone_change(zone, CHANGE_REMOVE);
}

static void arm(struct app *app, uint64_t delay_ms);

static void on_timer(void *context)
{
    struct app *app = context;
    struct app_zone *zone = standby_of(app);
    if (!zone || !may_go(app)) { /* the end of what is in the way asks again */
        app->keep_asked_ms = 0;
        return;
    }
    uint64_t now = clock_unix_ms(), until = keeping_until(zone);
    if (now < until)
        arm(app, until - now);
    else if (app->agent->journal_broken)
        arm(app, JOURNAL_AGAIN_MS);
    else if (!app->keep_asked_ms)
        ask(app);
    else if (live_is_well(app))
        remove_standby(zone);
}

/* Soon, not from here: it may have a zone torn down. */
void keeping_probed(struct app *app)
{
    if (app->keep_asked_ms)
        arm(app, 0);
}

static void arm(struct app *app, uint64_t delay_ms)
{
    if (!app->keep_timer)
        app->keep_timer = loop_timer_new(app->agent->loop, on_timer, app);
    if (app->keep_timer)
        loop_timer_arm(app->keep_timer, delay_ms);
    else
        log_error("%s: no memory to see when [standby] keep is over", app->name);
}

void keeping_schedule(struct app *app)
{
    app->keep_asked_ms = 0;
    if (standby_of(app))
        arm(app, 0);
}

void keeping_dispose(struct app *app)
{
    loop_timer_free(app->keep_timer);
    app->keep_timer = NULL;
}
