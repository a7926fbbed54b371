/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the modules of the feed role share: the one struct role. Each module has a header of its own; this one says how
 * they hang together. Everything runs on one loop and nothing blocks; the disk is the journal's and the spools'.
 *
 * Memory is bounded by CLIENTS_MAX connections, each with at most BUFFER_FULL + HTTP_HEAD_MAX in either direction, two
 * spools of SPOOL_MEMORY and as much towards the app: 512 KiB at the very worst and 4 KiB for one that rests; and by
 * APPLIER_BYTES for what is applied. Bodies in files take journal_max at most, all together; answers in files as much
 * once more, and one of ANSWER_LENGTH for each lane and zone. At the bound of clients those go that rest (crowd.h); if
 * none does, who comes waits to be accepted.
 */
#pragma once

#include "feed/applier.h"
#include "feed/back.h"
#include "feed/control.h"
#include "feed/datagram.h"
#include "feed/door.h"
#include "feed/figures.h"
#include "feed/hold.h"
#include "feed/orders.h"
#include "feed/wal.h"

#define CLIENTS_MAX   4096
#define SWEEP_MS      1000
#define HEADER_MS     60000                 /* for a request's head, and for PROGRESS of a body or of an answer */
#define PROGRESS      (16 << 10)            /* bytes, or what is left of it */
#define IDLE_MS       75000                 /* between two requests of a connection */
#define QUEUE_MS      60000                 /* for a request's turn */
#define ANSWER_MS     300000                /* for live's answer to a fed request: its lane waits that long */
#define PASS_MS       300000                /* a request that passes in which no byte moves */
#define TUNNEL_MS     3600000               /* the same after a change of the protocol */
#define LINGER_MS     2000                  /* for a client to read why its connection ends */
#define ANSWER_LENGTH (UINT64_C(256) << 20) /* of a fed request; it is kept whole */

#define STRANDED_MAX 128 /* as many as can be under way are fewer; beyond, the role ends, and the next one finds them */

struct exchange;

/* One without an end, which the journal did not take. */
struct stranded {
    uint64_t id;
    bool undone; /* live has surely not done it; else nobody knows */
};

/* Fed requests with keys of one lane, on their way to live: one at a time. */
struct live_lane {
    struct list waiting;
    struct exchange *now;
};

struct role {
    struct loop *loop;
    int directory; /* the journal's, borrowed */
    struct control *control;
    struct feed_rules rules;
    struct feed feed; /* the same, as model/feed.c and lane.c want it */
    struct wal *wal;  /* NULL: no rules yet, or it is broken */
    char broken[FEED_TEXT_MAX + 1];
    struct door doors[COLOURS][FEED_DOORS_MAX];
    struct backs backs[COLOURS];
    int8_t live;
    struct list clients, buried;
    size_t client_count, clients_max;
    bool starves;                /* crowd_starves */
    uint64_t spooled;            /* bytes of bodies that are read or wait, journal_max at most */
    uint64_t kept_answers;       /* bytes of answers that their clients have still to take */
    struct list waiting_passes;  /* for somebody who is live */
    struct list streams, copies; /* mode stream */
    uint64_t stream_count;
    struct datagrams datagrams;
    bool streams_held;
    struct live_lane lanes[FEED_LANES_MAX];
    unsigned underway, queued; /* fed requests that live may get; that wait for their turn */
    struct hold hold;
    struct applier applier;
    struct orders orders;
    struct figures figures;
    struct loop_timer *sweep, *burial;
    bool changing, changed; /* role_changed */
    bool relane;            /* keys or lanes have changed: what is under way by the old ones ends first */
    struct stranded stranded[STRANDED_MAX];
    size_t stranded_count;
};

int role_new(struct loop *loop, int channel, int directory, size_t clients_max, struct role **role, struct error *err);
void role_free(struct role *role); /* NULL is fine */
void role_rules(struct role *role, const struct feed_rules *rules);
void role_zone(struct role *role, const struct feed_zone *zone);
void role_adopted(struct role *role); /* another agent has come */
void role_live(struct role *role, int8_t zone, bool planned);
/* Something has begun whose time must be watched. */
void role_wake(struct role *role);
/* The journal cannot be written: said once, and kept. */
void role_journal_failed(struct role *role, const char *why);
int role_open_journal(struct role *role, struct error *err);
/* Does with what is in doubt as in_doubt says. */
void role_settle_doubts(struct role *role);
/* It can be written again. */
void role_journal_works(struct role *role);
/* Nobody knows whether live has done this one: it is in doubt, or becomes so when the journal can be written again. */
void role_doubt(struct role *role, uint64_t id);
/* Live has surely not done it, and nobody will. */
void role_undone(struct role *role, uint64_t id);
void role_write_stranded(struct role *role);
/* True: new fed requests wait. */
bool role_holds(const struct role *role);
/* Something that a hold, a seed or a lane waits for may have come about. */
void role_changed(struct role *role);
