/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which requests must stay in order: what is named by [feed] key, made a number. Apart, because it decides what the app
 * sees in order, and every spelling of a key that an app may take for the same must come to the same number. Pure.
 */
#pragma once

#include "feed/http.h"
#include "model/feed.h"
#include "model/types.h"

/*
 * The key of a request, from SHA-256, so that it stays the same over restarts and versions: it is in the journal. 0:
 * there is none, or it can be read in two ways (a field or cookie that comes twice with different values; a path with
 * "..", empty parts or broken %-codes before the part or in it). It needs no secret: anyone can fill one of 64 lanes.
 * `client` may be NULL.
 */
uint64_t lane_key(const struct feed_key *key, const struct http_head *head, const struct address *client);

/* 0..lanes-1. */
size_t lane_number(uint64_t key, size_t lanes);
