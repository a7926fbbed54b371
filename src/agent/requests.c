/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients ask for: rights, refusals with their reason, and the start of what is granted. */
#include "agent/requests.h"

#include "agent/admission.h"
#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/clients.h"
#include "agent/connections.h"
#include "agent/diffs.h"
#include "agent/doctor.h"
#include "agent/drains.h"
#include "agent/feeding.h"
#include "agent/following.h"
#include "agent/giving_way.h"
#include "agent/groups.h"
#include "agent/history.h"
#include "agent/locking.h"
#include "agent/logs.h"
#include "agent/operations.h"
#include "agent/queue.h"
#include "agent/releases.h"
#include "agent/reload.h"
#include "agent/replies.h"
#include "agent/schema.h"
#include "agent/status.h"
#include "agent/steps.h"
#include "agent/waiting.h"
#include "agent/zones.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>

void request_refuse(const struct asked *asked, enum wire_result result, const char *text)
{
    if (result != RESULT_BUSY || !queue_refused(asked, text))
        request_answer(asked, result, text);
}

void request_no_such_app(const struct asked *asked)
{
    char text[WIRE_TEXT_MAX];
    snprintf(text, sizeof text, "there is no app %s; its configuration would be %s/apps/%s.conf", asked->request->app,
             asked->agent->options.config_dir, asked->request->app);
    request_answer(asked, RESULT_NO_SUCH_APP, text);
}

/* --- what begins ------------------------------------------------------------------------------------ */

static void begin(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    struct error err = {0};
    enum colour target = BLUE;
    enum wire_result result = admit(app, request, &target, &err);
    if (result == RESULT_DONE && operation_running(app)) {
        operation_leave(app, client_name(asked->client));
        result = admit(app, request, &target, &err);
    }
    if (result != RESULT_DONE) {
        request_refuse(asked, result, err.text);
        return;
    }
    const char *release = request->release[0] ? request->release : zone_of(app, target)->release;
    if (operation_begin(app, (enum wire_verb)request->verb, target, release, request->flags & WIRE_FORCE,
                        client_name(asked->client), &err) < 0) {
        request_answer(asked, RESULT_REFUSED, err.text);
        return;
    }
    if (request->canary > 0) {
        app->operation.canary = true;
        app->operation.share = request->canary;
        app->operation.sticky = request->sticky;
        app->operation.plan = plan_of_canary(false);
    }
    app->operation.lose = request->lose;
    app->operation.choice =
        (struct plan_choice){.no_test = request->flags & WIRE_NO_TEST, .stop_after = (enum step)request->stop_after};
    request_wait_for(asked, app,
                     WAIT_OPERATION); /* without memory for it the operation goes on, and the client was told */
    queue_begins(asked);
    step_enter(app, operation_step(app));
}

/* --- verbs that are no operations ------------------------------------------------------------------ */

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
    request_answer(asked, accepted ? RESULT_DONE : RESULT_INVALID, text.data ? text.data : "");
}

static void handle_drain(const struct asked *asked, struct app *app)
{
    struct app_zone *zone = zone_of(app, app->live >= 0 ? colour_other((enum colour)app->live) : BLUE);
    if (!zone->kernel || !zone->service || zone->closing) {
        request_answer(asked, RESULT_DONE, "there is no zone to drain");
        return;
    }
    drain_watch(zone);
    request_wait_for(asked, app, WAIT_DRAIN);
}

static void abort_operation(const struct asked *asked, struct app *app)
{
    char reason[WIRE_TEXT_MAX], text[WIRE_TEXT_MAX];
    enum step step = operation_step(app);
    snprintf(reason, sizeof reason, "aborted by %s in step %s", client_name(asked->client), step_name(step));
    snprintf(text, sizeof text, "%s %s %s was aborted in step %s", verb_name(app->operation.verb), app->name,
             app->operation.release, step_name(step));
    if (operation_event(app, EVENT_ABORT, reason) < 0)
        request_answer(asked, RESULT_REFUSED,
                       "it is past the point where it could be aborted; use rollback when it has ended");
    else
        request_answer(asked, RESULT_DONE, text);
}

static void handle_abort(const struct asked *asked, struct app *app)
{
    if (operation_running(app)) {
        abort_operation(asked, app);
        return;
    }
    if (releases_abort(asked, app))
        return;
    if (canary_runs(app)) {
        handle_canary_back(asked, app);
        return;
    }
    struct app_zone *other = zone_of(app, app->live >= 0 ? colour_other((enum colour)app->live) : BLUE);
    if (other->state == ZONE_DRAINING || baking(app)) { /* the switch is not over yet: it is undone */
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
        request_answer(asked, RESULT_DONE, text);
        return;
    }
    request_answer(asked, RESULT_REFUSED,
                   "there is nothing to abort: no operation runs, nothing drains and nothing is staged");
}

/* deploy and stage take the file as it is on disk now, so what was just edited is what is released. */
static void handle_staging(const struct asked *asked)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app *app = app_find(asked->agent, asked->request->app);
    struct error err = {0};
    enum wire_result busy = app ? admit_busy(app, &err) : RESULT_DONE;
    if (busy != RESULT_DONE) {
        request_refuse(asked, busy, err.text);
        return;
    }
    int result = reload_app(asked->agent, asked->request->app, &app, &problems);
    if (result < 0) {
        CLEANUP_TEXT struct text text = {0};
        join_lines(&problems, &text);
        request_answer(asked, result == -ENOENT ? RESULT_NO_SUCH_APP : RESULT_INVALID,
                       text.data ? text.data : "out of memory");
        return;
    }
    begin(asked, app);
}

/* A fetch is done as the file says now, as a deploy is; but what others have begun with it stays as it is. app is NULL
 * for one that nobody has read yet: its first release is fetched before it can be deployed. */
static void handle_releases(const struct asked *asked, struct app *app)
{
    CLEANUP_WORDS struct words problems = {0};
    bool fresh = app && asked->request->action == WIRE_RELEASE_FETCH && !operation_running(app);
    int result = fresh || !app || !app->service ? reload_app(asked->agent, asked->request->app, &app, &problems) : 0;
    if (result < 0) {
        CLEANUP_TEXT struct text text = {0};
        join_lines(&problems, &text);
        request_answer(asked, result == -ENOENT ? RESULT_NO_SUCH_APP : RESULT_INVALID,
                       text.data ? text.data : "out of memory");
        return;
    }
    handle_release(asked, app);
}

static void handle_for_app(const struct asked *asked)
{
    struct app *app = app_find(asked->agent, asked->request->app);
    if (asked->request->verb == VERB_RELEASE) {
        handle_releases(asked, app);
    } else if (!app) {
        request_no_such_app(asked);
    } else if (asked->request->verb == VERB_STATUS) {
        handle_status(asked, app);
    } else if (asked->request->verb == VERB_DRAIN) {
        handle_drain(asked, app);
    } else if (asked->request->verb == VERB_ABORT) {
        handle_abort(asked, app);
    } else if (asked->request->verb == VERB_SCHEMA) {
        handle_schema(asked, app);
    } else if (asked->request->verb == VERB_LOCK) {
        handle_lock(asked, app);
    } else if (asked->request->verb == VERB_UNLOCK) {
        handle_unlock(asked, app);
    } else if (asked->request->verb == VERB_WAIT) {
        handle_wait(asked, app);
    } else if (asked->request->verb == VERB_CONNECTIONS) {
        handle_connections(asked, app);
    } else if (asked->request->verb == VERB_FEED) {
        handle_feed(asked, app);
    } else if (asked->request->verb == VERB_DIFF) {
        handle_diff(asked, app);
    } else if (asked->request->verb >= VERB_SCHEMA) {
        request_answer(asked, RESULT_REFUSED, "not yet");
    } else if (asked->request->verb == VERB_LOGS) {
        handle_logs(asked, app);
    } else if (asked->request->verb == VERB_ATTACH) {
        handle_attach(asked, app);
    } else if (asked->request->verb == VERB_FINISH) {
        handle_finish(asked, app);
    } else if (asked->request->verb == VERB_ROLLBACK && canary_runs(app)) {
        handle_canary_back(asked, app);
    } else {
        begin(asked, app);
    }
}

void request_dispatch(const struct asked *asked)
{
    if (locked_out(asked) || queue_behind(asked))
        return;
    if (asked->request->flags & WIRE_GROUP) {
        handle_group(asked);
        return;
    }
    switch ((enum wire_verb)asked->request->verb) {
    case VERB_VERSION: request_answer(asked, RESULT_DONE, BLUEGREEN_VERSION); return;
    case VERB_HISTORY: handle_history(asked); return;
    case VERB_DOCTOR: handle_doctor(asked); return;
    case VERB_RELOAD: handle_reload(asked); return;
    case VERB_EXEC: request_answer(asked, RESULT_INVALID, "exec is asked for with a command"); return;
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
        request_answer(&asked, RESULT_INVALID, err.text);
        return;
    }
    if (verb_changes((enum wire_verb)request->verb) && !client->may_operate) {
        char text[WIRE_TEXT_MAX];
        snprintf(text, sizeof text, "%s may look but not %s; only root and members of group %s may",
                 client_name(client), verb_name((enum wire_verb)request->verb), agent->conf.group);
        request_answer(&asked, RESULT_NOT_ALLOWED, text);
        return;
    }
    request_dispatch(&asked);
}
