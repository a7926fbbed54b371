/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A release that has just become live is watched, and left again at the first breach. */
#pragma once

#include "model/machine.h"

#include <stdbool.h>
#include <stddef.h>

struct app;
struct app_zone;
struct folded_app;

/* Called by operations.c when a deploy or switch has made its release live, and when it is done: begins it if the
 * release has one. */
void bake_begin(struct app *app);
void bake_finish(struct app *app, const char *finisher); /* somebody ends it now */
/* A breach found by others (post_switch failed): switches back as soon as no operation runs, also without [bake]. */
void bake_breach(struct app *app, const char *why);
bool baking(const struct app *app);
/* A breach was found, and the switch back is about to be made: its place is not to be given to another release. */
bool bake_is_about_to_leave(const struct app *app);
void bake_recover(struct app *app, const struct folded_app *folded);
void bake_dispose(struct app *app); /* frees what it holds; the journal's bake goes on */
/* For operations.c: the switch has just happened; an operation begins; its next step is entered; it has ended. */
void bake_switched(struct app *app);
void bake_make_way(struct app *app);
void bake_before_step(struct app *app, enum step step);
void bake_operation_ended(struct app *app, const char *failure);
/* Something happened to this zone that may be a breach: a probe's result, an exit, an end for lack of memory. */
void bake_probed(struct app_zone *zone);
void bake_look(struct app_zone *zone);

/* --- between bake.c and bake_back.c --- */
struct app_zone *bake_zone(const struct app *app); /* that is watched */
/* Is there a release to go back to? If not, why says what is in the way. */
bool bake_way_back(struct app *app, char *why, size_t size);
/* Goes back if that is possible now: an operation that does not give way is waited for. */
void bake_switch_back(struct app *app);
/* Why the release stays live although it is bad: loudly once, then in status. */
void bake_say_stuck(struct app *app, const char *why);
