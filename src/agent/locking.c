/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock of an app: somebody who has a reason keeps others from changing it. It never bars a way to safety, and is
 * in the journal, so that it outlives the agent. */
#include "agent/locking.h"

#include "agent/admission.h"
#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/clients.h"
#include "agent/operations.h"
#include "agent/records.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/waiting.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "14:03" for today, else with the date. */
static void format_since(uint64_t unix_ms, char *text, size_t size)
{
    time_t then = (time_t)(unix_ms / 1000), now = (time_t)(clock_unix_ms() / 1000);
    struct tm then_fields, now_fields;
    bool known = localtime_r(&then, &then_fields) && localtime_r(&now, &now_fields);
    bool today = known && then_fields.tm_year == now_fields.tm_year && then_fields.tm_yday == now_fields.tm_yday;
    if (!known || strftime(text, size, today ? "%H:%M" : "%Y-%m-%d %H:%M", &then_fields) == 0)
        snprintf(text, size, "%llu", (unsigned long long)(unix_ms / 1000));
}

static bool is_locked(const struct app *app)
{
    return app->lock.since_unix_ms != 0;
}

static void describe(const struct app *app, char *text, size_t size)
{
    char since[32];
    format_since(app->lock.since_unix_ms, since, sizeof since);
    snprintf(text, size, "%s is locked by %s since %s: %s; \"bluegreen unlock %s\" when it is over", app->name,
             app->lock.who, since, app->lock.reason, app->name);
}

/* What goes back, ends what waits, or only looks stays free: a lock must not keep anybody from safety. */
static bool is_barred(const struct wire_request *request)
{
    switch ((enum wire_verb)request->verb) {
    case VERB_DEPLOY:
    case VERB_STAGE:
    case VERB_TEST: /* runs the release's own command, and thaws a standby */
    case VERB_SWITCH:
    case VERB_STOP:
    case VERB_START:
    case VERB_REMOVE:
    case VERB_REHEARSE: return true;
    case VERB_SCHEMA: return request->action != WIRE_SCHEMA_STATUS;
    case VERB_RELEASE: return request->action != WIRE_RELEASE_LIST;
    default: return false;
    }
}

enum wire_result admit_locked(const struct app *app, const struct wire_request *request, struct error *err)
{
    char text[2 * WIRE_TEXT_MAX];
    if (!is_locked(app) || !is_barred(request))
        return RESULT_DONE;
    describe(app, text, sizeof text);
    return admit_refuse(err, RESULT_REFUSED, "%s", text);
}

bool locked_out(const struct asked *asked)
{
    struct error err = {0};
    bool of_app = asked->request->app[0] && !(asked->request->flags & WIRE_GROUP);
    const struct app *app = of_app ? app_find(asked->agent, asked->request->app) : NULL;
    enum wire_result result = app ? admit_locked(app, asked->request, &err) : RESULT_DONE;
    if (result != RESULT_DONE)
        request_answer(asked, result, err.text);
    return result != RESULT_DONE;
}

/* Into the journal first: what is answered must hold over the agent's death. */
static int change(struct app *app, enum wire_verb verb, const struct app_lock *lock, const char *who,
                  const char *reason, struct error *err)
{
    struct record record;
    int result = record_app(app, err);
    if (result < 0)
        return result;
    record_init(&record, RECORD_LOCK, app->name);
    record.begun_unix_ms = lock->since_unix_ms;
    text_copy(record.who, sizeof record.who, lock->who);
    text_copy(record.reason, sizeof record.reason, lock->reason);
    result = agent_record(app->agent, &record, err);
    if (result < 0)
        return result;
    app->lock = *lock;
    record_init(&record, RECORD_END, app->name);
    record.verb = verb;
    record.begun_unix_ms = clock_unix_ms();
    record.done = true;
    text_copy(record.who, sizeof record.who, who);
    text_copy(record.reason, sizeof record.reason, reason);
    agent_record(app->agent, &record, NULL); /* the lock holds without its line in the history, too */
    log_notice("%s: %s by %s: %s", app->name, verb == VERB_LOCK ? "locked" : "unlocked", who, reason);
    return 0;
}

void handle_lock(const struct asked *asked, struct app *app)
{
    char text[2 * WIRE_TEXT_MAX];
    struct error err = {0};
    struct app_lock lock = {.since_unix_ms = clock_unix_ms()};
    if (is_locked(app)) {
        describe(app, text, sizeof text);
        request_answer(asked, RESULT_REFUSED, text);
        return;
    }
    if (operation_running(app) && app->operation.verb == VERB_REMOVE) {
        snprintf(text, sizeof text, "%s is being removed, and there will be nothing to lock", app->name);
        request_answer(asked, RESULT_BUSY, text);
        return;
    }
    text_copy(lock.who, sizeof lock.who, client_name(asked->client));
    text_copy(lock.reason, sizeof lock.reason, asked->request->text);
    if (change(app, VERB_LOCK, &lock, lock.who, lock.reason, &err) < 0) {
        error_prefix(&err, "%s is not locked, because that could not be recorded", app->name);
        request_answer(asked, RESULT_FAILED, err.text);
        return;
    }
    snprintf(text, sizeof text, "%s is locked: rollback, abort and finish still work, what else changes it does not%s",
             app->name, operation_running(app) ? "; the operation that runs goes on" : "");
    request_answer(asked, RESULT_DONE, text);
    changed(app->agent); /* who waits for a turn hears of it now */
}

void handle_unlock(const struct asked *asked, struct app *app)
{
    char text[2 * WIRE_TEXT_MAX];
    struct error err = {0};
    if (!is_locked(app)) {
        snprintf(text, sizeof text, "%s is not locked", app->name);
        request_answer(asked, RESULT_DONE, text);
        return;
    }
    struct app_lock was = app->lock;
    snprintf(text, sizeof text, "it was locked by %s: %s", was.who, was.reason);
    text[WIRE_TEXT_MAX] = '\0';
    if (change(app, VERB_UNLOCK, &(struct app_lock){0}, client_name(asked->client), text, &err) < 0) {
        error_prefix(&err, "%s stays locked, because that could not be recorded", app->name);
        request_answer(asked, RESULT_FAILED, err.text);
        return;
    }
    snprintf(text, sizeof text, "%s is unlocked; it was locked by %s: %s", app->name, was.who, was.reason);
    request_answer(asked, RESULT_DONE, text);
}

void lock_fill(const struct app *app, struct wire_lock *out)
{
    if (!is_locked(app))
        return;
    out->locked = 1;
    out->since_unix_ms = app->lock.since_unix_ms;
    text_copy(out->who, sizeof out->who, app->lock.who);
    text_copy(out->reason, sizeof out->reason, app->lock.reason);
}
