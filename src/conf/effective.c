/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration means in one zone, key by key. */
#include "conf/effective.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/resolution.h"
#include "conf/scan.h"

#include <errno.h>
#include <string.h>

struct listing {
    const struct service *service;
    const char *release;
    enum colour zone;
    struct scan scan;
    struct parity_list *list;
};

/* Blanks mean nothing to the languages of the keys, but that there are some. */
static void collapse(const char *value, struct text *text)
{
    text_add(text, "");
    for (const char *c = value; *c; c++) {
        bool blank = *c == ' ' || *c == '\t';
        if (!blank)
            text_add_bytes(text, c, 1);
        else if (c[1] && c[1] != ' ' && c[1] != '\t')
            text_add(text, " ");
    }
}

/* What a value is in this zone; one with a '%' of its own, as in "10%", stays as it is. */
static void add(struct listing *listing, const char *name, const char *value, bool secret)
{
    CLEANUP_TEXT struct text bare = {0};
    CLEANUP_FREE char *substituted = NULL;
    struct error unused = {0};
    collapse(value, &bare);
    if (bare.failed) {
        listing->list->failed = true;
        return;
    }
    bool put_in = service_substitute(bare.data, listing->release, listing->zone, &substituted, &unused) == 0;
    parity_add(listing->list, &(struct parity_entry){.name = (char *)name,
                                                     .value = put_in ? substituted : bare.data,
                                                     .bare = bare.data,
                                                     .of = PARITY_CONFIGURATION,
                                                     .secret = secret});
}

/* What a release is in itself, and changes with it. */
static bool is_of_release(const struct key_rule *rule)
{
    return strcmp(rule->section, "schema") == 0 && strcmp(rule->key, "needs") == 0;
}

static void add_rule(struct listing *listing, const struct key_rule *rule)
{
    CLEANUP_TEXT struct text name = {0};
    CLEANUP_TEXT struct text value = {0};
    const struct scan_entry *entry = keys_find(&listing->scan, rule->section, rule->key);
    text_addf(&name, "%s.%s", rule->section, rule->key);
    text_add(&value, "");
    key_show(rule, listing->service, &value);
    if (name.failed || value.failed)
        listing->list->failed = true;
    else if (entry && rule->kind == KEY_CALL)
        add(listing, name.data, entry->value, false);
    else
        parity_add(listing->list,
                   &(struct parity_entry){.name = name.data,
                                          .value = value.data,
                                          .of = is_of_release(rule) ? PARITY_RELEASE : PARITY_CONFIGURATION,
                                          .implied = !entry});
}

/* Ports and processes have names that no table knows. */
static void add_named(struct listing *listing, const struct scan_entry *entry)
{
    const struct key_rule *rule = keys_rule(app_rules, app_rule_count, entry);
    CLEANUP_TEXT struct text name = {0};
    if (!rule || (rule->key && !rule->set_named))
        return;
    text_addf(&name, "%s.%s", entry->section, entry->key);
    if (name.failed)
        listing->list->failed = true;
    else
        add(listing, name.data, entry->value, false);
}

static void add_variable(struct listing *listing, const char *assignment)
{
    CLEANUP_TEXT struct text name = {0};
    size_t length = strcspn(assignment, "=");
    text_addf(&name, "environment.%.*s", (int)length, assignment);
    if (name.failed)
        listing->list->failed = true;
    else
        add(listing, name.data, assignment[length] ? assignment + length + 1 : "", true);
}

static bool is_environment(const struct key_rule *rule)
{
    return strcmp(rule->section, "app") == 0 && strcmp(rule->key, "environment") == 0;
}

/* What holds: the zone's file, or what a changed one made of it. */
static int read_entries(const struct service *service, struct scan *scan)
{
    CLEANUP_WORDS struct words unused = {0};
    struct problems problems = {.file = service->name, .list = &unused}; /* it was parsed before: there are none */
    if (service->laid.count == 0)
        return scan_content(service->source, service->source_length, scan, &problems);
    scan->entries = calloc(service->laid.count / 3, sizeof *scan->entries);
    for (size_t i = 0; scan->entries && i + 2 < service->laid.count; i += 3) {
        struct scan_entry *entry = &scan->entries[scan->entry_count++];
        entry->section = strdup(service->laid.items[i]);
        entry->key = strdup(service->laid.items[i + 1]);
        entry->value = strdup(service->laid.items[i + 2]);
        if (!entry->section || !entry->key || !entry->value)
            return -ENOMEM;
    }
    return scan->entries ? 0 : -ENOMEM;
}

int conf_effective(const struct service *service, const char *release, enum colour zone, struct parity_list *list,
                   struct error *err)
{
    struct listing listing = {.service = service, .release = release, .zone = zone, .list = list};
    if (read_entries(service, &listing.scan) < 0)
        list->failed = true;
    for (size_t i = 0; !list->failed && i < app_rule_count; i++) {
        if (app_rules[i].key && !app_rules[i].set_named && !is_environment(&app_rules[i]))
            add_rule(&listing, &app_rules[i]);
    }
    for (size_t i = 0; !list->failed && i < listing.scan.entry_count; i++)
        add_named(&listing, &listing.scan.entries[i]);
    for (size_t i = 0; i < service->environment.count; i++)
        add_variable(&listing, service->environment.items[i]);
    scan_clear(&listing.scan);
    return list->failed ? error_errno(err, ENOMEM, "list the configuration of %s", service->name) : 0;
}

/* --- where the release is ------------------------------------------------------------------------ */

static const char *place(const struct service *service, size_t index)
{
    if (index == 0)
        return service->run.count ? service->run.items[0] : "";
    if (index <= service->process_count)
        return service->processes[index - 1].run.count ? service->processes[index - 1].run.items[0] : "";
    return service->workdir ? service->workdir : "";
}

int conf_release_directory(const struct service *service, const char *release, enum colour zone, char **path,
                           struct error *err)
{
    *path = NULL;
    if (service->releases_dir) {
        CLEANUP_TEXT struct text known = {0};
        text_addf(&known, "%s/%s", service->releases_dir, release);
        if (known.failed)
            return error_errno(err, ENOMEM, "find the release's directory");
        *path = known.data;
        known = (struct text){0};
        return 0;
    }
    for (size_t i = 0; i <= service->process_count + 1; i++) {
        CLEANUP_FREE char *part = NULL;
        int result = resolve_release_part(place(service, i), &part, err);
        if (result < 0)
            return result;
        if (part)
            return service_substitute(part, release, zone, path, err);
    }
    return 0;
}
