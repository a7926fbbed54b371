/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the parser of HTTP. */
#pragma once

#include "feed/http_head.h"

/* Which characters may stand where: RFC 9110 5.6.2 (token), 5.5 (value), RFC 3986 3.2.2 (host). */
enum http_class {
    HTTP_TOKEN = 1,
    HTTP_METHOD = 2, /* capitals: some apps take "post" for POST, others do not */
    HTTP_TARGET = 4, /* what is visible, without '#', which is never sent; more than RFC 3986, as browsers send it */
    HTTP_VALUE = 8,  /* with blanks */
    HTTP_HOST = 16,
    HTTP_DIGIT = 32,
    HTTP_HEX = 64
};

extern const uint8_t http_classes[256];

static inline bool http_is(char c, enum http_class which)
{
    return http_classes[(uint8_t)c] & which;
}

static inline char http_small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Of a digit that is HTTP_HEX. */
static inline unsigned http_hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : http_small(c) - 'a' + 10);
}

/* How many bytes from the front are of that class. */
static inline size_t http_run(const char *bytes, size_t length, enum http_class which)
{
    size_t at = 0;
    while (at < length && http_is(bytes[at], which))
        at++;
    return at;
}

struct http_span http_trimmed(const char *at, size_t length); /* without blanks at its ends */

/* --- http_framing.c: what the fields of a whole head say about where the message ends. 0 or as http_parse_request. */
int http_frame_request(struct http_head *head, struct error *err);
int http_frame_response(struct http_head *head, struct http_span method, struct error *err);

/* --- http_target.c --- */
/* Of http://AUTHORITY/PATH; length 0 if it has not that form. */
struct http_span http_target_authority(struct http_span target);
/* HOST or HOST:PORT */
bool http_authority_valid(struct http_span authority);
/* The target has the form that the method wants, and names no other host than Host does. 0 or -EBADMSG. */
int http_check_target(const struct http_head *head, struct http_span host, struct error *err);
