/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP check inside libcurl: shared by http.c, which runs it, and outcome.c, which says what
 * came of it. */
#pragma once

#include "probe/check.h"
#include "probe/search.h"

#include <curl/curl.h>

#define HEADERS_MAX (64u * 1024)   /* of one check; browsers and proxies accept 8 to 64 KiB */
#define BODY_MAX    (64u * 1024)   /* enough for a whole page; more says nothing new */
#define SEARCH_MAX  (1024u * 1024) /* where a text is to be found in it */
#define PHRASE_MAX  47

enum progress { BEFORE_STATUS, IN_HEADERS, IN_BODY };

struct http;

struct http_transfer {
    struct http *http;
    struct check *check;
    CURL *easy;
    struct curl_slist *headers; /* libcurl borrows it */
    enum progress progress;
    size_t header_bytes, body_bytes;
    bool enough; /* we ended it, with as much of the body as we wanted */
    struct search search;
    char phrase[PHRASE_MAX + 1]; /* "Service Unavailable", as the app sent it */
};
