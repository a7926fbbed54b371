/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where clients come in: listening sockets in the zones' network namespaces, which the monitor has made. */
#pragma once

#include "model/feed_wire.h"
#include "os/loop.h"

#define DOOR_SOCKETS 4 /* a family each, and those of an agent before this one */

struct role;

struct door {
    struct role *role;
    uint8_t zone, index;
    uint16_t port, target; /* as struct feed_door; 0: never there */
    bool shut;             /* who came by it is to come again, by another */
    int fds[DOOR_SOCKETS];
    struct loop_source *sources[DOOR_SOCKETS];
    size_t count;
    bool keeps;  /* its sockets are a former agent's: who waits there is not to be refused */
    bool paused; /* as many clients as there may be */
    uint32_t connections;
};

/* Takes the descriptors. */
void door_open(struct role *role, const struct feed_door *message, const int fds[], size_t count);
void door_shut(struct role *role, const struct feed_door *message);
void doors_clear(struct role *role);
/* Its zone is gone, and with it whoever could come: the sockets would only keep its network namespace. */
void doors_end(struct role *role, enum colour zone);
/* The app's port in that zone which clients know by that number, or 0: that release has none, or does not feed it. */
uint16_t door_target(const struct role *role, enum colour zone, uint16_t port);
/* Whether clients are taken. */
void doors_pause(struct role *role, bool pause);
