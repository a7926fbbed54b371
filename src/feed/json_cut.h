/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON without the values of some members, as it streams by. No tree is made of it: numbers stay as they are written
 * (an id of thirty digits is not rounded), and a hostile answer costs neither memory nor a pause of the loop. Pure.
 */
#pragma once

#include "model/feed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_CUT_DEPTH_MAX 64

struct json_cut {
    const char (*names)[FEED_FIELD_MAX + 1];
    size_t count;
    uint64_t objects; /* a bit for each level: an object, not an array */
    uint8_t depth, cut_depth, state, escape;
    bool failed;  /* it is not JSON, or deeper than JSON_CUT_DEPTH_MAX: what was left is of no use */
    bool cutting; /* in a value that is left out */
    uint16_t name_length;
    char name[FEED_FIELD_MAX];
};

/* What stays, in pieces that lie in the bytes given. */
typedef void json_cut_piece(void *context, const char *bytes, size_t length);

void json_cut_begin(struct json_cut *cut, const char (*names)[FEED_FIELD_MAX + 1], size_t count);
void json_cut_add(struct json_cut *cut, const char *bytes, size_t length, json_cut_piece *piece, void *context);
/* True if it was one whole JSON value. */
bool json_cut_end(const struct json_cut *cut);
