/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A standby that rests: frozen when nobody needs it any more, thawed before anything is asked of it. */
#include "agent/freezing.h"

#include "agent/agent.h"
#include "agent/canary.h"
#include "agent/operations.h"
#include "agent/processes.h"
#include "agent/records.h"
#include "agent/usage.h"
#include "agent/workers.h"
#include "agent/zones.h"
#include "os/log.h"

/* A command that somebody runs in it, or a check, would stand still with it. */
static bool has_guests(const struct app_zone *zone)
{
    size_t count;
    const struct zone_app *processes = zone_processes(zone->kernel, &count);
    if (zone_starting(zone->kernel, ""))
        return true;
    for (size_t i = 0; i < count; i++) {
        size_t worker;
        if (processes[i].pid && !worker_find(zone, processes[i].name, &worker))
            return true;
    }
    return false;
}

static bool is_idle_standby(const struct app_zone *zone)
{
    const struct app *app = zone->app;
    return zone->state == ZONE_STANDBY && zone->kernel && !zone->closing && app->state == APP_RUNNING &&
           app->live >= 0 && app->live != (int)zone->colour && !operation_running(app) && !zone->drain.timer &&
           !canary_runs(app) && !app->bake.breach[0]; /* it is the way back: its verdict has to stay fresh */
}

void freezing_consider(struct app_zone *zone)
{
    if (!zone->service || !zone->service->freeze || zone->freeze_failed || !is_idle_standby(zone))
        return;
    const struct verdict_tracker *tracker = &zone->tracker;
    if (tracker->verdict != VERDICT_HEALTHY || tracker->last.outcome != PROBE_PASS || workers_running(zone) ||
        has_guests(zone))
        return;
    usage_count_connections(zone);
    if (zone->tcp_count > 0 || zone->udp_count > 0)
        return;
    zone_change(zone, CHANGE_FREEZE);
}

void freezing_freeze(struct app_zone *zone)
{
    struct error err = {0};
    if (zone_freeze(zone->kernel, true, &err) == 0) {
        log_info("%s/%s: %s is frozen until it is needed", zone->app->name, colour_name(zone->colour), zone->release);
        return;
    }
    log_warning("%s/%s: %s is not frozen and goes on as standby: %s", zone->app->name, colour_name(zone->colour),
                zone->release, err.text);
    zone->freeze_failed = true;
    zone_change(zone, CHANGE_THAW);
}

void freezing_thaw(struct app_zone *zone)
{
    struct error err = {0};
    uint64_t began = clock_monotonic_ns();
    if (!zone->kernel || !zone_frozen(zone->kernel))
        return;
    if (zone_freeze(zone->kernel, false, &err) < 0)
        log_error("%s/%s: %s stays frozen: %s", zone->app->name, colour_name(zone->colour), zone->release, err.text);
    else
        log_info("%s/%s: %s goes on, thawed in %llu us", zone->app->name, colour_name(zone->colour), zone->release,
                 (unsigned long long)(clock_monotonic_ns() - began) / 1000);
}

void freezing_adopt(struct app_zone *zone)
{
    bool frozen = zone->kernel && zone_frozen(zone->kernel);
    bool died = frozen && zone->state == ZONE_FROZEN && zone_app(zone->kernel)->pid == 0;
    if (died)
        log_warning("%s/%s: %s ended while it was frozen; the zone goes on, as standby", zone->app->name,
                    colour_name(zone->colour), zone->release);
    if (frozen && (died || zone->state != ZONE_FROZEN)) {
        freezing_thaw(zone);
        frozen = zone_frozen(zone->kernel);
    }
    if (!frozen && zone->kernel && zone->state == ZONE_FROZEN) {
        zone->state = ZONE_STANDBY; /* probed from now on, and frozen again when that says so */
        record_zone(zone);
    }
}
