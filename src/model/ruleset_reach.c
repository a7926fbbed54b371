/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What zones may reach: their fences and what is shared with them. Apart from ruleset_build.c because it is about the
 * connections that zones begin, and changes without a zone's own chain.
 *
 * A fence looks at first packets before any translation: what the zone wanted to reach decides, whether that is
 * elsewhere, a service of the host, or another app's published port.
 */
#include "model/ruleset_batch.h"

#include <stdio.h>
#include <string.h>

#define REACH_PIECES_MAX 4
#define COUNT(array)     (sizeof(array) / sizeof *(array))

struct reach_name {
    char text[RULESET_NAME_MAX + 1];
};

static struct reach_name reach_name(const char *kind, const char *app, enum colour colour)
{
    struct reach_name name;
    snprintf(name.text, sizeof name.text, "%s.%.*s.%s", kind, APP_NAME_MAX, app, colour_name(colour));
    return name;
}

/* --- the fixed part ------------------------------------------------------------------------------ */

void build_reach_fixed(struct ruleset_batch *batch)
{
    const struct prefix loopback = {.address = {4, {127}}, .length = 8};
    /* The zones' links have route_localnet on, which opens the host's loopback services (as in CVE-2020-8558). */
    const struct rule_piece localnet[] = {{RULE_DADDR_IN, .prefix = loopback}, {RULE_COUNTER}, {RULE_DROP}};
    static const struct rule_piece fences[] = {{RULE_IN_SET, .key = KEY_LINK, .name = "fenced"},
                                               {RULE_VMAP, .key = KEY_LINK, .name = "fences"}};
    static const struct rule_piece leave[] = {{RULE_ACCEPT}};
    /* What is shared is made for clients on this host, and many services look whether they are. */
    const struct rule_piece local[] = {{RULE_IIF_ZONE}, {RULE_DADDR_IN, .prefix = loopback}, {RULE_SNAT_LOOPBACK}};
    /* A jump, and the map in a chain of its own: what is not shared comes back, to be looked up among the published
     * ports. The map's goto in a base chain would end there. */
    static const struct rule_piece share[] = {{RULE_IIF_ZONE}, {RULE_JUMP, .name = "shared"}};
    static const struct rule_piece shares[] = {{RULE_VMAP, .key = KEY_LINK, .name = "shares"}};
    batch_set(batch, OP_ADD_SET, "fenced", KEY_LINK, DATA_NONE);
    batch_set(batch, OP_ADD_SET, "fences", KEY_LINK, DATA_VERDICT);
    batch_set(batch, OP_ADD_SET, "shares", KEY_LINK, DATA_VERDICT);
    batch_rule(batch, RULESET_TABLE, "leaving", localnet, COUNT(localnet));
    batch_rule(batch, RULESET_TABLE, "leaving", fences, COUNT(fences));
    batch_rule(batch, RULESET_TABLE, "leaving", leave, COUNT(leave));
    batch_rule(batch, RULESET_TABLE, "shared", shares, COUNT(shares));
    batch_rule(batch, RULESET_TABLE, "pre", share, COUNT(share));
    batch_rule(batch, RULESET_TABLE, "in", local, COUNT(local));
}

/* --- a zone's own ---------------------------------------------------------------------------------- */

static void add_rule(struct ruleset_batch *batch, const char *chain, const struct reach_rule *rule,
                     enum rule_kind verdict)
{
    static const struct {
        enum protocol protocol;
        enum rule_kind kind;
    } both[] = {{PROTOCOL_TCP, RULE_TCP}, {PROTOCOL_UDP, RULE_UDP}};
    for (size_t i = 0; i < COUNT(both); i++) {
        struct rule_piece pieces[REACH_PIECES_MAX] = {{RULE_DADDR_IN, .prefix = rule->to}};
        size_t count = 1;
        if (rule->protocol && rule->protocol != both[i].protocol)
            continue;
        if (rule->protocol || rule->first)
            pieces[count++].kind = both[i].kind;
        if (rule->first)
            pieces[count++] = (struct rule_piece){RULE_DPORT, .bits = (uint32_t)rule->first << 16 | rule->last};
        pieces[count++].kind = verdict;
        batch_rule(batch, RULESET_TABLE, chain, pieces, count);
        if (!rule->protocol && !rule->first) /* whatever it is */
            return;
    }
}

/* Answers of a connection that is not known any more (ruleset_answer.c). Nothing begins with these packets. */
static void add_answers(struct ruleset_batch *batch, const char *chain, const struct ruleset_zone *zone)
{
    for (size_t i = 0; i < zone->port_count; i++) {
        const struct port *port = &zone->ports[i];
        const uint32_t last = port->target + port_span(port) - 1;
        const struct rule_piece answer[] = {
            {RULE_TCP_MIDDLE}, {RULE_SPORT, .bits = (uint32_t)port->target << 16 | last}, {RULE_ACCEPT}};
        if (port->protocol == PROTOCOL_TCP)
            batch_rule(batch, RULESET_TABLE, chain, answer, COUNT(answer));
    }
}

/*
 * Who is refused is told at once, so that an app fails fast. In the middle of a connection that is not known any more
 * and that somebody else began it is better to be silent: the other end's next packet may make it known again.
 */
static void add_refusal(struct ruleset_batch *batch, const char *chain, const char *counter)
{
    struct rule_piece tcp[] = {{RULE_TCP_BEGIN}, {RULE_COUNT}, {RULE_RESET}};
    struct rule_piece udp[] = {{RULE_UDP}, {RULE_COUNT}, {RULE_REJECT}};
    static const struct rule_piece middle[] = {{RULE_TCP}, {RULE_DROP}}, others[] = {{RULE_REJECT}};
    text_copy(tcp[1].name, sizeof tcp[1].name, counter);
    text_copy(udp[1].name, sizeof udp[1].name, counter);
    batch_rule(batch, RULESET_TABLE, chain, tcp, COUNT(tcp));
    batch_rule(batch, RULESET_TABLE, chain, udp, COUNT(udp));
    batch_rule(batch, RULESET_TABLE, chain, middle, COUNT(middle));
    batch_rule(batch, RULESET_TABLE, chain, others, COUNT(others));
}

static void build_fence(struct ruleset_batch *batch, const char *app, enum colour colour,
                        const struct ruleset_zone *zone)
{
    struct reach_name chain = reach_name("fence", app, colour);
    for (size_t i = 0; i < zone->share_count; i++)
        add_rule(batch, chain.text, &zone->shares[i], RULE_ACCEPT);
    for (size_t i = 0; i < zone->fence.allow_count; i++)
        add_rule(batch, chain.text, &zone->fence.allow[i], RULE_ACCEPT);
    add_answers(batch, chain.text, zone);
    add_refusal(batch, chain.text, reach_name("fenced", app, colour).text);
}

static bool same_shares(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    return reach_equal(a->shares, a->share_count, b->shares, b->share_count);
}

static bool same_fence(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    const struct ruleset_fence *x = &a->fence, *y = &b->fence;
    return same_shares(a, b) && same_ports(a, b) && reach_equal(x->allow, x->allow_count, y->allow, y->allow_count);
}

static bool has_fence(const struct ruleset_zone *zone)
{
    return zone && zone->fence.there;
}

static bool is_closed(const struct ruleset_zone *zone)
{
    return has_fence(zone) && zone->fence.closed;
}

static bool has_shares(const struct ruleset_zone *zone)
{
    return zone && zone->share_count > 0;
}

void reach_refill(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *was,
                  const struct ruleset_zone *zone)
{
    if (!has_fence(zone) && !has_shares(zone))
        return; /* before names are made: of a thousand apps most have neither */
    struct reach_name fence = reach_name("fence", app, colour), share = reach_name("share", app, colour);
    if (has_fence(zone) && !has_fence(was))
        batch_op(batch, OP_ADD_COUNTER, RULESET_TABLE, reach_name("fenced", app, colour).text);
    if (has_fence(zone) && !(has_fence(was) && same_fence(was, zone))) {
        batch_op(batch, has_fence(was) ? OP_FLUSH_CHAIN : OP_ADD_CHAIN, RULESET_TABLE, fence.text);
        build_fence(batch, app, colour, zone);
    }
    if (has_shares(zone) && !(has_shares(was) && same_shares(was, zone))) {
        batch_op(batch, has_shares(was) ? OP_FLUSH_CHAIN : OP_ADD_CHAIN, RULESET_TABLE, share.text);
        for (size_t i = 0; i < zone->share_count; i++)
            add_rule(batch, share.text, &zone->shares[i], RULE_DNAT_LOOPBACK);
    }
}

void reach_remove(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *was,
                  const struct ruleset_zone *zone)
{
    if (!has_fence(was) && !has_shares(was))
        return;
    struct reach_name fence = reach_name("fence", app, colour), share = reach_name("share", app, colour);
    if (has_fence(was) && !has_fence(zone)) {
        batch_op(batch, OP_FLUSH_CHAIN, RULESET_TABLE, fence.text);
        batch_op(batch, OP_DELETE_CHAIN, RULESET_TABLE, fence.text);
        batch_op(batch, OP_DELETE_COUNTER, RULESET_TABLE, reach_name("fenced", app, colour).text);
    }
    if (has_shares(was) && !has_shares(zone)) {
        batch_op(batch, OP_FLUSH_CHAIN, RULESET_TABLE, share.text);
        batch_op(batch, OP_DELETE_CHAIN, RULESET_TABLE, share.text);
    }
}

/* --- who is led there -------------------------------------------------------------------------------- */

static const struct ruleset_zone *zone_in(const struct ruleset_app *app, int colour)
{
    return app && app->zones[colour].present ? &app->zones[colour] : NULL;
}

void reach_links(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *one,
                 const struct ruleset_app *other)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct ruleset_zone *zone = zone_in(one, colour), *there = zone_in(other, colour);
        struct ruleset_element element = {.colour = (enum colour)colour};
        if (!has_fence(zone) && !has_shares(zone))
            continue;
        bool same_link = there && there->number == zone->number;
        element.link = zone->number;
        if (is_closed(zone) && !(same_link && is_closed(there)))
            batch_element(batch, kind, "fenced", KEY_LINK, DATA_NONE, &element);
        text_copy(element.app, sizeof element.app, one->name);
        element.chain = "fence";
        if (has_fence(zone) && !(same_link && has_fence(there)))
            batch_element(batch, kind, "fences", KEY_LINK, DATA_VERDICT, &element);
        element.chain = "share";
        if (has_shares(zone) && !(same_link && has_shares(there)))
            batch_element(batch, kind, "shares", KEY_LINK, DATA_VERDICT, &element);
    }
}
