/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fold's other direction: the state of every app as the fewest records that fold to it, for a compacted journal. */
#include "model/record.h"

#include <string.h>

typedef int emit_callback(void *context, struct record *record);

static int emit_zone(const struct folded_app *app, enum colour colour, emit_callback *emit, void *context)
{
    const struct folded_zone *zone = &app->zones[colour];
    if (zone->state == ZONE_ABSENT && !zone->release[0] && !zone->reason[0])
        return 0;
    struct record record;
    record_init(&record, RECORD_ZONE, app->name);
    record.zone = (int8_t)colour;
    record.unix_ms = zone->since_unix_ms;
    record.state = zone->state;
    if (zone->state == ZONE_DRAINING) {
        record.until_unix_ms = zone->drain.until_unix_ms;
        record.operation = zone->drain.operation;
    }
    memcpy(record.release, zone->release, sizeof record.release);
    memcpy(record.reason, zone->reason, sizeof record.reason);
    int result = emit(context, &record);
    if (result < 0 || zone->mark == MARK_NONE)
        return result;
    record_init(&record, RECORD_MARK, app->name);
    record.zone = (int8_t)colour;
    record.mark = zone->mark;
    memcpy(record.reason, zone->mark_reason, sizeof record.reason);
    return emit(context, &record);
}

static int emit_bake(const struct folded_app *app, emit_callback *emit, void *context)
{
    const struct folded_bake *bake = &app->bake;
    struct record record;
    if (bake->until_unix_ms == 0)
        return 0;
    record_init(&record, RECORD_BAKE, app->name);
    record.zone = (int8_t)bake->zone;
    record.until_unix_ms = bake->until_unix_ms;
    record.restarts = bake->restarts;
    record.oom_kills = bake->oom_kills;
    record.overflows = bake->overflows;
    memcpy(record.reason, bake->reason, sizeof record.reason);
    return emit(context, &record);
}

static int emit_lock(const struct folded_app *app, emit_callback *emit, void *context)
{
    struct record record;
    if (app->lock.since_unix_ms == 0)
        return 0;
    record_init(&record, RECORD_LOCK, app->name);
    record.begun_unix_ms = app->lock.since_unix_ms;
    memcpy(record.who, app->lock.who, sizeof record.who);
    memcpy(record.reason, app->lock.reason, sizeof record.reason);
    return emit(context, &record);
}

static int emit_releases(const struct folded_app *app, emit_callback *emit, void *context)
{
    struct record record;
    if (app->releases.since_unix_ms == 0)
        return 0;
    record_init(&record, RECORD_RELEASES, app->name);
    record.begun_unix_ms = app->releases.since_unix_ms;
    memcpy(record.release, app->releases.release, sizeof record.release);
    memcpy(record.who, app->releases.who, sizeof record.who);
    return emit(context, &record);
}

static int emit_schema(const struct folded_app *app, emit_callback *emit, void *context)
{
    struct record record;
    if (!schema_known(&app->schema))
        return 0;
    record_of_schema(&record, app->name, &app->schema);
    return emit(context, &record);
}

static int emit_serving(const struct folded_app *app, emit_callback *emit, void *context)
{
    const struct folded_serving *serving = &app->serving;
    struct record record;
    if (serving->since_unix_ms == 0)
        return 0;
    record_init(&record, RECORD_SERVING, app->name);
    record.zone = (int8_t)serving->zone;
    record.begun_unix_ms = serving->since_unix_ms;
    record.connections = serving->connections;
    record.datagrams = serving->datagrams;
    return emit(context, &record);
}

/* Of what has no share any more. */
static int emit_drain(const struct folded_app *app, enum colour colour, emit_callback *emit, void *context)
{
    const struct folded_zone *zone = &app->zones[colour];
    struct record record;
    if (zone->drain.since_unix_ms == 0 || zone->state == ZONE_DRAINING)
        return 0;
    record_init(&record, RECORD_CANARY, app->name);
    record.zone = (int8_t)colour;
    record.begun_unix_ms = zone->drain.since_unix_ms;
    record.until_unix_ms = zone->drain.until_unix_ms;
    record.operation = zone->drain.operation;
    return emit(context, &record);
}

static int emit_canary(const struct folded_app *app, emit_callback *emit, void *context)
{
    const struct folded_canary *canary = &app->canary;
    struct record record;
    int result = 0;
    for (int colour = BLUE; result == 0 && colour < COLOURS; colour++)
        result = emit_drain(app, (enum colour)colour, emit, context);
    if (result < 0 || canary->share == 0)
        return result;
    record_init(&record, RECORD_CANARY, app->name);
    record.zone = (int8_t)canary->zone;
    record.share = canary->share;
    record.sticky = canary->sticky;
    record.begun_unix_ms = canary->since_unix_ms;
    record.operation = canary->operation;
    record.restarts = canary->restarts;
    record.oom_kills = canary->oom_kills;
    record.overflows = canary->overflows;
    return emit(context, &record);
}

static int emit_state(const struct folded_app *app, emit_callback *emit, void *context)
{
    struct record record;
    int result = 0;
    if (app->state != APP_EMPTY) {
        record_init(&record, RECORD_APP_STATE, app->name);
        record.app_state = app->state;
        result = emit(context, &record);
    }
    if (result == 0 && app->live >= 0) {
        record_init(&record, RECORD_LIVE, app->name);
        record.zone = app->live;
        result = emit(context, &record);
    }
    if (result == 0 && app->interrupted) {
        record = app->operation;
        result = emit(context, &record);
    }
    return result;
}

static int emit_zones(const struct folded_app *app, emit_callback *emit, void *context)
{
    int result = emit_zone(app, BLUE, emit, context);
    return result == 0 ? emit_zone(app, GREEN, emit, context) : result;
}

static int emit_app(const struct folded_app *app, emit_callback *emit, void *context)
{
    typedef int part(const struct folded_app *, emit_callback *, void *);
    /* A zone before who is live, a canary behind that: what becomes live ends it. */
    static part *const parts[] = {emit_zones,  emit_state,    emit_lock,   emit_serving,
                                  emit_schema, emit_releases, emit_canary, emit_bake};
    struct record record;
    record_init(&record, RECORD_APP, app->name);
    record.index = app->index;
    int result = emit(context, &record);
    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof *parts; i++)
        result = parts[i](app, emit, context);
    return result;
}

int fold_snapshot(const struct fold *fold, emit_callback *emit, void *context)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < fold->count; i++)
        result = emit_app(&fold->apps[i], emit, context);
    for (size_t i = 0; result == 0 && i < fold->groups.count; i++) { /* behind all apps: it names them */
        struct record record;
        record_init(&record, RECORD_GROUP, "");
        record.group = fold->groups.items[i];
        result = emit(context, &record);
    }
    return result;
}
