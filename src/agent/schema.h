/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema of an app's database: its commands, and what they allow. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct app_zone;
struct asked;
struct schema;
struct schema_around;
struct wire_schema;

/* The steps of these names. */
void schema_expand(struct app *app);
void schema_verify(struct app *app);
void schema_retire(struct app *app);
void schema_contract(struct app *app);
void schema_revert(struct app *app);
void schema_step_leave(struct app *app); /* what its step waited for is given up */
/* The operation has failed: what it was about to do to the schema is broken. Before its end is recorded. */
void schema_operation_failed(struct app *app, const char *reason);
void schema_operation_done(struct app *app); /* the same for a good end; fills its reason */
/* As the journal has it; a command that ran when the former agent ended has broken it. */
void schema_recover(struct app *app, const struct schema *known);
void schema_dispose(struct app *app);
uint32_t zone_schema_needs(const struct app_zone *zone); /* the version that its release asks for; 0 = none */
void schema_look_around(struct app *app, struct schema_around *around); /* fills what the gates have to know */
/* May clients come to this zone's release? -EPERM with the reason. */
int schema_admits(const struct app *app, const struct app_zone *zone, struct error *err);
/* May this release be staged, with the configuration as it is now? past: a contract keeps nobody from it. */
int schema_admits_release(const struct app *app, const char *release, bool past, struct error *err);
void schema_fill(const struct app *app, struct wire_schema *out);
void handle_schema(const struct asked *asked, struct app *app);
