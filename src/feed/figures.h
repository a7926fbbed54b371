/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the feed goes, told to the monitor when it has changed, at most five times a second. */
#pragma once

#include "model/feed_wire.h"
#include "os/loop.h"

#define FIGURES_EVERY_MS 200
#define FIGURES_SECONDS  60

struct role;

struct figures {
    struct feed_figures now, told; /* now: what is counted here, the rest is taken when it is told */
    uint64_t told_ms;
    struct loop_timer *due;
    uint32_t applied[FIGURES_SECONDS]; /* in each of the last seconds */
    uint64_t second;                   /* the newest of them */
    uint64_t oldest, oldest_ms;        /* a transaction's number, and when it was begun, as the journal said */
};

int figures_init(struct role *role, struct error *err);
void figures_clear(struct role *role);
void figures_touch(struct role *role); /* something may have changed */
void figures_applied(struct role *role);
