/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One whole request sent to one zone, and its whole answer. Nothing is sent twice here, unless the app surely has not
 * done it: a connection that was kept and had ended by then gives place to a fresh one. */
#pragma once

#include "feed/back.h"
#include "feed/buffer.h"
#include "feed/http.h"
#include "feed/spool.h"

struct call;

enum call_end {
    CALL_ANSWERED,
    CALL_NOT_SENT, /* not one byte of it */
    CALL_BROKEN,   /* something was sent, and no whole answer came */
    CALL_LATE      /* the same, in ANSWER_MS */
};

/* Ends the call; call_clear is its to call. */
typedef void call_done(void *context, enum call_end end);

struct call {
    struct role *role;
    struct backs *backs;
    uint16_t port;
    struct back *back; /* NULL: it does not run */
    struct text head;  /* the request's, as it goes out, and a small body */
    size_t head_sent;
    const char *body; /* memory, or NULL ... */
    int body_fd;      /* ... and a file, or -1; borrowed */
    uint64_t body_length, body_sent;
    bool sent;    /* some of it */
    bool alone;   /* on a connection of its own */
    bool retried; /* on a fresh one, after one that was kept */
    char method[FEED_METHOD_MAX + 1];
    struct buffer in;
    char *answer_bytes; /* of the answer's head, `answer` */
    struct http_body_reader reader;
    struct spool content;
    uint64_t deadline_ms;
    char why[160]; /* no whole answer came */
    call_done *done;
    void *context;
    struct http_head answer; /* points into answer_bytes, valid when these are there; large, so never emptied */
};

void call_init(struct call *call, struct role *role);
void call_clear(struct call *call); /* also ends one that runs, without a word */
/* `head` and what follows are set. Calls back, perhaps from inside. */
void call_begin(struct call *call, struct backs *backs, uint16_t port, call_done *done, void *context);
/* Once a second. */
void call_expire(struct call *call, uint64_t now_ms);
