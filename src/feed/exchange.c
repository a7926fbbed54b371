/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fed request on its way: through its lane, the journal, live, the journal again, to its client. */
#include "feed/exchange_inside.h"

#include "base/cleanup.h"
#include "feed/client.h"
#include "feed/lane.h"
#include "feed/noting.h"
#include "feed/sending.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- its turn ----------------------------------------------------------------------------------------------------- */

static struct live_lane *lane_of(struct exchange *exchange)
{
    return &exchange->role->lanes[exchange->lane];
}

static void leave_lane(struct exchange *exchange)
{
    struct live_lane *lane = lane_of(exchange);
    if (lane->now != exchange)
        return;
    lane->now = NULL;
    exchange->role->underway--;
    role_changed(exchange->role);
}

/* It ends here, unanswered or with what is said. */
static void refuse(struct exchange *exchange, uint16_t status, const char *why)
{
    struct client *client = exchange->client;
    leave_lane(exchange);
    if (client) {
        client->exchange = NULL;
        client_refuse(client, status, why); /* before `why` goes, which may be the exchange's own */
    }
    exchange_free(exchange);
}

void exchange_leave(struct exchange *exchange)
{
    exchange->client = NULL;
    if (exchange->state == EXCHANGE_QUEUED)
        exchange->role->queued--;
    if (exchange->state == EXCHANGE_READING || exchange->state == EXCHANGE_QUEUED)
        exchange_free(exchange);
}

static void choose_lane(struct exchange *exchange)
{
    const struct feed *feed = &exchange->role->feed;
    struct address peer;
    uint16_t port;
    exchange->key = lane_key(&feed->key, &exchange->head, sending_peer(&exchange->client->peer, &peer, &port));
    exchange->lane = lane_number(exchange->key, feed->lanes);
    list_append(&lane_of(exchange)->waiting, &exchange->link);
}

void exchange_queue(struct exchange *exchange)
{
    exchange->state = EXCHANGE_QUEUED;
    exchange->since_ms = clock_monotonic_ms();
    exchange->role->queued++;
    choose_lane(exchange);
    role_changed(exchange->role);
}

/* --- what live was asked ------------------------------------------------------------------------------------------ */

static void in_doubt(struct exchange *exchange, uint16_t status, const char *why)
{
    char text[256];
    role_doubt(exchange->role, exchange->id);
    snprintf(text, sizeof text, "%s; the request is on record as in doubt (id %" PRIu64 ")", why, exchange->id);
    refuse(exchange, status, text);
}

static void not_done(struct exchange *exchange, const char *why)
{
    role_undone(exchange->role, exchange->id);
    refuse(exchange, 503, why);
}

/* COMMIT is safe: only now the client may hear of it. */
static void on_commit_safe(void *context, int result)
{
    struct exchange *exchange = context;
    struct client *client = exchange->client;
    CLEANUP_TEXT struct text head = {0};
    if (result < 0) {
        role_journal_failed(exchange->role, strerror(-result));
        refuse(exchange, 502, "live has done the request, and the feed's journal could not be brought to the disk");
        return;
    }
    if (client) {
        struct call *call = &exchange->call;
        client->close |= client_is_to_come_again(client);
        sending_answer(&call->answer, call->content.length, client->close, &head);
        client_answer(client, &head, &call->content);
    }
    exchange_free(exchange);
}

static void commit(struct exchange *exchange)
{
    struct role *role = exchange->role;
    struct wal_answer answer;
    struct error err = {0};
    noting_answer(&exchange->call, &answer);
    int result = wal_commit(role->wal, exchange->id, &answer, NULL, &err);
    if (result < 0)
        role_doubt(role, exchange->id);
    else
        result = wal_when_safe(role->wal, on_commit_safe, exchange, &err);
    if (result < 0) {
        role_journal_failed(role, err.text);
        refuse(exchange, 502, "live has done the request, and the feed's journal could not be written");
        return;
    }
    exchange->state = EXCHANGE_ENDING;
    role->figures.now.fed++;
    leave_lane(exchange);
}

static void on_asked(void *context, enum call_end how)
{
    struct exchange *exchange = context;
    if (how == CALL_ANSWERED) {
        commit(exchange);
    } else if (how == CALL_NOT_SENT) {
        not_done(exchange, exchange->call.why);
    } else {
        in_doubt(exchange, how == CALL_LATE ? 504 : 502, exchange->call.why);
    }
}

static void ask(struct exchange *exchange)
{
    struct role *role = exchange->role;
    struct call *call = &exchange->call;
    exchange->state = EXCHANGE_ASKED;
    call->body = exchange->body.data;
    call->body_fd = exchange->body.fd;
    call->body_length = exchange->body.length;
    call_begin(call, &role->backs[exchange->zone], door_target(role, exchange->zone, exchange->door), on_asked,
               exchange);
}

/* BEGIN is safe: live may have it. */
static void on_begin_safe(void *context, int result)
{
    struct exchange *exchange = context;
    if (result < 0) {
        role_journal_failed(exchange->role, strerror(-result));
        not_done(exchange, "the feed's journal could not be brought to the disk");
    } else if (!exchange->client) {
        not_done(exchange, "its client has gone");
    } else if (exchange->role->live != (int8_t)exchange->zone) {
        not_done(exchange, "another zone has become live");
    } else {
        ask(exchange);
    }
}

static int begin(struct exchange *exchange, struct error *err)
{
    struct role *role = exchange->role;
    struct call *call = &exchange->call;
    struct wal_request request = {.lane = exchange->key,
                                  .unix_ms = clock_unix_ms(),
                                  .door = exchange->door,
                                  .mode = FEED_HTTP,
                                  .body = exchange->body.data,
                                  .body_length = exchange->body.length,
                                  .body_fd = exchange->body.fd};
    struct sending sending = {.rules = &role->rules,
                              .client = exchange->client,
                              .head = &exchange->head,
                              .fed = true,
                              .id = wal_next_id(role->wal),
                              .body_length = exchange->body.length};
    sending_request(&sending, &call->head);
    if (call->head.failed)
        return error_errno(err, ENOMEM, "write a request's head");
    request.head = call->head.data;
    request.head_length = call->head.length;
    call->alone = role->feed.client == FEED_CLIENT_PROXY;
    memcpy(call->method, exchange->head.method.at, exchange->head.method.length);
    return wal_begin(role->wal, &request, &exchange->id, err);
}

/* Its lane is free and somebody is live. */
static void start(struct exchange *exchange)
{
    struct role *role = exchange->role;
    struct error err = {0};
    struct live_lane *lane = lane_of(exchange);
    list_remove(&exchange->link);
    role->queued--;
    exchange->state = EXCHANGE_BEGINNING;
    exchange->zone = (enum colour)role->live;
    if (!backs_reachable(&role->backs[role->live])) {
        refuse(exchange, 503, "the live release does not run");
        return;
    }
    lane->now = exchange;
    role->underway++;
    int result = begin(exchange, &err);
    if (result < 0) {
        if (result != -EFBIG && result != -ENOMEM)
            role_journal_failed(role, err.text);
        refuse(exchange, 503, err.text);
        return;
    }
    role_journal_works(role);
    result = wal_when_safe(role->wal, on_begin_safe, exchange, &err);
    if (result < 0)
        not_done(exchange, err.text);
}

/* A client that waited for a journal that cannot be opened would wait in vain. */
static void refuse_waiting(struct role *role, struct live_lane *lane)
{
    while (!list_empty(&lane->waiting)) {
        struct exchange *exchange = list_entry(lane->waiting.next, struct exchange, link);
        list_remove(&exchange->link);
        role->queued--;
        refuse(exchange, 503, role->broken);
    }
}

/* Answers that nobody takes are not to fill the disk. */
static bool may_begin(const struct role *role)
{
    return role->wal && role->live >= 0 && !role_holds(role) && role->kept_answers < role->rules.journal_max;
}

void exchanges_proceed(struct role *role)
{
    for (size_t i = 0; i < FEED_LANES_MAX; i++) {
        struct live_lane *lane = &role->lanes[i];
        if (!role->wal && role->broken[0])
            refuse_waiting(role, lane);
        /* One that is refused at once leaves the lane free for the next. */
        while (may_begin(role) && !lane->now && !list_empty(&lane->waiting))
            start(list_entry(lane->waiting.next, struct exchange, link));
    }
}

void exchanges_cut(struct role *role, enum colour live)
{
    for (size_t i = 0; i < FEED_LANES_MAX; i++) {
        struct exchange *exchange = role->lanes[i].now;
        if (!exchange || exchange->state != EXCHANGE_ASKED || exchange->zone == live)
            continue;
        bool sent = exchange->call.sent;
        call_clear(&exchange->call);
        if (sent)
            in_doubt(exchange, 502, "the zone that had the request is live no more");
        else
            not_done(exchange, "the zone that was to get the request is live no more");
    }
}

/* Those of one key were in one lane, in order: so they stay. */
void exchanges_relane(struct role *role)
{
    struct list all;
    struct exchange *exchange;
    list_init(&all);
    for (size_t i = 0; i < FEED_LANES_MAX; i++) {
        list_for_each(exchange, &role->lanes[i].waiting, link)
        {
            list_remove(&exchange->link);
            list_append(&all, &exchange->link);
        }
    }
    list_for_each(exchange, &all, link)
    {
        list_remove(&exchange->link);
        choose_lane(exchange);
    }
}

void exchanges_clear(struct role *role)
{
    struct exchange *exchange;
    for (size_t i = 0; i < FEED_LANES_MAX; i++) {
        list_for_each(exchange, &role->lanes[i].waiting, link) exchange_free(exchange);
        if (role->lanes[i].now)
            exchange_free(role->lanes[i].now);
        role->lanes[i].now = NULL;
    }
}

static void sweep_lane(struct live_lane *lane, uint64_t now_ms)
{
    while (!list_empty(&lane->waiting)) { /* in order; what is refused may bring another one at the end */
        struct exchange *exchange = list_entry(lane->waiting.next, struct exchange, link);
        if (now_ms - exchange->since_ms < QUEUE_MS)
            break;
        list_remove(&exchange->link);
        exchange->role->queued--;
        refuse(exchange, 503, "it waited for its turn for 60 s");
    }
    if (lane->now && lane->now->state == EXCHANGE_ASKED)
        call_expire(&lane->now->call, now_ms);
}

void exchanges_sweep(struct role *role, uint64_t now_ms)
{
    for (size_t i = 0; i < FEED_LANES_MAX; i++)
        sweep_lane(&role->lanes[i], now_ms);
}
