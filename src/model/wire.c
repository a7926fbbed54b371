/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between the monitor and its api role: their names, and what makes one acceptable. */
#include "model/wire.h"

#include "base/text.h"
#include "model/machine.h"

#include <errno.h>
#include <string.h>

/* What a request of each verb must and may carry. */
enum need { NONE, OPTIONAL, REQUIRED };

static const struct {
    const char *name;
    enum need app, release;
    bool operator_only, force, limit;
} verbs[VERBS] = {
    [VERB_STATUS] = {"status", OPTIONAL, NONE, false, false, false},
    [VERB_HISTORY] = {"history", OPTIONAL, NONE, false, false, true},
    [VERB_VERSION] = {"version", NONE, NONE, false, false, false},
    [VERB_RELOAD] = {"reload", NONE, NONE, true, false, false},
    [VERB_DEPLOY] = {"deploy", REQUIRED, REQUIRED, true, true, false},
    [VERB_STAGE] = {"stage", REQUIRED, REQUIRED, true, true, false},
    [VERB_SWITCH] = {"switch", REQUIRED, NONE, true, true, false},
    [VERB_ROLLBACK] = {"rollback", REQUIRED, NONE, true, true, false},
    [VERB_ABORT] = {"abort", REQUIRED, NONE, true, true, false},
    [VERB_DRAIN] = {"drain", REQUIRED, NONE, true, true, false},
    [VERB_STOP] = {"stop", REQUIRED, NONE, true, true, false},
    [VERB_START] = {"start", REQUIRED, NONE, true, true, false},
    [VERB_REMOVE] = {"remove", REQUIRED, NONE, true, true, false},
    [VERB_EXEC] = {"exec", REQUIRED, NONE, true, false, false},
    [VERB_TEST] = {"test", REQUIRED, NONE, true, true, false},
    [VERB_FINISH] = {"finish", REQUIRED, NONE, true, false, false},
    [VERB_ATTACH] = {"attach", REQUIRED, NONE, false, false, false},
    [VERB_REHEARSE] = {"rehearse", REQUIRED, NONE, true, false, false},
    [VERB_FAILOVER] = {"failover", REQUIRED, NONE, true, false, false},
    [VERB_LOGS] = {"logs", REQUIRED, NONE, true, false, false},
};

const char *verb_name(enum wire_verb verb)
{
    return (unsigned)verb < VERBS ? verbs[verb].name : "unknown";
}

bool verb_changes(enum wire_verb verb)
{
    return (unsigned)verb >= VERBS || verbs[verb].operator_only;
}

const char *app_state_name(enum app_state state)
{
    switch (state) {
    case APP_EMPTY: return "empty";
    case APP_RUNNING: return "running";
    case APP_STOPPED: return "stopped";
    }
    return "unknown";
}

static bool terminated(const char *string, size_t size)
{
    return memchr(string, '\0', size) != NULL;
}

/* A field that is there for the layout only says nothing, so that it may say something one day. */
static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool request_shape_valid(const struct wire_request *request, size_t length)
{
    uint32_t last_zone = length == sizeof *request && request->verb == VERB_LOGS ? COLOURS : 0;
    return length == sizeof *request && wire_message_valid(request, length) && request->header.type == WIRE_REQUEST &&
           request->verb < VERBS && request->verb != VERB_EXEC &&
           (request->flags & ~(WIRE_FORCE | WIRE_NO_TEST)) == 0 &&
           all_zero(request->reserved, sizeof request->reserved) && request->zone <= last_zone &&
           terminated(request->app, sizeof request->app) && terminated(request->release, sizeof request->release);
}

static int check_name(const char *what, const char *name, enum need need, bool valid, const char *form,
                      const char *verb, struct error *err)
{
    char shown[RELEASE_NAME_MAX + 8];
    text_copy(shown, sizeof shown, name);
    text_sanitise(shown);
    if (!name[0] && need == REQUIRED)
        return error_set(err, EINVAL, "%s needs %s", verb, what);
    if (name[0] && need == NONE)
        return error_set(err, EINVAL, "%s takes no %s", verb, what);
    if (name[0] && !valid)
        return error_set(err, EINVAL, "\"%s\" is not a valid %s name: %s", shown, what, form);
    return 0;
}

/* What only a deploy may leave out, and where only a deploy may stop. */
static int check_steps(const struct wire_request *request, struct error *err)
{
    const char *name = verbs[request->verb].name;
    bool steps = request->verb == VERB_DEPLOY;
    if ((request->flags & WIRE_NO_TEST) && !steps)
        return error_set(err, EINVAL, "%s has no test to leave out; only deploy has", name);
    if (request->stop_after == 0)
        return 0;
    if (!steps)
        return error_set(err, EINVAL, "%s cannot be stopped after a step; only deploy can", name);
    if (request->stop_after != STEP_HEALTH && request->stop_after != STEP_TEST)
        return error_set(err, EINVAL, "a deploy can be stopped after the step health or test, and no other");
    if (request->stop_after == STEP_TEST && (request->flags & WIRE_NO_TEST))
        return error_set(err, EINVAL,
                         "a deploy without its test cannot be stopped after it; stop it after health, or let it test");
    return 0;
}

bool wire_request_valid(const struct wire_request *request, size_t length, struct error *err)
{
    if (!request_shape_valid(request, length)) {
        error_set(err, EBADMSG, "malformed request");
        return false;
    }
    enum wire_verb verb = (enum wire_verb)request->verb;
    const char *name = verbs[verb].name;
    if (check_name("app", request->app, verbs[verb].app, app_name_valid(request->app),
                   "a small letter, then small letters, digits and '-', at most 31", name, err) < 0 ||
        check_name("release", request->release, verbs[verb].release, release_name_valid(request->release),
                   "1 to 64 letters, digits and ._+-, not beginning with '.' or '-'", name, err) < 0)
        return false;
    if (verb == VERB_FAILOVER) {
        error_set(err, EINVAL,
                  "a failover is the agent's own; \"bluegreen rollback\" does the same, and "
                  "\"bluegreen rehearse\" tries it");
        return false;
    }
    if (check_steps(request, err) < 0)
        return false;
    if ((request->flags & WIRE_FORCE) && !verbs[verb].force) {
        error_set(err, EINVAL, "%s cannot be forced", name);
        return false;
    }
    if (request->limit != 0 && !verbs[verb].limit) {
        error_set(err, EINVAL, "%s takes no limit", name);
        return false;
    }
    if (request->limit > WIRE_HISTORY_MAX) {
        error_set(err, EINVAL, "limit: at most %d entries", WIRE_HISTORY_MAX);
        return false;
    }
    return true;
}

bool wire_term_valid(const char *term)
{
    size_t length = strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
    return length > 0 && length <= WIRE_TERM_MAX && term[length] == '\0';
}

/* As many texts as there are said to be, the last one ends where they all end, and the first one says something. */
static bool arguments_valid(const struct wire_command *command)
{
    uint32_t texts = 0;
    if (command->argument_count < 1 || command->argument_count > WIRE_ARGUMENT_COUNT || command->arguments_length < 2 ||
        command->arguments_length > WIRE_ARGUMENTS_MAX)
        return false;
    for (uint32_t i = 0; i < command->arguments_length; i++)
        texts += command->arguments[i] == '\0';
    return texts == command->argument_count && command->arguments[0] != '\0' &&
           command->arguments[command->arguments_length - 1] == '\0';
}

static bool command_shape_valid(const struct wire_command *command, size_t length)
{
    return length == sizeof *command && wire_message_valid(command, length) && command->header.type == WIRE_COMMAND &&
           (command->zone < COLOURS || command->zone == WIRE_ZONE_LIVE) && command->terminal <= 1 &&
           command->merge <= 1 && command->reserved == 0 &&
           (command->terminal || (command->rows == 0 && command->columns == 0)) &&
           terminated(command->app, sizeof command->app) && terminated(command->term, sizeof command->term) &&
           (command->terminal ? wire_term_valid(command->term) : command->term[0] == '\0');
}

bool wire_command_valid(const struct wire_command *command, size_t length, struct error *err)
{
    if (!command_shape_valid(command, length)) {
        error_set(err, EBADMSG, "malformed command");
        return false;
    }
    if (check_name("app", command->app, REQUIRED, app_name_valid(command->app),
                   "a small letter, then small letters, digits and '-', at most 31", "exec", err) < 0)
        return false;
    if (!arguments_valid(command)) {
        error_set(err, EINVAL, "exec needs a command: 1 to %d words that are no longer than %d bytes together",
                  WIRE_ARGUMENT_COUNT, WIRE_ARGUMENTS_MAX);
        return false;
    }
    return true;
}

/* 0 for a type that does not exist. */
static size_t message_size(uint16_t type)
{
    switch (type) {
    case WIRE_CLIENT: return sizeof(struct wire_client);
    case WIRE_STATUS: return sizeof(struct wire_status);
    case WIRE_PROGRESS: return sizeof(struct wire_progress);
    case WIRE_HISTORY: return sizeof(struct wire_history);
    case WIRE_RECEIPT: return sizeof(struct wire_receipt);
    case WIRE_END: return sizeof(struct wire_end);
    case WIRE_FILES: return sizeof(struct wire_files);
    case WIRE_EXIT: return sizeof(struct wire_exited);
    case WIRE_STDIO: return sizeof(struct wire_stdio);
    case WIRE_REQUEST: return sizeof(struct wire_request);
    case WIRE_COMMAND: return sizeof(struct wire_command);
    case WIRE_PING:
    case WIRE_PONG:
    case WIRE_GONE: return sizeof(struct wire_header);
    default: return 0;
    }
}

bool wire_message_valid(const void *message, size_t length)
{
    struct wire_header header;
    if (length < sizeof header)
        return false;
    memcpy(&header, message, sizeof header); /* a received buffer need not be aligned */
    return header.version == WIRE_VERSION && header.length == length && message_size(header.type) == length;
}
