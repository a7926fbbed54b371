/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the apps' state to the rule set, and the one transaction that a switch is. */
#include "agent/routing.h"

#include "agent/agent.h"
#include "agent/canary.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/host.h"
#include "agent/preview.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The live zone keeps its rules while it is being rebuilt: its addresses do not change. One with a fence keeps them
 * until nothing runs in it: what an app does when it is stopped is not less than what it did before. */
static bool zone_routable(const struct app_zone *zone)
{
    bool there = zone->kernel && (!zone->closing || (zone->service && egress_fences(&zone->service->egress)));
    return zone->service && (there || zone->state == ZONE_LIVE);
}

/* Those that are fed lead to the zone's doors. */
static int fill_ports(const struct app_zone *zone, struct ruleset_zone *out, struct error *err)
{
    const struct service *service = zone->service;
    const struct preview *preview = &service->preview;
    const struct port *port;
    out->ports = calloc(service->port_count + preview->port_count + 1, sizeof *out->ports);
    out->preview_from = preview->from_count ? calloc(preview->from_count, sizeof *out->preview_from) : NULL;
    if (!out->ports || (preview->from_count && !out->preview_from))
        return error_errno(err, ENOMEM, "build the rule set");
    for (; (port = service_claim(service, out->port_count)); out->port_count++) {
        uint16_t door = out->port_count < service->port_count ? zone_door_port(zone, port) : 0;
        out->ports[out->port_count] = *port;
        if (door)
            out->ports[out->port_count].target = door;
    }
    for (size_t i = 0; i < preview->from_count; i++)
        out->preview_from[i] = preview->from[i];
    return 0;
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
                                 .preview_count = zone->service->preview.port_count,
                                 .preview_from_count = zone->service->preview.from_count};
    result = fill_ports(zone, out, err);
    return result < 0 ? result : egress_fill(zone, &addresses.host4, out, err);
}

static void fill_route(struct app *app, struct ruleset_app *out)
{
    int live = app->held >= 0 ? app->held : app->live;
    bool published = app->state == APP_RUNNING && live >= 0 && out->zones[live].present;
    out->live = published ? live : -1;
    const struct app_zone *previewed = preview_zone(app), *canary = canary_zone(app);
    if (previewed && out->live != (int)previewed->colour)
        out->zones[previewed->colour].preview = out->zones[previewed->colour].present;
    if (canary && published && out->live != (int)canary->colour && out->zones[canary->colour].present) {
        out->canary_percent = app->canary.percent;
        out->canary_sticky = app->canary.sticky;
    }
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
        fill_route(app, out);
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
        result = traffic_take(agent->traffic, &state, transaction ? transaction : &unused, err);
    ruleset_state_clear(&state);
    if (result == 0)
        host_ports_applied(agent);
    return result;
}

/* What came to them until now is known to a process of the host's, or to nobody. was NULL: all of them are new. */
static int release_new_ports(struct app *app, const struct service *was, const struct service *is, struct error *err)
{
    CLEANUP_FREE struct port *ports = calloc(is->port_count + 1, sizeof *ports);
    size_t count = 0;
    if (!ports)
        return error_errno(err, ENOMEM, "look for ports that are new");
    for (size_t i = 0; i < is->port_count; i++) {
        if (!was || !service_publishes(was, &is->ports[i]))
            ports[count++] = is->ports[i];
    }
    return traffic_release_udp_ports(app->agent->traffic, ports, count, err);
}

static void release_flows(struct app *app, int from, enum colour to)
{
    struct error err = {0};
    const struct service *was = from >= 0 ? app->zones[from].service : NULL, *is = app->zones[to].service;
    int result =
        from >= 0 ? traffic_release_flows(app->agent->traffic, zone_number(app->index, (enum colour)from), &err) : 0;
    if (result == 0 && is && (from < 0 || was))
        result = release_new_ports(app, was, is, &err);
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
    route->former_share = app->canary.percent;
    app->canary.percent = 0;
    app->live = (int)route->to;
    app->state = APP_RUNNING;
}

static void leave_route(const struct route *route)
{
    route->app->live = route->former_live;
    route->app->state = route->former_state;
    route->app->canary.percent = route->former_share;
}

/* Switch first, delete then: the other way round a packet in between would pin itself to the old zone again. */
static void release_former(const struct route *route)
{
    bool moved_away =
        route->former_state == APP_RUNNING && route->former_live >= 0 && route->former_live != (int)route->to;
    release_flows(route->app, moved_away ? route->former_live : -1, route->to);
}

static void took_route(const struct route *route)
{
    feeding_moved(route->app); /* first: clients wait for it */
    release_former(route);
    if (route->former_state != APP_RUNNING || route->former_live < 0)
        host_firewall_changed(route->app->agent); /* what was of no concern while nothing was published is now */
    if (route->former_share > 0)
        canary_over(route->app);
}

int routing_switch_all(struct agent *agent, struct route routes[], size_t count, struct transaction *transaction,
                       struct error *err)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = check_route(&routes[i], err);
    if (result < 0)
        return result;
    for (size_t i = 0; i < count; i++)
        take_route(&routes[i]);
    result = routing_apply(agent, transaction, err);
    for (size_t i = 0; i < count; i++) {
        if (result < 0)
            leave_route(&routes[i]);
        else
            took_route(&routes[i]);
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

/* Whoever serves the ports now, a process of the host's perhaps, gets what would still come to a zone that goes. */
static void forget_flows(struct app *app, enum colour colour)
{
    struct error err = {0};
    if (app->zones[colour].service &&
        traffic_forget_zone(app->agent->traffic, zone_number(app->index, colour), &err) < 0)
        log_warning("%s: UDP flows and connections without an answer still go to %s: %s", app->name,
                    colour_name(colour), err.text);
}

void routing_zone_gone(struct app_zone *zone)
{
    for (size_t i = 0; zone->service && i < zone->service->port_count; i++) {
        if (zone->service->ports[i].protocol == PROTOCOL_UDP && zone->service->ports[i].udp == UDP_KEEP) {
            forget_flows(zone->app, zone->colour);
            return;
        }
    }
}

int routing_hold(struct app *app, int zone, struct transaction *transaction, struct error *err)
{
    int former = app->held;
    enum colour to = zone >= 0 ? (enum colour)zone : (enum colour)app->live;
    app->held = zone;
    int result = routing_apply(app->agent, transaction, err);
    if (result < 0) {
        app->held = former;
        return error_prefix(err, "%s: send new connections to %s", app->name, colour_name(to));
    }
    release_flows(app, (int)colour_other(to), to);
    routing_zone_gone(zone_of(app, colour_other(to))); /* it will not run: flows that would be kept end there */
    return 0;
}

int routing_unpublish(struct app *app, struct error *err)
{
    enum app_state former = app->state;
    app->state = APP_STOPPED;
    int result = routing_apply(app->agent, NULL, err);
    if (result < 0) {
        app->state = former;
        return result;
    }
    for (int colour = 0; colour < COLOURS; colour++)
        forget_flows(app, (enum colour)colour);
    host_firewall_changed(app->agent);
    return 0;
}

int routing_share(struct app *app, uint8_t percent, bool sticky, struct transaction *transaction, struct error *err)
{
    struct canary_run *canary = &app->canary;
    uint8_t former = canary->percent;
    bool former_sticky = canary->sticky;
    enum colour live = (enum colour)app->live;
    canary->percent = percent;
    canary->sticky = sticky;
    int result = routing_apply(app->agent, transaction, err);
    if (result < 0) {
        canary->percent = former;
        canary->sticky = former_sticky;
        return error_prefix(err, "%s: give %s %u%% of new connections", app->name, colour_name(colour_other(live)),
                            percent);
    }
    if (percent == 0)
        release_flows(app, (int)colour_other(live), live);
    return 0;
}
