/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode datagram: each packet of UDP is a transaction, committed when it was sent to live. What live answers goes back
 * to its client by the flow's own socket. What comes faster than it is journalled is lost as in any full queue: before
 * the journal, and so for both zones. A packet without content is not fed.
 */
#pragma once

#include "base/list.h"
#include "feed/door.h"

#define FLOWS_MAX       1024  /* clients that are remembered */
#define FLOW_IDLE_MS    60000 /* and for how long */
#define PACKETS_MAX     256   /* under way, of 64 KiB at most: 16 MiB */
#define PACKET_SIZE_MAX 65535

struct role;

struct datagrams {
    struct list flows; /* the one that was used last is last */
    size_t flow_count, packets;
    uint64_t flows_ever;
    bool held; /* nothing is read */
};

void datagrams_init(struct role *role);
void datagrams_read(struct door *door, int fd);       /* what has come by this door */
void datagrams_cut(struct role *role);                /* another zone is live: flows begin anew there */
void datagrams_leave(struct role *role, int door_fd); /* it is closed */
void datagrams_proceed(struct role *role);            /* a hold may be over, or begin */
void datagrams_sweep(struct role *role, uint64_t now_ms);
