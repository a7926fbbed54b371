/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone that is not live gets a share of the new connections, and is watched. */
#pragma once

#include "base/error.h"
#include "model/machine.h"
#include "model/types.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct app;
struct app_zone;
struct asked;
struct folded_app;
struct transaction;

/* RESULT_DONE if no canary has a share that this would take from it without a word. */
enum wire_result admit_canary_free(struct app *app, struct error *err);
/* For a switch that was admitted: may it be one of a share only? */
enum wire_result admit_canary(struct app *app, enum colour target, struct error *err);
void handle_canary_back(const struct asked *asked, struct app *app); /* abort and rollback, while it has a share */
bool canary_runs(const struct app *app);
struct app_zone *canary_zone(struct app *app); /* NULL: there is none */
void canary_enter(struct app *app);            /* STEP_SHARE */
/* The operation that takes it back, up to its first step. */
int canary_take_back(struct app *app, const char *asker, struct error *err);
void canary_done_text(const struct app *app, char *text, size_t size);
/* Something happened to this zone that may be a breach, as for a bake. */
void canary_look(struct app_zone *zone);
void canary_probed(struct app_zone *zone);
void canary_make_way(struct app *app); /* an operation begins */
void canary_over(struct app *app);     /* a transaction has made another zone live */
void canary_zone_changes(struct app_zone *zone, enum zone_change change, enum zone_state next);
void canary_record(struct app *app);
void canary_recover(struct app *app, const struct folded_app *folded);
void canary_dispose(struct app *app);

/* --- between canary.c and canary_watch.c --- */
/* It has a share from now on, and a base to be compared with. False: no memory for it. */
bool canary_watch(struct app *app);
void canary_unwatch(struct app *app);
/* Takes its share, for this reason, and lets it drain. */
int canary_leave(struct app_zone *zone, const char *reason, struct transaction *transaction, struct error *err);
