/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps of one of an app's two zones. Part of agent/app.h. */
#pragma once

#include "conf/resolve.h"
#include "model/crash.h"
#include "model/service.h"
#include "model/types.h"
#include "model/verdict.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"
#include "os/loop.h"
#include "zone/zone.h"

struct app;
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

/* Its release was live before: there is a way back to it. */
static inline bool zone_was_live(const struct app_zone *zone)
{
    return zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING || zone->state == ZONE_FROZEN ||
           zone->state == ZONE_RESTING;
}
