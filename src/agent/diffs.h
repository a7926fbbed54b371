/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between an app's zones, for others than diff*.c. */
#pragma once

#include <stdint.h>

struct agent;
struct app;
struct asked;

void handle_diff(const struct asked *asked, struct app *app);
void diffs_client_gone(struct agent *agent, uint64_t client);
void diffs_dispose(struct agent *agent); /* the agent ends */
