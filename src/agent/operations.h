/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: a plan for an app, step by step. */
#pragma once

#include "agent/app.h"
#include "base/error.h"
#include "model/machine.h"
#include "model/types.h"
#include "model/wire.h"

/* Up to its first step, which is the caller's to enter. It is recorded first: refused if that fails, for a verb that
 * needs the journal. None may run. */
int operation_begin(struct app *app, enum wire_verb verb, enum colour target, const char *release, bool force,
                    const char *who, struct error *err);
static inline bool operation_running(const struct app *app)
{
    return app->operation.plan != NULL;
}
static inline enum step operation_step(const struct app *app)
{
    const struct operation *operation = &app->operation;
    return !operation->plan ? STEP_IDLE : operation->failing ? STEP_ON_FAILURE : operation->plan[operation->at];
}
/* Somebody wants to go back, or over, to what runs already, whatever its state. A deploy that was forced past the
 * memory or the firewall was not forced past its health. */
static inline bool operation_insists(const struct app *app)
{
    const struct operation *operation = &app->operation;
    return operation->force && (operation->verb == VERB_SWITCH || operation->verb == VERB_ROLLBACK);
}
/* Feeds an event to the app's operation; the reason (may be NULL) is what a failure will say. -EPERM: refused by the
 * table. */
int operation_event(struct app *app, enum step_event event, const char *reason);
/* Nothing is left of the zone: its step may have waited for that. The app may be gone when this returns. */
void operation_zone_closed(struct app_zone *zone);
/* The agent's own operation: VERB_ROLLBACK or VERB_FAILOVER. It may have ended when this returns. */
int operation_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason, struct error *err);
/* The same up to its first step, which is the caller's to enter. */
int operation_begin_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason,
                             struct error *err);
