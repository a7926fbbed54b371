/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's life: the table's actions performed, its shim listened to. */
#include "agent/agent.h"

#include "conf/resolve.h"
#include "os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    CLOSE_GRACE_MS = 3000,   /* beyond the app's stop_timeout: the shim kills at that, this is for a shim that hangs */
    RESTART_DELAY_MS = 200,  /* first back-off of the shim */
    REBUILD_DELAY_MS = 1000, /* a lost zone that cannot be rebuilt: again after this, doubled up to the next */
    REBUILD_DELAY_MAX_MS = 60000,
    STAGING_EXITS_MAX = 3, /* an app that exits this often before its first healthy verdict will not get one */
};

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

/* --- what the shim says ---------------------------------------------------------------------- */

static void on_exit_of_app(struct app_zone *zone)
{
    const struct zone_app *app = zone_app(zone->kernel);
    const char *how = app->signalled ? "was ended by signal" : "exited with code";
    log_warning("%s/%s: %s %s %d; the shim starts it again (restart %u)", zone->app->name, colour_name(zone->colour),
                zone->release, how, app->value, app->restarts + 1);
    probing_now(zone);
    if (zone->state == ZONE_STARTING && app->restarts + 1 >= STAGING_EXITS_MAX) {
        char reason[WIRE_TEXT_MAX];
        snprintf(reason, sizeof reason, "the app exits again and again: it %s %d, %u times", how, app->value,
                 app->restarts + 1);
        operation_event(zone->app, EVENT_EXPIRED, reason);
    }
}

static void zone_closed(struct app_zone *zone);

static void on_zone_gone(struct app_zone *zone)
{
    if (zone->closing) {
        zone_closed(zone);
        operation_zone_closed(zone);
        return;
    }
    log_error("%s/%s: the shim is dead, and the app with it", zone->app->name, colour_name(zone->colour));
    bool is_target = operation_running(zone->app) && zone->app->operation.target == zone->colour;
    if (is_target)
        operation_event(zone->app, EVENT_LOST, "the zone's shim died");
    if (zone->kernel && !zone->closing)
        zone_change(zone, CHANGE_LOST);
}

static void on_shim(void *context, int fd, uint32_t events)
{
    struct app_zone *zone = context;
    (void)fd;
    (void)events;
    for (struct zone *kernel = zone->kernel; kernel && kernel == zone->kernel;) {
        switch (zone_receive(kernel)) {
        case ZONE_EVENT_NONE: return;
        case ZONE_EVENT_RUNNING:
            log_info("%s/%s: %s runs, pid %d", zone->app->name, colour_name(zone->colour), zone->release,
                     (int)zone_app(kernel)->pid);
            break;
        case ZONE_EVENT_EXITED: on_exit_of_app(zone); break;
        case ZONE_EVENT_STOPPED:
            if (zone->closing) {
                zone_closed(zone);
                operation_zone_closed(zone);
                return;
            }
            log_warning("%s/%s: the app was stopped by somebody else", zone->app->name, colour_name(zone->colour));
            break;
        case ZONE_EVENT_GONE: on_zone_gone(zone); return;
        }
    }
}

void zone_watch(struct app_zone *zone)
{
    zone->shim_source = loop_add_fd(zone->app->agent->loop, zone_event_fd(zone->kernel), EPOLLIN, on_shim, zone);
    if (!zone->shim_source)
        log_error("%s/%s: the shim cannot be watched: %s", zone->app->name, colour_name(zone->colour), strerror(errno));
}

/* --- building and ending -------------------------------------------------------------------- */

int zone_build(struct app_zone *zone, struct error *err)
{
    struct zone_id id;
    zone_id_of(zone, &id);
    int result = zone_clean(zone->app->agent->zone_host, &id, err); /* what a crash may have left in its place */
    if (result == 0)
        result = zone_create(zone->app->agent->zone_host, &id, &zone->kernel, err);
    if (result == 0)
        zone_watch(zone);
    return result;
}

int zone_run_app(struct app_zone *zone, struct error *err)
{
    CLEANUP_RESOLVED struct resolved resolved = {0};
    int result = service_resolve(zone->service, zone->release, zone->colour, &resolved, err);
    if (result < 0)
        return result;
    char hostname[APP_NAME_MAX + 8];
    snprintf(hostname, sizeof hostname, "%s-%s", zone->app->name, colour_name(zone->colour));
    struct zone_launch launch = {
        .argv = resolved.argv,
        .environment = resolved.environment,
        .workdir = resolved.workdir,
        .uid = resolved.uid,
        .gid = resolved.gid,
        .groups = resolved.groups,
        .group_count = resolved.group_count,
        .hostname = hostname,
        .stop_timeout_ms = zone->service->stop_timeout_ms,
        .restart_delay_ms = RESTART_DELAY_MS,
    };
    return zone_start(zone->kernel, &launch, err);
}

int zone_adopt_running(struct app_zone *zone, struct error *err)
{
    struct zone_id id;
    zone_id_of(zone, &id);
    int result = zone_adopt(zone->app->agent->zone_host, &id, &zone->kernel, err);
    if (result == 0)
        zone_watch(zone);
    return result;
}

/* Takes the kernel's side away, also of a zone that is just closing. Whoever calls has seen to it that no rule points
 * there. */
static void remove_kernel_side(struct app_zone *zone)
{
    zone->tcp_counted_ms = zone->udp_counted_ms = 0;
    zone->tcp_count = zone->udp_count = 0;
    zone->closing = false;
    loop_timer_free(zone->close_timer);
    zone->close_timer = NULL;
    loop_remove_fd(zone->shim_source);
    zone->shim_source = NULL;
    if (zone->kernel)
        zone_destroy(zone->kernel);
    zone->kernel = NULL;
}

/* What it was staged with; its ports are free for others again. */
static void forget_content(struct app_zone *zone)
{
    service_free(zone->service);
    zone->service = NULL;
    zone_forget_configuration(zone);
    if (zone->state == ZONE_ABSENT)
        zone->release[0] = zone->reason[0] = '\0';
}

static void zone_closed(struct app_zone *zone)
{
    drain_stop(zone, NULL); /* a watch that a client asked for: nothing is open any more */
    remove_kernel_side(zone);
    if (zone->state == ZONE_ABSENT || zone->state == ZONE_FAILED)
        forget_content(zone);
    log_info("%s/%s: gone", zone->app->name, colour_name(zone->colour));
}

static void on_close_timer(void *context)
{
    struct app_zone *zone = context;
    log_warning("%s/%s: the shim did not end in time; the zone is killed", zone->app->name, colour_name(zone->colour));
    zone_closed(zone);
    operation_zone_closed(zone);
}

static void tear_down(struct app_zone *zone)
{
    struct agent *agent = zone->app->agent;
    if (zone->rebuild_timer)
        loop_timer_disarm(zone->rebuild_timer);
    if (!zone->kernel) {
        zone_closed(zone);
        return;
    }
    zone->closing = true;
    struct error err = {0};
    if (routing_apply(agent, NULL, &err) < 0)
        log_error("%s/%s: take the zone out of the rule set: %s", zone->app->name, colour_name(zone->colour), err.text);
    zone->close_timer = loop_timer_new(agent->loop, on_close_timer, zone);
    uint64_t patience = zone_stop(zone->kernel, &err) < 0 ? 0 : zone->service ? zone->service->stop_timeout_ms : 0;
    if (zone->close_timer)
        loop_timer_arm(zone->close_timer, patience + CLOSE_GRACE_MS);
    else
        zone_closed(zone);
}

/* --- again after a loss ------------------------------------------------------------------------ */

static void rebuild(struct app_zone *zone);

static void on_rebuild_timer(void *context)
{
    rebuild(context);
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
        result = zone_build(zone, err);
    if (result == 0)
        result = zone_run_app(zone, err);
    if (result == 0)
        result = routing_apply(zone->app->agent, NULL, err);
    return result;
}

static void rebuild(struct app_zone *zone)
{
    struct error err = {0};
    remove_kernel_side(zone);
    if (rebuild_now(zone, &err) == 0) {
        zone->rebuild_failures = 0;
        zone->reason[0] = '\0';
        log_notice("%s/%s: %s was started again in a new zone", zone->app->name, colour_name(zone->colour),
                   zone->release);
        verdict_start(&zone->tracker, loop_now_ms(zone->app->agent->loop));
        return;
    }
    remove_kernel_side(zone);
    zone_set_reason(zone, "%s", err.text);
    log_error("%s/%s: %s cannot be started again: %s", zone->app->name, colour_name(zone->colour), zone->release,
              err.text);
    if (operation_running(zone->app) && zone->app->operation.target == zone->colour)
        operation_event(zone->app, EVENT_FAILED, err.text);
    else
        rebuild_later(zone);
}

/* --- the table -------------------------------------------------------------------------------- */

static void alarm_about(struct app_zone *zone, enum zone_change change)
{
    const char *name = zone->app->name, *colour = colour_name(zone->colour);
    if (change == CHANGE_FAIL)
        log_error("%s/%s: %s (%s) is unhealthy: %s", name, colour, zone->release, zone_state_name(zone->state),
                  zone->tracker.last.detail);
    else if (change == CHANGE_LOST)
        log_error("%s/%s: %s (%s) was lost", name, colour, zone->release, zone_state_name(zone->state));
}

static void perform(struct app_zone *zone, enum zone_change change, unsigned actions)
{
    enum zone_state state = zone->state;
    if (actions & ACTION_PROBE_OFF)
        probing_stop(zone);
    if (actions & ACTION_DRAIN_OFF && change == CHANGE_LOST)
        drain_lost(zone);
    else if (actions & ACTION_DRAIN_OFF)
        drain_stop(zone, change == CHANGE_DRAINED ? NULL
                         : change == CHANGE_GAIN  ? "switched back while draining"
                                                  : "the zone was given up while draining");
    if (actions & ACTION_ALARM)
        alarm_about(zone, change);
    if (actions & ACTION_RECORD)
        record_zone(zone);
    if (actions & ACTION_REBUILD)
        rebuild(zone);
    if (zone->state != state) /* that failed, the operation with it, and its undoing is done already */
        return;
    if (actions & ACTION_PROBE_ON)
        probing_start(zone);
    if (actions & ACTION_DRAIN_ON)
        drain_start(zone);
    if (actions & ACTION_TEAR_DOWN)
        tear_down(zone);
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
    zone->state = cell.next;
    perform(zone, change, cell.actions);
    if (zone->state == ZONE_ABSENT && !zone_busy(zone))
        forget_content(zone);
    return 0;
}

void zone_dispose(struct app_zone *zone)
{
    probing_stop(zone);
    drain_stop(zone, NULL);
    loop_timer_free(zone->close_timer);
    loop_timer_free(zone->rebuild_timer);
    loop_remove_fd(zone->shim_source);
    if (zone->kernel)
        zone_release(zone->kernel);
    service_free(zone->service);
}
