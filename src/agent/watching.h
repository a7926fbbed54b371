/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A release is watched, in a bake or as a canary. */
#pragma once

#include "agent/app.h"
#include "agent/hooks.h"

/* As the zone is now: what it has counted before says nothing of the release. err, which may be NULL, says why some of
 * it could not be read. */
void watching_set_base(struct watching *watching, struct app_zone *zone, struct error *err);
/* As a former agent had it, but for resets, which nobody has kept. */
void watching_resume_base(struct watching *watching, struct app_zone *zone, const struct bake_figures *known);
/* From now on, against its base. */
void watching_begin(struct watching *watching, const struct app_zone *zone, bool canary);
/* Has it come to a breach by now? why, in words. The zone has a service. */
bool watching_look(struct watching *watching, struct app_zone *zone, char *why, size_t size);
/* Runs it if it is due and nothing is in the way. done gets the app; it calls watching_guard_ended if the guard was
 * still wanted. */
void watching_run_guard(struct watching *watching, struct app_zone *zone, hook_done *done);
void watching_guard_ended(struct watching *watching, const struct app_zone *zone, const struct hook_result *result);
/* One that runs is not wanted any more. */
void watching_drop_guard(struct watching *watching, struct app *app, hook_done *done);
