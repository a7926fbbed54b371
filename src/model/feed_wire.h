/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the monitor and a feed role: fixed layout, one SOCK_SEQPACKET message each, every one begins with
 * struct feed_header. The monitor decides which zone is live and makes every socket, inside the zones' network
 * namespaces; the role carries, journals and applies, and says how it goes.
 */
#pragma once

#include "model/feed.h"
#include "model/service.h"

#define FEED_VERSION     1
#define FEED_DOORS_MAX   SERVICE_PORTS_MAX
#define FEED_TEXT_MAX    255
#define FEED_SOCKETS_MAX 8 /* with one message */

enum feed_message {
    /* monitor to role */
    FEED_RULES = 1, /* struct feed_rules: first, and again when the configuration has changed */
    FEED_DOOR,      /* struct feed_door, with one listening (UDP: bound) socket per family: clients come in here */
    FEED_DOOR_SHUT, /* struct feed_door: who came by it, or still comes, is to come again, as clients allow */
    FEED_ZONE,      /* struct feed_zone: it can be reached, or not any more */
    FEED_SOCKETS,   /* struct feed_sockets, with sockets of that zone, not yet connected */
    FEED_LIVE,      /* struct feed_live: who serves from now on; ends a hold */
    FEED_HOLD,      /* struct feed_hold: no new transaction; answer FEED_READY when the target has the tail, or not */
    FEED_GO,        /* struct feed_hold: the hold is off, all as before */
    FEED_ORDER,     /* struct feed_order: what an operator wants */
    FEED_KEEP,      /* struct feed_keep, with a listening socket: where the next agent comes, should this one end */

    /* role to monitor */
    FEED_WANT = 64, /* struct feed_sockets: that many more sockets, please */
    FEED_READY,     /* struct feed_ready: answer to a hold */
    FEED_FIGURES,   /* struct feed_figures: when they have changed, at most five times a second, and when asked */
    FEED_ITEM,      /* struct feed_item: a line of the answer to an order */
    FEED_DONE       /* struct feed_done: the order's end */
};

struct feed_header {
    uint32_t version;
    uint32_t kind; /* enum feed_message */
};

struct feed_rules {
    struct feed_header header;
    char app[APP_NAME_MAX + 1];
    uint8_t mode, compare, client, in_doubt; /* as struct feed */
    uint8_t all_methods, method_count, ignore_count, lanes;
    char methods[FEED_METHODS_MAX][FEED_METHOD_MAX + 1];
    char ignore[FEED_IGNORE_MAX][FEED_FIELD_MAX + 1];
    uint8_t key_kind, key_part;
    char key_name[FEED_FIELD_MAX + 1];
    uint32_t sync_ms;
    uint64_t journal_max, body_max;
    uint8_t new_app; /* nothing was ever live before its journal began: both zones begin with the same, nothing */
};

struct feed_door {
    struct feed_header header;
    uint8_t zone;     /* enum colour: in whose network namespace its sockets are */
    uint8_t index;    /* which of the release's ports, 0..; the other zone's may be in another order */
    uint16_t port;    /* where clients find it: by this one the zones' doors belong together */
    uint16_t target;  /* the app's port behind it */
    uint8_t protocol; /* enum protocol */
};

struct feed_zone {
    struct feed_header header;
    uint8_t zone;
    uint8_t there;   /* it runs and answers; 0: send nothing */
    uint8_t frozen;  /* it is there and does not run: wait */
    uint32_t serial; /* another one when the zone was built anew: its connections are gone */
    char release[RELEASE_NAME_MAX + 1];
    struct address service4, service6;
};

struct feed_sockets {
    struct feed_header header;
    uint8_t zone;
    uint8_t protocol;
    uint16_t count;  /* FEED_SOCKETS: that came with it */
    uint32_t serial; /* of the zone */
};

struct feed_live {
    struct feed_header header;
    int8_t zone;     /* or -1: nobody, clients wait */
    uint8_t planned; /* after a hold that was ready; 0: as it comes, what the new one has missed is written down */
};

struct feed_hold {
    struct feed_header header;
    uint64_t token; /* of the answer */
    uint32_t wait_ms;
    uint8_t target;
};

enum feed_action {
    FEED_PAUSE,
    FEED_RESUME,
    FEED_SEED_BEGIN,
    FEED_SEED_END,
    FEED_DIFF,
    FEED_SKIP,
    FEED_APPLY,
    FEED_VERIFY,
    FEED_ACTIONS
};

struct feed_order {
    struct feed_header header;
    uint64_t token;
    uint8_t action;
    uint8_t failed; /* FEED_SEED_END: the copy is not to be trusted */
    /* FEED_SKIP, FEED_APPLY: as FEED_ITEM showed it; FEED_SKIP also of one that is tried again and again;
     * FEED_SEED_END: as SEED_BEGIN's done said. */
    uint64_t sequence;
};

struct feed_ready {
    struct feed_header header;
    uint64_t token;
    uint8_t ready;    /* 0: not within the time */
    uint64_t missing; /* then: how many transactions the target lacks */
};

struct feed_keep {
    struct feed_header header;
};

/* Numbers of transactions are of this role's journal, and go on over restarts. */
struct feed_figures {
    struct feed_header header;
    uint8_t state;              /* enum feed_state, without OFF */
    int8_t live;                /* as the role knows it */
    uint64_t committed;         /* the newest number */
    uint64_t applied[COLOURS];  /* what each zone has; UINT64_MAX: nobody knows */
    uint64_t behind, behind_ms; /* the zone that is not live: so many, the oldest of them so long ago */
    uint64_t in_doubt, diverged, lost,
        twice;        /* lost: in no way in a zone any more that should have it; twice: may have been applied twice */
    uint64_t not_fed; /* requests that passed: upgrades, bodies over the limit; reads are not counted here */
    uint64_t fed, passed;
    uint64_t journal_bytes;
    uint32_t waiting;              /* clients, in a hold */
    uint32_t connections[COLOURS]; /* by the door of that zone */
    uint64_t applied_per_minute;
    char reason[FEED_TEXT_MAX + 1]; /* why broken, paused, starting */
};

enum feed_item_kind { FEED_ITEM_DOUBT, FEED_ITEM_DIVERGED, FEED_ITEM_LOST, FEED_ITEM_TWICE };

struct feed_item {
    struct feed_header header;
    uint64_t token;
    uint8_t kind;
    int8_t zone;
    uint64_t sequence; /* of one in doubt, which has no number yet: its id; FEED_SKIP and FEED_APPLY take the same */
    uint64_t unix_ms;
    uint16_t status_live, status_other;                     /* 0 = there was no answer */
    char request[FEED_TEXT_MAX + 1];                        /* "POST /orders/17", sanitised */
    char live[FEED_TEXT_MAX + 1], other[FEED_TEXT_MAX + 1]; /* the beginnings of the answers, sanitised */
};

struct feed_done {
    struct feed_header header;
    uint64_t token;
    int32_t result;    /* 0 or a negative errno */
    uint64_t sequence; /* FEED_SEED_BEGIN: the mark */
    char text[FEED_TEXT_MAX + 1];
};

/* Every byte is hostile: a message is good as it stands, or refused. The kind says which structure it is. */
bool feed_message_valid(const void *message, size_t length, bool from_monitor);
#define FEED_MESSAGE_MAX 2048
