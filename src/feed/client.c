/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's connection: from request to request. */
#include "feed/client_inside.h"

#include "base/cleanup.h"
#include "feed/exchange.h"
#include "feed/pass.h"
#include "feed/request.h"
#include "feed/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

void client_set_state(struct client *client, enum client_state state, uint64_t within_ms)
{
    client->state = state;
    client->since_ms = clock_monotonic_ms();
    client->deadline_ms = within_ms ? client->since_ms + within_ms : 0;
    client->progress = 0;
}

void client_progressed(struct client *client, size_t length)
{
    client->progress += length;
    if (client->progress < PROGRESS)
        return;
    client->progress = 0;
    client->since_ms = clock_monotonic_ms();
    client->deadline_ms = client->since_ms + HEADER_MS;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void client_close(struct client *client)
{
    struct role *role = client->role;
    if (client->state == CLIENT_DEAD)
        return;
    client->state = CLIENT_DEAD;
    if (client->exchange)
        exchange_leave(client->exchange);
    if (client->pass)
        pass_free(client->pass);
    client->exchange = NULL;
    client->pass = NULL;
    loop_remove_fd(client->source);
    close_fd(&client->fd);
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    client_drop_rest(client);
    client->door->connections--;
    role->client_count--;
    list_remove(&client->link);
    list_append(&role->buried, &client->link);
    loop_timer_arm(role->burial, 0); /* whoever called may still look at it */
    if (role->client_count < role->clients_max)
        doors_pause(role, false);
}

void clients_bury(struct role *role)
{
    struct client *client;
    list_for_each(client, &role->buried, link)
    {
        list_remove(&client->link);
        free(client);
    }
}

void clients_cut(struct role *role, enum colour zone)
{
    struct client *client;
    list_for_each(client, &role->clients, link)
    {
        if (client->door->zone == zone)
            client_close(client);
    }
}

void clients_clear(struct role *role)
{
    struct client *client;
    list_for_each(client, &role->clients, link) client_close(client);
    clients_bury(role);
}

/* --- reading requests --------------------------------------------------------------------------------------------- */

static bool wants_to_read(const struct client *client)
{
    if (client->ended)
        return false;
    switch (client->state) {
    case CLIENT_HEAD:
    case CLIENT_BODY: return true;
    case CLIENT_PASS: return pass_takes(client->pass);
    case CLIENT_LINGER: return true;
    default: return false;
    }
}

static void watch(struct client *client, uint32_t events)
{
    if (events != client->watched && loop_set_events(client->source, events) == 0)
        client->watched = events;
}

static uint32_t wanted(const struct client *client)
{
    bool more = buffer_length(&client->out) > 0 || client->rest_at < client->rest.length ||
                (client->state == CLIENT_PASS && pass_is_full(client->pass));
    return (wants_to_read(client) ? EPOLLIN : 0u) | (more ? EPOLLOUT : 0u);
}

/* Who waits for an answer rarely sends anything before: reading is called off when there is something to read
 * (on_readable), or each request would take two system calls more. */
void client_watch(struct client *client)
{
    if (client->state != CLIENT_DEAD)
        watch(client, wanted(client) | (client->watched & EPOLLIN));
}

/* RFC 9112 2.2: an empty line before a request line is to be ignored. */
static void skip_empty_line(struct buffer *in)
{
    if (buffer_length(in) >= 2 && memcmp(buffer_at(in), "\r\n", 2) == 0)
        buffer_drop(in, 2);
}

static void read_body(struct client *client)
{
    struct error err = {0};
    int result = exchange_body(client->exchange, &client->in, &err);
    if (!client->exchange)
        return; /* it passes from here on */
    if (result < 0) {
        bool malformed = result == -EBADMSG;
        exchange_leave(client->exchange);
        client->exchange = NULL;
        client->close = true;
        client_refuse(client, malformed ? 400 : 503, err.text);
    } else if (result == 1) {
        struct exchange *exchange = client->exchange;
        client_set_state(client, CLIENT_WAIT, 0);
        exchange_queue(exchange);
    } else if (client->ended) {
        client_close(client);
    }
}

/* A whole head is there: who takes the request. */
static void take_request(struct client *client, const struct http_head *head)
{
    struct role *role = client->role;
    enum request_way way = request_way(&role->feed, head);
    client->close = head->close || head->minor == 0;
    client->head_only = http_span_is(head->method, "HEAD");
    if (way == REQUEST_FED && !role->wal) {
        client->close = true; /* its body is still to come */
        client_refuse(client, 503, role->broken[0] ? role->broken : "the feed is starting");
        return;
    }
    size_t size = head->size;
    bool begun = way == REQUEST_FED ? exchange_new(client, head) : pass_new(client, head, NULL);
    if (!begun) {
        client->close = true;
        client_refuse(client, 503, "out of memory");
        return;
    }
    if (head->expects && head->minor == 1 && head->body != HTTP_BODY_NONE)
        buffer_add(&client->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    buffer_drop(&client->in, size);
    if (way != REQUEST_FED) {
        role->figures.now.passed++;
        role->figures.now.not_fed += way == REQUEST_NOT_FED;
        client_set_state(client, CLIENT_PASS, 0);
        pass_begin(client->pass);
        return;
    }
    client_set_state(client, CLIENT_BODY, HEADER_MS);
    if (buffer_length(&client->out))
        client_flush(client);
    if (client->state == CLIENT_BODY)
        read_body(client);
}

/* No head ends without a line feed: one that drips in byte by byte is not read from its beginning for each of them. */
static bool may_be_whole(const struct client *client)
{
    size_t length = buffer_length(&client->in), parsed = client->parsed;
    const char *bytes = buffer_at(&client->in);
    if (length == 0 || (length == 1 && bytes[0] == '\r')) /* half of an empty line */
        return false;
    return parsed == 0 || parsed >= length || length >= HTTP_HEAD_MAX || memchr(bytes + parsed, '\n', length - parsed);
}

static void read_head(struct client *client)
{
    struct http_head head;
    struct error err = {0};
    skip_empty_line(&client->in);
    int result =
        may_be_whole(client) ? http_parse_request(buffer_at(&client->in), buffer_length(&client->in), &head, &err) : 0;
    client->parsed = result == 0 ? buffer_length(&client->in) : 0;
    if (result < 0) {
        client->close = true;
        client_refuse(client, http_refusal_status(result), err.text);
    } else if (result == 1) {
        take_request(client, &head);
    } else if (client->ended) {
        client_close(client);
    }
}

/* What it calls may come back here: then the loop below goes on. */
void client_proceed(struct client *client)
{
    if (client->proceeding)
        return;
    client->proceeding = true;
    for (;;) {
        enum client_state before = client->state;
        size_t had = buffer_length(&client->in);
        if (before == CLIENT_HEAD)
            read_head(client);
        else if (before == CLIENT_BODY)
            read_body(client);
        else if (before == CLIENT_PASS)
            pass_take(client->pass);
        if (client->state == CLIENT_DEAD ||
            (client->state == before && (before != CLIENT_HEAD || buffer_length(&client->in) == had)) ||
            (client->state != CLIENT_HEAD && client->state != CLIENT_BODY))
            break;
    }
    client->proceeding = false;
    client_watch(client);
}

static void on_readable(struct client *client)
{
    if (!wants_to_read(client)) {
        watch(client, wanted(client));
        return;
    }
    bool resting = client->state == CLIENT_HEAD && buffer_length(&client->in) == 0;
    ssize_t got = buffer_receive(&client->in, client->fd);
    if (got == -EAGAIN)
        return;
    if (got < 0) {
        client_close(client);
        return;
    }
    client->ended = got == 0;
    if (client->state == CLIENT_LINGER) {
        buffer_clear(&client->in);
        if (client->ended)
            client_close(client);
        return;
    }
    if (resting && got > 0)
        client_set_state(client, CLIENT_HEAD, HEADER_MS);
    else if (client->state == CLIENT_BODY)
        client_progressed(client, (size_t)got);
    client_proceed(client);
}

static void on_event(void *context, int fd, uint32_t events)
{
    struct client *client = context;
    (void)fd;
    if (events & (EPOLLERR | EPOLLHUP)) {
        client_close(client);
        return;
    }
    if (events & EPOLLOUT) {
        client_flush(client);
        if (client->state == CLIENT_PASS)
            pass_room(client->pass);
    }
    if (client->state != CLIENT_DEAD && events & EPOLLIN)
        on_readable(client);
}

/* Its door leads elsewhere than when it came, or nowhere. */
bool client_is_to_come_again(const struct client *client)
{
    return client->door->shut || client->door->port != client->port;
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

void client_take(struct door *door, int fd, const struct sockaddr_storage *peer)
{
    struct client *client = calloc(1, sizeof *client);
    if (client)
        client->source = loop_add_fd(door->role->loop, fd, EPOLLIN, on_event, client);
    if (!client || !client->source) {
        free(client);
        close(fd);
        return;
    }
    client->door = door;
    client->port = door->port;
    client->role = door->role;
    client->fd = fd;
    client->watched = EPOLLIN;
    client->peer = *peer;
    spool_init(&client->rest);
    list_append(&door->role->clients, &client->link);
    door->role->client_count++;
    door->connections++;
    client_set_state(client, CLIENT_HEAD, HEADER_MS);
    role_wake(door->role);
}
