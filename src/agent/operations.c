/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An operation from its beginning to its end: the plan's steps by the table, its journal records, and who hears of
 * it. */
#include "agent/agent.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINES_SHOWN = 15 };

/* --- progress --------------------------------------------------------------------------------- */

static void send_progress(struct app *app, struct wire_progress *message)
{
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app == app)
            client_send(app->agent, message, request->client, request->id, WIRE_PROGRESS, sizeof *message);
    }
}

static void progress_init(struct app *app, enum colour zone, const char *step, struct wire_progress *message)
{
    *message = (struct wire_progress){.zone = (uint8_t)zone};
    uint64_t begun = operation_running(app) ? app->operation.begun_ms : app->zones[zone].drain.operation_ms;
    message->elapsed_ms = begun ? clock_monotonic_ms() - begun : 0;
    text_copy(message->step, sizeof message->step, step);
}

void progress(struct app *app, enum colour zone, const char *step, const char *format, ...)
{
    struct wire_progress message;
    progress_init(app, zone, step, &message);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message.text, sizeof message.text, format, arguments);
    va_end(arguments);
    text_sanitise(message.text);
    send_progress(app, &message);
}

void progress_count(struct app *app, enum colour zone, const char *step, uint32_t connections)
{
    struct wire_progress message;
    progress_init(app, zone, step, &message);
    message.has_count = 1;
    message.connections = connections;
    snprintf(message.text, sizeof message.text, "%u connection%s open", connections, connections == 1 ? "" : "s");
    send_progress(app, &message);
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The reason, and what the app said last: the two things that somebody woken at night wants. */
static void failure_text(struct app *app, bool with_log, const char *reason, char *text, size_t size)
{
    const struct operation *operation = &app->operation;
    int used = snprintf(text, size, "%s %s %s: %s", verb_name(operation->verb), app->name, operation->release, reason);
    char path[PATH_MAX];
    if (!with_log || used < 0 || (size_t)used + 512 >= size ||
        !zone_log_path_of(app->agent->zone_host, app->name, operation->target, path, sizeof path))
        return;
    char tail[4096];
    if (file_tail(path, operation->log_before, LOG_LINES_SHOWN, tail, sizeof tail) == 0 && tail[0])
        snprintf(text + used, size - (size_t)used, "\nThe last lines of %s:\n%.*s", path,
                 (int)(size - (size_t)used - 64 - strlen(path)), tail);
}

static void undo(struct app *app, const char *reason)
{
    struct operation *operation = &app->operation;
    struct app_zone *target = zone_of(app, operation->target);
    if (operation->staged && plan_undoes_staging(operation->verb)) {
        zone_set_reason(target, "%s", reason);
        zone_change(target, CHANGE_BREAK);
    } else if (operation->verb == VERB_START) {
        zone_change(target, CHANGE_HALT);
    }
}

static void end_failed(struct app *app, const char *reason)
{
    enum step step = operation_step(app);
    static char text[WIRE_END_TEXT_MAX];
    bool with_log = step == STEP_START || step == STEP_HEALTH || step == STEP_GATE || step == STEP_RESTORE;
    failure_text(app, with_log, reason, text, sizeof text);
    log_warning("%s: %s failed in step %s: %s", app->name, verb_name(app->operation.verb), step_name(step), reason);
    struct operation ended = app->operation;
    record_end(app, false, reason);
    undo(app, reason);
    app->operation.plan = NULL;
    bool tried = ended.at > 0 && !plan_only_looked(ended.plan, ended.at);
    requests_end(app, WAIT_OPERATION, tried ? RESULT_FAILED : RESULT_REFUSED, NULL, text);
}

static void restore_other(struct app *app)
{
    struct app_zone *other = zone_of(app, colour_other((enum colour)app->operation.target));
    if (app->operation.verb == VERB_START && other->state == ZONE_STOPPED)
        zone_change(other, CHANGE_RESTORE);
}

static void end_done(struct app *app)
{
    struct operation *operation = &app->operation;
    record_end(app, true, NULL);
    log_notice("%s: %s %s%sdone in %llu ms, asked for by %s", app->name, verb_name(operation->verb), operation->release,
               operation->release[0] ? " " : "", (unsigned long long)(clock_monotonic_ms() - operation->begun_ms),
               operation->who);
    restore_other(app);
    struct app_zone *old = operation->from >= 0 ? zone_of(app, (enum colour)operation->from) : NULL;
    struct wire_receipt receipt = operation->receipt;
    receipt.duration_ms = clock_monotonic_ms() - operation->begun_ms;
    bool switched = operation->switched, forgotten = operation->verb == VERB_REMOVE;
    uint64_t begun = operation->begun_ms;
    operation->plan = NULL;
    if (switched && old && old->state == ZONE_DRAINING) {
        drain_set_receipt(old, &receipt, begun);
        requests_move_to_drain(app);
        return;
    }
    requests_end(app, WAIT_OPERATION, RESULT_DONE, switched ? &receipt : NULL, "");
    if (forgotten && !app->service)
        app_free(app);
}

/* --- from step to step --------------------------------------------------------------------------- */

static void advance(struct app *app)
{
    struct operation *operation = &app->operation;
    operation->at++;
    if (operation_step(app) == STEP_IDLE)
        end_done(app);
    else
        step_enter(app, operation_step(app));
}

int operation_event(struct app *app, enum step_event event, const char *reason)
{
    enum step step = operation_step(app);
    enum move move = step_transition(step, event);
    if (move == MOVE_STAY)
        return 0;
    if (move == MOVE_REFUSE)
        return -EPERM;
    loop_timer_disarm(app->step_timer);
    if (move == MOVE_NEXT) {
        advance(app);
        return 0;
    }
    char words[ERROR_TEXT_MAX];
    const struct probe_result *last = &zone_of(app, app->operation.target)->tracker.last;
    if (reason)
        text_copy(words, sizeof words, reason);
    else
        snprintf(words, sizeof words, "not healthy in time; the last probe said: %s",
                 last->detail[0] ? last->detail : "nothing");
    end_failed(app, words);
    return 0;
}

void operation_zone_closed(struct app_zone *zone)
{
    struct app *app = zone->app;
    enum step step = operation_step(app);
    bool all = !zone_busy(&app->zones[BLUE]) && !zone_busy(&app->zones[GREEN]);
    if ((step == STEP_CLEAR && app->operation.target == zone->colour) || (step == STEP_HALT && all))
        operation_event(app, EVENT_DONE, NULL);
    else if (app_is_empty(app) && !app->service)
        app_free(app);
}

int operation_begin(struct app *app, enum wire_verb verb, enum colour target, const char *release, bool force,
                    const char *who, struct error *err)
{
    struct operation *operation = &app->operation;
    *operation = (struct operation){
        .verb = verb,
        .target = target,
        .from = app->state == APP_RUNNING ? app->live : -1,
        .force = force,
        .begun_ms = clock_monotonic_ms(),
        .begun_unix_ms = clock_unix_ms(),
    };
    text_copy(operation->release, sizeof operation->release, release);
    text_copy(operation->who, sizeof operation->who, who);
    int result = record_app(app, err);
    if (result == 0)
        result = record_begin(app, err);
    if (result < 0 && plan_needs_journal(verb))
        return error_prefix(err, "%s %s is refused because it could not be recorded", verb_name(verb), app->name);
    log_info("%s: %s %s begins, asked for by %s", app->name, verb_name(verb), release, who);
    operation->plan = plan_of(verb);
    return 0;
}
