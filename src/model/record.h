/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal records: what the agent writes before and after it changes anything, as checked lines of text,
 * and the fold that turns them back into the state of every app. Pure.
 *
 * One line: "CRC32C SEQUENCE UNIX_MS KIND key=value ...\n", values percent-encoded (blank, '%', '=', control
 * characters), CRC in eight hex digits over all that follows it up to the newline.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/group.h"
#include "model/schema.h"
#include "model/types.h"
#include "model/wire.h"

enum record_kind {
    RECORD_APP, /* app, index: first seen */
    /* app, zone, state, release, until, reason, operation: what the zone is from now on. Of one that drains: until
     * when, and the operation that began it; 0 elsewhere. */
    RECORD_ZONE,
    RECORD_LIVE,  /* app, zone or none: what new connections reach from now on */
    RECORD_BEGIN, /* app, verb, from, to, release, who: an operation starts */
    /* app, verb, from, to, release, who, begun, done, reason, ms: it ended. It belongs to the newest BEGIN if verb and
     * `to` are the same, else to an operation which that one interrupted. */
    RECORD_END,
    RECORD_APP_STATE, /* app, app_state: running or stopped by the operator */
    RECORD_REMOVED,   /* app: forget it, its index is free again */
    RECORD_INCIDENT,  /* app, zone, incident, release, reason: something happened; changes nothing */
    /* app, zone, until, restarts, kills, overflows, reason: its live release is watched until then, and these were the
     * figures at the switch. The reason is what was wrong with it. until = 0: no bake any more. */
    RECORD_BAKE,
    RECORD_MARK, /* app, zone, mark, reason: what is thought of its release; gone when another one is staged there */
    RECORD_LOCK, /* app, who, begun, reason: locked since then; begun = 0: not locked any more */
    /* group: its phase, members with their zones. The move of a whole group, which is LIVE of all its apps at once. */
    RECORD_GROUP,
    /* app, schema, release, verified, who, begun, reason: what its database has come to, since `begun` */
    RECORD_SCHEMA,
    /* app, release, who, begun: releases on the disk are changed from now on, `release` is fetched or, "", some are
     * removed. Over with the next END of VERB_RELEASE. */
    RECORD_RELEASES,
    /* app, zone, operation, drained, cut, left, ms, nudged: the drain is over that an operation began. Another agent
     * may have begun it: then nobody knows how many ended by themselves. */
    RECORD_DRAINED,
    /* app, zone, release, operation, hook, done, ms, reason, output: a hook has run, for that operation or because of
     * it */
    RECORD_HOOK,
    /* app, zone, begun, connections, datagrams: live since then; what its network namespace has counted, without the
     * agent's own, and these numbers make what it has served. begun = 0: nothing is live */
    RECORD_SERVING,
    /* app, zone, release, begun, operation, connections, datagrams, requests: it was live from then until this record,
     * and served that; the operation ended it */
    RECORD_SERVED,
    /* app, zone, share, sticky, begun, until, operation, restarts, kills, overflows, reason: the zone, not live, has
     * this share of the new connections, since `begun`; the operation set it. share = 0: it has none any more, and if
     * `begun` is not 0, is drained since then, `until` then, for that operation */
    RECORD_CANARY,
    RECORD_KINDS
};

#define RECORD_STEPS_MAX  319  /* the longest plan, with times of days */
#define RECORD_OUTPUT_MAX 4096 /* of a hook's output */

struct record {
    uint64_t sequence; /* from 1, one more each */
    uint64_t unix_ms;
    enum record_kind kind;
    char app[APP_NAME_MAX + 1];
    uint16_t index;
    int8_t zone, from, to; /* enum colour or -1 */
    enum zone_state state;
    enum app_state app_state;
    enum incident incident;
    enum zone_mark mark;
    uint64_t until_unix_ms;
    uint32_t restarts, oom_kills;
    uint64_t overflows;
    enum wire_verb verb;
    bool done;
    uint64_t begun_unix_ms;
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
    struct group_move group;
    struct schema schema;
    uint64_t operation; /* sequence number of its BEGIN; 0 = there is none. Of BEGIN: the same if it was written anew */
    char steps[RECORD_STEPS_MAX + 1]; /* "build:12,start:3": those that were entered, with milliseconds */
    uint32_t transaction_us, generation_before, generation_after; /* of the switch; 0 = there was none */
    enum hook hook;
    uint32_t drained, cut, left, nudged;
    bool drained_unknown; /* and so is how many were nudged; both 0 */
    uint64_t ms;          /* how long it took, by a clock that nobody sets. Of END: 0 = the times of day must do */
    int64_t connections, datagrams;
    uint64_t requests;
    bool requests_known;
    uint8_t share; /* percent, 0..99 */
    bool sticky;
    const char *output; /* encoded, as it stands in the line, which it is borrowed from; NULL but in a HOOK */
    size_t output_length;
};

#define RECORD_LINE_MAX 16384 /* every field at its longest and wholly encoded, with its newline: below 14000 */

/* What the history consists of: finished operations, what belongs to them, and incidents. They outlive their app. */
bool record_is_history(const struct record *record);
void record_init(struct record *record, enum record_kind kind, const char *app); /* zones -1 */
void record_of_schema(struct record *record, const char *app, const struct schema *schema);
void record_format(const struct record *record, struct text *line); /* appends the line with its newline */
/* One line without its newline. -EBADMSG if the check sum is wrong, so that it may be half a line; -EPROTO if it is
 * whole but not what record_format writes: another version's, or forged. */
int record_parse(const char *line, size_t length, struct record *record, struct error *err);

void record_encode_output(const char *output, struct text *encoded);
void record_decode_output(const struct record *record, char output[RECORD_OUTPUT_MAX + 1]);

/* Its connections are waited for, after a switch, or because it has no share of them any more. */
struct folded_drain {
    uint64_t since_unix_ms; /* 0 = nobody waits, and the rest means nothing */
    uint64_t until_unix_ms; /* 0 = not known */
    uint64_t operation;     /* that it belongs to; 0 = none, or its end is told already */
};

struct folded_zone {
    enum zone_state state;
    uint64_t since_unix_ms; /* when it became that; frozen is standby. 0 = never anything else than absent */
    char release[RELEASE_NAME_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
    enum zone_mark mark;
    char mark_reason[WIRE_TEXT_MAX + 1];
    struct folded_drain drain;
};

struct folded_bake {
    uint64_t until_unix_ms; /* 0 = none, and the rest means nothing */
    enum colour zone;
    uint32_t restarts, oom_kills;
    uint64_t overflows;
    char reason[WIRE_TEXT_MAX + 1]; /* "" = no breach so far */
};

struct folded_lock {
    uint64_t since_unix_ms; /* 0 = none, and the rest means nothing */
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
};

/* What is done to the releases on the disk. */
struct folded_releases {
    uint64_t since_unix_ms; /* 0 = nothing, and the rest means nothing */
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
};

struct folded_serving {
    uint64_t since_unix_ms; /* 0 = nothing is live, and the rest means nothing */
    enum colour zone;
    int64_t connections, datagrams; /* to be added to what its zone has counted */
};

struct folded_canary {
    uint8_t share; /* 0 = none, and the rest means nothing */
    bool sticky;
    enum colour zone;
    uint64_t since_unix_ms;
    uint64_t operation; /* that set the share */
    uint32_t restarts, oom_kills;
    uint64_t overflows;
};

struct folded_app {
    char name[APP_NAME_MAX + 1];
    uint16_t index;
    enum app_state state;
    int8_t live; /* enum colour or -1 */
    struct folded_zone zones[COLOURS];
    struct folded_bake bake;
    struct folded_lock lock;
    struct schema schema;
    struct folded_releases releases;
    struct folded_serving serving;
    struct folded_canary canary;
    bool interrupted;        /* a BEGIN has no END: the agent died in it */
    struct record operation; /* that BEGIN */
};

struct fold {
    struct folded_app *apps; /* in order of first appearance */
    size_t count;
    struct group_moves groups;
    uint64_t last_sequence;
    bool contiguous; /* from here on no sequence number may be missing */
};

void fold_clear(struct fold *fold);
/*
 * -EPROTO, and *fold as it was, if the record contradicts what came before. Sequence numbers go up by one; only among
 * the history that a compacted journal begins with, and right behind it, some may be missing. An END or INCIDENT
 * without its app is history of a removed app. LIVE of a zone makes an empty app running.
 */
int fold_add(struct fold *fold, const struct record *record, struct error *err);
/* The same check without adding. */
int fold_check(const struct fold *fold, const struct record *record, struct error *err);
int fold_copy(struct fold *to, const struct fold *from); /* 0 or -ENOMEM */
struct folded_app *fold_find(const struct fold *fold, const char *app);
/* The records that, folded, give this state again. They carry no sequence number, and no time but for those of zones
 * and the BEGIN of an interrupted operation, which keep their own: emit gives the rest. Stops at the first negative
 * result and returns it. */
int fold_snapshot(const struct fold *fold, int (*emit)(void *context, struct record *record), void *context);
