/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON to a zone, what it uses, and its processes. */
#include "client/decode_zone.h"

#include <json-c/json.h>
#include <stdlib.h>

struct process_row {
    struct bluegreen_process process; /* first */
    struct bluegreen_exit last_exit;
};

static const struct bluegreen_exit *fill_exit(struct json_object *object, struct bluegreen_exit *last)
{
    if (!object)
        return NULL;
    *last = (struct bluegreen_exit){
        .code = (int)decode_number(object, "code", -1),
        .signal = (int)decode_number(object, "signal", 0),
        .time = decode_string_or_empty(object, "time"),
    };
    return last;
}

static void fill_workload(struct json_object *object, struct zone_store *store)
{
    struct json_object *usage = decode_object(object, "usage");
    store->workload.crash_loop = decode_bool(object, "crash_loop");
    store->workload.kept_until = decode_string(object, "kept_until");
    store->workload.fence = decode_string(object, "fence");
    store->workload.refused = decode_count(object, "refused");
    if (!usage)
        return;
    store->usage = (struct bluegreen_usage){
        .measured = decode_bool(usage, "measured"),
        .limited = decode_bool(usage, "limited"),
        .memory = decode_count(usage, "memory"),
        .memory_peak = decode_count(usage, "memory_peak"),
        .memory_limit = decode_count(usage, "memory_limit"),
        .cpu_permille = decode_count(usage, "cpu_permille"),
        .cpu_limit = decode_count(usage, "cpu_limit_permille"),
        .cpu_us = decode_count(usage, "cpu_us"),
        .throttled_us = decode_count(usage, "throttled_us"),
        .tasks = decode_count(usage, "tasks"),
        .tasks_limit = decode_count(usage, "tasks_limit"),
        .oom_kills = decode_count(usage, "oom_kills"),
    };
    store->workload.usage = &store->usage;
}

static bool fill_process(struct json_object *object, void *row)
{
    struct process_row *process = row;
    process->process = (struct bluegreen_process){
        .name = decode_string_or_empty(object, "name"),
        .when = decode_string_or_empty(object, "when"),
        .state = decode_string_or_empty(object, "state"),
        .pid = decode_number(object, "pid", 0),
        .restarts = decode_count(object, "restarts"),
        .last_exit = fill_exit(decode_object(object, "last_exit"), &process->last_exit),
    };
    return true;
}

static bool fill_processes(struct json_object *list, struct zone_store *store)
{
    if (!decode_rows(list, sizeof(struct process_row), fill_process, &store->processes))
        return false;
    store->workload.processes = store->processes.pointers;
    return true;
}

static bool fill_addresses(struct json_object *list, struct zone_store *store)
{
    size_t length = decode_length(list), kept = 0;
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

bool decode_zone(struct json_object *object, struct bluegreen_zone *zone, struct zone_store *store)
{
    struct json_object *connections = decode_object(object, "connections");
    struct json_object *last_exit = decode_object(object, "last_exit");
    *zone = (struct bluegreen_zone){
        .state = decode_string_or_empty(object, "state"),
        .release = decode_string(object, "release"),
        .verdict = decode_string_or_empty(object, "verdict"),
        .detail = decode_string(object, "detail"),
        .pid = decode_number(object, "pid", 0),
        .shim_pid = decode_number(object, "shim_pid", 0),
        .tcp = decode_count(connections, "tcp"),
        .udp = decode_count(connections, "udp"),
        .restarts = decode_count(object, "restarts"),
    };
    zone->last_exit = fill_exit(last_exit, &store->last_exit);
    fill_workload(object, store);
    if (!fill_addresses(decode_field(object, "addresses", json_type_array), store))
        return false;
    zone->addresses = store->addresses;
    return fill_processes(decode_field(object, "processes", json_type_array), store);
}

void zone_store_clear(struct zone_store *store)
{
    free(store->addresses);
    rows_clear(&store->processes);
}
