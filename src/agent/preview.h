/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone that is not live, for who wants to look at it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct app;
struct app_zone;
struct wire_preview;

struct app_zone *preview_zone(struct app *app); /* that is previewed now, or NULL */
/* "http://host:8081"; "" if its configuration has no such port. */
void preview_url(const struct app_zone *zone, char *url, size_t size);
/* Its zone was frozen or thawed, or another one may be reached by others: no other change of the rule set follows. */
void preview_follow(struct app *app);
bool preview_wanted(const struct app_zone *zone); /* there is something of it in the zone's configuration */
void preview_fill(struct app *app, struct wire_preview *out);
