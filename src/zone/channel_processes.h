/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of processes that a channel keeps; for channel.c. */
#pragma once

#include "zone/channel.h"

/* The entry of a process, made if there is none. NULL: no memory, or a name that cannot be. */
struct zone_app *channel_known_process(struct channel *channel, const char *name);
void channel_forget_process(struct channel *channel, size_t index);
/* What the shim says of it; its pid comes as a descriptor. */
void channel_take_process(struct zone_app *process, const struct shim_state *state);
