/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of clients: what they ask for, and who waits for what. */
#pragma once

#include "base/list.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct app;
struct client;
struct group_answer;
struct wire_receipt;

enum request_wait { WAIT_OPERATION, WAIT_DRAIN, WAIT_BAKE };

/* Somebody who waits for an answer; the operation or drain goes on without them. */
struct request {
    struct list link;
    uint64_t client, id;
    struct app *app;
    enum request_wait wait;
    bool brief;                   /* who asked may not read the app's log: its lines behind a reason are not for them */
    char told[WIRE_TEXT_MAX + 1]; /* of the bake, last */
    bool attached; /* goes on from the operation to its drain and its bake; WAIT_BAKE is for these only */
    char failed[WIRE_TEXT_MAX + 1]; /* attached: what it came to, while the way back is followed to its end */
    struct group_answer *group;     /* one of several that are answered together; NULL: by itself */
};

/* A valid request of somebody who may make it. */
struct asked {
    struct agent *agent;
    const struct wire_request *request;
    struct client *client;
};

/* What request_handle does with a request that is valid, of somebody who may make it. */
void request_dispatch(const struct asked *asked);
/* Answers that it may not begin. One that is refused because of what runs, and said --wait, waits instead. */
void request_refuse(const struct asked *asked, enum wire_result result, const char *text);
void request_no_such_app(const struct asked *asked); /* answers that */
void request_handle(struct agent *agent, const struct wire_request *request, size_t length);
void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text);
void requests_move_to_drain(struct app *app);
/* Puts who asked among those who wait; NULL: no memory, and it was told. */
struct request *request_wait_for(const struct asked *asked, struct app *app, enum request_wait wait);
void requests_of_client_gone(struct agent *agent, uint64_t client);
void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text);
