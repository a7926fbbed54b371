/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The role that talks to clients, and what it is to tell them. */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "model/wire.h"
#include "os/loop.h"
#include "os/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;

struct role {
    struct process process;
    struct loop_source *source, *exit_source;
    struct loop_timer *respawn_timer, *ping_timer;
    uint32_t failures, unanswered;
    bool watched, killed; /* ping_timer is armed; its exit is waited for */
    struct list lost;     /* those that did not die when they were killed */
};

void client_send(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                 size_t length);
/* The same with descriptors, which stay the caller's. */
void client_send_files(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                       size_t length, const int *fds, size_t fd_count);
int api_role_start(struct agent *agent, struct error *err);
/* There is a client: from now on it is noticed if the role hangs. */
void api_role_watch(struct agent *agent);
void api_role_end(struct agent *agent); /* waits some moments at most */
