/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an app may reach: contradictions in it, and whether two configurations say the same. */
#include "model/service_rules.h"

/* A published port is the zones' own, also on the host's addresses. */
static bool publishes(const struct service *service, const struct share_port *share)
{
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *port = &service->ports[i];
        if (port->protocol == share->protocol && share->port >= port->published &&
            share->port < port->published + port_span(port))
            return true;
    }
    return false;
}

void check_reach(const struct service *service, struct findings *findings)
{
    for (size_t i = 0; i < service->share_count; i++) {
        const struct share_port *share = &service->shares[i];
        if (publishes(service, share))
            found(findings,
                  "[share] host: %u/%s is published by this app itself, so it is no service of the host; remove one of "
                  "the two",
                  share->port, protocol_name((enum protocol)share->protocol));
    }
}

bool service_reach_equal(const struct service *a, const struct service *b)
{
    const struct egress *x = &a->egress, *y = &b->egress;
    bool same = a->share_count == b->share_count;
    for (size_t i = 0; i < a->share_count && same; i++)
        same = a->shares[i].port == b->shares[i].port && a->shares[i].protocol == b->shares[i].protocol;
    return same && x->policy == y->policy && x->standby == y->standby &&
           reach_equal(x->allow, x->allow_count, y->allow, y->allow_count) &&
           reach_equal(x->standby_allow, x->standby_allow_count, y->standby_allow, y->standby_allow_count);
}
