/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The apps the agent knows: those configured, and those that still have zones. */
#include "agent/apps.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/feeding.h"
#include "agent/groups.h"
#include "agent/holding.h"
#include "agent/hooks.h"
#include "agent/keeping.h"
#include "agent/kept.h"
#include "agent/operations.h"
#include "agent/probing.h"
#include "agent/records.h"
#include "agent/rehearse.h"
#include "agent/releases.h"
#include "agent/replies.h"
#include "agent/schema.h"
#include "agent/status.h"
#include "agent/waiting.h"
#include "agent/workers.h"
#include "agent/zones.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct app *app_find(struct agent *agent, const char *name)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        if (strcmp(app->name, name) == 0)
            return app;
    }
    return NULL;
}

static bool index_taken(struct agent *agent, uint16_t index)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        if (app->index == index)
            return true;
    }
    return false;
}

static int lowest_free_index(struct agent *agent, uint16_t *index, struct error *err)
{
    uint16_t capacity = address_plan_capacity(&agent->conf.pools);
    for (uint16_t i = 0; zone_number(i, GREEN) <= capacity; i++) {
        if (!index_taken(agent, i)) {
            *index = i;
            return 0;
        }
    }
    return error_set(err, ENOSPC,
                     "the address pools have room for %u zones and all are taken; enlarge [network] in bluegreen.conf",
                     capacity);
}

static void on_step_timer(void *context)
{
    operation_event(context, EVENT_EXPIRED, NULL);
}

static bool make_timers(struct app *app)
{
    struct loop *loop = app->agent->loop;
    app->step_timer = loop_timer_new(loop, on_step_timer, app);
    app->workers_timer = loop_timer_new(loop, on_workers_timer, app);
    app->hooks_timer = loop_timer_new(loop, on_hooks_timer, app);
    bool made = app->step_timer && app->workers_timer && app->hooks_timer;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        zone->drain_timer = loop_timer_new(loop, on_drain_timer, zone);
        zone->checks_timer = loop_timer_new(loop, on_probe_timer, zone);
        made = made && zone->drain_timer && zone->checks_timer;
    }
    return made;
}

static void free_timers(struct app *app)
{
    loop_timer_free(app->step_timer);
    loop_timer_free(app->workers_timer);
    loop_timer_free(app->hooks_timer);
    for (int colour = 0; colour < COLOURS; colour++) {
        loop_timer_free(app->zones[colour].drain_timer);
        loop_timer_free(app->zones[colour].checks_timer);
    }
}

int app_get(struct agent *agent, const char *name, struct app **out, struct error *err)
{
    struct app *app = app_find(agent, name);
    if (app) {
        *out = app;
        return 0;
    }
    uint16_t index = 0;
    int result = lowest_free_index(agent, &index, err);
    if (result < 0)
        return result;
    app = calloc(1, sizeof *app);
    if (!app)
        return error_errno(err, ENOMEM, "add app %s", name);
    *app = (struct app){.agent = agent, .index = index, .live = -1, .held = -1, .state = APP_EMPTY};
    text_copy(app->name, sizeof app->name, name);
    for (int colour = 0; colour < COLOURS; colour++) {
        app->zones[colour].app = app;
        app->zones[colour].colour = (enum colour)colour;
    }
    list_init(&app->hooks);
    list_init(&app->release_jobs);
    if (!make_timers(app)) {
        free_timers(app);
        free(app);
        return error_errno(err, ENOMEM, "add app %s", name);
    }
    list_append(&agent->apps, &app->link);
    *out = app;
    return 0;
}

void app_free(struct app *app)
{
    requests_end(app, WAIT_OPERATION, RESULT_FAILED, NULL, "the agent is going down");
    requests_end(app, WAIT_DRAIN, RESULT_FAILED, NULL, "the agent is going down");
    requests_end(app, WAIT_BAKE, RESULT_FAILED, NULL, "the agent is going down; the bake goes on when it is back");
    status_app_goes(app);
    changed(app->agent);
    group_left(app->operation.group, app);
    releases_dispose(app);
    hooks_dispose(app);
    bake_dispose(app);
    canary_dispose(app);
    keeping_dispose(app);
    rehearse_dispose(app);
    hold_dispose(app);
    schema_dispose(app);
    feeding_dispose(app);
    for (int colour = 0; colour < COLOURS; colour++)
        zone_dispose(&app->zones[colour]);
    free_timers(app);
    service_free(app->service);
    list_remove(&app->link);
    free(app);
}

bool app_is_empty(const struct app *app)
{
    if (operation_running(app) || app->indexed)
        return false;
    for (int colour = 0; colour < COLOURS; colour++) {
        if (app->zones[colour].state != ZONE_ABSENT || zone_busy(&app->zones[colour]))
            return false;
    }
    return true;
}

int app_forget(struct app *app, struct error *err)
{
    struct record record;
    struct error unseen = {0};
    for (int colour = 0; colour < COLOURS; colour++) { /* first: nobody looks for what is left of an unknown app */
        char path[PATH_MAX];
        zone_directory(&app->zones[colour], path, sizeof path);
        if (directory_remove(path, &unseen) < 0)
            log_warning("%s: %s", app->name, unseen.text);
    }
    feeding_forget(app);
    record_init(&record, RECORD_REMOVED, app->name);
    app->indexed = false; /* nothing more may be said of it */
    int result = agent_record(app->agent, &record, err);
    app->indexed = result < 0;
    if (result < 0)
        return result;
    app->live = -1;
    app->state = APP_EMPTY;
    app->schema = (struct schema){0};
    return 0;
}

static int check_against(const struct app *other, const struct service *theirs, const struct service *ours,
                         struct error *err)
{
    const struct port *port, *taken;
    for (size_t i = 0; (port = service_claim(ours, i)); i++) {
        for (size_t j = 0; (taken = service_claim(theirs, j)); j++) {
            if (!port_conflicts(port, taken))
                continue;
            char listen[PORT_LISTEN_TEXT_MAX], place[PORT_PLACE_MAX], their_place[PORT_PLACE_MAX];
            return error_set(err, EADDRINUSE,
                             "%s.conf: %s: %s/%s is already published by app %s (its %s); choose another port or "
                             "remove that app",
                             ours->name, port_place(ours, port, place), port_listen_format(port, listen),
                             protocol_name(port->protocol), other->name, port_place(theirs, taken, their_place));
        }
    }
    return 0;
}

int app_check_ports(struct app *app, const struct service *service, struct error *err)
{
    struct app *other;
    list_for_each(other, &app->agent->apps, link)
    {
        if (other == app)
            continue;
        for (int colour = 0; colour < COLOURS; colour++) {
            const struct service *theirs = other->zones[colour].service;
            int result = theirs ? check_against(other, theirs, service, err) : 0;
            if (result < 0)
                return result;
        }
        int result = other->service ? check_against(other, other->service, service, err) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}
