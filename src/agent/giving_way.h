/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An operation ends because something matters more: what is live, or somebody who wants to go back. */
#pragma once

#include "model/wire.h"

#include <stdbool.h>

struct app;

/* What the agent has to do for what is live is not to wait for a test or a hook: one that does nothing else just now is
 * ended for it, for this reason. True if one ran, or runs. */
bool operation_gives_way(struct app *app, const char *why);
bool operation_may_give_way(const struct app *app);
/* All that still runs is a hook behind the switch, and somebody asks to go back from just that: no reason to wait. */
bool operation_can_be_left(const struct app *app, enum wire_verb verb);
/* Ends it for that; the release is not found bad. It may be that a failover has begun then. */
void operation_leave(struct app *app, const char *who);
/* Ends what is behind its switch; the way back from that is the caller's. */
void operation_take_back(struct app *app, const char *reason);
