/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of an operation that are a hook: which one, of which zone, and what its result means for the operation. All
 * of them run from the target zone's release: the new one, or the one that is switched back to. */
#include "agent/hook_steps.h"

#include "agent/agent.h"
#include "agent/feeding.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/schema.h"
#include "agent/steps.h"
#include "agent/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct app_zone *target_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static enum hook hook_of(enum step step)
{
    switch (step) {
    case STEP_PRE_START: return HOOK_PRE_START;
    case STEP_PRE_SWITCH: return HOOK_PRE_SWITCH;
    case STEP_POST_SWITCH: return HOOK_POST_SWITCH;
    case STEP_PRE_ROLLBACK: return HOOK_PRE_ROLLBACK;
    case STEP_POST_ROLLBACK: return HOOK_POST_ROLLBACK;
    case STEP_ON_FAILURE: return HOOK_ON_FAILURE;
    default: return HOOK_TEST;
    }
}

/* Whoever insists is not to be kept from it by a script. */
static bool passed_over(const struct app *app, enum step step)
{
    return operation_insists(app) && (step == STEP_PRE_SWITCH || step == STEP_PRE_ROLLBACK);
}

void operation_keep_output(struct app *app, const char *output)
{
    struct operation *operation = &app->operation;
    free(operation->output);
    operation->output = output[0] ? strdup(output) : NULL; /* without memory the reason must do */
}

static void on_failed(struct app *app, enum step step, const struct hook_result *result)
{
    struct operation *operation = &app->operation;
    char reason[WIRE_TEXT_MAX + 96];
    const char *hook = hook_name(hook_of(step));
    if (passed_over(app, step)) {
        progress(app, operation->target, step_name(step), "hook %s failed (going on by force): %s", hook, result->text);
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    progress(app, operation->target, step_name(step), "hook %s failed: %s", hook, result->text);
    operation_keep_output(app, result->output);
    snprintf(reason, sizeof reason, "hook %s failed: %s", hook, result->text);
    operation_event(app, EVENT_FAILED, reason);
}

static void on_result(void *context, const struct hook_result *result)
{
    struct app *app = context;
    enum step step = operation_step(app);
    if (!result->ok) {
        on_failed(app, step, result);
        return;
    }
    progress(app, app->operation.target, step_name(step), "hook %s passed", hook_name(hook_of(step)));
    operation_event(app, EVENT_DONE, NULL);
}

void hook_step_enter(struct app *app, enum step step)
{
    struct app_zone *target = target_of(app);
    enum hook hook = hook_of(step);
    const struct operation *operation = &app->operation;
    if (!hook_configured(target, hook) || (operation->by_agent && step == STEP_PRE_ROLLBACK)) {
        app->operation.idle_step = step != STEP_TEST || target->service->test_count == 0;
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    progress(app, target->colour, step_name(step), "hook %s of %s runs", hook_name(hook), target->release);
    hook_run(target, hook, step == STEP_ON_FAILURE ? operation->failure : operation->reason, on_result, app);
}

void hook_tell(struct app *app)
{
    const struct operation *operation = &app->operation;
    struct app_zone *target = target_of(app);
    enum hook hook = operation->verb == VERB_FAILOVER ? HOOK_ON_FAILOVER : HOOK_ON_ROLLBACK;
    char reason[WIRE_TEXT_MAX + 1];
    if ((operation->verb != VERB_FAILOVER && operation->verb != VERB_ROLLBACK) || !hook_configured(target, hook))
        return;
    if (operation->reason[0])
        text_copy(reason, sizeof reason, operation->reason);
    else
        snprintf(reason, sizeof reason, "asked for by %s", operation->who);
    hook_run(target, hook, reason, NULL, NULL);
}

/* --- around a step -------------------------------------------------------------------------------------- */

void hook_step_leave(struct app *app)
{
    testing_cancel(app);
    schema_step_leave(app);
    feeding_seed_leave(app);
    hooks_cancel_for(app, on_result);
}

static bool tried(const struct operation *operation)
{
    return operation->at > 0 && !plan_only_looked(operation->plan, operation->at);
}

bool hook_step_on_failure(struct app *app, const char *reason)
{
    struct operation *operation = &app->operation;
    struct app_zone *target = target_of(app);
    bool there = hook_configured(target, HOOK_ON_FAILURE) &&
                 (target->service->hooks[HOOK_ON_FAILURE].on_host || (target->kernel && !target->closing));
    if (operation->failing || !there || !tried(operation))
        return false;
    if (operation->switched) { /* the way back does not wait for it */
        hook_run(target, HOOK_ON_FAILURE, reason, NULL, NULL);
        return false;
    }
    text_copy(operation->failure, sizeof operation->failure, reason);
    operation->failing = true;
    step_enter(app, STEP_ON_FAILURE);
    return true;
}
