/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One expression of somebody's rule. */
#pragma once

#include "traffic/firewall_rules.h"

#include <stdio.h> /* libnftnl/expr.h needs it */

#include <libnftnl/expr.h>

/* Zero-initialised *to is filled. 0 or -ENOMEM; what is not understood becomes FW_UNKNOWN. */
int nft_dump_expr(struct nftnl_expr *expr, struct fw_expr *to);
enum fw_verdict nft_dump_verdict(uint32_t code);
