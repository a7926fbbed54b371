/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Do the zones differ in more than their release? What each of them is, as a list; and the step of a deploy that looks
 * before anything is touched. What takes time, the release's files, is left to diff.c. */
#include "agent/parity.h"

#include "agent/operations.h"
#include "agent/progress.h"
#include "base/cleanup.h"
#include "conf/effective.h"
#include "model/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_of_host(struct parity_list *list, const char *name, const char *value, const char *bare)
{
    parity_add(list, &(struct parity_entry){
                         .name = (char *)name, .value = (char *)value, .bare = (char *)bare, .of = PARITY_HOST});
}

static int compare_ids(const void *a, const void *b)
{
    gid_t left = *(const gid_t *)a, right = *(const gid_t *)b;
    return (left > right) - (left < right);
}

static void add_user(const struct resolved *resolved, struct parity_list *list)
{
    char id[16];
    CLEANUP_TEXT struct text groups = {0};
    snprintf(id, sizeof id, "%u", (unsigned)resolved->uid);
    add_of_host(list, "host.uid", id, NULL);
    snprintf(id, sizeof id, "%u", (unsigned)resolved->gid);
    add_of_host(list, "host.gid", id, NULL);
    CLEANUP_FREE gid_t *sorted = calloc(resolved->group_count + 1, sizeof *sorted);
    if (!sorted) {
        list->failed = true;
        return;
    }
    for (size_t i = 0; i < resolved->group_count; i++)
        sorted[i] = resolved->groups[i];
    qsort(sorted, resolved->group_count, sizeof *sorted, compare_ids);
    text_add(&groups, "");
    for (size_t i = 0; i < resolved->group_count; i++)
        text_addf(&groups, "%s%u", i ? " " : "", (unsigned)sorted[i]);
    if (groups.failed)
        list->failed = true;
    else
        add_of_host(list, "host.groups", groups.data, NULL);
}

/* --- what it sees ---------------------------------------------------------------------------------- */

static void describe_step(const struct view_step *step, struct text *text)
{
    static const char *const kinds[VIEW_KINDS] = {
        [VIEW_SEAL] = "as on the host", [VIEW_TMPFS] = "empty", [VIEW_BIND] = "shown",
        [VIEW_HIDE] = "hidden",         [VIEW_PROC] = "proc",   [VIEW_SYS] = "sys",
        [VIEW_CGROUP] = "cgroup",       [VIEW_DEV] = "devices", [VIEW_LOCK] = "locked",
    };
    text_add(text, kinds[step->kind]);
    if (step->source[0] && strcmp(step->source, step->target) != 0)
        text_addf(text, " from %s", step->source);
    if (step->flags & VIEW_READ_ONLY)
        text_add(text, ", read-only");
    if (step->flags & VIEW_NO_EXEC)
        text_add(text, ", not to be executed");
    if (step->flags & VIEW_DEVICE)
        text_add(text, ", a device");
}

static void add_step(const struct parity_zone *zone, const struct view_step *step, struct parity_list *list)
{
    CLEANUP_TEXT struct text name = {0};
    CLEANUP_TEXT struct text value = {0};
    CLEANUP_TEXT struct text bare = {0};
    text_add(&name, "mounts.");
    parity_generalise(step->target, zone->release, zone->colour, &name);
    describe_step(step, &value);
    parity_generalise(value.failed ? "" : value.data, zone->release, zone->colour, &bare);
    if (name.failed || value.failed || bare.failed)
        list->failed = true;
    else
        add_of_host(list, name.data, value.data, bare.data);
}

/* Without what is the same for every zone: the agent's own files, and those that replace some of /etc. */
static int add_view(const struct parity_zone *zone, struct parity_list *list, struct error *err)
{
    static const char *const nothing[] = {NULL};
    CLEANUP_VIEW struct view view = {0};
    const struct view_request request = {
        .sandbox = &zone->service->sandbox,
        .files = zone->resolved->files,
        .file_count = zone->resolved->file_count,
        .hidden = nothing,
        .resolv_conf = "",
        .hosts = "",
        .root = zone->resolved->uid == 0,
    };
    int result = view_build(&request, &view, err);
    for (size_t i = 0; result == 0 && i < view.count; i++)
        add_step(zone, &view.steps[i], list);
    return result;
}

/* --- its environment --------------------------------------------------------------------------------- */

static bool is_configured(const struct service *service, const char *name, size_t length)
{
    for (size_t i = 0; i < service->environment.count; i++) {
        const char *item = service->environment.items[i];
        if (strncmp(item, name, length) == 0 && item[length] == '=')
            return true;
    }
    return false;
}

/* What env_file and the host's accounts gave it; what [app] environment says is among the keys. A file of the release
 * differs with it. */
static void add_environment(const struct parity_zone *zone, struct parity_list *list)
{
    bool of_release = zone->service->env_file && strstr(zone->service->env_file, "%r");
    for (size_t i = 0; i < zone->resolved->environment.count; i++) {
        const char *item = zone->resolved->environment.items[i];
        size_t length = strcspn(item, "=");
        CLEANUP_TEXT struct text name = {0};
        if (text_starts_with(item, "BLUEGREEN_") || is_configured(zone->service, item, length))
            continue;
        text_addf(&name, "environment.%.*s", (int)length, item);
        if (name.failed)
            list->failed = true;
        else
            parity_add(list, &(struct parity_entry){.name = name.data,
                                                    .value = (char *)item + length,
                                                    .bare = of_release ? (char *)"" : NULL,
                                                    .of = of_release ? PARITY_RELEASE : PARITY_HOST,
                                                    .secret = true});
    }
}

/* --- the whole ------------------------------------------------------------------------------------------ */

void parity_zone_clear(struct parity_zone *zone)
{
    resolved_clear(&zone->own);
}

int parity_zone_init(struct parity_zone *zone, const struct service *service, const char *release, enum colour colour,
                     const struct resolved *resolved, struct error *err)
{
    *zone = (struct parity_zone){.service = service, .release = release, .colour = colour, .resolved = resolved};
    if (resolved)
        return 0;
    int result = service_resolve(service, release, colour, &zone->own, err);
    zone->resolved = result == 0 ? &zone->own : NULL;
    return result;
}

static int list_zone(const struct parity_zone *zone, bool with_host, struct parity_list *list, struct error *err)
{
    int result = conf_effective(zone->service, zone->release, zone->colour, list, err);
    if (result < 0 || !with_host)
        return result;
    add_user(zone->resolved, list);
    add_environment(zone, list);
    result = add_view(zone, list, err);
    return result == 0 && list->failed ? error_errno(err, ENOMEM, "list what zone %s is", colour_name(zone->colour))
                                       : result;
}

int parity_zones_compare(const struct parity_zone *a, const struct parity_zone *b, parity_found *found, void *context,
                         struct error *err)
{
    CLEANUP_PARITY struct parity_list blue = {0};
    CLEANUP_PARITY struct parity_list green = {0};
    bool with_host = a->resolved && b->resolved;
    int result = list_zone(a, with_host, a->colour == BLUE ? &blue : &green, err);
    if (result == 0)
        result = list_zone(b, with_host, b->colour == BLUE ? &blue : &green, err);
    if (result == 0)
        parity_compare(&blue, &green, found, context);
    return result;
}

/* --- the step ------------------------------------------------------------------------------------------ */

struct warning {
    struct app *app;
    unsigned count;
    struct text names;
};

static void on_difference(void *context, const struct parity_difference *difference)
{
    struct warning *warning = context;
    enum colour target = warning->app->operation.target;
    const char *before = difference->values[colour_other(target)], *after = difference->values[target];
    if (difference->of == PARITY_RELEASE)
        return;
    text_addf(&warning->names, "%s%s", warning->count ? ", " : "", difference->name);
    warning->count++;
    progress(warning->app, target, "parity", "%s %s -> %s", difference->name, before[0] ? before : "(none)",
             after[0] ? after : "(none)");
}

/* What cannot be found out is said, and decides nothing: staging asks the host again, and fails where it must. */
static int look(struct app *app, struct warning *warning, struct error *err)
{
    struct operation *operation = &app->operation;
    const struct app_zone *live = zone_of(app, (enum colour)operation->from);
    CLEANUP(parity_zone_clear) struct parity_zone fresh = {0};
    CLEANUP(parity_zone_clear) struct parity_zone old = {0};
    struct error unknown = {0};
    int result = parity_zone_init(&fresh, app->service, operation->release, operation->target, NULL, &unknown);
    if (parity_zone_init(&old, live->service, live->release, live->colour, live->resolved, &unknown) < 0 || result < 0)
        progress(app, operation->target, "parity", "what the host gives the two zones was not compared: %s",
                 unknown.text);
    return parity_zones_compare(&fresh, &old, on_difference, warning, err);
}

void parity_enter(struct app *app)
{
    struct operation *operation = &app->operation;
    struct warning warning = {.app = app};
    struct error err = {0};
    char reason[2 * WIRE_TEXT_MAX + 64];
    const struct app_zone *live = operation->from >= 0 ? zone_of(app, (enum colour)operation->from) : NULL;
    if (!live || !live->service) { /* the first one differs from nothing */
        operation_event(app, EVENT_DONE, NULL);
        return;
    }
    int result = look(app, &warning, &err);
    const char *names = warning.names.data && !warning.names.failed ? warning.names.data : "";
    if (warning.count > 0)
        snprintf(operation->parity, sizeof operation->parity, "differs from %s beyond the release: %s", live->release,
                 names);
    bool refuse = warning.count > 0 && app->service->parity_strict && !operation->force;
    if (refuse)
        snprintf(reason, sizeof reason,
                 "%s; [parity] strict = yes allows no such difference: take it out of %s.conf, or go on with --force",
                 operation->parity, app->name);
    text_clear(&warning.names);
    if (result < 0)
        operation_event(app, EVENT_FAILED, err.text);
    else
        operation_event(app, refuse ? EVENT_FAILED : EVENT_DONE, refuse ? reason : NULL);
}
