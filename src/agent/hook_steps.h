/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps that are one hook, and hooks that tell how an operation went. */
#pragma once

#include "model/machine.h"

#include <stdbool.h>

struct app;

/* The steps that are one hook, and what follows from its result. */
void hook_step_enter(struct app *app, enum step step);
/* The operation leaves its step, whyever: what it waited for is given up. */
void hook_step_leave(struct app *app);
/* What a hook that failed said last, for the message. */
void operation_keep_output(struct app *app, const char *output);
/* The operation has switched: on_rollback or on_failover, if that is what it was. */
void hook_tell(struct app *app);
/* The operation has failed: true if it goes to STEP_ON_FAILURE first. */
bool hook_step_on_failure(struct app *app, const char *reason);
