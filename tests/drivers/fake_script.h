/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script of a monitor without an agent: its apps, and what becomes of what is asked for them. For fake_monitor.c,
 * which says at its head what is in it. */
#pragma once

#include "fake_messages.h"

#include "model/verdict.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* --- status and history ------------------------------------------------------------------------------- */

static inline void fill_zone(struct wire_zone *zone, enum zone_state state, const char *release, int number)
{
    zone->state = (uint8_t)state;
    zone->verdict = state == ZONE_STOPPED ? VERDICT_UNKNOWN : VERDICT_HEALTHY;
    zone->ipv4 = (struct address){.family = 4, .bytes = {10, 201, 0, (uint8_t)(4 * number - 2)}};
    zone->ipv6 = (struct address){.family = 6, .bytes = {0xfd, 0, 0, 0xb9, [15] = (uint8_t)(4 * number - 2)}};
    text_copy(zone->release, sizeof zone->release, release);
}

static inline void add_port(struct wire_status *status, const char *name, const char *listen, uint16_t target)
{
    struct wire_port *port = &status->ports[status->port_count++];
    text_copy(port->name, sizeof port->name, name);
    text_copy(port->listen, sizeof port->listen, listen);
    port->target = target;
    port->count = 1;
    port->protocol = PROTOCOL_TCP;
}

static inline void fill_bake(struct wire_status *status)
{
    status->bake = (struct wire_bake){.baking = 1, .until_unix_ms = SOME_TIME};
    text_copy(status->bake.verdict, sizeof status->bake.verdict, "3 of 41 probes failed, 0 restarts");
}

static inline void fill_web(struct wire_status *status)
{
    status->state = APP_RUNNING;
    status->live = BLUE;
    fill_zone(&status->zones[BLUE], ZONE_LIVE, "v1", 1);
    fill_zone(&status->zones[GREEN], ZONE_STANDBY, "v0", 2);
    status->zones[BLUE].pid = 4711;
    status->zones[BLUE].shim_pid = 4710;
    status->zones[BLUE].tcp = 12;
    status->zones[GREEN].restarts = 2;
    status->zones[GREEN].last_exit = (struct wire_exit){.known = 1, .value = 1, .unix_ms = SOME_TIME};
    text_copy(status->zones[GREEN].detail, sizeof status->zones[GREEN].detail, "HTTP 200 OK");
    status->zones[BLUE].usage = (struct wire_usage){.known = 1,
                                                    .limits = 1,
                                                    .memory = 12 << 20,
                                                    .memory_peak = 20 << 20,
                                                    .memory_limit = 512 << 20,
                                                    .cpu_permille = 37,
                                                    .cpu_limit = 1500,
                                                    .cpu_us = 1000000,
                                                    .tasks = 14,
                                                    .tasks_limit = 100,
                                                    .oom_kills = 2};
    status->zones[BLUE].process_count = 1;
    status->zones[BLUE].processes[0] =
        (struct wire_process){.name = "worker",
                              .live_only = 1,
                              .state = PROCESS_BACK_OFF,
                              .restarts = 3,
                              .last_exit = {.known = 1, .value = 7, .unix_ms = SOME_TIME}};
    status->zones[GREEN].shim_pid = 4800;
    status->zones[GREEN].crash_loop = 1;
    status->zones[GREEN].usage = (struct wire_usage){.memory = 3 << 20};
    add_port(status, "http", "80", 8080);
    add_port(status, "v6", "[2001:db8::7]:80", 8080);
    status->operation = (struct wire_operation){.present = 1, .verb = VERB_DRAIN, .since_unix_ms = SOME_TIME};
    text_copy(status->operation.step, sizeof status->operation.step, "drain");
    text_copy(status->operation.who, sizeof status->operation.who, "alice (uid 1000)");
    fill_bake(status);
}

static inline void fill_feed(const char *app, struct wire_feed *feed);

static inline void fill_api(struct wire_status *status)
{
    fill_feed("api", &status->feed);
    status->state = APP_STOPPED;
    fill_zone(&status->zones[BLUE], ZONE_STOPPED, "2024.1", 3);
    status->zones[BLUE].last_exit = (struct wire_exit){.known = 1, .signalled = 1, .value = 15, .unix_ms = SOME_TIME};
}

static inline void fill_nothing(struct wire_status *status)
{
    (void)status;
}

static const struct {
    const char *name;
    void (*fill)(struct wire_status *status);
} apps[] = {{"api", fill_api}, {"fresh", fill_nothing}, {"web", fill_web}};

enum { APPS = sizeof apps / sizeof *apps };

static inline bool is_app(const char *name)
{
    for (int i = 0; i < APPS; i++) {
        if (strcmp(apps[i].name, name) == 0)
            return true;
    }
    return false;
}

static inline void answer_status(const struct wire_request *request)
{
    for (int i = 0; i < APPS && !fake.empty; i++) {
        if (request->app[0] && strcmp(request->app, apps[i].name) != 0)
            continue;
        struct wire_status status = {.header = head(request, WIRE_STATUS, sizeof status), .live = -1};
        text_copy(status.name, sizeof status.name, apps[i].name);
        apps[i].fill(&status);
        emit(&status, sizeof status);
    }
    end(request, RESULT_DONE, "");
}

static inline void answer_history(const struct wire_request *request)
{
    unsigned limit = request->limit ? request->limit : 50;
    for (unsigned i = 3 - (limit < 3 ? limit : 3); i < 3 && !fake.empty; i++) {
        struct wire_history entry = {
            .header = head(request, WIRE_HISTORY, sizeof entry),
            .sequence = i + 1,
            .begun_unix_ms = SOME_TIME + i * 60000,
            .duration_ms = 2400 + i * 30000,
            .verb = i == 1 ? VERB_ROLLBACK : VERB_DEPLOY,
            .from = i == 0   ? -1
                    : i == 1 ? BLUE
                             : GREEN,
            .to = i == 1 ? GREEN : BLUE,
            .done = i != 2,
        };
        text_copy(entry.app, sizeof entry.app, "web");
        text_copy(entry.release, sizeof entry.release, "v1");
        text_copy(entry.who, sizeof entry.who, "root (uid 0)");
        text_copy(entry.reason, sizeof entry.reason, i == 2 ? "no answer on :8080/healthz within 60 s" : "");
        if (i == 2 && strcmp(request->app, "api") == 0) {
            entry.incident = INCIDENT_MEMORY;
            text_copy(entry.reason, sizeof entry.reason, "the limit of 512 MiB was hit");
        }
        emit(&entry, sizeof entry);
    }
    end(request, RESULT_DONE, "");
}

/* --- operations ----------------------------------------------------------------------------------------- */

static inline void answer_deploy(const struct wire_request *request)
{
    progress(request, "build", -1, 2, "zone made");
    progress(request, "start", -1, 11, "/srv/web/bin/server runs as pid 4720");
    if (strcmp(request->release, "die") == 0)
        exit(0);
    if (strcmp(request->release, "slow") == 0)
        return;
    if (strcmp(request->release, "bad") == 0) {
        end(request, RESULT_FAILED,
            "deploy web bad: release bad did not become healthy within 60 s: HTTP 503 Service Unavailable\n"
            "log: \033[31mno data base\nlog: giving up");
        return;
    }
    progress(request, "health", -1, 412, "1 of 2 passes");
    progress(request, "health", -1, 1412, "2 of 2 passes");
    progress(request, "switch", -1, 1413, "");
    progress(request, "drain", 12, 1500, "");
    progress(request, "drain", 3, 1900, "");
    progress(request, "drain", 0, 2400, "");
    receipt(request, request->release);
    end(request, RESULT_DONE, "");
}

static inline void answer_switch(const struct wire_request *request)
{
    if (strcmp(request->app, "web") != 0 && !(request->flags & WIRE_FORCE)) {
        end(request, RESULT_REFUSED, "no zone is staged: stage a release first");
        return;
    }
    receipt(request, "v2");
    end(request, RESULT_DONE, request->verb == VERB_ROLLBACK ? "the journal cannot be written: No space left" : "");
}

/* web bakes, or runs for ever where the scenario says so; api is idle. */
static inline void answer_attach(const struct wire_request *request)
{
    if (strcmp(request->app, "api") == 0) {
        end(request, RESULT_DONE, "nothing runs on api: it is stopped");
        return;
    }
    progress_wait(request, "bake", 900000, "0 of 40 probes failed");
    if (fake.stays)
        return;
    progress_wait(request, "bake", 900000, "1 of 41 probes failed");
    receipt(request, "v2");
    end(request, RESULT_DONE, "v2 has passed its bake");
}

static inline void answer_operation(const struct wire_request *request)
{
    if (!is_app(request->app))
        end(request, RESULT_NO_SUCH_APP, "no app of this name is configured");
    else if (strcmp(request->app, "fresh") == 0)
        end(request, RESULT_BUSY, "alice (uid 1000) is deploying v3, at step health, since 03:38:00");
    else if (request->verb == VERB_DEPLOY && request->stop_after)
        end(request, RESULT_DONE, request->flags & WIRE_NO_TEST ? "staged without a test" : "staged");
    else if (request->verb == VERB_DEPLOY)
        answer_deploy(request);
    else if (request->verb == VERB_ATTACH)
        answer_attach(request);
    else if (request->verb == VERB_TEST && strcmp(request->app, "api") == 0)
        end(request, RESULT_FAILED, "test api 2024.1: /healthz: HTTP 500, not 200");
    else if (request->verb == VERB_SWITCH || request->verb == VERB_ROLLBACK)
        answer_switch(request);
    else
        end(request, RESULT_DONE, request->verb == VERB_STAGE ? "v9 is staged in green\nand healthy" : "");
}

/* --- feeds ----------------------------------------------------------------------------------------------- */

/* web's is behind, api's is broken. */
static inline void fill_feed(const char *app, struct wire_feed *feed)
{
    bool good = strcmp(app, "web") == 0;
    *feed = (struct wire_feed){.state = good ? FEED_STATE_BEHIND : FEED_STATE_BROKEN,
                               .live = good ? BLUE : -1,
                               .mode = FEED_HTTP,
                               .committed = 12041,
                               .applied = {12041, good ? 12007 : UINT64_MAX},
                               .behind = 34,
                               .behind_ms = 2100,
                               .diverged = good ? 2 : 0,
                               .fed = 12041,
                               .journal_bytes = 12 << 20,
                               .journal_max = 1 << 30,
                               .connections = {7, 0}};
    text_copy(feed->reason, sizeof feed->reason, good ? "" : "the journal is full");
}

static inline void answer_feed(const struct wire_request *request)
{
    struct wire_feed_told told = {.header = head(request, WIRE_FEED, sizeof told)};
    struct wire_feed_item item = {.header = head(request, WIRE_FEED_ITEM, sizeof item),
                                  .kind = 1,
                                  .zone = GREEN,
                                  .sequence = 17,
                                  .unix_ms = SOME_TIME,
                                  .status_live = 201,
                                  .request = "POST /orders",
                                  .live = "{\"id\":7}"};
    fill_feed(request->app, &told.feed);
    if (request->action == WIRE_FEED_STATUS || request->action == WIRE_FEED_VERIFY)
        emit(&told, sizeof told);
    if (request->action == WIRE_FEED_DIFF)
        emit(&item, sizeof item);
    if (request->action == WIRE_FEED_SKIP && request->sequence != 17)
        end(request, RESULT_REFUSED, "transaction 18 is neither in doubt nor diverged");
    else
        end(request, RESULT_DONE, request->action == WIRE_FEED_SKIP ? "17 is left out" : "");
}
