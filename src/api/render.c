/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wire structures to JSON objects: one function a type, one line a field. */
#include "api/render_put.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/history.h"
#include "model/schema.h"
#include "model/verdict.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- values: a name, and what stands behind it ------------------------------------------------- */

static void append(struct json_object *list, struct json_object *value)
{
    if (!list || json_object_array_add(list, value) < 0)
        json_object_put(value);
}

static void put_pid(struct json_object *object, const char *name, int32_t pid)
{
    put(object, name, pid > 0 ? json_object_new_int(pid) : NULL);
}

struct json_object *render_time(uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    char date[40], text[48];
    if (!gmtime_r(&seconds, &utc) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        return NULL;
    snprintf(text, sizeof text, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
    return json_object_new_string(text);
}

static void put_time(struct json_object *object, const char *name, uint64_t unix_ms)
{
    put(object, name, render_time(unix_ms));
}

struct json_object *render_text(const char *text, size_t size)
{
    CLEANUP_FREE char *copy = strndup(text, size);
    if (!copy)
        return NULL;
    for (char *line = copy; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        text_sanitise(line);
        if (end)
            *end++ = '\n';
        line = end;
    }
    return json_object_new_string(copy);
}

/* --- types of the interface ------------------------------------------------------------------------ */

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

static struct json_object *render_zone(const struct wire_zone *zone)
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

static struct json_object *render_port(const struct wire_port *port)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "name", port->name);
    put_text(object, "listen", port->listen);
    put_number(object, "target", port->target);
    put_number(object, "count", port->count);
    put_word(object, "protocol", protocol_name((enum protocol)port->protocol));
    put_number(object, "host_connections", port->host_connections);
    return object;
}

static struct json_object *render_ports(const struct wire_status *status)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < status->port_count && i < SERVICE_PORTS_MAX; i++)
        append(list, render_port(&status->ports[i]));
    return list;
}

static struct json_object *render_operation(const struct wire_operation *operation)
{
    if (!operation->present)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_word(object, "verb", verb_name((enum wire_verb)operation->verb));
    put_text(object, "step", operation->step);
    put_time(object, "since", operation->since_unix_ms);
    put_text(object, "who", operation->who);
    return object;
}

static struct json_object *render_bake(const struct wire_bake *bake)
{
    if (!bake->baking)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_time(object, "until", bake->until_unix_ms);
    put_text(object, "verdict", bake->verdict);
    return object;
}

static struct json_object *render_canary(const struct wire_canary *canary)
{
    if (canary->percent == 0)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_number(object, "percent", canary->percent);
    put_bool(object, "sticky", canary->sticky);
    put_colour(object, "zone", canary->zone);
    put_time(object, "since", canary->since_unix_ms);
    put_text(object, "verdict", canary->verdict);
    return object;
}

static struct json_object *render_preview(const struct wire_preview *preview)
{
    if (!preview->reached)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_colour(object, "zone", preview->zone);
    put_text_or_null(object, "url", preview->url);
    put_number(object, "clients", preview->clients);
    return object;
}

static struct json_object *render_drain(const struct wire_drain *drain)
{
    if (!drain->present)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_colour(object, "zone", drain->zone);
    put_number(object, "connections", drain->connections);
    put_number(object, "most", drain->most);
    put_number(object, "nudged", drain->nudged);
    put_number(object, "left_ms", drain->left_ms);
    put_word(object, "then", drain->leave ? "leave" : "cut");
    return object;
}

static struct json_object *render_served(const struct wire_served *served)
{
    if (!served->known)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_colour(object, "zone", served->zone);
    put_text_or_null(object, "release", served->release);
    put_time(object, "since", served->since_unix_ms);
    if (served->until_unix_ms)
        put_time(object, "until", served->until_unix_ms);
    else
        put(object, "until", NULL);
    uint64_t until = served->until_unix_ms, since = served->since_unix_ms;
    put(object, "duration_ms", until ? json_object_new_uint64(until > since ? until - since : 0) : NULL);
    put_number(object, "connections", served->connections);
    put_number(object, "datagrams", served->datagrams);
    put(object, "requests", served->requests_known ? json_object_new_uint64(served->requests) : NULL);
    return object;
}

static struct json_object *render_lock(const struct wire_lock *lock)
{
    if (!lock->locked)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_time(object, "since", lock->since_unix_ms);
    put_text(object, "who", lock->who);
    put_text(object, "reason", lock->reason);
    return object;
}

static struct json_object *render_schema(const struct wire_schema *schema)
{
    if (!schema->present)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_word(object, "state", schema_state_name((enum schema_state)schema->state));
    put_number(object, "expanded", schema->expanded);
    put_number(object, "contracted", schema->contracted);
    put_text(object, "text", schema->text);
    return object;
}

struct json_object *render_status(const struct wire_status *status)
{
    struct json_object *app = json_object_new_object();
    struct json_object *zones = json_object_new_object();
    put_text(app, "name", status->name);
    put_word(app, "state", app_state_name((enum app_state)status->state));
    put_colour(app, "live", status->live);
    put(zones, colour_name(BLUE), render_zone(&status->zones[BLUE]));
    put(zones, colour_name(GREEN), render_zone(&status->zones[GREEN]));
    put(app, "zones", zones);
    put(app, "ports", render_ports(status));
    put_text_or_null(app, "firewall", status->firewall);
    put(app, "operation", render_operation(&status->operation));
    put(app, "bake", render_bake(&status->bake));
    put(app, "drain", render_drain(&status->drain));
    put(app, "served", render_served(&status->served));
    put(app, "lock", render_lock(&status->lock));
    put(app, "schema", render_schema(&status->schema));
    put_number(app, "queued", status->queued);
    put_text_or_null(app, "group", status->group);
    put(app, "canary", render_canary(&status->canary));
    put(app, "preview", render_preview(&status->preview));
    put(app, "feed", render_feed(&status->feed));
    return app;
}

static struct json_object *render_all_served(const struct wire_history *entry)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < WIRE_SERVED_MAX; i++) {
        if (entry->served[i].known)
            append(list, render_served(&entry->served[i]));
    }
    return list;
}

static struct json_object *render_steps(const struct wire_history *entry)
{
    struct json_object *list = json_object_new_array();
    const char *steps = entry->steps;
    char name[32];
    uint64_t ms;
    while (history_next_step(&steps, name, sizeof name, &ms)) {
        struct json_object *step = json_object_new_object();
        put_word(step, "step", name);
        put_number(step, "duration_ms", ms);
        append(list, step);
    }
    return list;
}

static void put_if(struct json_object *object, const char *name, bool known, uint64_t number)
{
    put(object, name, known ? json_object_new_uint64(number) : NULL);
}

static struct json_object *render_entry_receipt(const struct wire_history *entry)
{
    if (!entry->switched)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_number(object, "transaction_us", entry->transaction_us);
    put_number(object, "generation_before", entry->generation_before);
    put_number(object, "generation_after", entry->generation_after);
    bool ended = entry->has_drain, counted = ended && !entry->drained_unknown;
    put_if(object, "drained", counted, entry->drained);
    put_if(object, "cut", ended, entry->cut);
    put_if(object, "left", ended, entry->left);
    put_if(object, "drain_ms", ended, entry->drain_ms);
    put_if(object, "nudged", counted, entry->nudged);
    return object;
}

struct json_object *render_hook(const struct wire_hook *hook)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "hook", hook->name);
    put_colour(object, "zone", hook->zone);
    put_time(object, "ended", hook->ended_unix_ms);
    put_number(object, "duration_ms", hook->duration_ms);
    put_bool(object, "done", hook->ok);
    put_text_or_null(object, "reason", hook->reason);
    put_text(object, "output", hook->output);
    return object;
}

struct json_object *render_history(const struct wire_history *entry, struct json_object *hooks)
{
    struct json_object *object = json_object_new_object();
    put_number(object, "sequence", entry->sequence);
    put_time(object, "time", entry->begun_unix_ms);
    put_text(object, "app", entry->app);
    put_word(object, "verb",
             entry->incident    ? "incident"
             : entry->is_served ? "served"
                                : verb_name((enum wire_verb)entry->verb));
    put_colour(object, "from", entry->incident || entry->is_served ? -1 : entry->from);
    put_colour(object, "to", entry->to);
    put_text_or_null(object, "release", entry->release);
    put_text(object, "who", entry->who);
    put_number(object, "duration_ms", entry->duration_ms);
    put_bool(object, "done", entry->done);
    put_text_or_null(object, "reason", entry->reason);
    put(object, "incident",
        entry->incident ? json_object_new_string(incident_name((enum incident)entry->incident)) : NULL);
    put(object, "steps", render_steps(entry));
    put(object, "receipt", render_entry_receipt(entry));
    put(object, "served", render_all_served(entry));
    put(object, "hooks", hooks ? json_object_get(hooks) : NULL);
    return object;
}

struct json_object *render_stdio(const struct wire_stdio *stdio)
{
    static const char *const kinds[WIRE_STREAMS] = {
        [WIRE_STREAM_STDIN] = "stdin",
        [WIRE_STREAM_STDOUT] = "stdout",
        [WIRE_STREAM_STDERR] = "stderr",
        [WIRE_STREAM_TERMINAL] = "terminal",
    };
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < stdio->count && i < WIRE_STREAMS; i++)
        append(list, json_object_new_string(stdio->kinds[i] < WIRE_STREAMS ? kinds[stdio->kinds[i]] : "unknown"));
    put(object, "streams", list);
    return object;
}

struct json_object *render_files(const struct wire_files *files)
{
    static const char *const kinds[] = {
        [WIRE_FILE_LOG] = "log",
        [WIRE_FILE_LOG_OLD] = "old-log",
        [WIRE_FILE_INDEX] = "index",
        [WIRE_FILE_INDEX_OLD] = "old-index",
    };
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    put_colour(object, "zone", files->zone);
    put_text_or_null(object, "release", files->release);
    for (size_t i = 0; i < files->count && i < sizeof files->kinds; i++) {
        bool known = files->kinds[i] < sizeof kinds / sizeof *kinds;
        append(list, json_object_new_string(known ? kinds[files->kinds[i]] : "unknown"));
    }
    put(object, "files", list);
    return object;
}

struct json_object *render_receipt(const struct wire_receipt *receipt)
{
    struct json_object *object = json_object_new_object();
    put_colour(object, "from", receipt->from);
    put_colour(object, "to", receipt->to);
    put_text_or_null(object, "release", receipt->release);
    put_number(object, "transaction_us", receipt->transaction_us);
    put_number(object, "generation_before", receipt->generation_before);
    put_number(object, "generation_after", receipt->generation_after);
    put_number(object, "drained", receipt->drained);
    put_number(object, "cut", receipt->cut);
    put_number(object, "nudged", receipt->nudged);
    put_number(object, "duration_ms", receipt->duration_ms);
    put_text(object, "who", receipt->who);
    return object;
}

struct json_object *render_progress(const struct wire_progress *progress)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "step", progress->step);
    put_colour(object, "zone", progress->zone);
    put_text(object, "text", progress->text);
    put(object, "connections", progress->has_count ? json_object_new_uint64(progress->connections) : NULL);
    put_number_or_null(object, "live_connections", progress->live_connections, progress->has_count);
    put_number_or_null(object, "nudged", progress->nudged, progress->has_count);
    put_number(object, "elapsed_ms", progress->elapsed_ms);
    put_number_or_null(object, "wait_ms", progress->wait_ms, progress->wait_ms > 0);
    put_number_or_null(object, "waited_ms", progress->waited_ms, progress->wait_ms > 0);
    return object;
}

struct json_object *render_item(const struct wire_item *item)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "kind", item->kind);
    put_text(object, "name", item->name);
    put_text_or_null(object, "blue", item->values[BLUE]);
    put_text_or_null(object, "green", item->values[GREEN]);
    put_text_or_null(object, "text", item->text);
    if (item->unix_ms)
        put_time(object, "time", item->unix_ms);
    else
        put(object, "time", NULL);
    return object;
}
