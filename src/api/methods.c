/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of methods, and what checks a call against it. */
#include "api/methods.h"

#include "api/render.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define AGENT   "io.bluegreen.Agent"
#define SERVICE "org.varlink.service"

/* Which parameters a method has. */
enum {
    APP = 1 << 0,       /* app: a string, required */
    MAY_APP = 1 << 1,   /* app: a string or null */
    RELEASE = 1 << 2,   /* release: a string, required */
    MAY_FORCE = 1 << 3, /* force: a boolean or null */
    MAY_LIMIT = 1 << 4, /* limit: an integer or null */
    INTERFACE = 1 << 5, /* interface: a string, required */
};

static const struct parameter {
    const char *name;
    int required, optional;
} parameters[] = {
    {"app", APP, MAY_APP},   {"release", RELEASE, 0},     {"force", 0, MAY_FORCE},
    {"limit", 0, MAY_LIMIT}, {"interface", INTERFACE, 0},
};

/* What a call's parameters are once checked. */
struct arguments {
    const char *app, *release, *interface; /* borrowed from the call; NULL where absent */
    bool force;
    uint32_t limit;
};

typedef void answer_function(const struct arguments *arguments, struct text *output);
static answer_function answer_info, answer_description;

static const struct method {
    const char *name;
    int takes;
    enum wire_verb verb;
    answer_function *answer; /* NULL: the monitor is asked */
} methods[] = {
    {AGENT ".Status", MAY_APP, VERB_STATUS, NULL},
    {AGENT ".History", MAY_APP | MAY_LIMIT, VERB_HISTORY, NULL},
    {AGENT ".Version", 0, VERB_VERSION, NULL},
    {AGENT ".Reload", 0, VERB_RELOAD, NULL},
    {AGENT ".Deploy", APP | RELEASE | MAY_FORCE, VERB_DEPLOY, NULL},
    {AGENT ".Stage", APP | RELEASE | MAY_FORCE, VERB_STAGE, NULL},
    {AGENT ".Switch", APP | MAY_FORCE, VERB_SWITCH, NULL},
    {AGENT ".Rollback", APP | MAY_FORCE, VERB_ROLLBACK, NULL},
    {AGENT ".Abort", APP | MAY_FORCE, VERB_ABORT, NULL},
    {AGENT ".Drain", APP | MAY_FORCE, VERB_DRAIN, NULL},
    {AGENT ".Stop", APP | MAY_FORCE, VERB_STOP, NULL},
    {AGENT ".Start", APP | MAY_FORCE, VERB_START, NULL},
    {AGENT ".Remove", APP | MAY_FORCE, VERB_REMOVE, NULL},
    {SERVICE ".GetInfo", 0, VERBS, answer_info},
    {SERVICE ".GetInterfaceDescription", INTERFACE, VERBS, answer_description},
};

static const struct interface {
    const char *name, *description;
} interfaces[] = {
    {SERVICE, interface_service},
    {AGENT, interface_agent},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- errors ------------------------------------------------------------------------------------ */

/* An error with one parameter, whose value may come from the client. */
static void add_error(struct text *output, const char *error, const char *name, const char *value, size_t size)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, name, render_text(value, size));
    varlink_error(output, error, object);
}

static void add_service_error(struct text *output, const char *error, const char *name, const char *value)
{
    enum { ECHO_MAX = 200 }; /* what is said back of a hostile name */
    char full[64];
    snprintf(full, sizeof full, SERVICE ".%s", error);
    add_error(output, full, name, value, ECHO_MAX);
}

void method_error(enum wire_result result, const char *reason, size_t size, struct text *output)
{
    static const char *const names[RESULTS] = {
        [RESULT_FAILED] = AGENT ".Failed",
        [RESULT_REFUSED] = AGENT ".Refused",
        [RESULT_BUSY] = AGENT ".Busy",
        [RESULT_NO_SUCH_APP] = AGENT ".NoSuchApp",
        [RESULT_NOT_ALLOWED] = AGENT ".NotAllowed",
        [RESULT_INVALID] = AGENT ".Invalid",
    };
    const char *name = result < RESULTS && names[result] ? names[result] : AGENT ".Failed";
    add_error(output, name, "reason", reason, size);
}

/* --- answers on the spot ------------------------------------------------------------------------- */

static void answer_info(const struct arguments *arguments, struct text *output)
{
    (void)arguments;
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < COUNT(interfaces); i++)
        json_object_array_add(list, json_object_new_string(interfaces[i].name));
    struct json_object *info = json_object_new_object();
    json_object_object_add(info, "vendor", json_object_new_string("bluegreen"));
    json_object_object_add(info, "product", json_object_new_string("bluegreend"));
    json_object_object_add(info, "version", json_object_new_string(BLUEGREEN_VERSION));
    json_object_object_add(info, "url", json_object_new_string(""));
    json_object_object_add(info, "interfaces", list);
    varlink_reply(output, info, false);
}

static void answer_description(const struct arguments *arguments, struct text *output)
{
    for (size_t i = 0; i < COUNT(interfaces); i++) {
        if (strcmp(interfaces[i].name, arguments->interface) != 0)
            continue;
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "description", json_object_new_string(interfaces[i].description));
        varlink_reply(output, object, false);
        return;
    }
    add_service_error(output, "InterfaceNotFound", "interface", arguments->interface);
}

/* --- checking a call ------------------------------------------------------------------------------ */

static bool take_string(struct json_object *value, const char **string)
{
    if (!json_object_is_type(value, json_type_string))
        return false;
    *string = json_object_get_string(value);
    return strlen(*string) == (size_t)json_object_get_string_len(value);
}

static bool take_limit(struct json_object *value, uint32_t *limit)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    int64_t number = json_object_get_int64(value);
    *limit = (uint32_t)number;
    return number >= 1 && number <= METHODS_LIMIT_MAX;
}

static bool take_value(int kind, struct json_object *value, struct arguments *arguments)
{
    switch (kind) {
    case APP:
    case MAY_APP: return take_string(value, &arguments->app);
    case RELEASE: return take_string(value, &arguments->release);
    case INTERFACE: return take_string(value, &arguments->interface);
    case MAY_LIMIT: return take_limit(value, &arguments->limit);
    default: arguments->force = json_object_get_boolean(value); return json_object_is_type(value, json_type_boolean);
    }
}

static const struct parameter *find_parameter(const struct method *method, const char *name)
{
    for (size_t i = 0; i < COUNT(parameters); i++) {
        if (strcmp(parameters[i].name, name) == 0 &&
            (method->takes & (parameters[i].required | parameters[i].optional)))
            return &parameters[i];
    }
    return NULL;
}

/* The name of the first parameter that is unknown, missing or of the wrong type; NULL if all is well. */
static const char *take_arguments(const struct method *method, struct json_object *given, struct arguments *arguments)
{
    int missing = method->takes;
    if (given) {
        json_object_object_foreach(given, name, value)
        {
            const struct parameter *parameter = find_parameter(method, name);
            if (!parameter)
                return name;
            int kind = method->takes & (parameter->required | parameter->optional);
            if (!value && kind == parameter->optional)
                continue;
            if (!take_value(kind, value, arguments))
                return parameter->name;
            missing &= ~kind;
        }
    }
    for (size_t i = 0; i < COUNT(parameters); i++) {
        if (missing & parameters[i].required)
            return parameters[i].name;
    }
    return NULL;
}

/* The validity of names is the model's business; here only that they fit. */
static bool fill_request(const struct method *method, const struct arguments *arguments, struct wire_request *request,
                         struct error *err)
{
    *request = (struct wire_request){
        .header = {.type = WIRE_REQUEST,
                   .version = WIRE_VERSION,
                   .length = sizeof *request,
                   .client = request->header.client,
                   .request = request->header.request},
        .verb = method->verb,
        .flags = arguments->force ? WIRE_FORCE : 0,
        .limit = arguments->limit,
    };
    if (arguments->app && (!arguments->app[0] || !text_copy(request->app, sizeof request->app, arguments->app))) {
        error_set(err, EINVAL, "the app's name must have 1 to %d characters", APP_NAME_MAX);
        return false;
    }
    if (arguments->release && !text_copy(request->release, sizeof request->release, arguments->release)) {
        error_set(err, EINVAL, "the release's name is longer than %d characters", RELEASE_NAME_MAX);
        return false;
    }
    return wire_request_valid(request, sizeof *request, err);
}

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    }
    return NULL;
}

/* varlink tells an interface that is not there from a method that is not in it. */
static void answer_not_found(const char *name, struct text *output)
{
    for (size_t i = 0; i < COUNT(interfaces); i++) {
        size_t length = strlen(interfaces[i].name);
        if (strncmp(name, interfaces[i].name, length) == 0 && name[length] == '.') {
            add_service_error(output, "MethodNotFound", "method", name);
            return;
        }
    }
    const char *dot = strrchr(name, '.');
    char interface[128];
    snprintf(interface, sizeof interface, "%.*s", (int)(dot ? dot - name : 0), name);
    add_service_error(output, "InterfaceNotFound", "interface", interface);
}

bool method_prepare(const struct varlink_call *call, struct wire_request *request, struct text *output)
{
    const struct method *method = find_method(call->method);
    if (!method) {
        answer_not_found(call->method, output);
        return false;
    }
    if (call->upgrade) {
        add_service_error(output, "InvalidParameter", "parameter", "upgrade");
        return false;
    }
    struct arguments arguments = {0};
    const char *wrong = take_arguments(method, call->parameters, &arguments);
    if (wrong) {
        add_service_error(output, "InvalidParameter", "parameter", wrong);
        return false;
    }
    if (method->answer) {
        method->answer(&arguments, output);
        return false;
    }
    struct error err = {0};
    if (!fill_request(method, &arguments, request, &err)) {
        method_error(RESULT_INVALID, err.text, sizeof err.text, output);
        return false;
    }
    return true;
}
