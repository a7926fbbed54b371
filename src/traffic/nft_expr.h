/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pieces of a rule as expressions of the kernel's register machine. */
#pragma once

#include "model/ruleset.h"

#include <libnftnl/rule.h>

/* 0 or -ENOMEM. */
int nft_expr_add(struct nftnl_rule *rule, const struct rule_piece *piece);
/* The destination, or the source, is in there: for a table of the prefix's family only, so that family is not looked
 * at. The same result. */
int nft_expr_add_prefix(struct nftnl_rule *rule, const struct prefix *prefix, bool source);
