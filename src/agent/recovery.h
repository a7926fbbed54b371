/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a start: recovery.c has the zones, recovery_operations.c what was under way. All but recover() is between
 * these two. */
#pragma once

#include "agent/agent.h"

/* All zones as the journal and the kernel have them, and what was under way. */
int recover(struct agent *agent, const struct fold *fold, struct error *err);

/* Whether a zone in that state is meant to be there, with an app that has run. */
bool recovery_keeps(enum zone_state state);
/* zone->service: as it was staged, or, with a warning, as its file is today. */
int recovery_load_configuration(struct app_zone *zone, struct error *err);
/* Anything of a zone that should not be there: its processes, its links. */
void recovery_clean(struct app_zone *zone);

/* --- recovery_operations.c --- */

/* Sets what is live and the zones' states, with their records. An operation that goes on is in app->operation. */
void recovery_resolve(struct app *app, const struct folded_app *folded);
