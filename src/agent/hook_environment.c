/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hook is told: the app's environment, and which release goes where. */
#include "agent/hook.h"

#include "agent/canary.h"
#include "agent/operations.h"
#include "agent/preview.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { URL_MAX = ADDRESS_TEXT_MAX + 32 };

struct variable {
    const char *name, *value;
};

/* The releases that an operation goes between, or went: those of the zones, as they are now. */
static void find_releases(struct app *app, const char **from, const char **to)
{
    *from = *to = "";
    if (operation_running(app)) {
        const struct operation *operation = &app->operation;
        *to = operation->release;
        if (operation->from >= 0)
            *from = zone_of(app, (enum colour)operation->from)->release;
    } else if (app->live >= 0) {
        *to = zone_of(app, (enum colour)app->live)->release;
        *from = zone_of(app, colour_other((enum colour)app->live))->release;
    }
}

static void format_url(const struct service *service, const char *address, char url[URL_MAX])
{
    url[0] = '\0';
    for (size_t i = 0; i < service->port_count && !url[0]; i++) {
        if (service->ports[i].protocol == PROTOCOL_TCP && address[0])
            snprintf(url, URL_MAX, "http://%s:%u", address, service->ports[i].target);
    }
}

static void format_addresses(const struct app_zone *zone, char four[ADDRESS_TEXT_MAX], char six[ADDRESS_TEXT_MAX])
{
    four[0] = six[0] = '\0';
    if (!zone || !zone->kernel)
        return;
    address_format(&zone_addresses(zone->kernel)->service4, four);
    address_format(&zone_addresses(zone->kernel)->service6, six);
}

static bool is_ours(const struct variable *variables, size_t count, const char *entry)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(variables[i].name);
        if (strncmp(entry, variables[i].name, length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

static int add(struct words *environment, const struct variable *variable)
{
    CLEANUP_TEXT struct text entry = {0};
    text_addf(&entry, "%s=%s", variable->name, variable->value);
    return entry.failed ? -ENOMEM : words_add(environment, entry.data);
}

int hook_environment(const struct hook_call *call, const struct words *of_app, struct words *environment)
{
    const struct app_zone *zone = call->zone;
    struct app *app = zone->app;
    char four[ADDRESS_TEXT_MAX], six[ADDRESS_TEXT_MAX], live4[ADDRESS_TEXT_MAX], live6[ADDRESS_TEXT_MAX], url[URL_MAX];
    char version_from[16], version_to[16], share[8] = "", preview[WIRE_TEXT_MAX + 1];
    const char *from, *to;
    bool is_live = app->live >= 0 && app->state == APP_RUNNING;
    find_releases(app, &from, &to);
    format_addresses(zone, four, six);
    format_addresses(is_live ? zone_of(app, (enum colour)app->live) : NULL, live4, live6);
    format_url(zone->service, four, url);
    preview_url(zone, preview, sizeof preview);
    if (operation_running(app) && app->operation.canary)
        snprintf(share, sizeof share, "%u", app->operation.share);
    else if (canary_runs(app))
        snprintf(share, sizeof share, "%u", app->canary.percent);
    bool back = call->hook == HOOK_REVERT;
    snprintf(version_from, sizeof version_from, "%u", back ? app->schema.version : app->schema.base);
    snprintf(version_to, sizeof version_to, "%u", back ? app->schema.base : app->schema.version);
    const struct variable variables[] = {
        {"BLUEGREEN_HOOK", hook_name(call->hook)},
        {"BLUEGREEN_REASON", call->reason},
        {"BLUEGREEN_RELEASE_FROM", from},
        {"BLUEGREEN_RELEASE_TO", to},
        {"BLUEGREEN_ADDRESS", four},
        {"BLUEGREEN_ADDRESS6", six},
        {"BLUEGREEN_LIVE_ADDRESS", live4},
        {"BLUEGREEN_URL", url},
        {"BLUEGREEN_PREVIEW_URL", preview[0] ? preview : url},
        {"BLUEGREEN_CANARY", share},
        {"BLUEGREEN_SCHEMA_FROM", version_from},
        {"BLUEGREEN_SCHEMA_TO", version_to},
    };
    size_t count = sizeof variables / sizeof *variables;
    int result = 0;
    for (size_t i = 0; result == 0 && i < of_app->count; i++) {
        if (!is_ours(variables, count, of_app->items[i]))
            result = words_add(environment, of_app->items[i]);
    }
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add(environment, &variables[i]);
    return result;
}
