/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status and history show, as messages to the api role. */
#include "agent/agent.h"

#include <stdio.h>
#include <string.h>

/* How old a count may be that status shows. A zone's sockets take 0.2 ms to 17 ms to count; 70 000 conntrack entries
 * 25 ms. */
enum { TCP_COUNT_MS = 100, UDP_COUNT_MS = 1000 };

/* A standby that fails its checks is no standby to rely on, and says so. */
static enum zone_state shown_state(const struct app_zone *zone)
{
    bool standby_sick = zone->state == ZONE_STANDBY && zone->tracker.verdict == VERDICT_UNHEALTHY;
    return standby_sick ? ZONE_UNHEALTHY : zone->state;
}

static void fill_processes(struct app_zone *zone, struct wire_zone *out)
{
    const struct zone_app *app = zone_app(zone->kernel);
    out->pid = (int32_t)app->pid;
    out->shim_pid = (int32_t)zone_shim_pid(zone->kernel);
    out->restarts = app->restarts;
    out->last_exit = (struct wire_exit){
        .known = app->exited, .signalled = app->signalled, .value = (uint16_t)app->value, .unix_ms = app->unix_ms};
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    out->ipv4 = addresses->service4;
    out->ipv6 = addresses->service6;
}

static bool has_udp(const struct service *service)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_UDP)
            return true;
    }
    return false;
}

/* Anybody may ask, as often as they like: what the answer costs the kernel must not depend on that. */
static void count_connections(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    if (now - zone->tcp_counted_ms >= TCP_COUNT_MS) {
        zone->tcp_count = zone_count_tcp(zone);
        zone->tcp_counted_ms = now;
    }
    if (zone->service && has_udp(zone->service) && now - zone->udp_counted_ms >= UDP_COUNT_MS) {
        traffic_count_udp(zone->app->agent->traffic, zone_number(zone->app->index, zone->colour), &zone->udp_count,
                          NULL);
        zone->udp_counted_ms = now;
    }
}

static void fill_zone(struct app_zone *zone, struct wire_zone *out)
{
    out->state = (uint8_t)shown_state(zone);
    out->verdict = (uint8_t)zone->tracker.verdict;
    text_copy(out->release, sizeof out->release, zone->release);
    text_copy(out->detail, sizeof out->detail, zone->reason[0] ? zone->reason : zone->tracker.last.detail);
    if (!zone->kernel)
        return;
    fill_processes(zone, out);
    count_connections(zone);
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
        out->protocol = (uint8_t)port->protocol;
    }
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
    fill_ports(app, status);
}

void status_history(const struct record *record, struct wire_history *entry)
{
    *entry = (struct wire_history){
        .sequence = record->sequence,
        .begun_unix_ms = record->begun_unix_ms,
        .duration_ms = record->unix_ms > record->begun_unix_ms ? record->unix_ms - record->begun_unix_ms : 0,
        .verb = (uint8_t)record->verb,
        .from = record->from,
        .to = record->to,
        .done = record->done,
    };
    text_copy(entry->app, sizeof entry->app, record->app);
    text_copy(entry->release, sizeof entry->release, record->release);
    text_copy(entry->who, sizeof entry->who, record->who);
    text_copy(entry->reason, sizeof entry->reason, record->reason);
}
