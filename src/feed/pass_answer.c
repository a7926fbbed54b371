/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A passing request's answer: from live's framing to what its client understands. Only bytes move here; whether the
 * pass goes on is for pass.c. */
#include "feed/client.h"
#include "feed/pass_inside.h"
#include "feed/sending.h"

#include <errno.h>
#include <string.h>

static void take_framing(struct pass *pass, const struct http_head *head, struct http_rewrite *rewrite)
{
    struct client *client = pass->client;
    bool endless = head->body == HTTP_BODY_CHUNKED || head->body == HTTP_BODY_TO_END;
    pass->answer_chunked = endless && pass->minor >= 1;
    /* Who answers before all of the body is there may end without it, and the rest would be read as a request. */
    client->close |= client_is_to_come_again(client) || (endless && pass->minor == 0) || !pass->request_done;
    rewrite->close = client->close;
    rewrite->chunked = pass->answer_chunked;
    rewrite->to_end = endless && !pass->answer_chunked; /* HTTP/1.0 knows no chunks */
    rewrite->has_length = head->body == HTTP_BODY_LENGTH;
    rewrite->length = head->length;
    pass->again = !head->close && head->body != HTTP_BODY_TO_END && pass->role->feed.client != FEED_CLIENT_PROXY;
    pass->headed = true;
    http_body_begin(&pass->answer, head);
}

/* What an app says when a connection has rested for too long; it may have crossed our request on the way. */
static bool is_farewell(const struct pass *pass, const struct http_head *head)
{
    return head->status == 408 && head->close && back_was_kept(pass->back) && pass->bodyless && !pass->retried;
}

/* As pass_answer_read. */
static int read_head(struct pass *pass, struct error *err)
{
    struct http_head head;
    struct http_span method = {pass->method, strlen(pass->method)};
    CLEANUP_TEXT struct text text = {0};
    struct http_rewrite rewrite = {.drop = sending_not_apps};
    int result = http_parse_response(buffer_at(&pass->down), buffer_length(&pass->down), method, &head, err);
    if (result <= 0)
        return result;
    bool final = head.status >= 200 || head.upgrade;
    if (head.upgrade && !pass->upgrade)
        return error_set(err, EBADMSG, "live changes the protocol without being asked");
    if (is_farewell(pass, &head))
        return -ESTALE;
    if (head.upgrade) {
        pass->tunnel = pass->headed = pass->request_done = true;
        rewrite.upgrade = true;
    } else if (final) {
        take_framing(pass, &head, &rewrite);
    }
    if (final || pass->minor >= 1)
        http_write_response(&head, &rewrite, &text);
    if (text.failed || buffer_add(&pass->client->out, text.data, text.length) < 0)
        return error_errno(err, ENOMEM, "pass an answer on");
    buffer_drop(&pass->down, head.size);
    return 1;
}

static int read_content(struct pass *pass, struct error *err)
{
    struct buffer *down = &pass->down;
    struct http_span content = {buffer_at(down), buffer_length(down)};
    ssize_t took = (ssize_t)content.length;
    if (!pass->tunnel) {
        content.length = 0;
        took = http_body_take(&pass->answer, buffer_at(down), buffer_length(down), &content, err);
    }
    if (took < 0)
        return (int)took;
    if (buffer_add_content(&pass->client->out, pass->answer_chunked, content.at, content.length) < 0)
        return error_errno(err, ENOMEM, "pass an answer on");
    buffer_drop(down, (size_t)took);
    return took > 0;
}

int pass_answer_read(struct pass *pass, struct error *err)
{
    int result = 1;
    while (result > 0 && buffer_length(&pass->client->out) < BUFFER_FULL) {
        if (pass->headed && !pass->tunnel && pass->answer.done)
            return 1;
        if (buffer_length(&pass->down) == 0)
            return 0;
        result = pass->headed ? read_content(pass, err) : read_head(pass, err);
    }
    return result < 0 ? result : pass->headed && !pass->tunnel && pass->answer.done;
}

int pass_answer_end(struct pass *pass)
{
    return pass->answer_chunked ? buffer_add(&pass->client->out, "0\r\n\r\n", 5) : 0;
}
