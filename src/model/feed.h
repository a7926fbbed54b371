/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed: what the live zone was sent is journalled and sent to the other zone too, in the order in which the live
 * one had done it, so that the standby stays a backup. Here: its configuration, its states and their words. Pure.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_METHODS_MAX 16
#define FEED_METHOD_MAX  20
#define FEED_IGNORE_MAX  16 /* [feed] ignore: names of header fields and of JSON members */
#define FEED_FIELD_MAX   64
#define FEED_LANES_MAX   64
#define FEED_PART_MAX    16    /* [feed] key = path N */
#define FEED_DOOR_FIRST  61000 /* in a zone: where clients of its fed ports come in, one port for each */

enum feed_mode {
    FEED_OFF,
    FEED_HTTP,    /* HTTP/1.1 requests, each with its answer */
    FEED_STREAM,  /* the client's bytes of a TCP connection */
    FEED_DATAGRAM /* packets of UDP */
};

enum feed_compare { FEED_COMPARE_STATUS, FEED_COMPARE_BODY, FEED_COMPARE_NONE };

/* How the app hears of the client, which it does not see itself any more. */
enum feed_client { FEED_CLIENT_HEADER, FEED_CLIENT_PROXY, FEED_CLIENT_NONE };

/* What becomes of a transaction that live may have done or not, because it or the feed died in it. */
enum feed_doubt { FEED_DOUBT_ASK, FEED_DOUBT_APPLY, FEED_DOUBT_SKIP };

/* When a zone is seeded: when an operator says so, or whenever a new release is staged in it, too. */
enum feed_seeding { FEED_SEED_ON_ORDER, FEED_SEED_ON_RELEASE };

/* Transactions with the same key stay in order; the lanes go on beside one another. */
enum feed_key_kind {
    FEED_KEY_NONE,   /* one lane for all */
    FEED_KEY_HEADER, /* of the request; without it: lane 0 */
    FEED_KEY_COOKIE,
    FEED_KEY_PATH,  /* the part-th part of the path, from 1 */
    FEED_KEY_CLIENT /* the client's address */
};

struct feed_key {
    enum feed_key_kind kind;
    uint8_t part;
    char name[FEED_FIELD_MAX + 1];
};

/* [feed], as conf/ has read it. */
struct feed {
    enum feed_mode mode; /* FEED_OFF: there is no [feed] */
    struct words ports;  /* names of [ports]; none = all of TCP, with FEED_DATAGRAM all of UDP (service_feeds) */
    bool all_methods;
    char methods[FEED_METHODS_MAX][FEED_METHOD_MAX + 1];
    size_t method_count;
    uint32_t sync_ms;     /* 0 = each: on the disk before the client hears of it; else at least this often; 1..60000 */
    uint64_t journal_max; /* bytes, default 1 GiB, 16 MiB..1 TiB */
    uint32_t lanes;       /* 1..FEED_LANES_MAX, default 1; more only with a key */
    struct feed_key key;
    enum feed_compare compare;
    char ignore[FEED_IGNORE_MAX][FEED_FIELD_MAX + 1];
    size_t ignore_count;
    enum feed_client client;
    enum feed_doubt in_doubt;
    uint64_t body_max; /* of a request that is fed; a larger one passes and counts as not fed; default 16 MiB */
    uint32_t wait_ms;  /* how long a switch makes clients wait for the tail, default 5000, 100..300000 */
    enum feed_seeding seed_on;
    uint32_t seed_timeout_ms; /* of HOOK_SEED, default 600000, 1000..86400000 */
};

void feed_clear(struct feed *feed); /* frees what it holds and zeroes it */

enum feed_state {
    FEED_STATE_OFF,
    FEED_STATE_STARTING,
    FEED_STATE_IN_STEP, /* the other zone has all that live has done */
    FEED_STATE_BEHIND,  /* by so many, and so much time */
    FEED_STATE_SEEDING,
    FEED_STATE_PAUSED,
    FEED_STATE_DOUBT,    /* nobody knows whether live has done some: it is asked what to do with them */
    FEED_STATE_DIVERGED, /* both have done all, and answered differently */
    FEED_STATE_BROKEN,   /* the other zone cannot be a backup, and why */
    FEED_STATES
};

const char *feed_mode_name(enum feed_mode mode);    /* "off", "http": as [feed] mode has it */
const char *feed_state_name(enum feed_state state); /* "in step" */
/* True if a request with this method is to be fed. */
bool feed_has_method(const struct feed *feed, const char *method, size_t length);
