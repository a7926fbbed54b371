/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transport to nfnetlink: one socket that carries transactions of nf_tables and requests to nf_tables and conntrack.
 * The socket is what owns our tables in the kernel, so it lives as long as the agent does.
 *
 * nfnetlink answers inside the send, so all replies wait in the socket when a send returns and nothing here ever
 * blocks.
 */
#pragma once

#include "base/error.h"
#include "traffic/nft_batch.h"

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Linux 5.12 and 6.9; newer than the headers of Debian 12. */
#define NFT_OWNER   0x2u
#define NFT_PERSIST 0x4u

struct nft;

int nft_open(struct nft **nft, struct error *err);
void nft_close(struct nft *nft); /* NULL is fine */
/* Netlink port id: the owner of what this socket owns, the sender of what it changes. */
uint32_t nft_port(const struct nft *nft);
int nft_fd(const struct nft *nft);
uint32_t nft_sequence(const struct nft *nft); /* of the next message */

struct nft_failure {
    uint32_t owner;   /* of the message that failed, or NFT_OWNER_NONE */
    char detail[160]; /* the kernel's own words and where in the message, or "" */
};

/*
 * Sends a batch in one piece and reads every reply. 0: committed. -ERESTART: the generation is not the kernel's any
 * more, nothing happened. Other errors: nothing happened, *failure says to which message; the errno is the kernel's.
 * *microseconds: from the first byte sent to the last reply read; may be NULL.
 */
int nft_commit(struct nft *nft, const struct nft_batch *batch, uint32_t generation, struct nft_failure *failure,
               uint32_t *microseconds);

/* The generation of the rule set, which every transaction of anybody increments. */
int nft_generation(struct nft *nft, uint32_t *generation, struct error *err);

/* A request in the making; subsystem NFNL_SUBSYS_...; free with nlmsg_free. NULL if memory ran out. */
struct nl_msg *nft_message(uint8_t subsystem, uint8_t type, uint16_t flags, uint8_t family);

/* Called for each message of the answer; a result other than 0 ends the call with it. */
typedef int nft_reply(void *context, struct nlmsghdr *message);

/*
 * Sends a request (or, with NLM_F_DUMP, a dump) and reads the whole answer. 0 or -errno, the kernel's without text:
 * callers know what it means. -EINTR: what is dumped changed meanwhile, ask again. Consumes request.
 */
int nft_request(struct nft *nft, struct nl_msg *request, nft_reply *reply, void *context);
