/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The zone's cable: a veth pair, point to point, with addresses, routes and neighbours fixed at both ends, so that
 * nothing has to be discovered and an idle zone is silent. libnl-route stays in link_requests.c.
 */
#pragma once

#include "base/error.h"
#include "model/address_plan.h"

#include <stdbool.h>

#define LINK_NAME_MAX 15 /* IFNAMSIZ - 1 */

/* "bg" and the zone's number. */
void link_name(uint16_t number, char name[LINK_NAME_MAX + 1]);
/* Of the zone's end of the cable: what the host's neighbours have. */
void link_zone_mac(uint16_t number, uint8_t mac[6]);
extern const char link_in_zone[]; /* the name of that end */

struct link_plan {
    uint16_t number;
    const struct zone_addresses *addresses;
    bool ipv6;    /* the host has it */
    int netns;    /* the zone's */
    int route_fd; /* a NETLINK_ROUTE socket in the zone's namespace; taken by link_create */
};

/* Makes and configures both ends. -EEXIST if a link of that name is there. On failure the link is removed. */
int link_create(struct link_plan *plan, struct error *err);
/* Removes the host end, and with it the other one. A missing one is fine; one that we did not make is refused
 * (-EPERM). */
int link_remove(uint16_t number, struct error *err);
/* 0: there is one of that name; -ENOENT: there is not. */
int link_look(uint16_t number, struct error *err);
