/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections of a zone that is not live any more are waited for, and ended in time. */
#pragma once

#include "agent/app.h"

struct folded_app;
struct record;
struct wire_drain;
struct wire_receipt;

/* From now on, because of this operation. Whoever only watched it waits for its end. */
void drain_start(struct app_zone *zone, uint64_t operation);
/* Before the rules are loaded: goes on with what a former agent began, as if it had not ended. */
void drains_recover(struct app *app, const struct folded_app *folded);
/* Its connections are waited for, and ended in time; false if they are only watched, or not even that. */
static inline bool drain_runs(const struct app_zone *zone)
{
    return zone->drain.timer && !zone->drain.passive;
}
/* For the journal: of a drain that runs, since when, until when and for which operation. */
void drain_tell(const struct app_zone *zone, struct record *record);
/* The receipt that waiting clients get when it ends. */
void drain_set_receipt(struct app_zone *zone, const struct wire_receipt *receipt, uint64_t operation_ms);
/* Ends it without touching connections. why: for waiting clients, whose operation came to nothing. */
void drain_stop(struct app_zone *zone, const char *why);
/* Ends it because the zone is gone, and its connections with it: whoever waits gets the receipt, they count as cut.
 * What becomes of the zone is the caller's. */
void drain_lost(struct app_zone *zone);
/* Ends it now as it would at its deadline: what is still open is cut, or left, as configured; text says what it was. */
void drain_finish(struct app_zone *zone, char *text, size_t size);
/* When it began and when its time is over, both monotonic; false: none that ends, or none at all. */
bool drain_times(const struct app_zone *zone, uint64_t *begun_ms, uint64_t *deadline_ms);
/* For `drain APP` on a zone that is not draining. */
void drain_watch(struct app_zone *zone);
void on_drain_timer(void *context);             /* of a zone's drain_timer */
uint32_t zone_count_tcp(struct app_zone *zone); /* connections of clients, now; 0 if they cannot be counted */
void drain_fill(const struct app_zone *zone, struct wire_drain *out); /* nothing if there is none that ends */
