/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request that is fed, and its answer:
 *
 *     reading   its body comes
 *     queued    whole; waits for its lane, for the end of a hold, for somebody who is live
 *     beginning BEGIN is written, and not safe yet
 *     asked     live has it, or a part of it
 *     ending    COMMIT is written, and not safe yet; the lane is free again
 *
 * It outlives its client: what live was sent has to end in the journal, whoever waits for it.
 */
#pragma once

#include "feed/call.h"
#include "feed/http.h"
#include "feed/role.h"

struct client;

bool exchange_new(struct client *client, const struct http_head *head);
/* Takes what is there of the body: 1 it is whole, 0 more is needed; negative: refused. One that turns out to be larger
 * than what is fed becomes a pass, and the exchange is no more. */
int exchange_body(struct exchange *exchange, struct buffer *in, struct error *err);
void exchange_queue(struct exchange *exchange);
/* Its client has gone. */
void exchange_leave(struct exchange *exchange);
/* Those that may go to live now go. */
void exchanges_proceed(struct role *role);
/* `live` is it now: what another zone has of ours is in doubt, as far as it was sent. */
void exchanges_cut(struct role *role, enum colour live);
void exchanges_clear(struct role *role); /* at the role's end, without journal */
/* By new keys and lanes; those that wait. */
void exchanges_relane(struct role *role);
void exchanges_sweep(struct role *role, uint64_t now_ms);
