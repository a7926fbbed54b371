/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a crash, an upgrade or a reboot: the folded journal says what was meant, the kernel what is. Running zones are
 * adopted, what was under way is settled (recovery_operations.c), and what a reboot took is built again, the live zone
 * first. What is live never changes by recovery alone.
 */
#include "agent/recovery.h"

#include "agent/apps.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/freezing.h"
#include "agent/groups.h"
#include "agent/holding.h"
#include "agent/host.h"
#include "agent/kept.h"
#include "agent/launching.h"
#include "agent/operations.h"
#include "agent/probing.h"
#include "agent/records.h"
#include "agent/releases.h"
#include "agent/routing.h"
#include "agent/serving.h"
#include "agent/steps.h"
#include "agent/workers.h"
#include "agent/zones.h"
#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool recovery_keeps(enum zone_state state)
{
    return state == ZONE_LIVE || state == ZONE_DRAINING || state == ZONE_STANDBY || state == ZONE_FROZEN ||
           state == ZONE_HEALTHY || state == ZONE_UNHEALTHY || state == ZONE_RESTING;
}

/* The next best is what the file says today: a zone that serves is not given up for a kept file that was lost. */
static int take_todays_configuration(struct app_zone *zone, struct error *err)
{
    char path[PATH_MAX];
    CLEANUP_WORDS struct words problems = {0};
    struct service *service = calloc(1, sizeof *service);
    snprintf(path, sizeof path, "%s/apps/%s.conf", zone->app->agent->options.config_dir, zone->app->name);
    if (!service || conf_load_app(path, service, &problems) < 0) {
        service_free(service);
        return error_suffix(err, "; and %s: %s", path, problems.count ? problems.items[0] : "out of memory");
    }
    log_warning("%s/%s: %s; it goes on with %s as it is today", zone->app->name, colour_name(zone->colour), err->text,
                path);
    zone->service = service;
    if (zone_keep_configuration(zone, service, err) < 0)
        log_warning("%s", err->text);
    return 0;
}

int recovery_load_configuration(struct app_zone *zone, struct error *err)
{
    int result = zone_load_configuration(zone, err);
    return result < 0 ? take_todays_configuration(zone, err) : 0;
}

static int restore_app(struct agent *agent, const struct folded_app *folded, struct app **out, struct error *err)
{
    int result = app_get(agent, folded->name, out, err);
    if (result < 0)
        return result;
    struct app *app = *out;
    app->index = folded->index;
    app->indexed = true;
    app->state = folded->state;
    app->live = folded->live;
    app->lock.since_unix_ms = folded->lock.since_unix_ms;
    text_copy(app->lock.who, sizeof app->lock.who, folded->lock.who);
    text_copy(app->lock.reason, sizeof app->lock.reason, folded->lock.reason);
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        const struct folded_zone *from = &folded->zones[colour];
        zone->state = from->state;
        bool absent = zone->state == ZONE_ABSENT; /* the record of its removal still named what was removed */
        text_copy(zone->release, sizeof zone->release, absent ? "" : from->release);
        text_copy(zone->reason, sizeof zone->reason, from->reason);
        zone->expired = absent && from->reason[0];
        zone->since_unix_ms = from->since_unix_ms;
        zone->mark = from->mark;
        text_copy(zone->mark_reason, sizeof zone->mark_reason, from->mark_reason);
        if ((recovery_keeps(zone->state) || zone->state == ZONE_STOPPED) &&
            recovery_load_configuration(zone, err) < 0) {
            log_error("%s/%s: %s; the zone is given up", app->name, colour_name(zone->colour), err->text);
            zone->state = ZONE_FAILED;
            zone_set_reason(zone, "%s", err->text);
        }
    }
    return 0;
}

void recovery_clean(struct app_zone *zone)
{
    struct zone_id id;
    struct error err = {0};
    zone_id_of(zone, &id);
    if (zone_clean(zone->app->agent->zone_host, &id, &err) < 0)
        log_warning("%s/%s: remove what was left: %s", id.app, colour_name(id.colour), err.text);
}

/* --- zones ----------------------------------------------------------------------------------------- */

/* A hold's, of an agent that ended: clients get in where the release is live. Another zone is no good to anybody: what
 * waits there would be refused. */
static bool pull_plug(struct app_zone *zone)
{
    struct zone_id id;
    struct error err = {0};
    zone_id_of(zone, &id);
    if (zone->app->operation.back || !zone_plugged(zone->app->agent->zone_host, &id))
        return true;
    if (zone->state != ZONE_LIVE || !zone->kernel)
        return false;
    if (zone_unplug(zone->kernel, &err) < 0)
        log_error("%s/%s: %s", id.app, colour_name(id.colour), err.text);
    log_notice("%s/%s: clients waited for %s and are let in", id.app, colour_name(id.colour), zone->release);
    return true;
}

/* Nobody is there, or nobody who answers as a shim does. All else says nothing of the zone. */
static bool is_gone(int code)
{
    return code == -ENOENT || code == -EPIPE || code == -EPROTO || code == -ETIMEDOUT;
}

/* Fails if nobody could say whether the zone is there: what serves is not made anew for want of a descriptor. */
static int adopt(struct app_zone *zone, struct error *failure)
{
    struct error err = {0};
    bool hold = zone->app->operation.back && zone->service; /* also one that had not been started */
    if (!hold && (!recovery_keeps(zone->state) || (zone->state == ZONE_RESTING && !pull_plug(zone)))) {
        recovery_clean(zone);
        return 0;
    }
    int result = zone_adopt_running(zone, &err);
    if (result == 0) {
        int pid = (int)zone_app(zone->kernel)->pid;
        log_info("%s/%s: %s is adopted, pid %d%s", zone->app->name, colour_name(zone->colour), zone->release, pid,
                 pid ? "" : ": it does not run at the moment");
        freezing_adopt(zone);
        pull_plug(zone);
        if (zone_set_live(zone->kernel, zone->state == ZONE_LIVE, &err) < 0)
            log_warning("%s/%s: %s", zone->app->name, colour_name(zone->colour), err.text);
        return 0;
    }
    if (!is_gone(result)) {
        *failure = err;
        return error_suffix(failure, "; zones and traffic go on, start the agent again");
    }
    if (result != -ENOENT)
        log_warning("%s/%s: adopt: %s", zone->app->name, colour_name(zone->colour), err.text);
    if (!hold && (zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY)) {
        zone_set_reason(zone, "it was staged when the host or its shim went down");
        zone->state = ZONE_FAILED;
        record_zone(zone);
        recovery_clean(zone);
    }
    return 0;
}

/* The agent ended between making the zone and executing its app: as good as lost. */
static bool never_executed(const struct app_zone *zone)
{
    const struct zone_app *app = zone_app(zone->kernel);
    return app->pid == 0 && !app->exited && app->restarts == 0;
}

/* An app that runs has no stopped zone: its start was cut short before it came to that one. */
static bool needs_rebuild(const struct app_zone *zone)
{
    if (zone->state == ZONE_STOPPED)
        return zone->app->state == APP_RUNNING;
    if (zone->state == ZONE_RESTING)
        return false;
    return recovery_keeps(zone->state) && (!zone->kernel || never_executed(zone));
}

static void bring_back(struct app_zone *zone)
{
    bool rests = zone->state == ZONE_RESTING || (zone->app->operation.back && zone->state != ZONE_LIVE);
    if (rests && !zone->app->operation.back && zone->kernel && zone_app(zone->kernel)->pid)
        zone_change(zone, CHANGE_REST);
    if (rests)
        return;
    if (needs_rebuild(zone)) {
        zone_change(zone, CHANGE_RESTORE);
    } else if (zone->kernel && zone->state != ZONE_FROZEN) {
        probing_start(zone);
        zone->tracker.gate_reached = zone->state == ZONE_LIVE; /* before there was this agent */
    }
}

/* RUN/zones/APP.COLOUR of apps that the journal does not know (it was lost, or another instance's remove was cut
 * short). */
static void report_strays(struct agent *agent)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/zones", agent->options.run_dir);
    CLEANUP_DIR DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char *dot = strrchr(entry->d_name, '.');
        if (entry->d_name[0] == '.' || !dot)
            continue;
        *dot = '\0';
        if (!app_find(agent, entry->d_name))
            log_warning(
                "zone %s/%s is there but the journal does not know its app; \"bluegreend --teardown\" removes it",
                entry->d_name, dot + 1);
    }
}

int recover(struct agent *agent, const struct fold *fold, struct error *err)
{
    struct app *app;
    for (size_t i = 0; i < fold->count; i++) {
        const struct folded_app *folded = &fold->apps[i];
        int result = restore_app(agent, folded, &app, err);
        if (result < 0)
            return result;
    }
    groups_recover(agent, fold);
    for (size_t i = 0; i < fold->count; i++) {
        const struct folded_app *folded = &fold->apps[i];
        app = app_find(agent, folded->name);
        recovery_resolve(app, folded);
        int result = adopt(&app->zones[BLUE], err);
        if (result == 0)
            result = adopt(&app->zones[GREEN], err);
        if (result < 0)
            return result;
        if (app->operation.back)
            hold_recover(app);
        serving_recover(app, folded);
        bake_recover(app, folded);
        drains_recover(app, folded);
        canary_recover(app, folded);
        releases_recover(app, folded);
    }
    int result = routing_apply(agent, NULL, err);
    if (result < 0)
        return error_prefix(err, "load the rule set");
    host_firewall_accept(agent);
    host_firewall_changed(agent);
    list_for_each(app, &agent->apps, link) egress_cut(app);
    list_for_each(app, &agent->apps, link)
    {
        if (app->live >= 0 && app->state == APP_RUNNING)
            bring_back(&app->zones[app->live]);
    }
    list_for_each(app, &agent->apps, link)
    {
        for (int colour = 0; colour < COLOURS; colour++) {
            if (colour != app->live || app->state != APP_RUNNING)
                bring_back(&app->zones[colour]);
        }
        workers_schedule(app);
        feeding_recover(app);
        if (operation_step(app) == STEP_REHEARSE)
            step_enter(app, STEP_REHEARSE);
        if (operation_step(app) == STEP_BACK_HOLD)
            step_enter(app, STEP_BACK_HOLD);
    }
    report_strays(agent);
    return 0;
}
