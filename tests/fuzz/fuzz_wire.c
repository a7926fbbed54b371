/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message on the control channel: what the monitor accepts must be safe to act on. */
#include "model/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_request(const struct wire_request *request)
{
    enum wire_verb verb = (enum wire_verb)request->verb;
    require(request->verb < VERBS && (request->flags & ~WIRE_FORCE) == 0);
    require(memchr(request->app, '\0', sizeof request->app) != NULL);
    require(memchr(request->release, '\0', sizeof request->release) != NULL);
    require(!request->app[0] || app_name_valid(request->app));
    require(!request->release[0] || release_name_valid(request->release));
    require(request->limit <= WIRE_HISTORY_MAX);
    require(request->zone <= COLOURS && (request->zone == 0 || verb == VERB_LOGS) && verb != VERB_EXEC);
    bool takes_release = verb == VERB_DEPLOY || verb == VERB_STAGE;
    require((request->release[0] != '\0') == takes_release);
    if (verb_changes(verb) && verb != VERB_RELOAD)
        require(request->app[0] != '\0');
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_bytes(data, size, 0);
    try_bytes(data, size, WIRE_REQUEST);
    try_command(data, size);
    return 0;
}
