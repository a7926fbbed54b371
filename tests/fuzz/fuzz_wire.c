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
    bool takes_release = verb == VERB_DEPLOY || verb == VERB_STAGE;
    require((request->release[0] != '\0') == takes_release);
    if (verb_changes(verb) && verb != VERB_RELOAD)
        require(request->app[0] != '\0');
}

/* As it comes, and with a header that fits, or the fuzzer would mostly test the length. */
static void try_bytes(const uint8_t *data, size_t size, bool mend)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct wire_header header = {.type = WIRE_REQUEST, .version = WIRE_VERSION, .length = (uint32_t)size};
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
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_bytes(data, size, false);
    try_bytes(data, size, true);
    return 0;
}
