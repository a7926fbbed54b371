/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.1 messages, strictly: the head, and where its body ends. Who reads a message otherwise than the app does lets
 * requests be smuggled past it, so what could be read in two ways is refused. Pure: bytes come in, spans of them go
 * out.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "feed/http_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a body ends, and what of the bytes is content. Made by http_body_begin; only `done` is for others. */
#define HTTP_CHUNK_LINE_MAX   256   /* a chunk's size with its extensions */
#define HTTP_EXTENSIONS_MAX   16384 /* extensions of all chunks */
#define HTTP_TRAILERS_MAX     8192  /* bytes of all trailers */
#define HTTP_FRAMING_NAME_MAX 17    /* "transfer-encoding" */

struct http_body_reader {
    enum http_body kind;
    uint64_t left;  /* of the length, or of the chunk */
    uint8_t state;  /* of the chunk's grammar */
    uint16_t line;  /* bytes of a chunk's line or of the trailers so far */
    uint32_t extra; /* bytes of extensions so far */
    uint8_t name_length;
    char name[HTTP_FRAMING_NAME_MAX]; /* the beginning of a trailer's name */
    bool done;
};

void http_body_begin(struct http_body_reader *reader, const struct http_head *head);
/* Takes from the front of bytes: how many (0 only when it is done or there are none), and which of them are content
 * (none: length 0). Call again for the rest. -EBADMSG: not chunked as it should be; then it says so for ever.
 * HTTP_BODY_TO_END is done when the caller sees the end of the connection. Trailers are taken and dropped. */
ssize_t http_body_take(struct http_body_reader *reader, const char *bytes, size_t length, struct http_span *content,
                       struct error *err);

/* Takes all of bytes, or what comes before the body's end: how many. What is content is moved together to their front:
 * who sends it in chunks of one byte is not to cost a write for each. */
ssize_t http_body_gather(struct http_body_reader *reader, char *bytes, size_t length, size_t *content,
                         struct error *err);

/* What is changed in a head that is passed on. Hop-by-hop fields (Connection and what it names, Keep-Alive,
 * Proxy-Connection, TE, Upgrade unless `upgrade`, HTTP2-Settings, Transfer-Encoding, Trailer) are left out, and what
 * says where the body ends is made anew, never left as it came. */
struct http_rewrite {
    bool close;      /* says Connection: close */
    bool upgrade;    /* leaves Upgrade, with Connection: Upgrade */
    bool has_length; /* Content-Length: length, whatever the message had */
    uint64_t length;
    bool to_end;             /* of a response: ends with the connection, whatever the message had */
    bool chunked;            /* Transfer-Encoding: chunked, where there is a body of any kind and no `has_length` */
    const char *const *drop; /* names of further fields to leave out (http_names_alike), ended by NULL; or NULL */
    const char *add;         /* whole lines, each with \r\n, or NULL */
};

/*
 * The head as HTTP/1.1 with its empty line, behind what is in `out`. Without has_length and chunked the body is told as
 * it came: its length; chunked; or, of a response, Connection: close. A request without Host gets the target's, or
 * localhost.
 */
void http_write_request(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out);
void http_write_response(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out);
