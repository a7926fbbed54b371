/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A service: names, ownership, substitution. What must hold between its keys is in service_rules.c. */
#include "model/service.h"

#include "base/cleanup.h"

#include <errno.h>
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

static void format_ports(uint16_t first, const struct port *port, char text[PORT_TARGET_TEXT_MAX])
{
    uint16_t last = (uint16_t)(first + port_span(port) - 1);
    if (last == first)
        snprintf(text, PORT_TARGET_TEXT_MAX, "%u", first);
    else
        snprintf(text, PORT_TARGET_TEXT_MAX, "%u-%u", first, last);
}

const char *port_listen_format(const struct port *port, char text[PORT_LISTEN_TEXT_MAX])
{
    char address[ADDRESS_TEXT_MAX], ports[PORT_TARGET_TEXT_MAX];
    address_format(&port->listen, address);
    format_ports(port->published, port, ports);
    if (port->listen.family == 6)
        snprintf(text, PORT_LISTEN_TEXT_MAX, "[%s]:%s", address, ports);
    else if (port->listen.family == 4)
        snprintf(text, PORT_LISTEN_TEXT_MAX, "%s:%s", address, ports);
    else
        snprintf(text, PORT_LISTEN_TEXT_MAX, "%s", ports);
    return text;
}

const char *port_target_format(const struct port *port, char text[PORT_TARGET_TEXT_MAX])
{
    format_ports(port->target, port, text);
    return text;
}

const char *syscall_profile_name(enum syscall_profile profile)
{
    switch (profile) {
    case SYSCALLS_DEFAULT: return "default";
    case SYSCALLS_BASELINE: return "baseline";
    case SYSCALLS_LOG: return "log";
    case SYSCALLS_OFF: return "off";
    }
    return "unknown";
}

const char *file_access_name(enum file_access access)
{
    switch (access) {
    case FILE_READ: return "read";
    case FILE_WRITE: return "write";
    case FILE_STATE: return "state";
    case FILE_HIDE: return "hide";
    }
    return "unknown";
}

const char *file_rule_place(enum file_access access, bool shared)
{
    switch (access) {
    case FILE_READ: return shared ? "[share] socket" : "[files] read";
    case FILE_WRITE: return "[files] write";
    case FILE_STATE: return "[files] state";
    case FILE_HIDE: return "[files] hide";
    }
    return "unknown";
}

static const char *const hook_places[] = {
    [HOOK_PRE_START] = "[hooks] pre_start",
    [HOOK_TEST] = "[hooks] test",
    [HOOK_PRE_SWITCH] = "[hooks] pre_switch",
    [HOOK_POST_SWITCH] = "[hooks] post_switch",
    [HOOK_PRE_ROLLBACK] = "[hooks] pre_rollback",
    [HOOK_POST_ROLLBACK] = "[hooks] post_rollback",
    [HOOK_ON_FAILURE] = "[hooks] on_failure",
    [HOOK_ON_ROLLBACK] = "[hooks] on_rollback",
    [HOOK_ON_FAILOVER] = "[hooks] on_failover",
    [HOOK_GUARD] = "[bake] guard",
    [HOOK_EXPAND] = "[schema] expand",
    [HOOK_CHECK] = "[schema] check",
    [HOOK_CONTRACT] = "[schema] contract",
    [HOOK_REVERT] = "[schema] revert",
    [HOOK_SEED] = "[feed] seed",
};

const char *hook_place(enum hook hook)
{
    return hook < HOOKS ? hook_places[hook] : "unknown";
}

const char *hook_name(enum hook hook)
{
    return hook < HOOKS ? strchr(hook_places[hook], ' ') + 1 : "unknown";
}

bool limits_need_cgroups(const struct limits *limits)
{
    return limits->memory || limits->memory_high || limits->swap_set || limits->cpu_permille || limits->cpu_weight ||
           limits->tasks || limits->io_weight;
}

void service_clear(struct service *service)
{
    words_clear(&service->run);
    words_clear(&service->environment);
    words_clear(&service->health.exec);
    words_clear(&service->sandbox.devices);
    for (size_t i = 0; i < service->process_count; i++)
        words_clear(&service->processes[i].run);
    for (size_t i = 0; i < HOOKS; i++)
        words_clear(&service->hooks[i].run);
    for (size_t i = 0; i < service->file_count; i++) {
        free(service->files[i].source);
        free(service->files[i].target);
    }
    free(service->tests);
    words_clear(&service->releases_fetch);
    words_clear(&service->nudge);
    feed_clear(&service->feed);
    free(service->releases_dir);
    free(service->workdir);
    free(service->env_file);
    free(service->source);
    words_clear(&service->laid);
    memset(service, 0, sizeof *service);
}

void service_free(struct service *service)
{
    if (!service)
        return;
    service_clear(service);
    free(service);
}

bool service_publishes(const struct service *service, const struct port *port)
{
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port *own = &service->ports[i];
        if (own->protocol == port->protocol && address_equal(&own->listen, &port->listen) &&
            own->published <= port->published && own->published + port_span(own) >= port->published + port_span(port))
            return true;
    }
    return false;
}

bool service_nudges(const struct service *service, const struct port *port)
{
    for (size_t i = 0; port->protocol == PROTOCOL_TCP && i < service->nudge.count; i++) {
        if (strcmp(service->nudge.items[i], "yes") == 0 || strcmp(service->nudge.items[i], port->name) == 0)
            return true;
    }
    return false;
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
    if (a->protocol != b->protocol || a->published >= b->published + port_span(b) ||
        b->published >= a->published + port_span(a))
        return false;
    return a->listen.family == 0 || b->listen.family == 0 || address_equal(&a->listen, &b->listen);
}
