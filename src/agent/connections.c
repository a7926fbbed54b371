/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_CONNECTIONS: who is connected to an app's zones. What the kernel can list is listed: with a hundred thousand
 * connections that takes some ten milliseconds, so an answer costs about what a look of a drain does. Of many, those
 * are told on which nothing has happened for longest.
 */
#include "agent/connections.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/drains.h"
#include "agent/feeding.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "base/cleanup.h"
#include "model/wire_answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct collection {
    struct app_zone *zone;
    uint64_t now_ms, now_unix_ms;
    struct wire_connection *rows; /* twice as many as are wanted */
    size_t count, wanted;
    uint64_t seen;
};

/* TCP, then who has been quiet for longest. */
static int by_interest(const void *first, const void *second)
{
    const struct wire_connection *a = first, *b = second;
    if (a->protocol != b->protocol)
        return a->protocol < b->protocol ? -1 : 1;
    if (a->idle_ms != b->idle_ms)
        return a->idle_ms > b->idle_ms ? -1 : 1;
    return a->peer_port < b->peer_port ? -1 : a->peer_port > b->peer_port;
}

static void name_port(const struct app_zone *zone, const struct connection *connection, char name[PORT_NAME_MAX + 1])
{
    struct port ports[SERVICE_PORTS_MAX];
    size_t count = zone_ports_seen(zone, ports);
    for (size_t i = 0; i < count; i++) {
        const struct port *port = &ports[i];
        if (port->protocol == connection->protocol && connection->port >= port->target &&
            connection->port < port->target + port_span(port)) {
            text_copy(name, PORT_NAME_MAX + 1, port->name);
            return;
        }
    }
}

/* The kernel tells a connection's age where it keeps times of flows, and where nothing has been sent yet. Else it is as
 * old as it is idle, and in a drain as the switch is, at least. */
static void tell_age(const struct collection *collection, const struct connection *connection,
                     struct wire_connection *row)
{
    const struct connection_look *look = &connection->look;
    const struct drain *drain = &collection->zone->drain;
    bool silent =
        connection->protocol == PROTOCOL_TCP && look->known && look->segments_in == 0 && look->segments_out == 0;
    uint64_t drained = drain_runs(collection->zone) ? collection->now_ms - drain->begun_ms : 0;
    if (connection->began_unix_ms && connection->began_unix_ms <= collection->now_unix_ms) {
        row->age_known = 1;
        row->age_ms = collection->now_unix_ms - connection->began_unix_ms;
    } else {
        row->age_known = silent;
        row->age_ms = !silent && drained > row->idle_ms ? drained : row->idle_ms;
    }
}

static int add(void *context, const struct connection *connection)
{
    struct collection *collection = context;
    const struct connection_look *look = &connection->look;
    const struct service *service = collection->zone->service;
    bool tcp = connection->protocol == PROTOCOL_TCP;
    collection->seen++;
    if (collection->count == 2 * collection->wanted) {
        if (collection->count > 0) /* else there are no rows, which qsort must not be given */
            qsort(collection->rows, collection->count, sizeof *collection->rows, by_interest);
        collection->count = collection->wanted;
    }
    struct wire_connection *row = &collection->rows[collection->count++];
    *row = (struct wire_connection){
        .peer = connection->peer,
        .zone = (uint8_t)collection->zone->colour,
        .protocol = connection->protocol,
        .state = connection->state,
        .rests = tcp && connection->received == 0 && connection->queued == 0 &&
                 connection_rests(look, service->nudge_after_ms),
        .nudged = tcp && look->established && connection->reading_ended,
        .idle_known = tcp && look->known,
        .bytes_known = look->known,
        .peer_port = connection->peer_port,
        .target = connection->port,
        .unread = connection->received,
        .unconfirmed = connection->queued,
        .idle_ms = tcp && look->known ? connection_idle_ms(look) : 0,
        .bytes_in = look->bytes_in,
        .bytes_out = look->bytes_out,
    };
    tell_age(collection, connection, row);
    name_port(collection->zone, connection, row->port);
    return 0;
}

static bool has_udp(const struct service *service)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_UDP)
            return true;
    }
    return false;
}

static int collect_zone(struct app_zone *zone, struct collection *collection, struct error *err)
{
    const struct service *service = zone->service;
    struct app *app = zone->app;
    if (!zone->kernel || !service)
        return 0;
    collection->zone = zone;
    struct port ports[SERVICE_PORTS_MAX];
    int result =
        connections_each(zone_diag_fd(zone->kernel), ports, zone_ports_seen(zone, ports), add, collection, err);
    if (result == 0 && has_udp(service))
        result = traffic_each_udp(app->agent->traffic, zone_number(app->index, zone->colour), add, collection, err);
    return result < 0 ? error_prefix(err, "zone %s", colour_name(zone->colour)) : 0;
}

static void answer(const struct asked *asked, struct collection *collection, uint32_t room)
{
    const struct wire_header *header = &asked->request->header;
    if (collection->count > 0) /* else there are no rows, which qsort must not be given */
        qsort(collection->rows, collection->count, sizeof *collection->rows, by_interest);
    collection->count = collection->count < room ? collection->count : room;
    for (size_t i = 0; i < collection->count; i++)
        client_send(asked->agent, &collection->rows[i], header->client, header->request, WIRE_CONNECTION,
                    sizeof *collection->rows);
}

void handle_connections(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    uint32_t wanted = request->limit ? request->limit : WIRE_CONNECTIONS_USUAL, room = wanted;
    CLEANUP_FREE struct wire_connection *rows = calloc(2 * (size_t)wanted, sizeof *rows);
    struct collection collection = {
        .now_ms = clock_monotonic_ms(), .now_unix_ms = clock_unix_ms(), .rows = rows, .wanted = wanted};
    struct error err = {0};
    int result = rows ? 0 : error_errno(&err, ENOMEM, "list the connections of %s", app->name);
    /* What drains is why most people ask. */
    enum colour first = app->live >= 0 ? colour_other((enum colour)app->live) : BLUE;
    for (int i = 0; i < COLOURS && result == 0; i++) {
        enum colour colour = i ? colour_other(first) : first;
        if (request->zone && request->zone != (uint32_t)colour + 1)
            continue;
        collection.count = 0;
        result = collect_zone(zone_of(app, colour), &collection, &err);
        if (result < 0)
            break;
        answer(asked, &collection, room);
        room -= (uint32_t)collection.count;
    }
    char text[WIRE_TEXT_MAX] = "";
    if (collection.seen > wanted)
        snprintf(text, sizeof text, "%llu more are left out; --limit shows up to %d",
                 (unsigned long long)(collection.seen - wanted), WIRE_CONNECTIONS_MAX);
    request_answer(asked, result < 0 ? RESULT_FAILED : RESULT_DONE, result < 0 ? err.text : text);
}
