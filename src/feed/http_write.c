/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads as they are passed on. */
#include "feed/http.h"
#include "feed/http_parse.h"

#include <inttypes.h>
#include <string.h>

static void add_span(struct text *out, struct http_span span)
{
    if (span.length > 0)
        text_add_bytes(out, span.at, span.length);
}

static void add_field(struct text *out, const struct http_field *field)
{
    add_span(out, field->name);
    text_add_bytes(out, ": ", 2);
    add_span(out, field->value);
    text_add_bytes(out, "\r\n", 2);
}

static bool stays(const struct http_head *head, const struct http_field *field, const struct http_rewrite *rewrite)
{
    if (http_names_alike(field->name, "content-length"))
        return false;
    for (const char *const *name = rewrite->drop; name && *name; name++) {
        if (http_names_alike(field->name, *name))
            return false;
    }
    return (rewrite->upgrade && http_span_is_word(field->name, "upgrade")) || !http_field_is_hop(head, field);
}

static void add_fields(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (stays(head, &head->fields[i], rewrite))
            add_field(out, &head->fields[i]);
    }
}

/* In front of a tunnel, and where there is never a body, a length means nothing (RFC 9110 8.6). */
static bool may_have_length(const struct http_head *head)
{
    return !head->status || !(head->upgrade || head->status < 200 || head->status == 204);
}

/* Where the body ends: asked for, or as it came. False: where the connection does. */
static bool add_framing(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out)
{
    bool has_body = head->body != HTTP_BODY_NONE;
    if (rewrite->has_length)
        text_addf(out, "Content-Length: %" PRIu64 "\r\n", rewrite->length);
    else if (has_body && rewrite->to_end)
        return false;
    else if (has_body && (rewrite->chunked || head->body == HTTP_BODY_CHUNKED))
        text_add(out, "Transfer-Encoding: chunked\r\n");
    else if (head->has_length && may_have_length(head))
        text_addf(out, "Content-Length: %" PRIu64 "\r\n", head->length);
    else
        return head->body != HTTP_BODY_TO_END;
    return true;
}

static void add_end(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out)
{
    bool ends = add_framing(head, rewrite, out);
    if (rewrite->upgrade)
        text_add(out, "Connection: Upgrade\r\n");
    else if (rewrite->close || !ends)
        text_add(out, "Connection: close\r\n");
    if (rewrite->add)
        text_add(out, rewrite->add);
    text_add_bytes(out, "\r\n", 2);
}

/* HTTP/1.0 has none, and 1.1 wants one; an empty one is right and refused by many. */
static void add_host(struct text *out, struct http_span authority)
{
    static const struct http_span nobody = {"localhost", 9};
    add_field(out, &(struct http_field){{"Host", 4}, authority.length > 0 ? authority : nobody});
}

void http_write_request(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out)
{
    add_span(out, head->method);
    text_add_bytes(out, " ", 1);
    add_span(out, head->target);
    text_add(out, " HTTP/1.1\r\n");
    if (!http_field_find(head, "host", NULL))
        add_host(out, http_target_authority(head->target));
    add_fields(head, rewrite, out);
    add_end(head, rewrite, out);
}

void http_write_response(const struct http_head *head, const struct http_rewrite *rewrite, struct text *out)
{
    text_addf(out, "HTTP/1.1 %u ", (unsigned)head->status);
    add_span(out, head->reason);
    text_add_bytes(out, "\r\n", 2);
    add_fields(head, rewrite, out);
    add_end(head, rewrite, out);
}
