/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told. */
#pragma once

#include "base/error.h"
#include "model/service.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct app;
struct app_zone;
struct hook_result;
struct record;

/* Appends; a failure is logged once and remembered. */
int agent_record(struct agent *agent, struct record *record, struct error *err);

/* Each as it is now. Those without a result go on whatever comes of it. */
void record_zone(struct app_zone *zone);
int record_live(struct app *app, struct error *err);
int record_app(struct app *app, struct error *err);
int record_app_state(struct app *app, struct error *err);
int record_begin(struct app *app, struct error *err);
void record_end(struct app *app, bool done, const char *reason);
void record_hook(struct app_zone *zone, enum hook hook, uint64_t operation, uint64_t ms,
                 const struct hook_result *result);
void record_drained(struct app_zone *zone, uint64_t operation, uint32_t cut, uint32_t left);
void record_bake(struct app *app); /* as it is; when there is none, that it is over */
void record_mark(struct app_zone *zone);
int record_schema(struct app *app, struct error *err);
