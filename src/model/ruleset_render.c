/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations in nft(8)'s language: for tests, for messages about a failed operation, and for people. */
#include "model/ruleset.h"

static const char *const key_types[KEYS] = {"inet_proto . inet_service",
                                            "ipv4_addr . inet_proto . inet_service",
                                            "ipv6_addr . inet_proto . inet_service",
                                            "ifname",
                                            "ifname . inet_service",
                                            "inet_proto"};

static const char *const key_selectors[KEYS] = {"meta l4proto . th dport",
                                                "ip daddr . meta l4proto . th dport",
                                                "ip6 daddr . meta l4proto . th dport",
                                                "iifname",
                                                "iifname . th sport",
                                                "meta l4proto"};

static const char *const hooks[] = {"", "prerouting", "forward", "output", "postrouting", "input"};

static void render_states(uint32_t bits, struct text *text)
{
    static const char *const names[] = {"invalid", "established", "related", "new"};
    const char *separator = "ct state ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bits & 1u << i) {
            text_addf(text, "%s%s", separator, names[i]);
            separator = ",";
        }
}

static void render_prefix(const char *which, const struct prefix *prefix, struct text *text)
{
    char buffer[ADDRESS_TEXT_MAX + 4];
    text_addf(text, "%s %s %s", prefix->address.family == 6 ? "ip6" : "ip", which, prefix_format(prefix, buffer));
}

static void render_dnat(const struct rule_piece *piece, struct text *text)
{
    char buffer[ADDRESS_TEXT_MAX];
    /* The condition on the protocol is for nft's parser only: a port in the translation wants one. */
    text_addf(text, "meta l4proto { tcp, udp } dnat %s to %s : %s map @%s", piece->address.family == 6 ? "ip6" : "ip",
              address_format(&piece->address, buffer), key_selectors[piece->key], piece->name);
}

static void render_ports(const char *which, uint32_t bits, struct text *text)
{
    uint32_t first = bits >> 16, last = bits & 0xffff;
    text_addf(text, "th %s %u", which, first);
    if (last != first)
        text_addf(text, "-%u", last);
}

static void render_piece(const struct rule_piece *piece, struct text *text)
{
    static const char *const plain[] = {
        [RULE_CT_DNAT] = "ct status dnat",
        [RULE_IIF_LOOPBACK] = "iif \"lo\"",
        [RULE_OIF_ELSEWHERE] = "oif != \"lo\"",
        [RULE_DADDR_LOCAL] = "fib daddr type local",
        [RULE_SADDR_LOCAL] = "fib saddr type local",
        [RULE_UDP] = "meta l4proto udp",
        [RULE_MASQUERADE] = "masquerade",
        [RULE_MASQUERADE_RANDOM] = "masquerade random",
        [RULE_COUNTER] = "counter",
        [RULE_ACCEPT] = "accept",
        [RULE_DROP] = "drop",
        [RULE_RETURN] = "return",
        [RULE_TCP] = "meta l4proto tcp",
        [RULE_TCP_BEGIN] = "meta l4proto tcp tcp flags & (fin|syn|rst|ack) == syn",
        [RULE_TCP_MIDDLE] = "meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn",
        [RULE_REJECT] = "reject with icmpx type admin-prohibited",
        [RULE_RESET] = "reject with tcp reset",
        [RULE_DNAT_LOOPBACK] = "dnat ip to 127.0.0.1",
        [RULE_SNAT_LOOPBACK] = "snat ip to 127.0.0.1",
    };
    switch (piece->kind) {
    case RULE_CT_STATE: render_states(piece->bits, text); break;
    case RULE_IIF_ZONE:
    case RULE_OIF_ZONE:
        text_addf(text, "meta %s %u", piece->kind == RULE_IIF_ZONE ? "iifgroup" : "oifgroup", RULESET_LINK_GROUP);
        break;
    case RULE_DADDR_IN: render_prefix("daddr", &piece->prefix, text); break;
    case RULE_SADDR_IN: render_prefix("saddr", &piece->prefix, text); break;
    case RULE_RANDOM: text_addf(text, "numgen random mod 100 < %u", piece->bits); break;
    case RULE_HASH:
        text_addf(text, "jhash %s saddr mod 100 seed 0x%x < %u", piece->key == KEY_PORT6 ? "ip6" : "ip", piece->seed,
                  piece->bits);
        break;
    case RULE_VMAP: text_addf(text, "%s vmap @%s", key_selectors[piece->key], piece->name); break;
    case RULE_IN_SET: text_addf(text, "%s @%s", key_selectors[piece->key], piece->name); break;
    case RULE_MARK_ZONE:
        text_addf(text, "ct mark set ct mark & 0x%08x | 0x%08x", ~(RULESET_MARK_ZONE | RULESET_MARK_MOVES),
                  piece->bits << RULESET_MARK_SHIFT);
        break;
    case RULE_DPORT: render_ports("dport", piece->bits, text); break;
    case RULE_SPORT: render_ports("sport", piece->bits, text); break;
    case RULE_COUNT: text_addf(text, "counter name \"%s\"", piece->name); break;
    case RULE_MASQUERADE_AS:
        text_addf(text, "masquerade to : %s map @%s", key_selectors[piece->key], piece->name);
        break;
    case RULE_MARK_MOVES: text_addf(text, "ct mark set ct mark | 0x%08x", RULESET_MARK_MOVES); break;
    case RULE_DNAT: render_dnat(piece, text); break;
    case RULE_JUMP:
    case RULE_GOTO: text_addf(text, "%s %s", piece->kind == RULE_JUMP ? "jump" : "goto", piece->name); break;
    default: text_add(text, plain[piece->kind]);
    }
}

static void render_rule(const struct ruleset_batch *ops, const struct ruleset_op *op, struct text *text)
{
    text_addf(text, "add rule inet %s %s", op->table, op->name);
    for (size_t i = 0; i < op->count; i++) {
        text_add(text, " ");
        render_piece(&ops->pieces[op->first + i], text);
    }
}

static void render_link(const struct ruleset_element *element, struct text *text)
{
    char link[LINK_NAME_MAX + 1];
    link_name(element->link, link);
    text_addf(text, "\"%s\"", link);
}

static void render_elements(const struct ruleset_batch *ops, const struct ruleset_op *op, struct text *text)
{
    bool adding = op->kind == OP_ADD_ELEMENTS;
    text_addf(text, "%s element inet %s %s {", adding ? "add" : "delete", op->table, op->name);
    for (size_t i = 0; i < op->count; i++) {
        const struct ruleset_element *element = &ops->elements[op->first + i];
        char buffer[ADDRESS_TEXT_MAX], chain[RULESET_NAME_MAX + 1];
        text_add(text, i ? ", " : " ");
        if (op->key == KEY_PORT4 || op->key == KEY_PORT6)
            text_addf(text, "%s . ", address_format(&element->address, buffer));
        if (op->key == KEY_LINK || op->key == KEY_ANSWER)
            render_link(element, text);
        else
            text_add(text, protocol_name(element->protocol));
        if (op->key < PORT_KEYS || op->key == KEY_ANSWER)
            text_addf(text, " . %u", element->port);
        if (adding && op->data == DATA_PORT)
            text_addf(text, " : %u", element->target);
        if (adding && op->data == DATA_VERDICT)
            text_addf(text, " : goto %s", ruleset_element_chain(element, chain));
    }
    text_add(text, " }");
}

static void render_chain(const struct ruleset_op *op, struct text *text)
{
    text_addf(text, "add chain inet %s %s", op->table, op->name);
    if (op->hook != HOOK_NONE)
        text_addf(text, " { type %s hook %s priority %d; policy accept; }", op->nat ? "nat" : "filter", hooks[op->hook],
                  op->priority);
}

static void render_set(const struct ruleset_op *op, struct text *text)
{
    static const char *const data[] = {"", " : verdict", " : inet_service"};
    text_addf(text, "add %s inet %s %s { type %s%s; }", op->data == DATA_NONE ? "set" : "map", op->table, op->name,
              key_types[op->key], data[op->data]);
}

void ruleset_render_op(const struct ruleset_batch *ops, const struct ruleset_op *op, struct text *text)
{
    switch (op->kind) {
    case OP_REPLACE_TABLE:
        /* Deleting what is not there would be an error, adding what is there is none. */
        text_addf(text, "add table inet %s\ndelete table inet %s\nadd table inet %s", op->table, op->table, op->table);
        break;
    case OP_ADD_CHAIN: render_chain(op, text); break;
    case OP_ADD_SET: render_set(op, text); break;
    case OP_ADD_RULE: render_rule(ops, op, text); break;
    case OP_ADD_ELEMENTS:
    case OP_DELETE_ELEMENTS: render_elements(ops, op, text); break;
    case OP_ADD_COUNTER: text_addf(text, "add counter inet %s %s", op->table, op->name); break;
    case OP_DELETE_COUNTER: text_addf(text, "delete counter inet %s %s", op->table, op->name); break;
    case OP_FLUSH_CHAIN: text_addf(text, "flush chain inet %s %s", op->table, op->name); break;
    case OP_DELETE_CHAIN: text_addf(text, "delete chain inet %s %s", op->table, op->name); break;
    case OP_DELETE_SET:
        text_addf(text, "delete %s inet %s %s", op->data == DATA_NONE ? "set" : "map", op->table, op->name);
        break;
    }
}

void ruleset_render(const struct ruleset_batch *ops, struct text *text)
{
    for (size_t i = 0; i < ops->count; i++) {
        ruleset_render_op(ops, &ops->ops[i], text);
        text_add(text, "\n");
    }
}
