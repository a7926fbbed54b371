/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients ask for: rights, refusals with their reason, and the start of what is granted. */
#include "agent/agent.h"

#include "conf/resolve.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_DEFAULT = 50, HISTORY_MAX = 1000 };

struct asked {
    struct agent *agent;
    const struct wire_request *request;
    struct client *client;
};

void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text)
{
    static struct wire_end message;
    message = (struct wire_end){.result = result};
    text_copy(message.text, sizeof message.text, text ? text : "");
    client_send(agent, &message, client, id, WIRE_END, sizeof message);
}

static void answer(const struct asked *asked, enum wire_result result, const char *text)
{
    reply_end(asked->agent, asked->request->header.client, asked->request->header.request, result, text);
}

void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text)
{
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app != app || request->wait != wait)
            continue;
        if (receipt) {
            struct wire_receipt message = *receipt;
            client_send(app->agent, &message, request->client, request->id, WIRE_RECEIPT, sizeof message);
        }
        reply_end(app->agent, request->client, request->id, result, text);
        list_remove(&request->link);
        free(request);
    }
}

void requests_move_to_drain(struct app *app)
{
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app == app && request->wait == WAIT_OPERATION)
            request->wait = WAIT_DRAIN;
    }
}

void requests_of_client_gone(struct agent *agent, uint64_t client)
{
    struct request *request;
    list_for_each(request, &agent->requests, link)
    {
        if (client == 0 || request->client == client) { /* 0: the api role died, all of them are gone */
            list_remove(&request->link);
            free(request);
        }
    }
}

static bool wait_for(const struct asked *asked, struct app *app, enum request_wait wait)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request) {
        answer(asked, RESULT_FAILED, "out of memory; try again");
        return false;
    }
    *request = (struct request){
        .client = asked->request->header.client, .id = asked->request->header.request, .app = app, .wait = wait};
    list_append(&asked->agent->requests, &request->link);
    return true;
}

/* --- what may begin, and on which zone ------------------------------------------------------------ */

static enum wire_result refuse(struct error *err, enum wire_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum wire_result refuse(struct error *err, enum wire_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return result;
}

static enum wire_result admit_busy(const struct app *app, struct error *err)
{
    const struct operation *operation = &app->operation;
    if (!operation_running(app))
        return RESULT_DONE;
    return refuse(err, RESULT_BUSY,
                  "%s is busy: %s is doing \"%s %s\" (step %s, since %llu s); wait for it, or \"bluegreen abort %s\"",
                  app->name, operation->who, verb_name(operation->verb), operation->release,
                  step_name(operation_step(app)),
                  (unsigned long long)(clock_monotonic_ms() - operation->begun_ms) / 1000, app->name);
}

static enum wire_result admit_staging(struct app *app, const struct wire_request *request, enum colour *target,
                                      struct error *err)
{
    *target = app->live >= 0 ? colour_other((enum colour)app->live) : BLUE;
    const struct app_zone *zone = zone_of(app, *target);
    if (app->state == APP_STOPPED)
        return refuse(err, RESULT_REFUSED, "%s is stopped; \"bluegreen start %s\" first, or \"bluegreen remove %s\"",
                      app->name, app->name, app->name);
    if (zone->state == ZONE_DRAINING && !(request->flags & WIRE_FORCE))
        return refuse(
            err, RESULT_BUSY,
            "zone %s of %s is still draining %u connections of the last switch; \"bluegreen drain %s\" waits for "
            "them, --force ends them",
            colour_name(*target), app->name, zone->drain.last, app->name);
    if (app_check_ports(app, app->service, err) < 0)
        return RESULT_REFUSED;
    /* A release that cannot start must not cost the standby its place. */
    CLEANUP_RESOLVED struct resolved resolved = {0};
    if (service_resolve(app->service, request->release, *target, &resolved, err) < 0) {
        error_prefix(err, "%s/apps/%s.conf", app->agent->options.config_dir, app->name);
        return RESULT_INVALID;
    }
    return RESULT_DONE;
}

static enum wire_result admit_switch(struct app *app, bool rollback, enum colour *target, struct error *err)
{
    if (app->state == APP_STOPPED)
        return refuse(err, RESULT_REFUSED, "%s is stopped; \"bluegreen start %s\" first", app->name, app->name);
    if (app->live < 0)
        *target = app->zones[BLUE].state == ZONE_ABSENT || app->zones[BLUE].state == ZONE_FAILED ? GREEN : BLUE;
    else
        *target = colour_other((enum colour)app->live);
    const struct app_zone *zone = zone_of(app, *target);
    bool was_live = zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING;
    bool staged = zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY;
    if (rollback && staged)
        return refuse(err, RESULT_REFUSED,
                      "zone %s of %s holds %s, which was never live, so there is nothing to roll back to; "
                      "\"bluegreen switch %s\" makes it live",
                      colour_name(*target), app->name, zone->release, app->name);
    if (!was_live && !staged)
        return refuse(err, RESULT_REFUSED,
                      "there is nothing to switch to: zone %s of %s is %s%s%s; stage or deploy a release first",
                      colour_name(*target), app->name, zone_state_name(zone->state), zone->reason[0] ? ": " : "",
                      zone->reason);
    return RESULT_DONE;
}

static enum wire_result admit_start(struct app *app, enum colour *target, struct error *err)
{
    if (app->state == APP_RUNNING)
        return refuse(err, RESULT_REFUSED, "%s runs already", app->name);
    if (app->live < 0 || app->zones[app->live].state != ZONE_STOPPED)
        return refuse(err, RESULT_REFUSED, "%s has no release to start; \"bluegreen remove %s\", then deploy one",
                      app->name, app->name);
    if (zone_busy(&app->zones[BLUE]) || zone_busy(&app->zones[GREEN]))
        return refuse(err, RESULT_BUSY, "%s is still being stopped; try again in a moment", app->name);
    *target = (enum colour)app->live;
    return RESULT_DONE;
}

static enum wire_result admit_stop(struct app *app, enum colour *target, struct error *err)
{
    *target = app->live >= 0 ? (enum colour)app->live : BLUE;
    if (app->state == APP_STOPPED)
        return refuse(err, RESULT_REFUSED, "%s is stopped already", app->name);
    if (app->live < 0)
        return refuse(err, RESULT_REFUSED, "%s has no live release to stop", app->name);
    return RESULT_DONE;
}

static enum wire_result admit_remove(struct app *app, bool force, enum colour *target, struct error *err)
{
    *target = app->live >= 0 ? (enum colour)app->live : BLUE;
    if (app->state == APP_RUNNING && app->live >= 0 && !force)
        return refuse(err, RESULT_REFUSED, "%s is serving; \"bluegreen stop %s\" first, or --force", app->name,
                      app->name);
    return RESULT_DONE;
}

static enum wire_result admit(struct app *app, const struct wire_request *request, enum colour *target,
                              struct error *err)
{
    enum wire_result result = admit_busy(app, err);
    if (result != RESULT_DONE)
        return result;
    switch ((enum wire_verb)request->verb) {
    case VERB_DEPLOY:
    case VERB_STAGE: return admit_staging(app, request, target, err);
    case VERB_SWITCH: return admit_switch(app, false, target, err);
    case VERB_ROLLBACK: return admit_switch(app, true, target, err);
    case VERB_START: return admit_start(app, target, err);
    case VERB_STOP: return admit_stop(app, target, err);
    default: return admit_remove(app, request->flags & WIRE_FORCE, target, err);
    }
}

static void begin(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    struct error err = {0};
    enum colour target = BLUE;
    enum wire_result result = admit(app, request, &target, &err);
    if (result != RESULT_DONE) {
        answer(asked, result, err.text);
        return;
    }
    const char *release = request->release[0] ? request->release : zone_of(app, target)->release;
    if (operation_begin(app, (enum wire_verb)request->verb, target, release, request->flags & WIRE_FORCE,
                        client_name(asked->client), &err) < 0) {
        answer(asked, RESULT_REFUSED, err.text);
        return;
    }
    wait_for(asked, app, WAIT_OPERATION); /* without memory for it the operation goes on, and the client was told */
    step_enter(app, operation_step(app));
}

/* --- verbs that are no operations ------------------------------------------------------------------ */

static void handle_status(const struct asked *asked, struct app *one)
{
    static struct wire_status status; /* 12 KiB: not for the stack */
    struct app *app;
    list_for_each(app, &asked->agent->apps, link)
    {
        if (one && app != one)
            continue;
        status_fill(app, &status);
        client_send(asked->agent, &status, asked->request->header.client, asked->request->header.request, WIRE_STATUS,
                    sizeof status);
    }
    answer(asked, RESULT_DONE, "");
}

static void handle_history(const struct asked *asked)
{
    size_t limit = asked->request->limit ? asked->request->limit : HISTORY_DEFAULT;
    struct record *records = NULL;
    size_t count = 0;
    struct error err = {0};
    if (journal_history(asked->agent->journal, asked->request->app, limit < HISTORY_MAX ? limit : HISTORY_MAX, &records,
                        &count, &err) < 0) {
        answer(asked, RESULT_FAILED, err.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct wire_history entry;
        status_history(&records[i], &entry);
        client_send(asked->agent, &entry, asked->request->header.client, asked->request->header.request, WIRE_HISTORY,
                    sizeof entry);
    }
    free(records);
    answer(asked, RESULT_DONE, "");
}

static void join_lines(const struct words *lines, struct text *text)
{
    for (size_t i = 0; i < lines->count; i++)
        text_addf(text, "%s%s", i ? "\n" : "", lines->items[i]);
}

static void handle_reload(const struct asked *asked)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_TEXT struct text text = {0};
    bool accepted = reload(asked->agent, false, &problems, &text) == 0;
    if (!accepted) {
        text_clear(&text);
        join_lines(&problems, &text);
    }
    answer(asked, accepted ? RESULT_DONE : RESULT_INVALID, text.data ? text.data : "");
}

static void handle_drain(const struct asked *asked, struct app *app)
{
    struct app_zone *zone = zone_of(app, app->live >= 0 ? colour_other((enum colour)app->live) : BLUE);
    struct error err = {0};
    if (!zone->kernel || !zone->service || zone->closing) {
        answer(asked, RESULT_DONE, "there is no zone to drain");
        return;
    }
    if (drain_watch(zone, &err) < 0)
        answer(asked, RESULT_FAILED, err.text);
    else
        wait_for(asked, app, WAIT_DRAIN);
}

static void abort_operation(const struct asked *asked, struct app *app)
{
    char reason[WIRE_TEXT_MAX], text[WIRE_TEXT_MAX];
    enum step step = operation_step(app);
    snprintf(reason, sizeof reason, "aborted by %s in step %s", client_name(asked->client), step_name(step));
    snprintf(text, sizeof text, "%s %s %s was aborted in step %s", verb_name(app->operation.verb), app->name,
             app->operation.release, step_name(step));
    if (operation_event(app, EVENT_ABORT, reason) < 0)
        answer(asked, RESULT_REFUSED, "it is past the point where it could be aborted; use rollback when it has ended");
    else
        answer(asked, RESULT_DONE, text);
}

static void handle_abort(const struct asked *asked, struct app *app)
{
    if (operation_running(app)) {
        abort_operation(asked, app);
        return;
    }
    struct app_zone *other = zone_of(app, app->live >= 0 ? colour_other((enum colour)app->live) : BLUE);
    if (other->state == ZONE_DRAINING) { /* the switch has happened, its drain has not ended: the switch is undone */
        struct wire_request rollback = *asked->request;
        rollback.verb = VERB_ROLLBACK;
        begin(&(struct asked){asked->agent, &rollback, asked->client}, app);
        return;
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = zone_of(app, (enum colour)colour);
        if (zone->state != ZONE_HEALTHY && zone->state != ZONE_UNHEALTHY)
            continue;
        char text[WIRE_TEXT_MAX];
        snprintf(text, sizeof text, "staged release %s was removed from zone %s", zone->release,
                 colour_name(zone->colour));
        zone_change(zone, CHANGE_REMOVE);
        answer(asked, RESULT_DONE, text);
        return;
    }
    answer(asked, RESULT_REFUSED, "there is nothing to abort: no operation runs, nothing drains and nothing is staged");
}

/* deploy and stage take the file as it is on disk now, so what was just edited is what is released. */
static void handle_staging(const struct asked *asked)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app *app = app_find(asked->agent, asked->request->app);
    struct error err = {0};
    enum wire_result busy = app ? admit_busy(app, &err) : RESULT_DONE;
    if (busy != RESULT_DONE) {
        answer(asked, busy, err.text);
        return;
    }
    int result = reload_app(asked->agent, asked->request->app, &app, &problems);
    if (result < 0) {
        CLEANUP_TEXT struct text text = {0};
        join_lines(&problems, &text);
        answer(asked, result == -ENOENT ? RESULT_NO_SUCH_APP : RESULT_INVALID, text.data ? text.data : "out of memory");
        return;
    }
    begin(asked, app);
}

static void handle_for_app(const struct asked *asked)
{
    struct app *app = app_find(asked->agent, asked->request->app);
    if (!app) {
        char text[WIRE_TEXT_MAX];
        snprintf(text, sizeof text, "there is no app %s; its configuration would be %s/apps/%s.conf",
                 asked->request->app, asked->agent->options.config_dir, asked->request->app);
        answer(asked, RESULT_NO_SUCH_APP, text);
    } else if (asked->request->verb == VERB_STATUS) {
        handle_status(asked, app);
    } else if (asked->request->verb == VERB_DRAIN) {
        handle_drain(asked, app);
    } else if (asked->request->verb == VERB_ABORT) {
        handle_abort(asked, app);
    } else {
        begin(asked, app);
    }
}

static void dispatch(const struct asked *asked)
{
    switch ((enum wire_verb)asked->request->verb) {
    case VERB_VERSION: answer(asked, RESULT_DONE, BLUEGREEN_VERSION); return;
    case VERB_HISTORY: handle_history(asked); return;
    case VERB_RELOAD: handle_reload(asked); return;
    case VERB_DEPLOY:
    case VERB_STAGE: handle_staging(asked); return;
    case VERB_STATUS:
        if (!asked->request->app[0]) {
            handle_status(asked, NULL);
            return;
        }
        break;
    default: break;
    }
    handle_for_app(asked);
}

void request_handle(struct agent *agent, const struct wire_request *request, size_t length)
{
    struct error err = {0};
    struct client *client = client_find(agent, request->header.client);
    if (!client) { /* gone meanwhile, or made up: nobody to answer */
        log_debug("a request of client %llu, who is not there", (unsigned long long)request->header.client);
        return;
    }
    struct asked asked = {agent, request, client};
    if (!wire_request_valid(request, length, &err)) {
        answer(&asked, RESULT_INVALID, err.text);
        return;
    }
    if (verb_changes((enum wire_verb)request->verb) && !client->may_operate) {
        char text[WIRE_TEXT_MAX];
        snprintf(text, sizeof text, "%s may look but not %s; only root and members of group %s may",
                 client_name(client), verb_name((enum wire_verb)request->verb), agent->conf.group);
        answer(&asked, RESULT_NOT_ALLOWED, text);
        return;
    }
    dispatch(&asked);
}
