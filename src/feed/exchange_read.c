/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An exchange while its request comes in: neither lane nor journal nor live know of it, and it may still pass. */
#include "feed/client.h"
#include "feed/exchange_inside.h"
#include "feed/kept_head.h"
#include "feed/pass.h"

#include <errno.h>
#include <stdlib.h>

void exchange_free(struct exchange *exchange)
{
    exchange->role->spooled -= exchange->body.length;
    list_remove(&exchange->link);
    call_clear(&exchange->call);
    spool_clear(&exchange->body);
    free(exchange->bytes);
    free(exchange);
}

bool exchange_new(struct client *client, const struct http_head *head)
{
    struct role *role = client->role;
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return false;
    list_init(&exchange->link);
    exchange->role = role;
    exchange->client = client;
    exchange->door = client->port;
    exchange->head = *head;
    spool_init(&exchange->body);
    call_init(&exchange->call, role);
    exchange->bytes = kept_head(&exchange->head, buffer_at(&client->in));
    if (!exchange->bytes) {
        exchange_free(exchange);
        return false;
    }
    http_body_begin(&exchange->reader, head);
    client->exchange = exchange;
    return true;
}

/* Longer than what is fed: what came of it goes first, the rest as it comes. */
static int become_pass(struct exchange *exchange)
{
    struct client *client = exchange->client;
    struct role *role = exchange->role;
    struct pass_begun begun = {.reader = exchange->reader, .body = exchange->body};
    client->exchange = NULL;
    spool_init(&exchange->body); /* it counts as the pass's */
    if (!pass_new(client, &exchange->head, &begun)) {
        role->spooled -= begun.body.length;
        spool_clear(&begun.body);
        exchange_free(exchange);
        client_close(client);
        return 0;
    }
    exchange_free(exchange);
    role->figures.now.passed++;
    role->figures.now.not_fed++;
    client->state = CLIENT_PASS;
    client->deadline_ms = 0;
    pass_begin(client->pass);
    return 0;
}

int exchange_body(struct exchange *exchange, struct buffer *in, struct error *err)
{
    struct role *role = exchange->role;
    size_t content = 0;
    ssize_t took = http_body_gather(&exchange->reader, buffer_at(in), buffer_length(in), &content, err);
    if (took < 0)
        return (int)took;
    if (role->spooled + content > role->rules.journal_max)
        return error_set(err, ENOSPC, "too many large requests at once");
    int result = spool_add(&exchange->body, role->directory, buffer_at(in), content, err);
    if (result < 0)
        return result == -EBADMSG ? -EIO : result;
    role->spooled += content;
    buffer_drop(in, (size_t)took);
    return exchange->body.length > role->feed.body_max ? become_pass(exchange) : exchange->reader.done;
}
