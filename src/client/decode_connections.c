/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connections of an app's zones, from JSON. */
#include "client/decode.h"

#include <json-c/json.h>
#include <stdlib.h>

struct connections_store {
    struct bluegreen_connections connections; /* first */
    struct json_object *json;
    struct bluegreen_connection *rows;
    const struct bluegreen_connection **pointers;
};

static void fill_connection(struct json_object *object, struct bluegreen_connection *row)
{
    *row = (struct bluegreen_connection){
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
}

static bool fill_connections(struct connections_store *store)
{
    struct json_object *list = decode_field(store->json, "connections", json_type_array);
    size_t length = decode_length(list);
    store->rows = calloc(length + 1, sizeof *store->rows);
    store->pointers = calloc(length + 1, sizeof(void *));
    if (!store->rows || !store->pointers)
        return false;
    for (size_t i = 0; i < length; i++) {
        fill_connection(json_object_array_get_idx(list, i), &store->rows[i]);
        store->pointers[i] = &store->rows[i];
    }
    store->connections = (struct bluegreen_connections){.connections = store->pointers,
                                                        .count = length,
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
    free(store->rows);
    free(store->pointers);
    json_object_put(store->json);
    free(store);
}
