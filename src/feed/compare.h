/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an answer is compared with the other zone's: its status, and by [feed] compare = body a digest over its
 * header fields and its content, with what is to be ignored left out. Content comes in pieces and is not kept. Pure.
 */
#pragma once

#include "feed/http.h"
#include "feed/json_cut.h"
#include "feed/wal_entry.h"
#include "model/feed.h"
#include "os/sha256.h"

/* From the rules; names end with NUL and are borrowed. */
struct compare_rules {
    enum feed_compare compare;
    const char (*ignore)[FEED_FIELD_MAX + 1]; /* header fields (no matter the case) and JSON members (the very name) */
    size_t ignore_count;
};

/* One answer as it comes. Made by compare_begin; holds no memory. */
struct compare {
    bool digests, cuts;
    struct sha256 whole, cut; /* of the content, and of what json_cut leaves of it */
    struct sha256 fields;
    struct json_cut json;
    uint16_t status;
    uint64_t length;
    size_t sampled;
    char sample[WAL_SAMPLE_MAX + 1];
};

void compare_begin(struct compare *compare, const struct compare_rules *rules, const struct http_head *answer);
void compare_add(struct compare *compare, const char *content, size_t length);
void compare_end(struct compare *compare, struct wal_answer *answer);

/* Have both done the same, as far as is asked and known? One whose digest was not taken is compared by its status
 * alone. */
bool compare_same(enum feed_compare how, const struct wal_answer *live, const struct wal_answer *other);
