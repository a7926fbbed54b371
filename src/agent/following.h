/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who comes to what runs already: to follow it, or to finish it. */
#pragma once

#include "model/wire.h"

#include <stdbool.h>

struct app;
struct asked;
struct request;

void handle_attach(const struct asked *asked, struct app *app);
/* True if one who is attached goes on to see the agent's way back from what has just failed. */
bool follow_way_back(struct request *request, enum wire_result result, const char *text);
void handle_finish(const struct asked *asked, struct app *app);
