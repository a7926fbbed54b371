/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shim of a zone says of its processes, and what follows: exits, crash loops, watchdogs, ends. */
#include "agent/processes.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/checking.h"
#include "agent/commands.h"
#include "agent/failover.h"
#include "agent/holding.h"
#include "agent/hooks.h"
#include "agent/incidents.h"
#include "agent/operations.h"
#include "agent/probing.h"
#include "agent/usage.h"
#include "agent/workers.h"
#include "agent/zones.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { NOTIFIED_APART_MS = 90 }; /* a little below the shim's 100 */

const char *worker_name(const struct app_zone *zone, size_t worker)
{
    return worker == 0 ? "main" : zone->service->processes[worker - 1].name;
}

size_t worker_count(const struct app_zone *zone)
{
    return 1 + (zone->service ? zone->service->process_count : 0);
}

const struct zone_app *worker_app(const struct app_zone *zone, size_t worker)
{
    return worker == 0 ? zone_app(zone->kernel) : zone_process(zone->kernel, worker_name(zone, worker));
}

bool worker_find(const struct app_zone *zone, const char *name, size_t *worker)
{
    if (!name[0]) {
        *worker = 0;
        return true;
    }
    for (size_t i = 1; i < worker_count(zone); i++) {
        if (strcmp(worker_name(zone, i), name) == 0) {
            *worker = i;
            return true;
        }
    }
    return false;
}

/* --- crash loops ---------------------------------------------------------------------------- */

bool zone_in_crash_loop(const struct app_zone *zone, bool workers_too, char *text, size_t size)
{
    for (size_t i = 0; i < worker_count(zone); i++) {
        if (!zone->workers[i].crash.looping || (i > 0 && zone->service->processes[i - 1].live_only && !workers_too))
            continue;
        char exits[CRASH_TEXT_MAX];
        if (text)
            snprintf(text, size, "%s exits again and again: %s", i == 0 ? "the app" : worker_name(zone, i),
                     crash_text(&zone->workers[i].crash, exits));
        return true;
    }
    return false;
}

void processes_settle(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    for (size_t i = 0; i < worker_count(zone); i++) {
        if (crash_settled(&zone->workers[i].crash, &zone->service->restart, now))
            log_notice("%s/%s: %s of %s has run steadily for %u s and is trusted again", zone->app->name,
                       colour_name(zone->colour), worker_name(zone, i), zone->release,
                       zone->service->restart.window_ms / 1000);
    }
}

static void on_crash_loop(struct app_zone *zone, size_t worker)
{
    char exits[CRASH_TEXT_MAX], text[WIRE_TEXT_MAX];
    crash_text(&zone->workers[worker].crash, exits);
    if (zone->state == ZONE_LIVE)
        log_error("%s/%s: %s is live and its process %s is in a crash loop: %s", zone->app->name,
                  colour_name(zone->colour), zone->release, worker_name(zone, worker), exits);
    else
        log_warning("%s/%s: process %s of %s is in a crash loop: %s", zone->app->name, colour_name(zone->colour),
                    worker_name(zone, worker), zone->release, exits);
    if (zone_in_crash_loop(zone, false, text, sizeof text))
        probing_condemn(zone, text);
}

/* --- exits ------------------------------------------------------------------------------------- */

/* An operation that waits for this zone to become healthy need not wait any longer. */
static void give_up_waiting(struct app_zone *zone, const char *reason)
{
    enum step step = operation_step(zone->app);
    bool waits = step == STEP_HEALTH || step == STEP_GATE || step == STEP_RESTORE || step == STEP_BACK_HEALTH;
    if (waits && zone->app->operation.target == zone->colour)
        operation_event(zone->app, EVENT_FAILED, reason);
}

static const char *how_it_ended(const struct zone_app *about)
{
    return about->signalled ? "was ended by signal" : "exited with code";
}

static void look_at_watchdog(struct app_zone *zone, size_t worker, const struct zone_app *about)
{
    struct worker *known = &zone->workers[worker];
    if (about->watchdog_hits > known->watchdog_hits) {
        log_error("%s/%s: %s of %s did not say WATCHDOG=1 for %u ms and was ended", zone->app->name,
                  colour_name(zone->colour), worker_name(zone, worker), zone->release,
                  zone->service->health.watchdog_ms);
        incident_record(zone, INCIDENT_WATCHDOG, "%s did not say WATCHDOG=1 for %u ms", worker_name(zone, worker),
                        zone->service->health.watchdog_ms);
    }
    known->watchdog_hits = about->watchdog_hits;
}

/* Only a kill reaches a frozen process. Its zone goes on, so that it is started again, and rests when it is well. */
static void thaw_if_frozen(struct app_zone *zone, size_t worker)
{
    if (zone->state != ZONE_FROZEN)
        return;
    log_warning("%s/%s: %s of %s ended while it was frozen; the zone goes on, as standby", zone->app->name,
                colour_name(zone->colour), worker_name(zone, worker), zone->release);
    zone_change(zone, CHANGE_THAW);
}

static void on_exited(struct app_zone *zone, size_t worker, const struct zone_app *about)
{
    struct worker *known = &zone->workers[worker];
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    known->state = PROCESS_BACK_OFF;
    log_warning("%s/%s: %s of %s %s %d; the shim starts it again (restart %u)", zone->app->name,
                colour_name(zone->colour), worker_name(zone, worker), zone->release, how_it_ended(about), about->value,
                about->restarts + 1);
    look_at_watchdog(zone, worker, about);
    thaw_if_frozen(zone, worker);
    bool loops = crash_exited(&known->crash, &zone->service->restart, about->signalled, about->value, now);
    bake_look(zone);
    canary_look(zone);
    if (worker == 0)
        probing_now(zone);
    if (!loops)
        return;
    char text[WIRE_TEXT_MAX], exits[CRASH_TEXT_MAX];
    incident_record(zone, INCIDENT_CRASHES, "%s: %s", worker_name(zone, worker), crash_text(&known->crash, exits));
    on_crash_loop(zone, worker);
    if (zone_in_crash_loop(zone, false, text, sizeof text))
        give_up_waiting(zone, text);
}

static void on_ended(struct app_zone *zone, size_t worker, const struct zone_app *about)
{
    bool expected = !about->signalled && about->value == 0;
    zone->workers[worker].state = PROCESS_ENDED;
    crash_reset(&zone->workers[worker].crash);
    log_line(expected && worker > 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
             "%s/%s: %s of %s %s %d; [restart] policy does not start it again", zone->app->name,
             colour_name(zone->colour), worker_name(zone, worker), zone->release, how_it_ended(about), about->value);
    look_at_watchdog(zone, worker, about);
    thaw_if_frozen(zone, worker);
    workers_schedule(zone->app);
    bake_look(zone);
    canary_look(zone);
    if (worker > 0)
        return;
    char text[WIRE_TEXT_MAX];
    probing_now(zone);
    snprintf(text, sizeof text, "the app %s %d, and [restart] policy does not start it again", how_it_ended(about),
             about->value);
    give_up_waiting(zone, text);
}

static void on_running(struct app_zone *zone, size_t worker, const struct zone_app *about)
{
    zone->workers[worker].state = PROCESS_RUNNING;
    crash_started(&zone->workers[worker].crash, loop_now_ms(zone->app->agent->loop));
    log_info("%s/%s: %s of %s runs, pid %d", zone->app->name, colour_name(zone->colour), worker_name(zone, worker),
             zone->release, (int)about->pid);
}

static void on_worker_stopped(struct app_zone *zone, size_t worker)
{
    zone->workers[worker].state = PROCESS_WAITING;
    crash_reset(&zone->workers[worker].crash);
    log_info("%s/%s: %s of %s has stopped", zone->app->name, colour_name(zone->colour), worker_name(zone, worker),
             zone->release);
    workers_schedule(zone->app);
}

/* --- the zone as a whole -------------------------------------------------------------------------- */

static void on_all_stopped(struct app_zone *zone)
{
    if (zone->closing) {
        zone_ended(zone);
        return;
    }
    if (zone->quieting) {
        zone_quieted(zone);
        return;
    }
    log_warning("%s/%s: the app was stopped by somebody else", zone->app->name, colour_name(zone->colour));
    processes_gone(zone);
}

static void on_zone_gone(struct app_zone *zone)
{
    if (zone->closing) {
        zone_ended(zone);
        return;
    }
    log_error("%s/%s: the shim is dead, and the app with it", zone->app->name, colour_name(zone->colour));
    processes_gone(zone);
    bool is_target = operation_running(zone->app) && zone->app->operation.target == zone->colour;
    if (is_target)
        operation_event(zone->app, EVENT_LOST, "the zone's shim died");
    if (!zone->kernel || zone->closing)
        return;
    bool was_quieting = zone->quieting;
    zone->lost = zone->state == ZONE_LIVE;
    zone_change(zone, CHANGE_LOST);
    if (was_quieting && !zone->quieting)
        hold_quieted(zone);
    bake_look(zone);
    failover_consider(zone->app);
}

/* An app can say it as often as it likes, and a probe is not for nothing: newer shims tell of it so often and no more,
 * and what an older one says in between the next probe finds. */
static void on_notified(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    if (zone->notified_ms && now - zone->notified_ms < NOTIFIED_APART_MS)
        return;
    zone->notified_ms = now;
    probing_now(zone);
}

static void on_process(struct app_zone *zone, enum zone_event event, const struct zone_app *about)
{
    size_t worker;
    if (!worker_find(zone, about->name, &worker)) {
        if (event == ZONE_EVENT_ENDED && !check_ended(zone, about) && !hook_ended(zone, about))
            commands_ended(zone, about);
        return;
    }
    if (!zone->service)
        return;
    switch (event) {
    case ZONE_EVENT_RUNNING: on_running(zone, worker, about); break;
    case ZONE_EVENT_EXITED: on_exited(zone, worker, about); break;
    case ZONE_EVENT_ENDED: on_ended(zone, worker, about); break;
    case ZONE_EVENT_STOPPED: on_worker_stopped(zone, worker); break;
    case ZONE_EVENT_NOTIFIED: on_notified(zone); break;
    default: break;
    }
}

static void on_shim(void *context, int fd, uint32_t events)
{
    struct app_zone *zone = context;
    (void)fd;
    (void)events;
    for (struct zone *kernel = zone->kernel; kernel && kernel == zone->kernel;) {
        struct zone_app about;
        enum zone_event event = zone_receive(kernel, &about);
        if (event == ZONE_EVENT_NONE)
            return;
        if (event == ZONE_EVENT_GONE || (event == ZONE_EVENT_STOPPED && !about.name[0])) {
            if (event == ZONE_EVENT_GONE)
                on_zone_gone(zone);
            else
                on_all_stopped(zone);
            return; /* the app may be gone with its last zone; what is left to read wakes us again */
        }
        if (event == ZONE_EVENT_OOM)
            usage_out_of_memory(zone);
        else
            on_process(zone, event, &about);
    }
}

int zone_watch(struct app_zone *zone, struct error *err)
{
    zone->shim_source = loop_add_fd(zone->app->agent->loop, zone_event_fd(zone->kernel), EPOLLIN, on_shim, zone);
    return zone->shim_source
               ? 0
               : error_errno(err, errno, "watch the shim of %s/%s", zone->app->name, colour_name(zone->colour));
}

void processes_started(struct app_zone *zone, size_t worker)
{
    struct worker *known = &zone->workers[worker];
    *known = (struct worker){.state = PROCESS_RUNNING};
    crash_started(&known->crash, loop_now_ms(zone->app->agent->loop));
}

void processes_gone(struct app_zone *zone)
{
    for (size_t i = 0; i < 1 + PROCESSES_MAX; i++)
        zone->workers[i] = (struct worker){.state = PROCESS_WAITING};
    commands_zone_gone(zone);
    hooks_zone_gone(zone);
    workers_schedule(zone->app);
}

/* --- adoption ------------------------------------------------------------------------------------ */

static enum wire_process_state state_of(const struct zone_app *app)
{
    if (!app)
        return PROCESS_WAITING;
    if (app->stopping)
        return PROCESS_STOPPING;
    if (app->pid)
        return PROCESS_RUNNING;
    return app->over ? PROCESS_ENDED : app->exited ? PROCESS_BACK_OFF : PROCESS_WAITING;
}

static void tell_last_exit(const struct app_zone *zone, size_t worker, const struct zone_app *app)
{
    char when[32] = "";
    time_t seconds = (time_t)(app->unix_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(when, sizeof when, "%F %T", &local);
    log_warning("%s/%s: %s of %s %s %d at %s, while no agent looked or before; %u restarts in all", zone->app->name,
                colour_name(zone->colour), worker_name(zone, worker), zone->release, how_it_ended(app), app->value,
                when, app->restarts);
}

void processes_found(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop), unix_ms = clock_unix_ms();
    for (size_t i = 0; i < worker_count(zone); i++) {
        const struct zone_app *app = worker_app(zone, i);
        struct worker *known = &zone->workers[i];
        *known = (struct worker){.state = state_of(app)};
        if (!app)
            continue;
        known->watchdog_hits = app->watchdog_hits;
        if (app->exited)
            tell_last_exit(zone, i, app);
        const struct crash_past past = {
            /* Each restart follows an exit; the restart after the last one may be still to come. */
            .restarts = app->restarts + (app->exited && app->pid == 0),
            .running = app->pid != 0,
            .since_exit_ms = app->exited && unix_ms > app->unix_ms ? unix_ms - app->unix_ms : 0,
            .ages_ms = app->exit_ages_ms,
            .count = app->exit_count,
        };
        if (crash_found(&known->crash, &zone->service->restart, &past, now))
            on_crash_loop(zone, i);
    }
}
