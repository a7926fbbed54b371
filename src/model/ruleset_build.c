/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in the table: the fixed chains, and the chain and maps of one zone. The reason for a rule stands beside it.
 * */
#include "model/ruleset_batch.h"

#include <errno.h>
#include <stdio.h>

#define PIECES_MAX   4 /* of one rule of the fixed part */
#define COUNT(array) (sizeof(array) / sizeof *(array))

const char *const published_names[PORT_KEYS] = {"published", "published4", "published6"};

/* Longest name: "moves4." and so on, see RULESET_NAME_MAX. */
struct name {
    char text[RULESET_NAME_MAX + 1];
};

static const char *const key_suffixes[PORT_KEYS] = {"", "4", "6"};

static struct name zone_name(const char *kind, enum ruleset_key key, const char *app, enum colour colour)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s%s.%.*s.%s", kind, key_suffixes[key], APP_NAME_MAX, app,
             colour_name(colour));
    return name;
}

static struct rule_piece named(enum rule_kind kind, enum ruleset_key key, const char *name)
{
    struct rule_piece piece = {.kind = kind, .key = key};
    text_copy(piece.name, sizeof piece.name, name);
    return piece;
}

static void add_rules(struct ruleset_batch *batch, const char *chain, const struct rule_piece rules[][PIECES_MAX],
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch_rule(batch, RULESET_TABLE, chain, rules[i], PIECES_MAX);
}

/* Before translation: what must not come in at all. */
void build_guard_rules(struct ruleset_batch *batch, const struct address_pools *pools)
{
    const struct rule_piece rules[][PIECES_MAX] = {
        /* First in every filter chain: the cost of all that follows is a connection's first packet's only. */
        {{RULE_CT_STATE, .bits = CT_ESTABLISHED | CT_RELATED}, {RULE_ACCEPT}},
        {{RULE_IIF_ZONE}, {RULE_GOTO, .name = "leaving"}},
        {{RULE_IIF_LOOPBACK}, {RULE_ACCEPT}},
        /* Zones are reached through published ports, never by their own addresses. */
        {{RULE_DADDR_IN, .prefix = pools->ipv4}, {RULE_COUNTER}, {RULE_DROP}},
        {{RULE_DADDR_IN, .prefix = pools->ipv6}, {RULE_COUNTER}, {RULE_DROP}},
    };
    add_rules(batch, "guard", rules, COUNT(rules));
}

/* A port of one address wins over the same port of every address. */
static void build_published_rules(struct ruleset_batch *batch, const char *chain, bool check_local)
{
    for (enum ruleset_key key = KEY_PORT4; key < PORT_KEYS; key++) {
        const struct rule_piece rule[] = {named(RULE_VMAP, key, published_names[key])};
        batch_rule(batch, RULESET_TABLE, chain, rule, COUNT(rule));
    }
    const struct rule_piece rule[] = {{RULE_DADDR_LOCAL}, named(RULE_VMAP, KEY_PORT, published_names[KEY_PORT])};
    batch_rule(batch, RULESET_TABLE, chain, check_local ? rule : rule + 1, check_local ? 2 : 1);
}

static void build_translation(struct ruleset_batch *batch)
{
    static const struct rule_piece takeover[][PIECES_MAX] = {{{RULE_JUMP, .name = "takeover"}}};
    add_rules(batch, "pre", takeover, COUNT(takeover));
    build_published_rules(batch, "pre", true);
    /* Local clients: all local addresses are routed through lo, so that needs no look at the address. */
    const struct prefix loopback6 = {.address = {6, {[15] = 1}}, .length = 128};
    const struct rule_piece elsewhere[][PIECES_MAX] = {
        {{RULE_OIF_ELSEWHERE}, {RULE_RETURN}},
        /* Translated, packets to ::1 would be lost on their way out, and the client would wait for nothing. Left alone,
         * it is refused at once and tries 127.0.0.1. */
        {{RULE_DADDR_IN, .prefix = loopback6}, {RULE_RETURN}},
    };
    add_rules(batch, "out", elsewhere, COUNT(elsewhere));
    add_rules(batch, "out", takeover, COUNT(takeover));
    build_published_rules(batch, "out", false);
    static const struct rule_piece post[][PIECES_MAX] = {
        /* Clients on the host, 127.0.0.1 among them: a zone could not answer these sources. */
        {{RULE_OIF_ZONE}, {RULE_CT_DNAT}, {RULE_SADDR_LOCAL}, {RULE_MASQUERADE}},
        /* A zone through a published port, perhaps its own: the answer must come back this way. */
        {{RULE_OIF_ZONE}, {RULE_IIF_ZONE}, {RULE_CT_DNAT}, {RULE_MASQUERADE}},
        /* Clients outside keep their address. */
        {{RULE_OIF_ZONE}, {RULE_RETURN}},
    };
    add_rules(batch, "post", post, COUNT(post));
    build_answers_fixed(batch);
    static const struct rule_piece leaving[][PIECES_MAX] = {
        /* An answer to a datagram whose flow was forgotten by a switch is a new flow. With the app's own source port
         * its reverse would be what the client sends next to the published port, and pin the client to the old zone.
         * */
        {{RULE_IIF_ZONE}, {RULE_UDP}, {RULE_MASQUERADE_RANDOM}},
        {{RULE_IIF_ZONE}, {RULE_MASQUERADE}},
    };
    add_rules(batch, "post", leaving, COUNT(leaving));
}

static void build_forward(struct ruleset_batch *batch)
{
    static const struct rule_piece forward[][PIECES_MAX] = {
        {{RULE_CT_STATE, .bits = CT_ESTABLISHED | CT_RELATED}, {RULE_ACCEPT}},
        {{RULE_OIF_ZONE}, {RULE_JUMP, .name = "to-zone"}},
        {{RULE_IIF_ZONE}, {RULE_JUMP, .name = "from-zone"}},
    };
    static const struct rule_piece to_zone[][PIECES_MAX] = {
        {{RULE_CT_DNAT}, {RULE_ACCEPT}},
        {{RULE_COUNTER}, {RULE_DROP}},
    };
    static const struct rule_piece from_zone[][PIECES_MAX] = {
        /* These could not be translated back, and the client would reset its connection (kubernetes#74839). */
        {{RULE_CT_STATE, .bits = CT_INVALID}, {RULE_COUNTER}, {RULE_DROP}},
        {{RULE_ACCEPT}},
    };
    add_rules(batch, "forward", forward, COUNT(forward));
    add_rules(batch, "to-zone", to_zone, COUNT(to_zone));
    add_rules(batch, "from-zone", from_zone, COUNT(from_zone));
}

void build_fixed(struct ruleset_batch *batch, const struct address_pools *pools)
{
    for (enum ruleset_key key = 0; key < PORT_KEYS; key++)
        batch_set(batch, OP_ADD_SET, published_names[key], key, DATA_VERDICT);
    /* Priorities: netfilter_ipv4.h. Connection tracking comes at -200, so guard sees states. */
    batch_base_chain(batch, RULESET_TABLE, "guard", false, HOOK_PREROUTING, -150);
    batch_base_chain(batch, RULESET_TABLE, "leaving", false, HOOK_NONE, 0);
    batch_base_chain(batch, RULESET_TABLE, "takeover", false, HOOK_NONE, 0);
    batch_base_chain(batch, RULESET_TABLE, "shared", false, HOOK_NONE, 0);
    batch_base_chain(batch, RULESET_TABLE, "pre", true, HOOK_PREROUTING, -100);
    batch_base_chain(batch, RULESET_TABLE, "out", true, HOOK_OUTPUT, -100);
    batch_base_chain(batch, RULESET_TABLE, "forward", false, HOOK_FORWARD, 0);
    batch_base_chain(batch, RULESET_TABLE, "to-zone", false, HOOK_NONE, 0);
    batch_base_chain(batch, RULESET_TABLE, "from-zone", false, HOOK_NONE, 0);
    batch_base_chain(batch, RULESET_TABLE, "in", true, HOOK_INPUT, 100);
    batch_base_chain(batch, RULESET_TABLE, "post", true, HOOK_POSTROUTING, 100);
    build_guard_rules(batch, pools);
    build_reach_fixed(batch);
    build_translation(batch);
    build_forward(batch);
}

static bool zone_has(const struct ruleset_zone *zone, enum ruleset_key key)
{
    for (size_t i = 0; i < zone->port_count; i++)
        if (port_key(&zone->ports[i]) == key)
            return true;
    return false;
}

static bool moves(const struct port *port)
{
    return port->protocol == PROTOCOL_UDP && port->udp == UDP_MOVE;
}

static bool zone_moves(const struct ruleset_zone *zone, enum ruleset_key key)
{
    for (size_t i = 0; i < zone->port_count; i++)
        if (port_key(&zone->ports[i]) == key && moves(&zone->ports[i]))
            return true;
    return false;
}

static void build_zone_elements(struct ruleset_batch *batch, const char *set, enum ruleset_key key,
                                enum ruleset_data data, const struct ruleset_zone *zone)
{
    batch_set(batch, OP_ADD_SET, set, key, data);
    for (size_t i = 0; i < zone->port_count; i++) {
        const struct port *port = &zone->ports[i];
        if (port_key(port) != key || (data == DATA_NONE && !moves(port)))
            continue;
        for (unsigned at = 0; at < port_span(port); at++) {
            struct ruleset_element element = {.address = port->listen,
                                              .protocol = port->protocol,
                                              .port = (uint16_t)(port->published + at),
                                              .target = (uint16_t)(port->target + at)};
            batch_element(batch, OP_ADD_ELEMENTS, set, key, data, &element);
        }
    }
}

void build_zone_sets(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *zone)
{
    for (enum ruleset_key key = 0; key < PORT_KEYS; key++) {
        if (zone_has(zone, key))
            build_zone_elements(batch, zone_name("ports", key, app, colour).text, key, DATA_PORT, zone);
        if (zone_moves(zone, key))
            build_zone_elements(batch, zone_name("moves", key, app, colour).text, key, DATA_NONE, zone);
    }
}

void build_zone_sets_gone(struct ruleset_batch *batch, const char *app, enum colour colour,
                          const struct ruleset_zone *zone)
{
    for (enum ruleset_key key = 0; key < PORT_KEYS; key++) {
        if (zone_has(zone, key))
            batch_set(batch, OP_DELETE_SET, zone_name("ports", key, app, colour).text, key, DATA_PORT);
        if (zone_moves(zone, key))
            batch_set(batch, OP_DELETE_SET, zone_name("moves", key, app, colour).text, key, DATA_NONE);
    }
}

static void add_dnat(struct ruleset_batch *batch, const char *chain, enum ruleset_key key, const char *ports,
                     const struct address *service)
{
    struct rule_piece piece = named(RULE_DNAT, key, ports);
    piece.address = *service;
    if (service->family)
        batch_rule(batch, RULESET_TABLE, chain, &piece, 1);
}

/*
 * A hit in a ports map ends the chain, so a port of one address is translated before the sets of the ports of every
 * address are looked at: the policy of one never marks a flow of the other.
 */
void build_zone_rules(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *zone)
{
    struct name chain = zone_name("zone", KEY_PORT, app, colour);
    const struct rule_piece mark[] = {{RULE_MARK_ZONE, .bits = zone->number}};
    batch_rule(batch, RULESET_TABLE, chain.text, mark, COUNT(mark));
    static const enum ruleset_key order[] = {KEY_PORT4, KEY_PORT6, KEY_PORT};
    for (size_t i = 0; i < COUNT(order); i++) {
        enum ruleset_key key = order[i];
        struct name ports = zone_name("ports", key, app, colour), moving = zone_name("moves", key, app, colour);
        if (zone_moves(zone, key)) {
            const struct rule_piece rule[] = {named(RULE_IN_SET, key, moving.text), {RULE_MARK_MOVES}};
            batch_rule(batch, RULESET_TABLE, chain.text, rule, COUNT(rule));
        }
        if (zone_has(zone, key) && key != KEY_PORT6)
            add_dnat(batch, chain.text, key, ports.text, &zone->service4);
        if (zone_has(zone, key) && key != KEY_PORT4)
            add_dnat(batch, chain.text, key, ports.text, &zone->service6);
    }
}

int ruleset_keeper(struct ruleset_batch *ops, struct error *err)
{
    batch_op(ops, OP_REPLACE_TABLE, RULESET_KEEPER, "");
    /* An empty nat chain registers NAT for all hooks. Last in its hook (netfilter_ipv4.h has source NAT at 100), and
     * only the first packet of a connection passes it. */
    batch_base_chain(ops, RULESET_KEEPER, "nat", true, HOOK_POSTROUTING, 300);
    /* No packet ever comes here: that the rule exists switches connection tracking on. */
    batch_base_chain(ops, RULESET_KEEPER, "track", false, HOOK_NONE, 0);
    static const struct rule_piece track[] = {{RULE_CT_STATE, .bits = CT_NEW}, {RULE_ACCEPT}};
    batch_rule(ops, RULESET_KEEPER, "track", track, COUNT(track));
    return ops->failed ? error_errno(err, ENOMEM, "describe table %s", RULESET_KEEPER) : 0;
}
