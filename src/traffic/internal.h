/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the traffic module share. */
#pragma once

#include "traffic/nft.h"
#include "traffic/nft_build.h"
#include "traffic/traffic.h"
#include "traffic/watch.h"

struct traffic {
    struct nft *nft;
    int diag_fd; /* sock_diag in the host's network namespace */
    struct watch *watch;
    bool owned;
    bool keeper_known; /* the keeper is in the kernel as we made it */
    bool known;        /* so is the table, and it is as state says */
    bool applied;      /* state is what was wanted last, even if the table is not known to be so any more */
    struct ruleset_state state;
    uint32_t generation;      /* after our last transaction; 0 = to be asked */
    struct ruleset_batch ops; /* both kept for their memory */
    struct nft_batch messages;
};

/* traffic_open with a choice, so that tests reach the way of kernels without PERSIST. */
int traffic_open_as(struct traffic **traffic, bool may_own, struct error *err);
/* traffic_apply of a state that is taken over, whatever comes of it. transaction may be NULL. */
int traffic_bring_to(struct traffic *traffic, struct ruleset_state *state, struct transaction *transaction,
                     struct error *err);
