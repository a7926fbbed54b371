/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the monitor is asked, filled in from what a call was given. */
#include "api/message.h"

#include "model/wire_command.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

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

static bool fill_words(enum wire_verb verb, const struct arguments *arguments, struct wire_request *request,
                       struct error *err)
{
    enum wire_action action = WIRE_ACTION_NONE;
    if (arguments->action && !wire_action_parse(verb, arguments->action, &action)) {
        error_set(err, EINVAL, "%s has no such action; bluegreen(1) lists them", verb_name(verb));
        return false;
    }
    request->action = (uint8_t)action;
    if (arguments->text && !text_copy(request->text, sizeof request->text, arguments->text)) {
        error_set(err, EINVAL, "%s: a text may have %d bytes", verb_name(verb), WIRE_TEXT_MAX);
        return false;
    }
    return true;
}

/* The validity of names is the model's business; here only that they fit. */
static bool fill_request(enum wire_verb verb, const struct arguments *arguments, union method_message *message,
                         struct error *err)
{
    struct wire_request *request = &message->request;
    *request = (struct wire_request){
        .header = header_for(message, WIRE_REQUEST, sizeof *request),
        .verb = verb,
        .flags = flags_of(arguments),
        .limit = arguments->limit,
        .stop_after = arguments->stop_after,
        .canary = arguments->canary,
        .sticky = arguments->sticky,
        .zone = (uint32_t)(arguments->zone + 1),
        .filter = arguments->filter,
        .lose = arguments->lose,
    };
    if (verb == VERB_FEED) { /* which transaction, where history has which entry */
        request->sequence = arguments->filter.sequence;
        request->filter.sequence = 0;
    }
    if (!fill_app(arguments, request->app, err) || !fill_words(verb, arguments, request, err))
        return false;
    if (arguments->release && !text_copy(request->release, sizeof request->release, arguments->release)) {
        error_set(err, EINVAL, "the release's name is longer than %d characters", RELEASE_NAME_MAX);
        return false;
    }
    return wire_request_valid(request, sizeof *request, err);
}

static bool add_word(struct wire_command *command, struct json_object *value)
{
    const char *word = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
    size_t size = word ? strlen(word) + 1 : 0;
    if (size == 0 || size != (size_t)json_object_get_string_len(value) + 1 ||
        size > sizeof command->arguments - command->arguments_length)
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

bool message_fill(enum wire_verb verb, const struct arguments *arguments, union method_message *message,
                  struct error *err)
{
    return verb == VERB_EXEC ? fill_command(arguments, message, err) : fill_request(verb, arguments, message, err);
}
