/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's end of the connection to a shim: requests with their answers, and events in between, which wait in a
 * queue until somebody asks for them.
 */
#pragma once

#include "base/error.h"
#include "model/shim_protocol.h"
#include "zone/zone.h"

#define CHANNEL_QUEUE_MAX 16

struct channel {
    int socket;
    int readable; /* an epoll descriptor: readable when the socket or the queue has something */
    int wake;     /* an eventfd, up while the queue has something */
    uint32_t serial;
    int shim_pidfd;
    pid_t shim_pid;
    bool gone;
    struct zone_app app;
    enum zone_event queue[CHANNEL_QUEUE_MAX];
    size_t queued;
};

/* Connects and waits for the shim's first message. -ENOENT: nobody listens there. */
int channel_open(struct channel *channel, const char *socket_path, struct error *err);
void channel_close(struct channel *channel);
/* Sends a request (whose serial is channel_serial's) and waits for its answer. */
int channel_request(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                    enum shim_type *answer, struct shim_state *state, struct error *err);
uint32_t channel_serial(struct channel *channel);
int channel_send(struct channel *channel, const void *message, size_t length, struct error *err);
/* The next event; ZONE_EVENT_NONE when there is none now. Never blocks. */
enum zone_event channel_receive(struct channel *channel);
