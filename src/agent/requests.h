/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of clients: what is done about each verb. */
#pragma once

#include "model/wire.h"

#include <stddef.h>

struct agent;
struct client;

/* A valid request of somebody who may make it. */
struct asked {
    struct agent *agent;
    const struct wire_request *request;
    struct client *client;
};

void request_handle(struct agent *agent, const struct wire_request *request, size_t length);
/* What request_handle does with a request that is valid, of somebody who may make it. */
void request_dispatch(const struct asked *asked);
/* Answers that it may not begin. One that is refused because of what runs, and said --wait, waits instead. */
void request_refuse(const struct asked *asked, enum wire_result result, const char *text);
void request_no_such_app(const struct asked *asked); /* answers that */
