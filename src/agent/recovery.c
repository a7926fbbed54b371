/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a crash, an upgrade or a reboot: the folded journal says what was meant, the kernel what is. Running zones are
 * adopted, an interrupted operation is finished if its transaction took place and undone if not, and what a reboot
 * took is built again, the live zone first. What is live never changes by recovery alone.
 */
#include "agent/agent.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool is_kept(enum zone_state state)
{
    return state == ZONE_LIVE || state == ZONE_DRAINING || state == ZONE_STANDBY || state == ZONE_FROZEN ||
           state == ZONE_HEALTHY || state == ZONE_UNHEALTHY;
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
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        const struct folded_zone *from = &folded->zones[colour];
        zone->state = from->state;
        text_copy(zone->release, sizeof zone->release, from->release);
        text_copy(zone->reason, sizeof zone->reason, from->reason);
        if ((is_kept(zone->state) || zone->state == ZONE_STOPPED) && zone_load_configuration(zone, err) < 0) {
            log_error("%s/%s: %s; the zone is given up", app->name, colour_name(zone->colour), err->text);
            zone->state = ZONE_FAILED;
            zone_set_reason(zone, "%s", err->text);
        }
    }
    return 0;
}

/* --- the interrupted operation ------------------------------------------------------------------ */

static bool can_switch(enum wire_verb verb)
{
    return verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK || verb == VERB_START;
}

/* The transaction took place although the journal could not say so any more. */
static void finish_switch(struct app *app, const struct record *operation)
{
    enum colour to = (enum colour)operation->to;
    log_notice("%s: the switch to %s (%s) had taken place before the agent ended; it is finished", app->name,
               colour_name(to), operation->release);
    app->live = to;
    app->state = APP_RUNNING;
    app->zones[to].state = ZONE_LIVE;
    record_live(app, NULL);
    record_app_state(app, NULL);
    record_zone(&app->zones[to]);
    struct app_zone *old = zone_of(app, colour_other(to));
    if (old->state == ZONE_LIVE) {
        old->state = ZONE_DRAINING;
        record_zone(old);
    }
}

/* A zone that was only staged when the agent died goes, with the reason. */
static void undo_staging(struct app *app, enum colour target)
{
    struct app_zone *zone = zone_of(app, target);
    if (zone->state == ZONE_ABSENT || zone->state == ZONE_FAILED || (int)target == app->live)
        return;
    zone_set_reason(zone, "the agent ended while %s was being deployed", zone->release);
    zone->state = ZONE_FAILED;
    record_zone(zone);
}

static void resolve_operation(struct app *app, const struct folded_app *folded)
{
    const struct record *operation = &folded->operation;
    struct error err = {0};
    int kernel_live = -1;
    if (!folded->interrupted || operation->to < 0)
        return;
    app->operation = (struct operation){.verb = operation->verb,
                                        .target = (enum colour)operation->to,
                                        .from = operation->from,
                                        .begun_unix_ms = operation->unix_ms};
    text_copy(app->operation.release, sizeof app->operation.release, operation->release);
    text_copy(app->operation.who, sizeof app->operation.who, operation->who);
    if (traffic_read_live(app->agent->traffic, app->name, &kernel_live, &err) < 0)
        log_warning("%s: what the kernel has live: %s; the journal is believed", app->name, err.text);
    bool recorded = app->live == operation->to && app->state == APP_RUNNING;
    bool switched = can_switch(operation->verb) && (kernel_live == operation->to || recorded);
    if (switched)
        finish_switch(app, operation);
    else if (plan_undoes_staging(operation->verb))
        undo_staging(app, (enum colour)operation->to);
    bool finished = switched || operation->verb == VERB_STOP || operation->verb == VERB_REMOVE;
    record_end(app, finished, finished ? NULL : "the agent ended before it was done; it was undone");
    log_notice("%s: \"%s %s\" was interrupted and is now %s", app->name, verb_name(operation->verb), operation->release,
               finished ? "finished" : "undone");
    app->operation = (struct operation){0};
}

/* stop and remove are finished, not undone: the operator wanted it, and half of it may have happened. */
static void finish_stop(struct app *app, enum wire_verb verb)
{
    if (verb == VERB_STOP)
        app->state = APP_STOPPED;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        bool keep = verb == VERB_STOP && (zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY ||
                                          zone->state == ZONE_DRAINING || zone->state == ZONE_STOPPED);
        zone->state = keep ? ZONE_STOPPED : zone->state == ZONE_FAILED ? ZONE_FAILED : ZONE_ABSENT;
        record_zone(zone);
    }
    if (verb == VERB_STOP) {
        record_app_state(app, NULL);
        return;
    }
    struct record record;
    record_init(&record, RECORD_REMOVED, app->name);
    if (agent_record(app->agent, &record, NULL) == 0) {
        app->indexed = false;
        app->live = -1;
        app->state = APP_EMPTY;
    }
}

/* --- zones ----------------------------------------------------------------------------------------- */

/* Anything of a zone that should not be there: its processes, its links. */
static void clean(struct app_zone *zone)
{
    struct zone_id id;
    struct error err = {0};
    zone_id_of(zone, &id);
    if (zone_clean(zone->app->agent->zone_host, &id, &err) < 0)
        log_warning("%s/%s: remove what was left: %s", id.app, colour_name(id.colour), err.text);
}

static void adopt(struct app_zone *zone)
{
    struct error err = {0};
    if (!is_kept(zone->state)) {
        clean(zone);
        return;
    }
    int result = zone_adopt_running(zone, &err);
    if (result == 0) {
        log_info("%s/%s: %s runs and is adopted, pid %d", zone->app->name, colour_name(zone->colour), zone->release,
                 (int)zone_app(zone->kernel)->pid);
        return;
    }
    if (result != -ENOENT)
        log_warning("%s/%s: adopt: %s", zone->app->name, colour_name(zone->colour), err.text);
    if (zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY) {
        zone_set_reason(zone, "it was staged when the host or its shim went down");
        zone->state = ZONE_FAILED;
        record_zone(zone);
        clean(zone);
    }
}

/* The app may have died before it was ever executed (the agent ended between the two): then it is as good as lost. */
static bool needs_rebuild(const struct app_zone *zone)
{
    return is_kept(zone->state) && !zone->kernel;
}

static void bring_back(struct app_zone *zone)
{
    if (needs_rebuild(zone))
        zone_change(zone, CHANGE_RESTORE);
    else if (zone->kernel)
        probing_start(zone);
    if (zone->state == ZONE_DRAINING && zone->kernel)
        drain_start(zone);
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
        resolve_operation(app, folded);
        if (folded->interrupted && (folded->operation.verb == VERB_STOP || folded->operation.verb == VERB_REMOVE))
            finish_stop(app, folded->operation.verb);
        adopt(&app->zones[BLUE]);
        adopt(&app->zones[GREEN]);
    }
    int result = routing_apply(agent, NULL, err);
    if (result < 0)
        return error_prefix(err, "load the rule set");
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
    }
    report_strays(agent);
    return 0;
}
