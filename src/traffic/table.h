/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of family inet, as the kernel has it at this moment. */
#pragma once

#include "base/error.h"
#include "traffic/nft.h"

struct table_now {
    bool there;
    uint32_t flags, owner; /* NFT_OWNER, NFT_PERSIST; a netlink port id, or 0 = nobody's */
};

/* Not there is no error. -EBUSY if another process owns it, -EPROTONOSUPPORT if this kernel has no such tables. */
int table_find(struct nft *nft, const char *name, struct table_now *now, struct error *err);
