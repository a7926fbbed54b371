/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probing a zone at its interval, from sockets made inside it, and telling the zone what the verdict became. */
#include "agent/probing.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/checking.h"
#include "agent/failover.h"
#include "agent/freezing.h"
#include "agent/keeping.h"
#include "agent/operations.h"
#include "agent/processes.h"
#include "agent/progress.h"
#include "agent/serving.h"
#include "agent/usage.h"
#include "agent/waiting.h"
#include "agent/zones.h"
#include "health/prober.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Until the app has answered once it is asked more often: a refused connection costs nothing, and a release that is
 * up after 80 ms should not wait for a second. */
enum {
    STARTING_INTERVAL_MS = 100,
    HELD_INTERVAL_MS = 20, /* clients wait for it */
};

static const struct health *health_of(const struct app_zone *zone)
{
    return &zone->service->health;
}

static bool is_operation_target(const struct app_zone *zone)
{
    return operation_running(zone->app) && zone->app->operation.target == zone->colour;
}

static uint64_t next_delay(const struct app_zone *zone)
{
    uint32_t interval = health_of(zone)->interval_ms;
    if (zone->app->operation.held && is_operation_target(zone) && interval > HELD_INTERVAL_MS)
        return HELD_INTERVAL_MS;
    bool starting = zone->state == ZONE_STARTING || zone->tracker.verdict == VERDICT_UNKNOWN;
    bool passed = zone->tracker.probed_ms && zone->tracker.last.outcome == PROBE_PASS;
    bool eager = starting && !passed;
    return eager && interval > STARTING_INTERVAL_MS ? STARTING_INTERVAL_MS : interval;
}

static void tell(struct app_zone *zone, bool changed)
{
    enum verdict verdict = zone->tracker.verdict;
    if (changed) {
        log_info("%s/%s: %s is %s: %s", zone->app->name, colour_name(zone->colour), zone->release,
                 verdict_name(verdict), zone->tracker.last.detail);
        if (verdict == VERDICT_HEALTHY)
            zone_change(zone, CHANGE_PASS);
        else if (verdict == VERDICT_UNHEALTHY)
            zone_change(zone, CHANGE_FAIL);
    }
    if (verdict == VERDICT_HEALTHY)
        zone->lost = false;
    failover_consider(zone->app);
    keeping_probed(zone->app);
    if (!is_operation_target(zone)) {
        freezing_consider(zone);
        return;
    }
    if (verdict == VERDICT_HEALTHY && zone->tracker.last.outcome == PROBE_PASS) {
        if (operation_step(zone->app) == STEP_GATE)
            progress(zone->app, zone->colour, "gate", "%s is healthy: %s", zone->release, zone->tracker.last.detail);
        operation_event(zone->app, EVENT_GOOD, NULL);
    } else if (verdict == VERDICT_UNHEALTHY && !operation_insists(zone->app)) {
        operation_event(zone->app, EVENT_BAD, zone->tracker.last.detail);
    }
}

/* Where the app says itself when it is ready, and while it is in a crash loop, no answer is good enough. */
static bool take(struct app_zone *zone, const struct probe_result *result)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    struct probe_result instead = {.outcome = PROBE_FAILED};
    processes_settle(zone);
    if (zone_in_crash_loop(zone, false, instead.detail, sizeof instead.detail))
        return verdict_condemn(&zone->tracker, &instead, now);
    const char *not_ready = zone->kernel && result->outcome == PROBE_PASS ? check_not_ready(zone) : NULL;
    if (not_ready)
        text_copy(instead.detail, sizeof instead.detail, not_ready);
    return verdict_add(&zone->tracker, health_of(zone), not_ready ? &instead : result, now);
}

/* Of a staged release: also what does not pass yet is what somebody who waits wants to see. */
static void tell_of_check(struct app_zone *zone)
{
    const struct verdict_tracker *tracker = &zone->tracker;
    if (tracker->last.outcome == PROBE_PASS)
        progress(zone->app, zone->colour, "health", "%u of %u passes: %s", tracker->passes_in_row,
                 health_of(zone)->passes, tracker->last.detail);
    else
        progress(zone->app, zone->colour, "health", "not yet: %s", tracker->last.detail);
}

void probing_result(struct app_zone *zone, const struct probe_result *result)
{
    zone->probe_running = false;
    usage_sample(zone);
    bool changed = take(zone, result);
    if (is_operation_target(zone) && operation_step(zone->app) == STEP_HEALTH)
        tell_of_check(zone);
    if (zone->probe_timer)
        loop_timer_arm(zone->probe_timer, next_delay(zone));
    bake_probed(zone);
    canary_probed(zone);
    tell(zone, changed); /* last: it may tear the zone down */
}

static void on_result(void *context, const struct probe_result *result)
{
    serving_count_probe(context, result);
    probing_result(context, result);
}

void probing_condemn(struct app_zone *zone, const char *why)
{
    struct probe_result result = {.outcome = PROBE_FAILED};
    if (!zone->probe_timer)
        return;
    text_copy(result.detail, sizeof result.detail, why);
    bool changed = verdict_condemn(&zone->tracker, &result, loop_now_ms(zone->app->agent->loop));
    bake_look(zone);
    canary_look(zone);
    tell(zone, changed);
}

static size_t open_sockets(struct app_zone *zone, int family, int sockets[CHECK_SOCKETS_MAX], struct error *err)
{
    size_t wanted = health_of(zone)->follow_redirects ? CHECK_SOCKETS_MAX : 1, count = 0;
    while (count < wanted) {
        int fd = zone_socket(zone->kernel, family, SOCK_STREAM, err);
        if (fd < 0)
            break;
        sockets[count++] = fd;
    }
    return count;
}

static int send_check(struct app_zone *zone, struct error *err)
{
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    int sockets[CHECK_SOCKETS_MAX];
    size_t count = open_sockets(zone, AF_INET, sockets, err);
    if (count == 0)
        return -err->code;
    struct health health = *health_of(zone);
    health.exec = (struct words){0}; /* pointers are not for the role */
    return prober_check(zone->app->agent->prober, &health, &addresses->service4, sockets, count, on_result, zone,
                        &zone->probe_id, err);
}

static bool needs_prober(const struct app_zone *zone)
{
    return health_of(zone)->kind == HEALTH_TCP || health_of(zone)->kind == HEALTH_HTTP;
}

void on_probe_timer(void *context)
{
    struct app_zone *zone = context;
    if (zone->probe_running) {
        if (zone->check[0])
            check_overdue(zone);
        return;
    }
    if (!zone->kernel || zone->closing) { /* lost, and waiting to be rebuilt */
        loop_timer_arm(zone->probe_timer, next_delay(zone));
        struct probe_result gone = {.outcome = PROBE_REFUSED, .detail = "the zone does not exist at the moment"};
        if (verdict_add(&zone->tracker, health_of(zone), &gone, loop_now_ms(zone->app->agent->loop)))
            tell(zone, true);
        return;
    }
    struct error err = {0};
    zone->probe_running = true;
    if (!needs_prober(zone)) {
        check_begin(zone);
        return;
    }
    if (send_check(zone, &err) == 0)
        return;
    struct probe_result failed = {.outcome = PROBE_INTERNAL};
    snprintf(failed.detail, sizeof failed.detail, "%.150s", err.text);
    on_result(zone, &failed);
}

void probing_start(struct app_zone *zone)
{
    zone->probe_timer = zone->checks_timer;
    verdict_start(&zone->tracker, loop_now_ms(zone->app->agent->loop));
    probing_now(zone);
}

void probing_resume(struct app_zone *zone)
{
    probing_start(zone);
    zone->tracker.passes_in_row = health_of(zone)->passes - 1;
}

void probing_retime(struct app_zone *zone)
{
    if (zone->probe_timer && !zone->probe_running)
        loop_timer_arm(zone->probe_timer, next_delay(zone));
}

void probing_now(struct app_zone *zone)
{
    if (zone->probe_timer && !zone->probe_running)
        loop_timer_arm(zone->probe_timer, 0);
}

void probing_stop(struct app_zone *zone)
{
    if (zone->probe_running && zone->check[0])
        check_cancel(zone);
    else if (zone->probe_running)
        prober_cancel(zone->app->agent->prober, zone->probe_id);
    zone->probe_running = false;
    loop_timer_disarm(zone->checks_timer);
    zone->probe_timer = NULL;
    zone->tracker = (struct verdict_tracker){0};
}
