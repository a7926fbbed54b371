/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message on the control channel: what the monitor accepts must be safe to act on. */
#include "model/wire.h"

#include "fuzz.h"
#include "model/wire_any.h"
#include "model/wire_command.h"

#include <stdlib.h>
#include <string.h>

static bool takes_release(const struct wire_request *request)
{
    switch (request->verb) {
    case VERB_DEPLOY:
    case VERB_STAGE:
    case VERB_HISTORY: return true;
    case VERB_SCHEMA: return request->action == WIRE_SCHEMA_EXPAND;
    case VERB_RELEASE: return request->action == WIRE_RELEASE_FETCH;
    default: return false;
    }
}

static void check_names(const struct wire_request *request)
{
    enum wire_verb verb = (enum wire_verb)request->verb;
    require(memchr(request->app, '\0', sizeof request->app) && memchr(request->release, '\0', sizeof request->release));
    require(!request->app[0] || app_name_valid(request->app));
    require(!request->release[0] || (release_name_valid(request->release) && takes_release(request)));
    if (verb == VERB_DEPLOY || verb == VERB_STAGE || request->action == WIRE_RELEASE_FETCH)
        require(request->release[0] != '\0');
    if (verb_changes(verb) && verb != VERB_RELOAD && verb != VERB_DOCTOR)
        require(request->app[0] != '\0');
}

static void check_request(const struct wire_request *request)
{
    const uint32_t flags = WIRE_FORCE | WIRE_NO_TEST | WIRE_QUEUE | WIRE_PAST_CONTRACT | WIRE_GROUP;
    enum wire_verb verb = (enum wire_verb)request->verb;
    require(verb < VERBS && verb != VERB_EXEC && verb != VERB_FAILOVER && (request->flags & ~flags) == 0);
    check_names(request);
    require(request->limit <= WIRE_HISTORY_MAX);
    require(request->zone <= COLOURS && (request->zone == 0 || verb == VERB_LOGS || verb == VERB_CONNECTIONS));
    require(request->action < WIRE_ACTIONS && (request->action != WIRE_ACTION_NONE) ==
                                                  (verb == VERB_SCHEMA || verb == VERB_RELEASE || verb == VERB_FEED));
    bool one = request->action == WIRE_FEED_SKIP || request->action == WIRE_FEED_APPLY;
    require((request->sequence != 0) == one);
    require(request->lose == 0 || verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK);
    require(request->canary <= 99 && request->sticky <= (request->canary > 0) &&
            (request->canary == 0 || verb == VERB_SWITCH));
    require(memchr(request->text, '\0', sizeof request->text) && !strchr(request->text, '\n'));
}

/* What the monitor does with one: walks through the words. */
static void check_command(const struct wire_command *command)
{
    const char *at = command->arguments, *end = at + command->arguments_length;
    uint32_t words = 0;
    require(end <= command->arguments + sizeof command->arguments);
    for (; at < end; at += strnlen(at, (size_t)(end - at)) + 1)
        words++;
    require(at == end && words == command->argument_count && words > 0 && command->arguments[0] != '\0');
    require(app_name_valid(command->app) && (command->zone < COLOURS || command->zone == WIRE_ZONE_LIVE));
    require(command->terminal ? wire_term_valid(command->term) : command->term[0] == '\0');
}

/* As it comes, and with a header that fits, or the fuzzer would mostly test the length. */
static void try_bytes(const uint8_t *data, size_t size, uint16_t mend)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct wire_header header = {.type = mend, .version = WIRE_VERSION, .length = (uint32_t)size};
    struct error err = {0};
    require(exact != NULL);
    memcpy(exact, data, size);
    if (mend && size >= sizeof header)
        memcpy(exact, &header, sizeof header);
    if (wire_message_valid(exact, size)) {
        memcpy(&header, exact, sizeof header);
        require(header.length == size && size <= WIRE_MESSAGE_MAX);
    }
    if (wire_request_valid((const struct wire_request *)(const void *)exact, size, &err))
        check_request((const struct wire_request *)(const void *)exact);
    else
        require(err.code != 0 && err.text[0] != '\0');
    if (wire_command_valid((const struct wire_command *)(const void *)exact, size, &err))
        check_command((const struct wire_command *)(const void *)exact);
    free(exact);
}

/* Few bytes, and the rest zeros: what is too long for a fuzzer to find. */
static void try_command(const uint8_t *data, size_t size)
{
    static struct wire_command command;
    if (size > sizeof command)
        return;
    memset(&command, 0, sizeof command);
    memcpy(&command, data, size);
    try_bytes((const uint8_t *)&command, sizeof command, WIRE_COMMAND);
}

static void try_request(const uint8_t *data, size_t size)
{
    struct wire_request request = {0};
    if (size > sizeof request)
        return;
    memcpy(&request, data, size);
    try_bytes((const uint8_t *)&request, sizeof request, WIRE_REQUEST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_bytes(data, size, 0);
    try_bytes(data, size, WIRE_REQUEST);
    try_request(data, size);
    try_command(data, size);
    return 0;
}
