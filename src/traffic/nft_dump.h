/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads others' tables out of the kernel. */
#pragma once

#include "traffic/firewall_rules.h"
#include "traffic/nft.h"

/* Zero-initialised *firewall is filled with every table that has a filter chain on the way of a forwarded packet, our
 * own tables left out. Clear it whatever the result. */
int nft_dump(struct nft *nft, struct firewall *firewall, struct error *err);
