/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to the public structures. Each result is one structure whose public part comes first; behind it stand the JSON
 * that all its strings are borrowed from, and the arrays.
 */
#include "client/decode.h"

#include "client/decode_feed.h"
#include "client/decode_zone.h"

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

/* --- status ------------------------------------------------------------------------------------------ */

struct app_store {
    struct bluegreen_app app; /* first: what the public array points to */
    struct zone_store zones[2];
    struct bluegreen_port *ports;
    struct bluegreen_published *published;
    struct bluegreen_operation operation;
    struct bluegreen_bake bake;
    struct bluegreen_drain drain;
    struct bluegreen_lock lock;
    struct bluegreen_schema schema;
    struct bluegreen_served served;
    struct bluegreen_canary canary;
    struct bluegreen_preview preview;
    struct bluegreen_feed feed;
};

struct status_store {
    struct bluegreen_status status; /* first */
    struct json_object *json;
    struct app_store *apps;
    const struct bluegreen_app **pointers;
};

static bool fill_ports(struct json_object *list, struct app_store *store)
{
    size_t length = decode_length(list);
    store->ports = calloc(length + 1, sizeof *store->ports);
    store->published = calloc(length + 1, sizeof *store->published);
    if (!store->ports || !store->published)
        return false;
    for (size_t i = 0; i < length; i++) {
        struct json_object *port = json_object_array_get_idx(list, i);
        store->ports[i] = (struct bluegreen_port){
            .name = decode_string_or_empty(port, "name"),
            .listen = decode_string_or_empty(port, "listen"),
            .target = (unsigned)decode_count(port, "target"),
            .protocol = decode_string_or_empty(port, "protocol"),
        };
        store->published[i] = (struct bluegreen_published){
            /* An agent of before has no ranges and does not say so. */
            .count = (unsigned)decode_count(port, "count") ?: 1,
            .host_connections = (unsigned)decode_count(port, "host_connections"),
        };
    }
    store->app.ports = store->ports;
    store->app.published = store->published;
    store->app.port_count = length;
    return true;
}

static void fill_bake(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->bake = (struct bluegreen_bake){
        .until = decode_string_or_empty(object, "until"),
        .verdict = decode_string_or_empty(object, "verdict"),
    };
    store->app.bake = &store->bake;
}

static void fill_canary(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->canary = (struct bluegreen_canary){
        .zone = decode_colour(object, "zone"),
        .percent = (unsigned)decode_count(object, "percent"),
        .sticky = decode_bool(object, "sticky"),
        .since = decode_string_or_empty(object, "since"),
        .verdict = decode_string_or_empty(object, "verdict"),
    };
    store->app.canary = &store->canary;
}

static void fill_preview(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->preview = (struct bluegreen_preview){
        .zone = decode_colour(object, "zone"),
        .url = decode_string(object, "url"),
        .clients = decode_count(object, "clients"),
    };
    store->app.preview = &store->preview;
}

static void fill_drain(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->drain = (struct bluegreen_drain){
        .zone = decode_colour(object, "zone"),
        .connections = decode_count(object, "connections"),
        .most = decode_count(object, "most"),
        .nudged = decode_count(object, "nudged"),
        .left_ms = decode_count(object, "left_ms"),
        .then = decode_string_or_empty(object, "then"),
    };
    store->app.drain = &store->drain;
}

static void fill_lock(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->lock = (struct bluegreen_lock){
        .since = decode_string_or_empty(object, "since"),
        .who = decode_string_or_empty(object, "who"),
        .reason = decode_string_or_empty(object, "reason"),
    };
    store->app.lock = &store->lock;
}

static void fill_schema(struct json_object *object, struct app_store *store)
{
    if (!object)
        return;
    store->schema = (struct bluegreen_schema){
        .state = decode_string_or_empty(object, "state"),
        .expanded = decode_count(object, "expanded"),
        .contracted = decode_count(object, "contracted"),
        .text = decode_string_or_empty(object, "text"),
    };
    store->app.schema = &store->schema;
}

static bool fill_app(struct json_object *object, struct app_store *store)
{
    struct json_object *zones = decode_object(object, "zones");
    struct json_object *operation = decode_object(object, "operation");
    store->app.name = decode_string_or_empty(object, "name");
    store->app.state = decode_string_or_empty(object, "state");
    store->app.live = decode_colour(object, "live");
    store->app.json = decode_json(object);
    if (operation) {
        store->operation = (struct bluegreen_operation){
            .verb = decode_string_or_empty(operation, "verb"),
            .step = decode_string_or_empty(operation, "step"),
            .since = decode_string_or_empty(operation, "since"),
            .who = decode_string_or_empty(operation, "who"),
        };
        store->app.operation = &store->operation;
    }
    fill_bake(decode_object(object, "bake"), store);
    fill_drain(decode_object(object, "drain"), store);
    if (decode_object(object, "served")) {
        decode_served(decode_object(object, "served"), &store->served);
        store->app.served = &store->served;
    }
    fill_canary(decode_object(object, "canary"), store);
    fill_preview(decode_object(object, "preview"), store);
    if (decode_object(object, "feed")) {
        decode_feed(decode_object(object, "feed"), &store->feed);
        store->app.feed = &store->feed;
    }
    fill_lock(decode_object(object, "lock"), store);
    fill_schema(decode_object(object, "schema"), store);
    store->app.queued = decode_count(object, "queued");
    store->app.group = decode_string(object, "group");
    store->app.firewall = decode_string(object, "firewall");
    for (int i = 0; i < 2; i++) {
        struct json_object *zone = decode_object(zones, bluegreen_colour_name((enum bluegreen_colour)i));
        if (!decode_zone(zone, &store->app.zones[i], &store->zones[i]))
            return false;
        store->app.workload[i] = &store->zones[i].workload;
    }
    return fill_ports(decode_field(object, "ports", json_type_array), store);
}

static bool fill_status(struct status_store *store)
{
    struct json_object *list = decode_field(store->json, "apps", json_type_array);
    size_t length = decode_length(list);
    store->apps = calloc(length + 1, sizeof *store->apps);
    store->pointers = calloc(length + 1, sizeof(void *));
    if (!store->apps || !store->pointers)
        return false;
    store->status.count = length;
    for (size_t i = 0; i < length; i++) {
        store->pointers[i] = &store->apps[i].app;
        if (!fill_app(json_object_array_get_idx(list, i), &store->apps[i]))
            return false;
    }
    store->status.apps = store->pointers;
    store->status.json = decode_json(store->json);
    return true;
}

struct bluegreen_status *decode_status(struct json_object *parameters)
{
    struct status_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    if (fill_status(store))
        return &store->status;
    bluegreen_status_free(&store->status);
    return NULL;
}

void bluegreen_status_free(struct bluegreen_status *status)
{
    struct status_store *store = (struct status_store *)status;
    if (!store)
        return;
    for (size_t i = 0; store->apps && i < store->status.count; i++) {
        zone_store_clear(&store->apps[i].zones[0]);
        zone_store_clear(&store->apps[i].zones[1]);
        free(store->apps[i].ports);
        free(store->apps[i].published);
    }
    free(store->apps);
    free(store->pointers);
    json_object_put(store->json);
    free(store);
}

/* --- operations -------------------------------------------------------------------------------------- */

struct result_store {
    struct bluegreen_result result; /* first */
    struct json_object *json;
    struct bluegreen_receipt receipt;
    struct bluegreen_item *items;
    const struct bluegreen_item **pointers;
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

static void fill_item(struct json_object *object, struct bluegreen_item *item)
{
    *item = (struct bluegreen_item){
        .kind = decode_string_or_empty(object, "kind"),
        .name = decode_string_or_empty(object, "name"),
        .values = {decode_string(object, "blue"), decode_string(object, "green")},
        .text = decode_string(object, "text"),
        .time = decode_string(object, "time"),
        .json = decode_json(object),
    };
}

static bool fill_items(struct json_object *list, struct result_store *store)
{
    size_t length = decode_length(list);
    store->items = calloc(length + 1, sizeof *store->items);
    store->pointers = calloc(length + 1, sizeof(void *));
    if (!store->items || !store->pointers)
        return false;
    for (size_t i = 0; i < length; i++) {
        fill_item(json_object_array_get_idx(list, i), &store->items[i]);
        store->pointers[i] = &store->items[i];
    }
    store->result.items = store->pointers;
    store->result.item_count = length;
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
    free(store->items);
    free(store->pointers);
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
