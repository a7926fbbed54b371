/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a crash, an upgrade or a reboot: the folded journal says what was meant, the kernel what is. Running zones are
 * adopted, an interrupted operation is finished if its transaction took place and undone if not, and what a reboot
 * took is built again, the live zone first. What is live never changes by recovery alone.
 */
#include "agent/agent.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_kept(enum zone_state state)
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

static int load_configuration(struct app_zone *zone, struct error *err)
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
        if ((is_kept(zone->state) || zone->state == ZONE_STOPPED) && load_configuration(zone, err) < 0) {
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
    return verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK || verb == VERB_START ||
           verb == VERB_FAILOVER;
}

/* The transaction took place although the journal could not say so any more. False: nobody knows what that zone
 * serves. */
static bool finish_switch(struct app *app, enum colour to)
{
    struct error err = {0};
    if (!app->zones[to].service && load_configuration(zone_of(app, to), &err) < 0) {
        log_error("%s/%s: %s; what was live before is live again", app->name, colour_name(to), err.text);
        return false;
    }
    log_notice("%s: the switch to %s (%s) had taken place before the agent ended; it is finished", app->name,
               colour_name(to), app->zones[to].release);
    app->live = to;
    app->state = APP_RUNNING;
    record_live(app, NULL);
    record_app_state(app, NULL);
    return true;
}

static void correct(struct app_zone *zone, enum zone_state state)
{
    if (zone->state == state)
        return;
    zone->state = state;
    zone->since_unix_ms = clock_unix_ms();
    record_zone(zone);
}

static bool zone_had_turn(const struct app_zone *zone)
{
    return zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY || zone->state == ZONE_STOPPED;
}

/* The zones' states follow from the app's, also where some of their records could not be written. */
static void correct_zones(struct app *app)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        bool live = app->state == APP_RUNNING && colour == app->live;
        if (live && zone->service)
            correct(zone, ZONE_LIVE);
        else if (!live && app_holds(app) && app->state == APP_RUNNING && zone_had_turn(zone))
            correct(zone, ZONE_RESTING); /* the two are never started both */
        else if (!live && zone->state == ZONE_LIVE && app->state == APP_RUNNING)
            correct(zone, ZONE_DRAINING);
        else if (app->state == APP_STOPPED && is_kept(zone->state))
            correct(zone, ZONE_STOPPED);
    }
}

/* A zone that was only staged when the agent died goes, with the reason. One whose place was to be taken stays. */
static void undo_staging(struct app *app, enum colour target)
{
    struct app_zone *zone = zone_of(app, target);
    bool staged = zone->state == ZONE_STAGING || zone->state == ZONE_STARTING || zone->state == ZONE_HEALTHY ||
                  zone->state == ZONE_UNHEALTHY;
    bool not_ours = app->operation.verb == VERB_SCHEMA && zone->state != ZONE_STAGING; /* it was there before */
    if (!staged || not_ours || (int)target == app->live)
        return;
    zone_set_reason(zone, "the agent ended while %s was being deployed", zone->release);
    zone->state = ZONE_FAILED;
    record_zone(zone);
}

/* When the operation began, by the monotonic clock: below zero, modulo, if the host was booted since then. */
static uint64_t begun_ms_of(uint64_t begun_unix_ms)
{
    uint64_t now = clock_unix_ms();
    return clock_monotonic_ms() - (now > begun_unix_ms ? now - begun_unix_ms : 0);
}

static void restore_operation(struct app *app, const struct folded_app *folded)
{
    const struct record *operation = &folded->operation;
    app->operation = (struct operation){.verb = operation->verb,
                                        .number = operation->operation,
                                        .target = (enum colour)operation->to,
                                        .from = operation->from,
                                        .begun_unix_ms = operation->unix_ms,
                                        .begun_ms = begun_ms_of(operation->unix_ms)};
    text_copy(app->operation.release, sizeof app->operation.release, operation->release);
    text_copy(app->operation.who, sizeof app->operation.who, operation->who);
    if (operation->verb == VERB_ROLLBACK && folded->bake.until_unix_ms && (int)folded->bake.zone == operation->from)
        text_copy(app->operation.reason, sizeof app->operation.reason, folded->bake.reason);
    if (operation->verb == VERB_FAILOVER && operation->from >= 0)
        text_copy(app->operation.reason, sizeof app->operation.reason, folded->zones[operation->from].mark_reason);
}

/* The standby of a rehearsal serves: the rest of the plan is the way back, taken when the zones are there again. */
static bool resume_rehearsal(struct app *app, int kernel_live)
{
    struct operation *operation = &app->operation;
    bool there = app->state == APP_RUNNING && operation->from >= 0 &&
                 (kernel_live == (int)operation->target || (kernel_live < 0 && app->live == (int)operation->target));
    if (operation->verb != VERB_REHEARSE || !there || !is_kept(app->zones[operation->from].state) ||
        (app->live != (int)operation->target && !finish_switch(app, operation->target)))
        return false;
    operation->plan = plan_of(VERB_REHEARSE);
    while (operation->plan[operation->at] != STEP_REHEARSE)
        operation->at++;
    text_copy(operation->failure, sizeof operation->failure, "the agent ended in the middle of it");
    return true;
}

/* Anything of a zone that should not be there: its processes, its links. */
static void clean(struct app_zone *zone)
{
    struct zone_id id;
    struct error err = {0};
    zone_id_of(zone, &id);
    if (zone_clean(zone->app->agent->zone_host, &id, &err) < 0)
        log_warning("%s/%s: remove what was left: %s", id.app, colour_name(id.colour), err.text);
}

/* stop and remove are finished, not undone: the operator wanted it, and half of it may have happened. */
static void finish_stop(struct app *app, enum wire_verb verb)
{
    if (verb == VERB_STOP)
        app->state = APP_STOPPED;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        bool keep = verb == VERB_STOP &&
                    (zone->state == ZONE_LIVE || zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING ||
                     zone->state == ZONE_FROZEN || zone->state == ZONE_STOPPED || zone->state == ZONE_RESTING);
        zone->state = keep ? ZONE_STOPPED : zone->state == ZONE_FAILED ? ZONE_FAILED : ZONE_ABSENT;
        record_zone(zone);
    }
    if (verb == VERB_STOP) {
        record_app_state(app, NULL);
        return;
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        clean(&app->zones[colour]);
        app->zones[colour].release[0] = app->zones[colour].reason[0] = '\0';
    }
    if (app_forget(app, NULL) == 0)
        return;
    app->live = -1;
    app->state = APP_EMPTY;
}

static void resolve_operation(struct app *app, const struct folded_app *folded, int kernel_live)
{
    const struct record *operation = &folded->operation;
    if (!folded->interrupted || operation->to < 0)
        return;
    restore_operation(app, folded);
    if (resume_rehearsal(app, kernel_live) || hold_resume(app, folded, kernel_live))
        return;
    bool recorded = app->live == operation->to && app->state == APP_RUNNING;
    bool switched = can_switch(operation->verb) && (kernel_live == operation->to || recorded) &&
                    finish_switch(app, (enum colour)operation->to);
    if (!switched && plan_undoes_staging(operation->verb))
        undo_staging(app, (enum colour)operation->to);
    if (switched && operation->verb == VERB_FAILOVER && operation->from >= 0)
        zone_set_mark(zone_of(app, (enum colour)operation->from), MARK_LEFT, app->operation.reason);
    bool shared = folded->canary.share > 0 && folded->canary.operation == app->operation.number;
    if (shared)
        snprintf(app->operation.reason, sizeof app->operation.reason, "canary %u%%", folded->canary.share);
    bool stopping = operation->verb == VERB_STOP || operation->verb == VERB_REMOVE;
    if (stopping)
        finish_stop(app, operation->verb);
    /* Only its END is missing. */
    bool schema_done = operation->verb == VERB_SCHEMA && schema_completed_since(&folded->schema, operation->unix_ms);
    bool finished = switched || stopping || shared || schema_done;
    bool bad = switched && folded->bake.until_unix_ms && (int)folded->bake.zone == operation->to;
    const char *breach = bad && folded->bake.reason[0] ? folded->bake.reason : NULL; /* it failed behind its switch */
    record_end(app, finished && !breach, finished ? breach : "the agent ended before it was done; it was undone");
    if (switched && !breach)
        hook_tell(app); /* it runs when the zone is there again */
    log_notice("%s: \"%s %s\" was interrupted and is now %s", app->name, verb_name(operation->verb), operation->release,
               finished ? "finished" : "undone");
    app->operation = (struct operation){.number = switched ? app->operation.number : 0}; /* its drain has it */
}

static int read_kernel_live(struct app *app)
{
    struct error err = {0};
    int live = -1;
    if (traffic_read_live(app->agent->traffic, app->name, &live, &err) < 0)
        log_warning("%s: what the kernel has live: %s; the journal is believed", app->name, err.text);
    return live;
}

/* What the journal and the kernel have to say, made one. */
static void resolve(struct app *app, const struct folded_app *folded)
{
    int kernel_live = read_kernel_live(app);
    schema_recover(app, &folded->schema);
    resolve_operation(app, folded, kernel_live);
    if (app->operation.back)
        return;
    /* A rollback may have gone ahead without a journal. */
    if (app->state == APP_RUNNING && kernel_live >= 0 && kernel_live != app->live &&
        is_kept(app->zones[kernel_live].state))
        finish_switch(app, (enum colour)kernel_live);
    correct_zones(app);
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
    if (!hold && (!is_kept(zone->state) || (zone->state == ZONE_RESTING && !pull_plug(zone)))) {
        clean(zone);
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
        clean(zone);
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
    return is_kept(zone->state) && (!zone->kernel || never_executed(zone));
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
        resolve(app, folded);
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
