/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address pools against what the host routes already. */
#pragma once

#include "base/error.h"
#include "model/address_plan.h"

/* -EADDRINUSE, naming the route, if a pool overlaps one of the host's routes or addresses. Default routes and the
 * zones' own links do not count. */
int routes_check_pools(const struct address_pools *pools, struct error *err);

struct route_overlap {
    struct prefix route;
    char device[16]; /* "" = unknown */
};

/* The same, and which route it is. */
int routes_find_overlap(const struct address_pools *pools, struct route_overlap *overlap, struct error *err);

/* Called for each way out that a default route has, of whatever table; family is 4 or 6. */
typedef void routes_default(void *context, int family, const char *link);
int routes_each_default(routes_default *each, void *context, struct error *err);
