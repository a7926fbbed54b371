/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode stream: a client's connection to live, whose bytes are journalled in pieces as they come, in their order. A
 * piece is committed when live's socket has taken it, and applied when the other zone's has: what the app does with it,
 * and when it reads it, nobody can tell from outside. So order is kept within a connection; between two of them, also
 * at a switch, it is that of their arrival. Connections stay with the zone that they began in and end when another one
 * becomes live.
 */
#pragma once

#include "feed/door.h"

#include <sys/socket.h>

struct role;

void stream_new(struct door *door, int fd, const struct sockaddr_storage *peer); /* takes fd */
void streams_cut(struct role *role, enum colour live);                           /* those of another zone end */
void streams_proceed(struct role *role);                                         /* a hold may be over */
void streams_clear(struct role *role);
