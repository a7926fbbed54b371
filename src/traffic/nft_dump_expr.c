/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From libnftnl's expressions to ours. An expression that is new to us may match and may load anything. */
#include "traffic/nft_dump_expr.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

enum fw_verdict nft_dump_verdict(uint32_t code)
{
    switch ((int)code) {
    case NF_ACCEPT: return FW_ACCEPT;
    case NF_DROP: return FW_DROP;
    case NFT_RETURN: return FW_RETURN;
    case NFT_JUMP: return FW_JUMP;
    case NFT_GOTO: return FW_GOTO;
    case NFT_CONTINUE:
    case NFT_BREAK: return FW_CONTINUE;
    default: /* NF_QUEUE and NF_STOLEN: somebody has it who may let it through */ return FW_ACCEPT;
    }
}

/* Byte offset of a register; 0xff where there is none such, which the walk's bounds refuse. */
static uint8_t register_offset(struct nftnl_expr *expr, uint16_t attribute)
{
    uint32_t number = nftnl_expr_get_u32(expr, attribute);
    if (number >= NFT_REG_1 && number <= NFT_REG_4)
        return (uint8_t)((number - NFT_REG_1) * NFT_REG_SIZE);
    if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
        return (uint8_t)((number - NFT_REG32_00) * NFT_REG32_SIZE);
    return 0xff;
}

/* Copies at most room bytes; false if there is no such attribute or it is longer. */
static bool copy_data(struct nftnl_expr *expr, uint16_t attribute, uint8_t *to, size_t room, uint8_t *length)
{
    uint32_t size = 0;
    const void *data = nftnl_expr_is_set(expr, attribute) ? nftnl_expr_get(expr, attribute, &size) : NULL;
    if (!data || size > room)
        return false;
    memcpy(to, data, size);
    *length = (uint8_t)size;
    return true;
}

static int copy_name(struct nftnl_expr *expr, uint16_t attribute, struct fw_expr *to)
{
    const char *name = nftnl_expr_is_set(expr, attribute) ? nftnl_expr_get_str(expr, attribute) : "";
    to->name = strdup(name ? name : "");
    return to->name ? 0 : -ENOMEM;
}

static int dump_meta(struct nftnl_expr *expr, struct fw_expr *to)
{
    if (nftnl_expr_is_set(expr, NFTNL_EXPR_META_SREG))
        return 0; /* sets something of the packet */
    to->kind = FW_META;
    to->key = nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY);
    to->destination = register_offset(expr, NFTNL_EXPR_META_DREG);
    return 0;
}

static int dump_ct(struct nftnl_expr *expr, struct fw_expr *to)
{
    if (nftnl_expr_is_set(expr, NFTNL_EXPR_CT_SREG))
        return 0;
    to->kind = FW_CT;
    to->key = nftnl_expr_get_u32(expr, NFTNL_EXPR_CT_KEY);
    to->destination = register_offset(expr, NFTNL_EXPR_CT_DREG);
    return 0;
}

static int dump_payload(struct nftnl_expr *expr, struct fw_expr *to)
{
    if (nftnl_expr_is_set(expr, NFTNL_EXPR_PAYLOAD_SREG))
        return 0;
    uint32_t length = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN);
    to->kind = FW_PAYLOAD;
    to->base = (uint8_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
    to->offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
    to->length = length > UINT8_MAX ? UINT8_MAX : (uint8_t)length;
    to->destination = register_offset(expr, NFTNL_EXPR_PAYLOAD_DREG);
    return 0;
}

static int dump_fib(struct nftnl_expr *expr, struct fw_expr *to)
{
    to->kind = FW_FIB;
    to->key = nftnl_expr_get_u32(expr, NFTNL_EXPR_FIB_RESULT);
    to->base = (uint8_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_FIB_FLAGS);
    to->destination = register_offset(expr, NFTNL_EXPR_FIB_DREG);
    return 0;
}

static int dump_bitwise(struct nftnl_expr *expr, struct fw_expr *to)
{
    uint8_t mask = 0, xor = 0;
    to->kind = FW_BITWISE;
    to->source = register_offset(expr, NFTNL_EXPR_BITWISE_SREG);
    to->destination = register_offset(expr, NFTNL_EXPR_BITWISE_DREG);
    uint32_t op = nftnl_expr_is_set(expr, NFTNL_EXPR_BITWISE_OP) ? nftnl_expr_get_u32(expr, NFTNL_EXPR_BITWISE_OP)
                                                                 : NFT_BITWISE_BOOL;
    if (op != NFT_BITWISE_BOOL || !copy_data(expr, NFTNL_EXPR_BITWISE_MASK, to->data, FW_REGISTER_BYTES, &mask) ||
        !copy_data(expr, NFTNL_EXPR_BITWISE_XOR, to->data + FW_REGISTER_BYTES, FW_REGISTER_BYTES, &xor) ||
        mask != xor) {
        to->kind = FW_LOAD; /* a shift, or between registers */
        to->length = (uint8_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_BITWISE_LEN);
        return 0;
    }
    to->length = mask;
    return 0;
}

static int dump_compare(struct nftnl_expr *expr, struct fw_expr *to)
{
    to->kind = FW_COMPARE;
    to->op = nftnl_expr_get_u32(expr, NFTNL_EXPR_CMP_OP);
    to->source = register_offset(expr, NFTNL_EXPR_CMP_SREG);
    if (!copy_data(expr, NFTNL_EXPR_CMP_DATA, to->data, FW_REGISTER_BYTES, &to->length))
        to->kind = FW_UNKNOWN;
    return 0;
}

static int dump_range(struct nftnl_expr *expr, struct fw_expr *to)
{
    uint8_t from = 0, until = 0;
    to->kind = FW_RANGE;
    to->op = nftnl_expr_get_u32(expr, NFTNL_EXPR_RANGE_OP);
    to->source = register_offset(expr, NFTNL_EXPR_RANGE_SREG);
    if (!copy_data(expr, NFTNL_EXPR_RANGE_FROM_DATA, to->data, FW_REGISTER_BYTES, &from) ||
        !copy_data(expr, NFTNL_EXPR_RANGE_TO_DATA, to->data + FW_REGISTER_BYTES, FW_REGISTER_BYTES, &until) ||
        from != until)
        to->kind = FW_UNKNOWN;
    to->length = from;
    return 0;
}

static int dump_lookup(struct nftnl_expr *expr, struct fw_expr *to)
{
    bool maps = nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_DREG);
    to->kind = FW_LOOKUP;
    to->source = register_offset(expr, NFTNL_EXPR_LOOKUP_SREG);
    to->inverted = nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_FLAGS) &&
                   nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
    to->by_verdict = maps && nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT;
    if (maps && !to->by_verdict)
        to->kind = FW_UNKNOWN; /* data by map */
    return copy_name(expr, NFTNL_EXPR_LOOKUP_SET, to);
}

static int dump_immediate(struct nftnl_expr *expr, struct fw_expr *to)
{
    if (!nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT)) {
        to->kind = FW_CONSTANT;
        to->destination = register_offset(expr, NFTNL_EXPR_IMM_DREG);
        if (!copy_data(expr, NFTNL_EXPR_IMM_DATA, to->data, FW_REGISTER_BYTES, &to->length))
            to->kind = FW_UNKNOWN;
        return 0;
    }
    to->kind = FW_VERDICT;
    to->verdict = nft_dump_verdict(nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT));
    return copy_name(expr, NFTNL_EXPR_IMM_CHAIN, to);
}

static int dump_match(struct nftnl_expr *expr, struct fw_expr *to)
{
    to->kind = FW_XT_MATCH;
    to->revision = nftnl_expr_get_u32(expr, NFTNL_EXPR_MT_REV);
    /* Structures that are looked into fit; of longer ones only the name counts. */
    copy_data(expr, NFTNL_EXPR_MT_INFO, to->data, sizeof to->data, &to->length);
    return copy_name(expr, NFTNL_EXPR_MT_NAME, to);
}

static int dump_target(struct nftnl_expr *expr, struct fw_expr *to)
{
    to->kind = FW_XT_TARGET;
    return copy_name(expr, NFTNL_EXPR_TG_NAME, to);
}

int nft_dump_expr(struct nftnl_expr *expr, struct fw_expr *to)
{
    static const struct {
        const char *name;
        int (*dump)(struct nftnl_expr *expr, struct fw_expr *to);
    } dumpers[] = {
        {"meta", dump_meta},       {"ct", dump_ct},         {"payload", dump_payload},    {"fib", dump_fib},
        {"bitwise", dump_bitwise}, {"cmp", dump_compare},   {"range", dump_range},        {"lookup", dump_lookup},
        {"match", dump_match},     {"target", dump_target}, {"immediate", dump_immediate}};
    static const struct {
        const char *name;
        enum fw_kind kind;
    } others[] = {{"counter", FW_NEUTRAL}, {"log", FW_NEUTRAL},     {"last", FW_NEUTRAL},  {"notrack", FW_NEUTRAL},
                  {"dup", FW_NEUTRAL},     {"reject", FW_REJECT},   {"queue", FW_PASS_ON}, {"fwd", FW_PASS_ON},
                  {"tproxy", FW_PASS_ON},  {"synproxy", FW_PASS_ON}};
    const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
    for (size_t i = 0; i < sizeof dumpers / sizeof *dumpers; i++)
        if (!strcmp(name, dumpers[i].name))
            return dumpers[i].dump(expr, to);
    to->kind = FW_UNKNOWN; /* limit, quota, dynset: may end the rule; loads: what they load is compared with later */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(name, others[i].name))
            to->kind = others[i].kind;
    return 0;
}
