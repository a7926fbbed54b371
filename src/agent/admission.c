/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may begin, and on which zone; each refusal with its reason and what to do. Apart from requests.c because nothing
 * here changes anything. */
#include "agent/admission.h"

#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/giving_way.h"
#include "agent/holding.h"
#include "agent/launching.h"
#include "agent/locking.h"
#include "agent/operations.h"
#include "agent/releases.h"
#include "agent/schema.h"
#include "agent/testing.h"
#include "agent/zones.h"
#include "conf/resolve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum wire_result admit_refuse(struct error *err, enum wire_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return result;
}

enum wire_result admit_busy(const struct app *app, struct error *err)
{
    const struct operation *operation = &app->operation;
    if (!operation_running(app))
        return RESULT_DONE;
    return admit_refuse(
        err, RESULT_BUSY,
        "%s is busy: %s is doing \"%s %s\" (step %s, since %llu s); wait for it, or \"bluegreen abort %s\"", app->name,
        operation->who, verb_name(operation->verb), operation->release, step_name(operation_step(app)),
        (unsigned long long)(clock_monotonic_ms() - operation->begun_ms) / 1000, app->name);
}

enum wire_result admit_running(const struct app *app, enum wire_verb verb, struct error *err)
{
    return operation_can_be_left(app, verb) ? RESULT_DONE : admit_busy(app, err);
}

enum wire_result admit_staging(struct app *app, const struct wire_request *request, enum colour *target,
                               struct error *err)
{
    *target = app->live >= 0 ? colour_other((enum colour)app->live) : BLUE;
    const struct app_zone *zone = zone_of(app, *target);
    if (app->state == APP_STOPPED)
        return admit_refuse(err, RESULT_REFUSED,
                            "%s is stopped; \"bluegreen start %s\" first, or \"bluegreen remove %s\"", app->name,
                            app->name, app->name);
    if (bake_is_about_to_leave(app))
        return admit_refuse(err, RESULT_BUSY, "%s is bad, and %s is about to be live again; try again in a moment",
                            app->zones[app->live].release, zone->release);
    if (drain_runs(zone) && !(request->flags & WIRE_FORCE))
        return admit_refuse(
            err, RESULT_BUSY,
            "zone %s of %s is still draining %u connections of the last switch; \"bluegreen drain %s\" waits for "
            "them, --force ends them",
            colour_name(*target), app->name, zone->drain.last, app->name);
    enum wire_result there = admit_canary_free(app, err);
    if (there == RESULT_DONE)
        there = release_admit_staging(app, request->release, err);
    if (there != RESULT_DONE)
        return there;
    if (app_check_ports(app, app->service, err) < 0 || limits_check(app->agent, app->service, err) < 0)
        return RESULT_REFUSED;
    /* A release that cannot start must not cost the standby its place. */
    CLEANUP_RESOLVED struct resolved resolved = {0};
    if (service_resolve(app->service, request->release, *target, &resolved, err) < 0) {
        error_prefix(err, "%s/apps/%s.conf", app->agent->options.config_dir, app->name);
        return RESULT_INVALID;
    }
    if (resolved.hook_problem[0])
        return admit_refuse(err, RESULT_INVALID, "%s/apps/%s.conf: %s", app->agent->options.config_dir, app->name,
                            resolved.hook_problem);
    return RESULT_DONE;
}

static enum wire_result admit_switch(struct app *app, bool rollback, bool force, enum colour *target, struct error *err)
{
    if (app->state == APP_STOPPED)
        return admit_refuse(err, RESULT_REFUSED, "%s is stopped; \"bluegreen start %s\" first", app->name, app->name);
    if (app->live < 0)
        *target = app->zones[BLUE].state == ZONE_ABSENT || app->zones[BLUE].state == ZONE_FAILED ? GREEN : BLUE;
    else
        *target = colour_other((enum colour)app->live);
    const struct app_zone *zone = zone_of(app, *target);
    bool was_live = zone_was_live(zone);
    bool staged = zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY;
    if (rollback && staged)
        return admit_refuse(err, RESULT_REFUSED,
                            "zone %s of %s holds %s, which was never live, so there is nothing to roll back to; "
                            "\"bluegreen switch %s\" makes it live",
                            colour_name(*target), app->name, zone->release, app->name);
    if (!was_live && !staged)
        return admit_refuse(err, RESULT_REFUSED,
                            "there is nothing to switch to: zone %s of %s is %s%s%s; stage or deploy a release first",
                            colour_name(*target), app->name, zone_state_name(zone->state), zone->reason[0] ? ": " : "",
                            zone->reason);
    if (zone->mark == MARK_BAD && !force)
        return admit_refuse(err, RESULT_REFUSED, "%s is bad: %s; --force makes it live all the same", zone->release,
                            zone->mark_reason);
    return RESULT_DONE;
}

/* What is staged beside the live release would run beside it. */
static enum wire_result admit_beside(const struct app *app, const struct wire_request *request, struct error *err)
{
    const struct service *live = app->live >= 0 ? app->zones[app->live].service : NULL;
    bool whole = request->verb == VERB_DEPLOY && request->stop_after == STEP_IDLE;
    if (app->state != APP_RUNNING || !live || whole || !(app->service->hold || live->hold))
        return RESULT_DONE;
    return admit_refuse(err, RESULT_REFUSED,
                        "[switch] mode = hold: of %s one release runs at a time, so nothing is staged beside %s; "
                        "\"bluegreen deploy %s %s\" stops that, starts the new one and lets clients wait meanwhile",
                        app->name, app->zones[app->live].release, app->name, request->release);
}

/* Where nothing is staged a standby may be tested, too: whether it would still do is worth knowing. */
static enum wire_result admit_test(struct app *app, enum colour *target, struct error *err)
{
    if (app->state == APP_STOPPED)
        return admit_refuse(err, RESULT_REFUSED, "%s is stopped; \"bluegreen start %s\" first", app->name, app->name);
    bool in_green = app->zones[GREEN].state == ZONE_HEALTHY || app->zones[GREEN].state == ZONE_UNHEALTHY;
    *target = app->live >= 0 ? colour_other((enum colour)app->live) : in_green ? GREEN : BLUE;
    const struct app_zone *zone = zone_of(app, *target);
    switch (zone->state) {
    case ZONE_HEALTHY:
    case ZONE_UNHEALTHY:
    case ZONE_STANDBY:
    case ZONE_FROZEN:
        if (testing_configured(zone))
            return RESULT_DONE;
        return admit_refuse(err, RESULT_REFUSED,
                            "there is nothing to test: %s was staged without [test] http and [hooks] test",
                            zone->release);
    case ZONE_DRAINING:
        return admit_refuse(
            err, RESULT_BUSY,
            "zone %s of %s is still draining %u connections of the last switch; \"bluegreen drain %s\" waits "
            "for them, \"bluegreen finish %s\" ends them",
            colour_name(*target), app->name, zone->drain.last, app->name, app->name);
    default:
        return admit_refuse(err, RESULT_REFUSED,
                            "there is nothing to test: zone %s of %s is %s%s%s; \"bluegreen stage %s RELEASE\" first",
                            colour_name(*target), app->name, zone_state_name(zone->state), zone->reason[0] ? ": " : "",
                            zone->reason, app->name);
    }
}

static enum wire_result admit_rehearse(struct app *app, enum colour *target, struct error *err)
{
    enum wire_result result = admit_canary_free(app, err);
    if (result == RESULT_DONE)
        result = admit_switch(app, true, true, target, err);
    if (result != RESULT_DONE)
        return result;
    const struct app_zone *zone = zone_of(app, *target);
    if (zone->mark == MARK_BAD)
        return admit_refuse(err, RESULT_REFUSED, "%s is bad, and nothing to rehearse with: %s", zone->release,
                            zone->mark_reason);
    if (app->live < 0)
        return admit_refuse(err, RESULT_REFUSED, "%s has no live release to come back to; deploy one first", app->name);
    if (hold_applies(app, VERB_ROLLBACK, *target))
        return admit_refuse(err, RESULT_REFUSED,
                            "[switch] mode = hold: of %s one release runs at a time, and a rehearsal needs both; "
                            "\"bluegreen rollback %s\" is what a rehearsal would do, twice",
                            app->name, app->name);
    if (zone->state == ZONE_DRAINING)
        return admit_refuse(
            err, RESULT_BUSY,
            "zone %s of %s is still draining %u connections of the last switch; rehearse when it has ended: "
            "\"bluegreen drain %s\" waits for it, \"bluegreen finish %s\" ends it",
            colour_name(*target), app->name, zone->drain.last, app->name, app->name);
    if (baking(app))
        return admit_refuse(
            err, RESULT_BUSY,
            "%s is baking, and a rehearsal would spoil what is measured; \"bluegreen attach %s\" waits for its "
            "end, \"bluegreen finish %s\" ends it",
            app->zones[app->live].release, app->name, app->name);
    return RESULT_DONE;
}

static enum wire_result admit_start(struct app *app, enum colour *target, struct error *err)
{
    if (app->state == APP_RUNNING)
        return admit_refuse(err, RESULT_REFUSED, "%s runs already", app->name);
    if (app->live < 0 || app->zones[app->live].state != ZONE_STOPPED)
        return admit_refuse(err, RESULT_REFUSED, "%s has no release to start; \"bluegreen remove %s\", then deploy one",
                            app->name, app->name);
    if (zone_busy(&app->zones[BLUE]) || zone_busy(&app->zones[GREEN]))
        return admit_refuse(err, RESULT_BUSY, "%s is still being stopped; try again in a moment", app->name);
    *target = (enum colour)app->live;
    return RESULT_DONE;
}

static enum wire_result admit_stop(struct app *app, enum colour *target, struct error *err)
{
    *target = app->live >= 0 ? (enum colour)app->live : BLUE;
    if (app->state == APP_STOPPED)
        return admit_refuse(err, RESULT_REFUSED, "%s is stopped already", app->name);
    if (app->live < 0)
        return admit_refuse(err, RESULT_REFUSED, "%s has no live release to stop", app->name);
    return RESULT_DONE;
}

static enum wire_result admit_remove(struct app *app, bool force, enum colour *target, struct error *err)
{
    *target = app->live >= 0 ? (enum colour)app->live : BLUE;
    if (app->state == APP_RUNNING && app->live >= 0 && !force)
        return admit_refuse(err, RESULT_REFUSED, "%s is serving; \"bluegreen stop %s\" first, or --force", app->name,
                            app->name);
    return RESULT_DONE;
}

/* Is it still, or by now, a schema that it can run on? */
static enum wire_result admit_schema(struct app *app, const struct wire_request *request, enum wire_result result,
                                     enum colour target, struct error *err)
{
    bool staging = request->verb == VERB_DEPLOY || request->verb == VERB_STAGE;
    bool past = request->flags & WIRE_PAST_CONTRACT;
    if (result == RESULT_REFUSED && request->verb == VERB_ROLLBACK && app->zones[target].state == ZONE_ABSENT &&
        app->schema.contracted > 0)
        error_suffix(err,
                     " (the schema was contracted for version %u, and the standby that could not run on it is gone)",
                     app->schema.contracted);
    if (result != RESULT_DONE)
        return result;
    int refused = staging ? schema_admits_release(app, request->release, past, err)
                  : past  ? 0
                          : schema_admits(app, zone_of(app, target), err);
    return refused < 0 ? RESULT_REFUSED : RESULT_DONE;
}

enum wire_result admit(struct app *app, const struct wire_request *request, enum colour *target, struct error *err)
{
    enum wire_result result = admit_locked(app, request, err);
    if (result == RESULT_DONE)
        result = admit_running(app, (enum wire_verb)request->verb, err);
    if (result != RESULT_DONE)
        return result;
    switch ((enum wire_verb)request->verb) {
    case VERB_DEPLOY:
    case VERB_STAGE:
        result = admit_staging(app, request, target, err);
        if (result == RESULT_DONE)
            result = admit_beside(app, request, err);
        break;
    case VERB_SWITCH:
        result = admit_switch(app, false, request->flags & WIRE_FORCE, target, err);
        if (result == RESULT_DONE && request->canary > 0)
            result = admit_canary(app, *target, err);
        break;
    case VERB_ROLLBACK:
        result = admit_canary_free(app, err); /* of one app by itself it is another operation */
        if (result == RESULT_DONE)
            result = admit_switch(app, true, request->flags & WIRE_FORCE, target, err);
        break;
    case VERB_TEST: return admit_test(app, target, err);
    case VERB_REHEARSE: result = admit_rehearse(app, target, err); break;
    case VERB_START: return admit_start(app, target, err);
    case VERB_STOP: return admit_stop(app, target, err);
    default: return admit_remove(app, request->flags & WIRE_FORCE, target, err);
    }
    return admit_schema(app, request, result, *target, err);
}
