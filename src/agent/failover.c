/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Failover: when the live release fails and the one before it is there and well, that one takes over, once for each
 * release. A release that was left so, or that was found bad, is never failed over to.
 */
#include "agent/failover.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/giving_way.h"
#include "agent/operations.h"
#include "agent/processes.h"
#include "agent/records.h"
#include "agent/schema.h"
#include "agent/zones.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>

static const char who[] = "bluegreen (failover)";

/* An app that was started again with the host has its start's time to become healthy, as when it was staged. */
const char *zone_failing(const struct app_zone *zone)
{
    const struct verdict_tracker *tracker = &zone->tracker;
    if (zone->lost)
        return "its zone was lost, with everything in it";
    if (tracker->verdict != VERDICT_UNHEALTHY || !zone->service)
        return NULL;
    bool excused = !tracker->gate_reached && !zone_in_crash_loop(zone, false, NULL, 0) &&
                   !verdict_start_expired(tracker, &zone->service->health, loop_now_ms(zone->app->agent->loop));
    return excused ? NULL : tracker->last.detail;
}

void zone_set_mark(struct app_zone *zone, enum zone_mark mark, const char *reason)
{
    if (zone->mark == mark && strcmp(zone->mark_reason, reason) == 0)
        return;
    zone->mark = mark;
    snprintf(zone->mark_reason, sizeof zone->mark_reason, "%s", reason);
    if (zone->app->indexed)
        record_mark(zone);
}

static void say_once(struct app *app, const char *why)
{
    const struct app_zone *live = zone_of(app, (enum colour)app->live);
    if (strcmp(why, app->failover_said) == 0)
        return;
    snprintf(app->failover_said, sizeof app->failover_said, "%s", why);
    log_error("%s/%s: %s fails and there is no failover: %s", app->name, colour_name(live->colour), live->release, why);
}

/* What rules it out, whatever the standby's health is. */
static bool ruled_out(const struct app_zone *live, const struct app_zone *other, char *why, size_t size)
{
    struct error err = {0};
    if (!zone_was_live(other))
        snprintf(why, size, "zone %s is %s%s%.150s, so there is no standby", colour_name(other->colour),
                 zone_state_name(other->state), other->expired ? ": " : "", other->expired ? other->reason : "");
    else if (live->mark == MARK_LEFT || other->mark == MARK_LEFT)
        snprintf(why, size, "it was done once since the last deploy");
    else if (other->mark == MARK_BAD)
        snprintf(why, size, "the standby %s is bad: %.150s", other->release, other->mark_reason);
    else if (schema_admits(other->app, other, &err) < 0)
        text_copy(why, size, err.text);
    else
        return false;
    return true;
}

/* False: not now, and the next probe of either zone asks again. */
static bool standby_is_well(struct app *app, struct app_zone *standby, char *why, size_t size)
{
    const struct verdict_tracker *tracker = &standby->tracker;
    why[0] = '\0';
    if (standby->state == ZONE_FROZEN) {
        log_notice("%s/%s: %s is thawed to see whether it can take over", app->name, colour_name(standby->colour),
                   standby->release);
        zone_change(standby, CHANGE_THAW);
        return false;
    }
    if (standby->state == ZONE_RESTING) /* it does not run, so nobody knows: the hold finds out */
        return true;
    if (tracker->verdict == VERDICT_UNHEALTHY)
        snprintf(why, size, "the standby %s is not healthy: %s", standby->release, tracker->last.detail);
    return standby->kernel && !standby->closing && tracker->verdict == VERDICT_HEALTHY &&
           tracker->last.outcome == PROBE_PASS &&
           verdict_fresh(tracker, &standby->service->health, loop_now_ms(app->agent->loop));
}

static void fail_over(struct app *app, const char *failure)
{
    struct app_zone *live = zone_of(app, (enum colour)app->live);
    const struct app_zone *standby = zone_of(app, colour_other(live->colour));
    struct error err = {0};
    char reason[WIRE_TEXT_MAX + 1];
    snprintf(reason, sizeof reason, "%s fails: %s", live->release, failure);
    log_error("%s/%s: FAILOVER to %s (%s): %s", app->name, colour_name(live->colour), standby->release,
              colour_name(standby->colour), reason);
    if (operation_by_agent(app, VERB_FAILOVER, who, reason, &err) < 0)
        say_once(app, err.text);
}

void failover_consider(struct app *app)
{
    char why[WIRE_TEXT_MAX + 1];
    bool busy = operation_running(app) && !operation_may_give_way(app);
    if (app->state != APP_RUNNING || app->live < 0 || busy || baking(app))
        return;
    struct app_zone *live = zone_of(app, (enum colour)app->live), *other = zone_of(app, colour_other(live->colour));
    const char *failure = zone_failing(live);
    if (!failure) {
        app->failover_said[0] = '\0';
        return;
    }
    if (!live->service || !live->service->failover || loop_now_ms(app->agent->loop) < app->failover_after_ms)
        return;
    if (ruled_out(live, other, why, sizeof why))
        say_once(app, why);
    else if (standby_is_well(app, other, why, sizeof why) && !operation_gives_way(app, failure))
        fail_over(app, failure);
    else if (why[0])
        say_once(app, why);
}
