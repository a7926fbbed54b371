/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an app's file: refused with a reason that can be printed, or a service that keeps every rule, and that
 * can be laid over another one and have it laid over itself. What begins with '+' comes behind a beginning that is
 * right, so that it takes few bytes to be a service; what begins with '=' is the agent's own file.
 */
#include "conf/conf.h"

#include "base/cleanup.h"
#include "conf/ini.h"
#include "conf/overlay.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD "[app]\nname = web\nuser = web\nrun = /srv/%r/web\n"

static void check_problems(const struct words *problems, const char *file)
{
    for (size_t i = 0; i < problems->count; i++) {
        char *clean = strdup(problems->items[i]);
        text_sanitise(clean);
        require(strcmp(clean, problems->items[i]) == 0);
        require(text_starts_with(clean, file));
        free(clean);
    }
}

static void check_release_source(const struct service *service, const struct service *again)
{
    require(memcmp(&again->bake, &service->bake, sizeof again->bake) == 0);
    require(again->failover == service->failover && again->hook_timeout_ms == service->hook_timeout_ms);
    require(again->test_count == service->test_count);
    require(again->test_count == 0 ||
            memcmp(again->tests, service->tests, sizeof *again->tests * again->test_count) == 0);
    for (size_t i = 0; i < HOOKS; i++)
        require(again->hooks[i].on_host == service->hooks[i].on_host &&
                again->hooks[i].run.count == service->hooks[i].run.count);
}

/* The zone keeps the text; read again after a restart it must be the same service. */
static void check_source(const struct service *service)
{
    CLEANUP_SERVICE struct service again = {0};
    CLEANUP_WORDS struct words problems = {0};
    require(conf_parse_app("kept", service->source, service->source_length, &again, &problems) == 0);
    require(strcmp(again.name, service->name) == 0 && again.run.count == service->run.count);
    require(again.port_count == service->port_count);
    require(memcmp(again.ports, service->ports, sizeof *again.ports * again.port_count) == 0);
    require(memcmp(&again.limits, &service->limits, sizeof again.limits) == 0);
    require(memcmp(&again.restart, &service->restart, sizeof again.restart) == 0);
    require(again.file_count == service->file_count && again.process_count == service->process_count);
    for (size_t i = 0; i < again.file_count; i++)
        require(again.files[i].access == service->files[i].access &&
                strcmp(again.files[i].source, service->files[i].source) == 0 &&
                text_equal(again.files[i].target, service->files[i].target));
    for (size_t i = 0; i < again.process_count; i++)
        require(strcmp(again.processes[i].name, service->processes[i].name) == 0);
    check_release_source(service, &again);
}

/* What the rest of the agent relies on. */
static void check_bounds(const struct service *service)
{
    require(service->file_count <= FILE_RULES_MAX && service->process_count <= PROCESSES_MAX);
    for (size_t i = 0; i < service->file_count; i++)
        require(service->files[i].source[0] == '/' && strcmp(service->files[i].source, "/") != 0);
    for (size_t i = 0; i < service->process_count; i++)
        require(app_name_valid(service->processes[i].name) && service->processes[i].run.items[0][0] == '/');
    require(service->limits.memory % 4096 == 0 && service->limits.memory_high % 4096 == 0);
    require(service->restart.delay_max_ms >= service->restart.delay_ms && service->restart.delay_ms > 0);
    require(service->health.kind != HEALTH_EXEC || service->health.exec.items[0][0] == '/');
    require(!service->health.watchdog_ms || service->health.notify);
    require(service->stop_signal > 0 && service->stop_signal <= 64);
}

static void check_release_bounds(const struct service *service)
{
    const struct bake *bake = &service->bake;
    require(service->hook_timeout_ms >= 1000 && service->hook_timeout_ms <= 3600000);
    require(service->test_count <= TEST_PAGES_MAX);
    require(bake->time_ms <= 7 * 86400000u && bake->errors_percent <= 100);
    require(bake->guard_interval_ms >= 1000 && bake->guard_interval_ms <= 3600000);
    for (size_t i = 0; i < HOOKS; i++)
        require(service->hooks[i].run.count == 0 || service->hooks[i].run.items[0][0] == '/');
}

/* What the scan lets through, iniparser reads as it stands. */
static void check_scan(const char *content, size_t length)
{
    CLEANUP_SCAN struct scan scan = {0}, loaded = {0};
    CLEANUP_WORDS struct words list = {0};
    struct problems problems = {.file = "f", .list = &list};
    require(scan_content(content, length, &scan, &problems) == 0);
    if (problems.count == 0)
        require(ini_load(content, length, &loaded, &problems) == 0);
}

/* --- laid over another one ---------------------------------------------------------------------------------------- */

static void check_names(const struct words *names)
{
    for (size_t i = 0; i < names->count; i++)
        require(names->items[i][0] == '[' && strchr(names->items[i], ']'));
}

/* It is what the zone was staged with, in all that waits. */
static void lay(const struct service *kept, const struct service *fresh, bool same)
{
    CLEANUP_OVERLAY struct overlay overlay = {0};
    CLEANUP_WORDS struct words problems = {0};
    int result = conf_overlay("apps/web.conf", kept, NULL, fresh, &overlay, &problems);
    require((result == 0) == (overlay.service != NULL) && (result == 0) == (problems.count == 0));
    check_problems(&problems, "apps/web.conf: ");
    check_names(&overlay.now);
    check_names(&overlay.waits);
    require(!same || (result == 0 && overlay.now.count == 0 && overlay.waits.count == 0));
    if (result < 0)
        return;
    const struct service *laid = overlay.service;
    require(service_problems(laid, &problems) == 0 && laid->source_length == kept->source_length);
    require(memcmp(laid->source, kept->source, kept->source_length) == 0);
    require(laid->process_count == kept->process_count && laid->file_count == kept->file_count);
    require(laid->run.count == kept->run.count);
}

static void check_overlay(const struct service *service)
{
    CLEANUP_SERVICE struct service plain = {0};
    CLEANUP_WORDS struct words problems = {0};
    require(conf_parse_app("apps/web.conf", HEAD, sizeof HEAD - 1, &plain, &problems) == 0);
    lay(&plain, service, false);
    lay(service, &plain, false);
    lay(service, service, true);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void try_app(const char *content, size_t size)
{
    check_scan(content, size);
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0}, warnings = {0};
    int result = conf_parse_app("apps/web.conf", content, size, &service, &problems);
    require((result == 0) == (problems.count == 0));
    check_problems(&problems, "apps/web.conf: ");
    if (result < 0)
        return;
    require(service_problems(&service, &problems) == 0);
    require(app_name_valid(service.name) && service.run.items[0][0] == '/');
    require(service.source_length == size && memcmp(service.source, content, size) == 0);
    check_bounds(&service);
    check_release_bounds(&service);
    check_source(&service);
    check_overlay(&service);
    conf_app_warnings("apps/web.conf", &service, &warnings);
    check_problems(&warnings, "apps/web.conf: ");
}

static void try_agent(const void *content, size_t size)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_FD int fd = memfd_create("agent", MFD_CLOEXEC);
    struct agent_conf conf;
    char path[64];
    require(fd >= 0 && write(fd, content, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int result = conf_load_agent(path, &conf, &problems);
    require((result == 0) == (problems.count == 0));
    check_problems(&problems, path);
    if (result < 0)
        return;
    require(app_name_valid(conf.instance) && conf.group[0] && conf.log_level >= 3 && conf.log_level <= 7);
    require(conf.pools.ipv4.address.family == 4 && conf.pools.ipv4.length >= 8 && conf.pools.ipv4.length <= 28);
    require(conf.pools.ipv6.address.family == 6 && conf.pools.ipv6.length >= 16 && conf.pools.ipv6.length <= 120);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == '=') {
        try_agent(data + 1, size - 1);
    } else if (size > 0 && data[0] == '+') {
        CLEANUP_FREE char *content = malloc(sizeof HEAD + size);
        require(content != NULL);
        memcpy(content, HEAD, sizeof HEAD - 1);
        memcpy(content + sizeof HEAD - 1, data + 1, size - 1);
        try_app(content, sizeof HEAD - 2 + size);
    } else {
        try_app((const char *)data, size);
    }
    return 0;
}
