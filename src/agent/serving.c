/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long each release is live, and what it serves meanwhile: so that after a rollback it is known what has to be
 * looked at. The zone's network namespace counts; here is what it had counted when the release became live, which is
 * in the journal, so that it outlives the agent, and what former namespaces of the same zone have counted since then.
 */
#include "agent/serving.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/records.h"
#include "model/history.h"
#include "model/wire_status.h"
#include "os/log.h"

/* How old what status tells may be: the kernel adds up its counters for each reading, 0.1 ms of the monitor's time,
 * and anybody may ask as often as they like. */
enum { TOLD_MS = 100 };

/* False: nobody can tell, and what was counted so far must do. */
static bool counted(struct app_zone *zone, struct zone_counters *counters)
{
    struct error err = {0};
    if (!zone->kernel)
        return false;
    if (zone_counters(zone->kernel, counters, &err) == 0)
        return true;
    log_debug("%s/%s: what it serves: %s", zone->app->name, colour_name(zone->colour), err.text);
    return false;
}

static int64_t at_least_none(int64_t number)
{
    return number > 0 ? number : 0;
}

/* With what its zone has counted so far. */
static void sum(struct app *app, int64_t *connections, int64_t *datagrams)
{
    struct zone_counters counters = {0};
    const struct serving *serving = &app->serving;
    counted(zone_of(app, serving->zone), &counters);
    *connections = at_least_none(serving->connections + (int64_t)counters.connections);
    *datagrams = at_least_none(serving->datagrams + (int64_t)counters.datagrams);
}

void serving_record(struct app *app)
{
    const struct serving *serving = &app->serving;
    struct record record;
    record_init(&record, RECORD_SERVING, app->name);
    record.zone = (int8_t)serving->zone;
    record.begun_unix_ms = serving->since_unix_ms;
    record.connections = serving->since_unix_ms ? serving->connections : 0;
    record.datagrams = serving->since_unix_ms ? serving->datagrams : 0;
    agent_record(app->agent, &record, NULL);
}

static void end(struct app *app, uint64_t operation)
{
    struct serving *serving = &app->serving;
    struct record record;
    if (!serving->since_unix_ms)
        return;
    record_init(&record, RECORD_SERVED, app->name);
    record.zone = (int8_t)serving->zone;
    record.begun_unix_ms = serving->since_unix_ms;
    record.operation = operation;
    sum(app, &record.connections, &record.datagrams);
    /* A guard that runs no more says nothing of what came later. */
    record.requests_known = serving->requests_known && baking(app) && app->bake.zone == serving->zone;
    record.requests = record.requests_known ? serving->requests : 0;
    text_copy(record.release, sizeof record.release, app->zones[serving->zone].release);
    *serving = (struct serving){0};
    if (app->indexed)
        agent_record(app->agent, &record, NULL);
}

static void begin(struct app_zone *zone)
{
    struct zone_counters counters = {0};
    struct app *app = zone->app;
    counted(zone, &counters);
    app->serving = (struct serving){.since_unix_ms = clock_unix_ms(),
                                    .zone = zone->colour,
                                    .connections = -(int64_t)counters.connections,
                                    .datagrams = -(int64_t)counters.datagrams};
    if (app->indexed)
        serving_record(app);
}

void serving_gain(struct app_zone *zone)
{
    const struct serving *serving = &zone->app->serving;
    if (serving->since_unix_ms && serving->zone == zone->colour)
        return;
    end(zone->app, zone->app->operation.number);
    begin(zone);
}

void serving_lose(struct app_zone *zone)
{
    if (zone->app->serving.since_unix_ms && zone->app->serving.zone == zone->colour)
        end(zone->app, zone->app->operation.number);
}

void serving_zone_gone(struct app_zone *zone)
{
    struct app *app = zone->app;
    if (!app->serving.since_unix_ms || app->serving.zone != zone->colour || !zone->kernel)
        return;
    sum(app, &app->serving.connections, &app->serving.datagrams);
    if (app->indexed)
        serving_record(app);
}

/* A former agent's. Where the switch took place and the agent ended before it could say so, the time from then is not
 * known, and the one that was live before has what it has counted until now. */
void serving_recover(struct app *app, const struct folded_app *folded)
{
    const struct folded_serving *from = &folded->serving;
    bool runs = app->state == APP_RUNNING && app->live >= 0;
    app->serving = (struct serving){.since_unix_ms = from->since_unix_ms,
                                    .zone = from->zone,
                                    .connections = from->connections,
                                    .datagrams = from->datagrams};
    if (from->since_unix_ms && !app->zones[from->zone].kernel) { /* with its namespace went what that had counted */
        app->serving.connections = at_least_none(from->connections);
        app->serving.datagrams = at_least_none(from->datagrams);
    }
    if (app->serving.since_unix_ms && (!runs || app->live != (int)from->zone))
        end(app, folded->interrupted ? folded->operation.operation : 0);
    if (runs && !app->serving.since_unix_ms)
        begin(zone_of(app, (enum colour)app->live));
}

/* Who is asked and says nothing was connected to as a rule: a listening socket's queue needs no app. */
void serving_count_probe(struct app_zone *zone, const struct probe_result *result)
{
    if (zone->kernel && result->outcome != PROBE_REFUSED && result->outcome != PROBE_INTERNAL)
        zone_count_own(zone->kernel, 1);
}

void serving_guard(struct app *app, const char *output)
{
    struct serving *serving = &app->serving;
    if (serving->since_unix_ms && history_find_requests(output, &serving->requests))
        serving->requests_known = true;
}

void serving_fill(struct app *app, struct wire_served *out)
{
    struct serving *serving = &app->serving;
    uint64_t now = loop_now_ms(app->agent->loop);
    if (!serving->since_unix_ms)
        return;
    if (!serving->told.at_ms || now - serving->told.at_ms >= TOLD_MS) {
        sum(app, &serving->told.connections, &serving->told.datagrams);
        serving->told.at_ms = now;
    }
    *out = (struct wire_served){
        .known = 1,
        .zone = (int8_t)serving->zone,
        .requests_known = serving->requests_known && baking(app),
        .since_unix_ms = serving->since_unix_ms,
        .connections = (uint64_t)serving->told.connections,
        .datagrams = (uint64_t)serving->told.datagrams,
        .requests = serving->requests,
    };
    text_copy(out->release, sizeof out->release, app->zones[serving->zone].release);
}
