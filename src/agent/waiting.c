/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_WAIT: a client waits for an app to be in a state, and is answered when it is. Nothing is asked again and again:
 * whatever changes an app calls changed(), and everybody who waits is looked at once, after it.
 */
#include "agent/waiting.h"

#include "agent/admission.h"
#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/apps.h"
#include "agent/bake.h"
#include "agent/drains.h"
#include "agent/operations.h"
#include "agent/queue.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/zones.h"
#include "model/awaited.h"
#include "model/wire_answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITERS_MAX = 128 };

struct waiter {
    struct list link;
    uint64_t client, id;
    char app[APP_NAME_MAX + 1];
    char text[WIRE_TEXT_MAX + 1]; /* the state, as it was asked for */
    struct awaited awaited;
};

/* --- how things are ----------------------------------------------------------------------------------- */

static bool is_well(const struct app_zone *zone)
{
    return zone->tracker.verdict == VERDICT_HEALTHY && !zone->lost && !zone->closing;
}

/* As a rollback would be answered now. One that is frozen was healthy when it was. */
static bool may_go_back(struct app *app)
{
    struct wire_request rollback = {.verb = VERB_ROLLBACK};
    struct error err = {0};
    enum colour target = BLUE;
    if (admit(app, &rollback, &target, &err) != RESULT_DONE)
        return false;
    const struct app_zone *zone = zone_of(app, target);
    return zone->state == ZONE_FROZEN || zone->state == ZONE_RESTING || is_well(zone);
}

static void look(struct app *app, struct situation *now)
{
    const struct app_zone *live = app->live >= 0 && app->state == APP_RUNNING ? &app->zones[app->live] : NULL;
    *now = (struct situation){
        .state = app->state,
        .operates = operation_running(app),
        .bakes = baking(app),
        .live_well = live && is_well(live),
        .may_go_back = may_go_back(app),
        .live = live ? live->release : "",
        .staged = "",
        .standby = "",
    };
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct app_zone *zone = &app->zones[colour];
        bool staged = zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY;
        now->drains = now->drains || zone->state == ZONE_DRAINING || drain_runs(zone);
        now->zones_left = now->zones_left || zone->state != ZONE_ABSENT || zone_busy(zone);
        if (staged) {
            now->staged = zone->release;
            now->staged_well = zone->state == ZONE_HEALTHY && is_well(zone) && !now->operates;
        } else if (zone != live) {
            now->standby = zone->release;
        }
    }
}

static void say(const struct app *app, const struct situation *now, char *text, size_t size)
{
    if (now->operates)
        snprintf(text, size, "%s %s, step %s", verb_name(app->operation.verb), app->operation.release,
                 step_name(operation_step(app)));
    else if (now->live[0])
        snprintf(text, size, "%s is live on %s%s%s%s", now->live, colour_name((enum colour)app->live),
                 now->live_well ? "" : ", not healthy", now->drains ? ", the drain goes on" : "",
                 now->bakes ? ", the bake goes on" : "");
    else
        snprintf(text, size, "it is %s", app_state_name(app->state));
}

/* --- who waits ------------------------------------------------------------------------------------------ */

/* True: it has been answered. */
static bool answered(struct agent *agent, const struct waiter *waiter)
{
    char text[2 * WIRE_TEXT_MAX], how[WIRE_TEXT_MAX];
    struct situation now;
    struct app *app = app_find(agent, waiter->app);
    if (!app) { /* removed, and not configured any more */
        bool empty = waiter->awaited.what == AWAIT_EMPTY;
        snprintf(text, sizeof text, "there is no app %s any more", waiter->app);
        reply_end(agent, waiter->client, waiter->id, empty ? RESULT_DONE : RESULT_NO_SUCH_APP, text);
        return true;
    }
    look(app, &now);
    if (!awaited_holds(&waiter->awaited, &now))
        return false;
    say(app, &now, how, sizeof how);
    snprintf(text, sizeof text, "%s: %s", app->name, how);
    reply_end(agent, waiter->client, waiter->id, RESULT_DONE, text);
    return true;
}

static void forget(struct waiter *waiter)
{
    list_remove(&waiter->link);
    free(waiter);
}

static void look_for_all(struct agent *agent)
{
    struct waiter *waiter;
    list_for_each(waiter, &agent->waiters, link)
    {
        if (answered(agent, waiter))
            forget(waiter);
    }
}

static size_t count(struct agent *agent)
{
    struct waiter *waiter;
    size_t number = 0;
    list_for_each(waiter, &agent->waiters, link) number++;
    return number;
}

static void greet(const struct waiter *waiter, struct app *app)
{
    struct wire_progress message = {.zone = COLOURS, .step = "wait"};
    struct situation now;
    char how[WIRE_TEXT_MAX];
    look(app, &now);
    say(app, &now, how, sizeof how);
    snprintf(message.text, sizeof message.text, "for %.80s; now: %.160s", waiter->text, how);
    text_sanitise(message.text);
    client_send(app->agent, &message, waiter->client, waiter->id, WIRE_PROGRESS, sizeof message);
}

void handle_wait(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    struct agent *agent = asked->agent;
    struct error err = {0};
    struct waiter asking = {.client = request->header.client, .id = request->header.request};
    if (!awaited_parse(request->text, &asking.awaited, &err)) {
        reply_end(agent, asking.client, asking.id, RESULT_INVALID, err.text);
        return;
    }
    text_copy(asking.app, sizeof asking.app, app->name);
    text_copy(asking.text, sizeof asking.text, request->text);
    if (answered(agent, &asking))
        return;
    struct waiter *waiter = count(agent) < WAITERS_MAX ? malloc(sizeof *waiter) : NULL;
    if (!waiter) {
        reply_end(agent, asking.client, asking.id, RESULT_FAILED, "too many wait already, or out of memory; try again");
        return;
    }
    *waiter = asking;
    list_append(&agent->waiters, &waiter->link);
    greet(waiter, app);
}

void waiters_client_gone(struct agent *agent, uint64_t client)
{
    struct waiter *waiter;
    list_for_each(waiter, &agent->waiters, link)
    {
        if (client == 0 || waiter->client == client)
            forget(waiter);
    }
}

/* --- changes ---------------------------------------------------------------------------------------------- */

static void on_changed(void *context)
{
    struct agent *agent = context;
    queue_advance(agent);
    look_for_all(agent);
}

void changed(struct agent *agent)
{
    if (list_empty(&agent->waiters) && agent->turns.count == 0)
        return;
    if (!agent->changed_timer)
        agent->changed_timer = loop_timer_new(agent->loop, on_changed, agent);
    if (agent->changed_timer) /* not from here: whoever calls is in the middle of something */
        loop_timer_arm(agent->changed_timer, 0);
}

void waiting_dispose(struct agent *agent)
{
    struct waiter *waiter;
    list_for_each(waiter, &agent->waiters, link)
    {
        reply_end(agent, waiter->client, waiter->id, RESULT_FAILED, "the agent is going down");
        forget(waiter);
    }
    queue_dispose(agent);
    loop_timer_free(agent->changed_timer);
    agent->changed_timer = NULL;
}
