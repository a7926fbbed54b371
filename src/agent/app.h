/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps of an app and its two zones. Part of agent/agent.h, which says what is done with it. */
#pragma once

#include "base/list.h"
#include "conf/resolve.h"
#include "model/crash.h"
#include "model/machine.h"
#include "model/service.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "os/loop.h"
#include "zone/zone.h"

struct agent;
struct app;

/* A process of a zone's app, as the shim tells. */
struct worker {
    enum wire_process_state state;
    struct crash_tracker crash;
    uint32_t watchdog_hits;
};

/* So that an app that fails all the time does not fill the journal. */
struct incident_log {
    uint64_t recorded_ms; /* 0 = never */
    uint32_t unrecorded;  /* since then */
};

/* Counts a zone's connections until they are gone or the time is over. */
struct drain {
    struct loop_timer *timer;           /* NULL: no drain */
    uint64_t operation_ms, deadline_ms; /* when its operation began; when the time is over */
    uint32_t most, last;                /* connections at the most, and at the last look */
    bool zero_seen;                     /* the last look found none; a second in a row ends it */
    bool passive;                       /* only watched for a waiting client: ends nothing, cuts nothing */
    struct wire_receipt receipt;        /* of the switch that began it; header unused */
    bool has_receipt;
};

struct app_zone {
    struct app *app;
    enum colour colour;
    enum zone_state state;
    char release[RELEASE_NAME_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why failed */
    struct service *service;        /* the configuration it was staged with; NULL while absent */
    struct resolved *resolved;      /* what that means on this host; NULL until it is needed */
    char hostname[APP_NAME_MAX + 8];
    struct zone *kernel;                      /* NULL while it has none */
    bool unlimited;                           /* [limits] asks for what this host cannot do, and it runs all the same */
    struct worker workers[1 + PROCESSES_MAX]; /* main, then as service->processes */
    struct loop_source *shim_source;
    struct loop_timer *close_timer;   /* armed while closing: the shim's last moment */
    bool closing;                     /* the app was asked to stop, the zone goes when it has */
    struct loop_timer *rebuild_timer; /* a lost zone that could not be rebuilt is tried again */
    uint32_t rebuild_failures;
    struct verdict_tracker tracker;
    struct loop_timer *probe_timer;
    bool probe_running;
    uint64_t probe_id;     /* of the prober */
    uint64_t notified_ms;  /* when it was last probed because of what the app said of itself; 0 = never */
    char check[16];        /* the name of the command's process while one runs, else "" */
    uint32_t check_serial; /* of the last command */
    uint64_t check_began_ms;
    bool freeze_failed; /* once is enough to know */
    struct drain drain;
    uint64_t tcp_counted_ms, udp_counted_ms; /* when status last counted; 0 = never */
    uint32_t tcp_count, udp_count;
    struct zone_usage usage; /* when last read */
    uint64_t usage_ms;       /* 0 = never */
    uint32_t cpu_permille;   /* between the last two readings */
    struct zone_usage ooms;  /* what was there when out of memory was last told; only its counters mean something */
    struct incident_log incidents[INCIDENTS];
};

struct operation {
    const enum step *plan; /* NULL: none */
    size_t at;
    enum wire_verb verb;
    enum colour target;
    int from; /* live when it began: enum colour or -1 */
    bool force;
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
    uint64_t begun_ms, begun_unix_ms;
    struct wire_receipt receipt; /* filled by the switch */
    bool staged;                 /* the target zone is this operation's: failing gives it up */
    uint64_t log_before;         /* bytes of the target's log that an earlier release wrote */
    bool switched;
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
};

static inline struct app_zone *zone_of(struct app *app, enum colour colour)
{
    return &app->zones[colour];
}
