/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The history from JSON: entries, and what belongs to each. Apart from decode.c because of the arrays in arrays. */
#include "client/decode.h"

#include <json-c/json.h>
#include <stdlib.h>

/* What an entry's arrays are in. */
struct entry_store {
    struct bluegreen_step *steps;
    struct bluegreen_switched switched;
    struct bluegreen_served *served;
    struct bluegreen_hook *hooks;
};

struct history_store {
    struct bluegreen_history history; /* first */
    struct json_object *json;
    struct bluegreen_entry *entries;
    const struct bluegreen_entry **pointers;
    struct entry_store *stores;
};

static void fill_entry(struct json_object *object, struct bluegreen_entry *entry)
{
    *entry = (struct bluegreen_entry){
        .sequence = decode_count(object, "sequence"),
        .time = decode_string_or_empty(object, "time"),
        .app = decode_string_or_empty(object, "app"),
        .verb = decode_string_or_empty(object, "verb"),
        .who = decode_string_or_empty(object, "who"),
        .release = decode_string(object, "release"),
        .from = decode_colour(object, "from"),
        .to = decode_colour(object, "to"),
        .duration_ms = decode_count(object, "duration_ms"),
        .done = decode_bool(object, "done"),
        .reason = decode_string(object, "reason"),
        .json = decode_json(object),
        .incident = decode_string(object, "incident"),
    };
}

void decode_served(struct json_object *object, struct bluegreen_served *served)
{
    *served = (struct bluegreen_served){
        .zone = decode_colour(object, "zone"),
        .release = decode_string(object, "release"),
        .since = decode_string_or_empty(object, "since"),
        .until = decode_string(object, "until"),
        .duration_ms = decode_count(object, "duration_ms"),
        .connections = decode_count(object, "connections"),
        .datagrams = decode_count(object, "datagrams"),
        .requests_known = decode_field(object, "requests", json_type_int) != NULL,
        .requests = decode_count(object, "requests"),
    };
}

static void fill_switched(struct json_object *object, struct bluegreen_switched *switched)
{
    *switched = (struct bluegreen_switched){
        .transaction_us = decode_count(object, "transaction_us"),
        .generation_before = decode_count(object, "generation_before"),
        .generation_after = decode_count(object, "generation_after"),
        .drain_known = decode_field(object, "drained", json_type_int) != NULL,
        .drained = decode_count(object, "drained"),
        .cut = decode_count(object, "cut"),
        .left = decode_count(object, "left"),
        .drain_ms = decode_count(object, "drain_ms"),
        .nudged = decode_count(object, "nudged"),
        .drain_ended = decode_field(object, "cut", json_type_int) != NULL,
    };
}

static void fill_hook(struct json_object *object, struct bluegreen_hook *hook)
{
    *hook = (struct bluegreen_hook){
        .name = decode_string_or_empty(object, "hook"),
        .zone = decode_colour(object, "zone"),
        .ended = decode_string_or_empty(object, "ended"),
        .duration_ms = decode_count(object, "duration_ms"),
        .done = decode_bool(object, "done"),
        .reason = decode_string(object, "reason"),
        .output = decode_string_or_empty(object, "output"),
    };
}

/* False: no memory. */
static bool fill_parts(struct json_object *object, struct bluegreen_entry *entry, struct entry_store *store)
{
    struct json_object *steps = decode_field(object, "steps", json_type_array),
                       *served = decode_field(object, "served", json_type_array),
                       *hooks = decode_field(object, "hooks", json_type_array),
                       *receipt = decode_object(object, "receipt");
    entry->step_count = decode_length(steps);
    entry->served_count = decode_length(served);
    entry->hook_count = decode_length(hooks);
    entry->steps = store->steps = calloc(entry->step_count + 1, sizeof *store->steps);
    entry->served = store->served = calloc(entry->served_count + 1, sizeof *store->served);
    entry->hooks = store->hooks = calloc(entry->hook_count + 1, sizeof *store->hooks);
    if (!store->steps || !store->served || !store->hooks)
        return false;
    for (size_t i = 0; i < entry->step_count; i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        store->steps[i].name = decode_string_or_empty(step, "step");
        store->steps[i].duration_ms = decode_count(step, "duration_ms");
    }
    for (size_t i = 0; i < entry->served_count; i++)
        decode_served(json_object_array_get_idx(served, i), &store->served[i]);
    for (size_t i = 0; i < entry->hook_count; i++)
        fill_hook(json_object_array_get_idx(hooks, i), &store->hooks[i]);
    if (receipt) {
        fill_switched(receipt, &store->switched);
        entry->switched = &store->switched;
    }
    return true;
}

struct bluegreen_history *decode_history(struct json_object *parameters)
{
    struct json_object *list = decode_field(parameters, "entries", json_type_array);
    size_t length = decode_length(list);
    struct history_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    store->entries = calloc(length + 1, sizeof *store->entries);
    store->pointers = calloc(length + 1, sizeof(void *));
    store->stores = calloc(length + 1, sizeof *store->stores);
    bool filled = store->entries && store->pointers && store->stores;
    for (size_t i = 0; filled && i < length; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        fill_entry(entry, &store->entries[i]);
        store->pointers[i] = &store->entries[i];
        store->history.count = i + 1; /* for whoever frees it */
        filled = fill_parts(entry, &store->entries[i], &store->stores[i]);
    }
    if (!filled) {
        bluegreen_history_free(&store->history);
        return NULL;
    }
    store->history.entries = store->pointers;
    store->history.json = decode_json(parameters);
    return &store->history;
}

void bluegreen_history_free(struct bluegreen_history *history)
{
    struct history_store *store = (struct history_store *)history;
    if (!store)
        return;
    for (size_t i = 0; store->stores && i < history->count; i++) {
        free(store->stores[i].steps);
        free(store->stores[i].served);
        free(store->stores[i].hooks);
    }
    free(store->stores);
    free(store->entries);
    free(store->pointers);
    json_object_put(store->json);
    free(store);
}
