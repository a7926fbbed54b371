/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls: parameters in, structures out. */
#include "client/connection.h"
#include "client/decode.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

int bluegreen_api_version(void)
{
    return BLUEGREEN_API_VERSION;
}

const char *bluegreen_colour_name(enum bluegreen_colour colour)
{
    return colour == BLUEGREEN_BLUE ? "blue" : colour == BLUEGREEN_GREEN ? "green" : NULL;
}

/* Takes value over; NULL means the parameter is left out. */
static void add(struct json_object *parameters, const char *name, struct json_object *value)
{
    if (value && (!parameters || json_object_object_add(parameters, name, value) < 0))
        json_object_put(value);
}

static struct json_object *string_or_null(const char *string)
{
    return string ? json_object_new_string(string) : NULL;
}

/* A call with one reply. */
static int query(struct bluegreen *agent, const char *method, struct json_object *parameters,
                 struct json_object **reply, struct bluegreen_error *error)
{
    bool continues;
    int result = connection_call(agent, method, parameters, false, error);
    return result < 0 ? result : connection_reply(agent, agent->timeout_ms, reply, &continues, error);
}

int bluegreen_status(struct bluegreen *agent, const char *app, struct bluegreen_status **status,
                     struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(app));
    int result = query(agent, "Status", parameters, &reply, error);
    if (result < 0)
        return result;
    *status = decode_status(reply);
    return *status ? 0 : client_fail_memory(error);
}

int bluegreen_history(struct bluegreen *agent, const char *app, unsigned limit, struct bluegreen_history **history,
                      struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(app));
    add(parameters, "limit", limit ? json_object_new_int64(limit) : NULL);
    int result = query(agent, "History", parameters, &reply, error);
    if (result < 0)
        return result;
    *history = decode_history(reply);
    return *history ? 0 : client_fail_memory(error);
}

int bluegreen_version(struct bluegreen *agent, char *version, size_t size, struct bluegreen_error *error)
{
    struct json_object *reply;
    int result = query(agent, "Version", json_object_new_object(), &reply, error);
    if (result < 0)
        return result;
    const char *string = decode_string(reply, "version");
    snprintf(version, size, "%s", string ? string : "");
    json_object_put(reply);
    return 0;
}

static const char *const methods[] = {
    [BLUEGREEN_RELOAD] = "Reload", [BLUEGREEN_DEPLOY] = "Deploy",     [BLUEGREEN_STAGE] = "Stage",
    [BLUEGREEN_SWITCH] = "Switch", [BLUEGREEN_ROLLBACK] = "Rollback", [BLUEGREEN_ABORT] = "Abort",
    [BLUEGREEN_DRAIN] = "Drain",   [BLUEGREEN_STOP] = "Stop",         [BLUEGREEN_START] = "Start",
    [BLUEGREEN_REMOVE] = "Remove",
};

/* Shows one reply that is not the last. */
static int show_progress(struct bluegreen *agent, struct json_object *reply, bluegreen_progress_callback *on_progress,
                         void *context, struct bluegreen_error *error)
{
    struct json_object *object = decode_object(reply, "progress");
    struct bluegreen_progress progress;
    if (!on_progress || !object)
        return 0;
    decode_progress(object, &progress);
    if (on_progress(context, &progress))
        return 0;
    agent->broken = true;
    return client_fail(error, BLUEGREEN_INTERRUPTED, 0, "interrupted; what was asked for goes on in the agent");
}

/* A connection that broke says nothing about the operation. */
static void say_unknown(struct bluegreen_error *error)
{
    static const char hint[] = "; the operation goes on if it had begun: look with 'bluegreen status'";
    size_t length = strlen(error->reason);
    snprintf(error->reason + length, sizeof error->reason - length, "%s", hint);
}

int bluegreen_operate(struct bluegreen *agent, enum bluegreen_verb verb, const char *app, const char *release,
                      unsigned flags, bluegreen_progress_callback *on_progress, void *context,
                      struct bluegreen_result **out, struct bluegreen_error *error)
{
    if ((size_t)verb >= sizeof methods / sizeof *methods)
        return client_fail(error, BLUEGREEN_INVALID, EINVAL, "there is no operation %d", (int)verb);
    struct json_object *parameters = json_object_new_object(), *reply = NULL;
    bool continues = true;
    add(parameters, "app", string_or_null(app));
    add(parameters, "release", string_or_null(release));
    add(parameters, "force", flags & BLUEGREEN_FORCE ? json_object_new_boolean(true) : NULL);
    int result = connection_call(agent, methods[verb], parameters, on_progress != NULL, error);
    while (result == 0 && continues) {
        json_object_put(reply);
        reply = NULL;
        result = connection_reply(agent, 0, &reply, &continues, error);
        if (result == 0 && continues)
            result = show_progress(agent, reply, on_progress, context, error);
    }
    if (result < 0 && error && error->kind == BLUEGREEN_UNREACHABLE)
        say_unknown(error);
    if (result < 0 || !out) {
        json_object_put(reply);
        return result;
    }
    *out = decode_result(reply);
    return *out ? 0 : client_fail_memory(error);
}
