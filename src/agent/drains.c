/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for the connections of a zone that is not live any more, and cutting what is left when the time is over. */
#include "agent/drains.h"

#include "agent/agent.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/keeping.h"
#include "agent/nudging.h"
#include "agent/progress.h"
#include "agent/records.h"
#include "agent/replies.h"
#include "agent/waiting.h"
#include "agent/zones.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>

enum {
    LOOK_MS = 100,      /* while there are connections: one dump of the zone's sockets costs 0.5 to 17 ms */
    LOOK_AGAIN_MS = 30, /* a handshake on its way is in neither count: two zeros this far apart end it */
};

uint32_t zone_count_tcp(struct app_zone *zone)
{
    struct port ports[SERVICE_PORTS_MAX];
    uint32_t count = 0;
    if (zone->kernel && zone->service)
        sockets_count(zone_diag_fd(zone->kernel), ports, zone_ports_seen(zone, ports), &count, NULL);
    return count;
}

/* What is in the journal of a drain that goes on has an end there, whatever it belongs to. */
static void record(struct app_zone *zone, uint32_t cut, uint32_t left)
{
    if (!zone->drain.passive && zone->app->indexed && (zone->drain.operation || zone->state != ZONE_DRAINING))
        record_drained(zone, zone->drain.operation, cut, left);
}

/* What follows in its zone, before anybody hears of it. */
static void settle(struct app_zone *zone)
{
    if (zone->state == ZONE_DRAINING)
        zone_change(zone, CHANGE_DRAINED);
    else /* of a canary, whose zone stays what it is */
        egress_drained(zone);
    changed(zone->app->agent);
    keeping_schedule(zone->app);
}

static void end(struct app_zone *zone, uint32_t cut, uint32_t left, bool settles)
{
    struct drain *drain = &zone->drain;
    struct app *app = zone->app;
    nudging_end(zone);
    uint32_t gone = drain->most > cut + left ? drain->most - cut - left : 0;
    drain->receipt.drained = gone;
    drain->receipt.cut = cut;
    drain->receipt.nudged = drain->nudged < gone ? drain->nudged : gone;
    drain->receipt.duration_ms = clock_monotonic_ms() - drain->operation_ms;
    log_info("%s/%s: drained: %u ended by themselves%s, %u of them nudged, %u cut, %u left", app->name,
             colour_name(zone->colour), gone, drain->resumed ? " since this agent was started" : "",
             drain->receipt.nudged, cut, left);
    char text[WIRE_TEXT_MAX] = "";
    if (left > 0)
        snprintf(text, sizeof text, "%u connections are still open in %s and were left as configured", left,
                 colour_name(zone->colour));
    record(zone, cut, left);
    bool has_receipt = drain->has_receipt;
    struct wire_receipt receipt = drain->receipt;
    settles = settles && !drain->passive;
    loop_timer_disarm(drain->timer);
    *drain = (struct drain){0};
    if (settles)
        settle(zone);
    requests_end(app, WAIT_DRAIN, RESULT_DONE, has_receipt ? &receipt : NULL, text);
}

static void finish(struct app_zone *zone, uint32_t cut, uint32_t left)
{
    end(zone, cut, left, true);
}

static uint32_t cut_all(struct app_zone *zone)
{
    struct error err = {0};
    uint32_t destroyed = 0;
    struct port ports[SERVICE_PORTS_MAX];
    if (sockets_destroy(zone_diag_fd(zone->kernel), ports, zone_ports_seen(zone, ports), &destroyed, &err) < 0)
        log_error("%s/%s: cut the connections that are left: %s", zone->app->name, colour_name(zone->colour), err.text);
    else
        log_notice("%s/%s: %u connections cut after the drain's time", zone->app->name, colour_name(zone->colour),
                   destroyed);
    return destroyed;
}

/* How many were cut. */
static uint32_t on_deadline(struct app_zone *zone, uint32_t left)
{
    uint32_t cut = zone->service->drain_then == DRAIN_LEAVE ? 0 : cut_all(zone);
    finish(zone, cut, left > cut ? left - cut : 0);
    return cut;
}

static void tell(struct app_zone *zone, uint32_t connections)
{
    struct drain *drain = &zone->drain;
    bool news = connections != drain->last || drain->nudged != drain->told_nudged || drain->most == 0;
    drain->last = connections;
    drain->told_nudged = drain->nudged;
    if (news)
        progress_count(zone);
    if (connections > drain->most)
        drain->most = connections;
}

void on_drain_timer(void *context)
{
    struct app_zone *zone = context;
    struct drain *drain = &zone->drain;
    if (!zone->kernel) { /* lost meanwhile: its connections are, too */
        finish(zone, 0, 0);
        return;
    }
    uint32_t connections = 0;
    struct error err = {0};
    struct port ports[SERVICE_PORTS_MAX];
    if (sockets_count(zone_diag_fd(zone->kernel), ports, zone_ports_seen(zone, ports), &connections, &err) < 0) {
        log_warning("%s/%s: count connections: %s", zone->app->name, colour_name(zone->colour), err.text);
        connections = drain->last ? drain->last : 1; /* not knowing is not zero */
    }
    if (!drain->passive)
        nudging_consider(zone);
    tell(zone, connections);
    if (connections == 0 && drain->zero_seen) {
        finish(zone, 0, 0);
        return;
    }
    drain->zero_seen = connections == 0;
    if (connections > 0 && !drain->passive && loop_now_ms(zone->app->agent->loop) >= drain->deadline_ms)
        on_deadline(zone, connections);
    else
        loop_timer_arm(drain->timer, connections ? LOOK_MS : LOOK_AGAIN_MS);
}

/* Instead of one that there is: who waits for that waits for this. */
static void begin(struct app_zone *zone, struct drain fresh)
{
    fresh.timer = zone->drain_timer;
    fresh.operation_ms = fresh.begun_ms;
    fresh.timeout_ms = zone->service->drain_timeout_ms;
    fresh.nudged_before = zone->kernel ? zone_nudged(zone->kernel) : 0;
    zone->drain = fresh;
    loop_timer_arm(zone->drain.timer, 0);
}

void drain_start(struct app_zone *zone, uint64_t operation)
{
    uint64_t now = clock_monotonic_ms(); /* not the loop's: the switch was a while after that */
    struct drain fresh = {
        .begun_ms = now, .deadline_ms = now + zone->service->drain_timeout_ms, .operation = operation};
    nudging_end(zone);
    begin(zone, fresh);
}

void drain_set_receipt(struct app_zone *zone, const struct wire_receipt *receipt, uint64_t operation_ms)
{
    zone->drain.receipt = *receipt;
    zone->drain.has_receipt = true;
    zone->drain.operation_ms = operation_ms;
}

void drain_stop(struct app_zone *zone, const char *why)
{
    if (!zone->drain.timer)
        return;
    nudging_end(zone);
    loop_timer_disarm(zone->drain.timer);
    zone->drain = (struct drain){0};
    requests_end(zone->app, WAIT_DRAIN, why ? RESULT_FAILED : RESULT_DONE, NULL, why ? why : "");
}

void drain_lost(struct app_zone *zone)
{
    if (zone->drain.timer)
        end(zone, zone->drain.last, 0, false);
}

void drain_finish(struct app_zone *zone, char *text, size_t size)
{
    uint32_t left = zone->kernel ? zone_count_tcp(zone) : 0;
    if (left > zone->drain.most)
        zone->drain.most = left;
    uint32_t cut = zone->kernel && left > 0 ? on_deadline(zone, left) : 0;
    if (left == 0)
        finish(zone, 0, 0);
    snprintf(text, size, "the drain of %s is finished: %u connection%s cut, %u left open", colour_name(zone->colour),
             cut, cut == 1 ? "" : "s", left > cut ? left - cut : 0);
}

bool drain_times(const struct app_zone *zone, uint64_t *begun_ms, uint64_t *deadline_ms)
{
    const struct drain *drain = &zone->drain;
    if (!drain_runs(zone) || !zone->service)
        return false;
    *deadline_ms = drain->deadline_ms;
    *begun_ms = drain->deadline_ms - drain->timeout_ms;
    return true;
}

void drain_fill(const struct app_zone *zone, struct wire_drain *out)
{
    const struct drain *drain = &zone->drain;
    uint64_t begun_ms, deadline_ms, now = clock_monotonic_ms();
    if (!drain_times(zone, &begun_ms, &deadline_ms))
        return;
    *out = (struct wire_drain){
        .present = 1,
        .zone = (uint8_t)zone->colour,
        .leave = zone->service->drain_then == DRAIN_LEAVE,
        .connections = drain->last,
        .most = drain->most,
        .nudged = drain->nudged,
        .left_ms = deadline_ms > now ? (uint32_t)(deadline_ms - now) : 0,
    };
}

void drain_watch(struct app_zone *zone)
{
    if (!zone->drain.timer)
        begin(zone, (struct drain){.begun_ms = clock_monotonic_ms(), .passive = true});
}

/* --- over a restart of the agent ------------------------------------------------------------------------ */

void drain_tell(const struct app_zone *zone, struct record *record)
{
    const struct drain *drain = &zone->drain;
    uint64_t mono = clock_monotonic_ms(), now = clock_unix_ms();
    record->begun_unix_ms = now - (mono - drain->begun_ms);
    record->until_unix_ms = drain->deadline_ms > mono ? now + (drain->deadline_ms - mono) : now;
    record->operation = drain->operation;
}

/* No longer than it was to take, whatever somebody does to the clock meanwhile; one whose time is over ends with its
 * first look, as it would have. */
static void resume(struct app_zone *zone, const struct folded_drain *from)
{
    uint64_t mono = clock_monotonic_ms(), now = clock_unix_ms(), since = from->since_unix_ms;
    uint64_t until = from->until_unix_ms ? from->until_unix_ms : since + zone->service->drain_timeout_ms;
    uint64_t whole = until > since ? until - since : 0, left = until > now ? until - now : 0;
    struct drain fresh = {.begun_ms = mono - (now > since ? now - since : 0), /* modulo: before the host was booted */
                          .deadline_ms = mono + (left < whole ? left : whole),
                          .operation = from->operation,
                          .resumed = true};
    begin(zone, fresh);
    zone->drain.timeout_ms = (uint32_t)whole;
    log_notice("%s/%s: the drain goes on, for %llu ms at most", zone->app->name, colour_name(zone->colour),
               (unsigned long long)(zone->drain.deadline_ms - mono));
}

/* The agent ended before it could say that it drains. */
static void start_late(struct app_zone *zone)
{
    drain_start(zone, zone->app->operation.number);
    record_zone(zone);
}

void drains_recover(struct app *app, const struct folded_app *folded)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        const struct folded_zone *from = &folded->zones[colour];
        bool draining = zone->state == ZONE_DRAINING, known = from->drain.since_unix_ms > 0;
        if (!zone->kernel || !zone->service || zone->drain.timer)
            continue;
        if (known && zone->state == from->state)
            resume(zone, &from->drain);
        else if (draining)
            start_late(zone);
    }
}
