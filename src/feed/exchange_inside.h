/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exchange is made of, for exchange*.c alone. */
#pragma once

#include "feed/exchange.h"

enum exchange_state { EXCHANGE_READING, EXCHANGE_QUEUED, EXCHANGE_BEGINNING, EXCHANGE_ASKED, EXCHANGE_ENDING };

struct exchange {
    struct list link; /* of its lane */
    struct role *role;
    struct client *client; /* NULL: gone */
    enum exchange_state state;
    enum colour zone; /* that was asked */
    uint16_t door;
    size_t lane;
    uint64_t key, id, since_ms;
    char *bytes; /* of the client's head, which `head` points into */
    struct http_head head;
    struct http_body_reader reader;
    struct spool body;
    struct call call;
};

void exchange_free(struct exchange *exchange); /* wherever it is; its client is not told */
