/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps of an app. What is done with it is in the headers of the modules. */
#pragma once

#include "agent/app_zone.h"
#include "agent/operation.h"
#include "base/list.h"
#include "model/bake.h"
#include "model/schema.h"
#include "model/service.h"
#include "model/types.h"
#include "model/wire.h"
#include "os/loop.h"
#include "traffic/traffic.h"

struct agent;
struct feeding;

/* What is watched of a release, and since when: watching.h. */
struct watching {
    struct bake_figures base; /* as of then */
    struct bake_watch watch;
    uint64_t guard_due_ms;
    bool guard_running;
};

/* The live release is being watched. */
struct bake_run {
    bool on;
    enum colour zone; /* whose release */
    uint64_t until_ms, until_unix_ms;
    struct watching watching;       /* its base is that of the switch, before the bake begins */
    struct loop_timer *timer;       /* the next look; NULL until the first bake */
    char breach[WIRE_TEXT_MAX + 1]; /* "" = none */
    bool tried;                     /* to switch back */
    uint64_t again_ms;              /* not again before then */
    char stuck[WIRE_TEXT_MAX + 1];  /* why it was not switched back, as it was last said */
};

/* [switch] mode = hold: one release stops before the other starts, and clients wait meanwhile. */
struct hold_run {
    struct loop_timer *limit_timer, *look_timer; /* NULL until the first one */
    uint64_t began_ms, empty_until_ms;
    struct transaction transaction; /* the one that made clients wait */
    uint32_t most, cut;             /* connections of the release that stops */
    bool zero_seen;
};

/* The zone that is not live has a share of the new connections. */
struct canary_run {
    uint8_t percent; /* 0 = none, and the rest means nothing */
    bool sticky;
    uint64_t since_unix_ms; /* since it has one */
    uint64_t operation;     /* that set it */
    struct watching watching;
    struct loop_timer *timer;       /* the next look; NULL until the first canary */
    char breach[WIRE_TEXT_MAX + 1]; /* "" = none */
};

/* What a rehearsal measures. */
struct rehearsal {
    struct loop_timer *timer; /* NULL until the first one */
    uint64_t switched_ms;
    uint32_t there_us, back_us;        /* the two transactions */
    uint32_t most_usual, most_standby; /* connections: in the zone that is live otherwise, and in the other */
};

/* A command of [schema] and what follows it. */
struct schema_run {
    enum schema_command command;
    uint64_t since_ms;               /* the live release is looked at */
    bool blind;                      /* it was ill before, so looking at it tells nothing */
    char failure[WIRE_TEXT_MAX + 1]; /* why a command came to no good end, without what to do; "" = as the operation */
};

/* Somebody keeps others from changing the app; since 0 = nobody does. */
struct app_lock {
    uint64_t since_unix_ms;
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
};

/* What the live release has served so far. */
struct serving {
    uint64_t since_unix_ms; /* 0 = nothing is live */
    enum colour zone;
    int64_t connections, datagrams; /* and what the zone has counted, without the agent's own */
    uint64_t requests;              /* as its guard said last */
    bool requests_known;
    struct {
        uint64_t at_ms; /* 0 = never */
        int64_t connections, datagrams;
    } told; /* to who asks for status: kept for a moment */
};

struct app {
    struct list link;
    struct agent *agent;
    char name[APP_NAME_MAX + 1];
    uint16_t index;
    bool indexed;            /* the journal knows the index */
    struct service *service; /* as configured now; NULL if its file is gone */
    enum app_state state;
    int live; /* enum colour or -1; remembered while stopped */
    struct app_zone zones[COLOURS];
    struct operation operation;
    struct loop_timer *step_timer;
    struct loop_timer *workers_timer; /* armed while workers.c is to look */
    uint64_t keep_asked_ms;           /* it is over, and a probe of what is live is waited for since then; 0: none */
    struct loop_timer *keep_timer;    /* armed while [standby] keep ends some time; NULL until then */
    struct bake_run bake;
    struct canary_run canary;
    struct serving serving;
    struct app_lock lock;
    struct schema schema;
    struct schema_run schema_run;
    struct loop_timer *schema_timer; /* NULL until the first look */
    struct rehearsal rehearsal;
    struct feeding *feeding; /* NULL until it was fed once */
    struct hold_run hold;
    int held; /* the zone that new connections are sent to, and wait for, while another one is live still; or -1 */
    uint64_t failover_after_ms;            /* one has failed: not before then */
    char failover_said[WIRE_TEXT_MAX + 1]; /* why there is none, so that it is said once */
    struct list release_jobs;              /* releases.c: what is done to its releases on the disk */
    struct list hooks;                     /* hooks.c: the first one runs, the others wait for it */
    struct loop_timer *hooks_timer;        /* armed while the next one is to begin */
};

static inline struct app_zone *zone_of(struct app *app, enum colour colour)
{
    return &app->zones[colour];
}
