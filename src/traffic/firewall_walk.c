/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interpreter of rules over bits of which some are known. Each chain yields the set of ways in which it may end;
 * the packet is surely dropped if no other way is left.
 */
#include "traffic/firewall_walk.h"

#include "traffic/firewall_value.h"
#include "traffic/firewall_xt.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    16 /* NFT_JUMP_STACK_SIZE */
#define HEADER_BYTES 64 /* more than either IP header that is looked at */
#define PORTS_BYTES  4  /* of TCP and UDP: the source's, the destination's */

/* Ways in which a chain may end; a set of them. */
enum { MAY_PASS = 1, MAY_DROP = 2, MAY_FALL_THROUGH = 4 };

struct walk {
    const struct firewall *firewall;
    const struct fw_packet *packet;
    struct fw_fate *fate;
    uint8_t *memo; /* per chain: its ways, 0 = not walked yet */
    uint8_t header[HEADER_BYTES], header_known[HEADER_BYTES];
    uint8_t ports[PORTS_BYTES], ports_known[PORTS_BYTES];
    uint8_t value[FW_REGISTER_BYTES], known[FW_REGISTER_BYTES];
};

static struct fw_bits bits_at(struct walk *walk, size_t offset)
{
    return (struct fw_bits){walk->value + offset, walk->known + offset};
}

static bool registers_hold(size_t offset, size_t length)
{
    return length <= FW_REGISTER_BYTES && offset <= FW_REGISTER_BYTES - length;
}

static void set_address(struct walk *walk, size_t offset)
{
    const struct prefix *pool = &walk->packet->pool;
    for (unsigned bit = 0; bit < pool->length; bit++)
        walk->header_known[offset + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    for (size_t i = 0; i < (pool->address.family == 6 ? 16u : 4u); i++)
        walk->header[offset + i] = pool->address.bytes[i] & walk->header_known[offset + i];
}

/* What is known of the IP header: version, protocol, and the zone's address. */
static void set_header(struct walk *walk)
{
    const struct fw_packet *packet = walk->packet;
    bool six = packet->pool.address.family == 6;
    size_t protocol = six ? 6 : 9, source = six ? 8 : 12, destination = six ? 24 : 16;
    walk->header[0] = six ? 0x60 : 0x40;
    walk->header_known[0] = 0xf0;
    walk->header[protocol] = packet->protocol;
    walk->header_known[protocol] = 0xff;
    if (packet->begins)
        fw_bits_set((struct fw_bits){walk->header + destination, walk->header_known + destination}, packet->to.bytes,
                    six ? 16 : 4);
    if (packet->reply)
        set_address(walk, source);
    else if (packet->translated)
        set_address(walk, destination);
    if (packet->port && !fw_answers(packet)) {
        const uint16_t port = htons(packet->port);
        memcpy(walk->ports + 2, &port, sizeof port);
        memset(walk->ports_known + 2, 0xff, sizeof port);
    }
}

static void load_payload(struct walk *walk, const struct fw_expr *expr)
{
    struct fw_bits to = bits_at(walk, expr->destination);
    bool network = expr->base == NFT_PAYLOAD_NETWORK_HEADER;
    size_t size = network ? HEADER_BYTES : expr->base == NFT_PAYLOAD_TRANSPORT_HEADER ? PORTS_BYTES : 0;
    if (expr->offset < size && expr->length <= size - expr->offset) {
        memcpy(to.value, (network ? walk->header : walk->ports) + expr->offset, expr->length);
        memcpy(to.known, (network ? walk->header_known : walk->ports_known) + expr->offset, expr->length);
    } else {
        fw_bits_unknown(to, expr->length);
    }
}

/* The interfaces at one end; what is not the same for all of them is not known. */
static void load_link(struct fw_bits to, const struct fw_links *links, bool by_name)
{
    size_t length = by_name ? IF_NAMESIZE : sizeof(uint32_t);
    fw_bits_unknown(to, length);
    for (size_t i = 0; i < links->count; i++) {
        const void *value = by_name ? (const void *)links->names[i] : &links->indexes[i];
        if (i == 0)
            fw_bits_set(to, value, length);
        else
            fw_bits_join(to, value, length);
    }
}

static void load_interface(struct walk *walk, struct fw_bits to, bool incoming, bool by_name)
{
    const struct fw_packet *packet = walk->packet;
    if (!incoming && !packet->routed)
        fw_bits_unknown(to, by_name ? IF_NAMESIZE : sizeof(uint32_t));
    else
        load_link(to, incoming == packet->reply ? &packet->zones : &packet->outside, by_name);
}

static void load_meta(struct walk *walk, const struct fw_expr *expr)
{
    const struct fw_packet *packet = walk->packet;
    struct fw_bits to = bits_at(walk, expr->destination);
    bool six = packet->pool.address.family == 6;
    uint8_t family = six ? NFPROTO_IPV6 : NFPROTO_IPV4;
    uint16_t ethernet = htons(six ? ETH_P_IPV6 : ETH_P_IP);
    switch (expr->key) {
    case NFT_META_IIF:
    case NFT_META_OIF:
    case NFT_META_IIFNAME:
    case NFT_META_OIFNAME:
        load_interface(walk, to, expr->key == NFT_META_IIF || expr->key == NFT_META_IIFNAME,
                       expr->key == NFT_META_IIFNAME || expr->key == NFT_META_OIFNAME);
        break;
    case NFT_META_NFPROTO: fw_bits_set(to, &family, sizeof family); break;
    case NFT_META_L4PROTO: fw_bits_set(to, &packet->protocol, sizeof packet->protocol); break;
    case NFT_META_PROTOCOL: fw_bits_set(to, &ethernet, sizeof ethernet); break;
    default: fw_bits_unknown(to, sizeof(uint32_t));
    }
}

static void load_ct(struct walk *walk, const struct fw_expr *expr)
{
    const struct fw_packet *packet = walk->packet;
    struct fw_bits to = bits_at(walk, expr->destination);
    uint32_t state = NF_CT_STATE_BIT(fw_answers(packet) ? IP_CT_ESTABLISHED : IP_CT_NEW);
    uint32_t status = packet->translated ? IPS_DST_NAT : 0, sure = IPS_DST_NAT | IPS_EXPECTED;
    uint8_t direction = fw_answers(packet) ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
    switch (expr->key) {
    case NFT_CT_STATE: fw_bits_set(to, &state, sizeof state); break;
    case NFT_CT_STATUS:
        fw_bits_set(to, &status, sizeof status);
        memcpy(to.known, &sure, sizeof sure);
        break;
    case NFT_CT_DIRECTION: fw_bits_set(to, &direction, sizeof direction); break;
    default: /* marks, tuples, labels, counters: at most an address */
        fw_bits_unknown(to, registers_hold(expr->destination, 16) ? 16 : sizeof(uint32_t));
    }
}

static void load_fib(struct walk *walk, const struct fw_expr *expr)
{
    const struct fw_packet *packet = walk->packet;
    struct fw_bits to = bits_at(walk, expr->destination);
    uint32_t type = packet->translated ? RTN_UNICAST : RTN_LOCAL;
    if (expr->key == NFT_FIB_RESULT_ADDRTYPE && expr->base & NFTA_FIB_F_DADDR && !packet->reply)
        fw_bits_set(to, &type, sizeof type);
    else
        fw_bits_unknown(to, sizeof type);
}

static void compute_bitwise(struct walk *walk, const struct fw_expr *expr)
{
    struct fw_bits from = bits_at(walk, expr->source), to = bits_at(walk, expr->destination);
    for (size_t i = 0; i < expr->length; i++) {
        /* A bit that is masked away is known to be what the mask's other half makes it. */
        uint8_t known = (uint8_t)(from.known[i] | ~expr->data[i]);
        to.value[i] = (uint8_t)(((from.value[i] & expr->data[i]) ^ fw_more(expr)[i]) & known);
        to.known[i] = known;
    }
}

static enum fw_match match_compare(struct walk *walk, const struct fw_expr *expr)
{
    struct fw_bits from = bits_at(walk, expr->source);
    switch (expr->op) {
    case NFT_CMP_EQ:
    case NFT_CMP_NEQ: return fw_invert(fw_bits_equal(from, expr->data, expr->length), expr->op == NFT_CMP_NEQ);
    case NFT_CMP_LTE:
    case NFT_CMP_GT: return fw_invert(fw_bits_between(from, NULL, expr->data, expr->length), expr->op == NFT_CMP_GT);
    case NFT_CMP_GTE:
    case NFT_CMP_LT: return fw_invert(fw_bits_between(from, expr->data, NULL, expr->length), expr->op == NFT_CMP_LT);
    }
    return FW_MAYBE;
}

/* Is the register in the interval that begins with this element? They are in order, and the next one ends it. */
static enum fw_match match_interval(struct fw_bits from, const struct fw_set *set, size_t index)
{
    const struct fw_element *element = &set->elements[index];
    const struct fw_element *next = index + 1 < set->count ? &set->elements[index + 1] : NULL;
    enum fw_match begun = fw_bits_between(from, element->key, NULL, element->length);
    if (!next)
        return begun;
    /* next is the first outside: inside is what does not reach it. */
    return fw_both(begun, fw_invert(fw_bits_between(from, next->key, NULL, element->length), true));
}

static enum fw_match match_element(struct walk *walk, const struct fw_expr *expr, const struct fw_set *set,
                                   size_t index)
{
    const struct fw_element *element = &set->elements[index];
    if (element->end || !registers_hold(expr->source, element->length))
        return FW_NO;
    if (element->opaque)
        return FW_MAYBE;
    struct fw_bits from = bits_at(walk, expr->source);
    return set->intervals ? match_interval(from, set, index) : fw_bits_equal(from, element->key, element->length);
}

static enum fw_match match_lookup(struct walk *walk, const struct fw_expr *expr, const struct fw_set *set)
{
    if (!set || set->opaque)
        return FW_MAYBE;
    enum fw_match best = FW_NO;
    for (size_t i = 0; i < set->count && best != FW_YES; i++) {
        enum fw_match match = match_element(walk, expr, set, i);
        best = match > best ? match : best;
    }
    return fw_invert(best, expr->inverted);
}

static unsigned walk_chain(struct walk *walk, const struct fw_chain *chain, unsigned depth);

static unsigned walk_named(struct walk *walk, const struct fw_chain *from, const char *name, unsigned depth)
{
    const struct fw_chain *chain = firewall_chain(walk->firewall, from->family, from->table, name);
    return chain && depth < DEPTH_MAX ? walk_chain(walk, chain, depth + 1) : MAY_PASS;
}

static unsigned drop(struct walk *walk, const struct fw_chain *chain)
{
    if (!walk->fate->chain)
        walk->fate->chain = chain->name;
    return MAY_DROP;
}

/* The ways out that a verdict opens. *next: the following rule may be reached. */
static unsigned take_verdict(struct walk *walk, const struct fw_chain *chain, enum fw_verdict verdict, const char *name,
                             unsigned depth, bool *next)
{
    unsigned ways;
    *next = false;
    switch (verdict) {
    case FW_ACCEPT: return MAY_PASS;
    case FW_DROP: return drop(walk, chain);
    case FW_RETURN: return MAY_FALL_THROUGH;
    case FW_GOTO: return walk_named(walk, chain, name, depth);
    case FW_JUMP:
        ways = walk_named(walk, chain, name, depth);
        *next = ways & MAY_FALL_THROUGH;
        return ways & ~(unsigned)MAY_FALL_THROUGH;
    case FW_CONTINUE: break;
    }
    *next = true;
    return 0;
}

static unsigned take_map(struct walk *walk, const struct fw_chain *chain, const struct fw_expr *expr, unsigned depth,
                         bool *next)
{
    const struct fw_set *set = firewall_set(walk->firewall, chain->family, chain->table, expr->name);
    unsigned ways = 0;
    *next = true;
    if (!set || set->opaque)
        return MAY_PASS;
    /* Taken before the chains that it leads to are walked: they use the same registers. */
    enum fw_match matches[256];
    size_t count = set->count < sizeof matches / sizeof *matches ? set->count : sizeof matches / sizeof *matches;
    for (size_t i = 0; i < count; i++)
        matches[i] = match_element(walk, expr, set, i);
    for (size_t i = 0; i < count && *next; i++) {
        bool after;
        if (matches[i] == FW_NO)
            continue;
        ways |= take_verdict(walk, chain, set->elements[i].verdict, set->elements[i].chain, depth, &after);
        if (matches[i] == FW_YES)
            *next = after;
    }
    return count < set->count ? ways | MAY_PASS : ways;
}

/* The condition of one piece; loads are done on the way. */
static enum fw_match condition(struct walk *walk, const struct fw_chain *chain, const struct fw_expr *expr)
{
    switch (expr->kind) {
    case FW_META: load_meta(walk, expr); return FW_YES;
    case FW_CT: load_ct(walk, expr); return FW_YES;
    case FW_PAYLOAD: load_payload(walk, expr); return FW_YES;
    case FW_FIB: load_fib(walk, expr); return FW_YES;
    case FW_CONSTANT: fw_bits_set(bits_at(walk, expr->destination), expr->data, expr->length); return FW_YES;
    case FW_BITWISE: compute_bitwise(walk, expr); return FW_YES;
    case FW_LOAD: fw_bits_unknown(bits_at(walk, expr->destination), expr->length); return FW_MAYBE;
    case FW_COMPARE: return match_compare(walk, expr);
    case FW_RANGE:
        return fw_invert(fw_bits_between(bits_at(walk, expr->source), expr->data, fw_more(expr), expr->length),
                         expr->op == NFT_RANGE_NEQ);
    case FW_LOOKUP:
        return match_lookup(walk, expr, firewall_set(walk->firewall, chain->family, chain->table, expr->name));
    case FW_XT_MATCH: return fw_xt_match(expr, walk->packet);
    case FW_UNKNOWN:
        fw_bits_unknown(bits_at(walk, 0), FW_REGISTER_BYTES); /* it may have loaded something */
        return FW_MAYBE;
    default: return FW_YES;
    }
}

/* Is this piece an end, and which ways does it open? */
static bool ending(struct walk *walk, const struct fw_chain *chain, const struct fw_expr *expr, unsigned depth,
                   unsigned *ways, bool *next)
{
    *next = false;
    switch (expr->kind) {
    case FW_VERDICT: *ways = take_verdict(walk, chain, expr->verdict, expr->name, depth, next); return true;
    case FW_LOOKUP:
        if (!expr->by_verdict)
            return false;
        *ways = take_map(walk, chain, expr, depth, next);
        return true;
    case FW_REJECT: *ways = drop(walk, chain); return true;
    case FW_PASS_ON: *ways = MAY_PASS; return true;
    case FW_XT_TARGET:
        *next = fw_xt_target(expr->name) == FW_XT_GOES_ON;
        *ways = *next ? 0 : fw_xt_target(expr->name) == FW_XT_DROPS ? drop(walk, chain) : MAY_PASS;
        return true;
    default: return false;
    }
}

/* Offsets come from the kernel, but from rules that anybody wrote. */
static bool in_bounds(const struct fw_expr *expr)
{
    return registers_hold(expr->source, expr->length) && registers_hold(expr->destination, expr->length) &&
           registers_hold(expr->destination, expr->kind == FW_META ? IF_NAMESIZE : sizeof(uint32_t));
}

/* *next: whether the following rule may be reached. */
static unsigned walk_rule(struct walk *walk, const struct fw_chain *chain, const struct fw_rule *rule, unsigned depth,
                          bool *next)
{
    enum fw_match match = FW_YES;
    *next = true;
    for (size_t i = 0; i < rule->count && match != FW_NO; i++) {
        const struct fw_expr *expr = &rule->exprs[i];
        unsigned ways;
        bool after;
        if (expr->kind != FW_XT_MATCH && !in_bounds(expr))
            match = FW_MAYBE;
        else if (!ending(walk, chain, expr, depth, &ways, &after))
            match = fw_both(match, condition(walk, chain, expr));
        else if (after && !ways)
            continue; /* a target that only does something on the way */
        else {
            *next = after || match == FW_MAYBE;
            return ways;
        }
    }
    return 0;
}

static unsigned walk_chain(struct walk *walk, const struct fw_chain *chain, unsigned depth)
{
    uint8_t *memo = &walk->memo[chain - walk->firewall->chains];
    unsigned ways = 0;
    bool next = true;
    if (*memo)
        return *memo; /* cppcheck-suppress identicalInnerCondition ; it is told which ways, not whether */
    for (size_t i = 0; i < chain->count && next; i++)
        ways |= walk_rule(walk, chain, &chain->rules[i], depth, &next);
    if (next)
        ways |= MAY_FALL_THROUGH;
    *memo = (uint8_t)ways;
    return ways;
}

void firewall_walk(const struct firewall *firewall, const struct fw_chain *base, const struct fw_packet *packet,
                   struct fw_fate *fate)
{
    struct walk walk = {.firewall = firewall, .packet = packet, .fate = fate};
    *fate = (struct fw_fate){0};
    walk.memo = calloc(firewall->chain_count, 1);
    if (!walk.memo)
        return; /* not sure of anything */
    set_header(&walk);
    unsigned ways = walk_chain(&walk, base, 0);
    free(walk.memo);
    if (ways & MAY_FALL_THROUGH)
        ways |= base->policy_drop ? MAY_DROP : MAY_PASS;
    fate->dropped = ways & MAY_DROP && !(ways & MAY_PASS);
    fate->by_policy = fate->dropped && ways & MAY_FALL_THROUGH;
}
