/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's life: the table's actions performed. */
#include "agent/zones.h"

#include "agent/agent.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/freezing.h"
#include "agent/holding.h"
#include "agent/keeping.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/operations.h"
#include "agent/preview.h"
#include "agent/probing.h"
#include "agent/processes.h"
#include "agent/rebuilding.h"
#include "agent/records.h"
#include "agent/routing.h"
#include "agent/serving.h"
#include "agent/waiting.h"
#include "agent/workers.h"
#include "os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLOSE_GRACE_MS = 3000 }; /* beyond the app's stop_timeout, where the shim kills: for a shim that hangs */

void zone_id_of(const struct app_zone *zone, struct zone_id *id)
{
    *id = (struct zone_id){.colour = zone->colour, .number = zone_number(zone->app->index, zone->colour)};
    text_copy(id->app, sizeof id->app, zone->app->name);
}

bool zone_busy(const struct app_zone *zone)
{
    return zone->kernel != NULL || zone->closing;
}

void zone_set_reason(struct app_zone *zone, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(zone->reason, sizeof zone->reason, format, arguments);
    va_end(arguments);
    text_sanitise(zone->reason);
}

/* --- ending ------------------------------------------------------------------------------------- */

void zone_discard(struct app_zone *zone)
{
    zone->tcp_counted_ms = zone->udp_counted_ms = 0;
    zone->tcp_count = zone->udp_count = 0;
    zone->closing = zone->quieting = false;
    loop_timer_free(zone->close_timer);
    zone->close_timer = NULL;
    loop_remove_fd(zone->shim_source);
    zone->shim_source = NULL;
    if (!zone->kernel)
        return;
    serving_zone_gone(zone);
    routing_zone_gone(zone);
    feeding_close_doors(zone);
    feeding_follow(zone->app); /* it takes leave of clients, as long as there is a way to them */
    zone_destroy(zone->kernel);
    zone->kernel = NULL;
    feeding_follow(zone->app);
    zone->check[0] = '\0';
    zone->usage_ms = 0;
    zone->freeze_failed = false;
    processes_gone(zone);
}

/* What it was staged with; its ports are free for others again. */
static void forget_content(struct app_zone *zone)
{
    zone_forget_resolved(zone);
    service_free(zone->service);
    zone->service = NULL;
    zone_forget_configuration(zone);
    if (zone->state == ZONE_ABSENT)
        zone->release[0] = '\0';
    if (zone->state == ZONE_ABSENT && !zone->expired)
        zone->reason[0] = '\0';
}

static void zone_closed(struct app_zone *zone)
{
    drain_stop(zone, NULL); /* a watch that a client asked for: nothing is open any more */
    struct error err = {0};
    bool fenced = zone->closing && zone->service && egress_fences(&zone->service->egress);
    zone_discard(zone);
    if (fenced && routing_apply(zone->app->agent, NULL, &err) < 0)
        log_error("%s/%s: take its fence out of the rule set: %s", zone->app->name, colour_name(zone->colour),
                  err.text);
    if (zone->state == ZONE_ABSENT || zone->state == ZONE_FAILED)
        forget_content(zone);
    log_info("%s/%s: gone", zone->app->name, colour_name(zone->colour));
}

void zone_ended(struct app_zone *zone)
{
    zone_closed(zone);
    changed(zone->app->agent);
    operation_zone_closed(zone);
}

static void on_close_timer(void *context)
{
    struct app_zone *zone = context;
    log_warning("%s/%s: the shim did not end in time; the zone is killed", zone->app->name, colour_name(zone->colour));
    zone_ended(zone);
}

static void tear_down(struct app_zone *zone)
{
    struct agent *agent = zone->app->agent;
    rebuilding_stop(zone);
    if (!zone->kernel) {
        zone_closed(zone);
        return;
    }
    zone->closing = true;
    zone->quieting = false;
    loop_timer_free(zone->close_timer);
    struct error err = {0};
    if (routing_apply(agent, NULL, &err) < 0)
        log_error("%s/%s: take the zone out of the rule set: %s", zone->app->name, colour_name(zone->colour), err.text);
    routing_zone_gone(zone);
    zone->close_timer = loop_timer_new(agent->loop, on_close_timer, zone);
    uint64_t patience = zone_stop(zone->kernel, NULL, &err) < 0 ? 0
                        : zone->service                         ? zone->service->stop_timeout_ms
                                                                : 0;
    if (zone->close_timer)
        loop_timer_arm(zone->close_timer, patience + CLOSE_GRACE_MS);
    else
        zone_closed(zone);
}

/* --- its turn is over ----------------------------------------------------------------------------- */

void zone_quieted(struct app_zone *zone)
{
    zone->quieting = false;
    loop_timer_free(zone->close_timer);
    zone->close_timer = NULL;
    log_info("%s/%s: %s has stopped; its zone stays", zone->app->name, colour_name(zone->colour), zone->release);
    processes_gone(zone);
    changed(zone->app->agent);
    hold_quieted(zone);
}

/* Whatever hangs, nothing of it may run when the other one starts. */
static void on_quiet_timer(void *context)
{
    struct app_zone *zone = context;
    log_warning("%s/%s: %s did not stop in time; the zone is killed", zone->app->name, colour_name(zone->colour),
                zone->release);
    zone_discard(zone);
    hold_quieted(zone);
}

static void quiet(struct app_zone *zone)
{
    struct error err = {0};
    rebuilding_stop(zone);
    if (!zone->kernel || zone->closing || zone->quieting)
        return;
    zone->close_timer = loop_timer_new(zone->app->agent->loop, on_quiet_timer, zone);
    if (!zone->close_timer || zone_stop(zone->kernel, NULL, &err) < 0) {
        log_warning("%s/%s: stop %s: %s; the zone is killed", zone->app->name, colour_name(zone->colour), zone->release,
                    err.code ? err.text : "out of memory");
        zone_discard(zone);
        return;
    }
    zone->quieting = true;
    loop_timer_arm(zone->close_timer, (zone->service ? zone->service->stop_timeout_ms : 0) + CLOSE_GRACE_MS);
}

/* --- the table -------------------------------------------------------------------------------- */

static void alarm_about(struct app_zone *zone, enum zone_change change)
{
    const char *name = zone->app->name, *colour = colour_name(zone->colour);
    const struct operation *operation = &zone->app->operation;
    bool starts = operation->held && operation_running(zone->app) && operation->target == zone->colour;
    if (starts && change == CHANGE_FAIL) /* in a hold, and nobody is sent there yet */
        return;
    if (change == CHANGE_FAIL)
        log_error("%s/%s: %s (%s) is unhealthy: %s", name, colour, zone->release, zone_state_name(zone->state),
                  zone->tracker.last.detail);
    else if (change == CHANGE_LOST)
        log_error("%s/%s: %s (%s) was lost", name, colour, zone->release, zone_state_name(zone->state));
}

static void end_drain(struct app_zone *zone, enum zone_change change)
{
    const struct operation *operation = &zone->app->operation;
    char text[2 * WIRE_TEXT_MAX];
    if (change == CHANGE_GAIN && operation_running(zone->app) && operation->by_agent)
        snprintf(text, sizeof text, "switched back while draining, by %s: %s", operation->who, operation->reason);
    else
        snprintf(text, sizeof text, "%s",
                 change == CHANGE_GAIN ? "switched back while draining" : "the zone was given up while draining");
    drain_stop(zone, change == CHANGE_DRAINED ? NULL : text);
}

/* That of a canary that was taken back is in no table: it ends when what runs there does, so that its fence is closed
 * before anything new starts. */
static bool ends_drain(const struct app_zone *zone, unsigned actions)
{
    unsigned ends = ACTION_REBUILD | ACTION_TEAR_DOWN | ACTION_REST;
    return actions & ACTION_DRAIN_OFF || (drain_runs(zone) && actions & ends);
}

static void perform(struct app_zone *zone, enum zone_change change, unsigned actions)
{
    enum zone_state state = zone->state;
    if (actions & ACTION_PROBE_OFF)
        probing_stop(zone);
    if (ends_drain(zone, actions) && change == CHANGE_LOST)
        drain_lost(zone);
    else if (ends_drain(zone, actions))
        end_drain(zone, change);
    if (actions & ACTION_ALARM)
        alarm_about(zone, change);
    if (actions & ACTION_FREEZE)
        freezing_freeze(zone);
    if (zone->state != state) /* that failed, and the zone was told to go on */
        return;
    if (actions & ACTION_THAW)
        freezing_thaw(zone);
    if (actions & ACTION_DRAIN_ON) /* first: the record says how long it may take */
        drain_start(zone, zone->app->operation.number);
    if (actions & ACTION_RECORD)
        record_zone(zone);
    if (actions & ACTION_REBUILD)
        rebuilding_begin(zone);
    if (zone->state != state) /* that failed, the operation with it, and its undoing is done already */
        return;
    if (actions & ACTION_PROBE_ON && actions & ACTION_THAW)
        probing_resume(zone);
    else if (actions & ACTION_PROBE_ON)
        probing_start(zone);
    if (actions & ACTION_TEAR_DOWN)
        tear_down(zone);
    if (actions & ACTION_REST)
        quiet(zone);
}

static void liveness_changed(struct app_zone *zone)
{
    struct error err = {0};
    if (zone->kernel && zone_set_live(zone->kernel, zone->state == ZONE_LIVE, &err) < 0)
        log_warning("%s/%s: whom the kernel takes when memory runs out: %s", zone->app->name, colour_name(zone->colour),
                    err.text);
    workers_schedule(zone->app);
}

/* Of another release, from here on. The journal takes that from the zone's state. */
static void forget_past(struct app_zone *zone)
{
    zone->mark = MARK_NONE;
    zone->mark_reason[0] = '\0';
    zone->lost = false;
}

static bool rests(enum zone_state state)
{
    return state == ZONE_STANDBY || state == ZONE_FROZEN || state == ZONE_RESTING;
}

/* Why there is none stays to be read, until there is one again or somebody removes it. */
static void enter_state(struct app_zone *zone, enum zone_change change, enum zone_state next)
{
    if (next != zone->state && !(rests(next) && rests(zone->state)))
        zone->since_unix_ms = clock_unix_ms();
    if (change == CHANGE_STAGE)
        zone->expired = false;
    if (change == CHANGE_REMOVE && !zone->expired)
        zone->reason[0] = '\0';
    zone->state = next;
}

int zone_change(struct app_zone *zone, enum zone_change change)
{
    struct zone_cell cell = zone_transition(zone->state, change);
    if (cell.impossible) {
        log_error("%s/%s: \"%s\" cannot happen to a zone that is %s; nothing was changed (this is a bug)",
                  zone->app->name, colour_name(zone->colour), zone_change_name(change), zone_state_name(zone->state));
        return -EPROTO;
    }
    if (cell.next != zone->state)
        log_debug("%s/%s: %s -> %s (%s)", zone->app->name, colour_name(zone->colour), zone_state_name(zone->state),
                  zone_state_name(cell.next), zone_change_name(change));
    if (cell.next != ZONE_LIVE)
        serving_lose(zone); /* while there is somebody to ask what it was */
    if (zone->state == ZONE_LIVE && cell.next != ZONE_LIVE)
        egress_lost(zone);
    canary_zone_changes(zone, change, cell.next);
    bool frozen = zone->state == ZONE_FROZEN;
    enter_state(zone, change, cell.next);
    if (cell.next == ZONE_ABSENT || cell.next == ZONE_STAGING || cell.next == ZONE_FAILED)
        forget_past(zone);
    perform(zone, change, cell.actions);
    if (frozen != (zone->state == ZONE_FROZEN) && preview_wanted(zone))
        preview_follow(zone->app);
    if (change == CHANGE_GAIN)
        serving_gain(zone);
    if (change == CHANGE_GAIN || change == CHANGE_LOSE)
        liveness_changed(zone);
    if (change == CHANGE_GAIN)
        egress_gained(zone);
    if (change == CHANGE_DRAINED)
        egress_drained(zone);
    if (zone->state == ZONE_ABSENT && !zone_busy(zone))
        forget_content(zone);
    feeding_follow(zone->app);
    changed(zone->app->agent);
    keeping_schedule(zone->app);
    return 0;
}

void zone_dispose(struct app_zone *zone)
{
    probing_stop(zone);
    drain_stop(zone, NULL);
    loop_timer_free(zone->close_timer);
    loop_timer_free(zone->rebuild_timer);
    loop_remove_fd(zone->shim_source);
    feeding_close_doors(zone);
    if (zone->kernel)
        zone_release(zone->kernel);
    zone_forget_resolved(zone);
    service_free(zone->service);
}
