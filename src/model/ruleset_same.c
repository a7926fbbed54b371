/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether two descriptions are the same one. Apart from ruleset_diff.c because this is what most apps are asked with
 * every change, and all that they are asked. */
#include "model/ruleset_batch.h"

#include <string.h>

static bool same_port(const struct port *a, const struct port *b)
{
    return a->published == b->published && a->target == b->target && a->protocol == b->protocol && a->udp == b->udp &&
           port_span(a) == port_span(b) && a->listen.family == b->listen.family &&
           (!a->listen.family || address_equal(&a->listen, &b->listen));
}

bool same_ports(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    if (a->port_count != b->port_count || a->preview_count != b->preview_count)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        if (!same_port(&a->ports[i], &b->ports[i]))
            return false;
    return true;
}

bool same_zone(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    return a->number == b->number && address_equal(&a->service4, &b->service4) &&
           address_equal(&a->service6, &b->service6) && same_ports(a, b);
}

bool same_preview_from(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    if (a->preview_from_count != b->preview_from_count)
        return false;
    for (size_t i = 0; i < a->preview_from_count; i++)
        if (!address_equal(&a->preview_from[i].address, &b->preview_from[i].address) ||
            a->preview_from[i].length != b->preview_from[i].length)
            return false;
    return true;
}

static bool same_reach(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    const struct ruleset_fence *x = &a->fence, *y = &b->fence;
    return x->there == y->there && x->closed == y->closed &&
           reach_equal(x->allow, x->allow_count, y->allow, y->allow_count) &&
           reach_equal(a->shares, a->share_count, b->shares, b->share_count);
}

bool same_app(const struct ruleset_app *a, const struct ruleset_app *b)
{
    if (a->live != b->live || a->canary_percent != b->canary_percent || a->canary_sticky != b->canary_sticky)
        return false;
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct ruleset_zone *x = &a->zones[colour], *y = &b->zones[colour];
        if (x->present != y->present)
            return false;
        if (x->present && !(x->preview == y->preview && same_zone(x, y) && same_preview_from(x, y) && same_reach(x, y)))
            return false;
    }
    return true;
}
