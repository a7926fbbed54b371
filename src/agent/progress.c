/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of an operation, a drain and a bake while they last, to whoever waits for them. Apart from operations.c
 * because nothing here decides anything. */
#include "agent/progress.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/bake.h"
#include "agent/drains.h"
#include "agent/operations.h"
#include "agent/replies.h"
#include "agent/status.h"
#include "agent/usage.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The steps that are one hook, which is killed at its deadline. */
static bool is_hook(enum step step)
{
    return step == STEP_PRE_START || step == STEP_PRE_SWITCH || step == STEP_PRE_ROLLBACK || step == STEP_POST_SWITCH ||
           step == STEP_POST_ROLLBACK;
}

static bool is_schema(enum step step)
{
    return step == STEP_EXPAND || step == STEP_CONTRACT || step == STEP_REVERT;
}

/* The wait that the step is, if its end is known: when it began and when it ends, both monotonic. */
static bool known_wait(const struct app *app, enum colour zone, const char *step, uint64_t *begun_ms, uint64_t *end_ms)
{
    if (operation_running(app) && strcmp(step, step_name(operation_step(app))) == 0) {
        const struct service *service = app->zones[app->operation.target].service;
        *begun_ms = app->operation.step_ms;
        *end_ms = loop_timer_due_ms(app->step_timer);
        if (*end_ms == 0 && service && is_hook(operation_step(app)))
            *end_ms = *begun_ms + service->hook_timeout_ms;
        else if (*end_ms == 0 && service && is_schema(operation_step(app)))
            *end_ms = *begun_ms + service->schema_timeout_ms;
        return *end_ms > 0;
    }
    if (strcmp(step, "drain") == 0)
        return drain_times(&app->zones[zone], begun_ms, end_ms);
    if (strcmp(step, "bake") != 0 || !baking(app) || !app->zones[zone].service)
        return false;
    struct wire_bake bake = {0};
    bake_fill(app, &bake);
    uint64_t now = clock_unix_ms(), left = bake.until_unix_ms > now ? bake.until_unix_ms - now : 0;
    uint64_t time = app->zones[zone].service->bake.time_ms;
    *end_ms = clock_monotonic_ms() + left;
    *begun_ms = *end_ms > time ? *end_ms - time : 0;
    return time > 0;
}

static void fill(const struct app *app, enum colour zone, const char *step, struct wire_progress *message)
{
    *message = (struct wire_progress){.zone = (uint8_t)zone};
    uint64_t begun = operation_running(app) ? app->operation.begun_ms : app->zones[zone].drain.operation_ms;
    uint64_t now = clock_monotonic_ms(), wait_begun, wait_end;
    message->elapsed_ms = begun ? now - begun : 0;
    if (known_wait(app, zone, step, &wait_begun, &wait_end) && wait_end > wait_begun) {
        message->wait_ms = (uint32_t)(wait_end - wait_begun);
        message->waited_ms = now >= wait_end ? message->wait_ms : now > wait_begun ? (uint32_t)(now - wait_begun) : 0;
        if (message->elapsed_ms == 0) /* the bake has no operation any more */
            message->elapsed_ms = message->waited_ms;
    }
    text_copy(message->step, sizeof message->step, step);
}

/* "12 connections open, 3 nudged; 40 in green". The first time it says where there is more to see. */
static void fill_count(const struct app_zone *zone, bool first, struct wire_progress *message)
{
    const struct drain *drain = &zone->drain;
    struct app_zone *other = zone_of(zone->app, colour_other(zone->colour));
    int used =
        snprintf(message->text, sizeof message->text, "%u connection%s open", drain->last, drain->last == 1 ? "" : "s");
    if (drain->nudged)
        used += snprintf(message->text + used, sizeof message->text - (size_t)used, ", %u nudged", drain->nudged);
    if (other->kernel && !other->closing) {
        usage_count_tcp(other);
        message->live_connections = other->tcp_count;
        used += snprintf(message->text + used, sizeof message->text - (size_t)used, "; %u in %s", other->tcp_count,
                         colour_name(other->colour));
    }
    if (first && drain->last > 0)
        snprintf(message->text + used, sizeof message->text - (size_t)used,
                 " (\"bluegreen connections %s\" lists them)", zone->app->name);
    message->has_count = 1;
    message->connections = drain->last;
    message->nudged = drain->nudged;
}

static void send_to(const struct request *request, struct wire_progress *message)
{
    struct wire_progress one = *message; /* of a group it has to say of which app it is */
    if (request->group)
        snprintf(message->text, sizeof message->text, "%s: %.210s", request->app->name, one.text);
    client_send(request->app->agent, message, request->client, request->id, WIRE_PROGRESS, sizeof *message);
    *message = one;
}

static void send_to_all(struct app *app, struct wire_progress *message)
{
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app == app)
            send_to(request, message);
    }
}

void progress(struct app *app, enum colour zone, const char *step, const char *format, ...)
{
    struct wire_progress message;
    fill(app, zone, step, &message);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message.text, sizeof message.text, format, arguments);
    va_end(arguments);
    text_sanitise(message.text);
    send_to_all(app, &message);
}

static bool is_awaited(const struct app *app)
{
    const struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app == app)
            return true;
    }
    return false;
}

void progress_count(struct app_zone *zone)
{
    struct wire_progress message;
    if (!is_awaited(zone->app)) /* counting the other zone would be for nobody */
        return;
    fill(zone->app, zone->colour, "drain", &message);
    fill_count(zone, zone->drain.most == 0, &message);
    send_to_all(zone->app, &message);
}

static void tell_bake(struct request *request)
{
    struct app *app = request->app;
    struct wire_bake bake = {0};
    struct wire_progress message;
    bake_fill(app, &bake);
    if (strcmp(bake.verdict, request->told) == 0)
        return;
    text_copy(request->told, sizeof request->told, bake.verdict);
    fill(app, (enum colour)app->live, "bake", &message);
    text_copy(message.text, sizeof message.text, bake.verdict);
    text_sanitise(message.text);
    send_to(request, &message);
}

void progress_bake(struct app *app)
{
    struct request *request;
    list_for_each(request, &app->agent->requests, link)
    {
        if (request->app == app && request->wait == WAIT_BAKE)
            tell_bake(request);
    }
}

void progress_greet(struct request *request)
{
    struct app *app = request->app;
    struct wire_progress message;
    if (request->wait == WAIT_BAKE) {
        tell_bake(request);
        return;
    }
    if (request->wait == WAIT_OPERATION) {
        const struct operation *operation = &app->operation;
        fill(app, operation->target, step_name(operation_step(app)), &message);
        snprintf(message.text, sizeof message.text, "%s %s, asked for by %s", verb_name(operation->verb),
                 operation->release, operation->who);
    } else {
        const struct app_zone *old = zone_of(app, app->live == BLUE ? GREEN : BLUE);
        fill(app, old->colour, "drain", &message);
        fill_count(old, true, &message);
    }
    text_sanitise(message.text);
    send_to(request, &message);
}
