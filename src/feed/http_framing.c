/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a head says about its body and its connection (RFC 9112 6 and 9): one reading, or none. */
#include "feed/http_parse.h"

#include <errno.h>
#include <string.h>

enum { LENGTH_DIGITS_MAX = 19 }; /* of INT64_MAX, which apps count in */

struct framing {
    struct http_head *head;
    struct error *err;
    unsigned hosts, lengths, codings;
    struct http_span host;
    bool upgrade_field, upgrade_option, http2, close, keep_alive;
};

static int refuse(struct framing *framing, const char *why)
{
    return error_set(framing->err, EBADMSG, "%s", why);
}

static int take_host(struct framing *framing, struct http_span value)
{
    framing->host = value;
    if (++framing->hosts > 1)
        return refuse(framing, "more than one Host");
    if (value.length > 0 && !http_authority_valid(value))
        return refuse(framing, "Host is not HOST or HOST:PORT");
    return 0;
}

/* Digits and nothing else: no sign, no list, no blanks between. */
static int take_length(struct framing *framing, struct http_span value)
{
    uint64_t length = 0;
    if (++framing->lengths > 1)
        return refuse(framing, "more than one Content-Length");
    if (value.length == 0 || http_run(value.at, value.length, HTTP_DIGIT) < value.length)
        return refuse(framing, "Content-Length is not a number");
    if (value.length > LENGTH_DIGITS_MAX)
        return refuse(framing, "Content-Length has more digits than any length");
    for (size_t i = 0; i < value.length; i++)
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    if (length > INT64_MAX)
        return refuse(framing, "Content-Length is beyond what can be counted");
    framing->head->length = length;
    framing->head->has_length = true;
    return 0;
}

static int take_coding(struct framing *framing, struct http_span value)
{
    if (++framing->codings > 1)
        return refuse(framing, "more than one Transfer-Encoding");
    if (!http_span_is_word(value, "chunked"))
        return error_set(framing->err, ENOSYS, "Transfer-Encoding is another than chunked alone");
    return 0;
}

static int take_option(struct framing *framing, struct http_span option)
{
    struct http_head *head = framing->head;
    if (http_run(option.at, option.length, HTTP_TOKEN) < option.length)
        return refuse(framing, "Connection is not a list of names");
    /* It would take away what says whose the request is, or where it ends. */
    if (http_names_alike(option, "host") || http_names_alike(option, "content-length"))
        return refuse(framing, "Connection names Host or Content-Length");
    if (head->option_count == HTTP_OPTIONS_MAX)
        return error_set(framing->err, EMSGSIZE, "Connection names more than %d", HTTP_OPTIONS_MAX);
    head->options[head->option_count++] = option;
    framing->close |= http_span_is_word(option, "close");
    framing->keep_alive |= http_span_is_word(option, "keep-alive");
    framing->upgrade_option |= http_span_is_word(option, "upgrade");
    return 0;
}

static int take_connection(struct framing *framing, struct http_span value)
{
    const char *at = value.at, *end = value.at + value.length;
    for (;;) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        struct http_span option = http_trimmed(at, (size_t)((comma ? comma : end) - at));
        int result = option.length > 0 ? take_option(framing, option) : 0;
        if (result < 0 || !comma)
            return result;
        at = comma + 1;
    }
}

/* HTTP/2 is never asked for: it could not be read here, and what is fed would pass. */
static bool asks_for_http2(struct http_span value)
{
    for (size_t i = 0; i + 3 <= value.length; i++) {
        if (http_span_is_word((struct http_span){value.at + i, 3}, "h2c"))
            return true;
    }
    return false;
}

static int take_upgrade(struct framing *framing, struct http_span value)
{
    framing->upgrade_field |= value.length > 0;
    framing->http2 |= asks_for_http2(value);
    return 0;
}

static int take_expect(struct framing *framing, struct http_span value)
{
    framing->head->expects |= framing->head->minor == 1 && http_span_is_word(value, "100-continue");
    return 0;
}

static const struct rule {
    const char *name;
    int (*take)(struct framing *framing, struct http_span value);
} rules[] = {
    {"host", take_host},
    {"expect", take_expect},
    {"upgrade", take_upgrade},
    {"connection", take_connection},
    {"content-length", take_length},
    {"transfer-encoding", take_coding},
};

static int take_field(struct framing *framing, const struct http_field *field)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!http_names_alike(field->name, rules[i].name))
            continue;
        /* An app behind CGI or its likes sees no difference. */
        if (memchr(field->name.at, '_', field->name.length))
            return refuse(framing, "a field that with '-' for '_' would say where the message ends");
        return rules[i].take(framing, field->value);
    }
    return 0;
}

static int take_fields(struct framing *framing)
{
    struct http_head *head = framing->head;
    for (size_t i = 0; i < head->field_count; i++) {
        int result = take_field(framing, &head->fields[i]);
        if (result < 0)
            return result;
    }
    if (framing->codings && framing->lengths)
        return refuse(framing, "Content-Length beside Transfer-Encoding");
    if (framing->codings && head->minor == 0)
        return refuse(framing, "Transfer-Encoding in HTTP/1.0");
    head->close = framing->close || (head->minor == 0 && !framing->keep_alive);
    return 0;
}

static void set_body(struct framing *framing, enum http_body otherwise)
{
    framing->head->body = framing->codings   ? HTTP_BODY_CHUNKED
                          : framing->lengths ? (framing->head->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE)
                                             : otherwise;
}

int http_frame_request(struct http_head *head, struct error *err)
{
    struct framing framing = {.head = head, .err = err};
    bool connect = http_span_is(head->method, "CONNECT");
    int result = take_fields(&framing);
    if (result < 0)
        return result;
    if (framing.hosts == 0 && head->minor == 1)
        return refuse(&framing, "no Host");
    if (connect && (framing.codings || head->length > 0))
        return refuse(&framing, "CONNECT with a body");
    set_body(&framing, HTTP_BODY_NONE);
    head->upgrade = connect || (head->minor == 1 && framing.upgrade_field && framing.upgrade_option && !framing.http2);
    return http_check_target(head, framing.host, err);
}

int http_frame_response(struct http_head *head, struct http_span method, struct error *err)
{
    struct framing framing = {.head = head, .err = err};
    bool interim = head->status < 200;
    bool tunnel = head->status / 100 == 2 && http_span_is(method, "CONNECT");
    int result = take_fields(&framing);
    if (result < 0)
        return result;
    if ((interim || head->status == 204) && (framing.codings || head->length > 0))
        return refuse(&framing, "a body where the status allows none");
    head->upgrade = head->status == 101 || tunnel;
    if (interim || head->status == 204 || head->status == 304 || tunnel || http_span_is(method, "HEAD"))
        head->body = HTTP_BODY_NONE;
    else
        set_body(&framing, HTTP_BODY_TO_END);
    head->close |= head->body == HTTP_BODY_TO_END;
    return 0;
}
