/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone is made of, and what runs in it. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct agent;
struct app_zone;
struct service;
struct zone_launch;

int zone_build(struct app_zone *zone, bool again, struct error *err); /* kernel objects, limits, shim */
int zone_run_app(struct app_zone *zone, struct error *err);           /* executes main and what runs always */
int zone_run_worker(struct app_zone *zone, size_t worker, struct error *err);
int zone_adopt_running(struct app_zone *zone, struct error *err); /* -ENOENT: its shim is gone */
/* All but the command, which is main's; strings and words stay the zone's. For what runs beside the configured ones. */
int zone_launch_prepare(struct app_zone *zone, struct zone_launch *launch, struct error *err);
void zone_forget_resolved(struct app_zone *zone);
/* Refuses, with what is missing, a configuration whose limits this host cannot hold. */
int limits_check(struct agent *agent, const struct service *service, struct error *err);
