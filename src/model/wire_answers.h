/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What else requests are answered with, each a message of its own: progress and its receipt, history, and rows. */
#pragma once

#include "model/wire.h"
#include "model/wire_status.h"

struct wire_progress {
    struct wire_header header;
    uint32_t live_connections, nudged; /* has_count: in the other zone; that rested and were ended */
    uint8_t zone;                      /* enum colour */
    uint8_t has_count;                 /* connections is meaningful */
    uint8_t reserved[2];
    uint32_t connections; /* drain: still open in the old zone */
    uint64_t elapsed_ms;  /* since the operation began */
    uint32_t wait_ms;     /* 0, or what the step does is a wait that ends after so long at the latest */
    uint32_t waited_ms;   /* of it, until now */
    char step[32];        /* build start health switch drain cut done ... */
    char text[WIRE_TEXT_MAX + 1];
};

struct wire_receipt {
    struct wire_header header;
    int8_t from; /* enum colour or -1 */
    int8_t to;
    uint8_t reserved[2];
    uint32_t transaction_us;
    uint32_t generation_before, generation_after; /* nf_tables generation ids */
    uint32_t drained;                             /* connections that ended by themselves in the drain */
    uint32_t cut;                                 /* connections ended at its deadline */
    uint32_t nudged;                              /* of those that ended by themselves: they rested */
    uint32_t reserved2;
    uint64_t duration_ms;               /* of the whole operation */
    char release[RELEASE_NAME_MAX + 8]; /* now live */
    char who[WIRE_WHO_MAX + 1];
};

#define WIRE_STEPS_MAX 319

/* Of one entry. A rehearsal has two zones be live, one after the other. */
#define WIRE_SERVED_MAX 2

struct wire_history {
    struct wire_header header;
    uint64_t sequence;
    uint64_t begun_unix_ms;
    uint64_t duration_ms;
    uint8_t verb; /* enum wire_verb */
    int8_t from, to;
    uint8_t done;      /* 1 done, 0 failed or undone */
    uint8_t incident;  /* enum incident: nobody asked for it; verb and who mean nothing, `to` is the zone */
    uint8_t is_served; /* 1: it is served[0] and nothing else */
    uint8_t switched;  /* 1: the receipt's figures mean something */
    uint8_t has_drain; /* 1: the drain's do */
    uint32_t transaction_us, generation_before, generation_after;
    uint32_t drained, cut, left, nudged;
    uint8_t drained_unknown; /* 1: nobody knows how many, nor how many were nudged; the rest of the drain's is known */
    uint8_t reserved[3];
    uint64_t drain_ms;
    struct wire_served served[WIRE_SERVED_MAX];
    char steps[WIRE_STEPS_MAX + 1]; /* "build:12,start:3": milliseconds */
    char app[APP_NAME_MAX + 1];
    char release[RELEASE_NAME_MAX + 8];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* "" when done */
};

#define WIRE_OUTPUT_MAX 4096

/* A hook has run for the entry that follows. */
struct wire_hook {
    struct wire_header header;
    uint64_t ended_unix_ms, duration_ms;
    uint8_t zone;
    uint8_t ok;
    uint8_t reserved[6];
    char name[24];
    char reason[WIRE_TEXT_MAX + 1];   /* "" if it passed */
    char output[WIRE_OUTPUT_MAX + 1]; /* the last of it; lines separated by \n */
    uint8_t reserved2[7];
};

#define WIRE_KIND_MAX 15

/* A row of what schema, release and diff answer with; what it does not have is "" or 0. */
struct wire_item {
    struct wire_header header;
    uint64_t unix_ms;
    char kind[WIRE_KIND_MAX + 1]; /* "release", "difference", ... */
    char name[WIRE_TEXT_MAX + 1];
    char values[COLOURS][WIRE_TEXT_MAX + 1]; /* in the one zone and in the other */
    char text[WIRE_TEXT_MAX + 1];
};

#define WIRE_CONNECTIONS_MAX   1000 /* of one answer */
#define WIRE_CONNECTIONS_USUAL 100

/* A client's connection, or its flow of UDP. */
struct wire_connection {
    struct wire_header header;
    struct address peer; /* as the zone sees it */
    uint8_t zone;
    uint8_t protocol;
    uint8_t state;      /* as model/connection.h has it */
    uint8_t rests;      /* 1: everything was asked and answered */
    uint8_t nudged;     /* 1: the app reads end-of-file and has not closed it yet */
    uint8_t idle_known; /* 1: idle_ms means something */
    uint8_t bytes_known;
    uint16_t peer_port;
    uint16_t target;   /* the port in the zone */
    uint8_t age_known; /* 1: age_ms is the age; 0: at least the age, and 0 says nothing */
    uint8_t reserved[3];
    uint32_t unread, unconfirmed; /* bytes: that the app has not read, that the client has not confirmed */
    uint32_t reserved2;
    uint64_t age_ms, idle_ms;
    uint64_t bytes_in, bytes_out;
    char port[PORT_NAME_MAX + 1]; /* of [ports] */
};
