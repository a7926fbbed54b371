/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a body ends: by its length, or chunk by chunk (RFC 9112 7.1), of which nothing is taken for granted. */
#include "feed/http.h"
#include "feed/http_parse.h"

#include <errno.h>
#include <string.h>

enum chunk_state {
    CHUNK_SIZE, /* its first digit */
    CHUNK_SIZE_MORE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_END, /* \n of the size's line */
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_BEGIN, /* a trailer, or the end */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    TRAILERS_LF,
    CHUNK_REFUSED
};

enum { SIZE_DIGITS_MAX = 16 };

void http_body_begin(struct http_body_reader *reader, const struct http_head *head)
{
    *reader = (struct http_body_reader){.kind = head->body};
    if (head->body == HTTP_BODY_LENGTH)
        reader->left = head->length;
    reader->done = head->body == HTTP_BODY_NONE || (head->body == HTTP_BODY_LENGTH && head->length == 0);
}

static int refuse(struct http_body_reader *reader, struct error *err, const char *why)
{
    reader->state = CHUNK_REFUSED;
    return error_set(err, EBADMSG, "a chunked body: %s", why);
}

static int expect(struct http_body_reader *reader, char c, char wanted, enum chunk_state next, struct error *err)
{
    if (c != wanted)
        return refuse(reader, err, wanted == '\n' ? "a line feed is missing" : "no end of line behind a chunk");
    reader->state = next;
    return 0;
}

static int take_size(struct http_body_reader *reader, char c, struct error *err)
{
    if (http_is(c, HTTP_HEX)) {
        if (reader->line++ == SIZE_DIGITS_MAX)
            return refuse(reader, err, "a chunk's size has more than 16 digits");
        reader->left = reader->left << 4 | http_hex_value(c);
        reader->state = CHUNK_SIZE_MORE;
        return 0;
    }
    if (reader->state == CHUNK_SIZE || (c != ';' && c != '\r'))
        return refuse(reader, err, "a chunk's size is not a hexadecimal number");
    if (reader->left > INT64_MAX)
        return refuse(reader, err, "a chunk's size is beyond what can be counted");
    reader->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_END;
    return 0;
}

static int take_extension(struct http_body_reader *reader, char c, struct error *err)
{
    if (c == '\r')
        return expect(reader, c, '\r', CHUNK_SIZE_END, err);
    if (!http_is(c, HTTP_VALUE))
        return refuse(reader, err, "a control character in a chunk's extension");
    if (++reader->line > HTTP_CHUNK_LINE_MAX || ++reader->extra > HTTP_EXTENSIONS_MAX)
        return refuse(reader, err, "its extensions are too long");
    return 0;
}

static int end_size(struct http_body_reader *reader, char c, struct error *err)
{
    int result = expect(reader, c, '\n', reader->left > 0 ? CHUNK_DATA : TRAILER_BEGIN, err);
    reader->line = 0;
    return result;
}

/* What would say once more where the message ends, or whose it is. */
static bool is_framing(const struct http_body_reader *reader)
{
    static const char *const names[] = {"transfer-encoding", "content-length", "host",  "connection",
                                        "trailer",           "upgrade",        "expect"};
    struct http_span name = {reader->name, reader->name_length};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (http_names_alike(name, names[i]))
            return true;
    }
    return false;
}

static int take_trailer_name(struct http_body_reader *reader, char c, struct error *err)
{
    if (http_is(c, HTTP_TOKEN)) {
        if (reader->name_length < HTTP_FRAMING_NAME_MAX)
            reader->name[reader->name_length] = c;
        if (reader->name_length <= HTTP_FRAMING_NAME_MAX) /* one more: it is none of those */
            reader->name_length++;
        reader->state = TRAILER_NAME;
        return 0;
    }
    if (reader->state == TRAILER_BEGIN || c != ':')
        return refuse(reader, err, "a trailer is not NAME: VALUE");
    if (reader->name_length <= HTTP_FRAMING_NAME_MAX && is_framing(reader))
        return refuse(reader, err, "a trailer that would say where the message ends");
    reader->state = TRAILER_VALUE;
    return 0;
}

static int take_trailer_value(struct http_body_reader *reader, char c, struct error *err)
{
    if (c == '\r')
        reader->state = TRAILER_LF;
    else if (!http_is(c, HTTP_VALUE))
        return refuse(reader, err, "a control character in a trailer");
    return 0;
}

static int take_trailer(struct http_body_reader *reader, char c, struct error *err)
{
    if (++reader->line > HTTP_TRAILERS_MAX)
        return refuse(reader, err, "its trailers are too long");
    switch (reader->state) {
    case TRAILER_BEGIN:
        reader->name_length = 0;
        if (c != '\r')
            return take_trailer_name(reader, c, err);
        reader->state = TRAILERS_LF;
        return 0;
    case TRAILER_NAME: return take_trailer_name(reader, c, err);
    case TRAILER_VALUE: return take_trailer_value(reader, c, err);
    case TRAILER_LF: return expect(reader, c, '\n', TRAILER_BEGIN, err);
    default: reader->done = c == '\n'; return expect(reader, c, '\n', TRAILERS_LF, err);
    }
}

static int take_framing(struct http_body_reader *reader, char c, struct error *err)
{
    switch (reader->state) {
    case CHUNK_SIZE:
    case CHUNK_SIZE_MORE: return take_size(reader, c, err);
    case CHUNK_EXTENSION: return take_extension(reader, c, err);
    case CHUNK_SIZE_END: return end_size(reader, c, err);
    case CHUNK_DATA_CR: return expect(reader, c, '\r', CHUNK_DATA_LF, err);
    case CHUNK_DATA_LF: return expect(reader, c, '\n', CHUNK_SIZE, err);
    case CHUNK_REFUSED: return refuse(reader, err, "it was broken before");
    default: return take_trailer(reader, c, err);
    }
}

/* Of what `left` counts, as much as is there. */
static size_t take_left(struct http_body_reader *reader, const char *bytes, size_t length, struct http_span *content)
{
    content->at = bytes;
    content->length = reader->left < length ? (size_t)reader->left : length;
    reader->left -= content->length;
    return content->length;
}

static ssize_t take_chunked(struct http_body_reader *reader, const char *bytes, size_t length,
                            struct http_span *content, struct error *err)
{
    size_t at = 0;
    while (at < length && !reader->done) {
        if (reader->state == CHUNK_DATA) {
            at += take_left(reader, bytes + at, length - at, content);
            if (reader->left == 0)
                reader->state = CHUNK_DATA_CR;
            break;
        }
        int result = take_framing(reader, bytes[at++], err);
        if (result < 0)
            return result;
    }
    return (ssize_t)at;
}

ssize_t http_body_take(struct http_body_reader *reader, const char *bytes, size_t length, struct http_span *content,
                       struct error *err)
{
    *content = (struct http_span){bytes, 0};
    if (reader->done)
        return 0;
    if (reader->kind == HTTP_BODY_CHUNKED)
        return take_chunked(reader, bytes, length, content, err);
    if (reader->kind == HTTP_BODY_TO_END) {
        content->length = length;
        return (ssize_t)length;
    }
    take_left(reader, bytes, length, content);
    reader->done = reader->left == 0;
    return (ssize_t)content->length;
}

ssize_t http_body_gather(struct http_body_reader *reader, char *bytes, size_t length, size_t *content,
                         struct error *err)
{
    size_t at = 0;
    *content = 0;
    while (at < length && !reader->done) {
        struct http_span span;
        ssize_t took = http_body_take(reader, bytes + at, length - at, &span, err);
        if (took < 0)
            return took;
        memmove(bytes + *content, span.at, span.length);
        *content += span.length;
        at += (size_t)took;
    }
    return (ssize_t)at;
}
