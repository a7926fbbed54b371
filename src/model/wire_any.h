/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any message, for who reads the channel. */
#pragma once

#include "model/wire.h"
#include "model/wire_command.h"
#include "model/wire_status.h"

/* The longest of them, whichever that is. */
union wire_longest {
    struct wire_status status;
    struct wire_end end;
    struct wire_command command;
};
#define WIRE_MESSAGE_MAX sizeof(union wire_longest)

/* Does this message have the length that its type has, our version and a known type? For both directions. */
bool wire_message_valid(const void *message, size_t length);
