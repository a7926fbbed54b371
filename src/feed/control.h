/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The role's end of the channel: checked messages go to role_*, what is sent waits here while the monitor is busy. */
#pragma once

#include "base/error.h"
#include "model/feed_wire.h"

#include <stddef.h>

struct role;
struct control;

int control_new(struct role *role, int channel, struct control **control, struct error *err);
void control_free(struct control *control); /* NULL is fine */
/* Fills the header in and sends; memory that runs out ends the role: the monitor starts another one. */
void control_send(struct control *control, enum feed_message kind, struct feed_header *message, size_t length);
bool control_busy(const struct control *control); /* messages wait: whoever has many more to send should, too */
