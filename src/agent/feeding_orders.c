/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VERB_FEED: what an operator wants of a feed, passed on to its role; and the copy by the seed's command. */
#include "agent/feeding_role.h"

#include "agent/api_role.h"
#include "agent/feeding.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_feed.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop(struct feeding_order *order)
{
    list_remove(&order->link);
    free(order);
}

/* The order is gone before the operation hears of it, which may be about others then. */
static void end(struct feeding *feeding, struct feeding_order *order, enum wire_result result, const char *text)
{
    struct app *app = feeding->app;
    bool of_step = order->of_step;
    char reason[WIRE_TEXT_MAX + 64];
    if (order->client)
        reply_end(app->agent, order->client, order->request, result, text);
    drop(order);
    if (!of_step)
        return;
    snprintf(reason, sizeof reason, "it could not be seeded: %s", text);
    operation_event(app, result == RESULT_DONE ? EVENT_DONE : EVENT_FAILED, reason);
}

static struct feeding_order *find(struct feeding *feeding, uint64_t token)
{
    struct feeding_order *order;
    list_for_each(order, &feeding->orders, link)
    {
        if (order->token == token)
            return order;
    }
    return NULL;
}

static void send_status(struct app *app, uint64_t client, uint64_t request)
{
    struct wire_feed_told told;
    memset(&told, 0, sizeof told);
    feeding_fill(app, &told.feed);
    client_send(app->agent, &told, client, request, WIRE_FEED, sizeof told);
}

static void send_order(struct feeding *feeding, struct feeding_order *order, enum feed_action action, uint64_t sequence,
                       bool failed)
{
    struct feed_order message = {
        .token = ++feeding->token, .action = (uint8_t)action, .failed = failed, .sequence = sequence};
    order->token = message.token;
    order->action = (uint8_t)action;
    feeding_send(feeding, FEED_ORDER, &message.header, sizeof message, NULL, 0);
}

/* --- seeding ---------------------------------------------------------------------------------------------- */

static void on_seeded(void *context, const struct hook_result *result)
{
    struct feeding_order *order = context;
    text_copy(order->failure, sizeof order->failure, result->ok ? "" : result->text[0] ? result->text : "it failed");
    send_order(order->feeding, order, FEED_SEED_END, order->mark, !result->ok);
}

static void copy(struct feeding *feeding, struct feeding_order *order, uint64_t mark)
{
    struct app_zone *to = &feeding->app->zones[order->to];
    order->mark = mark;
    order->token = 0; /* none of the role's until the command has ended */
    progress(feeding->app, to->colour, "seed", "copying what %s has",
             feeding->app->zones[colour_other(to->colour)].release);
    hook_run(to, HOOK_SEED, "", on_seeded, order);
}

bool feeding_seeds(const struct app_zone *zone)
{
    const struct app *app = zone->app;
    bool from = app->state == APP_RUNNING && app->live >= 0 && zone_is_fed(&app->zones[app->live]);
    return from && zone_is_fed(zone) && zone->service->feed.seed_on == FEED_SEED_ON_RELEASE &&
           hook_configured(zone, HOOK_SEED);
}

static bool begin(struct feeding *feeding, enum feed_action action, uint64_t sequence, struct feeding_order from)
{
    struct feeding_order *order = malloc(sizeof *order);
    if (!order)
        return false;
    *order = from;
    order->feeding = feeding;
    order->to = feeding->app->live == (int)BLUE ? GREEN : BLUE;
    list_append(&feeding->orders, &order->link);
    send_order(feeding, order, action, sequence, false);
    return true;
}

void feeding_seed(struct app *app)
{
    struct app_zone *target = &app->zones[app->operation.target];
    if (!target->unseeded) {
        app->operation.idle_step = true;
        operation_event(app, EVENT_DONE, NULL);
    } else if (!app->feeding || app->feeding->process.pid == 0) {
        operation_event(app, EVENT_FAILED, "it could not be seeded: the feed does not run at the moment; try again");
    } else {
        progress(app, target->colour, "seed", "waiting for a moment between two transactions");
        if (!begin(app->feeding, FEED_SEED_BEGIN, 0, (struct feeding_order){.of_step = true}))
            operation_event(app, EVENT_FAILED, "it could not be seeded: out of memory; try again");
    }
}

/* What was copied is not to be believed in: the role is told, now or as soon as it has set its mark. */
void feeding_seed_leave(struct app *app)
{
    struct feeding_order *order;
    if (!app->feeding)
        return;
    list_for_each(order, &app->feeding->orders, link)
    {
        if (!order->of_step)
            continue;
        order->of_step = false;
        order->given_up = order->action == FEED_SEED_BEGIN;
        if (order->token != 0)
            continue;
        hooks_cancel_for(app, on_seeded);
        send_order(app->feeding, order, FEED_SEED_END, order->mark, true);
    }
}

static void be_seeded(struct app *app, enum colour colour)
{
    app->zones[colour].unseeded = false;
    feeding_follow(app); /* it may be fed now */
}

static bool may_seed(const struct asked *asked, struct app *app)
{
    const struct feeding_order *order;
    struct app_zone *to = app->live >= 0 ? zone_of(app, colour_other((enum colour)app->live)) : NULL;
    if (!to || !to->kernel || !zone_is_fed(to)) {
        request_answer(asked, RESULT_REFUSED,
                       "there is no other zone to copy to: deploy a release, or roll back, first");
        return false;
    }
    if (!hook_configured(to, HOOK_SEED)) {
        request_answer(asked, RESULT_REFUSED, "[feed] seed names no command; bluegreen.conf(5) says what it has to do");
        return false;
    }
    if (operation_running(app)) {
        request_answer(asked, RESULT_BUSY, "an operation runs on it");
        return false;
    }
    list_for_each(order, &app->feeding->orders, link)
    {
        if (order->action == FEED_SEED_BEGIN || order->action == FEED_SEED_END) {
            request_answer(asked, RESULT_BUSY, "it is being seeded");
            return false;
        }
    }
    return true;
}

/* --- orders ----------------------------------------------------------------------------------------------- */

static enum feed_action action_of(enum wire_action action)
{
    switch (action) {
    case WIRE_FEED_PAUSE: return FEED_PAUSE;
    case WIRE_FEED_RESUME: return FEED_RESUME;
    case WIRE_FEED_SEED: return FEED_SEED_BEGIN;
    case WIRE_FEED_DIFF: return FEED_DIFF;
    case WIRE_FEED_SKIP: return FEED_SKIP;
    case WIRE_FEED_APPLY: return FEED_APPLY;
    default: return FEED_VERIFY;
    }
}

static void take_order(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    struct feeding_order from = {.client = request->header.client, .request = request->header.request};
    if (!begin(app->feeding, action_of((enum wire_action)request->action), request->sequence, from))
        request_answer(asked, RESULT_FAILED, "out of memory; try again");
}

void handle_feed(const struct asked *asked, struct app *app)
{
    const struct wire_request *request = asked->request;
    struct wire_feed stands = {0};
    feeding_fill(app, &stands);
    if (stands.state == FEED_STATE_OFF) {
        request_answer(asked, RESULT_REFUSED,
                       app->state == APP_RUNNING
                           ? "it is not fed: its configuration has no [feed] (bluegreen.conf(5)), or was "
                             "not reloaded since"
                           : "it does not run, so nothing is fed: start it, or deploy a release, first");
    } else if (request->action == WIRE_FEED_STATUS) {
        send_status(app, request->header.client, request->header.request);
        request_answer(asked, RESULT_DONE, "");
    } else if (!app->feeding || app->feeding->process.pid == 0) {
        request_answer(asked, RESULT_FAILED, "the feed does not run at the moment; it is being started, so try again");
    } else if (request->action != WIRE_FEED_SEED || may_seed(asked, app)) {
        take_order(asked, app);
    }
}

void feeding_item(struct feeding *feeding, const struct feed_item *item)
{
    struct feeding_order *order = find(feeding, item->token);
    struct wire_feed_item row;
    if (!order || !order->client)
        return;
    memset(&row, 0, sizeof row);
    wire_feed_item_fill(item, &row);
    client_send(feeding->app->agent, &row, order->client, order->request, WIRE_FEED_ITEM, sizeof row);
}

void feeding_done(struct feeding *feeding, const struct feed_done *done)
{
    struct feeding_order *order = find(feeding, done->token);
    if (!order)
        return;
    if (order->action == FEED_SEED_BEGIN && done->result == 0) {
        if (order->given_up)
            send_order(feeding, order, FEED_SEED_END, done->sequence, true);
        else
            copy(feeding, order, done->sequence);
        return;
    }
    if (order->action == FEED_SEED_END && done->result == 0 && !order->failure[0] && !order->given_up)
        be_seeded(feeding->app, order->to);
    if (order->action == FEED_VERIFY && order->client)
        send_status(feeding->app, order->client, order->request);
    if (order->action == FEED_SEED_END && order->failure[0])
        end(feeding, order, RESULT_FAILED, order->failure);
    else
        end(feeding, order, done->result < 0 ? RESULT_REFUSED : RESULT_DONE,
            done->text[0] || done->result == 0 ? done->text : strerror(-done->result));
}

void feeding_orders_end(struct feeding *feeding, const char *why)
{
    struct feeding_order *order;
    hooks_cancel_for(feeding->app, on_seeded);
    list_for_each(order, &feeding->orders, link) end(feeding, order, RESULT_FAILED, why);
}

void feeding_client_gone(struct agent *agent, uint64_t client)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        struct feeding_order *order;
        if (!app->feeding)
            continue;
        list_for_each(order, &app->feeding->orders, link)
        {
            if (client == 0 || order->client == client)
                order->client = 0; /* what was begun goes on */
        }
    }
}
