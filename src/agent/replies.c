/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for an answer, and what they get in the end. Apart from requests.c, which says what is done about what they
 * have asked for. */
#include "agent/replies.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/bake.h"
#include "agent/diffs.h"
#include "agent/doctor.h"
#include "agent/feeding.h"
#include "agent/following.h"
#include "agent/groups.h"
#include "agent/progress.h"
#include "agent/queue.h"
#include "agent/releases.h"
#include "agent/requests.h"
#include "agent/status.h"
#include "agent/waiting.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text)
{
    static struct wire_end message;
    message = (struct wire_end){.result = result};
    text_copy(message.text, sizeof message.text, text ? text : "");
    client_send(agent, &message, client, id, WIRE_END, sizeof message);
}

void request_answer(const struct asked *asked, enum wire_result result, const char *text)
{
    reply_end(asked->agent, asked->request->header.client, asked->request->header.request, result, text);
}

/* What a client that does not stay for the bake is to know of it. */
static void add_bake(struct app *app, char *text, size_t size)
{
    struct wire_bake bake = {0};
    size_t used = strlen(text);
    bake_fill(app, &bake);
    uint64_t now = clock_unix_ms(), seconds = bake.until_unix_ms > now ? (bake.until_unix_ms - now + 999) / 1000 : 0;
    bool minutes = seconds >= 120;
    snprintf(text + used, size - used,
             "%sthe bake goes on for %llu %s: \"bluegreen attach %s\" follows it, \"bluegreen rollback %s\" goes back, "
             "\"bluegreen finish %s\" ends it",
             used ? "\n" : "", (unsigned long long)(minutes ? (seconds + 30) / 60 : seconds), minutes ? "min" : "s",
             app->name, app->name, app->name);
}

/* Is there more to wait for, for one who came to see the end of all? */
static bool goes_on(struct request *request, enum wire_result result)
{
    if (!request->attached || request->wait == WAIT_BAKE || result != RESULT_DONE || !baking(request->app))
        return false;
    request->wait = WAIT_BAKE;
    progress_greet(request);
    return true;
}

static void end_request(const struct request *request, enum wire_result result, const char *text)
{
    char first[ERROR_TEXT_MAX];
    if (request->brief && strchr(text, '\n')) {
        snprintf(first, sizeof first, "%.*s", (int)strcspn(text, "\n"), text);
        text = first;
    }
    reply_end(request->app->agent, request->client, request->id, result, text);
}

void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text)
{
    char with_bake[2 * WIRE_TEXT_MAX] = "";
    if (result == RESULT_DONE && receipt && baking(app)) {
        text_copy(with_bake, sizeof with_bake, text);
        add_bake(app, with_bake, sizeof with_bake);
    }
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app != app || request->wait != wait)
            continue;
        if (request->group) {
            struct group_answer *group = request->group;
            list_remove(&request->link);
            free(request);
            group_answer_add(group, app, result, receipt, with_bake[0] ? with_bake : text);
            continue;
        }
        if (receipt) {
            struct wire_receipt message = *receipt;
            client_send(app->agent, &message, request->client, request->id, WIRE_RECEIPT, sizeof message);
        }
        if (goes_on(request, result) || follow_way_back(request, result, text))
            continue;
        if (request->failed[0])
            end_request(request, RESULT_FAILED, request->failed);
        else
            end_request(request, result, with_bake[0] ? with_bake : text);
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
            if (request->group)
                group_answer_drop(request->group, true);
            list_remove(&request->link);
            free(request);
        }
    }
    queue_client_gone(agent, client);
    releases_client_gone(agent, client);
    waiters_client_gone(agent, client);
    diffs_client_gone(agent, client);
    status_client_gone(agent, client);
    doctor_client_gone(agent, client);
    feeding_client_gone(agent, client);
}

struct request *request_wait_for(const struct asked *asked, struct app *app, enum request_wait wait)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request) {
        request_answer(asked, RESULT_FAILED, "out of memory; try again");
        return NULL;
    }
    *request = (struct request){
        .client = asked->request->header.client, .id = asked->request->header.request, .app = app, .wait = wait};
    list_append(&asked->agent->requests, &request->link);
    return request;
}
