/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plug: while it is in, what the host sends to a zone's service address waits in the kernel instead of being
 * refused, until the release that takes its turn there is ready. It is the host's missing knowledge where that address
 * is: packets queue until it is told (see host_sysctls in zone/link.c for how long and how many). Nothing runs for it,
 * so it stays in when the agent dies.
 */
#pragma once

#include "base/error.h"
#include "model/address_plan.h"

#include <stdbool.h>

struct plug {
    uint16_t number; /* of the zone */
    const struct zone_addresses *addresses;
    bool ipv6; /* the host has it */
    int netns; /* the zone's */
};

/* Meanwhile what the zone begins itself comes from its second address, or the answers would wait, too. On failure it is
 * out. */
int plug_in(const struct plug *plug, struct error *err);
/* What waits is sent at once, in its order. One that is out already is fine. */
int plug_out(const struct plug *plug, struct error *err);
int plug_look(const struct plug *plug, bool *is_in, struct error *err);
