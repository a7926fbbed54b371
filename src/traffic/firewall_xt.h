/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The matches and targets of iptables that the kernel carries inside nf_tables as opaque structures. */
#pragma once

#include "traffic/firewall_rules.h"
#include "traffic/firewall_value.h"
#include "traffic/firewall_walk.h"

/* A match that is not known here may match. */
enum fw_match fw_xt_match(const struct fw_expr *match, const struct fw_packet *packet);

enum fw_xt_end { FW_XT_GOES_ON, FW_XT_DROPS, FW_XT_MAY_PASS };
enum fw_xt_end fw_xt_target(const char *name);
