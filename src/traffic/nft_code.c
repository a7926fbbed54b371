/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the kernel's register machine. Apart from nft_expr.c, which makes sentences of them. */
#include "traffic/nft_code.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stddef.h>

struct nftnl_expr *code_start(struct nft_code *code, const char *name)
{
    struct nftnl_expr *expr = code->failed ? NULL : nftnl_expr_alloc(name);
    if (expr)
        nftnl_rule_add_expr(code->rule, expr); /* owns it from here */
    else
        code->failed = true;
    return expr;
}

void code_set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value)
{
    if (expr)
        nftnl_expr_set_u32(expr, attribute, value);
}

void code_set_data(struct nft_code *code, struct nftnl_expr *expr, uint16_t attribute, const void *data, size_t size)
{
    if (expr && nftnl_expr_set(expr, attribute, data, (uint32_t)size) < 0)
        code->failed = true;
}

void code_set_text(struct nft_code *code, struct nftnl_expr *expr, uint16_t attribute, const char *text)
{
    if (expr && nftnl_expr_set_str(expr, attribute, text) < 0)
        code->failed = true;
}

void code_load_meta(struct nft_code *code, enum nft_meta_keys key, uint32_t reg)
{
    struct nftnl_expr *expr = code_start(code, "meta");
    code_set_u32(expr, NFTNL_EXPR_META_KEY, key);
    code_set_u32(expr, NFTNL_EXPR_META_DREG, reg);
}

void code_load_ct(struct nft_code *code, enum nft_ct_keys key)
{
    struct nftnl_expr *expr = code_start(code, "ct");
    code_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
    code_set_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

void code_load_payload(struct nft_code *code, enum nft_payload_bases base, size_t offset, size_t length, uint32_t reg)
{
    struct nftnl_expr *expr = code_start(code, "payload");
    code_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
    code_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    code_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)length);
    code_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

void code_compare(struct nft_code *code, enum nft_cmp_ops op, const void *data, size_t size)
{
    struct nftnl_expr *expr = code_start(code, "cmp");
    code_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
    code_set_data(code, expr, NFTNL_EXPR_CMP_DATA, data, size);
}

void code_compare_u32(struct nft_code *code, enum nft_cmp_ops op, uint32_t value)
{
    code_compare(code, op, &value, sizeof value);
}

void code_bitwise(struct nft_code *code, const void *mask, const void * xor, size_t size)
{
    struct nftnl_expr *expr = code_start(code, "bitwise");
    code_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    code_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)size);
    code_set_data(code, expr, NFTNL_EXPR_BITWISE_MASK, mask, size);
    code_set_data(code, expr, NFTNL_EXPR_BITWISE_XOR, xor, size);
}

void code_load_daddr(struct nft_code *code, uint8_t family, uint32_t reg)
{
    size_t offset = family == 6 ? offsetof(struct ipv6hdr, daddr) : offsetof(struct iphdr, daddr);
    code_load_payload(code, NFT_PAYLOAD_NETWORK_HEADER, offset, family == 6 ? 16 : 4, reg);
}

void code_load_saddr(struct nft_code *code, uint8_t family, uint32_t reg)
{
    size_t offset = family == 6 ? offsetof(struct ipv6hdr, saddr) : offsetof(struct iphdr, saddr);
    code_load_payload(code, NFT_PAYLOAD_NETWORK_HEADER, offset, family == 6 ? 16 : 4, reg);
}

void code_load_dport(struct nft_code *code, uint32_t reg)
{
    /* TCP and UDP have it at the same place. */
    code_load_payload(code, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(uint16_t), reg);
}

void code_load_sport(struct nft_code *code, uint32_t reg)
{
    code_load_payload(code, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(uint16_t), reg);
}

void code_look_up(struct nft_code *code, const char *set, uint32_t reg, uint32_t result)
{
    struct nftnl_expr *expr = code_start(code, "lookup");
    code_set_text(code, expr, NFTNL_EXPR_LOOKUP_SET, set);
    code_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, reg);
    if (result != CODE_NO_RESULT)
        code_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, result);
}
