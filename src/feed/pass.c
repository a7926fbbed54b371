/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that pass, and tunnels. */
#include "feed/pass_inside.h"

#include "base/cleanup.h"
#include "feed/client.h"
#include "feed/request.h"
#include "feed/sending.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

bool pass_new(struct client *client, const struct http_head *head, const struct pass_begun *begun)
{
    struct pass *pass = calloc(1, sizeof *pass);
    if (!pass)
        return false;
    *pass = (struct pass){.role = client->role, .client = client, .minor = head->minor, .upgrade = head->upgrade};
    list_init(&pass->link);
    spool_init(&pass->begun);
    snprintf(pass->method, sizeof pass->method, "%.*s", (int)head->method.length, head->method.at);
    struct sending sending = {.rules = &client->role->rules, .client = client, .head = head, .upgrade = head->upgrade};
    sending_request(&sending, &pass->head);
    if (pass->head.failed) {
        pass_free(pass);
        return false;
    }
    http_body_begin(&pass->request, head);
    if (begun) {
        pass->request = begun->reader;
        pass->begun = begun->body;
    }
    pass->bodyless = head->body == HTTP_BODY_NONE;
    pass->repeatable = pass->bodyless && request_is_idempotent(head);
    pass->request_chunked = head->body == HTTP_BODY_CHUNKED;
    pass->request_done = pass->bodyless;
    client->pass = pass;
    return true;
}

void pass_free(struct pass *pass)
{
    list_remove(&pass->link);
    back_close(pass->back);
    pass->role->spooled -= pass->begun.length;
    text_clear(&pass->head);
    buffer_clear(&pass->up);
    buffer_clear(&pass->down);
    spool_clear(&pass->begun);
    free(pass);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void refuse(struct pass *pass, uint16_t status, const char *why)
{
    struct client *client = pass->client;
    client->close |= !pass->request_done; /* the rest of its body would be taken for a request */
    client->pass = NULL;
    pass_free(pass);
    client_refuse(client, status, why);
}

/* After a part of the answer has gone out, that the connection ends is all that can be said. */
static void break_off(struct pass *pass, uint16_t status, const char *why)
{
    if (pass->headed)
        client_close(pass->client);
    else
        refuse(pass, status, why);
}

static void finish(struct pass *pass)
{
    struct client *client = pass->client;
    bool whole = pass->request_done && buffer_length(&pass->up) == 0;
    bool close = !pass->request_done || pass->tunnel;
    if (pass->again && whole && buffer_length(&pass->down) == 0) {
        struct back *back = pass->back;
        pass->back = NULL;
        back_keep(back);
    }
    pass_free(pass);
    client_pass_done(client, close);
}

/* --- towards live ------------------------------------------------------------------------------------------------- */

void pass_moved(struct pass *pass)
{
    pass->client->deadline_ms = clock_monotonic_ms() + (pass->tunnel ? TUNNEL_MS : PASS_MS);
}

/* From what was read before, then from what the client has sent; 0, or what is wrong with it. */
static int fill_up(struct pass *pass, struct error *err)
{
    struct buffer *in = &pass->client->in;
    char piece[BUFFER_PIECE];
    while (pass->begun_at < pass->begun.length && buffer_length(&pass->up) < BUFFER_FULL) {
        ssize_t got = spool_read(&pass->begun, pass->begun_at, piece, sizeof piece);
        if (got <= 0 || buffer_add_content(&pass->up, pass->request_chunked, piece, (size_t)got) < 0)
            return error_errno(err, got < 0 ? (int)-got : EIO, "read a body back");
        pass->begun_at += (uint64_t)got;
    }
    if (pass->begun_at < pass->begun.length)
        return 0;
    while (!pass->request.done && buffer_length(in) > 0 && buffer_length(&pass->up) < BUFFER_FULL) {
        struct http_span content = {0};
        ssize_t took = http_body_take(&pass->request, buffer_at(in), buffer_length(in), &content, err);
        if (took < 0)
            return (int)took;
        if (buffer_add_content(&pass->up, pass->request_chunked, content.at, content.length) < 0)
            return error_errno(err, ENOMEM, "pass a body on");
        if (took == 0)
            break;
        buffer_drop(in, (size_t)took);
    }
    if (pass->request.done && !pass->request_done) {
        pass->request_done = true;
        if (pass->request_chunked)
            return buffer_add(&pass->up, "0\r\n\r\n", 5);
    }
    return 0;
}

static void fill_tunnel(struct pass *pass)
{
    struct buffer *in = &pass->client->in;
    if (buffer_length(&pass->up) >= BUFFER_FULL || buffer_add(&pass->up, buffer_at(in), buffer_length(in)) < 0)
        return;
    buffer_drop(in, buffer_length(in));
}

/* False: the pass is no more. */
static bool push(struct pass *pass)
{
    struct error err = {0};
    ssize_t sent;
    int turns = 0;
    do {
        if (pass->tunnel)
            fill_tunnel(pass);
        else if (fill_up(pass, &err) < 0) {
            break_off(pass, err.code == EBADMSG ? 400 : 502, err.text);
            return false;
        }
        sent = pass->back && back_is_open(pass->back) ? buffer_send(&pass->up, back_fd(pass->back)) : 0;
        if (sent > 0)
            pass_moved(pass);
    } while (sent > 0 && ++turns < BUFFER_TURN);
    /* What cannot be sent: its answer may be there all the same, so reading says how it ends. */
    if (sent < 0)
        buffer_clear(&pass->up);
    bool client_over = pass->client->ended && buffer_length(&pass->client->in) == 0;
    if (client_over && !pass->request_done) {
        client_close(pass->client);
        return false;
    }
    if (pass->tunnel && client_over && !pass->up_shut && buffer_length(&pass->up) == 0)
        pass->up_shut = shutdown(back_fd(pass->back), SHUT_WR) == 0;
    return true;
}

static void watch(struct pass *pass)
{
    if (!pass->back || !back_is_open(pass->back))
        return;
    bool room = buffer_length(&pass->client->out) < BUFFER_FULL && !pass->full;
    bool more = buffer_length(&pass->up) > 0 || pass->begun_at < pass->begun.length;
    back_watch(pass->back, (room ? EPOLLIN : 0u) | (more ? EPOLLOUT : 0u));
}

bool pass_takes(const struct pass *pass)
{
    return buffer_length(&pass->up) < BUFFER_FULL && (pass->tunnel || !pass->request_done);
}

void pass_take(struct pass *pass)
{
    if (push(pass))
        watch(pass);
}

/* --- from live ---------------------------------------------------------------------------------------------------- */

static void open_back(struct pass *pass);

/* On a connection of its own. */
static void ask_again(struct pass *pass)
{
    pass->retried = true;
    pass->heard = false;
    buffer_clear(&pass->down);
    back_close(pass->back);
    pass->back = NULL;
    open_back(pass);
}

/* `well`: by its end, not by an error, after which a body that lasts until the end is not known to be whole. */
static void on_end(struct pass *pass, bool well)
{
    bool to_end = pass->headed && pass->answer.kind == HTTP_BODY_TO_END && well;
    if (pass->tunnel || (to_end && pass_answer_end(pass) == 0)) {
        finish(pass);
    } else if (!pass->heard && pass->repeatable && back_was_kept(pass->back) && !pass->retried) {
        ask_again(pass); /* the app has closed a connection that was kept, perhaps without having read it */
    } else {
        break_off(pass, 502, "the app closed the connection without a whole answer");
    }
}

/* False: the pass is no more, or has no connection. */
static bool pull(struct pass *pass)
{
    struct error err = {0};
    for (int turns = 0; turns < BUFFER_TURN; turns++) {
        int result = pass_answer_read(pass, &err);
        if (result == -ESTALE) {
            ask_again(pass);
            return false;
        }
        if (result < 0 || (result == 1 && pass_answer_end(pass) < 0)) {
            break_off(pass, 502, result < 0 ? err.text : "out of memory");
            return false;
        }
        if (result == 1) {
            finish(pass);
            return false;
        }
        pass->full = buffer_length(&pass->client->out) >= BUFFER_FULL;
        if (pass->full)
            return true;
        ssize_t got = buffer_receive(&pass->down, back_fd(pass->back));
        if (got == -EAGAIN)
            return true;
        if (got <= 0) {
            on_end(pass, got == 0);
            return false;
        }
        pass->heard = true;
        pass_moved(pass);
    }
    return true;
}

static void go_on(struct pass *pass, bool readable)
{
    struct client *client = pass->client;
    if (!push(pass) || (readable && !pull(pass)))
        return;
    client_flush(client);
    if (client->pass == pass)
        watch(pass);
}

void pass_room(struct pass *pass)
{
    if (!pass->back || !back_is_open(pass->back) || buffer_length(&pass->client->out) >= BUFFER_FULL)
        return;
    if (pass->full)
        go_on(pass, true);
    else
        watch(pass);
}

bool pass_is_full(const struct pass *pass)
{
    return pass->full;
}

void pass_late(struct pass *pass)
{
    break_off(pass, 504, "nothing has come from live or gone to it for 300 s");
}

/* --- its connection ----------------------------------------------------------------------------------------------- */

static void on_back(void *context, struct back *back, enum back_news news, uint32_t events)
{
    struct pass *pass = context;
    if (news == BACK_FAILED)
        refuse(pass, 503, back_why(back));
    else
        go_on(pass, news == BACK_EVENTS && events & ~(uint32_t)EPOLLOUT);
}

static void open_back(struct pass *pass)
{
    struct role *role = pass->role;
    enum colour live = (enum colour)role->live;
    const char *why = "no connection";
    bool fresh = pass->retried || role->feed.client == FEED_CLIENT_PROXY;
    buffer_clear(&pass->up);
    if (buffer_add(&pass->up, pass->head.data, pass->head.length) < 0) {
        refuse(pass, 503, "out of memory");
        return;
    }
    pass->back = back_open(&role->backs[live], door_target(role, live, pass->client->port), fresh, on_back, pass, &why);
    if (!pass->back)
        refuse(pass, 503, why);
    else
        go_on(pass, false);
}

void pass_begin(struct pass *pass)
{
    pass->since_ms = clock_monotonic_ms();
    pass_moved(pass);
    if (pass->role->live < 0)
        list_append(&pass->role->waiting_passes, &pass->link);
    else
        open_back(pass);
}

void passes_proceed(struct role *role)
{
    while (role->live >= 0 && !list_empty(&role->waiting_passes)) {
        struct pass *pass = list_entry(role->waiting_passes.next, struct pass, link);
        list_remove(&pass->link);
        open_back(pass);
    }
}

void passes_sweep(struct role *role, uint64_t now_ms)
{
    while (!list_empty(&role->waiting_passes)) { /* in order */
        struct pass *pass = list_entry(role->waiting_passes.next, struct pass, link);
        if (now_ms - pass->since_ms < QUEUE_MS)
            break;
        refuse(pass, 503, "no zone has been live for 60 s");
    }
}
