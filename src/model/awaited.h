/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States of an app that somebody may wait for, by name, and when each of them is there. Pure; what the app is like
 * comes in as a few facts.
 */
#pragma once

#include "base/error.h"
#include "model/types.h"
#include "model/wire.h"

enum await {
    AWAIT_IDLE,    /* nothing runs: no operation, no drain, no bake */
    AWAIT_LIVE,    /* a release serves, and is healthy */
    AWAIT_HEALTHY, /* a release is staged and healthy: a switch may follow */
    AWAIT_STANDBY, /* a rollback is possible */
    AWAIT_DRAINED, /* no operation, no drain; a bake may go on */
    AWAIT_BAKED,   /* no operation, no bake; a drain may go on */
    AWAIT_STOPPED,
    AWAIT_EMPTY, /* nothing of it is there */
    AWAITS
};

struct awaited {
    enum await what;
    char release[RELEASE_NAME_MAX + 1]; /* AWAIT_LIVE to AWAIT_STANDBY: this one; "" = any */
};

/* What is to be known of an app. The releases mean nothing where there is no such zone. */
struct situation {
    enum app_state state;
    bool operates, drains, bakes;
    bool zones_left; /* any zone is more than absent, or still closing */
    bool live_well;
    bool staged_well;
    bool may_go_back;
    const char *live, *staged, *standby; /* their releases; never NULL */
};

/* "idle", "live=v2", ... False, with what there is, for anything else. */
bool awaited_parse(const char *text, struct awaited *awaited, struct error *err);
bool awaited_holds(const struct awaited *awaited, const struct situation *situation);
