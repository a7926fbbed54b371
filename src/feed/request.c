/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request asks for. */
#include "feed/request.h"

/* GET and CONNECT are how protocols are changed; with another method an Upgrade is an offer that may be ignored
 * (RFC 9110 7.8), and left out: else any client could get past the journal by one field. */
static bool changes_protocol(const struct http_head *head)
{
    return head->upgrade && (http_span_is(head->method, "GET") || http_span_is(head->method, "CONNECT"));
}

/* Some apps go by this and not by the method: a GET that is a DELETE to them must not get past the journal. */
static bool overrides_method(const struct http_head *head)
{
    static const char *const names[] = {"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"};
    for (size_t i = 0; i < head->field_count; i++) {
        for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
            if (http_names_alike(head->fields[i].name, names[j]))
                return true;
        }
    }
    return false;
}

enum request_way request_way(const struct feed *feed, const struct http_head *head)
{
    if (changes_protocol(head))
        return REQUEST_NOT_FED;
    if (!feed_has_method(feed, head->method.at, head->method.length) && !overrides_method(head))
        return REQUEST_PASSES;
    if (head->method.length > FEED_METHOD_MAX || (head->body == HTTP_BODY_LENGTH && head->length > feed->body_max))
        return REQUEST_NOT_FED;
    return REQUEST_FED;
}

bool request_is_idempotent(const struct http_head *head)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (http_span_is(head->method, methods[i]))
            return true;
    }
    return false;
}
