/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON to the public structures of a status. */
#include "client/decode.h"

#include "client/decode_feed.h"
#include "client/decode_zone.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

struct app_row {
    struct bluegreen_app app; /* first */
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
    struct rows apps;
};

static bool fill_ports(struct json_object *list, struct app_row *store)
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

static void fill_bake(struct json_object *object, struct app_row *store)
{
    if (!object)
        return;
    store->bake = (struct bluegreen_bake){
        .until = decode_string_or_empty(object, "until"),
        .verdict = decode_string_or_empty(object, "verdict"),
    };
    store->app.bake = &store->bake;
}

static void fill_canary(struct json_object *object, struct app_row *store)
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

static void fill_preview(struct json_object *object, struct app_row *store)
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

static void fill_drain(struct json_object *object, struct app_row *store)
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

static void fill_lock(struct json_object *object, struct app_row *store)
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

static void fill_schema(struct json_object *object, struct app_row *store)
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

static bool fill_app(struct json_object *object, void *row)
{
    struct app_row *store = row;
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
    if (!decode_rows(list, sizeof(struct app_row), fill_app, &store->apps))
        return false;
    store->status.apps = store->apps.pointers;
    store->status.count = store->apps.count;
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
    for (size_t i = 0; i < store->apps.count; i++) {
        struct app_row *app = rows_at(&store->apps, i);
        zone_store_clear(&app->zones[0]);
        zone_store_clear(&app->zones[1]);
        free(app->ports);
        free(app->published);
    }
    rows_clear(&store->apps);
    json_object_put(store->json);
    free(store);
}
