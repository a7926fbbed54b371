/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of a head, byte by byte from the front (RFC 9112 2 to 5): what is refused is refused at its first wrong
 * byte, so it does not matter in how many pieces the head comes.
 */
#include "feed/http_parse.h"

#include <errno.h>
#include <string.h>

/* 1: so far so good; 0: more bytes are needed; negative: refused. */
struct cursor {
    const char *bytes;
    size_t at, length;
    struct error *err;
};

/* There is another byte. */
static int look(const struct cursor *cursor)
{
    if (cursor->at >= HTTP_HEAD_MAX)
        return error_set(cursor->err, EMSGSIZE, "the head has more than %d bytes", HTTP_HEAD_MAX);
    return cursor->at < cursor->length;
}

static int refuse(const struct cursor *cursor, const char *why)
{
    return error_set(cursor->err, EBADMSG, "%s", why);
}

/* Takes this very byte; `why` is what anything else means. */
static int take(struct cursor *cursor, char wanted, const char *why)
{
    int result = look(cursor);
    if (result <= 0)
        return result;
    if (cursor->bytes[cursor->at] != wanted)
        return refuse(cursor, why);
    cursor->at++;
    return 1;
}

static int take_text(struct cursor *cursor, const char *wanted, const char *why)
{
    int result = 1;
    for (; *wanted && result > 0; wanted++)
        result = take(cursor, *wanted, why);
    return result;
}

/* Takes what is of that class; there is a byte behind it when this returns 1. */
static int take_run(struct cursor *cursor, enum http_class which, struct http_span *span)
{
    size_t end = cursor->length < HTTP_HEAD_MAX ? cursor->length : HTTP_HEAD_MAX;
    span->at = cursor->bytes + cursor->at;
    span->length = http_run(span->at, end - cursor->at, which);
    cursor->at += span->length;
    return look(cursor);
}

/* Why this byte may not stand in a line. */
static const char *what_is_wrong(char c)
{
    if (c == '\n')
        return "a line ends with a line feed alone";
    if (c == '\0')
        return "a NUL byte";
    return "a control character";
}

static int take_line_end(struct cursor *cursor)
{
    int result = look(cursor);
    if (result <= 0)
        return result;
    if (cursor->bytes[cursor->at] != '\r')
        return refuse(cursor, what_is_wrong(cursor->bytes[cursor->at]));
    cursor->at++;
    return take(cursor, '\n', "a carriage return without a line feed");
}

static int take_method(struct cursor *cursor, struct http_head *head)
{
    int result = take_run(cursor, HTTP_METHOD, &head->method);
    if (head->method.length > HTTP_METHOD_MAX)
        return refuse(cursor, "the method is longer than any there is");
    if (result <= 0)
        return result;
    if (head->method.length == 0 && (cursor->bytes[cursor->at] == '\r' || cursor->bytes[cursor->at] == '\n'))
        return refuse(cursor, "an empty line where a request should begin");
    if (head->method.length == 0)
        return refuse(cursor, "it does not begin with a method");
    return take(cursor, ' ', "a character that no method has, or no blank behind it");
}

static int take_target(struct cursor *cursor, struct http_head *head)
{
    int result = take_run(cursor, HTTP_TARGET, &head->target);
    if (head->target.length > HTTP_TARGET_MAX)
        return error_set(cursor->err, ENAMETOOLONG, "the target has more than %d bytes", HTTP_TARGET_MAX);
    if (result <= 0)
        return result;
    if (head->target.length == 0)
        return refuse(cursor, "no target behind the method and one blank");
    return take(cursor, ' ', "a character that no target has, or no version behind it");
}

/* HTTP/1.0 and 1.1; of another the line must be well-formed as well. */
static int take_version(struct cursor *cursor, char version[2])
{
    int result = take_text(cursor, "HTTP/", "no HTTP version where it should be");
    for (int i = 0; i < 2 && result > 0; i++) {
        if (i == 1)
            result = take(cursor, '.', "the HTTP version has not the form 1.1");
        if (result > 0)
            result = look(cursor);
        if (result > 0 && !http_is(cursor->bytes[cursor->at], HTTP_DIGIT))
            return refuse(cursor, "the HTTP version has not the form 1.1");
        if (result > 0)
            version[i] = cursor->bytes[cursor->at++];
    }
    return result;
}

static int check_version(const struct cursor *cursor, const char version[2], struct http_head *head)
{
    if (version[0] != '1' || version[1] > '1')
        return error_set(cursor->err, EPROTONOSUPPORT, "HTTP/%c.%c; only 1.0 and 1.1 are understood", version[0],
                         version[1]);
    head->minor = (uint8_t)(version[1] - '0');
    return 1;
}

static int take_request_line(struct cursor *cursor, struct http_head *head)
{
    char version[2] = "";
    int result = take_method(cursor, head);
    if (result > 0)
        result = take_target(cursor, head);
    if (result > 0)
        result = take_version(cursor, version);
    if (result > 0)
        result = take(cursor, '\r', "something between the version and the end of the line");
    if (result > 0)
        result = take(cursor, '\n', "a carriage return without a line feed");
    return result > 0 ? check_version(cursor, version, head) : result;
}

static int take_status(struct cursor *cursor, struct http_head *head)
{
    for (int i = 0; i < 3; i++) {
        int result = look(cursor);
        if (result <= 0)
            return result;
        char c = cursor->bytes[cursor->at];
        if (!http_is(c, HTTP_DIGIT) || (i == 0 && (c < '1' || c > '5')))
            return refuse(cursor, "the status is not a number from 100 to 599");
        head->status = (uint16_t)(head->status * 10 + (c - '0'));
        cursor->at++;
    }
    return look(cursor);
}

/* The blank before an empty reason is left out by some. */
static int take_status_line(struct cursor *cursor, struct http_head *head)
{
    char version[2] = "";
    int result = take_version(cursor, version);
    if (result > 0)
        result = take(cursor, ' ', "no blank behind the version");
    if (result > 0)
        result = take_status(cursor, head);
    if (result > 0 && cursor->bytes[cursor->at] != '\r') {
        result = take(cursor, ' ', "the status is not a number from 100 to 599");
        if (result > 0)
            result = take_run(cursor, HTTP_VALUE, &head->reason);
    }
    if (result > 0)
        result = take_line_end(cursor);
    return result > 0 ? check_version(cursor, version, head) : result;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int take_name(struct cursor *cursor, struct http_span *name)
{
    int result = take_run(cursor, HTTP_TOKEN, name);
    if (result <= 0)
        return result;
    char c = cursor->bytes[cursor->at];
    if (name->length == 0 && is_blank(c))
        return refuse(cursor, "a line that begins with a blank, as folded ones do");
    if (name->length == 0 && c == ':')
        return refuse(cursor, "a field without a name");
    if (is_blank(c))
        return refuse(cursor, "a blank in a field's name or before its colon");
    return take(cursor, ':', "a character that no field's name has, or no colon");
}

static int take_value(struct cursor *cursor, struct http_span *value)
{
    int result = take_run(cursor, HTTP_VALUE, value);
    if (result > 0)
        result = take_line_end(cursor);
    *value = http_trimmed(value->at, value->length);
    return result;
}

static int take_field(struct cursor *cursor, struct http_head *head)
{
    if (head->field_count == HTTP_FIELDS_MAX)
        return error_set(cursor->err, EMSGSIZE, "more than %d header fields", HTTP_FIELDS_MAX);
    struct http_field *field = &head->fields[head->field_count];
    int result = take_name(cursor, &field->name);
    if (result > 0)
        result = take_value(cursor, &field->value);
    if (result > 0)
        head->field_count++;
    return result;
}

static int take_fields(struct cursor *cursor, struct http_head *head)
{
    for (;;) {
        int result = look(cursor);
        if (result > 0 && cursor->bytes[cursor->at] == '\r')
            return take_line_end(cursor);
        if (result > 0)
            result = take_field(cursor, head);
        if (result <= 0)
            return result;
    }
}

/* The table of fields needs no clearing: it is as long as its count says. */
static void begin(struct http_head *head)
{
    memset(head, 0, offsetof(struct http_head, fields));
    memset((char *)head + offsetof(struct http_head, field_count), 0,
           sizeof *head - offsetof(struct http_head, field_count));
}

int http_parse_request(const char *bytes, size_t length, struct http_head *head, struct error *err)
{
    struct cursor cursor = {.bytes = bytes, .length = length, .err = err};
    begin(head);
    int result = take_request_line(&cursor, head);
    if (result > 0)
        result = take_fields(&cursor, head);
    head->size = cursor.at;
    int framed = result > 0 ? http_frame_request(head, err) : result;
    if (framed < 0)
        error_prefix(err, "a request's head");
    return framed < 0 ? framed : result;
}

int http_parse_response(const char *bytes, size_t length, struct http_span method, struct http_head *head,
                        struct error *err)
{
    struct cursor cursor = {.bytes = bytes, .length = length, .err = err};
    begin(head);
    int result = take_status_line(&cursor, head);
    if (result > 0)
        result = take_fields(&cursor, head);
    head->size = cursor.at;
    int framed = result > 0 ? http_frame_response(head, method, err) : result;
    if (framed < 0)
        error_prefix(err, "an answer's head");
    return framed < 0 ? framed : result;
}
