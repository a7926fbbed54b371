/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rule for the kernel is a program for a machine with four registers of 16 bytes, which are also sixteen of 4 bytes:
 * register N (1..4) begins at NFT_REG32_00 + 4 * (N - 1). A concatenation is a run of 4-byte registers, each part
 * rounded up to 4 bytes. These write one instruction each; what is not told a register has register 1.
 */
#pragma once

#include <stdio.h> /* libnftnl/expr.h needs it before */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One that is being written. failed, for want of memory, sticks. */
struct nft_code {
    struct nftnl_rule *rule;
    bool failed;
};

/* Of libnftnl's name for it; NULL if that failed. The setters are for its operands, and do nothing to NULL. */
struct nftnl_expr *code_start(struct nft_code *code, const char *name);
void code_set_u32(struct nftnl_expr *expr, uint16_t attribute, uint32_t value);
void code_set_data(struct nft_code *code, struct nftnl_expr *expr, uint16_t attribute, const void *data, size_t size);
void code_set_text(struct nft_code *code, struct nftnl_expr *expr, uint16_t attribute, const char *text);

void code_load_meta(struct nft_code *code, enum nft_meta_keys key, uint32_t reg);
void code_load_ct(struct nft_code *code, enum nft_ct_keys key);
void code_load_payload(struct nft_code *code, enum nft_payload_bases base, size_t offset, size_t length, uint32_t reg);
void code_load_daddr(struct nft_code *code, uint8_t family, uint32_t reg); /* family: 4 or 6 */
void code_load_saddr(struct nft_code *code, uint8_t family, uint32_t reg);
void code_load_dport(struct nft_code *code, uint32_t reg); /* of TCP or UDP */
void code_load_sport(struct nft_code *code, uint32_t reg);

void code_compare(struct nft_code *code, enum nft_cmp_ops op, const void *data, size_t size);
void code_compare_u32(struct nft_code *code, enum nft_cmp_ops op, uint32_t value);
/* Register 1 becomes (register 1 & mask) ^ xor. */
void code_bitwise(struct nft_code *code, const void *mask, const void * xor, size_t size);
#define CODE_NO_RESULT UINT32_MAX
/* result: a register, NFT_REG_VERDICT for a verdict map, CODE_NO_RESULT for a set. */
void code_look_up(struct nft_code *code, const char *set, uint32_t reg, uint32_t result);
