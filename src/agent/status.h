/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status tells. */
#pragma once

#include <stdint.h>

struct agent;
struct app;
struct asked;
struct wire_bake;
struct wire_status;

/* As clients see it. */
void bake_fill(const struct app *app, struct wire_bake *out);
void status_fill(struct app *app, struct wire_status *status);
/* Of one app, or, NULL, of all. */
void handle_status(const struct asked *asked, struct app *app);
void status_app_goes(struct app *app); /* it is about to be freed, and may be the next to be sent */
void status_client_gone(struct agent *agent, uint64_t client); /* 0: all of them are */
