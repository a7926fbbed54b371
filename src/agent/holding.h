/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [switch] mode = hold: one release stops before the other starts, and clients wait meanwhile. */
#pragma once

#include "base/error.h"
#include "model/types.h"
#include "model/wire.h"

#include <stdbool.h>

struct app;
struct app_zone;
struct folded_app;
struct transaction;

/* Must the live release stop before this verb's one starts? */
bool hold_applies(const struct app *app, enum wire_verb verb, enum colour target);
/* One of the app's releases never runs beside another. */
bool app_holds(const struct app *app);
/* The steps of these names. */
void hold_revive(struct app *app);
void hold_begin(struct app *app);
void hold_empty(struct app *app);
void hold_rest(struct app *app);
/* For STEP_SWITCH: live from now on, and clients get in. */
int hold_let_in(struct app *app, struct transaction *transaction, struct error *err);
void hold_fill_receipt(struct app *app);
void hold_quieted(struct app_zone *zone); /* nothing runs in it any more */
void hold_over(struct app *app);          /* nobody waits any more */
void hold_dispose(struct app *app);
/* The operation has failed: true if the release that was live comes back first. */
bool hold_way_back(struct app *app, const char *reason);
/* The steps of this way. */
void hold_back_hold(struct app *app);
void hold_back_rest(struct app *app);
void hold_back_start(struct app *app);
void hold_back_health(struct app *app);
void hold_back_switch(struct app *app);
/* An agent ended in the middle of one: true if its way back is the operation from now on. After adoption. */
bool hold_resume(struct app *app, const struct folded_app *folded, int kernel_live);
/* Before the rules are loaded, and the zones' kernel sides are known. */
void hold_recover(struct app *app);
