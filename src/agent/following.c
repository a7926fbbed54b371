/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coming to what runs already: attach joins it and goes with it to its end, finish ends what only waits. */
#include "agent/following.h"

#include "agent/admission.h"
#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/clients.h"
#include "agent/drains.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/releases.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>

static struct app_zone *draining_zone(struct app *app)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        if (drain_runs(zone))
            return zone;
    }
    return NULL;
}

/* What somebody would want to know who thought that something was going on. */
static void say_idle(const struct asked *asked, struct app *app)
{
    char text[2 * WIRE_TEXT_MAX];
    const struct app_zone *canary = canary_zone(app);
    if (canary)
        snprintf(
            text, sizeof text,
            "no operation, drain or bake of %s: %s is live on %s, and %s has %u%% of the new %s: \"bluegreen switch "
            "%s\" gives it all, \"bluegreen abort %s\" takes them back",
            app->name, app->zones[app->live].release, colour_name((enum colour)app->live), canary->release,
            app->canary.percent, app->canary.sticky ? "clients" : "connections", app->name, app->name);
    else if (app->state == APP_RUNNING && app->live >= 0)
        snprintf(text, sizeof text, "nothing runs on %s: %s is live on %s", app->name, app->zones[app->live].release,
                 colour_name((enum colour)app->live));
    else
        snprintf(text, sizeof text, "nothing runs on %s: it is %s", app->name, app_state_name(app->state));
    request_answer(asked, RESULT_DONE, text);
}

void handle_attach(const struct asked *asked, struct app *app)
{
    bool idle = !operation_running(app) && !draining_zone(app) && !baking(app);
    if (idle && releases_changing(app)) {
        releases_attach(asked, app);
        return;
    }
    if (idle) {
        say_idle(asked, app);
        return;
    }
    struct request *request = request_wait_for(asked, app,
                                               operation_running(app) ? WAIT_OPERATION
                                               : draining_zone(app)   ? WAIT_DRAIN
                                                                      : WAIT_BAKE);
    if (!request)
        return;
    request->attached = true;
    request->brief = !asked->client->may_operate;
    progress_greet(request);
}

/* From a bake, or a drain, that ended with a breach: to the rollback, and to the drain behind it. */
bool follow_way_back(struct request *request, enum wire_result result, const char *text)
{
    struct app *app = request->app;
    enum request_wait next;
    if (!request->attached || result != RESULT_FAILED)
        return false;
    if (operation_running(app) && app->operation.by_agent)
        next = WAIT_OPERATION;
    else if (baking(app) && app->bake.breach[0])
        next = WAIT_BAKE;
    else if (request->wait == WAIT_BAKE && draining_zone(app))
        next = WAIT_DRAIN;
    else
        return false;
    if (next == request->wait)
        return false;
    if (!request->failed[0])
        snprintf(request->failed, sizeof request->failed, "%.*s", (int)strcspn(text, "\n"), text);
    request->wait = next;
    return true;
}

void handle_finish(const struct asked *asked, struct app *app)
{
    char text[2 * WIRE_TEXT_MAX] = "", drained[WIRE_TEXT_MAX] = "";
    struct error err = {0};
    enum wire_result busy = admit_busy(app, &err); /* an operation may be about to make the draining zone live again */
    if (busy != RESULT_DONE) {
        request_answer(asked, busy, err.text);
        return;
    }
    struct app_zone *zone = draining_zone(app);
    bool was_baking = baking(app);
    if (!zone && !was_baking) {
        say_idle(asked, app);
        return;
    }
    log_notice("%s: %s%s%s ended now, asked for by %s", app->name, zone ? "the drain" : "",
               zone && was_baking ? " and " : "", was_baking ? "the bake" : "", client_name(asked->client));
    if (zone)
        drain_finish(zone, drained, sizeof drained);
    if (was_baking)
        bake_finish(app, client_name(asked->client));
    text_copy(text, sizeof text, drained);
    if (was_baking)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%sthe bake is finished: %s stays live and is not watched for a breach any more", zone ? "\n" : "",
                 app->zones[app->live].release);
    request_answer(asked, RESULT_DONE, text);
}
