/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who said --wait: a request that is refused because of what runs waits here for its turn, and is then looked at as if
 * it had just come, but for who asked. Apart from requests.c, which knows nothing of waiting for a turn.
 */
#include "agent/queue.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/apps.h"
#include "agent/clients.h"
#include "agent/operations.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_answers.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct queued {
    struct wire_request request;
    uint64_t since_ms;
    char told[WIRE_TEXT_MAX + 1]; /* what it waits for, as it was last said */
};

static bool is_group(const struct wire_request *request)
{
    return request->flags & WIRE_GROUP;
}

/* --- what it is told ---------------------------------------------------------------------------------- */

static void describe(struct agent *agent, const struct wire_request *request, const char *refusal, char *text,
                     size_t size)
{
    const struct app *app = is_group(request) ? NULL : app_find(agent, request->app);
    size_t others = turns_waiting(&agent->turns, request->app, is_group(request));
    if (app && operation_running(app))
        snprintf(text, size, "waiting for: %s is doing %s%s%s (step %s)", app->operation.who,
                 verb_name(app->operation.verb), app->operation.release[0] ? " " : "", app->operation.release,
                 step_name(operation_step(app)));
    else if (refusal)
        snprintf(text, size, "waiting: %.*s", (int)strcspn(refusal, ";"), refusal);
    else
        snprintf(text, size, "waiting behind %zu other%s", others, others == 1 ? "" : "s");
    text_sanitise(text);
}

static void tell(struct agent *agent, struct queued *queued, const char *step, const char *text)
{
    struct wire_progress message = {.zone = COLOURS, .elapsed_ms = clock_monotonic_ms() - queued->since_ms};
    if (strcmp(queued->told, text) == 0)
        return;
    text_copy(queued->told, sizeof queued->told, text);
    text_copy(message.step, sizeof message.step, step);
    text_copy(message.text, sizeof message.text, text);
    client_send(agent, &message, queued->request.header.client, queued->request.header.request, WIRE_PROGRESS,
                sizeof message);
}

/* --- coming and going --------------------------------------------------------------------------------- */

static bool enqueue(const struct asked *asked, const char *refusal)
{
    struct agent *agent = asked->agent;
    const struct wire_request *request = asked->request;
    char text[2 * WIRE_TEXT_MAX];
    describe(agent, request, refusal, text, sizeof text);
    struct queued *queued = calloc(1, sizeof *queued);
    if (!queued || !turns_add(&agent->turns, request->app, is_group(request), request->header.client, queued)) {
        free(queued);
        snprintf(text, sizeof text, "%.300s%sno more can wait for their turn: at most %d for each app, %d in all",
                 refusal ? refusal : "", refusal ? "; " : "", TURNS_PER_APP, TURNS_MAX);
        reply_end(agent, request->header.client, request->header.request, RESULT_BUSY, text);
        return true;
    }
    *queued = (struct queued){.request = *request, .since_ms = clock_monotonic_ms()};
    log_info("%s: %s %s waits for its turn, asked for by %s", request->app, verb_name((enum wire_verb)request->verb),
             request->release, client_name(asked->client));
    tell(agent, queued, "queue", text);
    return true;
}

bool queue_refused(const struct asked *asked, const char *refusal)
{
    struct agent *agent = asked->agent;
    char text[2 * WIRE_TEXT_MAX];
    if (!(asked->request->flags & WIRE_QUEUE))
        return false;
    if (agent->turn == 0)
        return enqueue(asked, refusal);
    struct turn *turn = turns_find(&agent->turns, agent->turn);
    if (!turn)
        return false;
    agent->turn_waits = true;
    describe(agent, asked->request, refusal, text, sizeof text);
    tell(agent, turn->what, "queue", text);
    return true;
}

bool queue_behind(const struct asked *asked)
{
    const struct wire_request *request = asked->request;
    bool others = asked->agent->turn == 0 && turns_waiting(&asked->agent->turns, request->app, is_group(request)) > 0;
    return (request->flags & WIRE_QUEUE) && others && enqueue(asked, NULL);
}

void queue_begins(const struct asked *asked)
{
    struct turn *turn = turns_find(&asked->agent->turns, asked->agent->turn);
    if (turn)
        tell(asked->agent, turn->what, "turn", "its turn has come");
}

static void drop(struct agent *agent, struct turn *turn)
{
    free(turn->what);
    turns_remove(&agent->turns, turn);
}

void queue_client_gone(struct agent *agent, uint64_t client)
{
    struct turn *turn;
    while ((turn = turns_of_client(&agent->turns, client))) {
        const struct queued *queued = turn->what;
        log_info("%s: %s %s is not begun: who asked for it has gone", turn->name,
                 verb_name((enum wire_verb)queued->request.verb), queued->request.release);
        drop(agent, turn);
    }
}

void queue_dispose(struct agent *agent)
{
    struct turn *turn;
    while ((turn = turns_of_client(&agent->turns, 0))) {
        const struct wire_request *request = &((struct queued *)turn->what)->request;
        reply_end(agent, request->header.client, request->header.request, RESULT_FAILED,
                  "the agent is going down; this was waiting for its turn, and nothing of it was done");
        drop(agent, turn);
    }
}

/* --- turns ------------------------------------------------------------------------------------------------ */

/* The turn is found again by its ticket: whatever is begun may make clients go. */
static void try_turn(struct agent *agent, const struct turn *turn)
{
    const struct queued *queued = turn->what;
    struct wire_request request = queued->request;
    uint64_t ticket = turn->ticket;
    struct client *client = client_find(agent, request.header.client);
    agent->turn = ticket;
    agent->turn_waits = false;
    if (client)
        request_dispatch(&(struct asked){agent, &request, client});
    agent->turn = 0;
    struct turn *same = turns_find(&agent->turns, ticket);
    if (same && !agent->turn_waits)
        drop(agent, same);
}

void queue_advance(struct agent *agent)
{
    struct turn *turn;
    uint64_t ticket = 0;
    while ((turn = turns_next(&agent->turns, ticket))) {
        ticket = turn->ticket;
        try_turn(agent, turn);
    }
}
