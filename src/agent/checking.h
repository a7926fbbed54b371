/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of health that need no prober. */
#pragma once

#include <stdbool.h>

struct app_zone;
struct zone_app;

/* Begins a check; the result comes as probing_result, maybe at once. */
void check_begin(struct app_zone *zone);
/* True if the process was a check of ours; the result follows. */
bool check_ended(struct app_zone *zone, const struct zone_app *about);
/* The command has not been heard of for too long. */
void check_overdue(struct app_zone *zone);
void check_cancel(struct app_zone *zone);
/* With [health] notify: why nothing passes yet, or NULL. */
const char *check_not_ready(const struct app_zone *zone);
