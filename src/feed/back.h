/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to the app in one zone. The role makes no socket: the monitor sends them, made inside the zone's network
 * namespace, and they are asked for before the stock runs out. A connection that can be used again is kept for a
 * second: not longer, because an app that closes it at the moment at which a request goes out leaves a doubt.
 */
#pragma once

#include "base/list.h"
#include "model/feed_wire.h"
#include "os/loop.h"

#define BACK_STOCK      32   /* sockets that are kept ready */
#define BACK_STOCK_MAX  64   /* that are taken */
#define BACK_KEEP_MS    1000 /* Node.js closes after 5 s, gunicorn after 2 s */
#define BACK_KEEP_MAX   256
#define BACK_CONNECT_MS 5000 /* for a socket and a connection, on one host */

struct role;
struct back;

struct backs { /* of one zone */
    struct role *role;
    enum colour zone;
    bool there, frozen;
    uint32_t serial;
    struct address service4, service6;
    int stock[BACK_STOCK_MAX];
    size_t stock_count, kept_count;
    unsigned asked; /* sockets that are on their way */
    uint64_t asked_ms;
    struct list waiting /* for a socket */, used, kept;
};

enum back_news {
    BACK_OPENED,
    BACK_FAILED, /* it never was open: nothing was sent */
    BACK_EVENTS  /* of epoll */
};
/* The back may be closed in it. */
typedef void back_callback(void *context, struct back *back, enum back_news news, uint32_t events);

void backs_init(struct backs *backs, struct role *role, enum colour zone);
void backs_clear(struct backs *backs); /* closes all of them, calls nobody back */
void backs_zone(struct backs *backs, const struct feed_zone *zone);
/* Takes the descriptors, which are the caller's no more. */
void backs_sockets(struct backs *backs, const struct feed_sockets *message, const int fds[], size_t count);
/* Asks for what is missing; late connections fail, old ones are closed. Once a second, and when sockets are taken. */
void backs_ask(struct backs *backs);
void backs_sweep(struct backs *backs, uint64_t now_ms);
bool backs_reachable(const struct backs *backs);
bool backs_idle(const struct backs *backs); /* nothing that a sweep could end */

/* A connection to that port, a kept one unless `fresh`: open at once (back_is_open), or later by BACK_OPENED or
 * BACK_FAILED. NULL: it failed at once, and *why (not to be freed) says how. */
struct back *back_open(struct backs *backs, uint16_t port, bool fresh, back_callback *callback, void *context,
                       const char **why);
bool back_is_open(const struct back *back);
bool back_was_kept(const struct back *back); /* it has carried something before */
int back_fd(const struct back *back);
const char *back_why(const struct back *back); /* of BACK_FAILED */
void back_watch(struct back *back, uint32_t events);
void back_keep(struct back *back);  /* done with, may be used again */
void back_close(struct back *back); /* NULL is fine */
