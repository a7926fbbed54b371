/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that run in the live zone only. */
#pragma once

#include <stdbool.h>

struct app;
struct app_zone;

/* Sees to it, soon, that what is to run in the live zone only does. To be called whenever something changed. */
void workers_schedule(struct app *app);
void on_workers_timer(void *context);
/* Does a process run in it that a zone which is not live must not have? */
bool workers_running(const struct app_zone *zone);
