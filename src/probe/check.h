/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One running check of the probe role: what was asked, and the sockets that came with it. */
#pragma once

#include "base/list.h"
#include "model/check_wire.h"
#include "os/loop.h"

struct role;

struct check {
    struct list link; /* among the role's open checks */
    struct role *role;
    struct check_request request;
    int sockets[CHECK_SOCKETS_MAX]; /* from next_socket on they are still the check's */
    size_t socket_count, next_socket;
    uint64_t started_ns;
    struct loop_timer *deadline;
    struct http_transfer *transfer; /* HTTP: owned by http.c */
    struct loop_source *connecting; /* TCP: owned by tcp.c */
};

/* The next socket that was handed over, now the caller's; -1 when all are used up. */
int check_take_socket(struct check *check);
/* Sends the result and frees the check. The engine has let go of it before. */
void check_finish(struct check *check, struct probe_result *result);
