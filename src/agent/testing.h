/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step test: is the staged release good enough? */
#pragma once

#include <stdbool.h>

struct app;
struct app_zone;

/* STEP_TEST: pages, then the hook. Ends in operation_event; testing_cancel where that is not waited for any more. */
bool testing_configured(const struct app_zone *zone); /* there is something to test */
void testing_begin(struct app *app);
void testing_cancel(struct app *app);
