/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request that passes: to live and back as it comes, without journal or lane. After an upgrade, bytes both ways. */
#pragma once

#include "feed/http.h"
#include "feed/spool.h"

struct client;
struct pass;
struct role;

/* What was read of its body already, taken. */
struct pass_begun {
    struct http_body_reader reader;
    struct spool body;
};

/* For the client's request with this head; begun may be NULL. */
bool pass_new(struct client *client, const struct http_head *head, const struct pass_begun *begun);
void pass_free(struct pass *pass);
/* Sends it to live, or waits until there is somebody. It may end the pass. */
void pass_begin(struct pass *pass);
/* More of the client's bytes are there. */
void pass_take(struct pass *pass);
bool pass_takes(const struct pass *pass); /* they are wanted */
/* The client can be sent more. */
void pass_room(struct pass *pass);
bool pass_is_full(const struct pass *pass); /* it has more for the client */
/* Bytes have gone to either side. */
void pass_moved(struct pass *pass);
/* Nothing has moved for as long as it may last. */
void pass_late(struct pass *pass);
/* Those that wait for somebody who is live. */
void passes_proceed(struct role *role);
void passes_sweep(struct role *role, uint64_t now_ms);
