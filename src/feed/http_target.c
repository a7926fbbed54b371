/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The four forms of a request's target (RFC 9112 3.2), each where its method allows it. */
#include "feed/http_parse.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

enum { PORT_DIGITS_MAX = 5 };

/* [::1], or an address of a kind that is not known yet. */
static size_t bracketed_length(struct http_span authority)
{
    const char *end = memchr(authority.at, ']', authority.length);
    size_t length = end ? (size_t)(end - authority.at) + 1 : 0;
    for (size_t i = 1; i + 1 < length; i++) {
        if (authority.at[i] != ':' && !http_is(authority.at[i], HTTP_HOST))
            return 0;
    }
    return length > 2 ? length : 0;
}

static size_t host_length(struct http_span authority)
{
    if (authority.length > 0 && authority.at[0] == '[')
        return bracketed_length(authority);
    return http_run(authority.at, authority.length, HTTP_HOST);
}

/* The digits behind the colon; -1: it is no HOST or HOST:PORT. */
static ssize_t port_digits(struct http_span authority)
{
    size_t length = host_length(authority);
    if (length == 0)
        return -1;
    if (length == authority.length)
        return 0;
    size_t digits = authority.length - length - 1;
    if (authority.at[length] != ':' || digits > PORT_DIGITS_MAX ||
        http_run(authority.at + length + 1, digits, HTTP_DIGIT) < digits)
        return -1;
    return (ssize_t)digits;
}

bool http_authority_valid(struct http_span authority)
{
    return port_digits(authority) >= 0;
}

static bool begins_with_word(struct http_span span, const char *word)
{
    size_t length = strlen(word);
    return span.length >= length && http_span_is_word((struct http_span){span.at, length}, word);
}

struct http_span http_target_authority(struct http_span target)
{
    size_t scheme = begins_with_word(target, "http://")    ? strlen("http://")
                    : begins_with_word(target, "https://") ? strlen("https://")
                                                           : target.length;
    size_t length = scheme;
    while (length < target.length && target.at[length] != '/' && target.at[length] != '?')
        length++;
    return (struct http_span){target.at + scheme, length - scheme};
}

static bool same_word(struct http_span a, struct http_span b)
{
    for (size_t i = 0; a.length == b.length && i < a.length; i++) {
        if (http_small(a.at[i]) != http_small(b.at[i]))
            return false;
    }
    return a.length == b.length;
}

int http_check_target(const struct http_head *head, struct http_span host, struct error *err)
{
    struct http_span target = head->target;
    if (http_span_is(head->method, "CONNECT"))
        return port_digits(target) > 0 ? 0 : error_set(err, EBADMSG, "the target of CONNECT is not HOST:PORT");
    if (target.at[0] == '/')
        return 0;
    if (http_span_is(target, "*"))
        return http_span_is(head->method, "OPTIONS") ? 0 : error_set(err, EBADMSG, "'*' is a target of OPTIONS alone");
    struct http_span authority = http_target_authority(target);
    if (!http_authority_valid(authority))
        return error_set(err, EBADMSG, "the target is neither a path nor http://HOST/PATH");
    /* The app may go by the one or the other. */
    if (host.at && !same_word(authority, host))
        return error_set(err, EBADMSG, "the target names another host than Host does");
    return 0;
}

struct http_span http_target_path(const struct http_head *head)
{
    struct http_span path = head->target;
    if (path.length > 0 && path.at[0] != '/') {
        struct http_span authority = http_target_authority(path);
        const char *end = path.at + path.length;
        path.at = authority.length > 0 ? authority.at + authority.length : end;
        path.length = (size_t)(end - path.at);
    }
    const char *query = path.length > 0 ? memchr(path.at, '?', path.length) : NULL;
    if (query)
        path.length = (size_t)(query - path.at);
    return path;
}
