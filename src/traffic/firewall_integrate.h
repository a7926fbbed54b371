/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [firewall] integrate: our accept in the chains that ufw, Docker and firewalld have for it. */
#pragma once

#include "base/text.h"
#include "traffic/traffic.h"

/*
 * Sees to it that each such chain that is there accepts what our table sends to these pools and the answers; pools
 * NULL: that none has a rule of ours any more. Where all is so already, nothing is changed. changes names the chains
 * that were changed, problems get a line for each where it did not work. Returns how many were changed.
 */
int firewall_integrate(struct traffic *traffic, const struct address_pools *pools, struct text *changes,
                       struct words *problems);
