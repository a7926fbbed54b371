/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes out to a client: answers from memory and from files, as fast as it takes them, and how it is parted
 * with. */
#include "feed/answers.h"
#include "feed/client_inside.h"
#include "feed/pass.h"
#include "feed/role.h"

void client_drop_rest(struct client *client)
{
    client->role->kept_answers -= client->rest.length;
    client->rest_at = 0;
    spool_clear(&client->rest);
}

static void linger(struct client *client)
{
    client_set_state(client, CLIENT_LINGER, LINGER_MS);
    buffer_clear(&client->in);
    if (client->ended || shutdown(client->fd, SHUT_WR) < 0)
        client_close(client);
    else
        client_watch(client);
}

static void answered(struct client *client)
{
    client_drop_rest(client);
    if (client->close) {
        linger(client);
        return;
    }
    buffer_rest(&client->in);
    buffer_rest(&client->out);
    client_set_state(client, CLIENT_HEAD, buffer_length(&client->in) ? HEADER_MS : IDLE_MS);
    client_proceed(client);
}

/* The next piece of an answer that is kept in a spool. */
static bool fill_from_rest(struct client *client)
{
    char piece[BUFFER_PIECE];
    ssize_t got = spool_read(&client->rest, client->rest_at, piece, sizeof piece);
    if (got <= 0 || buffer_add(&client->out, piece, (size_t)got) < 0)
        return false;
    client->rest_at += (uint64_t)got;
    return true;
}

void client_flush(struct client *client)
{
    ssize_t sent = 0;
    if (client->state == CLIENT_DEAD)
        return;
    for (int turns = 0; turns < BUFFER_TURN; turns++) {
        if (buffer_length(&client->out) == 0 && client->rest_at < client->rest.length && !fill_from_rest(client)) {
            client_close(client); /* in the middle of an answer: that it ends here is all that can be said */
            return;
        }
        sent = buffer_send(&client->out, client->fd);
        if (sent <= 0)
            break;
        if (client->state == CLIENT_PASS)
            pass_moved(client->pass);
        else if (client->deadline_ms && client->state == CLIENT_ANSWER)
            client_progressed(client, (size_t)sent);
    }
    bool all = buffer_length(&client->out) == 0 && client->rest_at >= client->rest.length;
    if (sent < 0)
        client_close(client);
    else if (all && client->state == CLIENT_ANSWER)
        answered(client);
    else
        client_watch(client);
}

static void send_answer(struct client *client)
{
    client_set_state(client, CLIENT_ANSWER, HEADER_MS);
    client_flush(client);
}

void client_answer(struct client *client, const struct text *head, struct spool *body)
{
    client->exchange = NULL;
    if (client->state == CLIENT_DEAD)
        return;
    if (head->failed || buffer_add(&client->out, head->data, head->length) < 0) {
        client_close(client);
        return;
    }
    if (body) {
        bool small = body->fd < 0 && buffer_add(&client->out, body->data, (size_t)body->length) == 0;
        if (!small) {
            client->rest = *body;
            client->role->kept_answers += body->length;
            spool_init(body);
        }
    }
    client->rest_at = 0;
    send_answer(client);
}

void client_refuse(struct client *client, uint16_t status, const char *why)
{
    CLEANUP_TEXT struct text text = {0};
    client->close |= client_is_to_come_again(client);
    answer_own(status, why, client->close, client->head_only, &text);
    client_answer(client, &text, NULL);
}

void client_pass_done(struct client *client, bool close)
{
    client->pass = NULL;
    if (client->state == CLIENT_DEAD)
        return;
    client->close |= close;
    send_answer(client);
}
