/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the traffic module: the host's links and addresses, for the look at its firewall. */
#pragma once

#include "traffic/firewall_walk.h"

/* Where clients come from, and the zones' links. Zero-initialised ones are filled. 0 or a negative errno. */
int firewall_links(struct fw_links *outside, struct fw_links *zones);
/* Has the host addresses that clients outside could use? False ones become true. The same result. */
int firewall_families(bool *has4, bool *has6);
