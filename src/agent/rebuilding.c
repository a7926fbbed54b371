/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone that was lost is made again, as often as it takes. Apart from zones.c, where each change is one step. */
#include "agent/rebuilding.h"

#include "agent/agent.h"
#include "agent/feeding.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/operations.h"
#include "agent/routing.h"
#include "agent/workers.h"
#include "agent/zones.h"
#include "os/log.h"

enum {
    REBUILD_DELAY_MS = 1000, /* until it is tried again, doubled up to the next */
    REBUILD_DELAY_MAX_MS = 60000,
};

static void on_rebuild_timer(void *context)
{
    rebuilding_begin(context);
}

static void rebuild_later(struct app_zone *zone)
{
    uint64_t delay = (uint64_t)REBUILD_DELAY_MS << (zone->rebuild_failures < 6 ? zone->rebuild_failures : 6);
    zone->rebuild_failures++;
    if (!zone->rebuild_timer)
        zone->rebuild_timer = loop_timer_new(zone->app->agent->loop, on_rebuild_timer, zone);
    if (zone->rebuild_timer)
        loop_timer_arm(zone->rebuild_timer, delay < REBUILD_DELAY_MAX_MS ? delay : REBUILD_DELAY_MAX_MS);
}

static int rebuild_now(struct app_zone *zone, struct error *err)
{
    int result = zone->service ? 0 : zone_load_configuration(zone, err);
    if (result == 0)
        result = zone_build(zone, true, err);
    if (result == 0)
        result = routing_apply(zone->app->agent, NULL, err); /* first: it is fenced from its first packet on */
    if (result == 0)
        result = zone_run_app(zone, err);
    return result;
}

void rebuilding_begin(struct app_zone *zone)
{
    struct error err = {0};
    zone_discard(zone);
    if (rebuild_now(zone, &err) == 0) {
        zone->rebuild_failures = 0;
        zone->reason[0] = '\0';
        log_notice("%s/%s: %s was started again in a new zone", zone->app->name, colour_name(zone->colour),
                   zone->release);
        verdict_start(&zone->tracker, loop_now_ms(zone->app->agent->loop));
        feeding_follow(zone->app);
        workers_schedule(zone->app);
        return;
    }
    zone_discard(zone);
    zone_set_reason(zone, "%s", err.text);
    log_error("%s/%s: %s cannot be started again: %s", zone->app->name, colour_name(zone->colour), zone->release,
              err.text);
    if (operation_running(zone->app) && zone->app->operation.target == zone->colour)
        operation_event(zone->app, EVENT_FAILED, err.text);
    /* What `start` undoes is stopped again; what was there before the operation goes on being tried. */
    if (!zone->kernel && !zone->closing && (zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY))
        rebuild_later(zone);
}

void rebuilding_stop(struct app_zone *zone)
{
    if (zone->rebuild_timer)
        loop_timer_disarm(zone->rebuild_timer);
}
