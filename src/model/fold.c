/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fold: journal records back into the state of every app. */
#include "model/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void fold_clear(struct fold *fold)
{
    free(fold->apps);
    group_moves_clear(&fold->groups);
    *fold = (struct fold){0};
}

struct folded_app *fold_find(const struct fold *fold, const char *app)
{
    for (size_t i = 0; i < fold->count; i++) {
        if (strcmp(fold->apps[i].name, app) == 0)
            return &fold->apps[i];
    }
    return NULL;
}

static int add_app(struct fold *fold, const struct record *record, struct error *err)
{
    struct folded_app *apps = reallocarray(fold->apps, fold->count + 1, sizeof *apps);
    if (!apps)
        return error_errno(err, ENOMEM, "fold the journal");
    fold->apps = apps;
    struct folded_app *app = &apps[fold->count++];
    *app = (struct folded_app){.index = record->index, .live = -1};
    text_copy(app->name, sizeof app->name, record->app);
    return 0;
}

static void remove_app(struct fold *fold, struct folded_app *app)
{
    group_moves_strike(&fold->groups, app->name);
    size_t behind = fold->count - (size_t)(app - fold->apps) - 1;
    memmove(app, app + 1, behind * sizeof *app);
    fold->count--;
}

static bool rests(enum zone_state state)
{
    return state == ZONE_STANDBY || state == ZONE_FROZEN || state == ZONE_RESTING;
}

/* The canary's way back leaves its zone as it is; whatever becomes of that ends the drain, but for its verdict. */
static bool may_drain_on(enum zone_state from, enum zone_state to)
{
    bool staged = from == ZONE_HEALTHY || from == ZONE_UNHEALTHY;
    return staged ? to == ZONE_HEALTHY || to == ZONE_UNHEALTHY : from == ZONE_STANDBY && to == ZONE_STANDBY;
}

static bool gets_clients(const struct folded_app *app, int8_t zone)
{
    return app->live == zone || (app->canary.share > 0 && (int8_t)app->canary.zone == zone);
}

/* Before the state is set: since when it drains is not what a record says that was written again. What gets clients has
 * no end of its drain, whatever is written: a snapshot, which tells zones first, could not say so. */
static void set_drain(struct folded_app *app, struct folded_zone *zone, const struct record *record)
{
    bool goes_on = zone->drain.since_unix_ms && zone->state == ZONE_DRAINING;
    if (record->state == ZONE_DRAINING && gets_clients(app, record->zone))
        zone->drain = (struct folded_drain){0};
    else if (record->state == ZONE_DRAINING)
        zone->drain = (struct folded_drain){.since_unix_ms = goes_on ? zone->drain.since_unix_ms : record->unix_ms,
                                            .until_unix_ms = record->until_unix_ms,
                                            .operation = record->operation};
    else if (!may_drain_on(zone->state, record->state))
        zone->drain = (struct folded_drain){0};
}

static void set_zone(struct fold *fold, struct folded_app *app, const struct record *record)
{
    struct folded_zone *zone = &app->zones[record->zone];
    set_drain(app, zone, record);
    bool same = zone->state == record->state || (rests(zone->state) && rests(record->state));
    if (!same || zone->since_unix_ms == 0)
        zone->since_unix_ms = record->unix_ms;
    zone->state = record->state;
    memcpy(zone->release, record->release, sizeof zone->release);
    memcpy(zone->reason, record->reason, sizeof zone->reason);
    bool other_content = zone->state == ZONE_ABSENT || zone->state == ZONE_STAGING || zone->state == ZONE_FAILED;
    if (other_content) {
        zone->mark = MARK_NONE;
        memset(zone->mark_reason, 0, sizeof zone->mark_reason);
        group_moves_strike(&fold->groups, app->name);
    }
}

static void set_mark(struct folded_app *app, const struct record *record)
{
    struct folded_zone *zone = &app->zones[record->zone];
    zone->mark = record->mark;
    memcpy(zone->mark_reason, record->reason, sizeof zone->mark_reason);
}

static void set_bake(struct folded_app *app, const struct record *record)
{
    memset(&app->bake, 0, sizeof app->bake);
    if (record->until_unix_ms == 0)
        return;
    app->bake.until_unix_ms = record->until_unix_ms;
    app->bake.zone = (enum colour)record->zone;
    app->bake.restarts = record->restarts;
    app->bake.oom_kills = record->oom_kills;
    app->bake.overflows = record->overflows;
    memcpy(app->bake.reason, record->reason, sizeof app->bake.reason);
}

static void set_lock(struct folded_app *app, const struct record *record)
{
    memset(&app->lock, 0, sizeof app->lock);
    if (record->begun_unix_ms == 0)
        return;
    app->lock.since_unix_ms = record->begun_unix_ms;
    memcpy(app->lock.who, record->who, sizeof app->lock.who);
    memcpy(app->lock.reason, record->reason, sizeof app->lock.reason);
}

static void set_schema(struct folded_app *app, const struct record *record)
{
    struct schema *schema = &app->schema;
    *schema = record->schema;
    schema->changed_unix_ms = record->begun_unix_ms;
    memcpy(schema->release, record->release, sizeof schema->release);
    memcpy(schema->who, record->who, sizeof schema->who);
    memcpy(schema->reason, record->reason, sizeof schema->reason);
}

static void set_releases(struct folded_app *app, const struct record *record)
{
    memset(&app->releases, 0, sizeof app->releases);
    if (record->begun_unix_ms == 0)
        return;
    app->releases.since_unix_ms = record->begun_unix_ms;
    memcpy(app->releases.release, record->release, sizeof app->releases.release);
    memcpy(app->releases.who, record->who, sizeof app->releases.who);
}

/* After SERVED nothing is: what that record has for others is its own. */
static void set_serving(struct folded_app *app, const struct record *record)
{
    bool serves = record->kind == RECORD_SERVING && record->begun_unix_ms;
    memset(&app->serving, 0, sizeof app->serving);
    if (!serves)
        return;
    app->serving.since_unix_ms = record->begun_unix_ms;
    app->serving.zone = (enum colour)record->zone;
    app->serving.connections = record->connections;
    app->serving.datagrams = record->datagrams;
}

static void set_canary(struct folded_app *app, const struct record *record)
{
    struct folded_drain *drain = &app->zones[record->zone].drain;
    memset(&app->canary, 0, sizeof app->canary);
    *drain = (struct folded_drain){0};
    if (record->share == 0) {
        if (app->live != record->zone)
            *drain = (struct folded_drain){.since_unix_ms = record->begun_unix_ms,
                                           .until_unix_ms = record->until_unix_ms,
                                           .operation = record->operation};
        return;
    }
    app->canary.share = record->share;
    app->canary.sticky = record->sticky;
    app->canary.zone = (enum colour)record->zone;
    app->canary.since_unix_ms = record->begun_unix_ms;
    app->canary.operation = record->operation;
    app->canary.restarts = record->restarts;
    app->canary.oom_kills = record->oom_kills;
    app->canary.overflows = record->overflows;
}

/* It has all connections then, or it is the other one's turn: no share goes on over that. */
static void set_live(struct folded_app *app, int8_t zone)
{
    if (zone != app->live)
        memset(&app->canary, 0, sizeof app->canary);
    if (zone >= 0)
        app->zones[zone].drain = (struct folded_drain){0};
    app->live = zone;
    if (zone >= 0 && app->state == APP_EMPTY)
        app->state = APP_RUNNING;
}

/* A zone that is draining still is so for a moment: what it has open then was left. */
static void end_drain(struct folded_app *app, const struct record *record)
{
    struct folded_zone *zone = &app->zones[record->zone];
    if (zone->state == ZONE_DRAINING)
        zone->drain.operation = 0;
    else
        zone->drain = (struct folded_drain){0};
}

/* An END whose BEGIN is not the open one belongs to an operation that the open one interrupted. */
static void end_operation(struct fold *fold, struct folded_app *app, const struct record *record)
{
    if (record->verb == VERB_RELEASE) { /* beside the operations */
        memset(&app->releases, 0, sizeof app->releases);
        return;
    }
    group_moves_ended(&fold->groups, app->name);
    if (record->verb == app->operation.verb && record->to == app->operation.to)
        app->interrupted = false;
}

/* One of a group may be gone since the move that is remembered. */
static int check_group(const struct fold *fold, const struct record *record, struct error *err)
{
    for (size_t i = 0; i < record->group.count; i++) {
        const struct group_member *member = &record->group.members[i];
        bool struck = member->zone < 0;
        if (struck ? record->group.phase != GROUP_KEPT : !fold_find(fold, member->app))
            return error_set(err, EPROTO, "group %s: app %s is unknown here", record->group.name, member->app);
    }
    return 0;
}

static int check_app(const struct fold *fold, const struct record *record, struct error *err)
{
    if (record->kind == RECORD_GROUP)
        return check_group(fold, record, err);
    bool known = fold_find(fold, record->app) != NULL;
    if (record_is_history(record)) /* maybe of an app that was removed */
        return 0;
    if (record->kind != RECORD_APP)
        return known ? 0 : error_set(err, EPROTO, "app %s is unknown here", record->app);
    if (known)
        return error_set(err, EPROTO, "app %s appears for the first time twice", record->app);
    for (size_t i = 0; i < fold->count; i++) {
        if (fold->apps[i].index == record->index)
            return error_set(err, EPROTO, "app %s is given the index %u, which %s has", record->app, record->index,
                             fold->apps[i].name);
    }
    return 0;
}

int fold_check(const struct fold *fold, const struct record *record, struct error *err)
{
    bool follows =
        fold->contiguous ? record->sequence == fold->last_sequence + 1 : record->sequence > fold->last_sequence;
    if (!follows)
        return error_set(err, EPROTO, "record %" PRIu64 " follows record %" PRIu64 "; a record is missing or moved",
                         record->sequence, fold->last_sequence);
    return check_app(fold, record, err);
}

static void apply(struct fold *fold, struct folded_app *app, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ZONE: set_zone(fold, app, record); break;
    case RECORD_LIVE: set_live(app, record->zone); break;
    case RECORD_BEGIN:
        app->interrupted = true;
        app->operation = *record;
        if (record->operation == 0)
            app->operation.operation = record->sequence;
        break;
    case RECORD_END: end_operation(fold, app, record); break;
    case RECORD_APP_STATE: app->state = record->app_state; break;
    case RECORD_REMOVED: remove_app(fold, app); break;
    case RECORD_BAKE: set_bake(app, record); break;
    case RECORD_MARK: set_mark(app, record); break;
    case RECORD_SCHEMA: set_schema(app, record); break;
    case RECORD_LOCK: set_lock(app, record); break;
    case RECORD_RELEASES: set_releases(app, record); break;
    case RECORD_SERVING:
    case RECORD_SERVED: set_serving(app, record); break;
    case RECORD_CANARY: set_canary(app, record); break;
    case RECORD_DRAINED: end_drain(app, record); break;
    case RECORD_APP:
    case RECORD_GROUP:
    case RECORD_INCIDENT:
    case RECORD_HOOK:
    case RECORD_KINDS: break;
    }
}

static int move_group(struct fold *fold, const struct record *record, struct error *err)
{
    const struct group_move *move = &record->group;
    if (group_moves_add(&fold->groups, move) < 0)
        return error_errno(err, ENOMEM, "fold the journal");
    for (size_t i = 0; move->phase == GROUP_MOVED && i < move->count; i++) {
        struct folded_app *app = fold_find(fold, move->members[i].app);
        if (app)
            set_live(app, move->members[i].zone);
    }
    return 0;
}

int fold_add(struct fold *fold, const struct record *record, struct error *err)
{
    int result = fold_check(fold, record, err);
    if (result == 0 && record->kind == RECORD_APP)
        result = add_app(fold, record, err);
    if (result < 0)
        return result;
    if (record->kind == RECORD_GROUP && (result = move_group(fold, record, err)) < 0)
        return result;
    struct folded_app *app = fold_find(fold, record->app);
    if (app)
        apply(fold, app, record);
    fold->last_sequence = record->sequence;
    fold->contiguous = fold->contiguous || !record_is_history(record);
    return 0;
}

int fold_copy(struct fold *to, const struct fold *from)
{
    struct fold copy = *from;
    copy.apps = NULL;
    if (group_moves_copy(&copy.groups, &from->groups) < 0)
        return -ENOMEM;
    if (from->count > 0) {
        copy.apps = reallocarray(NULL, from->count, sizeof *copy.apps);
        if (!copy.apps) {
            group_moves_clear(&copy.groups);
            return -ENOMEM;
        }
        memcpy(copy.apps, from->apps, from->count * sizeof *copy.apps);
    }
    fold_clear(to);
    *to = copy;
    return 0;
}
