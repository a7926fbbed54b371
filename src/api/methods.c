/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of methods, and what checks a call against it. */
#include "api/methods.h"

#include "api/render.h"
#include "model/history.h"
#include "model/machine.h"

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
    MAY_ZONE = 1 << 6,  /* zone: "blue", "green" or null */
    COMMAND = 1 << 7,   /* command: a list of strings, required */
    MAY_TERM = 1 << 8,  /* terminal: a string or null */
    MAY_ROWS = 1 << 9,  /* rows, columns: integers or null */
    MAY_COLUMNS = 1 << 10,
    MAY_MERGE = 1 << 11,    /* merge: a boolean or null */
    MAY_NOT_TEST = 1 << 12, /* no_test: a boolean or null */
    MAY_STOP = 1 << 13,     /* stop_after: "health", "test" or null */
    MAY_QUEUE = 1 << 14,    /* queue: a boolean or null */
    MAY_PAST = 1 << 15,     /* past_contract: a boolean or null */
    MAY_GROUP = 1 << 16,    /* group: a string or null; then no app */
    ACTION = 1 << 17,       /* action: a string, required */
    MAY_RELEASE = 1 << 18,  /* release: a string or null */
    REASON = 1 << 19,       /* reason: a string, required */
    STATE = 1 << 20,        /* state: a string, required */
    MAY_VERB = 1 << 21,     /* verb: the name of one, "served" or null */
    MAY_SINCE = 1 << 22,    /* since, until, sequence: integers or null */
    MAY_UNTIL = 1 << 23,
    MAY_SEQUENCE = 1 << 24,
    MAY_FAILED = 1 << 25, /* failed, hooks: booleans or null */
    MAY_HOOKS = 1 << 26,
    MAY_INCIDENTS = 1 << 27, /* incidents: only those, or none of them; a boolean or null */
    MAY_CANARY = 1 << 28,    /* canary: an integer or null */
    MAY_STICKY = 1 << 29,    /* sticky: a boolean or null */
    MAY_LOSE = 1 << 30,      /* lose: an integer or null */
    OPERATE = MAY_FORCE | MAY_QUEUE,
    HISTORY = MAY_APP | MAY_LIMIT | MAY_RELEASE | MAY_VERB | MAY_SINCE | MAY_UNTIL | MAY_SEQUENCE | MAY_FAILED |
              MAY_HOOKS | MAY_INCIDENTS,
};

static const struct parameter {
    const char *name;
    int required, optional;
} parameters[] = {
    {"app", APP, MAY_APP},
    {"release", RELEASE, MAY_RELEASE},
    {"force", 0, MAY_FORCE},
    {"limit", 0, MAY_LIMIT},
    {"interface", INTERFACE, 0},
    {"zone", 0, MAY_ZONE},
    {"command", COMMAND, 0},
    {"terminal", 0, MAY_TERM},
    {"rows", 0, MAY_ROWS},
    {"columns", 0, MAY_COLUMNS},
    {"merge", 0, MAY_MERGE},
    {"no_test", 0, MAY_NOT_TEST},
    {"stop_after", 0, MAY_STOP},
    {"queue", 0, MAY_QUEUE},
    {"past_contract", 0, MAY_PAST},
    {"group", 0, MAY_GROUP},
    {"action", ACTION, 0},
    {"reason", REASON, 0},
    {"state", STATE, 0},
    {"verb", 0, MAY_VERB},
    {"since", 0, MAY_SINCE},
    {"until", 0, MAY_UNTIL},
    {"sequence", 0, MAY_SEQUENCE},
    {"failed", 0, MAY_FAILED},
    {"hooks", 0, MAY_HOOKS},
    {"incidents", 0, MAY_INCIDENTS},
    {"canary", 0, MAY_CANARY},
    {"sticky", 0, MAY_STICKY},
    {"lose", 0, MAY_LOSE},
};

/* What a call's parameters are once checked. */
struct arguments {
    const char *app, *release, *interface, *group, *action, *text; /* borrowed from the call; NULL where absent */
    bool force, merge, no_test, queue, past_contract, sticky;
    uint8_t canary;     /* percent; 0: not said */
    uint8_t stop_after; /* enum step; 0: not said */
    uint32_t limit;
    uint64_t lose;
    struct wire_filter filter;
    uint16_t rows, columns;
    int zone; /* enum colour, or -1: not said */
    struct json_object *command;
    const char *terminal;
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
    {AGENT ".History", HISTORY, VERB_HISTORY, NULL},
    {AGENT ".Version", 0, VERB_VERSION, NULL},
    {AGENT ".Reload", 0, VERB_RELOAD, NULL},
    {AGENT ".Deploy", APP | RELEASE | OPERATE | MAY_NOT_TEST | MAY_STOP | MAY_PAST | MAY_LOSE, VERB_DEPLOY, NULL},
    {AGENT ".Stage", APP | RELEASE | OPERATE | MAY_PAST, VERB_STAGE, NULL},
    {AGENT ".Switch", MAY_APP | MAY_GROUP | OPERATE | MAY_PAST | MAY_CANARY | MAY_STICKY | MAY_LOSE, VERB_SWITCH, NULL},
    {AGENT ".Rollback", MAY_APP | MAY_GROUP | OPERATE | MAY_PAST | MAY_LOSE, VERB_ROLLBACK, NULL},
    {AGENT ".Abort", APP | MAY_FORCE, VERB_ABORT, NULL},
    {AGENT ".Drain", APP | MAY_FORCE, VERB_DRAIN, NULL},
    {AGENT ".Stop", APP | OPERATE, VERB_STOP, NULL},
    {AGENT ".Start", APP | OPERATE, VERB_START, NULL},
    {AGENT ".Remove", APP | OPERATE, VERB_REMOVE, NULL},
    {AGENT ".Test", APP | OPERATE, VERB_TEST, NULL},
    {AGENT ".Finish", APP, VERB_FINISH, NULL},
    {AGENT ".Attach", APP, VERB_ATTACH, NULL},
    {AGENT ".Rehearse", APP | MAY_QUEUE, VERB_REHEARSE, NULL},
    {AGENT ".Schema", APP | ACTION | MAY_RELEASE | OPERATE, VERB_SCHEMA, NULL},
    {AGENT ".Release", APP | ACTION | MAY_RELEASE, VERB_RELEASE, NULL},
    {AGENT ".Diff", APP, VERB_DIFF, NULL},
    {AGENT ".Doctor", MAY_APP, VERB_DOCTOR, NULL},
    {AGENT ".Lock", APP | REASON, VERB_LOCK, NULL},
    {AGENT ".Unlock", APP, VERB_UNLOCK, NULL},
    {AGENT ".Wait", APP | STATE, VERB_WAIT, NULL},
    {AGENT ".Exec", APP | MAY_ZONE | COMMAND | MAY_TERM | MAY_ROWS | MAY_COLUMNS | MAY_MERGE, VERB_EXEC, NULL},
    {AGENT ".Logs", APP | MAY_ZONE, VERB_LOGS, NULL},
    {AGENT ".Connections", APP | MAY_ZONE | MAY_LIMIT, VERB_CONNECTIONS, NULL},
    {AGENT ".Feed", APP | ACTION | MAY_SEQUENCE, VERB_FEED, NULL},
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

static bool take_size(struct json_object *value, uint16_t *size)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    int64_t number = json_object_get_int64(value);
    *size = (uint16_t)number;
    return number >= 0 && number <= UINT16_MAX;
}

static bool take_flag(struct json_object *value, bool *flag)
{
    *flag = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean);
}

static bool take_share(struct json_object *value, uint8_t *share)
{
    int64_t number = json_object_get_int64(value);
    *share = (uint8_t)number;
    return json_object_is_type(value, json_type_int) && number >= 1 && number <= 99;
}

static bool take_zone(struct json_object *value, int *zone)
{
    const char *name;
    enum colour colour;
    if (!take_string(value, &name) || !colour_parse(name, &colour))
        return false;
    *zone = (int)colour;
    return true;
}

/* Any step has a name; which ones may be asked for is the model's business. */
static bool take_step(struct json_object *value, uint8_t *step)
{
    const char *name;
    if (!take_string(value, &name))
        return false;
    for (int i = STEP_IDLE + 1; i < STEPS; i++) {
        if (strcmp(name, step_name((enum step)i)) == 0)
            *step = (uint8_t)i;
    }
    return *step != 0;
}

static bool take_number(struct json_object *value, uint64_t *number)
{
    int64_t given = json_object_get_int64(value);
    *number = (uint64_t)given;
    return json_object_is_type(value, json_type_int) && given >= 0;
}

static bool take_verb(struct json_object *value, uint8_t *verb)
{
    const char *name;
    if (!take_string(value, &name))
        return false;
    *verb = strcmp(name, "served") == 0 ? WIRE_VERB_SERVED : WIRE_ANY_VERB;
    for (unsigned i = 0; i < VERBS; i++) {
        if (strcmp(name, verb_name((enum wire_verb)i)) == 0)
            *verb = (uint8_t)(i + 1);
    }
    return *verb != WIRE_ANY_VERB;
}

static bool take_filter(int kind, struct json_object *value, struct wire_filter *filter)
{
    bool flag = false, taken = kind == MAY_VERB       ? take_verb(value, &filter->verb)
                               : kind == MAY_SINCE    ? take_number(value, &filter->since_unix_ms)
                               : kind == MAY_UNTIL    ? take_number(value, &filter->until_unix_ms)
                               : kind == MAY_SEQUENCE ? take_number(value, &filter->sequence)
                                                      : take_flag(value, &flag);
    if (kind == MAY_FAILED)
        filter->failed = flag;
    else if (kind == MAY_HOOKS)
        filter->hooks = flag;
    else if (kind == MAY_INCIDENTS)
        filter->incidents = flag ? HISTORY_INCIDENTS : HISTORY_NO_INCIDENTS;
    return taken;
}

static bool take_value(int kind, struct json_object *value, struct arguments *arguments)
{
    switch (kind) {
    case APP:
    case MAY_APP: return take_string(value, &arguments->app);
    case RELEASE:
    case MAY_RELEASE: return take_string(value, &arguments->release);
    case MAY_GROUP: return take_string(value, &arguments->group);
    case ACTION: return take_string(value, &arguments->action);
    case REASON:
    case STATE: return take_string(value, &arguments->text);
    case MAY_QUEUE: return take_flag(value, &arguments->queue);
    case MAY_CANARY: return take_share(value, &arguments->canary);
    case MAY_LOSE: return take_number(value, &arguments->lose);
    case MAY_STICKY: return take_flag(value, &arguments->sticky);
    case MAY_PAST: return take_flag(value, &arguments->past_contract);
    case INTERFACE: return take_string(value, &arguments->interface);
    case MAY_LIMIT: return take_limit(value, &arguments->limit);
    case MAY_ZONE: return take_zone(value, &arguments->zone);
    case COMMAND: arguments->command = value; return json_object_is_type(value, json_type_array);
    case MAY_TERM: return take_string(value, &arguments->terminal);
    case MAY_NOT_TEST: return take_flag(value, &arguments->no_test);
    case MAY_STOP: return take_step(value, &arguments->stop_after);
    case MAY_ROWS: return take_size(value, &arguments->rows);
    case MAY_COLUMNS: return take_size(value, &arguments->columns);
    case MAY_MERGE: return take_flag(value, &arguments->merge);
    case MAY_VERB:
    case MAY_SINCE:
    case MAY_UNTIL:
    case MAY_SEQUENCE:
    case MAY_FAILED:
    case MAY_HOOKS:
    case MAY_INCIDENTS: return take_filter(kind, value, &arguments->filter);
    default: return take_flag(value, &arguments->force);
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

/* What is already in the header says for whom. */
static struct wire_header header_for(const union method_message *message, enum wire_type type, size_t length)
{
    return (struct wire_header){.type = (uint16_t)type,
                                .version = WIRE_VERSION,
                                .length = (uint32_t)length,
                                .client = message->header.client,
                                .request = message->header.request};
}

static bool fill_app(const struct arguments *arguments, char app[APP_NAME_MAX + 1], struct error *err)
{
    const char *name = arguments->group ? arguments->group : arguments->app;
    if (arguments->group && arguments->app) {
        error_set(err, EINVAL, "app and group: only one of them can be meant");
        return false;
    }
    if (!name || (name[0] && text_copy(app, APP_NAME_MAX + 1, name)))
        return true;
    error_set(err, EINVAL, "the name of an app or a group must have 1 to %d characters", APP_NAME_MAX);
    return false;
}

static uint32_t flags_of(const struct arguments *arguments)
{
    return (arguments->force ? WIRE_FORCE : 0u) | (arguments->no_test ? WIRE_NO_TEST : 0u) |
           (arguments->queue ? WIRE_QUEUE : 0u) | (arguments->past_contract ? WIRE_PAST_CONTRACT : 0u) |
           (arguments->group ? WIRE_GROUP : 0u);
}

static bool fill_words(const struct method *method, const struct arguments *arguments, struct wire_request *request,
                       struct error *err)
{
    enum wire_action action = WIRE_ACTION_NONE;
    if (arguments->action && !wire_action_parse(method->verb, arguments->action, &action)) {
        error_set(err, EINVAL, "%s has no such action; bluegreen(1) lists them", verb_name(method->verb));
        return false;
    }
    request->action = (uint8_t)action;
    if (arguments->text && !text_copy(request->text, sizeof request->text, arguments->text)) {
        error_set(err, EINVAL, "%s: a text may have %d bytes", verb_name(method->verb), WIRE_TEXT_MAX);
        return false;
    }
    return true;
}

/* The validity of names is the model's business; here only that they fit. */
static bool fill_request(const struct method *method, const struct arguments *arguments, union method_message *message,
                         struct error *err)
{
    struct wire_request *request = &message->request;
    *request = (struct wire_request){
        .header = header_for(message, WIRE_REQUEST, sizeof *request),
        .verb = method->verb,
        .flags = flags_of(arguments),
        .limit = arguments->limit,
        .stop_after = arguments->stop_after,
        .canary = arguments->canary,
        .sticky = arguments->sticky,
        .zone = (uint32_t)(arguments->zone + 1),
        .filter = arguments->filter,
        .lose = arguments->lose,
    };
    if (method->verb == VERB_FEED) { /* which transaction, where history has which entry */
        request->sequence = arguments->filter.sequence;
        request->filter.sequence = 0;
    }
    if (!fill_app(arguments, request->app, err) || !fill_words(method, arguments, request, err))
        return false;
    if (arguments->release && !text_copy(request->release, sizeof request->release, arguments->release)) {
        error_set(err, EINVAL, "the release's name is longer than %d characters", RELEASE_NAME_MAX);
        return false;
    }
    return wire_request_valid(request, sizeof *request, err);
}

static bool add_word(struct wire_command *command, struct json_object *value)
{
    const char *word;
    size_t size = json_object_is_type(value, json_type_string) ? (size_t)json_object_get_string_len(value) + 1 : 0;
    if (size == 0 || !take_string(value, &word) || size > sizeof command->arguments - command->arguments_length)
        return false;
    memcpy(command->arguments + command->arguments_length, word, size);
    command->arguments_length += (uint32_t)size;
    command->argument_count++;
    return true;
}

static bool fill_command(const struct arguments *arguments, union method_message *message, struct error *err)
{
    struct wire_command *command = &message->command;
    struct wire_header header = header_for(message, WIRE_COMMAND, sizeof *command);
    memset(command, 0, sizeof *command);
    command->header = header;
    command->zone = arguments->zone < 0 ? WIRE_ZONE_LIVE : (uint8_t)arguments->zone;
    command->terminal = arguments->terminal != NULL;
    command->merge = arguments->merge;
    command->rows = arguments->rows;
    command->columns = arguments->columns;
    if (!fill_app(arguments, command->app, err))
        return false;
    if (arguments->terminal && (!text_copy(command->term, sizeof command->term, arguments->terminal) ||
                                !wire_term_valid(arguments->terminal))) {
        error_set(err, EINVAL, "the terminal's type must be 1 to %d letters, digits and ._+-, as in TERM",
                  WIRE_TERM_MAX);
        return false;
    }
    if (!arguments->terminal && (arguments->rows || arguments->columns)) {
        error_set(err, EINVAL, "rows and columns are for a command with a terminal");
        return false;
    }
    size_t count = json_object_array_length(arguments->command);
    for (size_t i = 0; i < count; i++) {
        if (add_word(command, json_object_array_get_idx(arguments->command, i)))
            continue;
        error_set(err, EINVAL, "word %zu of the command is no text without NUL, or all are longer than %d bytes", i,
                  WIRE_ARGUMENTS_MAX);
        return false;
    }
    return wire_command_valid(command, sizeof *command, err);
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

static bool fill_message(const struct method *method, const struct arguments *arguments, union method_message *message,
                         struct error *err)
{
    return method->verb == VERB_EXEC ? fill_command(arguments, message, err)
                                     : fill_request(method, arguments, message, err);
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
    const char *wrong = take_arguments(method, call->parameters, &arguments);
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
    if (!fill_message(method, &arguments, message, &err)) {
        method_error(RESULT_INVALID, err.text, sizeof err.text, output);
        return false;
    }
    return true;
}
