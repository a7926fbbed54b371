/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's end of the connection to a shim: requests with their answers, and events in between, which wait in a
 * queue until somebody asks for them. What the shim said last of each process is kept here.
 */
#pragma once

#include "base/error.h"
#include "model/shim_protocol.h"
#include "zone/event_queue.h"
#include "zone/starts.h"
#include "zone/zone.h"

struct channel {
    int socket;
    int readable; /* an epoll descriptor: readable when the socket or the queue has something */
    uint32_t serial;
    int shim_pidfd;
    pid_t shim_pid;
    int pid_error; /* errno; not 0: there was a process whose id could not be looked up */
    bool gone;
    bool frozen;          /* as the shim believes */
    bool can_nudge;       /* the shim is new enough */
    uint32_t nudged;      /* connections, as far as it has told */
    uint32_t nudge_error; /* errno of the last time, so that it is said once */
    struct zone_app app;  /* main */
    struct zone_app *others;
    bool transient[SHIM_PROCESSES_MAX]; /* others[i] is forgotten when it has ended */
    size_t other_count;
    struct starts starts; /* that were asked for, and nobody waits for the answer */
    struct event_queue queue;
};

/* Where there is none yet: nothing to close. */
#define CHANNEL_NONE                                                           \
    (struct channel)                                                           \
    {                                                                          \
        .socket = -1, .readable = -1, .shim_pidfd = -1, .queue = {.wake = -1 } \
    }

/* What came back. Texts in state point into bytes. */
struct channel_answer {
    enum shim_type type;
    struct shim_state state;
    uint32_t bytes[SHIM_ANSWER_MAX * 2 / sizeof(uint32_t)]; /* twice what shims say today */
};

/* Connects and waits for the shim's first message. -ENOENT: nobody listens there. */
int channel_open(struct channel *channel, const char *socket_path, struct error *err);
/* Fails if some process's id could not be looked up, and so is told as 0. */
int channel_pids_known(const struct channel *channel, struct error *err);
void channel_close(struct channel *channel);
/* Sends a request (whose serial is channel_serial's) and waits for its answer. */
int channel_request(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                    struct channel_answer *answer, struct error *err);
uint32_t channel_serial(struct channel *channel);
int channel_send_files(struct channel *channel, const void *message, size_t length, const int *fds, size_t fd_count,
                       struct error *err);
int channel_send(struct channel *channel, const void *message, size_t length, struct error *err);
/* SHIM_SET. 0 too if the shim is too old to know it. Nothing in set: what the shim has said before has arrived then. */
int channel_set(struct channel *channel, const struct shim_set *set, struct error *err);
/* The next event; ZONE_EVENT_NONE when there is none now. Never blocks. *about may be NULL. */
enum zone_event channel_receive(struct channel *channel, struct zone_app *about);
/* NULL or "": main. NULL if it is unknown. */
struct zone_app *channel_process(const struct channel *channel, const char *name);
/* It runs once: what is known of it is forgotten with its end. */
void channel_mark_transient(struct channel *channel, const char *name);
