/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's connection: its half-read message, its call in flight, its unread replies, and the limits on all three.
 * Calls are answered one after the other in the order they came, so a client that pipelines costs a buffer, not a queue
 * in the monitor; while the buffer is full it is not read from.
 */
#pragma once

#include "base/error.h"
#include "model/wire.h"
#include "os/loop.h"

/* A message, once begun, must be whole by then. A client between two messages may wait for ever. */
#define CLIENT_HALF_MESSAGE_MS 10000
/* A client with unread replies must take some of them within this. */
#define CLIENT_STALL_MS 30000
/* Unread replies of one client: some thousand apps' status. */
#define CLIENT_BACKLOG_MAX (4u << 20)

struct client;

/* What a client needs of the role around it. */
struct client_host {
    struct loop *loop;
    uint32_t half_message_ms, stall_ms; /* 0: the defaults above */
    /* Sends a request or a command to the monitor. 0 or a negative errno: then the role is about to end. */
    int (*ask)(void *context, const struct wire_header *message);
    /* The client is finished with. The host frees it, now. reason is for the log. */
    void (*gone)(void *context, struct client *client, const char *reason);
    void *context;
};

/* Takes fd over (any blocking mode), unless it fails. who and the host are copied and borrowed. */
int client_new(const struct client_host *host, const struct wire_client *who, int fd, struct client **client,
               struct error *err);
void client_free(struct client *client); /* closes; tells nobody */

/* A message of the monitor (wire_message_valid) about a request of this client. Takes the descriptors that it needs and
 * sets them to -1. May end in gone(). */
void client_deliver(struct client *client, const struct wire_header *message, int fds[], size_t fd_count);
/* Ends it from outside. Calls gone(). */
void client_drop(struct client *client, const char *reason);

const struct wire_client *client_who(const struct client *client);
size_t client_backlog(const struct client *client); /* bytes held for it */
