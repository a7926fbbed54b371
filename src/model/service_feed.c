/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between [feed] and the rest of a service, and what is allowed but makes the standby a worse backup. */
#include "model/service_rules.h"

#include "model/feed_wire.h"

#include <inttypes.h>
#include <string.h>

static bool right_protocol(const struct feed *feed, const struct port *port)
{
    return port->protocol == (feed->mode == FEED_DATAGRAM ? PROTOCOL_UDP : PROTOCOL_TCP);
}

bool service_feeds(const struct service *service, const struct port *port)
{
    const struct feed *feed = &service->feed;
    bool named = feed->ports.count == 0;
    for (size_t i = 0; i < feed->ports.count; i++)
        named = named || strcmp(feed->ports.items[i], port->name) == 0;
    return feed->mode != FEED_OFF && named && right_protocol(feed, port);
}

static void check_names(const struct service *service, struct findings *findings)
{
    const struct feed *feed = &service->feed;
    const char *wanted = feed->mode == FEED_DATAGRAM ? "UDP" : "TCP";
    for (size_t i = 0; i < feed->ports.count; i++) {
        const struct port *port = port_named(service, feed->ports.items[i]);
        if (!port)
            found(findings, "[feed] ports: there is no port %.60s in [ports]; name one of those", feed->ports.items[i]);
        else if (!right_protocol(feed, port))
            found(findings,
                  "[feed] ports: %s is no port of %s, which mode = %s feeds; name another, or change the mode",
                  port->name, wanted, feed_mode_name(feed->mode));
    }
}

/* What only one of two ways to the same port passes, the other zone never hears of. */
static void check_way_round(const struct service *service, const struct port *fed, struct findings *findings)
{
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *port = &service->ports[i];
        if (port->protocol == fed->protocol && port->target <= fed->target &&
            fed->target < port->target + port_span(port) && !service_feeds(service, port))
            found(findings,
                  "[feed] ports: clients reach port %u of the zone by [ports] %s, too, which is not fed, so the other "
                  "zone would miss what they do; name %s as well",
                  fed->target, port->name, port->name);
    }
}

/* Of a transaction the feed knows the number of the port by which it came. */
static void check_number(const struct service *service, const struct port *fed, struct findings *findings)
{
    for (const struct port *port = service->ports; port < fed; port++) {
        if (service_feeds(service, port) && port->published == fed->published && port->target != fed->target)
            found(findings,
                  "[feed] ports: %s and %s are published at the same number, %u, and the feed tells ports apart by "
                  "number; publish one of them at another, let both lead to one port of the zone, or feed one only",
                  port->name, fed->name, fed->published);
    }
}

static void check_fed_port(const struct service *service, const struct port *port, struct findings *findings)
{
    if (port_span(port) > 1)
        found(findings,
              "[feed] ports: %s is a range, and only single ports are fed; name the ports to be fed, or write a "
              "line of [ports] for each",
              port->name);
    if (port->activated)
        found(findings,
              "[feed] ports: %s has listen, so its clients' connections go to the app's own socket; leave listen out, "
              "or name the other ports here",
              port->name);
    check_way_round(service, port, findings);
    check_number(service, port, findings);
}

/* Doors are in the zone, where the app could want the same ports. */
static void check_doors(const struct service *service, struct findings *findings)
{
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *port = &service->ports[i];
        if (port->target < FEED_DOOR_FIRST + FEED_DOORS_MAX && port->target + port_span(port) > FEED_DOOR_FIRST)
            found(findings, "[ports] %s: ports %d to %d of the zone are the feed's; let the app listen at another",
                  port->name, FEED_DOOR_FIRST, FEED_DOOR_FIRST + FEED_DOORS_MAX - 1);
    }
}

static void check_fed_ports(const struct service *service, struct findings *findings)
{
    size_t count = 0, before = findings->count;
    check_names(service, findings);
    for (size_t i = 0; i < service->port_count; i++) {
        if (!service_feeds(service, &service->ports[i]))
            continue;
        check_fed_port(service, &service->ports[i], findings);
        count++;
    }
    if (count == 0 && findings->count == before)
        found(findings, "[feed] mode: there is no port of %s in [ports] to feed; add one, or leave [feed] out",
              service->feed.mode == FEED_DATAGRAM ? "UDP" : "TCP");
    check_doors(service, findings);
}

static bool is_of_requests(enum feed_key_kind kind)
{
    return kind == FEED_KEY_HEADER || kind == FEED_KEY_COOKIE || kind == FEED_KEY_PATH;
}

void check_feed(const struct service *service, struct findings *findings)
{
    const struct feed *feed = &service->feed;
    if (feed->mode == FEED_OFF)
        return;
    check_fed_ports(service, findings);
    if (feed->lanes > 1 && feed->key.kind == FEED_KEY_NONE)
        found(findings, "[feed] lanes: without a key nobody knows what may go side by side; write what must stay in "
                        "order, as in \"key = header X-Account\" or \"key = client\", or lanes = 1");
    if (feed->mode != FEED_HTTP && is_of_requests(feed->key.kind))
        found(findings, "[feed] key: with mode = %s there are no requests to look into; write client, or none",
              feed_mode_name(feed->mode));
    if (feed->body_max > feed->journal_max / 2)
        found(findings,
              "[feed] body_max: two requests of %" PRIu64 "K (16384K if nothing is written) would not fit "
              "into the journal; lower it, or raise journal_max",
              feed->body_max / 1024);
    if (service->freeze)
        found(findings, "[standby] freeze: a frozen standby cannot do what it is fed; write freeze = no, or leave "
                        "[feed] out");
    if (service->hold)
        found(findings, "[switch] mode: with mode = hold the other release does not run, so there is nobody to feed; "
                        "write mode = overlap, or leave [feed] out");
}

size_t service_warnings(const struct service *service, struct words *warnings)
{
    struct findings findings = {.list = warnings};
    if (service->feed.mode == FEED_OFF)
        return 0;
    if (service->egress.standby != EGRESS_FENCED)
        found(&findings,
              "[egress] standby: the standby does all that live does once more ([feed]), and may mail, pay "
              "or call others a second time; write \"standby = closed\", and what it may reach all the same");
    if (service->preview.from_count > 0 || service->preview.port_count > 0)
        found(&findings, "[preview] port, from: what these clients change in the standby is not in live ([feed]); let "
                         "them look only");
    if (service->hooks[HOOK_SEED].run.count == 0)
        found(&findings, "[feed] seed: without it a zone that is no backup any more, as when the journal was full, "
                         "cannot be made one; write the command that copies live's state");
    return findings.count;
}
