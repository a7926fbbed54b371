/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between [switch] mode = hold, ports with listen, and the rest: apart from service_rules.c because both
 * change what other keys mean. */
#include "model/service_rules.h"

#include <inttypes.h>

/* What a socket of the shim's means for what else is configured. */
void check_activated(const struct service *service, struct findings *findings)
{
    const struct health *health = &service->health;
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *port = &service->ports[i];
        if (!port->activated)
            continue;
        if (port_span(port) > 1)
            found(findings,
                  "[ports] %s: listen: an app gets single sockets, not a range of them; write a line for "
                  "each port",
                  port->name);
        for (size_t j = 0; j < i; j++) {
            if (service->ports[j].target == port->target && service->ports[j].protocol == port->protocol)
                found(findings,
                      "[ports] %s: listen: port %u of the zone is that of [ports] %s, too, and one socket can "
                      "have one name; publish it with listen once",
                      port->name, port->target, service->ports[j].name);
        }
        if (health->kind == HEALTH_TCP && health->port == port->target && port->protocol == PROTOCOL_TCP)
            found(findings,
                  "[health] tcp: port %u is listened to before the app runs ([ports] %s has listen), so "
                  "connecting always works; write an http or exec check, or \"notify = yes\"",
                  port->target, port->name);
    }
}

/* What takes two releases that run at the same time. */
void check_switch(const struct service *service, struct findings *findings)
{
    if (!service->hold)
        return;
    if (service->freeze)
        found(findings, "[standby] freeze: with [switch] mode = hold the standby does not run, so there is nothing to "
                        "freeze; write freeze = no, or mode = overlap");
    if (service->group_name[0])
        found(findings, "[app] group_name: apps of a group move at one moment, with both releases of each running; "
                        "with [switch] mode = hold one runs at a time; leave the group, or write mode = overlap");
    if (service->preview.port_count > 0 || service->preview.from_count > 0)
        found(findings,
              "[preview] port, from: they lead to the zone that is not live, where nothing runs with [switch] "
              "mode = hold; leave them, or write mode = overlap");
    if (service->stop_timeout_ms > service->hold_max_ms)
        found(findings,
              "[switch] hold_max: clients wait %" PRIu32 "ms at the most, and the app may take longer to stop, %" PRIu32
              "ms ([app] stop_timeout); raise hold_max or lower stop_timeout",
              service->hold_max_ms, service->stop_timeout_ms);
}
