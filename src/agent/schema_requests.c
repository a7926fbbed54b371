/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of an app's schema: its status, and the operations that change it, each behind its gate. Apart from
 * schema.c, which does what is granted. */
#include "agent/agent.h"

#include "agent/admission.h"
#include "agent/api_role.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/clients.h"
#include "agent/drains.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/queue.h"
#include "agent/reload.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/schema.h"
#include "agent/steps.h"
#include "agent/zones.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct schema_zone look_at(struct app_zone *zone)
{
    bool rests = zone->state == ZONE_STANDBY || zone->state == ZONE_FROZEN || zone->state == ZONE_RESTING;
    bool gone = zone->state == ZONE_ABSENT || zone->state == ZONE_FAILED;
    struct schema_zone seen = {
        .release = zone->release,
        .colour = colour_name(zone->colour),
        .needs = zone_schema_needs(zone),
        .there = zone_busy(zone) || !gone,
        .leaving = zone_busy(zone) && gone,
        .draining = zone->state == ZONE_DRAINING,
        .was_live = rests || zone->state == ZONE_DRAINING,
    };
    if (zone->kernel && !zone->closing && seen.was_live)
        seen.connections = zone_count_tcp(zone);
    return seen;
}

void schema_look_around(struct app *app, struct schema_around *around)
{
    bool runs = app->state == APP_RUNNING && app->live >= 0;
    enum colour live = app->live >= 0 ? (enum colour)app->live : BLUE;
    *around = (struct schema_around){
        .app = app->name,
        .live = look_at(zone_of(app, live)),
        .other = look_at(zone_of(app, colour_other(live))),
        .baking = baking(app),
        .bad = runs && app->zones[live].mark == MARK_BAD,
    };
    around->live.there = around->live.there && runs;
}

int schema_admits(const struct app *app, const struct app_zone *zone, struct error *err)
{
    return schema_may_run(&app->schema, app->name, zone->release, zone_schema_needs(zone), err);
}

int schema_admits_release(const struct app *app, const char *release, bool past, struct error *err)
{
    const struct service *service = app->service;
    if (past && service->schema_needs < app->schema.contracted)
        return 0;
    return schema_may_release(&app->schema, app->name, release, service->schema_needs,
                              service->hooks[HOOK_EXPAND].run.count > 0, err);
}

void schema_fill(const struct app *app, struct wire_schema *out)
{
    const struct schema *schema = &app->schema;
    bool configured = app->service && app->service->schema_needs > 0;
    if (!schema_known(schema) && !configured)
        return;
    out->present = 1;
    out->state = (uint8_t)schema->state;
    out->expanded = schema->expanded;
    out->contracted = schema->contracted;
    schema_describe(schema, out->text, sizeof out->text);
}

/* --- status ------------------------------------------------------------------------------------------------ */

static void send_row(const struct asked *asked, const char *name, uint64_t unix_ms, const char *text)
{
    struct wire_item item = {.unix_ms = unix_ms};
    text_copy(item.kind, sizeof item.kind, "schema");
    text_copy(item.name, sizeof item.name, name);
    snprintf(item.text, sizeof item.text, "%s", text);
    client_send(asked->agent, &item, asked->request->header.client, asked->request->header.request, WIRE_ITEM,
                sizeof item);
}

static void send_versions(const struct asked *asked, const struct app *app)
{
    struct wire_item item = {0};
    char number[16];
    text_copy(item.kind, sizeof item.kind, "schema");
    text_copy(item.name, sizeof item.name, "needs");
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct app_zone *zone = &app->zones[colour];
        if (zone->service)
            snprintf(item.values[colour], sizeof item.values[colour], "%u", zone_schema_needs(zone));
    }
    client_send(asked->agent, &item, asked->request->header.client, asked->request->header.request, WIRE_ITEM,
                sizeof item);
    snprintf(number, sizeof number, "%u", app->schema.expanded);
    send_row(asked, "expanded", 0, number);
    snprintf(number, sizeof number, "%u", app->schema.contracted);
    send_row(asked, "contracted", app->schema.contracted_unix_ms, number);
}

static void send_status(const struct asked *asked, struct app *app)
{
    struct schema_around around;
    struct error check = {0}, contract = {0}, revert = {0};
    char text[WIRE_TEXT_MAX + 1];
    const struct schema *schema = &app->schema;
    schema_describe(schema, text, sizeof text);
    send_row(asked, schema_state_name(schema->state), schema->changed_unix_ms, text);
    send_versions(asked, app);
    if (schema->verified[0])
        send_row(asked, "verified", schema->verified_unix_ms, schema->verified);
    schema_look_around(app, &around);
    int may_check = schema_may_check(schema, app->name, &check);
    int may_contract = schema_may_contract(schema, &around, false, &contract);
    int may_revert = schema_may_revert(schema, &around, &revert);
    send_row(asked, "check", 0, may_check == 0 ? "can be done" : check.text);
    send_row(asked, "contract", 0, may_contract == 0 ? "can be done" : contract.text);
    send_row(asked, "revert", 0, may_revert == 0 ? "can be done" : revert.text);
    request_answer(asked, RESULT_DONE, "");
}

/* --- operations --------------------------------------------------------------------------------------------- */

/* Where it is to run: in a zone that is there, or in one that is built for it and goes again. */
struct place {
    enum colour target;
    bool build;
    char release[RELEASE_NAME_MAX + 1];
};

static enum wire_result refuse_missing(const struct service *service, enum hook hook, struct error *err)
{
    if (service->hooks[hook].run.count > 0)
        return RESULT_DONE;
    return admit_refuse(err, RESULT_REFUSED, "%s says no command for it", hook_place(hook));
}

static bool holds_something(const struct app_zone *zone)
{
    return zone->state != ZONE_ABSENT && zone->state != ZONE_FAILED && zone->state != ZONE_STOPPED;
}

/* As for a release that is staged: with the file as it is today. */
static enum wire_result find_place_to_build(const struct asked *asked, struct app *app, const char *release,
                                            struct place *place, struct error *err)
{
    struct wire_request request = *asked->request;
    text_copy(request.release, sizeof request.release, release);
    text_copy(place->release, sizeof place->release, release);
    place->build = true;
    if (!release[0])
        return admit_refuse(err, RESULT_INVALID, "which release's command? \"bluegreen schema %s %s RELEASE\"",
                            app->name, wire_action_name((enum wire_action)asked->request->action));
    if (baking(app))
        return admit_refuse(
            err, RESULT_BUSY,
            "%s is in its bake, and the way back is needed until it has passed; \"bluegreen attach %s\" "
            "waits for it, \"bluegreen finish %s\" ends it",
            app->zones[app->live].release, app->name, app->name);
    enum wire_result result = admit_staging(app, &request, &place->target, err);
    const struct app_zone *zone = zone_of(app, place->target);
    if (result == RESULT_DONE && holds_something(zone) && !(request.flags & WIRE_FORCE))
        return admit_refuse(err, RESULT_REFUSED,
                            "the command of %s needs zone %s, where %s is (%s); --force removes that one first",
                            release, colour_name(place->target), zone->release, zone_state_name(zone->state));
    return result;
}

static enum wire_result admit_expand(const struct asked *asked, struct app *app, struct place *place, struct error *err)
{
    const struct service *service = app->service;
    const char *release = asked->request->release[0]           ? asked->request->release
                          : app->schema.state == SCHEMA_BROKEN ? app->schema.release
                                                               : "";
    enum wire_result result = find_place_to_build(asked, app, release, place, err);
    if (result == RESULT_DONE && schema_may_expand(&app->schema, app->name, release, service->schema_needs,
                                                   service->hooks[HOOK_EXPAND].run.count > 0, err) < 0)
        result = RESULT_REFUSED;
    return result;
}

/* Of what is there, best of all the live one: its command is as proven as itself. */
static bool find_place_there(struct app *app, struct place *place)
{
    for (int i = 0; i < COLOURS; i++) {
        enum colour colour = app->live == GREEN ? (i ? BLUE : GREEN) : (i ? GREEN : BLUE);
        const struct app_zone *zone = zone_of(app, colour);
        bool runs = zone->kernel && !zone->closing && zone->state != ZONE_FROZEN;
        if (!runs || zone_schema_needs(zone) != app->schema.version || !hook_configured(zone, HOOK_CHECK))
            continue;
        place->target = colour;
        text_copy(place->release, sizeof place->release, zone->release);
        return true;
    }
    return false;
}

static enum wire_result admit_check(const struct asked *asked, struct app *app, struct place *place, struct error *err)
{
    if (schema_may_check(&app->schema, app->name, err) < 0)
        return RESULT_REFUSED;
    if (find_place_there(app, place))
        return RESULT_DONE;
    return find_place_to_build(asked, app, app->schema.release, place, err);
}

static enum wire_result admit_contract(const struct asked *asked, struct app *app, struct place *place,
                                       struct error *err)
{
    struct schema_around around;
    schema_look_around(app, &around);
    if (schema_may_contract(&app->schema, &around, asked->request->flags & WIRE_FORCE, err) < 0)
        return around.baking || around.other.draining ? RESULT_BUSY : RESULT_REFUSED;
    const struct app_zone *live = zone_of(app, (enum colour)app->live);
    place->target = live->colour;
    text_copy(place->release, sizeof place->release, live->release);
    return refuse_missing(live->service, HOOK_CONTRACT, err);
}

static enum wire_result admit_revert(const struct asked *asked, struct app *app, struct place *place, struct error *err)
{
    struct schema_around around;
    schema_look_around(app, &around);
    if (schema_may_revert(&app->schema, &around, err) < 0)
        return RESULT_REFUSED;
    enum wire_result result = refuse_missing(app->service, HOOK_REVERT, err);
    return result == RESULT_DONE ? find_place_to_build(asked, app, app->schema.release, place, err) : result;
}

static enum wire_result admit_action(const struct asked *asked, struct app *app, struct place *place, struct error *err)
{
    enum wire_result result = admit_busy(app, err);
    if (result == RESULT_DONE)
        result = admit_canary_free(app, err);
    if (result != RESULT_DONE)
        return result;
    switch ((enum wire_action)asked->request->action) {
    case WIRE_SCHEMA_EXPAND: return admit_expand(asked, app, place, err);
    case WIRE_SCHEMA_CHECK: return admit_check(asked, app, place, err);
    case WIRE_SCHEMA_CONTRACT: return admit_contract(asked, app, place, err);
    default: return admit_revert(asked, app, place, err);
    }
}

static bool is_building(enum step step)
{
    return step == STEP_MEMORY || step == STEP_CLEAR || step == STEP_BUILD;
}

static void begin(const struct asked *asked, struct app *app, const struct place *place)
{
    struct operation *operation = &app->operation;
    struct error err = {0};
    if (operation_begin(app, VERB_SCHEMA, place->target, place->release, asked->request->flags & WIRE_FORCE,
                        client_name(asked->client), &err) < 0) {
        request_answer(asked, RESULT_REFUSED, err.text);
        return;
    }
    operation->action = (enum wire_action)asked->request->action;
    operation->plan = plan_of_schema(operation->action);
    while (!place->build && is_building(operation->plan[operation->at]))
        operation->at++;
    request_wait_for(asked, app, WAIT_OPERATION);
    queue_begins(asked);
    step_enter(app, operation_step(app));
}

void handle_schema(const struct asked *asked, struct app *app)
{
    CLEANUP_WORDS struct words problems = {0};
    struct error err = {0};
    struct place place = {0};
    if (asked->request->action == WIRE_SCHEMA_STATUS) {
        send_status(asked, app);
        return;
    }
    enum wire_result result = admit_busy(app, &err);
    if (result == RESULT_DONE && asked->request->action != WIRE_SCHEMA_CONTRACT &&
        reload_app(asked->agent, app->name, &app, &problems) < 0)
        result = admit_refuse(&err, RESULT_INVALID, "%s", problems.count ? problems.items[0] : "out of memory");
    if (result == RESULT_DONE)
        result = admit_action(asked, app, &place, &err);
    if (result == RESULT_DONE)
        begin(asked, app, &place);
    else
        request_refuse(asked, result, err.text);
}
