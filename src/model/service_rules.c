/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between the keys of a service, each problem with the way out. */
#include "model/service_rules.h"

#include "base/cleanup.h"
#include "model/path.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_MAX = PROCESS_NAME_MAX + 32 };

void found(struct findings *findings, const char *format, ...)
{
    char line[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    findings->count++;
    words_add(findings->list, line);
}

static void found_in_text(struct findings *findings, const char *place, const char *text)
{
    CLEANUP_FREE char *unused = NULL;
    struct error err = {0};
    if (service_substitute(text, "release", BLUE, &unused, &err) < 0)
        found(findings, "%s: %s", place, err.text);
}

bool found_in_path(struct findings *findings, const char *place, const char *path)
{
    size_t before = findings->count;
    CLEANUP_FREE char *copy = strdup(path);
    if (path[0] != '/')
        found(findings, "%s: \"%s\" is not an absolute path; start it with '/'", place, path);
    else if (copy && !path_normalise(copy))
        found(findings, "%s: \"%s\" has a \"..\"; write the path without it", place, path);
    else
        found_in_text(findings, place, path);
    return findings->count == before;
}

/* A command: its executable is a path, the rest is text. */
static void check_command(struct findings *findings, const char *place, const struct words *command)
{
    found_in_path(findings, place, command->items[0]);
    for (size_t i = 1; i < command->count; i++)
        found_in_text(findings, place, command->items[i]);
}

/* --- [app] and its processes -------------------------------------------------------------------- */

static bool is_reserved(const char *assignment)
{
    static const char *const reserved[] = {
        "BLUEGREEN_DIRECTORY=", "BLUEGREEN_APP=",      "BLUEGREEN_ZONE=",         "BLUEGREEN_RELEASE=",
        "BLUEGREEN_HOOK=",      "BLUEGREEN_REASON=",   "BLUEGREEN_RELEASE_FROM=", "BLUEGREEN_RELEASE_TO=",
        "BLUEGREEN_ADDRESS=",   "BLUEGREEN_ADDRESS6=", "BLUEGREEN_LIVE_ADDRESS=", "BLUEGREEN_SCHEMA_FROM=",
        "BLUEGREEN_SCHEMA_TO=", "BLUEGREEN_URL=",      "BLUEGREEN_PREVIEW_URL=",  "BLUEGREEN_CANARY=",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (text_starts_with(assignment, reserved[i]))
            return true;
    }
    return false;
}

static void check_environment(const struct service *service, struct findings *findings)
{
    for (size_t i = 0; i < service->environment.count; i++) {
        const char *assignment = service->environment.items[i];
        found_in_text(findings, "[app] environment", assignment);
        if (is_reserved(assignment))
            found(findings, "[app] environment: %.*s is set by the agent; choose another name",
                  (int)strcspn(assignment, "="), assignment);
    }
}

static void check_app(const struct service *service, struct findings *findings)
{
    if (!app_name_valid(service->name))
        found(findings, "[app] name: \"%s\" is not an app name", service->name);
    if (!service->user[0])
        found(findings, "[app] user: missing; name the user that the app runs as");
    if (service->run.count == 0)
        found(findings, "[app] run: missing; write the command that starts the app");
    else
        check_command(findings, "[app] run", &service->run);
    if (service->workdir)
        found_in_path(findings, "[app] workdir", service->workdir);
    if (service->env_file)
        found_in_path(findings, "[app] env_file", service->env_file + (service->env_file[0] == '-'));
    check_environment(service, findings);
}

static void check_process(const struct service *service, size_t at, struct findings *findings)
{
    const struct process_rule *process = &service->processes[at];
    char place[PLACE_MAX];
    if (!app_name_valid(process->name) || strcmp(process->name, "main") == 0)
        found(findings, "[process %s]: \"%s\" cannot be a process's name; take another", process->name, process->name);
    for (size_t i = 0; i < at; i++) {
        if (strcmp(service->processes[i].name, process->name) == 0)
            found(findings, "[process %s]: there are two of this name; rename one", process->name);
    }
    snprintf(place, sizeof place, "[process %s] run", process->name);
    if (process->run.count == 0)
        found(findings, "%s: missing; write the command that starts it", place);
    else
        check_command(findings, place, &process->run);
}

/* --- [ports] ------------------------------------------------------------------------------------ */

static void check_ports(const struct service *service, struct findings *findings)
{
    unsigned total = 0;
    for (size_t i = 0; i < service->port_count; i++)
        total += port_span(&service->ports[i]);
    if (total > SERVICE_PUBLISHED_MAX)
        found(findings, "[ports]: %u ports, each of a range counted; at most %d are possible: split the app", total,
              SERVICE_PUBLISHED_MAX);
    check_ports_and_preview(service, findings);
}

/* --- [health] ----------------------------------------------------------------------------------- */

static void check_gate(const struct health *health, struct findings *findings)
{
    /* The first pass can come at once; without a check the app must have run for every interval. */
    bool waits = health->kind == HEALTH_ALIVE || health->kind == HEALTH_NOTIFY;
    uint64_t intervals = waits ? health->passes : health->passes - 1;
    if (intervals * health->interval_ms >= health->start_timeout_ms)
        found(findings,
              "[health] start_timeout: %" PRIu32 " passes every %" PRIu32 "ms cannot be reached within %" PRIu32
              "ms; raise start_timeout or lower passes or "
              "interval",
              health->passes, health->interval_ms, health->start_timeout_ms);
    if (health->grace_ms >= health->start_timeout_ms)
        found(findings,
              "[health] grace: %" PRIu32 "ms is not shorter than start_timeout (%" PRIu32
              "ms), so no failure would ever count; lower it",
              health->grace_ms, health->start_timeout_ms);
}

static void check_health(const struct service *service, struct findings *findings)
{
    const struct health *health = &service->health;
    check_gate(health, findings);
    if ((health->kind == HEALTH_TCP || health->kind == HEALTH_HTTP) && health->port == 0)
        found(findings, "[health] %s: port missing; write it as \":8080\"",
              health->kind == HEALTH_HTTP ? "http" : "tcp");
    if (health->kind == HEALTH_EXEC && health->exec.count == 0)
        found(findings, "[health] exec: no command; write the executable's absolute path and its arguments");
    else if (health->kind == HEALTH_EXEC)
        check_command(findings, "[health] exec", &health->exec);
    if (health->watchdog_ms && !health->notify)
        found(findings, "[health] watchdog: the app says that it lives where it says that it is ready; "
                        "write \"notify = yes\" too");
    if (health->kind == HEALTH_HTTP)
        return;
    static const char only_http[] = "has a meaning only with an http check; write \"http = :PORT/PATH\"";
    if (health->host[0])
        found(findings, "[health] host: %s", only_http);
    if (health->status_count > 0)
        found(findings, "[health] status: %s", only_http);
    if (health->follow_redirects)
        found(findings, "[health] follow_redirects: %s", only_http);
}

/* --- limits, restarts, standby ------------------------------------------------------------------ */

static void check_limits(const struct limits *limits, struct findings *findings)
{
    if (limits->memory && limits->memory_high > limits->memory)
        found(findings,
              "[limits] memory_high: %" PRIu64 " bytes are above memory (%" PRIu64
              "), so the app would be killed before it is slowed down; lower it",
              limits->memory_high, limits->memory);
}

/* So long it takes at least until the app has ended `limit` times: one back-off between two ends. */
static uint64_t shortest_loop_ms(const struct restart *restart)
{
    uint64_t total = 0, delay = restart->delay_ms;
    for (uint32_t i = 1; i < restart->limit; i++) {
        total += delay;
        delay = delay * 2 < restart->delay_max_ms ? delay * 2 : restart->delay_max_ms;
    }
    return total;
}

static void check_restart(const struct restart *restart, struct findings *findings)
{
    if (restart->delay_max_ms < restart->delay_ms)
        found(findings, "[restart] max_delay: %" PRIu32 "ms is shorter than delay (%" PRIu32 "ms); raise it",
              restart->delay_max_ms, restart->delay_ms);
    else if (restart->policy != RESTART_NO && shortest_loop_ms(restart) >= restart->window_ms)
        found(findings,
              "[restart] window: with these delays %" PRIu32 " ends take at least %" PRIu64 "ms, so within %" PRIu32
              "ms no crash loop would ever be seen; raise window or lower limit",
              restart->limit, shortest_loop_ms(restart), restart->window_ms);
}

static void check_standby(const struct service *service, struct findings *findings)
{
    if (service->freeze && service->drain_then == DRAIN_LEAVE)
        found(findings, "[standby] freeze: [drain] then = leave may leave connections open, which would hang in a "
                        "frozen zone; write then = cut, or freeze = no");
    if (service->keep_ms == 0 && service->failover)
        found(findings, "[standby] keep: without a standby there is nothing to fail over to; write how long it is "
                        "kept, as in \"keep = 1h\", or [failover] auto = no");
    if (service->keep_ms == 0 && service->drain_then == DRAIN_LEAVE)
        found(findings, "[standby] keep: [drain] then = leave may leave connections open, which would end with the "
                        "zone; write then = cut, or how long it is kept, as in \"keep = 1h\"");
}

const struct port *port_named(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (strcmp(service->ports[i].name, name) == 0)
            return &service->ports[i];
    }
    return NULL;
}

static void check_drain(const struct service *service, struct findings *findings)
{
    for (size_t i = 0; i < service->nudge.count; i++) {
        const char *name = service->nudge.items[i];
        const struct port *port = port_named(service, name);
        if (strcmp(name, "yes") == 0 && service->nudge.count > 1)
            found(findings, "[drain] nudge: yes means all TCP ports; write yes alone, or the names alone");
        else if (strcmp(name, "yes") != 0 && (!port || port->protocol != PROTOCOL_TCP))
            found(findings,
                  "[drain] nudge: %s is no TCP port of [ports]; write yes, no, or names of ports, as in \"http | api\"",
                  name);
    }
}

/* --- the life of a release ---------------------------------------------------------------------- */

static void check_pages(const struct service *service, struct findings *findings)
{
    bool tcp = false;
    for (size_t i = 0; i < service->port_count; i++)
        tcp = tcp || service->ports[i].protocol == PROTOCOL_TCP;
    if (service->test_count > 0 && !tcp)
        found(findings, "[test] http: pages are asked for at the first TCP port of [ports], and there is none; add it, "
                        "or have [hooks] test look at the app");
}

static void check_bake(const struct service *service, struct findings *findings)
{
    const struct bake *bake = &service->bake;
    bool guarded = service->hooks[HOOK_GUARD].run.count > 0;
    if (bake->time_ms == 0)
        return;
    if (guarded && bake->guard_interval_ms >= bake->time_ms)
        found(findings,
              "[bake] interval: the guard runs every %" PRIu32 "ms, but the bake is over after %" PRIu32
              "ms; lower interval or raise time",
              bake->guard_interval_ms, bake->time_ms);
    if (service->health.interval_ms >= bake->time_ms)
        found(findings,
              "[bake] time: %" PRIu32 "ms are over before the next check, every %" PRIu32
              "ms ([health] interval); raise time",
              bake->time_ms, service->health.interval_ms);
}

/* A release that is being brought is in no zone yet. */
static bool mentions_zone(const char *text)
{
    for (const char *c = strchr(text, '%'); c && c[1]; c = strchr(c + 2, '%')) {
        if (c[1] == 'z')
            return true;
    }
    return false;
}

static void check_releases(const struct service *service, struct findings *findings)
{
    const struct words *fetch = &service->releases_fetch;
    if (service->releases_dir && strchr(service->releases_dir, '%'))
        found(findings,
              "[releases] dir: \"%s\" has a '%%'; it is one directory for all releases, in which each has one "
              "of its own",
              service->releases_dir);
    else if (service->releases_dir && found_in_path(findings, "[releases] dir", service->releases_dir) &&
             service->releases_dir[strspn(service->releases_dir, "/.")] == '\0')
        found(findings, "[releases] dir: \"/\" is the whole system; name a directory that holds releases only");
    if (fetch->count > 0)
        check_command(findings, "[releases] fetch", fetch);
    for (size_t i = 0; i < fetch->count; i++) {
        if (mentions_zone(fetch->items[i]))
            found(findings, "[releases] fetch: \"%s\" has a %%z, but what is fetched is in no zone yet; leave it out",
                  fetch->items[i]);
    }
}

static void check_release(const struct service *service, struct findings *findings)
{
    for (unsigned i = 0; i < HOOKS; i++) {
        if (service->hooks[i].run.count > 0)
            check_command(findings, hook_place((enum hook)i), &service->hooks[i].run);
    }
    check_releases(service, findings);
    check_pages(service, findings);
    check_bake(service, findings);
}

/* --- the whole ---------------------------------------------------------------------------------- */

size_t service_problems(const struct service *service, struct words *problems)
{
    struct findings findings = {.list = problems};
    check_app(service, &findings);
    for (size_t i = 0; i < service->process_count; i++)
        check_process(service, i, &findings);
    check_ports(service, &findings);
    check_activated(service, &findings);
    check_health(service, &findings);
    check_files(service, &findings);
    check_reach(service, &findings);
    check_limits(&service->limits, &findings);
    check_restart(&service->restart, &findings);
    check_standby(service, &findings);
    check_switch(service, &findings);
    check_drain(service, &findings);
    check_feed(service, &findings);
    check_release(service, &findings);
    return findings.count;
}
