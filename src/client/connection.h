/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to the agent: varlink messages out and in. */
#pragma once

#include "bluegreen/bluegreen.h"

#include "client/descriptors.h"

#include <signal.h>

struct json_object;

/* The agent's replies are shorter by far; what claims to be longer is not the agent. */
#define CONNECTION_REPLY_MAX  (16u << 20)
#define CONNECTION_DEPTH_MAX  32
#define CONNECTION_TIMEOUT_MS 30000

struct bluegreen {
    int fd;
    int timeout_ms;
    int tick_ms; /* 0: none */
    uint64_t lose;
    volatile sig_atomic_t interrupted;
    bool broken; /* nothing sensible can come any more */
    char *input; /* what arrived */
    size_t start, length, capacity, searched;
    int fds[DESCRIPTORS_MAX]; /* came with the reply */
    size_t fd_count;
    bool running; /* bluegreen_exec has returned, and bluegreen_exec_wait has not returned */
};

/* One call: {"method":"io.bluegreen.Agent.METHOD","parameters":...}. Takes parameters over. */
int connection_call(struct bluegreen *agent, const char *method, struct json_object *parameters, bool more,
                    struct bluegreen_error *error);

/* True once connection_reply has something to read, false after milliseconds without; true too if it is to fail. */
bool connection_readable(struct bluegreen *agent, int milliseconds);

/* The next reply's parameters, the caller's to put; never NULL after 0. An error reply is the error. timeout_ms 0 is
 * for ever. *continues tells whether more replies follow. */
int connection_reply(struct bluegreen *agent, int timeout_ms, struct json_object **parameters, bool *continues,
                     struct bluegreen_error *error);
