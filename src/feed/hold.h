/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hold: before a switch no new fed request goes to live, and the monitor hears when the other zone has it all. */
#pragma once

#include "model/feed_wire.h"
#include "os/loop.h"

#define HOLD_ALONE_MS 5000 /* for the next agent, where one died that had asked for a hold */

struct role;

struct hold {
    bool on, answered, alone;
    uint64_t token;
    enum colour target;
    struct loop_timer *late;
};

int hold_init(struct role *role, struct error *err);
void hold_clear(struct role *role);
void hold_begin(struct role *role, const struct feed_hold *message);
void hold_end(struct role *role); /* who waits goes on, to whoever is live */
void hold_look(struct role *role);
/* The agent is gone. What it was about to do may have taken place, so clients wait for the next one, for a while. */
void hold_alone(struct role *role);
