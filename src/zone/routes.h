/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address pools against what the host routes already. */
#pragma once

#include "base/error.h"
#include "model/address_plan.h"

/* -EADDRINUSE, naming the route, if a pool overlaps one of the host's routes or addresses. Default routes and the
 * zones' own links do not count. */
int routes_check_pools(const struct address_pools *pools, struct error *err);
