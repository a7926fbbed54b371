/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of a transaction and the memory for what is in it. Apart from nft.c because nothing here asks the kernel:
 * a batch is written at leisure, and sent in one piece. */
#include "traffic/nft_batch.h"

#include "traffic/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Of the generation, which is known when the batch is sent: the same in every batch. */
#define GENERATION_OFFSET (NLMSG_LENGTH(sizeof(struct nfgenmsg)) + NLA_HDRLEN)

void nft_batch_clear(struct nft_batch *batch)
{
    free(batch->data);
    free(batch->owners);
    *batch = (struct nft_batch){0};
}

static bool batch_reserve(struct nft_batch *batch)
{
    size_t needed = batch->length + NFT_MESSAGE_ROOM;
    if (!batch->failed && needed > batch->capacity) {
        size_t capacity = batch->capacity * 2 > needed ? batch->capacity * 2 : needed;
        unsigned char *data = realloc(batch->data, capacity);
        if (data) {
            batch->data = data;
            batch->capacity = capacity;
        }
        batch->failed = !data;
    }
    if (!batch->failed && batch->count == batch->owners_capacity) {
        size_t capacity = batch->owners_capacity ? batch->owners_capacity * 2 : 64;
        uint32_t *owners = reallocarray(batch->owners, capacity, sizeof *owners);
        if (owners) {
            batch->owners = owners;
            batch->owners_capacity = capacity;
        }
        batch->failed = !owners;
    }
    return !batch->failed;
}

static struct nlmsghdr *add_message(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
                                    uint16_t resource, uint32_t owner)
{
    if (!batch_reserve(batch))
        return NULL;
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)(batch->data + batch->length);
    memset(message, 0, NLMSG_HDRLEN + sizeof(struct nfgenmsg));
    message->nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = batch->sequence + (uint32_t)batch->count;
    struct nfgenmsg *header = NLMSG_DATA(message);
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    header->res_id = htons(resource);
    batch->owners[batch->count++] = owner;
    return message;
}

struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint8_t type, uint16_t flags, uint32_t owner)
{
    return add_message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0, owner);
}

void nft_batch_done(struct nft_batch *batch, const struct nlmsghdr *message)
{
    batch->last = batch->length;
    batch->length += NLMSG_ALIGN(message->nlmsg_len);
}

void nft_batch_begin(const struct nft *nft, struct nft_batch *batch)
{
    batch->length = batch->count = batch->last = 0;
    batch->failed = false;
    batch->sequence = nft_sequence(nft);
    struct nlmsghdr *message =
        add_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NFT_OWNER_NONE);
    if (!message)
        return;
    struct nlattr *attribute = (struct nlattr *)(void *)((char *)message + message->nlmsg_len);
    attribute->nla_type = NFNL_BATCH_GENID;
    attribute->nla_len = NLA_HDRLEN + sizeof(uint32_t);
    message->nlmsg_len += attribute->nla_len;
    nft_batch_done(batch, message);
}

void nft_batch_set_generation(const struct nft_batch *batch, uint32_t generation)
{
    uint32_t wire = htonl(generation);
    memcpy(batch->data + GENERATION_OFFSET, &wire, sizeof wire);
}

/*
 * A batch without its end answers success and changes nothing, so the end travels in the same send. Only the last real
 * message asks for an acknowledgement: errors come unasked, and thousands of acknowledgements could overflow the
 * socket.
 */
void nft_batch_end(struct nft_batch *batch)
{
    if (batch->failed)
        return;
    ((struct nlmsghdr *)(void *)(batch->data + batch->last))->nlmsg_flags |= NLM_F_ACK;
    struct nlmsghdr *message =
        add_message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NFT_OWNER_NONE);
    if (message)
        nft_batch_done(batch, message);
}
