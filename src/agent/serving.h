/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a release is live, and what it serves. */
#pragma once

struct app;
struct app_zone;
struct folded_app;
struct probe_result;
struct wire_served;

/* For zones.c: the zone is live from now on; it is not any more; its kernel side is about to go. */
void serving_gain(struct app_zone *zone);
void serving_lose(struct app_zone *zone);
void serving_zone_gone(struct app_zone *zone);
/* The kernel's sides of the zones are known, and what is live. */
void serving_recover(struct app *app, const struct folded_app *folded);
void serving_record(struct app *app); /* as it is, into the journal */
/* The agent itself has asked the app in the zone; it is none of those that it serves. */
void serving_count_probe(struct app_zone *zone, const struct probe_result *result);
/* A guard's output may say how many requests there were. */
void serving_guard(struct app *app, const char *output);
void serving_fill(struct app *app, struct wire_served *out);
