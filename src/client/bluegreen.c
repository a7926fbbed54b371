/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls: parameters in, structures out. */
#include "base/text.h"
#include "client/connection.h"
#include "client/decode.h"
#include "client/decode_feed.h"
#include "client/errors.h"

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

static struct json_object *number_or_null(uint64_t number)
{
    return number ? json_object_new_uint64(number) : NULL;
}

static struct json_object *true_or_null(bool flag)
{
    return flag ? json_object_new_boolean(true) : NULL;
}

int bluegreen_history_of(struct bluegreen *agent, const struct bluegreen_history_filter *filter,
                         struct bluegreen_history **history, struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(filter->app));
    add(parameters, "limit", number_or_null(filter->limit));
    add(parameters, "verb", string_or_null(filter->verb));
    add(parameters, "release", string_or_null(filter->release));
    add(parameters, "since", number_or_null(filter->since_ms));
    add(parameters, "until", number_or_null(filter->until_ms));
    add(parameters, "sequence", number_or_null(filter->sequence));
    add(parameters, "failed", true_or_null(filter->failed));
    add(parameters, "incidents", filter->incidents ? json_object_new_boolean(filter->incidents > 0) : NULL);
    add(parameters, "hooks", true_or_null(filter->hooks));
    int result = query(agent, "History", parameters, &reply, error);
    if (result < 0)
        return result;
    *history = decode_history(reply);
    return *history ? 0 : client_fail_memory(error);
}

int bluegreen_history(struct bluegreen *agent, const char *app, unsigned limit, struct bluegreen_history **history,
                      struct bluegreen_error *error)
{
    struct bluegreen_history_filter filter = {.app = app, .limit = limit};
    return bluegreen_history_of(agent, &filter, history, error);
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
    [BLUEGREEN_RELOAD] = "Reload",   [BLUEGREEN_DEPLOY] = "Deploy",     [BLUEGREEN_STAGE] = "Stage",
    [BLUEGREEN_SWITCH] = "Switch",   [BLUEGREEN_ROLLBACK] = "Rollback", [BLUEGREEN_ABORT] = "Abort",
    [BLUEGREEN_DRAIN] = "Drain",     [BLUEGREEN_STOP] = "Stop",         [BLUEGREEN_START] = "Start",
    [BLUEGREEN_REMOVE] = "Remove",   [BLUEGREEN_TEST] = "Test",         [BLUEGREEN_FINISH] = "Finish",
    [BLUEGREEN_ATTACH] = "Attach",   [BLUEGREEN_REHEARSE] = "Rehearse", [BLUEGREEN_SCHEMA] = "Schema",
    [BLUEGREEN_RELEASE] = "Release", [BLUEGREEN_DIFF] = "Diff",         [BLUEGREEN_LOCK] = "Lock",
    [BLUEGREEN_UNLOCK] = "Unlock",   [BLUEGREEN_WAIT] = "Wait",         [BLUEGREEN_DOCTOR] = "Doctor",
};

static int stop_showing(struct bluegreen *agent, struct bluegreen_error *error)
{
    agent->broken = true;
    return client_fail(error, BLUEGREEN_INTERRUPTED, 0, "interrupted; what was asked for goes on in the agent");
}

/* The callback sees the time pass until there is something to read. */
static int tick(struct bluegreen *agent, bluegreen_progress_callback *on_progress, void *context,
                struct bluegreen_error *error)
{
    if (!on_progress || agent->tick_ms == 0)
        return 0;
    while (!connection_readable(agent, agent->tick_ms)) {
        if (!on_progress(context, NULL))
            return stop_showing(agent, error);
    }
    return 0;
}

/* Shows one reply that is not the last. */
static int show_progress(struct bluegreen *agent, struct json_object *reply, bluegreen_progress_callback *on_progress,
                         void *context, struct bluegreen_error *error)
{
    struct json_object *object = decode_object(reply, "progress");
    struct bluegreen_progress progress;
    if (!on_progress || !object)
        return 0;
    decode_progress(object, &progress);
    return on_progress(context, &progress) ? 0 : stop_showing(agent, error);
}

/* A connection that broke says nothing about the operation. */
static void say_unknown(struct bluegreen_error *error)
{
    static const char hint[] = "; the operation goes on if it had begun: look with 'bluegreen status'";
    size_t length = strlen(error->reason);
    snprintf(error->reason + length, sizeof error->reason - length, "%s", hint);
}

static void add_flags(struct json_object *parameters, unsigned flags)
{
    const char *stop_after = flags & BLUEGREEN_STOP_AFTER_HEALTH ? "health"
                             : flags & BLUEGREEN_STOP_AFTER_TEST ? "test"
                                                                 : NULL;
    add(parameters, "force", flags & BLUEGREEN_FORCE ? json_object_new_boolean(true) : NULL);
    add(parameters, "no_test", flags & BLUEGREEN_NO_TEST ? json_object_new_boolean(true) : NULL);
    add(parameters, "stop_after", string_or_null(stop_after));
    add(parameters, "queue", flags & BLUEGREEN_QUEUE ? json_object_new_boolean(true) : NULL);
    add(parameters, "sticky", flags & BLUEGREEN_STICKY ? json_object_new_boolean(true) : NULL);
    add(parameters, "past_contract", flags & BLUEGREEN_PAST_CONTRACT ? json_object_new_boolean(true) : NULL);
}

/* "10%" or "10"; 0 if it is neither. */
static int share_of(const char *text)
{
    int share = 0;
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < digits && share < 100; i++)
        share = share * 10 + text[i] - '0';
    bool whole = digits > 0 && (text[digits] == '\0' || strcmp(text + digits, "%") == 0);
    return whole && share < 100 ? share : 0;
}

static struct json_object *parameters_of(const struct bluegreen_request *request)
{
    struct json_object *parameters = json_object_new_object();
    add(parameters, "app", string_or_null(request->app));
    add(parameters, "group", string_or_null(request->group));
    add(parameters, "release", string_or_null(request->release));
    add(parameters, "action", string_or_null(request->action));
    if (request->verb == BLUEGREEN_SWITCH)
        add(parameters, "canary", request->text ? json_object_new_int64(share_of(request->text)) : NULL);
    else
        add(parameters, request->verb == BLUEGREEN_WAIT ? "state" : "reason", string_or_null(request->text));
    add_flags(parameters, request->flags);
    return parameters;
}

/* A call that takes its time: shows how it goes on, and ends with the last reply, which is the caller's also then. */
static int follow(struct bluegreen *agent, const char *method, struct json_object *parameters,
                  bluegreen_progress_callback *on_progress, void *context, struct json_object **reply,
                  struct bluegreen_error *error)
{
    bool continues = true;
    *reply = NULL;
    int result = connection_call(agent, method, parameters, on_progress != NULL, error);
    while (result == 0 && continues) {
        json_object_put(*reply);
        *reply = NULL;
        result = tick(agent, on_progress, context, error);
        if (result == 0)
            result = connection_reply(agent, 0, reply, &continues, error);
        if (result == 0 && continues)
            result = show_progress(agent, *reply, on_progress, context, error);
    }
    if (result < 0 && error && error->kind == BLUEGREEN_UNREACHABLE)
        say_unknown(error);
    return result;
}

int bluegreen_operate(struct bluegreen *agent, enum bluegreen_verb verb, const char *app, const char *release,
                      unsigned flags, bluegreen_progress_callback *on_progress, void *context,
                      struct bluegreen_result **out, struct bluegreen_error *error)
{
    struct bluegreen_request request = {.verb = verb, .app = app, .release = release, .flags = flags};
    return bluegreen_ask(agent, &request, on_progress, context, out, error);
}

int bluegreen_ask(struct bluegreen *agent, const struct bluegreen_request *request,
                  bluegreen_progress_callback *on_progress, void *context, struct bluegreen_result **out,
                  struct bluegreen_error *error)
{
    if ((size_t)request->verb >= sizeof methods / sizeof *methods)
        return client_fail(error, BLUEGREEN_INVALID, EINVAL, "there is no operation %d", (int)request->verb);
    if (request->verb == BLUEGREEN_SWITCH && request->text && share_of(request->text) == 0)
        return client_fail(error, BLUEGREEN_INVALID, EINVAL,
                           "a canary's share is 1%% to 99%%, as in \"10%%\"; a switch without one is for all, and "
                           "abort takes a share back");
    struct json_object *reply = NULL, *parameters = parameters_of(request);
    bool loses =
        request->verb == BLUEGREEN_DEPLOY || request->verb == BLUEGREEN_SWITCH || request->verb == BLUEGREEN_ROLLBACK;
    add(parameters, "lose", number_or_null(loses ? agent->lose : 0));
    int result = follow(agent, methods[request->verb], parameters, on_progress, context, &reply, error);
    if (result < 0 || !out) {
        json_object_put(reply);
        return result;
    }
    *out = decode_result(reply);
    return *out ? 0 : client_fail_memory(error);
}

int bluegreen_feed(struct bluegreen *agent, const char *app, const char *action, uint64_t sequence,
                   bluegreen_progress_callback *on_progress, void *context, struct bluegreen_feed_answer **answer,
                   struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(app));
    add(parameters, "action", string_or_null(action));
    add(parameters, "sequence", number_or_null(sequence));
    int result = follow(agent, "Feed", parameters, on_progress, context, &reply, error);
    if (result < 0 || !answer) {
        json_object_put(reply);
        return result;
    }
    *answer = decode_feed_answer(reply);
    return *answer ? 0 : client_fail_memory(error);
}

/* --- commands and logs --------------------------------------------------------------------------------- */

static struct json_object *list_of(const char *const *words)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && words && words[i]; i++)
        json_object_array_add(list, json_object_new_string(words[i]));
    return list;
}

enum { STDIN, STDOUT, STDERR, TERMINAL, STREAMS };

/* Where among the reply's descriptors each stream is, or -1. False if it is not exactly these. */
static bool find_streams(const struct bluegreen *agent, struct json_object *reply, int found[STREAMS])
{
    static const char *const names[STREAMS] = {"stdin", "stdout", "stderr", "terminal"};
    struct json_object *list = decode_field(reply, "streams", json_type_array);
    for (int stream = 0; stream < STREAMS; stream++)
        found[stream] = -1;
    for (size_t i = 0; i < decode_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        for (int stream = 0; name && stream < STREAMS; stream++) {
            if (strcmp(name, names[stream]) == 0)
                found[stream] = (int)i;
        }
    }
    return decode_length(list) == agent->fd_count;
}

/* What does not fit stays the connection's, to be closed with it. */
static bool take_streams(struct bluegreen *agent, struct json_object *reply, const struct bluegreen_command *command,
                         int descriptors[3])
{
    int found[STREAMS];
    bool fits = find_streams(agent, reply, found);
    bool wanted[STREAMS] = {!command->terminal, !command->terminal, !command->merge, command->terminal != NULL};
    for (int stream = 0; stream < STREAMS; stream++)
        fits = fits && wanted[stream] == (found[stream] >= 0);
    if (!fits)
        return false;
    for (int i = 0; i < 3; i++)
        descriptors[i] = found[i] < 0 ? -1 : agent->fds[found[i]];
    if (command->terminal)
        descriptors[0] = agent->fds[found[TERMINAL]];
    agent->fd_count = 0;
    return true;
}

static int fail_streams(struct bluegreen *agent, struct bluegreen_error *error)
{
    agent->broken = true;
    return client_fail(error, BLUEGREEN_PROTOCOL, EPROTO,
                       "the agent does not give the command's input and output: it may be older than this program; "
                       "restart it after an upgrade");
}

int bluegreen_exec(struct bluegreen *agent, const struct bluegreen_command *command, int descriptors[3],
                   struct bluegreen_error *error)
{
    for (size_t i = 0; command->arguments && command->arguments[i]; i++) {
        if (!text_is_utf8(command->arguments[i], strlen(command->arguments[i])))
            return client_fail(error, BLUEGREEN_INVALID, EILSEQ,
                               "word %zu of the command is not UTF-8, or has control characters of terminals in it", i);
    }
    struct json_object *parameters = json_object_new_object();
    add(parameters, "app", string_or_null(command->app));
    add(parameters, "zone", string_or_null(bluegreen_colour_name(command->zone)));
    add(parameters, "command", list_of(command->arguments));
    add(parameters, "terminal", string_or_null(command->terminal));
    add(parameters, "rows", command->rows ? json_object_new_int64(command->rows) : NULL);
    add(parameters, "columns", command->columns ? json_object_new_int64(command->columns) : NULL);
    add(parameters, "merge", command->merge ? json_object_new_boolean(true) : NULL);
    struct json_object *reply = NULL;
    bool continues = false;
    int result = connection_call(agent, "Exec", parameters, true, error);
    if (result == 0)
        result = connection_reply(agent, agent->timeout_ms, &reply, &continues, error);
    if (result < 0)
        return result;
    bool fits = continues && take_streams(agent, reply, command, descriptors);
    json_object_put(reply);
    agent->running = fits;
    return fits ? 0 : fail_streams(agent, error);
}

int bluegreen_descriptor(const struct bluegreen *agent)
{
    return agent->fd;
}

int bluegreen_exec_wait(struct bluegreen *agent, int *code, int *signal, struct bluegreen_error *error)
{
    struct json_object *reply;
    bool continues;
    if (!agent->running)
        return client_fail(error, BLUEGREEN_INVALID, EINVAL, "no command was asked for on this connection");
    agent->running = false;
    int result = connection_reply(agent, 0, &reply, &continues, error);
    if (result < 0)
        return result;
    bool told = decode_exit(reply, code, signal);
    json_object_put(reply);
    return told ? 0 : client_fail(error, BLUEGREEN_PROTOCOL, EPROTO, "the agent does not say how the command ended");
}

int bluegreen_connections(struct bluegreen *agent, const char *app, enum bluegreen_colour zone, unsigned limit,
                          struct bluegreen_connections **connections, struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(app));
    add(parameters, "zone", string_or_null(bluegreen_colour_name(zone)));
    add(parameters, "limit", number_or_null(limit));
    int result = query(agent, "Connections", parameters, &reply, error);
    if (result < 0)
        return result;
    *connections = decode_connections(reply);
    return *connections ? 0 : client_fail_memory(error);
}

int bluegreen_logs(struct bluegreen *agent, const char *app, enum bluegreen_colour zone, struct bluegreen_logs **logs,
                   struct bluegreen_error *error)
{
    struct json_object *parameters = json_object_new_object(), *reply;
    add(parameters, "app", string_or_null(app));
    add(parameters, "zone", string_or_null(bluegreen_colour_name(zone)));
    int result = query(agent, "Logs", parameters, &reply, error);
    if (result < 0)
        return result;
    *logs = decode_logs(reply, agent->fds, agent->fd_count);
    agent->fd_count = 0; /* they are the logs' now */
    return *logs ? 0 : client_fail_memory(error);
}
