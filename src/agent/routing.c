/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the apps' state to the rule set, and the one transaction that a switch is. */
#include "agent/agent.h"

#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The live zone keeps its rules while it is being rebuilt: its addresses do not change. */
static bool zone_routable(const struct app_zone *zone)
{
    return zone->service && ((zone->kernel && !zone->closing) || zone->state == ZONE_LIVE);
}

static int fill_zone(struct app_zone *zone, struct ruleset_zone *out, struct error *err)
{
    if (!zone_routable(zone))
        return 0;
    struct zone_addresses addresses;
    uint16_t number = zone_number(zone->app->index, zone->colour);
    int result = address_plan(&zone->app->agent->conf.pools, number, &addresses, err);
    if (result < 0)
        return result;
    *out = (struct ruleset_zone){.present = true,
                                 .number = number,
                                 .service4 = addresses.service4,
                                 .service6 = addresses.service6,
                                 .port_count = zone->service->port_count};
    size_t bytes = zone->service->port_count * sizeof *out->ports;
    out->ports = malloc(bytes ? bytes : 1);
    if (!out->ports)
        return error_errno(err, ENOMEM, "build the rule set");
    memcpy(out->ports, zone->service->ports, bytes);
    return 0;
}

static int build_state(struct agent *agent, struct ruleset_state *state, struct error *err)
{
    size_t apps = 0;
    struct app *app;
    list_for_each(app, &agent->apps, link) apps++;
    state->pools = agent->conf.pools;
    state->apps = calloc(apps ? apps : 1, sizeof *state->apps);
    if (!state->apps)
        return error_errno(err, ENOMEM, "build the rule set");
    list_for_each(app, &agent->apps, link)
    {
        struct ruleset_app *out = &state->apps[state->count];
        int result = fill_zone(&app->zones[BLUE], &out->zones[BLUE], err);
        if (result == 0)
            result = fill_zone(&app->zones[GREEN], &out->zones[GREEN], err);
        text_copy(out->name, sizeof out->name, app->name);
        bool published = app->state == APP_RUNNING && app->live >= 0 && out->zones[app->live].present;
        out->live = published ? app->live : -1;
        state->count++;
        if (result < 0)
            return result;
    }
    return 0;
}

int routing_apply(struct agent *agent, struct transaction *transaction, struct error *err)
{
    struct ruleset_state state = {0};
    struct transaction unused;
    int result = build_state(agent, &state, err);
    if (result == 0)
        result = traffic_apply(agent->traffic, &state, transaction ? transaction : &unused, err);
    ruleset_state_clear(&state);
    return result;
}

static void release_flows(struct app *app, int from, enum colour to)
{
    struct error err = {0};
    const struct service *service = app->zones[to].service;
    int result = from >= 0
                     ? traffic_release_flows(app->agent->traffic, zone_number(app->index, (enum colour)from), &err)
                     : traffic_release_udp_ports(app->agent->traffic, service->ports, service->port_count, &err);
    if (result < 0)
        log_warning("%s: connections that had no answer yet and UDP flows were not moved: %s", app->name, err.text);
}

static int check_route(const struct route *route, struct error *err)
{
    const struct app_zone *zone = &route->app->zones[route->to];
    if (zone->kernel && !zone->closing)
        return 0;
    return error_set(err, ENOENT, "%s: switch to %s: the zone does not exist at the moment; it is being rebuilt",
                     route->app->name, colour_name(route->to));
}

static void take_route(struct route *route)
{
    struct app *app = route->app;
    route->former_live = app->live;
    route->former_state = app->state;
    app->live = (int)route->to;
    app->state = APP_RUNNING;
}

static void leave_route(const struct route *route)
{
    route->app->live = route->former_live;
    route->app->state = route->former_state;
}

/* Switch first, delete then: the other way round a packet in between would pin itself to the old zone again. */
static void release_former(const struct route *route)
{
    bool moved_away =
        route->former_state == APP_RUNNING && route->former_live >= 0 && route->former_live != (int)route->to;
    release_flows(route->app, moved_away ? route->former_live : -1, route->to);
}

int routing_switch_all(struct agent *agent, struct route routes[], size_t count, struct transaction *transaction,
                       struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (check_route(&routes[i], err) < 0)
            return err->code;
    }
    for (size_t i = 0; i < count; i++)
        take_route(&routes[i]);
    int result = routing_apply(agent, transaction, err);
    for (size_t i = 0; i < count; i++) {
        if (result < 0)
            leave_route(&routes[i]);
        else
            release_former(&routes[i]);
    }
    return result;
}

int routing_switch(struct app *app, enum colour to, struct transaction *transaction, struct error *err)
{
    struct route route = {.app = app, .to = to};
    int result = check_route(&route, err);
    if (result < 0)
        return result;
    result = routing_switch_all(app->agent, &route, 1, transaction, err);
    return result < 0 ? error_prefix(err, "%s: switch to %s", app->name, colour_name(to)) : 0;
}

int routing_unpublish(struct app *app, struct error *err)
{
    enum app_state former = app->state;
    app->state = APP_STOPPED;
    int result = routing_apply(app->agent, NULL, err);
    if (result < 0)
        app->state = former;
    return result;
}
