/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a call's arguments to the message for the monitor. Whether it may be is the monitor's to say; here, that it can
 * be said at all. */
#pragma once

#include "api/arguments.h"
#include "base/error.h"
#include "model/wire_command.h"

/* What a call comes to for the monitor; header.type says which. */
union method_message {
    struct wire_header header;
    struct wire_request request;
    struct wire_command command;
};

/* Fills in *message around the client and request numbers that are in its header. False, with a reason: something of it
 * is too long, or nothing that there is. */
bool message_fill(enum wire_verb verb, const struct arguments *arguments, union method_message *message,
                  struct error *err);
