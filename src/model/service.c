/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A service: ownership, substitution, and the rules that hold between its keys. */
#include "model/service.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *protocol_name(enum protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP: return "tcp";
    case PROTOCOL_UDP: return "udp";
    }
    return "unknown";
}

const char *port_listen_format(const struct port *port, char text[PORT_LISTEN_TEXT_MAX])
{
    char address[ADDRESS_TEXT_MAX];
    address_format(&port->listen, address);
    if (port->listen.family == 6)
        snprintf(text, PORT_LISTEN_TEXT_MAX, "[%s]:%u", address, port->published);
    else if (port->listen.family == 4)
        snprintf(text, PORT_LISTEN_TEXT_MAX, "%s:%u", address, port->published);
    else
        snprintf(text, PORT_LISTEN_TEXT_MAX, "%u", port->published);
    return text;
}

void service_clear(struct service *service)
{
    words_clear(&service->run);
    words_clear(&service->environment);
    free(service->workdir);
    free(service->env_file);
    free(service->source);
    memset(service, 0, sizeof *service);
}

void service_free(struct service *service)
{
    if (!service)
        return;
    service_clear(service);
    free(service);
}

int service_substitute(const char *text, const char *release, enum colour zone, char **out, struct error *err)
{
    CLEANUP_TEXT struct text result = {0};
    text_add(&result, "");
    while (*text) {
        size_t plain = strcspn(text, "%");
        text_add_bytes(&result, text, plain);
        text += plain;
        if (!*text)
            break;
        if (text[1] == 'r')
            text_add(&result, release);
        else if (text[1] == 'z')
            text_add(&result, colour_name(zone));
        else if (text[1] == '%')
            text_add(&result, "%");
        else if (text[1] == '\0')
            return error_set(err, EINVAL, "'%%' at the end; write %%%% for a percent sign");
        else
            return error_set(err, EINVAL, "unknown '%%%.*s'; %%r is the release, %%z the zone, %%%% a percent sign",
                             (unsigned char)text[1] < 0x80 ? 1 : 0, text + 1);
        text += 2;
    }
    if (result.failed)
        return error_errno(err, ENOMEM, "substitute");
    *out = result.data;
    result = (struct text){0};
    return 0;
}

bool port_conflicts(const struct port *a, const struct port *b)
{
    if (a->protocol != b->protocol || a->published != b->published)
        return false;
    return a->listen.family == 0 || b->listen.family == 0 || address_equal(&a->listen, &b->listen);
}

/* --- rules between keys ---------------------------------------------------------------------- */

/* Problems are counted apart from the list, so that one which found no memory is not taken for none. */
struct findings {
    struct words *list;
    size_t count;
};

static void found(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void found(struct findings *findings, const char *format, ...)
{
    char line[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    findings->count++;
    words_add(findings->list, line);
}

static void check_substitution(const char *key, const char *text, struct findings *findings)
{
    CLEANUP_FREE char *unused = NULL;
    struct error err = {0};
    if (service_substitute(text, "release", BLUE, &unused, &err) < 0)
        found(findings, "[app] %s: %s", key, err.text);
}

static void check_path(const char *key, const char *path, struct findings *findings)
{
    if (path[0] != '/')
        found(findings, "[app] %s: \"%s\" is not an absolute path; start it with '/'", key, path);
    else
        check_substitution(key, path, findings);
}

static bool is_reserved(const char *assignment)
{
    static const char *const reserved[] = {"BLUEGREEN_APP=", "BLUEGREEN_ZONE=", "BLUEGREEN_RELEASE="};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (text_starts_with(assignment, reserved[i]))
            return true;
    }
    return false;
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
        check_path("run", service->run.items[0], findings);
    for (size_t i = 1; i < service->run.count; i++)
        check_substitution("run", service->run.items[i], findings);
    if (service->workdir)
        check_path("workdir", service->workdir, findings);
    if (service->env_file)
        check_path("env_file", service->env_file + (service->env_file[0] == '-'), findings);
    for (size_t i = 0; i < service->environment.count; i++) {
        const char *assignment = service->environment.items[i];
        check_substitution("environment", assignment, findings);
        if (is_reserved(assignment))
            found(findings, "[app] environment: %.*s is set by the agent; choose another name",
                  (int)strcspn(assignment, "="), assignment);
    }
}

static void check_ports(const struct service *service, struct findings *findings)
{
    for (size_t i = 1; i < service->port_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct port *later = &service->ports[i], *earlier = &service->ports[j];
            char listen[PORT_LISTEN_TEXT_MAX];
            if (port_conflicts(later, earlier))
                found(findings, "[ports] %s: claims %s/%s, which [ports] %s claims too; give one another port",
                      later->name, port_listen_format(later, listen), protocol_name(later->protocol), earlier->name);
        }
    }
}

static void check_gate(const struct health *health, struct findings *findings)
{
    /* The first pass can come at once; without a check the app must have run for every interval. */
    uint64_t intervals = health->kind == HEALTH_ALIVE ? health->passes : health->passes - 1;
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
    if (health->kind != HEALTH_ALIVE && health->port == 0)
        found(findings, "[health] %s: port missing; write it as \":8080\"",
              health->kind == HEALTH_HTTP ? "http" : "tcp");
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

size_t service_problems(const struct service *service, struct words *problems)
{
    struct findings findings = {.list = problems};
    check_app(service, &findings);
    check_ports(service, &findings);
    check_health(service, &findings);
    return findings.count;
}

int service_validate(const struct service *service, struct error *err)
{
    CLEANUP_WORDS struct words problems = {0};
    if (service_problems(service, &problems) == 0)
        return 0;
    if (problems.count == 0)
        return error_errno(err, ENOMEM, "check the configuration of %s", service->name);
    return error_set(err, EINVAL, "%s", problems.items[0]);
}
