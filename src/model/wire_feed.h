/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client gets to see of a feed. */
#pragma once

#include "model/feed.h"
#include "model/wire.h"

struct feed_figures;
struct feed_item;

/* What the other zone is done that live has done. */
struct wire_feed {
    uint8_t state;    /* enum feed_state; FEED_STATE_OFF: there is no feed, and nothing else means anything */
    int8_t live;      /* as the feed knows it: enum colour or -1 */
    uint8_t mode;     /* enum feed_mode */
    uint8_t alone;    /* nobody runs in the other zone */
    uint32_t waiting; /* clients, in a switch */
    uint64_t committed;
    uint64_t applied[COLOURS]; /* the newest number that each zone has; UINT64_MAX: nobody knows */
    uint64_t behind, behind_ms;
    uint64_t in_doubt, diverged, lost, twice;
    uint64_t fed, passed, not_fed; /* requests */
    uint64_t journal_bytes, journal_max;
    uint64_t applied_per_minute;
    uint32_t connections[COLOURS]; /* of clients, by the zone that they came to */
    char reason[WIRE_TEXT_MAX + 1];
};

void wire_feed_fill(const struct feed *feed, const struct feed_figures *figures, struct wire_feed *wire);
/* A switch to the zone that is not live would miss nothing. */
bool wire_feed_is_backup(const struct wire_feed *feed);
#define WIRE_FEED_TEXT_MAX (WIRE_TEXT_MAX + 64)
/* "in step, 12041 transactions", "behind 34 (2.1 s)", "broken: the journal is full". */
const char *wire_feed_text(const struct wire_feed *feed, char text[WIRE_FEED_TEXT_MAX + 1]);

struct wire_feed_told {
    struct wire_header header;
    struct wire_feed feed;
};

/* A transaction of a feed that there is something to say of. */
struct wire_feed_item {
    struct wire_header header;
    uint8_t kind; /* enum feed_item_kind */
    int8_t zone;  /* that is concerned: enum colour or -1 */
    uint8_t reserved[2];
    uint16_t status_live, status_other; /* of the answers; 0 = there was none */
    uint64_t sequence;
    uint64_t unix_ms;
    char request[WIRE_TEXT_MAX + 1];                        /* "POST /orders/17" */
    char live[WIRE_TEXT_MAX + 1], other[WIRE_TEXT_MAX + 1]; /* the beginnings of the answers */
};

/* Everything but the header. */
void wire_feed_item_fill(const struct feed_item *item, struct wire_feed_item *wire);
