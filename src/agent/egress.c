/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a zone may reach at the moment, from [egress] and [share] and whether it serves, and what follows when that
 * becomes less: connections that it has already and may not have any more are ended. The rules themselves are part of
 * the rule set (routing.c), so a fence opens in the transaction that makes its zone live.
 */
#include "agent/egress.h"

#include "agent/agent.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/incidents.h"
#include "agent/routing.h"
#include "base/cleanup.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clients are in it: new ones come to it, or its last ones may still need what they began with. */
static bool serves(const struct app_zone *zone)
{
    const struct app *app = zone->app;
    bool its_turn = app->live == (int)zone->colour || app->held == (int)zone->colour; /* clients wait for it */
    if (zone->closing)                                                                /* the last of what it served */
        return app->live == (int)zone->colour;
    return (app->state == APP_RUNNING && (its_turn || canary_runs(app))) || zone->state == ZONE_LIVE ||
           zone->state == ZONE_DRAINING || drain_runs(zone);
}

static bool is_closed(const struct app_zone *zone)
{
    const struct egress *egress = &zone->service->egress;
    return egress->policy == EGRESS_CLOSED || (egress->standby == EGRESS_FENCED && !serves(zone));
}

/* While the fence is open, what it will let through when it closes: then opening it changes no rule. */
static const struct reach_rule *allowed(const struct app_zone *zone, size_t *count)
{
    const struct egress *egress = &zone->service->egress;
    bool standby = egress->standby == EGRESS_FENCED && (egress->policy == EGRESS_OPEN || !serves(zone));
    *count = standby ? egress->standby_allow_count : egress->allow_count;
    return standby ? egress->standby_allow : egress->allow;
}

static int fill_shares(const struct service *service, const struct address *host, struct ruleset_zone *out)
{
    if (!service->share_count)
        return 0;
    out->shares = calloc(service->share_count, sizeof *out->shares);
    if (!out->shares)
        return -ENOMEM;
    for (size_t i = 0; i < service->share_count; i++) {
        const struct share_port *port = &service->shares[i];
        out->shares[out->share_count++] = (struct reach_rule){.to = {.address = *host, .length = 32},
                                                              .protocol = port->protocol,
                                                              .first = port->port,
                                                              .last = port->port};
    }
    return 0;
}

int egress_fill(const struct app_zone *zone, const struct address *host, struct ruleset_zone *out, struct error *err)
{
    struct ruleset_fence *fence = &out->fence;
    size_t count;
    const struct reach_rule *allow = allowed(zone, &count);
    fence->there = egress_fences(&zone->service->egress);
    fence->closed = is_closed(zone);
    if (fence->there && count > 0) {
        fence->allow = calloc(count, sizeof *fence->allow);
        if (!fence->allow)
            return error_errno(err, ENOMEM, "build the rule set");
        memcpy(fence->allow, allow, count * sizeof *fence->allow);
        fence->allow_count = count;
    }
    return fill_shares(zone->service, host, out) < 0 ? error_errno(err, ENOMEM, "build the rule set") : 0;
}

/* --- what is open already ---------------------------------------------------------------------- */

/* All that a fenced zone may reach, as one list, which is the caller's. */
static struct reach_rule *all_allowed(const struct app_zone *zone, size_t *count)
{
    struct ruleset_zone filled = {0};
    struct reach_rule *all = NULL;
    *count = 0;
    if (egress_fill(zone, &zone_addresses(zone->kernel)->host4, &filled, NULL) == 0)
        all = calloc(filled.share_count + filled.fence.allow_count + 1, sizeof *all);
    for (size_t i = 0; all && i < filled.share_count; i++)
        all[(*count)++] = filled.shares[i];
    for (size_t i = 0; all && i < filled.fence.allow_count; i++)
        all[(*count)++] = filled.fence.allow[i];
    free(filled.shares);
    free(filled.fence.allow);
    return all;
}

/* How many UDP flows were forgotten. While a hold lasts, a zone begins its own with another address. */
static uint32_t forget_flows(struct app_zone *zone, const struct reach_rule *allow, size_t count)
{
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    const struct address sources[] = {addresses->service4, addresses->service6, addresses->egress4, addresses->egress6};
    size_t used = zone->service->hold ? 4 : 2;
    uint32_t all = 0, flows = 0;
    struct error err = {0};
    for (size_t i = 0; i < used; i++) {
        if (traffic_forget_outgoing(zone->app->agent->traffic, &sources[i], allow, count, &flows, &err) < 0)
            log_error("%s/%s: %s", zone->app->name, colour_name(zone->colour), err.text);
        all += flows;
    }
    return all;
}

static void cut(struct app_zone *zone)
{
    const char *name = zone->app->name, *colour = colour_name(zone->colour);
    struct error err = {0};
    size_t count;
    uint32_t connections = 0;
    CLEANUP_FREE struct reach_rule *allow = all_allowed(zone, &count);
    if (!allow) {
        log_error("%s/%s: no memory to end the connections that it may not have any more", name, colour);
        return;
    }
    if (sockets_destroy_outgoing(zone_diag_fd(zone->kernel), allow, count, &connections, &err) < 0)
        log_error("%s/%s: end the connections that it may not have any more: %s", name, colour, err.text);
    uint32_t flows = forget_flows(zone, allow, count);
    if (connections > 0 || flows > 0)
        log_notice("%s/%s: fenced, with %u connection%s and %u UDP flow%s that it had open to outside", name, colour,
                   connections, connections == 1 ? "" : "s", flows, flows == 1 ? "" : "s");
}

/* True if a fence that is in the rule set keeps it from something. */
static bool is_fenced(const struct app_zone *zone)
{
    return zone->kernel && !zone->closing && zone->service && is_closed(zone);
}

void egress_drained(struct app_zone *zone)
{
    struct error err = {0};
    if (!is_fenced(zone))
        return;
    if (routing_apply(zone->app->agent, NULL, &err) < 0)
        log_error("%s/%s: fence it after its drain: %s", zone->app->name, colour_name(zone->colour), err.text);
    else
        cut(zone);
}

void egress_cut(struct app *app)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        if (is_fenced(&app->zones[colour]))
            cut(&app->zones[colour]);
    }
}

void egress_changed(struct app *app)
{
    struct error err = {0};
    if (routing_apply(app->agent, NULL, &err) < 0)
        log_error("%s: take its changed [egress] and [share] into the rule set: %s", app->name, err.text);
    else
        egress_cut(app);
}

static enum wire_fence fence_state(const struct app_zone *zone)
{
    if (!zone->service || !egress_fences(&zone->service->egress))
        return FENCE_NONE;
    return is_fenced(zone) ? FENCE_CLOSED : FENCE_OPEN;
}

static uint64_t refused(const struct app_zone *zone)
{
    struct error err = {0};
    uint64_t count = 0;
    if (fence_state(zone) != FENCE_NONE && zone->kernel &&
        traffic_read_fenced(zone->app->agent->traffic, zone->app->name, zone->colour, &count, &err) < 0)
        log_debug("%s/%s: %s", zone->app->name, colour_name(zone->colour), err.text);
    return count;
}

void egress_status(const struct app_zone *zone, struct wire_zone *out)
{
    out->fence = (uint8_t)fence_state(zone);
    out->refused = refused(zone);
}

/* What a closed policy refused while it was live is nobody's surprise when it is live again. */
void egress_lost(struct app_zone *zone)
{
    zone->refused_told = refused(zone);
}

void egress_gained(struct app_zone *zone)
{
    uint64_t count = refused(zone), known = count < zone->refused_told ? 0 : zone->refused_told;
    zone->refused_told = count;
    if (count > known)
        incident_record(zone, INCIDENT_FENCED,
                        "%s tried %" PRIu64 " time%s to reach what [egress] keeps it from, while it was not live",
                        zone->release, count - known, count - known == 1 ? "" : "s");
}
