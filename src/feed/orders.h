/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator wants of the feed: each order is answered by FEED_DONE, some with items before it. */
#pragma once

#include "model/feed_wire.h"
#include "os/loop.h"

struct role;

enum seed {
    SEED_NONE,
    SEED_WAITS, /* for a moment in which nothing is under way, which is the mark */
    SEED_COPIES /* the other zone is being made from live */
};

struct orders {
    bool paused;
    enum seed seed;
    uint64_t seed_token, seed_mark;
    uint64_t verify_token, verify_next, verified; /* token 0: none runs */
    struct loop_timer *seed_late, *verify;
};

int orders_init(struct role *role, struct error *err);
void orders_clear(struct role *role);
void orders_remember(struct role *role); /* what the role before this one was ordered */
void order_take(struct role *role, const struct feed_order *order);
/* A seed's moment may have come. */
void orders_look(struct role *role);
/* Another zone is live: a seed that ran is void. */
void orders_turn(struct role *role);
void orders_done(struct role *role, uint64_t token, int result, uint64_t sequence, const char *text);
