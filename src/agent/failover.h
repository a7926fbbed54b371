/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live zone is no good any more: what the agent does by itself, and what it thinks of a release. */
#pragma once

#include "model/types.h"

struct app;
struct app_zone;

/* The live zone's verdict or existence got worse, or the standby's better: fails over if it may. */
void failover_consider(struct app *app);
/* Why the zone is no good to its clients, NULL if it is, or nobody can tell yet. */
const char *zone_failing(const struct app_zone *zone);
/* What is thought of a release that was live; recorded where it is new. */
void zone_set_mark(struct app_zone *zone, enum zone_mark mark, const char *reason);
