/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to the public structures. Each result is one structure whose public part comes first; behind it stand the JSON
 * that all its strings are borrowed from, and the arrays.
 */
#include "client/decode.h"

#include "client/decode_rows.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- fields ---------------------------------------------------------------------------------------- */

struct json_object *decode_field(struct json_object *object, const char *key, enum json_type type)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
        return NULL;
    return json_object_is_type(value, type) ? value : NULL;
}

const char *decode_string(struct json_object *object, const char *key)
{
    struct json_object *value = decode_field(object, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

struct json_object *decode_object(struct json_object *object, const char *key)
{
    return decode_field(object, key, json_type_object);
}

bool decode_bool(struct json_object *object, const char *key)
{
    return json_object_get_boolean(decode_field(object, key, json_type_boolean));
}

const char *decode_string_or_empty(struct json_object *object, const char *key)
{
    const char *string = decode_string(object, key);
    return string ? string : "";
}

int64_t decode_number(struct json_object *object, const char *key, int64_t absent)
{
    struct json_object *value = decode_field(object, key, json_type_int);
    return value ? json_object_get_int64(value) : absent;
}

uint64_t decode_count(struct json_object *object, const char *key)
{
    int64_t value = decode_number(object, key, 0);
    return value > 0 ? (uint64_t)value : 0;
}

enum bluegreen_colour decode_colour(struct json_object *object, const char *key)
{
    const char *name = decode_string_or_empty(object, key);
    return strcmp(name, "blue") == 0 ? BLUEGREEN_BLUE : strcmp(name, "green") == 0 ? BLUEGREEN_GREEN : BLUEGREEN_NONE;
}

/* Kept inside the object, so it lives as long. */
const char *decode_json(struct json_object *object)
{
    const char *json = json_object_to_json_string_ext(object, DECODE_JSON_FLAGS);
    return json ? json : "";
}

size_t decode_length(struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

/* --- operations -------------------------------------------------------------------------------------- */

struct result_store {
    struct bluegreen_result result; /* first */
    struct json_object *json;
    struct bluegreen_receipt receipt;
    struct rows items;
};

static void fill_receipt(struct json_object *object, struct bluegreen_receipt *receipt)
{
    *receipt = (struct bluegreen_receipt){
        .from = decode_colour(object, "from"),
        .to = decode_colour(object, "to"),
        .release = decode_string(object, "release"),
        .transaction_us = decode_count(object, "transaction_us"),
        .generation_before = decode_count(object, "generation_before"),
        .generation_after = decode_count(object, "generation_after"),
        .drained = decode_count(object, "drained"),
        .cut = decode_count(object, "cut"),
        .nudged = decode_count(object, "nudged"),
        .duration_ms = decode_count(object, "duration_ms"),
        .who = decode_string_or_empty(object, "who"),
        .json = decode_json(object),
    };
}

static bool fill_item(struct json_object *object, void *row)
{
    struct bluegreen_item *item = row;
    *item = (struct bluegreen_item){
        .kind = decode_string_or_empty(object, "kind"),
        .name = decode_string_or_empty(object, "name"),
        .values = {decode_string(object, "blue"), decode_string(object, "green")},
        .text = decode_string(object, "text"),
        .time = decode_string(object, "time"),
        .json = decode_json(object),
    };
    return true;
}

static bool fill_items(struct json_object *list, struct result_store *store)
{
    if (!decode_rows(list, sizeof(struct bluegreen_item), fill_item, &store->items))
        return false;
    store->result.items = store->items.pointers;
    store->result.item_count = store->items.count;
    return true;
}

struct bluegreen_result *decode_result(struct json_object *parameters)
{
    struct json_object *receipt = decode_object(parameters, "receipt");
    struct result_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    if (receipt) {
        fill_receipt(receipt, &store->receipt);
        store->result.receipt = &store->receipt;
    }
    store->result.text = decode_string(parameters, "text");
    store->result.json = decode_json(parameters);
    if (fill_items(decode_field(parameters, "items", json_type_array), store))
        return &store->result;
    bluegreen_result_free(&store->result);
    return NULL;
}

void bluegreen_result_free(struct bluegreen_result *result)
{
    struct result_store *store = (struct result_store *)result;
    if (!store)
        return;
    rows_clear(&store->items);
    json_object_put(store->json);
    free(store);
}

void decode_progress(struct json_object *object, struct bluegreen_progress *progress)
{
    *progress = (struct bluegreen_progress){
        .step = decode_string_or_empty(object, "step"),
        .zone = decode_colour(object, "zone"),
        .text = decode_string_or_empty(object, "text"),
        .has_connections = decode_field(object, "connections", json_type_int) != NULL,
        .connections = decode_count(object, "connections"),
        .elapsed_ms = decode_count(object, "elapsed_ms"),
        .wait_ms = decode_count(object, "wait_ms"),
        .waited_ms = decode_count(object, "waited_ms"),
        .live_connections = decode_count(object, "live_connections"),
        .nudged = decode_count(object, "nudged"),
        .json = decode_json(object),
    };
}

/* --- commands and logs --------------------------------------------------------------------------------- */

bool decode_exit(struct json_object *parameters, int *code, int *signal)
{
    *code = (int)decode_number(parameters, "code", -1);
    *signal = (int)decode_number(parameters, "signal", 0);
    return (*code >= 0 && *code <= 255) != (*signal > 0 && *signal < 128);
}

struct logs_store {
    struct bluegreen_logs logs; /* first */
    struct json_object *json;
};

static void place_descriptor(struct bluegreen_logs *logs, const char *kind, int fd)
{
    int *place = strcmp(kind, "log") == 0         ? &logs->log
                 : strcmp(kind, "old-log") == 0   ? &logs->old_log
                 : strcmp(kind, "index") == 0     ? &logs->index
                 : strcmp(kind, "old-index") == 0 ? &logs->old_index
                                                  : NULL;
    if (place && *place < 0)
        *place = fd;
    else
        close(fd);
}

struct bluegreen_logs *decode_logs(struct json_object *parameters, const int *fds, size_t fd_count)
{
    struct json_object *list = decode_field(parameters, "files", json_type_array);
    struct logs_store *store = calloc(1, sizeof *store);
    for (size_t i = 0; !store && i < fd_count; i++)
        close(fds[i]);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    store->logs = (struct bluegreen_logs){
        .zone = decode_colour(parameters, "zone"),
        .release = decode_string(parameters, "release"),
        .log = -1,
        .old_log = -1,
        .index = -1,
        .old_index = -1,
        .json = decode_json(parameters),
    };
    for (size_t i = 0; i < fd_count; i++) {
        struct json_object *kind = i < decode_length(list) ? json_object_array_get_idx(list, i) : NULL;
        place_descriptor(&store->logs, json_object_is_type(kind, json_type_string) ? json_object_get_string(kind) : "",
                         fds[i]);
    }
    return &store->logs;
}

void bluegreen_logs_free(struct bluegreen_logs *logs)
{
    struct logs_store *store = (struct logs_store *)logs;
    if (!store)
        return;
    const int fds[] = {logs->log, logs->old_log, logs->index, logs->old_index};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    json_object_put(store->json);
    free(store);
}
