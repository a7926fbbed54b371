/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a request, by its head and the feed's configuration alone. Pure, and apart from what carries it out:
 * whoever finds a way around this gets past the journal. */
#pragma once

#include "feed/http.h"
#include "model/feed.h"

enum request_way {
    REQUEST_PASSES,  /* not meant to be fed */
    REQUEST_NOT_FED, /* meant, and cannot be: counted */
    REQUEST_FED
};

enum request_way request_way(const struct feed *feed, const struct http_head *head);
/* Whoever does it twice has done it once (RFC 9110 9.2.2). */
bool request_is_idempotent(const struct http_head *head);
