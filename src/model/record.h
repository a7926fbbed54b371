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
#include "model/types.h"
#include "model/wire.h"

enum record_kind {
    RECORD_APP,   /* app, index: first seen */
    RECORD_ZONE,  /* app, zone, state, release, reason: what the zone is from now on */
    RECORD_LIVE,  /* app, zone or none: what new connections reach from now on */
    RECORD_BEGIN, /* app, verb, from, to, release, who: an operation starts */
    /* app, verb, from, to, release, who, begun, done, reason: it ended. It belongs to the newest BEGIN if verb and `to`
     * are the same, else to an operation which that one interrupted. */
    RECORD_END,
    RECORD_APP_STATE, /* app, app_state: running or stopped by the operator */
    RECORD_REMOVED,   /* app: forget it, its index is free again */
    RECORD_INCIDENT,  /* app, zone, incident, release, reason: something happened; changes nothing */
    /* app, zone, until, restarts, kills, overflows, reason: its live release is watched until then, and these were the
     * figures at the switch. The reason is what was wrong with it. until = 0: no bake any more. */
    RECORD_BAKE,
    RECORD_MARK, /* app, zone, mark, reason: what is thought of its release; gone when another one is staged there */
    RECORD_KINDS
};

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
};

#define RECORD_LINE_MAX 2048 /* every field at its longest and wholly encoded, with its newline: below 1500 */

/* What the history consists of: finished operations and incidents. They outlive their app. */
bool record_is_history(const struct record *record);
void record_init(struct record *record, enum record_kind kind, const char *app); /* zones -1 */
void record_format(const struct record *record, struct text *line);              /* appends the line with its newline */
/* One line without its newline. -EBADMSG if the check sum is wrong, so that it may be half a line; -EPROTO if it is
 * whole but not what record_format writes: another version's, or forged. */
int record_parse(const char *line, size_t length, struct record *record, struct error *err);

struct folded_zone {
    enum zone_state state;
    char release[RELEASE_NAME_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
    enum zone_mark mark;
    char mark_reason[WIRE_TEXT_MAX + 1];
};

struct folded_bake {
    uint64_t until_unix_ms; /* 0 = none, and the rest means nothing */
    enum colour zone;
    uint32_t restarts, oom_kills;
    uint64_t overflows;
    char reason[WIRE_TEXT_MAX + 1]; /* "" = no breach so far */
};

struct folded_app {
    char name[APP_NAME_MAX + 1];
    uint16_t index;
    enum app_state state;
    int8_t live; /* enum colour or -1 */
    struct folded_zone zones[COLOURS];
    struct folded_bake bake;
    bool interrupted;        /* a BEGIN has no END: the agent died in it */
    struct record operation; /* that BEGIN */
};

struct fold {
    struct folded_app *apps; /* in order of first appearance */
    size_t count;
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
/* The records that, folded, give this state again. They carry no sequence number, and no time but for the BEGIN of an
 * interrupted operation, which keeps its own: emit gives the rest. Stops at the first negative result and returns it.
 * */
int fold_snapshot(const struct fold *fold, int (*emit)(void *context, struct record *record), void *context);
