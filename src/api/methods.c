/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of methods, and what checks a call against it. */
#include "api/methods.h"

#include "api/render.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define AGENT   "io.bluegreen.Agent"
#define SERVICE "org.varlink.service"

typedef void answer_function(const struct arguments *arguments, struct text *output);
static answer_function answer_info, answer_description;

#define A(parameter) PARAMETER_##parameter

/* What many have. */
#define OPERATE (A(FORCE) | A(QUEUE))
#define HISTORY \
    (A(APP) | A(LIMIT) | A(RELEASE) | A(VERB) | A(SINCE) | A(UNTIL) | A(SEQUENCE) | A(FAILED) | A(HOOKS) | A(INCIDENTS))

static const struct method {
    const char *name;
    unsigned required, optional; /* sets of enum parameter */
    enum wire_verb verb;
    answer_function *answer; /* NULL: the monitor is asked */
} methods[] = {
    {AGENT ".Status", 0, A(APP), VERB_STATUS, NULL},
    {AGENT ".History", 0, HISTORY, VERB_HISTORY, NULL},
    {AGENT ".Version", 0, 0, VERB_VERSION, NULL},
    {AGENT ".Reload", 0, 0, VERB_RELOAD, NULL},
    {AGENT ".Deploy", A(APP) | A(RELEASE), OPERATE | A(NO_TEST) | A(STOP_AFTER) | A(PAST_CONTRACT) | A(LOSE),
     VERB_DEPLOY, NULL},
    {AGENT ".Stage", A(APP) | A(RELEASE), OPERATE | A(PAST_CONTRACT), VERB_STAGE, NULL},
    {AGENT ".Switch", 0, A(APP) | A(GROUP) | OPERATE | A(PAST_CONTRACT) | A(CANARY) | A(STICKY) | A(LOSE), VERB_SWITCH,
     NULL},
    {AGENT ".Rollback", 0, A(APP) | A(GROUP) | OPERATE | A(PAST_CONTRACT) | A(LOSE), VERB_ROLLBACK, NULL},
    {AGENT ".Abort", A(APP), A(FORCE), VERB_ABORT, NULL},
    {AGENT ".Drain", A(APP), A(FORCE), VERB_DRAIN, NULL},
    {AGENT ".Stop", A(APP), OPERATE, VERB_STOP, NULL},
    {AGENT ".Start", A(APP), OPERATE, VERB_START, NULL},
    {AGENT ".Remove", A(APP), OPERATE, VERB_REMOVE, NULL},
    {AGENT ".Test", A(APP), OPERATE, VERB_TEST, NULL},
    {AGENT ".Finish", A(APP), 0, VERB_FINISH, NULL},
    {AGENT ".Attach", A(APP), 0, VERB_ATTACH, NULL},
    {AGENT ".Rehearse", A(APP), A(QUEUE), VERB_REHEARSE, NULL},
    {AGENT ".Schema", A(APP) | A(ACTION), A(RELEASE) | OPERATE, VERB_SCHEMA, NULL},
    {AGENT ".Release", A(APP) | A(ACTION), A(RELEASE), VERB_RELEASE, NULL},
    {AGENT ".Diff", A(APP), 0, VERB_DIFF, NULL},
    {AGENT ".Doctor", 0, A(APP), VERB_DOCTOR, NULL},
    {AGENT ".Lock", A(APP) | A(REASON), 0, VERB_LOCK, NULL},
    {AGENT ".Unlock", A(APP), 0, VERB_UNLOCK, NULL},
    {AGENT ".Wait", A(APP) | A(STATE), 0, VERB_WAIT, NULL},
    {AGENT ".Exec", A(APP) | A(COMMAND), A(ZONE) | A(TERMINAL) | A(ROWS) | A(COLUMNS) | A(MERGE), VERB_EXEC, NULL},
    {AGENT ".Logs", A(APP), A(ZONE), VERB_LOGS, NULL},
    {AGENT ".Connections", A(APP), A(ZONE) | A(LIMIT), VERB_CONNECTIONS, NULL},
    {AGENT ".Feed", A(APP) | A(ACTION), A(SEQUENCE), VERB_FEED, NULL},
    {SERVICE ".GetInfo", 0, 0, VERBS, answer_info},
    {SERVICE ".GetInterfaceDescription", A(INTERFACE), 0, VERBS, answer_description},
};

static const struct interface {
    const char *name, *description, *more;
} interfaces[] = {
    {SERVICE, interface_service, ""},
    {AGENT, interface_agent_types, interface_agent_methods},
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
        CLEANUP_TEXT struct text description = {0};
        text_addf(&description, "%s%s", interfaces[i].description, interfaces[i].more);
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "description", json_object_new_string(description.data ? description.data : ""));
        output->failed |= description.failed;
        varlink_reply(output, object, false);
        return;
    }
    add_service_error(output, "InterfaceNotFound", "interface", arguments->interface);
}

/* --- a call --------------------------------------------------------------------------------------- */

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

bool method_prepare(const struct varlink_call *call, union method_message *message, struct text *output)
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
    struct arguments arguments = {.zone = -1};
    const char *wrong = arguments_take(method->required, method->optional, call->parameters, &arguments);
    if (wrong) {
        add_service_error(output, "InvalidParameter", "parameter", wrong);
        return false;
    }
    if (method->verb == VERB_EXEC && !call->more) {
        varlink_error(output, SERVICE ".ExpectedMore", NULL);
        return false;
    }
    if (method->answer) {
        method->answer(&arguments, output);
        return false;
    }
    struct error err = {0};
    if (!message_fill(method->verb, &arguments, message, &err)) {
        method_error(RESULT_INVALID, err.text, sizeof err.text, output);
        return false;
    }
    return true;
}
