/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters, words and fields of HTTP. */
#include "feed/http_parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define VISIBLE (HTTP_TARGET | HTTP_VALUE)
#define PLAIN   (HTTP_TOKEN | HTTP_HOST | VISIBLE)

const uint8_t http_classes[256] = {
    ['\t'] = HTTP_VALUE,
    [' '] = HTTP_VALUE,
    ['!'] = PLAIN,
    ['"'] = VISIBLE,
    ['#'] = HTTP_TOKEN | HTTP_VALUE,
    ['$' ... '\''] = PLAIN,
    ['('] = HTTP_HOST | VISIBLE,
    [')'] = HTTP_HOST | VISIBLE,
    ['*'] = PLAIN,
    ['+'] = PLAIN,
    [','] = VISIBLE, /* not in a host: it would be a list of two */
    ['-'] = PLAIN | HTTP_METHOD,
    ['.'] = PLAIN,
    ['/'] = VISIBLE,
    ['0' ... '9'] = PLAIN | HTTP_METHOD | HTTP_DIGIT | HTTP_HEX,
    [':'] = VISIBLE,
    [';'] = HTTP_HOST | VISIBLE,
    ['<'] = VISIBLE,
    ['='] = HTTP_HOST | VISIBLE,
    ['>' ... '@'] = VISIBLE,
    ['A' ... 'F'] = PLAIN | HTTP_METHOD | HTTP_HEX,
    ['G' ... 'Z'] = PLAIN | HTTP_METHOD,
    ['[' ... ']'] = VISIBLE,
    ['^'] = HTTP_TOKEN | VISIBLE,
    ['_'] = PLAIN | HTTP_METHOD,
    ['`'] = HTTP_TOKEN | VISIBLE,
    ['a' ... 'f'] = PLAIN | HTTP_HEX,
    ['g' ... 'z'] = PLAIN,
    ['{'] = VISIBLE,
    ['|'] = HTTP_TOKEN | VISIBLE,
    ['}'] = VISIBLE,
    ['~'] = PLAIN,
    [0x80 ... 0xff] = HTTP_VALUE,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct http_span http_trimmed(const char *at, size_t length)
{
    for (; length > 0 && is_blank(*at); length--)
        at++;
    while (length > 0 && is_blank(at[length - 1]))
        length--;
    return (struct http_span){at, length};
}

uint16_t http_refusal_status(int result)
{
    switch (result) {
    case -ENAMETOOLONG: return 414;
    case -EMSGSIZE: return 431;
    case -ENOSYS: return 501;
    case -EPROTONOSUPPORT: return 505;
    default: return 400;
    }
}

bool http_span_is(struct http_span span, const char *text)
{
    return strlen(text) == span.length && (span.length == 0 || memcmp(span.at, text, span.length) == 0);
}

bool http_span_is_word(struct http_span span, const char *text)
{
    size_t at = 0;
    for (; at < span.length && text[at]; at++) {
        if (http_small(span.at[at]) != http_small(text[at]))
            return false;
    }
    return at == span.length && !text[at];
}

static char joined(char c)
{
    return c == '_' ? '-' : http_small(c);
}

bool http_names_alike(struct http_span name, const char *text)
{
    size_t at = 0;
    for (; at < name.length && text[at]; at++) {
        if (joined(name.at[at]) != joined(text[at]))
            return false;
    }
    return at == name.length && !text[at];
}

const struct http_field *http_field_find(const struct http_head *head, const char *name, const struct http_field *after)
{
    const struct http_field *end = head->fields + head->field_count;
    for (const struct http_field *field = after ? after + 1 : head->fields; field < end; field++) {
        if (http_span_is_word(field->name, name))
            return field;
    }
    return NULL;
}

/* Is it the same field, as the app may see it? */
static bool spans_alike(struct http_span a, struct http_span b)
{
    for (size_t i = 0; a.length == b.length && i < a.length; i++) {
        if (joined(a.at[i]) != joined(b.at[i]))
            return false;
    }
    return a.length == b.length;
}

bool http_field_is_hop(const struct http_head *head, const struct http_field *field)
{
    /* No field is called "close", lest it be taken for the option (RFC 9110 18.4). */
    static const char *const names[] = {"close",   "connection",        "keep-alive", "proxy-connection", "te",
                                        "upgrade", "transfer-encoding", "trailer",    "http2-settings"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (http_names_alike(field->name, names[i]))
            return true;
    }
    for (size_t i = 0; i < head->option_count; i++) {
        if (spans_alike(field->name, head->options[i]))
            return true;
    }
    return false;
}
