/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a standby is kept. */
#pragma once

#include <stdint.h>

struct app;
struct app_zone;

/* Removes a standby whose time is over, soon or when it is. To be called when what was in the way is not any more. */
void keeping_schedule(struct app *app);
void keeping_probed(struct app *app);                /* a probe of one of its zones has a result */
uint64_t keeping_until(const struct app_zone *zone); /* unix_ms; 0: until its place is needed, or it is no standby */
void keeping_dispose(struct app *app);
