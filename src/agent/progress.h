/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told to those who wait. */
#pragma once

#include "model/types.h"

struct app;
struct app_zone;
struct request;

/* One progress line to everybody who waits for this app. Where the step waits for something with a known end, such as
 * the operation's timer, a drain's deadline or the bake's time, the line says how much of the wait is over. */
void progress(struct app *app, enum colour zone, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Of a drain: connections in this zone and in the other. */
void progress_count(struct app_zone *zone);
/* How the bake stands, to those who wait for its end and have not heard it yet. */
void progress_bake(struct app *app);
/* How things are now, to one who has just come to wait. */
void progress_greet(struct request *request);
