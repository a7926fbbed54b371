/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of one transaction of nf_tables, in the order in which they are sent. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft;

/* Zero-initialise; nft_batch_begin keeps the memory. */
struct nft_batch {
    unsigned char *data;
    size_t length, capacity;
    uint32_t *owners; /* per message: whose it is, as given to nft_batch_add */
    size_t count, owners_capacity;
    size_t last; /* offset of the last message */
    uint32_t sequence;
    bool failed; /* memory ran out */
};

#define NFT_OWNER_NONE   UINT32_MAX   /* the frame's messages belong to no operation */
#define NFT_MESSAGE_ROOM (128u << 10) /* what a caller may write behind the header: a nested list holds 64 KiB */

void nft_batch_clear(struct nft_batch *batch);
/* What follows has the numbers that the socket is at: to be sent before anything else is. */
void nft_batch_begin(const struct nft *nft, struct nft_batch *batch);
/* A message's header with room behind it, NULL if memory ran out. Write attributes, then nft_batch_done. */
struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint8_t type, uint16_t flags, uint32_t owner);
void nft_batch_done(struct nft_batch *batch, const struct nlmsghdr *message);
void nft_batch_end(struct nft_batch *batch);
/* The rule set's, that the transaction is about; nft_commit knows it. */
void nft_batch_set_generation(const struct nft_batch *batch, uint32_t generation);
