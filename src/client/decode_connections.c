/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connections of an app's zones, from JSON. */
#include "client/decode.h"
#include "client/decode_rows.h"

#include <json-c/json.h>
#include <stdlib.h>

struct connections_store {
    struct bluegreen_connections connections; /* first */
    struct json_object *json;
    struct rows rows;
};

static bool fill_connection(struct json_object *object, void *row)
{
    struct bluegreen_connection *connection = row;
    *connection = (struct bluegreen_connection){
        .zone = decode_colour(object, "zone"),
        .protocol = decode_string_or_empty(object, "protocol"),
        .port = decode_string(object, "port"),
        .target = (unsigned)decode_count(object, "target"),
        .peer = decode_string_or_empty(object, "peer"),
        .state = decode_string_or_empty(object, "state"),
        .age_ms = decode_number(object, "age_ms", -1),
        .age_exact = decode_bool(object, "age_exact"),
        .idle_ms = decode_number(object, "idle_ms", -1),
        .rests = decode_bool(object, "rests"),
        .nudged = decode_bool(object, "nudged"),
        .bytes_in = decode_number(object, "bytes_in", -1),
        .bytes_out = decode_number(object, "bytes_out", -1),
        .unread = decode_count(object, "unread"),
        .unconfirmed = decode_count(object, "unconfirmed"),
        .json = decode_json(object),
    };
    return true;
}

static bool fill_connections(struct connections_store *store)
{
    struct json_object *list = decode_field(store->json, "connections", json_type_array);
    if (!decode_rows(list, sizeof(struct bluegreen_connection), fill_connection, &store->rows))
        return false;
    store->connections = (struct bluegreen_connections){.connections = store->rows.pointers,
                                                        .count = store->rows.count,
                                                        .text = decode_string(store->json, "text"),
                                                        .json = decode_json(store->json)};
    return true;
}

struct bluegreen_connections *decode_connections(struct json_object *parameters)
{
    struct connections_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    if (fill_connections(store))
        return &store->connections;
    bluegreen_connections_free(&store->connections);
    return NULL;
}

void bluegreen_connections_free(struct bluegreen_connections *connections)
{
    struct connections_store *store = (struct connections_store *)connections;
    if (!store)
        return;
    rows_clear(&store->rows);
    json_object_put(store->json);
    free(store);
}
