/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that need no prober: that the app runs, that it says it is ready, that a command in its zone succeeds. */
#include "agent/checking.h"

#include "agent/agent.h"
#include "agent/launching.h"
#include "agent/probing.h"
#include "agent/processes.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECK_PREFIX "check-"

/* Beyond the deadline that the shim keeps: it kills, collects and tells. */
enum { COMMAND_GRACE_MS = 5000 };

const char *check_not_ready(const struct app_zone *zone)
{
    return zone->service->health.notify && !zone_app(zone->kernel)->ready ? "the app has not said READY=1" : NULL;
}

/* HEALTH_ALIVE and HEALTH_NOTIFY: nothing to connect to, so running (and being ready) is passing. */
static void check_alive(struct app_zone *zone)
{
    bool runs = zone_app(zone->kernel)->pid != 0;
    bool told = zone->service->health.kind == HEALTH_NOTIFY;
    struct probe_result result = {.outcome = runs ? PROBE_PASS : PROBE_REFUSED};
    text_copy(result.detail, sizeof result.detail,
              !runs  ? "the app does not run"
              : told ? "the app runs and said READY=1"
                     : "the app runs");
    probing_result(zone, &result);
}

static bool is_check(const struct zone_app *process)
{
    return text_starts_with(process->name, CHECK_PREFIX);
}

/* --- a command --------------------------------------------------------------------------------- */

/* A command that the release does not bring is the app's failure; a shim that does not answer is not. */
static bool is_our_trouble(int error)
{
    return error == EBUSY || error == ENOMEM || error == EPIPE || error == ETIMEDOUT || error == EAGAIN;
}

static void could_not_run(struct app_zone *zone, enum probe_outcome outcome, const char *why)
{
    struct probe_result result = {.outcome = outcome};
    zone->check[0] = '\0';
    snprintf(result.detail, sizeof result.detail, "the check cannot be run: %.120s", why);
    text_sanitise(result.detail);
    probing_result(zone, &result);
}

/* One that was given up may not have ended yet. */
static int refuse_a_second(const struct app_zone *zone, struct error *err)
{
    size_t count;
    const struct zone_app *processes = zone_processes(zone->kernel, &count);
    if (zone_starting(zone->kernel, CHECK_PREFIX))
        return error_set(err, EBUSY, "the former one is still being started");
    for (size_t i = 0; i < count; i++) {
        size_t worker;
        if (processes[i].pid && is_check(&processes[i]) && !worker_find(zone, processes[i].name, &worker))
            return error_set(err, EBUSY, "the former one, pid %d, has not ended", (int)processes[i].pid);
    }
    return 0;
}

/* A name of its own for each: what is told of a former one is not taken for the end of this one. */
static void name_check(struct app_zone *zone)
{
    size_t worker;
    do
        snprintf(zone->check, sizeof zone->check, CHECK_PREFIX "%u", ++zone->check_serial % 100000);
    while (worker_find(zone, zone->check, &worker));
}

static void run_command(struct app_zone *zone)
{
    struct zone_launch launch = {0};
    struct error err = {0};
    int result = refuse_a_second(zone, &err);
    if (result == 0)
        result = zone_launch_prepare(zone, &launch, &err);
    if (result == 0) {
        name_check(zone);
        launch.process = zone->check;
        launch.argv = zone->resolved->check;
        launch.deadline_ms = zone->service->health.timeout_ms;
        zone->check_began_ms = clock_monotonic_ms();
        result = zone_start(zone->kernel, &launch, &err);
    }
    if (result < 0)
        could_not_run(zone, is_our_trouble(err.code) ? PROBE_INTERNAL : PROBE_FAILED, err.text);
    else
        loop_timer_arm(zone->probe_timer, (uint64_t)launch.deadline_ms + COMMAND_GRACE_MS);
}

bool check_ended(struct app_zone *zone, const struct zone_app *about)
{
    if (!is_check(about))
        return false;
    if (!zone->check[0] || strcmp(zone->check, about->name) != 0)
        return true; /* one that was given up */
    if (about->start_error) {
        /* That it took too long is no trouble of the shim's, but whatever the app does to it. */
        bool late = about->start_error == ETIMEDOUT;
        could_not_run(zone,
                      late                                 ? PROBE_TIMEOUT
                      : is_our_trouble(about->start_error) ? PROBE_INTERNAL
                                                           : PROBE_FAILED,
                      about->reason);
        return true;
    }
    const char *output = about->output;
    uint64_t took = clock_monotonic_ms() - zone->check_began_ms;
    struct probe_result result = {.duration_us = (uint32_t)(took < UINT32_MAX / 1000 ? took * 1000 : UINT32_MAX)};
    result.outcome = about->timed_out ? PROBE_TIMEOUT : about->signalled || about->value ? PROBE_FAILED : PROBE_PASS;
    if (about->timed_out)
        snprintf(result.detail, sizeof result.detail, "the check took longer than %u ms and was killed%s%.80s",
                 zone->service->health.timeout_ms, output[0] ? ": " : "", output);
    else
        snprintf(result.detail, sizeof result.detail, "the check %s %d%s%.110s",
                 about->signalled ? "was ended by signal" : "exited with code", about->value, output[0] ? ": " : "",
                 output);
    text_sanitise(result.detail);
    zone->check[0] = '\0';
    probing_result(zone, &result);
    return true;
}

void check_cancel(struct app_zone *zone)
{
    struct error err = {0};
    if (zone->check[0] && zone->kernel && zone_stop(zone->kernel, zone->check, &err) < 0)
        log_debug("%s/%s: end the check: %s", zone->app->name, colour_name(zone->colour), err.text);
    zone->check[0] = '\0';
}

void check_overdue(struct app_zone *zone)
{
    struct probe_result result = {.outcome = PROBE_INTERNAL, .detail = "the shim does not say how the check ended"};
    check_cancel(zone);
    probing_result(zone, &result);
}

/* --- either ------------------------------------------------------------------------------------- */

void check_begin(struct app_zone *zone)
{
    if (zone->service->health.kind == HEALTH_EXEC)
        run_command(zone);
    else
        check_alive(zone);
}
