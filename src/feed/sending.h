/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How requests and answers are written on: what a proxy leaves out, who the client is, the transaction's key. */
#pragma once

#include "feed/http.h"
#include "model/feed_wire.h"

#include <sys/socket.h>

struct client;
struct feed_rules;

struct sending {
    const struct feed_rules *rules;
    const struct client *client;
    const struct http_head *head;
    bool fed;
    uint64_t id;          /* fed: of the transaction */
    uint64_t body_length; /* fed: of the whole body */
    bool upgrade;         /* not fed: asks for another protocol */
};

/* The request as live gets it, with its PROXY line if there is one. */
void sending_request(const struct sending *sending, struct text *out);
/* The same as the other zone gets it: says that it is a copy. */
void sending_copy(const char *head, size_t length, struct text *out);
/* The PROXY protocol's, version 1, of a client's connection; target is the app's port. */
void sending_proxy_line(int fd, const struct sockaddr_storage *from_peer, uint16_t target, struct text *out);
/* Where its HTTP begins: behind the PROXY line. */
size_t sending_proxy_length(const char *head, size_t length);
/* What an app's answer may not say: the feed's own are known by it. For http_rewrite. */
extern const char *const sending_not_apps[];
/* A whole answer, as its client gets it. */
void sending_answer(const struct http_head *answer, uint64_t length, bool close, struct text *out);
/* The client's address, IPv4 in IPv6 as IPv4; NULL: none. Port: in host order. */
const struct address *sending_peer(const struct sockaddr_storage *socket, struct address *address, uint16_t *port);
