/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pieces of a rule as expressions of the kernel's register machine. */
#pragma once

#include "model/ruleset.h"

#include <libnftnl/rule.h>

/* 0 or -ENOMEM. */
int nft_expr_add(struct nftnl_rule *rule, const struct rule_piece *piece);
