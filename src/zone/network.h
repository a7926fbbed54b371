/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's network: its namespace, its cable, and the sockets inside that the agent keeps. */
#pragma once

#include "base/error.h"
#include "model/address_plan.h"

#include <stdbool.h>

struct network {
    int netns;
    int diag; /* NETLINK_SOCK_DIAG socket inside */
};

/* name: of the namespace. The descriptors are the caller's, on failure too where they are not -1; what was made by then
 * is left to link_remove and netns_remove. */
int network_make(const char *name, uint16_t number, const struct zone_addresses *addresses, bool ipv6,
                 struct network *network, struct error *err);
/* The same handles for one that is there. */
int network_open(const char *name, struct network *network, struct error *err);
/* 0: the zone has this plan's addresses. -ENOENT after the pools were changed in the configuration. */
int network_look(const struct network *network, const struct zone_addresses *addresses, struct error *err);
void network_close(struct network *network);
