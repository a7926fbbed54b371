/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One app's file, from its text to a service. The keys are in app_keys.c. */
#include "conf/conf.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/file.h"
#include "conf/ini.h"
#include "conf/keys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void service_default(struct service *service)
{
    *service = (struct service){
        .stop_timeout_ms = 10000,
        .stop_signal = SIGTERM,
        .restart = {.delay_ms = 200, .delay_max_ms = 30000, .limit = 5, .window_ms = 60000},
        .health = {.interval_ms = 1000, .timeout_ms = 5000, .passes = 2, .failures = 3, .start_timeout_ms = 60000},
        .hook_timeout_ms = 60000,
        .releases_keep = 5,
        .releases_timeout_ms = 600000,
        .schema_timeout_ms = 600000,
        .feed = {.methods = {"POST", "PUT", "PATCH", "DELETE"},
                 .method_count = 4,
                 .journal_max = 1ull << 30,
                 .lanes = 1,
                 .body_max = 16u << 20,
                 .wait_ms = 5000,
                 .seed_timeout_ms = 600000},
        .bake = {.guard_interval_ms = 10000, .resets = BAKE_UNLIMITED, .errors_percent = 10},
        .hold_max_ms = 10000,
        .drain_timeout_ms = 30000,
        .drain_then = DRAIN_CUT,
        .nudge_after_ms = 5000,
        .keep_ms = KEEP_UNTIL_NEXT,
    };
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Without a check of its own, an app that says when it is ready is believed, and any other is asked whether it accepts
 * connections. */
static void default_check(struct service *service)
{
    if (service->health.kind == HEALTH_ALIVE && service->health.notify)
        service->health.kind = HEALTH_NOTIFY;
    for (size_t i = 0; service->health.kind == HEALTH_ALIVE && i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_TCP) {
            service->health.kind = HEALTH_TCP;
            service->health.port = service->ports[i].target;
        }
    }
}

/* Only requests have header fields to tell of the client in. */
static void default_client(struct feed *feed)
{
    if ((feed->mode == FEED_STREAM || feed->mode == FEED_DATAGRAM) && feed->client == FEED_CLIENT_HEADER)
        feed->client = FEED_CLIENT_NONE;
}

/* Sections stand for processes even when they hold nothing. */
static void open_processes(const struct scan *scan, struct service *service, struct problems *problems)
{
    for (size_t i = 0; i < scan->section_count; i++) {
        const char *section = scan->sections[i].name, *name = keys_section_name(section, "process");
        struct error err = {0};
        if (name && app_process_open(service, name, &err) < 0)
            problem_at_key(problems, section, NULL, "%s", err.text);
    }
}

static void require_name(const struct scan *scan, struct problems *problems)
{
    if (!keys_find(scan, "app", "name"))
        problem_at_key(problems, "app", "name", "missing; write \"name = \" and what the file is called without .conf");
}

/* Is this problem, "[section] key: ...", about a key that was refused before? Then it is only a consequence. */
static bool already_said(const struct scan *scan, const char *problem)
{
    for (size_t i = 0; i < scan->entry_count; i++) {
        const struct scan_entry *entry = &scan->entries[i];
        CLEANUP_TEXT struct text place = {0};
        text_addf(&place, "[%s] %s: ", entry->section, entry->key);
        if (entry->refused && place.data && text_starts_with(problem, place.data))
            return true;
    }
    return false;
}

/* The rules between keys, in words that service_problems found. */
static void check_service(const struct service *service, const struct scan *scan, struct problems *problems)
{
    CLEANUP_WORDS struct words found = {0};
    size_t count = service_problems(service, &found);
    if (count > found.count)
        problem_in_file(problems, "out of memory");
    for (size_t i = 0; i < found.count; i++) {
        bool name = text_starts_with(found.items[i], "[app] name: "); /* said better by now */
        if (!name && !already_said(scan, found.items[i]))
            problem_in_file(problems, "%s", found.items[i]);
    }
}

static void keep_source(const char *content, size_t length, struct service *service, struct problems *problems)
{
    service->source = malloc(length + 1);
    if (!service->source) {
        problem_in_file(problems, "out of memory");
        return;
    }
    if (length > 0)
        memcpy(service->source, content, length);
    service->source[length] = '\0';
    service->source_length = length;
}

int app_from_scan(struct scan *scan, struct service *service, struct problems *problems)
{
    size_t before = problems->count;
    service_default(service);
    open_processes(scan, service, problems);
    keys_apply(app_rules, app_rule_count, scan, service, problems);
    require_name(scan, problems);
    default_check(service);
    default_client(&service->feed);
    service_resolve_preview(service);
    check_service(service, scan, problems);
    if (problems->count == before)
        return 0;
    service_clear(service);
    return -EINVAL;
}

int conf_parse_app(const char *path, const char *content, size_t length, struct service *service, struct words *list)
{
    struct problems problems = {.file = path, .list = list};
    CLEANUP_SCAN struct scan scan = {0};
    CLEANUP_SERVICE struct service parsed = {0};
    ini_load(content, length, &scan, &problems);
    app_from_scan(&scan, &parsed, &problems);
    app_check_release(&scan, &problems);
    app_check_feed(&scan, &parsed, &problems);
    keep_source(content, length, &parsed, &problems);
    if (problems.count > 0)
        return -EINVAL;
    *service = parsed;
    memset(&parsed, 0, sizeof parsed);
    return 0;
}

/* Without it, a second file could quietly configure the same app. */
static void check_file_name(const char *path, const struct service *service, struct problems *problems)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".conf") == 0)
        length -= 5;
    if (strlen(service->name) != length || strncmp(service->name, base, length) != 0)
        problem_at_key(problems, "app", "name",
                       "is \"%s\", but the file is called %s; rename the file to %s.conf or change the "
                       "name",
                       service->name, base, service->name);
}

int conf_load_app(const char *path, struct service *service, struct words *list)
{
    struct problems problems = {.file = path, .list = list};
    CLEANUP_FREE char *content = NULL;
    CLEANUP_SERVICE struct service parsed = {0};
    size_t length;
    int result = conf_read(path, &content, &length, &problems);
    if (result == -ENOENT)
        problem_in_file(&problems, "there is no such file");
    if (result < 0 || conf_parse_app(path, content, length, &parsed, list) < 0)
        return -EINVAL;
    check_file_name(path, &parsed, &problems);
    if (problems.count > 0)
        return -EINVAL;
    *service = parsed;
    memset(&parsed, 0, sizeof parsed);
    return 0;
}

void conf_app_warnings(const char *path, const struct service *service, struct words *warnings)
{
    struct problems problems = {.file = path, .list = warnings};
    CLEANUP_WORDS struct words found = {0};
    if (service_warnings(service, &found) > found.count)
        problem_in_file(&problems, "out of memory");
    for (size_t i = 0; i < found.count; i++)
        problem_in_file(&problems, "%s", found.items[i]);
}
