/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The history from JSON: entries, and what belongs to each. Apart from decode.c because of the arrays in arrays. */
#include "client/decode.h"
#include "client/decode_rows.h"

#include <json-c/json.h>
#include <stdlib.h>

/* An entry, and what its arrays are in. */
struct entry_row {
    struct bluegreen_entry entry; /* first */
    struct bluegreen_step *steps;
    struct bluegreen_switched switched;
    struct bluegreen_served *served;
    struct bluegreen_hook *hooks;
};

struct history_store {
    struct bluegreen_history history; /* first */
    struct json_object *json;
    struct rows entries;
};

static void fill_facts(struct json_object *object, struct bluegreen_entry *entry)
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
static bool fill_parts(struct json_object *object, struct entry_row *store)
{
    struct bluegreen_entry *entry = &store->entry;
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

static bool fill_entry(struct json_object *object, void *row)
{
    struct entry_row *store = row;
    fill_facts(object, &store->entry);
    return fill_parts(object, store);
}

struct bluegreen_history *decode_history(struct json_object *parameters)
{
    struct json_object *list = decode_field(parameters, "entries", json_type_array);
    struct history_store *store = calloc(1, sizeof *store);
    if (!store) {
        json_object_put(parameters);
        return NULL;
    }
    store->json = parameters;
    if (!decode_rows(list, sizeof(struct entry_row), fill_entry, &store->entries)) {
        bluegreen_history_free(&store->history);
        return NULL;
    }
    store->history.entries = store->entries.pointers;
    store->history.count = store->entries.count;
    store->history.json = decode_json(parameters);
    return &store->history;
}

void bluegreen_history_free(struct bluegreen_history *history)
{
    struct history_store *store = (struct history_store *)history;
    if (!store)
        return;
    for (size_t i = 0; i < store->entries.count; i++) {
        struct entry_row *entry = rows_at(&store->entries, i);
        free(entry->steps);
        free(entry->served);
        free(entry->hooks);
    }
    rows_clear(&store->entries);
    json_object_put(store->json);
    free(store);
}
