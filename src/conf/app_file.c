/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One app's file: every key it may hold, and from its text to a service. */
#include "conf/conf.h"

#include "base/cleanup.h"
#include "conf/file.h"
#include "conf/ini.h"
#include "conf/keys.h"
#include "model/grammar.h"

#include <errno.h>
#include <string.h>

static void service_default(struct service *service)
{
    *service = (struct service){
        .stop_timeout_ms = 10000,
        .health = {.interval_ms = 1000, .timeout_ms = 5000, .passes = 2, .failures = 3, .start_timeout_ms = 60000},
        .drain_timeout_ms = 30000,
        .drain_then = DRAIN_CUT,
    };
}

/* --- [app] ------------------------------------------------------------------------------------ */

static int set_name(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    if (!app_name_valid(value))
        return error_set(err, EINVAL,
                         "\"%.60s\" is not an app's name: a small letter, then small letters, digits "
                         "and '-', at most %d",
                         value, APP_NAME_MAX);
    text_copy(service->name, sizeof service->name, value);
    return 0;
}

static int set_user(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_account(value, service->user, sizeof service->user, err);
}

static int set_group(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_account(value, service->group, sizeof service->group, err);
}

static int set_run(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_command(value, &service->run, err);
}

static int set_workdir(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_string(value, &service->workdir, err);
}

static int set_environment(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_environment(value, &service->environment, err);
}

static int set_env_file(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_string(value, &service->env_file, err);
}

static int set_stop_timeout(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 0, 3600000, &service->stop_timeout_ms, err);
}

/* --- [ports] ---------------------------------------------------------------------------------- */

static int set_port(void *target, const char *key, const char *value, struct error *err)
{
    struct service *service = target;
    struct port port = {0};
    if (key[0] < 'a' || key[0] > 'z' || strlen(key) > PORT_NAME_MAX)
        return error_set(err, EINVAL,
                         "not a port's name: a small letter, then small letters, digits, '-' and '_', "
                         "at most %d",
                         PORT_NAME_MAX);
    if (service->port_count == SERVICE_PORTS_MAX)
        return error_set(err, EINVAL, "more than %d ports; split the app", SERVICE_PORTS_MAX);
    int result = grammar_port(value, &port, err);
    if (result < 0)
        return result;
    text_copy(port.name, sizeof port.name, key);
    service->ports[service->port_count++] = port;
    return 0;
}

/* --- [health] --------------------------------------------------------------------------------- */

static int refuse_second_check(const struct health *health, struct error *err)
{
    if (health->kind == HEALTH_ALIVE)
        return 0;
    return error_set(err, EINVAL, "there is one check, and %s is set already; keep one of the two",
                     health->kind == HEALTH_HTTP ? "http" : "tcp");
}

static int set_http(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    int result = refuse_second_check(&service->health, err);
    return result < 0 ? result : grammar_health_http(value, &service->health, err);
}

static int set_tcp(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    int result = refuse_second_check(&service->health, err);
    return result < 0 ? result : grammar_health_tcp(value, &service->health, err);
}

static int refuse_exec(void *target, const char *value, struct error *err)
{
    return error_set(err, EOPNOTSUPP, "this version has no exec checks yet; use http or tcp");
}

static int set_interval(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 50, 3600000, &service->health.interval_ms, err);
}

static int set_timeout(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 10, 600000, &service->health.timeout_ms, err);
}

static int set_passes(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_number(value, 1, 100, &service->health.passes, err);
}

static int set_failures(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_number(value, 1, 100, &service->health.failures, err);
}

static int set_start_timeout(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 100, 3600000, &service->health.start_timeout_ms, err);
}

static int set_grace(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 0, 3600000, &service->health.grace_ms, err);
}

/* It goes into a request as it stands: nothing in it may end the header. */
static int set_host(void *target, const char *value, struct error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
    struct service *service = target;
    if (value[strspn(value, allowed)] || !text_copy(service->health.host, HEALTH_HOST_MAX + 1, value)) {
        service->health.host[0] = '\0';
        return error_set(err, EINVAL, "\"%.60s\" is not a host name, as in \"www.example.org\"", value);
    }
    return 0;
}

static int set_status(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_status(value, &service->health, err);
}

static int set_follow_redirects(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_boolean(value, &service->health.follow_redirects, err);
}

/* --- [drain] ---------------------------------------------------------------------------------- */

static int set_drain_timeout(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_duration(value, 0, 86400000, &service->drain_timeout_ms, err);
}

static int set_drain_then(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    if (strcmp(value, "cut") != 0 && strcmp(value, "leave") != 0)
        return error_set(err, EINVAL, "\"%.60s\" is neither cut (end what is still connected) nor leave", value);
    service->drain_then = value[0] == 'c' ? DRAIN_CUT : DRAIN_LEAVE;
    return 0;
}

static const struct key_rule rules[] = {
    {"app", "name", set_name, NULL},
    {"app", "user", set_user, NULL},
    {"app", "group", set_group, NULL},
    {"app", "run", set_run, NULL},
    {"app", "workdir", set_workdir, NULL},
    {"app", "environment", set_environment, NULL},
    {"app", "env_file", set_env_file, NULL},
    {"app", "stop_timeout", set_stop_timeout, NULL},
    {"ports", NULL, NULL, set_port},
    {"health", "http", set_http, NULL},
    {"health", "tcp", set_tcp, NULL},
    {"health", "exec", refuse_exec, NULL},
    {"health", "interval", set_interval, NULL},
    {"health", "timeout", set_timeout, NULL},
    {"health", "passes", set_passes, NULL},
    {"health", "failures", set_failures, NULL},
    {"health", "start_timeout", set_start_timeout, NULL},
    {"health", "grace", set_grace, NULL},
    {"health", "host", set_host, NULL},
    {"health", "status", set_status, NULL},
    {"health", "follow_redirects", set_follow_redirects, NULL},
    {"drain", "timeout", set_drain_timeout, NULL},
    {"drain", "then", set_drain_then, NULL},
};

/* --- the whole -------------------------------------------------------------------------------- */

/* Without a check of its own, an app is asked whether it accepts connections. */
static void default_check(struct service *service)
{
    for (size_t i = 0; service->health.kind == HEALTH_ALIVE && i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_TCP) {
            service->health.kind = HEALTH_TCP;
            service->health.port = service->ports[i].target;
        }
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

int conf_parse_app(const char *path, const char *content, size_t length, struct service *service, struct words *list)
{
    struct problems problems = {.file = path, .list = list};
    CLEANUP_SCAN struct scan scan = {0};
    CLEANUP_SERVICE struct service parsed;
    service_default(&parsed);
    ini_load(content, length, &scan, &problems);
    keys_apply(rules, sizeof rules / sizeof *rules, &scan, &parsed, &problems);
    require_name(&scan, &problems);
    default_check(&parsed);
    check_service(&parsed, &scan, &problems);
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
