/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps of an app and its two zones. What is done with it is in the headers of the modules. */
#pragma once

#include "base/list.h"
#include "conf/resolve.h"
#include "model/bake.h"
#include "model/crash.h"
#include "model/machine.h"
#include "model/record.h"
#include "model/schema.h"
#include "model/service.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"
#include "os/loop.h"
#include "traffic/traffic.h"
#include "zone/zone.h"

struct agent;
struct app;
struct group_run;
struct feeding;
struct zone_doors;

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
    struct loop_timer *timer;           /* NULL: no drain; else the zone's drain_timer */
    uint64_t operation_ms, deadline_ms; /* when its operation began; when the time is over */
    uint32_t timeout_ms;                /* [drain] timeout as it was when it began */
    uint32_t most, last;                /* connections at the most, and at the last look */
    bool zero_seen;                     /* the last look found none; a second in a row ends it */
    bool passive;                       /* only watched for a waiting client: ends nothing, cuts nothing */
    struct wire_receipt receipt;        /* of the switch that began it; header unused */
    bool has_receipt;
    bool resumed;       /* a former agent began it: how many there were at the most, nobody knows */
    uint64_t operation; /* its number in the journal; 0 = none */
    uint64_t begun_ms;
    uint64_t nudge_ms;              /* when to look again for connections that rest; 0 = at once */
    uint64_t listen_ms;             /* when to look for those that were nudged and go on */
    uint32_t nudged, nudged_before; /* connections; as the shim had counted when it began */
    uint32_t told_nudged;           /* as clients have heard */
    bool nudge_failed;              /* and it was said */
};

struct app_zone {
    struct app *app;
    enum colour colour;
    enum zone_state state;
    uint64_t since_unix_ms; /* when it became that; frozen is standby. Only known of zones with content */
    bool expired;           /* it goes, or has gone, because of [standby] keep: its reason stays */
    char release[RELEASE_NAME_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why failed */
    enum zone_mark mark;            /* what the agent found of its release while it was live */
    char mark_reason[WIRE_TEXT_MAX + 1];
    bool lost;                 /* it was live when its shim died, and has not been healthy since */
    struct service *service;   /* the configuration it was staged with; NULL while absent */
    struct resolved *resolved; /* what that means on this host; NULL until it is needed */
    char hostname[APP_NAME_MAX + 8];
    struct zone *kernel;                      /* NULL while it has none */
    bool unlimited;                           /* [limits] asks for what this host cannot do, and it runs all the same */
    struct worker workers[1 + PROCESSES_MAX]; /* main, then as service->processes */
    struct loop_source *shim_source;
    struct loop_timer *close_timer;   /* armed while closing: the shim's last moment */
    bool closing;                     /* the app was asked to stop, the zone goes when it has */
    bool quieting;                    /* the app was asked to stop, and the zone stays; close_timer is armed */
    struct loop_timer *drain_timer;   /* made with the app: a drain needs no memory to begin, or it would never end */
    struct loop_timer *rebuild_timer; /* a lost zone that could not be rebuilt is tried again */
    uint32_t rebuild_failures;
    struct verdict_tracker tracker;
    struct loop_timer *checks_timer; /* made with the app, for the same reason */
    struct loop_timer *probe_timer;  /* it, while the zone is probed; else NULL */
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
    uint64_t refused_told;    /* of its fence's count: what the history has */
    struct zone_doors *doors; /* where clients of its fed ports come in; NULL: it has none */
    bool unseeded;            /* a new release that does not have what live has: it is not to be fed before it has */
    bool unfed;               /* its configuration has [feed], and there could be no doors */
};

struct operation {
    const enum step *plan; /* NULL: none */
    uint64_t number;       /* of its BEGIN in the journal; 0: it has none. Stays when it has ended */
    char steps[RECORD_STEPS_MAX + 1];
    bool idle_step; /* there was nothing to do in its step */
    size_t at;
    enum wire_verb verb;
    enum colour target;
    int from; /* live when it began: enum colour or -1 */
    bool force;
    bool by_agent;             /* nobody asked for it: nothing waits that need not, and no pre_rollback hook is asked */
    bool new_release;          /* the target was never live before */
    struct plan_choice choice; /* how much of the plan was asked for */
    uint64_t step_ms;          /* when its step began */
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why the agent began it, "" when somebody asked; rehearse: what came of it */
    char parity[WIRE_TEXT_MAX + 1]; /* what of it differs from the live zone beside the release, or "" */
    uint64_t begun_ms, begun_unix_ms;
    struct wire_receipt receipt; /* filled by the switch */
    bool staged;                 /* the target zone is this operation's: failing gives it up */
    uint64_t log_before;         /* bytes of the target's log that an earlier release wrote */
    bool hold;                   /* its plan is that of a hold */
    bool held;                   /* clients wait, or did so when it failed */
    bool back;                   /* it failed in the hold: its plan is the way back */
    enum step failed_in;         /* that failed */
    bool switched;
    bool aborted;
    bool taken_back;         /* somebody else sees to the way back from what it made live */
    enum wire_action action; /* of VERB_SCHEMA */
    bool canary;             /* it changes a share only: its plan is plan_of_canary's */
    uint8_t share;           /* that the target is to have; 0: the one that it goes back from has none any more */
    bool sticky;
    uint64_t lose;           /* so many transactions of its feed may be missed */
    struct group_run *group; /* it moves together with others (groups.c); NULL: by itself */
    size_t test_page;        /* STEP_TEST: the page that is asked for */
    uint64_t test_probe;     /* of the prober; 0 = none is under way */
    bool failing;            /* STEP_ON_FAILURE: the plan's step `at` failed */
    char failure[ERROR_TEXT_MAX];
    char *output; /* of the hook that failed, its last lines; NULL = none */
};

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

/* Its release was live before: there is a way back to it. */
static inline bool zone_was_live(const struct app_zone *zone)
{
    return zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING || zone->state == ZONE_FROZEN ||
           zone->state == ZONE_RESTING;
}

static inline struct app_zone *zone_of(struct app *app, enum colour colour)
{
    return &app->zones[colour];
}
