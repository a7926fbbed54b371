/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for the kernel are programs for a machine with four registers of 16 bytes, which are also sixteen of 4
 * bytes: register N (1..4) begins at NFT_REG32_00 + 4 * (N - 1). A concatenation is a run of 4-byte registers, each
 * part rounded up to 4 bytes.
 */
#include "traffic/nft_expr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: lo is the first interface of every namespace */

/* A rule being written. failed sticks. */
struct writer {
    struct nftnl_rule *rule;
    bool failed;
};

static struct nftnl_expr *start(struct writer *writer, const char *name)
{
    struct nftnl_expr *expr = writer->failed ? NULL : nftnl_expr_alloc(name);
    if (expr)
        nftnl_rule_add_expr(writer->rule, expr); /* owns it from here */
    else
        writer->failed = true;
    return expr;
}

static void set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value)
{
    if (expr)
        nftnl_expr_set_u32(expr, attribute, value);
}

static void set_data(struct writer *writer, struct nftnl_expr *expr, uint16_t attribute, const void *data, size_t size)
{
    if (expr && nftnl_expr_set(expr, attribute, data, (uint32_t)size) < 0)
        writer->failed = true;
}

static void set_text(struct writer *writer, struct nftnl_expr *expr, uint16_t attribute, const char *text)
{
    if (expr && nftnl_expr_set_str(expr, attribute, text) < 0)
        writer->failed = true;
}

static void load_meta(struct writer *writer, enum nft_meta_keys key, uint32_t reg)
{
    struct nftnl_expr *expr = start(writer, "meta");
    set_u32(expr, NFTNL_EXPR_META_KEY, key);
    set_u32(expr, NFTNL_EXPR_META_DREG, reg);
}

static void load_ct(struct writer *writer, enum nft_ct_keys key)
{
    struct nftnl_expr *expr = start(writer, "ct");
    set_u32(expr, NFTNL_EXPR_CT_KEY, key);
    set_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

static void load_payload(struct writer *writer, enum nft_payload_bases base, size_t offset, size_t length, uint32_t reg)
{
    struct nftnl_expr *expr = start(writer, "payload");
    set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
    set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)length);
    set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void compare(struct writer *writer, enum nft_cmp_ops op, const void *data, size_t size)
{
    struct nftnl_expr *expr = start(writer, "cmp");
    set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_CMP_OP, op);
    set_data(writer, expr, NFTNL_EXPR_CMP_DATA, data, size);
}

static void compare_u32(struct writer *writer, enum nft_cmp_ops op, uint32_t value)
{
    compare(writer, op, &value, sizeof value);
}

/* Register 1 becomes (register 1 & mask) ^ xor. */
static void bitwise(struct writer *writer, const void *mask, const void * xor, size_t size)
{
    struct nftnl_expr *expr = start(writer, "bitwise");
    set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)size);
    set_data(writer, expr, NFTNL_EXPR_BITWISE_MASK, mask, size);
    set_data(writer, expr, NFTNL_EXPR_BITWISE_XOR, xor, size);
}

static void one_of_bits(struct writer *writer, enum nft_ct_keys key, uint32_t bits)
{
    const uint32_t zero = 0;
    load_ct(writer, key);
    bitwise(writer, &bits, &zero, sizeof bits);
    compare_u32(writer, NFT_CMP_NEQ, 0);
}

static void match_meta(struct writer *writer, enum nft_meta_keys key, enum nft_cmp_ops op, uint32_t value)
{
    load_meta(writer, key, NFT_REG_1);
    compare_u32(writer, op, value);
}

/* The header's layout depends on it, and the table is for both. */
static void match_family(struct writer *writer, uint8_t family)
{
    uint8_t protocol = family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    load_meta(writer, NFT_META_NFPROTO, NFT_REG_1);
    compare(writer, NFT_CMP_EQ, &protocol, sizeof protocol);
}

static void load_daddr(struct writer *writer, uint8_t family, uint32_t reg)
{
    size_t offset = family == 6 ? offsetof(struct ipv6hdr, daddr) : offsetof(struct iphdr, daddr);
    load_payload(writer, NFT_PAYLOAD_NETWORK_HEADER, offset, family == 6 ? 16 : 4, reg);
}

static void load_saddr(struct writer *writer, uint8_t family, uint32_t reg)
{
    size_t offset = family == 6 ? offsetof(struct ipv6hdr, saddr) : offsetof(struct iphdr, saddr);
    load_payload(writer, NFT_PAYLOAD_NETWORK_HEADER, offset, family == 6 ? 16 : 4, reg);
}

/* Register 1 holds a number of the host's byte order, and comparing goes from the first byte on. */
static void less_than(struct writer *writer, uint32_t bound)
{
    struct nftnl_expr *expr = start(writer, "byteorder");
    set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof bound);
    set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof bound);
    compare_u32(writer, NFT_CMP_LT, htonl(bound));
}

static void match_random(struct writer *writer, uint32_t bound)
{
    struct nftnl_expr *expr = start(writer, "numgen");
    set_u32(expr, NFTNL_EXPR_NG_DREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
    set_u32(expr, NFTNL_EXPR_NG_MODULUS, RULESET_SHARES);
    less_than(writer, bound);
}

static void match_hash(struct writer *writer, const struct rule_piece *piece)
{
    uint8_t family = piece->key == KEY_PORT6 ? 6 : 4;
    match_family(writer, family);
    load_saddr(writer, family, NFT_REG_2);
    struct nftnl_expr *expr = start(writer, "hash");
    set_u32(expr, NFTNL_EXPR_HASH_SREG, NFT_REG_2);
    set_u32(expr, NFTNL_EXPR_HASH_DREG, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
    set_u32(expr, NFTNL_EXPR_HASH_LEN, family == 6 ? 16 : 4);
    set_u32(expr, NFTNL_EXPR_HASH_MODULUS, RULESET_SHARES);
    set_u32(expr, NFTNL_EXPR_HASH_SEED, piece->seed);
    less_than(writer, piece->bits);
}

static void match_bits(struct writer *writer, const struct prefix *prefix,
                       void (*load)(struct writer *writer, uint8_t family, uint32_t reg))
{
    size_t size = prefix->address.family == 6 ? 16 : 4;
    uint8_t mask[16] = {0}, zero[16] = {0};
    for (unsigned bit = 0; bit < prefix->length; bit++)
        mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    load(writer, prefix->address.family, NFT_REG_1);
    if (prefix->length < 8 * size)
        bitwise(writer, mask, zero, size);
    compare(writer, NFT_CMP_EQ, prefix->address.bytes, size);
}

static void match_prefix(struct writer *writer, const struct prefix *prefix,
                         void (*load)(struct writer *writer, uint8_t family, uint32_t reg))
{
    match_family(writer, prefix->address.family);
    match_bits(writer, prefix, load);
}

int nft_expr_add_prefix(struct nftnl_rule *rule, const struct prefix *prefix, bool source)
{
    struct writer writer = {.rule = rule};
    match_bits(&writer, prefix, source ? load_saddr : load_daddr);
    return writer.failed ? -ENOMEM : 0;
}

static void match_protocol(struct writer *writer, uint8_t protocol)
{
    load_meta(writer, NFT_META_L4PROTO, NFT_REG_1);
    compare(writer, NFT_CMP_EQ, &protocol, sizeof protocol);
}

static void match_tcp_begin(struct writer *writer, enum nft_cmp_ops op)
{
    const uint8_t mask = TH_FIN | TH_SYN | TH_RST | TH_ACK, zero = 0, begin = TH_SYN;
    match_protocol(writer, IPPROTO_TCP);
    load_payload(writer, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof mask, NFT_REG_1); /* RFC 9293: the flags */
    bitwise(writer, &mask, &zero, sizeof mask);
    compare(writer, op, &begin, sizeof begin);
}

static void load_dport(struct writer *writer, uint32_t reg)
{
    /* TCP and UDP have it at the same place. */
    load_payload(writer, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(uint16_t), reg);
}

static void load_sport(struct writer *writer, uint32_t reg)
{
    load_payload(writer, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(uint16_t), reg);
}

static void match_ports(struct writer *writer, uint32_t range, void (*load)(struct writer *writer, uint32_t reg))
{
    const uint16_t first = (uint16_t)(range >> 16), last = (uint16_t)range, from = htons(first), to = htons(last);
    load(writer, NFT_REG_1);
    compare(writer, first == last ? NFT_CMP_EQ : NFT_CMP_GTE, &from, sizeof from);
    if (first != last)
        compare(writer, NFT_CMP_LTE, &to, sizeof to);
}

static void match_fib(struct writer *writer, uint32_t flag)
{
    struct nftnl_expr *expr = start(writer, "fib");
    set_u32(expr, NFTNL_EXPR_FIB_FLAGS, flag);
    set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    set_u32(expr, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    compare_u32(writer, NFT_CMP_EQ, RTN_LOCAL);
}

/* Loads the key, from the 4-byte register on. */
static void load_key(struct writer *writer, enum ruleset_key key, uint32_t reg)
{
    if (key == KEY_LINK || key == KEY_ANSWER) {
        load_meta(writer, NFT_META_IIFNAME, reg);
        if (key == KEY_ANSWER)
            load_sport(writer, reg + IFNAMSIZ / NFT_REG32_SIZE);
        return;
    }
    if (key == KEY_PROTOCOL) {
        load_meta(writer, NFT_META_L4PROTO, reg);
        return;
    }
    if (key != KEY_PORT) {
        load_daddr(writer, key == KEY_PORT6 ? 6 : 4, reg);
        reg += key == KEY_PORT6 ? 4 : 1;
    }
    load_meta(writer, NFT_META_L4PROTO, reg);
    load_dport(writer, reg + 1);
}

/* result: a register, NFT_REG_VERDICT for a verdict map, UINT32_MAX for a set. */
static void look_up(struct writer *writer, const char *set, uint32_t reg, uint32_t result)
{
    struct nftnl_expr *expr = start(writer, "lookup");
    set_text(writer, expr, NFTNL_EXPR_LOOKUP_SET, set);
    set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, reg);
    if (result != UINT32_MAX)
        set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, result);
}

static void match_key(struct writer *writer, const struct rule_piece *piece, uint32_t result)
{
    if (piece->key == KEY_PORT4 || piece->key == KEY_PORT6)
        match_family(writer, piece->key == KEY_PORT6 ? 6 : 4);
    load_key(writer, piece->key, NFT_REG32_00);
    look_up(writer, piece->name, NFT_REG32_00, result);
}

static void set_mark(struct writer *writer, uint32_t keep, uint32_t bits)
{
    load_ct(writer, NFT_CT_MARK);
    bitwise(writer, &keep, &bits, sizeof bits);
    struct nftnl_expr *expr = start(writer, "ct");
    set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
    set_u32(expr, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void translate(struct writer *writer, const struct rule_piece *piece)
{
    bool six = piece->address.family == 6;
    match_family(writer, piece->address.family);
    struct nftnl_expr *expr = start(writer, "immediate");
    set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    set_data(writer, expr, NFTNL_EXPR_IMM_DATA, piece->address.bytes, six ? 16 : 4);
    load_key(writer, piece->key, NFT_REG32_04);
    look_up(writer, piece->name, NFT_REG32_04, NFT_REG_2);
    expr = start(writer, "nat");
    set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    set_u32(expr, NFTNL_EXPR_NAT_FAMILY, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
    set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
    set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

/* Both ends of the range are one address, and the port stays as it is. */
static void translate_to_loopback(struct writer *writer, enum nft_nat_types type)
{
    const uint8_t loopback[4] = {127, 0, 0, 1};
    match_family(writer, 4);
    struct nftnl_expr *expr = start(writer, "immediate");
    set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    set_data(writer, expr, NFTNL_EXPR_IMM_DATA, loopback, sizeof loopback);
    expr = start(writer, "nat");
    set_u32(expr, NFTNL_EXPR_NAT_TYPE, type);
    set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
    set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

static void masquerade_as(struct writer *writer, const struct rule_piece *piece)
{
    load_key(writer, piece->key, NFT_REG32_00);
    look_up(writer, piece->name, NFT_REG32_00, NFT_REG_1);
    struct nftnl_expr *expr = start(writer, "masq");
    set_u32(expr, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFT_REG_1);
    set_u32(expr, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void count(struct writer *writer, const char *counter)
{
    struct nftnl_expr *expr = start(writer, "objref");
    set_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    set_text(writer, expr, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

static void reject(struct writer *writer, enum nft_reject_types type, uint8_t code)
{
    struct nftnl_expr *expr = start(writer, "reject");
    set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
    if (expr)
        nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, code);
}

static void verdict(struct writer *writer, int code, const char *chain)
{
    struct nftnl_expr *expr = start(writer, "immediate");
    set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
    if (chain)
        set_text(writer, expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void write_statement(struct writer *writer, const struct rule_piece *piece)
{
    switch (piece->kind) {
    case RULE_MARK_ZONE:
        set_mark(writer, ~(RULESET_MARK_ZONE | RULESET_MARK_MOVES), piece->bits << RULESET_MARK_SHIFT);
        break;
    case RULE_MARK_MOVES: set_mark(writer, ~RULESET_MARK_MOVES, RULESET_MARK_MOVES); break;
    case RULE_DNAT: translate(writer, piece); break;
    case RULE_MASQUERADE: start(writer, "masq"); break;
    case RULE_MASQUERADE_RANDOM:
        set_u32(start(writer, "masq"), NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM);
        break;
    case RULE_MASQUERADE_AS: masquerade_as(writer, piece); break;
    case RULE_COUNTER: start(writer, "counter"); break;
    case RULE_COUNT: count(writer, piece->name); break;
    case RULE_REJECT: reject(writer, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED); break;
    case RULE_RESET: reject(writer, NFT_REJECT_TCP_RST, 0); break;
    case RULE_DNAT_LOOPBACK: translate_to_loopback(writer, NFT_NAT_DNAT); break;
    case RULE_SNAT_LOOPBACK: translate_to_loopback(writer, NFT_NAT_SNAT); break;
    case RULE_ACCEPT: verdict(writer, NF_ACCEPT, NULL); break;
    case RULE_DROP: verdict(writer, NF_DROP, NULL); break;
    case RULE_RETURN: verdict(writer, NFT_RETURN, NULL); break;
    case RULE_JUMP: verdict(writer, NFT_JUMP, piece->name); break;
    case RULE_GOTO: verdict(writer, NFT_GOTO, piece->name); break;
    default: /* RULE_END is in no rule, the conditions are dealt with */ writer->failed = true;
    }
}

int nft_expr_add(struct nftnl_rule *rule, const struct rule_piece *piece)
{
    struct writer writer = {.rule = rule};
    switch (piece->kind) {
    case RULE_CT_STATE: one_of_bits(&writer, NFT_CT_STATE, piece->bits); break;
    case RULE_CT_DNAT: one_of_bits(&writer, NFT_CT_STATUS, IPS_DST_NAT); break;
    case RULE_IIF_ZONE: match_meta(&writer, NFT_META_IIFGROUP, NFT_CMP_EQ, RULESET_LINK_GROUP); break;
    case RULE_OIF_ZONE: match_meta(&writer, NFT_META_OIFGROUP, NFT_CMP_EQ, RULESET_LINK_GROUP); break;
    case RULE_IIF_LOOPBACK: match_meta(&writer, NFT_META_IIF, NFT_CMP_EQ, LOOPBACK_IFINDEX); break;
    case RULE_OIF_ELSEWHERE: match_meta(&writer, NFT_META_OIF, NFT_CMP_NEQ, LOOPBACK_IFINDEX); break;
    case RULE_DADDR_IN: match_prefix(&writer, &piece->prefix, load_daddr); break;
    case RULE_SADDR_IN: match_prefix(&writer, &piece->prefix, load_saddr); break;
    case RULE_RANDOM: match_random(&writer, piece->bits); break;
    case RULE_HASH: match_hash(&writer, piece); break;
    case RULE_DADDR_LOCAL: match_fib(&writer, NFTA_FIB_F_DADDR); break;
    case RULE_SADDR_LOCAL: match_fib(&writer, NFTA_FIB_F_SADDR); break;
    case RULE_UDP: match_protocol(&writer, IPPROTO_UDP); break;
    case RULE_TCP: match_protocol(&writer, IPPROTO_TCP); break;
    case RULE_TCP_BEGIN: match_tcp_begin(&writer, NFT_CMP_EQ); break;
    case RULE_TCP_MIDDLE: match_tcp_begin(&writer, NFT_CMP_NEQ); break;
    case RULE_DPORT: match_ports(&writer, piece->bits, load_dport); break;
    case RULE_SPORT: match_ports(&writer, piece->bits, load_sport); break;
    case RULE_VMAP: match_key(&writer, piece, NFT_REG_VERDICT); break;
    case RULE_IN_SET: match_key(&writer, piece, UINT32_MAX); break;
    default: write_statement(&writer, piece);
    }
    return writer.failed ? -ENOMEM : 0;
}
