/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the traffic module: the host's links and addresses, and who made a chain, for the looks at its firewall. */
#pragma once

#include "base/text.h"
#include "traffic/firewall_walk.h"

/* Where clients come from, and the zones' links. Zero-initialised ones are filled. 0 or a negative errno. */
int firewall_links(struct fw_links *outside, struct fw_links *zones);
/* Has the host addresses that clients outside could use? False ones become true. The same result. */
int firewall_families(bool *has4, bool *has6);

enum fw_maker { MADE_BY_UFW, MADE_BY_DOCKER, MADE_BY_FIREWALLD, MADE_BY_IPTABLES, MADE_BY_SOMEBODY };

enum fw_maker firewall_maker(const struct firewall *firewall, const struct fw_chain *chain);
/* "table ip filter, chain FORWARD (hook forward, priority 0, made by ufw)" */
void firewall_name_chain(struct text *text, const struct firewall *firewall, const struct fw_chain *chain);
