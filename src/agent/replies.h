/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for an answer, and what they get. */
#pragma once

#include "base/list.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct app;
struct asked;
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

/* Puts who asked among those who wait; NULL: no memory, and it was told. */
struct request *request_wait_for(const struct asked *asked, struct app *app, enum request_wait wait);
/* What they waited for has ended: the receipt, which may be NULL, and this text, to all of them. */
void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text);
void requests_move_to_drain(struct app *app);
void requests_of_client_gone(struct agent *agent, uint64_t client); /* 0: all of them are */
/* The last message of a request. */
void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text);
/* The same, to one who need not wait. */
void request_answer(const struct asked *asked, enum wire_result result, const char *text);
