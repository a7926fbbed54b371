/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wire structures to JSON objects: one function a type, one line a field. */
#include "api/render_put.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/history.h"
#include "model/schema.h"
#include "model/wire_answers.h"
#include "model/wire_command.h"
#include "model/wire_status.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- values: a name, and what stands behind it ------------------------------------------------- */

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

struct json_object *render_served(const struct wire_served *served)
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
