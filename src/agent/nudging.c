/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending, in a drain, the connections that rest: clients that keep one open for a request that may never come would
 * hold the old zone until the deadline, and be cut then. Which they are is model/connection.h's; how they end,
 * shim/nudge.c's. Apart from drains.c because a drain is the same without it. */
#include "agent/nudging.h"

#include "agent/agent.h"
#include "agent/drains.h"
#include "agent/feeding.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    APART_MS = 100,
    APART_OF_MANY_MS = 1000, /* to have all of them described takes the kernel 1 us each, and more */
    MANY = 1000,
    /* An app closes within milliseconds what it was nudged to. Who has not after this does not mean to. */
    CLOSED_MS = 1000,
};

struct nudge {
    uint32_t idle_ms;
    size_t count;
    bool again; /* those that go on all the same are to be found */
    bool over;  /* and no others */
    struct shim_socket sockets[SHIM_SOCKETS_MAX];
};

static int collect(void *context, const struct connection *connection)
{
    struct nudge *nudge = context;
    bool rests =
        connection->received == 0 && connection->queued == 0 && connection_rests(&connection->look, nudge->idle_ms);
    /* It reads end-of-file since the last time and goes on all the same: its client is to be heard again. */
    bool nudged = connection->reading_ended && connection->look.established, ignores = nudged && nudge->again;
    if (connection->inode == 0 || nudge->count == SHIM_SOCKETS_MAX || !(nudged ? ignores : rests && !nudge->over))
        return 0;
    nudge->sockets[nudge->count++] =
        (struct shim_socket){.cookie = {(uint32_t)connection->cookie, (uint32_t)(connection->cookie >> 32)},
                             .inode = connection->inode,
                             .listen = ignores};
    return 0;
}

/* The role ends those at a door by itself. */
static size_t nudged_ports(const struct app_zone *zone, struct port ports[SERVICE_PORTS_MAX])
{
    const struct service *service = zone->service;
    size_t count = 0;
    for (size_t i = 0; i < service->port_count; i++) {
        if (service_nudges(service, &service->ports[i]) && !zone_door_port(zone, &service->ports[i]))
            ports[count++] = service->ports[i];
    }
    return count;
}

static int look(struct app_zone *zone, const struct port *ports, size_t count, bool over, struct error *err)
{
    CLEANUP_FREE struct nudge *nudge = calloc(1, sizeof *nudge);
    if (!nudge)
        return error_errno(err, ENOMEM, "look for connections that rest");
    nudge->idle_ms = zone->service->nudge_after_ms;
    nudge->over = over;
    nudge->again = over || loop_now_ms(zone->app->agent->loop) >= zone->drain.listen_ms;
    if (nudge->again)
        zone->drain.listen_ms = loop_now_ms(zone->app->agent->loop) + CLOSED_MS;
    int result = connections_each(zone_diag_fd(zone->kernel), ports, count, collect, nudge, err);
    if (result == 0 && nudge->count > 0)
        result = zone_nudge(zone->kernel, nudge->sockets, nudge->count, nudge->idle_ms, err);
    return result;
}

/* As the shim has told until now. */
static void count_nudged(struct app_zone *zone)
{
    struct drain *drain = &zone->drain;
    if (zone->kernel && drain_runs(zone))
        drain->nudged = zone_nudged(zone->kernel) - drain->nudged_before;
}

void nudging_consider(struct app_zone *zone)
{
    struct drain *drain = &zone->drain;
    struct port ports[SERVICE_PORTS_MAX];
    struct error err = {0};
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    count_nudged(zone);
    size_t count = now >= drain->nudge_ms ? nudged_ports(zone, ports) : 0;
    if (count == 0)
        return;
    drain->nudge_ms = now + (drain->last > MANY ? APART_OF_MANY_MS : APART_MS);
    if (look(zone, ports, count, false, &err) == 0)
        return;
    if (!drain->nudge_failed)
        log_warning("%s/%s: end connections that rest: %s; they are cut at the drain's end, as others are",
                    zone->app->name, colour_name(zone->colour), err.text);
    drain->nudge_failed = true;
}

void nudging_end(struct app_zone *zone)
{
    struct port ports[SERVICE_PORTS_MAX];
    struct error err = {0};
    count_nudged(zone);
    if (zone->drain.nudged == 0 || !zone->kernel || !zone->service)
        return;
    if (look(zone, ports, nudged_ports(zone, ports), true, &err) < 0)
        log_warning("%s/%s: listen again to clients that were to leave: %s", zone->app->name, colour_name(zone->colour),
                    err.text);
}
