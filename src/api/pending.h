/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The call that the monitor has: what came of it so far, and the replies that are made of that. When they go out, and
 * whether their reader takes them, is the connection's matter (client.h). */
#pragma once

#include "api/descriptors.h"
#include "api/message.h"
#include "api/varlink.h"

struct pending {
    struct text *output;          /* replies; empty while nothing waits for the client to read it */
    struct descriptors *attached; /* go with output's first byte */

    bool active; /* the monitor has it */
    bool more, oneway;
    bool lists; /* rows: there is a list, empty or not */
    enum wire_verb verb;
    struct text items;           /* Status and History: what came so far */
    struct json_object *receipt; /* or what else came to be said in the reply */
    struct json_object *rows;    /* a list, of what comes with the reply; NULL = none came */
    struct descriptors files;    /* to go with the reply */
};

void pending_begin(struct pending *call, const struct varlink_call *asked, const union method_message *message);
/* Takes the descriptors that it needs and sets them to -1. After the end it is not active any more. NULL, or why its
 * client is to be let go. */
const char *pending_take(struct pending *call, const struct wire_header *message, int fds[], size_t fd_count);
void pending_clear(struct pending *call); /* leaves output and attached, which are the client's */
