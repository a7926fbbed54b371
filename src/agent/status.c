/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status and history show, as messages to the api role. */
#include "agent/status.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/groups.h"
#include "agent/host.h"
#include "agent/keeping.h"
#include "agent/locking.h"
#include "agent/operations.h"
#include "agent/preview.h"
#include "agent/processes.h"
#include "agent/schema.h"
#include "agent/serving.h"
#include "agent/usage.h"
#include "model/wire_status.h"

#include <stdio.h>
#include <string.h>

/* A standby that fails its checks is no standby to rely on, and says so. */
static enum zone_state shown_state(const struct app_zone *zone)
{
    bool standby_sick = zone->state == ZONE_STANDBY && zone->tracker.verdict == VERDICT_UNHEALTHY;
    return standby_sick ? ZONE_UNHEALTHY : zone->state;
}

static struct wire_exit exit_of(const struct zone_app *app)
{
    return (struct wire_exit){
        .known = app->exited, .signalled = app->signalled, .value = (uint16_t)app->value, .unix_ms = app->unix_ms};
}

static void fill_processes(struct app_zone *zone, struct wire_zone *out)
{
    const struct zone_app *app = zone_app(zone->kernel);
    out->pid = (int32_t)app->pid;
    out->shim_pid = (int32_t)zone_shim_pid(zone->kernel);
    out->restarts = app->restarts;
    out->last_exit = exit_of(app);
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    out->ipv4 = addresses->service4;
    out->ipv6 = addresses->service6;
}

static void fill_workers(struct app_zone *zone, struct wire_zone *out)
{
    for (size_t i = 1; i < worker_count(zone); i++) {
        const struct zone_app *app = worker_app(zone, i);
        struct wire_process *process = &out->processes[out->process_count++];
        text_copy(process->name, sizeof process->name, worker_name(zone, i));
        process->live_only = zone->service->processes[i - 1].live_only;
        process->state = (uint8_t)zone->workers[i].state;
        if (!app)
            continue;
        process->pid = (int32_t)app->pid;
        process->restarts = app->restarts;
        process->last_exit = exit_of(app);
    }
}

static const char *detail_of(const struct app_zone *zone)
{
    if (zone->state == ZONE_FROZEN && !zone->reason[0])
        return "it was healthy when it was frozen";
    if (zone->state == ZONE_RESTING && !zone->reason[0])
        return "it does not run, as [switch] mode = hold says";
    return zone->reason[0] ? zone->reason : zone->tracker.last.detail;
}

static void fill_zone(struct app_zone *zone, struct wire_zone *out)
{
    out->state = (uint8_t)shown_state(zone);
    out->verdict = (uint8_t)zone->tracker.verdict;
    text_copy(out->release, sizeof out->release, zone->release);
    if (zone->mark != MARK_NONE && zone->state != ZONE_LIVE)
        snprintf(out->detail, sizeof out->detail, "%s: %.230s", zone->mark == MARK_BAD ? "bad" : "failed over from it",
                 zone->mark_reason);
    else
        text_copy(out->detail, sizeof out->detail, detail_of(zone));
    out->crash_loop = zone_in_crash_loop(zone, true, NULL, 0);
    out->kept_until_unix_ms = keeping_until(zone);
    if (!zone->kernel)
        return;
    fill_processes(zone, out);
    fill_workers(zone, out);
    egress_status(zone, out);
    usage_fill(zone, &out->usage);
    usage_look_at_connections(zone);
    out->tcp = zone->tcp_count;
    out->udp = zone->udp_count;
}

static void fill_operation(const struct app *app, struct wire_operation *out)
{
    if (!operation_running(app))
        return;
    out->present = 1;
    out->verb = (uint8_t)app->operation.verb;
    out->since_unix_ms = app->operation.begun_unix_ms;
    text_copy(out->step, sizeof out->step, step_name(operation_step(app)));
    text_copy(out->who, sizeof out->who, app->operation.who);
}

static void fill_ports(const struct app *app, struct wire_status *status)
{
    const struct service *service =
        app->live >= 0 && app->zones[app->live].service ? app->zones[app->live].service : app->service;
    if (!service)
        return;
    status->port_count = (uint16_t)service->port_count;
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *port = &service->ports[i];
        struct wire_port *out = &status->ports[i];
        text_copy(out->name, sizeof out->name, port->name);
        port_listen_format(port, out->listen);
        out->target = port->target;
        out->count = (uint16_t)port_span(port);
        out->protocol = (uint8_t)port->protocol;
        out->host_connections = host_ports_count(app->agent, port);
    }
}

void bake_fill(const struct app *app, struct wire_bake *out)
{
    const struct bake_run *bake = &app->bake;
    const struct app_zone *zone = &app->zones[app->bake.zone];
    if (!bake->on)
        return;
    out->baking = 1;
    out->until_unix_ms = bake->until_unix_ms;
    if (bake->breach[0])
        snprintf(out->verdict, sizeof out->verdict, "bad: %.120s; %.120s", bake->breach,
                 bake->stuck[0] ? bake->stuck : "it is being switched back");
    else if (zone->service)
        bake_text(&bake->watching.watch, &zone->service->bake, out->verdict, sizeof out->verdict);
    text_sanitise(out->verdict);
}

static void fill_canary(struct app *app, struct wire_canary *out)
{
    const struct canary_run *canary = &app->canary;
    const struct app_zone *zone = canary_zone(app);
    if (!zone)
        return;
    out->percent = canary->percent;
    out->sticky = canary->sticky;
    out->zone = (int8_t)zone->colour;
    out->since_unix_ms = canary->since_unix_ms;
    if (canary->breach[0])
        snprintf(out->verdict, sizeof out->verdict, "bad: %.200s; it is being taken back", canary->breach);
    else if (zone->service)
        bake_text(&canary->watching.watch, &zone->service->bake, out->verdict, sizeof out->verdict);
    text_sanitise(out->verdict);
}

void status_fill(struct app *app, struct wire_status *status)
{
    memset(status, 0, sizeof *status);
    text_copy(status->name, sizeof status->name, app->name);
    status->state = (uint8_t)app->state;
    status->live = app->state == APP_RUNNING ? (int8_t)app->live : -1;
    for (int colour = 0; colour < COLOURS; colour++)
        fill_zone(&app->zones[colour], &status->zones[colour]);
    fill_operation(app, &status->operation);
    bake_fill(app, &status->bake);
    for (int colour = 0; colour < COLOURS; colour++)
        drain_fill(&app->zones[colour], &status->drain);
    serving_fill(app, &status->served);
    lock_fill(app, &status->lock);
    schema_fill(app, &status->schema);
    text_copy(status->group, sizeof status->group, group_name_of(app));
    status->queued = (uint32_t)turns_waiting(&app->agent->turns, app->name, false);
    fill_ports(app, status);
    host_firewall_text(app, status->firewall, sizeof status->firewall);
    fill_canary(app, &status->canary);
    preview_fill(app, &status->preview);
    feeding_fill(app, &status->feed);
}
