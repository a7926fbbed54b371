/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's connection: reads requests, one at a time, and sends their answers in that order. A request that is to
 * be fed becomes an exchange (exchange.h), any other one passes (pass.h).
 */
#pragma once

#include "base/list.h"
#include "feed/buffer.h"
#include "feed/door.h"
#include "feed/http.h"
#include "feed/spool.h"

#include <sys/socket.h>

struct exchange;
struct pass;

enum client_state {
    CLIENT_HEAD,   /* reads a request's head, or rests between two */
    CLIENT_BODY,   /* reads the body of one that is fed */
    CLIENT_WAIT,   /* it is with live, or waits for its turn */
    CLIENT_PASS,   /* bytes go both ways */
    CLIENT_ANSWER, /* its answer goes out */
    CLIENT_LINGER, /* the answer said why no further request is read: what comes is thrown away */
    CLIENT_DEAD    /* closed, freed soon */
};

struct client {
    struct list link;
    struct door *door;
    uint16_t port; /* by which it came */
    struct role *role;
    enum client_state state;
    int fd;
    struct loop_source *source;
    uint32_t watched;
    struct sockaddr_storage peer;
    struct buffer in, out;
    struct spool rest; /* of the answer, behind what is in `out` */
    uint64_t rest_at;
    bool close;     /* after this answer */
    bool ended;     /* it sends nothing more */
    bool head_only; /* it asked for a head: an answer's body would be taken for the next answer */
    size_t parsed;  /* so much of `in` is no whole head */
    bool proceeding;
    uint64_t since_ms;    /* it is in its state, or has last made progress */
    uint64_t deadline_ms; /* 0: none */
    size_t progress;      /* bytes since then */
    struct exchange *exchange;
    struct pass *pass;
};

bool client_is_to_come_again(const struct client *client);
void client_take(struct door *door, int fd, const struct sockaddr_storage *peer); /* takes fd */
void client_close(struct client *client);                                         /* at once, whatever it waits for */
void clients_clear(struct role *role);
void clients_cut(struct role *role, enum colour zone); /* those that came in by its doors, which are gone */
void clients_bury(struct role *role);                  /* frees what was closed */
/* The whole answer: takes what is in `body`, which may be NULL. */
void client_answer(struct client *client, const struct text *head, struct spool *body);
/* An answer of our own (answers.h has the words). */
void client_refuse(struct client *client, uint16_t status, const char *why);
/* Sends what is in `out`: a pass calls it when it has put something there. */
void client_flush(struct client *client);
/* The pass's answer is whole in `out`, and the pass is no more. */
void client_pass_done(struct client *client, bool close);
