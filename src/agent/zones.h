/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's state, which changes by the table in model/machine.h only. */
#pragma once

#include "model/machine.h"

#include <stdbool.h>

struct app_zone;
struct zone_id;

/* Applies the table: performs the actions and sets the state. -EPROTO for an impossible change (logged). */
int zone_change(struct app_zone *zone, enum zone_change change);
void zone_set_reason(struct app_zone *zone, const char *format, ...) __attribute__((format(printf, 2, 3)));
void zone_ended(struct app_zone *zone);   /* everything in it has: its kernel side goes */
void zone_quieted(struct app_zone *zone); /* everything in it has ended, as CHANGE_REST asked for; the zone stays */
/* Takes its kernel side away at once, also while it is closing. Nothing of the app runs there, no rule leads there. */
void zone_discard(struct app_zone *zone);
bool zone_busy(const struct app_zone *zone); /* has kernel objects or is closing */
void zone_id_of(const struct app_zone *zone, struct zone_id *id);
void zone_dispose(struct app_zone *zone); /* frees what the agent holds; the kernel's side goes on */
