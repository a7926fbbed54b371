/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to the public structures. Each result is one structure whose public part comes first; behind it stand the JSON
 * that all its strings are borrowed from, and the arrays.
 */
#include "client/decode.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* --- fields ---------------------------------------------------------------------------------------- */

static struct json_object *field(struct json_object *object, const char *key, enum json_type type)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
        return NULL;
    return json_object_is_type(value, type) ? value : NULL;
}

const char *decode_string(struct json_object *object, const char *key)
{
    struct json_object *value = field(object, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

struct json_object *decode_object(struct json_object *object, const char *key)
{
    return field(object, key, json_type_object);
}

bool decode_bool(struct json_object *object, const char *key)
{
    return json_object_get_boolean(field(object, key, json_type_boolean));
}

static const char *string_or_empty(struct json_object *object, const char *key)
{
    const char *string = decode_string(object, key);
    return string ? string : "";
}

static int64_t number(struct json_object *object, const char *key, int64_t absent)
{
    struct json_object *value = field(object, key, json_type_int);
    return value ? json_object_get_int64(value) : absent;
}

static uint64_t count(struct json_object *object, const char *key)
{
    int64_t value = number(object, key, 0);
    return value > 0 ? (uint64_t)value : 0;
}

static enum bluegreen_colour colour(struct json_object *object, const char *key)
{
    const char *name = string_or_empty(object, key);
    return strcmp(name, "blue") == 0 ? BLUEGREEN_BLUE : strcmp(name, "green") == 0 ? BLUEGREEN_GREEN : BLUEGREEN_NONE;
}

/* Kept inside the object, so it lives as long. */
static const char *json_of(struct json_object *object)
{
    const char *json = json_object_to_json_string_ext(object, DECODE_JSON_FLAGS);
    return json ? json : "";
}

static size_t list_length(struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

/* --- status ------------------------------------------------------------------------------------------ */

struct zone_store {
    const char **addresses;
    struct bluegreen_exit last_exit;
};

struct app_store {
    struct bluegreen_app app; /* first: what the public array points to */
    struct zone_store zones[2];
    struct bluegreen_port *ports;
    struct bluegreen_operation operation;
};

struct status_store {
    struct bluegreen_status status; /* first */
    struct json_object *json;
    struct app_store *apps;
    const struct bluegreen_app **pointers;
};

static bool fill_addresses(struct json_object *list, struct zone_store *store)
{
    size_t length = list_length(list), kept = 0;
    store->addresses = calloc(length + 1, sizeof *store->addresses);
    if (!store->addresses)
        return false;
    for (size_t i = 0; i < length; i++) {
        struct json_object *address = json_object_array_get_idx(list, i);
        if (json_object_is_type(address, json_type_string))
            store->addresses[kept++] = json_object_get_string(address);
    }
    return true;
}

static bool fill_zone(struct json_object *object, struct bluegreen_zone *zone, struct zone_store *store)
{
    struct json_object *connections = decode_object(object, "connections");
    struct json_object *last_exit = decode_object(object, "last_exit");
    *zone = (struct bluegreen_zone){
        .state = string_or_empty(object, "state"),
        .release = decode_string(object, "release"),
        .verdict = string_or_empty(object, "verdict"),
        .detail = decode_string(object, "detail"),
        .pid = number(object, "pid", 0),
        .shim_pid = number(object, "shim_pid", 0),
        .tcp = count(connections, "tcp"),
        .udp = count(connections, "udp"),
        .restarts = count(object, "restarts"),
    };
    if (last_exit) {
        store->last_exit = (struct bluegreen_exit){
            .code = (int)number(last_exit, "code", -1),
            .signal = (int)number(last_exit, "signal", 0),
            .time = string_or_empty(last_exit, "time"),
        };
        zone->last_exit = &store->last_exit;
    }
    if (!fill_addresses(field(object, "addresses", json_type_array), store))
        return false;
    zone->addresses = store->addresses;
    return true;
}

static bool fill_ports(struct json_object *list, struct app_store *store)
{
    size_t length = list_length(list);
    store->ports = calloc(length + 1, sizeof *store->ports);
    if (!store->ports)
        return false;
    for (size_t i = 0; i < length; i++) {
        struct json_object *port = json_object_array_get_idx(list, i);
        store->ports[i] = (struct bluegreen_port){
            .name = string_or_empty(port, "name"),
            .listen = string_or_empty(port, "listen"),
            .target = (unsigned)count(port, "target"),
            .protocol = string_or_empty(port, "protocol"),
        };
    }
    store->app.ports = store->ports;
    store->app.port_count = length;
    return true;
}

static bool fill_app(struct json_object *object, struct app_store *store)
{
    struct json_object *zones = decode_object(object, "zones");
    struct json_object *operation = decode_object(object, "operation");
    store->app.name = string_or_empty(object, "name");
    store->app.state = string_or_empty(object, "state");
    store->app.live = colour(object, "live");
    store->app.json = json_of(object);
    if (operation) {
        store->operation = (struct bluegreen_operation){
            .verb = string_or_empty(operation, "verb"),
            .step = string_or_empty(operation, "step"),
            .since = string_or_empty(operation, "since"),
            .who = string_or_empty(operation, "who"),
        };
        store->app.operation = &store->operation;
    }
    for (int i = 0; i < 2; i++) {
        struct json_object *zone = decode_object(zones, bluegreen_colour_name((enum bluegreen_colour)i));
        if (!fill_zone(zone, &store->app.zones[i], &store->zones[i]))
            return false;
    }
    return fill_ports(field(object, "ports", json_type_array), store);
}

static bool fill_status(struct status_store *store)
{
    struct json_object *list = field(store->json, "apps", json_type_array);
    size_t length = list_length(list);
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
    store->status.json = json_of(store->json);
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
        free(store->apps[i].zones[0].addresses);
        free(store->apps[i].zones[1].addresses);
        free(store->apps[i].ports);
    }
    free(store->apps);
    free(store->pointers);
    json_object_put(store->json);
    free(store);
}

/* --- history ----------------------------------------------------------------------------------------- */

struct history_store {
    struct bluegreen_history history; /* first */
    struct json_object *json;
    struct bluegreen_entry *entries;
    const struct bluegreen_entry **pointers;
};

static void fill_entry(struct json_object *object, struct bluegreen_entry *entry)
{
    *entry = (struct bluegreen_entry){
        .sequence = count(object, "sequence"),
        .time = string_or_empty(object, "time"),
        .app = string_or_empty(object, "app"),
        .verb = string_or_empty(object, "verb"),
        .who = string_or_empty(object, "who"),
        .release = decode_string(object, "release"),
        .from = colour(object, "from"),
        .to = colour(object, "to"),
        .duration_ms = count(object, "duration_ms"),
        .done = decode_bool(object, "done"),
        .reason = decode_string(object, "reason"),
        .json = json_of(object),
    };
}

struct bluegreen_history *decode_history(struct json_object *parameters)
{
    struct json_object *list = field(parameters, "entries", json_type_array);
    size_t length = list_length(list);
    struct history_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    store->entries = calloc(length + 1, sizeof *store->entries);
    store->pointers = calloc(length + 1, sizeof(void *));
    if (!store->entries || !store->pointers) {
        bluegreen_history_free(&store->history);
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        fill_entry(json_object_array_get_idx(list, i), &store->entries[i]);
        store->pointers[i] = &store->entries[i];
    }
    store->history =
        (struct bluegreen_history){.entries = store->pointers, .count = length, .json = json_of(parameters)};
    return &store->history;
}

void bluegreen_history_free(struct bluegreen_history *history)
{
    struct history_store *store = (struct history_store *)history;
    if (!store)
        return;
    free(store->entries);
    free(store->pointers);
    json_object_put(store->json);
    free(store);
}

/* --- operations -------------------------------------------------------------------------------------- */

struct result_store {
    struct bluegreen_result result; /* first */
    struct json_object *json;
    struct bluegreen_receipt receipt;
};

static void fill_receipt(struct json_object *object, struct bluegreen_receipt *receipt)
{
    *receipt = (struct bluegreen_receipt){
        .from = colour(object, "from"),
        .to = colour(object, "to"),
        .release = decode_string(object, "release"),
        .transaction_us = count(object, "transaction_us"),
        .generation_before = count(object, "generation_before"),
        .generation_after = count(object, "generation_after"),
        .drained = count(object, "drained"),
        .cut = count(object, "cut"),
        .duration_ms = count(object, "duration_ms"),
        .who = string_or_empty(object, "who"),
        .json = json_of(object),
    };
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
    store->result.json = json_of(parameters);
    return &store->result;
}

void bluegreen_result_free(struct bluegreen_result *result)
{
    struct result_store *store = (struct result_store *)result;
    if (!store)
        return;
    json_object_put(store->json);
    free(store);
}

void decode_progress(struct json_object *object, struct bluegreen_progress *progress)
{
    *progress = (struct bluegreen_progress){
        .step = string_or_empty(object, "step"),
        .zone = colour(object, "zone"),
        .text = string_or_empty(object, "text"),
        .has_connections = field(object, "connections", json_type_int) != NULL,
        .connections = count(object, "connections"),
        .elapsed_ms = count(object, "elapsed_ms"),
        .json = json_of(object),
    };
}
