/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each piece of a rule is in the kernel's register machine, in its own words (nft_code.h). */
#include "traffic/nft_expr.h"

#include "traffic/nft_code.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: lo is the first interface of every namespace */

static void one_of_bits(struct nft_code *code, enum nft_ct_keys key, uint32_t bits)
{
    const uint32_t zero = 0;
    code_load_ct(code, key);
    code_bitwise(code, &bits, &zero, sizeof bits);
    code_compare_u32(code, NFT_CMP_NEQ, 0);
}

static void match_meta(struct nft_code *code, enum nft_meta_keys key, enum nft_cmp_ops op, uint32_t value)
{
    code_load_meta(code, key, NFT_REG_1);
    code_compare_u32(code, op, value);
}

/* The header's layout depends on it, and the table is for both. */
static void match_family(struct nft_code *code, uint8_t family)
{
    uint8_t protocol = family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    code_load_meta(code, NFT_META_NFPROTO, NFT_REG_1);
    code_compare(code, NFT_CMP_EQ, &protocol, sizeof protocol);
}

/* Register 1 holds a number of the host's byte order, and comparing goes from the first byte on. */
static void less_than(struct nft_code *code, uint32_t bound)
{
    struct nftnl_expr *expr = code_start(code, "byteorder");
    code_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    code_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof bound);
    code_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof bound);
    code_compare_u32(code, NFT_CMP_LT, htonl(bound));
}

static void match_random(struct nft_code *code, uint32_t bound)
{
    struct nftnl_expr *expr = code_start(code, "numgen");
    code_set_u32(expr, NFTNL_EXPR_NG_DREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
    code_set_u32(expr, NFTNL_EXPR_NG_MODULUS, RULESET_SHARES);
    less_than(code, bound);
}

static void match_hash(struct nft_code *code, const struct rule_piece *piece)
{
    uint8_t family = piece->key == KEY_PORT6 ? 6 : 4;
    match_family(code, family);
    code_load_saddr(code, family, NFT_REG_2);
    struct nftnl_expr *expr = code_start(code, "hash");
    code_set_u32(expr, NFTNL_EXPR_HASH_SREG, NFT_REG_2);
    code_set_u32(expr, NFTNL_EXPR_HASH_DREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
    code_set_u32(expr, NFTNL_EXPR_HASH_LEN, family == 6 ? 16 : 4);
    code_set_u32(expr, NFTNL_EXPR_HASH_MODULUS, RULESET_SHARES);
    code_set_u32(expr, NFTNL_EXPR_HASH_SEED, piece->seed);
    less_than(code, piece->bits);
}

static void match_bits(struct nft_code *code, const struct prefix *prefix,
                       void (*load)(struct nft_code *code, uint8_t family, uint32_t reg))
{
    size_t size = prefix->address.family == 6 ? 16 : 4;
    uint8_t mask[16] = {0}, zero[16] = {0};
    for (unsigned bit = 0; bit < prefix->length; bit++)
        mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    load(code, prefix->address.family, NFT_REG_1);
    if (prefix->length < 8 * size)
        code_bitwise(code, mask, zero, size);
    code_compare(code, NFT_CMP_EQ, prefix->address.bytes, size);
}

static void match_prefix(struct nft_code *code, const struct prefix *prefix,
                         void (*load)(struct nft_code *code, uint8_t family, uint32_t reg))
{
    match_family(code, prefix->address.family);
    match_bits(code, prefix, load);
}

int nft_expr_add_prefix(struct nftnl_rule *rule, const struct prefix *prefix, bool source)
{
    struct nft_code code = {.rule = rule};
    match_bits(&code, prefix, source ? code_load_saddr : code_load_daddr);
    return code.failed ? -ENOMEM : 0;
}

static void match_protocol(struct nft_code *code, uint8_t protocol)
{
    code_load_meta(code, NFT_META_L4PROTO, NFT_REG_1);
    code_compare(code, NFT_CMP_EQ, &protocol, sizeof protocol);
}

static void match_tcp_begin(struct nft_code *code, enum nft_cmp_ops op)
{
    const uint8_t mask = TH_FIN | TH_SYN | TH_RST | TH_ACK, zero = 0, begin = TH_SYN;
    match_protocol(code, IPPROTO_TCP);
    code_load_payload(code, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof mask, NFT_REG_1); /* RFC 9293: the flags */
    code_bitwise(code, &mask, &zero, sizeof mask);
    code_compare(code, op, &begin, sizeof begin);
}

static void match_ports(struct nft_code *code, uint32_t range, void (*load)(struct nft_code *code, uint32_t reg))
{
    const uint16_t first = (uint16_t)(range >> 16), last = (uint16_t)range, from = htons(first), to = htons(last);
    load(code, NFT_REG_1);
    code_compare(code, first == last ? NFT_CMP_EQ : NFT_CMP_GTE, &from, sizeof from);
    if (first != last)
        code_compare(code, NFT_CMP_LTE, &to, sizeof to);
}

static void match_fib(struct nft_code *code, uint32_t flag)
{
    struct nftnl_expr *expr = code_start(code, "fib");
    code_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, flag);
    code_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    code_set_u32(expr, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    code_compare_u32(code, NFT_CMP_EQ, RTN_LOCAL);
}

/* Loads the key, from the 4-byte register on. */
static void load_key(struct nft_code *code, enum ruleset_key key, uint32_t reg)
{
    if (key == KEY_LINK || key == KEY_ANSWER) {
        code_load_meta(code, NFT_META_IIFNAME, reg);
        if (key == KEY_ANSWER)
            code_load_sport(code, reg + IFNAMSIZ / NFT_REG32_SIZE);
        return;
    }
    if (key == KEY_PROTOCOL) {
        code_load_meta(code, NFT_META_L4PROTO, reg);
        return;
    }
    if (key != KEY_PORT) {
        code_load_daddr(code, key == KEY_PORT6 ? 6 : 4, reg);
        reg += key == KEY_PORT6 ? 4 : 1;
    }
    code_load_meta(code, NFT_META_L4PROTO, reg);
    code_load_dport(code, reg + 1);
}

static void match_key(struct nft_code *code, const struct rule_piece *piece, uint32_t result)
{
    if (piece->key == KEY_PORT4 || piece->key == KEY_PORT6)
        match_family(code, piece->key == KEY_PORT6 ? 6 : 4);
    load_key(code, piece->key, NFT_REG32_00);
    code_look_up(code, piece->name, NFT_REG32_00, result);
}

static void set_mark(struct nft_code *code, uint32_t keep, uint32_t bits)
{
    code_load_ct(code, NFT_CT_MARK);
    code_bitwise(code, &keep, &bits, sizeof bits);
    struct nftnl_expr *expr = code_start(code, "ct");
    code_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
    code_set_u32(expr, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void translate(struct nft_code *code, const struct rule_piece *piece)
{
    bool six = piece->address.family == 6;
    match_family(code, piece->address.family);
    struct nftnl_expr *expr = code_start(code, "immediate");
    code_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    code_set_data(code, expr, NFTNL_EXPR_IMM_DATA, piece->address.bytes, six ? 16 : 4);
    load_key(code, piece->key, NFT_REG32_04);
    code_look_up(code, piece->name, NFT_REG32_04, NFT_REG_2);
    expr = code_start(code, "nat");
    code_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    code_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
    code_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
    code_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

/* Both ends of the range are one address, and the port stays as it is. */
static void translate_to_loopback(struct nft_code *code, enum nft_nat_types type)
{
    const uint8_t loopback[4] = {127, 0, 0, 1};
    match_family(code, 4);
    struct nftnl_expr *expr = code_start(code, "immediate");
    code_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    code_set_data(code, expr, NFTNL_EXPR_IMM_DATA, loopback, sizeof loopback);
    expr = code_start(code, "nat");
    code_set_u32(expr, NFTNL_EXPR_NAT_TYPE, type);
    code_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
    code_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

static void masquerade_as(struct nft_code *code, const struct rule_piece *piece)
{
    load_key(code, piece->key, NFT_REG32_00);
    code_look_up(code, piece->name, NFT_REG32_00, NFT_REG_1);
    struct nftnl_expr *expr = code_start(code, "masq");
    code_set_u32(expr, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void count(struct nft_code *code, const char *counter)
{
    struct nftnl_expr *expr = code_start(code, "objref");
    code_set_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    code_set_text(code, expr, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

static void reject(struct nft_code *code, enum nft_reject_types type, uint8_t icmp_code)
{
    struct nftnl_expr *expr = code_start(code, "reject");
    code_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
    if (expr)
        nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, icmp_code);
}

static void verdict(struct nft_code *code, int what, const char *chain)
{
    struct nftnl_expr *expr = code_start(code, "immediate");
    code_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    code_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)what);
    if (chain)
        code_set_text(code, expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void write_statement(struct nft_code *code, const struct rule_piece *piece)
{
    switch (piece->kind) {
    case RULE_MARK_ZONE:
        set_mark(code, ~(RULESET_MARK_ZONE | RULESET_MARK_MOVES), piece->bits << RULESET_MARK_SHIFT);
        break;
    case RULE_MARK_MOVES: set_mark(code, ~RULESET_MARK_MOVES, RULESET_MARK_MOVES); break;
    case RULE_DNAT: translate(code, piece); break;
    case RULE_MASQUERADE: code_start(code, "masq"); break;
    case RULE_MASQUERADE_RANDOM:
        code_set_u32(code_start(code, "masq"), NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM);
        break;
    case RULE_MASQUERADE_AS: masquerade_as(code, piece); break;
    case RULE_COUNTER: code_start(code, "counter"); break;
    case RULE_COUNT: count(code, piece->name); break;
    case RULE_REJECT: reject(code, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED); break;
    case RULE_RESET: reject(code, NFT_REJECT_TCP_RST, 0); break;
    case RULE_DNAT_LOOPBACK: translate_to_loopback(code, NFT_NAT_DNAT); break;
    case RULE_SNAT_LOOPBACK: translate_to_loopback(code, NFT_NAT_SNAT); break;
    case RULE_ACCEPT: verdict(code, NF_ACCEPT, NULL); break;
    case RULE_DROP: verdict(code, NF_DROP, NULL); break;
    case RULE_RETURN: verdict(code, NFT_RETURN, NULL); break;
    case RULE_JUMP: verdict(code, NFT_JUMP, piece->name); break;
    case RULE_GOTO: verdict(code, NFT_GOTO, piece->name); break;
    default: /* RULE_END is in no rule, the conditions are dealt with */ code->failed = true;
    }
}

int nft_expr_add(struct nftnl_rule *rule, const struct rule_piece *piece)
{
    struct nft_code code = {.rule = rule};
    switch (piece->kind) {
    case RULE_CT_STATE: one_of_bits(&code, NFT_CT_STATE, piece->bits); break;
    case RULE_CT_DNAT: one_of_bits(&code, NFT_CT_STATUS, IPS_DST_NAT); break;
    case RULE_IIF_ZONE: match_meta(&code, NFT_META_IIFGROUP, NFT_CMP_EQ, RULESET_LINK_GROUP); break;
    case RULE_OIF_ZONE: match_meta(&code, NFT_META_OIFGROUP, NFT_CMP_EQ, RULESET_LINK_GROUP); break;
    case RULE_IIF_LOOPBACK: match_meta(&code, NFT_META_IIF, NFT_CMP_EQ, LOOPBACK_IFINDEX); break;
    case RULE_OIF_ELSEWHERE: match_meta(&code, NFT_META_OIF, NFT_CMP_NEQ, LOOPBACK_IFINDEX); break;
    case RULE_DADDR_IN: match_prefix(&code, &piece->prefix, code_load_daddr); break;
    case RULE_SADDR_IN: match_prefix(&code, &piece->prefix, code_load_saddr); break;
    case RULE_RANDOM: match_random(&code, piece->bits); break;
    case RULE_HASH: match_hash(&code, piece); break;
    case RULE_DADDR_LOCAL: match_fib(&code, NFTA_FIB_F_DADDR); break;
    case RULE_SADDR_LOCAL: match_fib(&code, NFTA_FIB_F_SADDR); break;
    case RULE_UDP: match_protocol(&code, IPPROTO_UDP); break;
    case RULE_TCP: match_protocol(&code, IPPROTO_TCP); break;
    case RULE_TCP_BEGIN: match_tcp_begin(&code, NFT_CMP_EQ); break;
    case RULE_TCP_MIDDLE: match_tcp_begin(&code, NFT_CMP_NEQ); break;
    case RULE_DPORT: match_ports(&code, piece->bits, code_load_dport); break;
    case RULE_SPORT: match_ports(&code, piece->bits, code_load_sport); break;
    case RULE_VMAP: match_key(&code, piece, NFT_REG_VERDICT); break;
    case RULE_IN_SET: match_key(&code, piece, CODE_NO_RESULT); break;
    default: write_statement(&code, piece);
    }
    return code.failed ? -ENOMEM : 0;
}
