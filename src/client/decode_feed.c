/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a feed stands, and its transactions, from JSON. */
#include "client/decode_feed.h"

#include "client/decode.h"
#include "client/decode_rows.h"

#include <json-c/json.h>
#include <stdlib.h>

struct feed_store {
    struct bluegreen_feed_answer answer; /* first */
    struct json_object *json;
    struct bluegreen_feed feed;
    struct rows transactions;
};

void decode_feed(struct json_object *object, struct bluegreen_feed *feed)
{
    struct json_object *applied = decode_object(object, "applied");
    struct json_object *connections = decode_object(object, "connections");
    *feed = (struct bluegreen_feed){
        .state = decode_string_or_empty(object, "state"),
        .backup = decode_bool(object, "backup"),
        .text = decode_string_or_empty(object, "text"),
        .mode = decode_string_or_empty(object, "mode"),
        .reason = decode_string(object, "reason"),
        .live = decode_colour(object, "live"),
        .committed = decode_count(object, "committed"),
        .applied = {decode_number(applied, "blue", -1), decode_number(applied, "green", -1)},
        .behind = decode_count(object, "behind"),
        .behind_ms = decode_count(object, "behind_ms"),
        .in_doubt = decode_count(object, "in_doubt"),
        .diverged = decode_count(object, "diverged"),
        .lost = decode_count(object, "lost"),
        .twice = decode_count(object, "twice"),
        .fed = decode_count(object, "fed"),
        .passed = decode_count(object, "passed"),
        .not_fed = decode_count(object, "not_fed"),
        .journal_bytes = decode_count(object, "journal_bytes"),
        .journal_max = decode_count(object, "journal_max"),
        .applied_per_minute = decode_count(object, "applied_per_minute"),
        .waiting = decode_count(object, "waiting"),
        .connections = {decode_count(connections, "blue"), decode_count(connections, "green")},
        .json = decode_json(object),
    };
}

static bool fill_transaction(struct json_object *object, void *row)
{
    struct bluegreen_transaction *transaction = row;
    *transaction = (struct bluegreen_transaction){
        .sequence = decode_count(object, "sequence"),
        .kind = decode_string_or_empty(object, "kind"),
        .zone = decode_colour(object, "zone"),
        .time = decode_string_or_empty(object, "time"),
        .request = decode_string_or_empty(object, "request"),
        .status_live = (unsigned)decode_count(object, "status_live"),
        .status_other = (unsigned)decode_count(object, "status_other"),
        .live = decode_string(object, "live"),
        .other = decode_string(object, "other"),
        .json = decode_json(object),
    };
    return true;
}

static bool fill_transactions(struct feed_store *store)
{
    struct json_object *list = decode_field(store->json, "transactions", json_type_array);
    if (!decode_rows(list, sizeof(struct bluegreen_transaction), fill_transaction, &store->transactions))
        return false;
    store->answer.transactions = store->transactions.pointers;
    store->answer.count = store->transactions.count;
    return true;
}

struct bluegreen_feed_answer *decode_feed_answer(struct json_object *parameters)
{
    struct json_object *feed = decode_object(parameters, "feed");
    struct feed_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    if (feed) {
        decode_feed(feed, &store->feed);
        store->answer.feed = &store->feed;
    }
    store->answer.text = decode_string(parameters, "text");
    store->answer.json = decode_json(parameters);
    if (fill_transactions(store))
        return &store->answer;
    bluegreen_feed_free(&store->answer);
    return NULL;
}

void bluegreen_feed_free(struct bluegreen_feed_answer *answer)
{
    struct feed_store *store = (struct feed_store *)answer;
    if (!store)
        return;
    rows_clear(&store->transactions);
    json_object_put(store->json);
    free(store);
}
