/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From operations on the rule set to messages of nf_tables, through libnftnl. */
#pragma once

#include "model/ruleset.h"
#include "traffic/nft.h"

/* What a replacement has to know of the kernel's present tables. */
struct nft_tables {
    bool table_there, keeper_there, spare_there; /* to be deleted first */
    uint32_t flags;                              /* of the new ones: NFT_OWNER | NFT_PERSIST or 0 */
};

/* Appends the messages between nft_batch_begin and nft_batch_end. A message's owner is the operation's index. Memory:
 * batch->failed. */
void nft_build(const struct ruleset_batch *ops, const struct nft_tables *tables, struct nft_batch *batch);

/* One message each, outside of operations. */
void nft_build_table(struct nft_batch *batch, const char *name, uint32_t flags, uint32_t owner);
void nft_build_delete_table(struct nft_batch *batch, const char *name, uint32_t owner);
