/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads of HTTP/1.1 messages, strictly: see http.h. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX    65536
#define HTTP_TARGET_MAX  16384
#define HTTP_METHOD_MAX  32
#define HTTP_FIELDS_MAX  128
#define HTTP_OPTIONS_MAX 16 /* of all Connection fields */

struct http_span {
    const char *at;
    size_t length;
};

struct http_field {
    struct http_span name, value; /* value without blanks at its ends */
};

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_TO_END /* of a response: until its sender closes */
};

/* Spans point into the bytes that were parsed. */
struct http_head {
    uint8_t minor;                   /* HTTP/1.0 or 1.1 */
    struct http_span method, target; /* of a request */
    uint16_t status;                 /* of a response, 100..599 */
    struct http_span reason;         /* of a response, may be empty */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    struct http_span options[HTTP_OPTIONS_MAX]; /* what the Connection fields name */
    size_t option_count;
    enum http_body body;
    uint64_t length; /* HTTP_BODY_LENGTH, or what a response without a body would have had */
    bool has_length; /* there is a Content-Length */
    bool close;      /* its sender ends the connection after it; HTTP/1.0: unless it says keep-alive */
    bool upgrade;    /* Upgrade (but to HTTP/2) or CONNECT is asked for; of a response: 101, or 2xx to CONNECT */
    bool expects;    /* Expect: 100-continue */
    size_t size;     /* bytes of the head, the empty line with it */
};

/*
 * 1: there is a whole head; 0: more bytes are needed; negative: refused, and the text says why, without a byte of the
 * sender's but letters of a name. -EBADMSG: answer 400; -EMSGSIZE: 431; -ENAMETOOLONG: the target, 414;
 * -EPROTONOSUPPORT: 505; -ENOSYS: 501, a transfer coding beside chunked. Refused is refused at the first byte that is
 * wrong, however many are there. Empty lines before a request are not taken.
 */
int http_parse_request(const char *bytes, size_t length, struct http_head *head, struct error *err);
/* `method` of the request decides whether there is a body. Interim answers (1xx) come out as heads without one. */
int http_parse_response(const char *bytes, size_t length, struct http_span method, struct http_head *head,
                        struct error *err);

/* The status that says a refusal: 400, 414, 431, 501, 505. */
uint16_t http_refusal_status(int result);

/* The first field of that name (no matter the case) behind `after`; NULL: none. */
const struct http_field *http_field_find(const struct http_head *head, const char *name,
                                         const struct http_field *after);
bool http_span_is(struct http_span span, const char *text);      /* the very same */
bool http_span_is_word(struct http_span span, const char *text); /* no matter the case */
/* As words, and '_' is '-': what becomes a variable of CGI and its likes is the same in either spelling. */
bool http_names_alike(struct http_span name, const char *text);
/* Is it for the next hop alone, and so left out of what is passed on? */
bool http_field_is_hop(const struct http_head *head, const struct http_field *field);
/* The path of the target, without the query; empty for "*" and for CONNECT. */
struct http_span http_target_path(const struct http_head *head);
