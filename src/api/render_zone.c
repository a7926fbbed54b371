/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone and its processes as JSON. */
#include "api/render_put.h"

#include "model/verdict.h"
#include "model/wire_status.h"

static void add_address(struct json_object *list, const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];
    if (address->family != 0)
        append(list, json_object_new_string(address_format(address, text)));
}

static struct json_object *render_addresses(const struct wire_zone *zone)
{
    struct json_object *list = json_object_new_array();
    add_address(list, &zone->ipv4);
    add_address(list, &zone->ipv6);
    return list;
}

static struct json_object *render_connections(const struct wire_zone *zone)
{
    struct json_object *connections = json_object_new_object();
    put_number(connections, "tcp", zone->tcp);
    put_number(connections, "udp", zone->udp);
    return connections;
}

/* Either a code or a signal, never both; null where nothing has ended yet. */
struct json_object *render_exit(const struct wire_exit *last)
{
    if (!last->known)
        return NULL;
    struct json_object *object = json_object_new_object();
    put(object, "code", last->signalled ? NULL : json_object_new_int(last->value));
    put(object, "signal", last->signalled ? json_object_new_int(last->value) : NULL);
    put_time(object, "time", last->unix_ms);
    return object;
}

/* Null where nothing runs. Without cgroup v2's controllers, what is 0 is not known. */
static struct json_object *render_usage(const struct wire_zone *zone)
{
    const struct wire_usage *usage = &zone->usage;
    if (zone->shim_pid == 0)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_bool(object, "measured", usage->known);
    put_bool(object, "limited", usage->limits);
    put_number(object, "memory", usage->memory);
    put_number_or_null(object, "memory_peak", usage->memory_peak, usage->memory_peak > 0);
    put_number_or_null(object, "memory_limit", usage->memory_limit, usage->memory_limit > 0);
    put_number_or_null(object, "cpu_permille", usage->cpu_permille, usage->known || usage->cpu_us > 0);
    put_number_or_null(object, "cpu_limit_permille", usage->cpu_limit, usage->cpu_limit > 0);
    put_number_or_null(object, "cpu_us", usage->cpu_us, usage->known || usage->cpu_us > 0);
    put_number_or_null(object, "throttled_us", usage->throttled_us, usage->known);
    put_number_or_null(object, "tasks", usage->tasks, usage->known || usage->tasks > 0);
    put_number_or_null(object, "tasks_limit", usage->tasks_limit, usage->tasks_limit > 0);
    put_number_or_null(object, "oom_kills", usage->oom_kills, usage->known);
    return object;
}

static const char *process_state_name(uint8_t state)
{
    static const char *const names[] = {
        [PROCESS_WAITING] = "waiting",   [PROCESS_RUNNING] = "running", [PROCESS_BACK_OFF] = "back-off",
        [PROCESS_STOPPING] = "stopping", [PROCESS_ENDED] = "ended",
    };
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

static struct json_object *render_process(const struct wire_process *process)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "name", process->name);
    put_word(object, "when", process->live_only ? "live" : "always");
    put_word(object, "state", process_state_name(process->state));
    put_pid(object, "pid", process->pid);
    put_number(object, "restarts", process->restarts);
    put(object, "last_exit", render_exit(&process->last_exit));
    return object;
}

static struct json_object *render_processes(const struct wire_zone *zone)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < zone->process_count && i < PROCESSES_MAX; i++)
        append(list, render_process(&zone->processes[i]));
    return list;
}

static void put_fence(struct json_object *object, const struct wire_zone *zone)
{
    static const char *const words[WIRE_FENCES] = {[FENCE_OPEN] = "open", [FENCE_CLOSED] = "closed"};
    put_text_or_null(object, "fence", zone->fence < WIRE_FENCES && words[zone->fence] ? words[zone->fence] : "");
    put_number(object, "refused", zone->refused);
}

struct json_object *render_zone(const struct wire_zone *zone)
{
    struct json_object *object = json_object_new_object();
    put_word(object, "state", zone_state_name((enum zone_state)zone->state));
    put_text_or_null(object, "release", zone->release);
    put(object, "addresses", render_addresses(zone));
    put_pid(object, "pid", zone->pid);
    put_pid(object, "shim_pid", zone->shim_pid);
    put(object, "connections", render_connections(zone));
    put_number(object, "restarts", zone->restarts);
    put(object, "last_exit", render_exit(&zone->last_exit));
    put_word(object, "verdict", verdict_name((enum verdict)zone->verdict));
    put_text_or_null(object, "detail", zone->detail);
    put_bool(object, "crash_loop", zone->crash_loop);
    if (zone->kept_until_unix_ms)
        put_time(object, "kept_until", zone->kept_until_unix_ms);
    else
        put(object, "kept_until", NULL);
    put_fence(object, zone);
    put(object, "usage", render_usage(zone));
    put(object, "processes", render_processes(zone));
    return object;
}
