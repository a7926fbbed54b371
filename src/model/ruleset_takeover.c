/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over a port that a process of the host's serves. Its connections may be unknown to connection tracking, which
 * perhaps begins with our table: their next packet would count as new, be sent to a zone in mid-stream, and reset. So
 * as long as there are any, what does not begin a connection on such a port is left as it is. No longer than that: it
 * is also how a zone's connections are picked up again after `conntrack -F`.
 */
#include "model/ruleset_batch.h"

#include <string.h>

static const char *const held_names[PORT_KEYS] = {"held", "held4", "held6"};

static enum ruleset_key held_key(const struct ruleset_held *held)
{
    return held->listen.family == 4 ? KEY_PORT4 : held->listen.family == 6 ? KEY_PORT6 : KEY_PORT;
}

static bool any_held(const struct ruleset_state *state, enum ruleset_key key)
{
    for (size_t i = 0; i < state->held_count; i++)
        if (held_key(&state->held[i]) == key)
            return true;
    return false;
}

static bool same_held(const struct ruleset_state *a, const struct ruleset_state *b)
{
    if (a->held_count != b->held_count)
        return false;
    for (size_t i = 0; i < a->held_count; i++)
        if (a->held[i].port != b->held[i].port || !address_equal(&a->held[i].listen, &b->held[i].listen))
            return false;
    return true;
}

static void build_held(struct ruleset_batch *batch, const struct ruleset_state *state, enum ruleset_key key)
{
    batch_set(batch, OP_ADD_SET, held_names[key], key, DATA_NONE);
    for (size_t i = 0; i < state->held_count; i++) {
        const struct ruleset_held *held = &state->held[i];
        const struct ruleset_element element = {.address = held->listen, .protocol = PROTOCOL_TCP, .port = held->port};
        if (held_key(held) == key)
            batch_element(batch, OP_ADD_ELEMENTS, held_names[key], key, DATA_NONE, &element);
    }
    struct rule_piece rule[] = {{RULE_IN_SET, .key = key}, {RULE_TCP_MIDDLE}, {RULE_ACCEPT}};
    text_copy(rule[0].name, sizeof rule[0].name, held_names[key]);
    batch_rule(batch, RULESET_TABLE, "takeover", rule, sizeof rule / sizeof *rule);
}

void build_takeover(struct ruleset_batch *batch, const struct ruleset_state *from, const struct ruleset_state *to)
{
    if (from ? same_held(from, to) : !to->held_count)
        return;
    if (from && from->held_count)
        batch_op(batch, OP_FLUSH_CHAIN, RULESET_TABLE, "takeover");
    for (enum ruleset_key key = 0; key < PORT_KEYS; key++) {
        if (from && any_held(from, key))
            batch_set(batch, OP_DELETE_SET, held_names[key], key, DATA_NONE);
        if (any_held(to, key))
            build_held(batch, to, key);
    }
}
