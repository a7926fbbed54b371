/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address plan: from the pools and a zone's number to its addresses. Pure and deterministic, so an app
 * keeps its addresses over restarts and reboots as long as it keeps its index (the journal records it).
 *
 * Zone number N (1..ZONE_NUMBER_MAX) = 2 * app index + 1 for blue, + 2 for green. Each zone takes four
 * addresses at offset 4 * (N - 1) of either pool: unused, host end, service, start-up egress (used as source while
 * a hold plugs the service address).
 */
#pragma once

#include "base/error.h"
#include "model/types.h"

#define ZONE_NUMBER_MAX 0x7fff /* what the ct mark's 15 bits hold (model/ruleset.h) */
#define APP_INDEX_MAX   ((ZONE_NUMBER_MAX - 2) / 2)

struct address_pools {
    struct prefix ipv4; /* default 10.201.0.0/16; length 8..28 */
    struct prefix ipv6; /* default fd00:b9::/48; length 16..120 */
};

struct zone_addresses {
    struct address host4, service4, egress4;
    struct address host6, service6, egress6;
};

static inline uint16_t zone_number(uint16_t app_index, enum colour colour)
{
    return (uint16_t)(2 * app_index + 1 + (colour == GREEN));
}

#define LINK_NAME_MAX 15 /* IFNAMSIZ - 1 */

/* The host's end of the zone's cable: "bg" and the zone's number. */
void link_name(uint16_t number, char name[LINK_NAME_MAX + 1]);

int address_plan(const struct address_pools *pools, uint16_t number, struct zone_addresses *addresses,
                 struct error *err);

/* Zones that fit in the smaller pool, at most ZONE_NUMBER_MAX. */
uint16_t address_plan_capacity(const struct address_pools *pools);
