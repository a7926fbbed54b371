/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two files of an app laid over each other, as lists of entries: what a key means is not known here. */
#include "conf/overlay.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/ini.h"
#include "conf/keys.h"

#include <errno.h>
#include <string.h>

void overlay_clear(struct overlay *overlay)
{
    service_free(overlay->service);
    words_clear(&overlay->now);
    words_clear(&overlay->waits);
    *overlay = (struct overlay){0};
}

static int load(const struct service *service, struct scan *scan, struct problems *problems)
{
    *scan = (struct scan){0};
    return service ? ini_load(service->source, service->source_length, scan, problems) : 0;
}

static bool is_now(const struct scan_entry *entry, const struct service *kept, const struct service *fresh)
{
    const struct key_rule *rule = keys_rule(app_rules, app_rule_count, entry);
    return rule && rule->now && rule->now(kept, fresh);
}

/* Moves the entries of one kind from `from` to the end of `to`, which has room. */
static void move_entries(struct scan *from, bool now, const struct service *kept, const struct service *fresh,
                         struct scan *to)
{
    size_t left = 0;
    for (size_t i = 0; i < from->entry_count; i++) {
        if (is_now(&from->entries[i], kept, fresh) == now)
            to->entries[to->entry_count++] = from->entries[i];
        else
            from->entries[left++] = from->entries[i];
    }
    from->entry_count = left;
}

/* What of kept's file waits, and what of fresh's takes effect; fresh NULL: all of kept's. */
static int merge(const struct service *kept, const struct service *fresh, struct scan *merged,
                 struct problems *problems)
{
    CLEANUP_SCAN struct scan old = {0}, new = {0};
    if (!fresh)
        return load(kept, merged, problems);
    *merged = (struct scan){0};
    if (load(kept, &old, problems) < 0 || load(fresh, &new, problems) < 0)
        return -EINVAL;
    merged->entries = calloc(old.entry_count + new.entry_count + 1, sizeof *merged->entries);
    if (!merged->entries)
        return -ENOMEM;
    move_entries(&old, false, kept, fresh, merged);
    move_entries(&new, true, kept, fresh, merged);
    merged->sections = steal_ptr(&old.sections); /* of processes, which stand for themselves */
    merged->section_count = old.section_count;
    old.section_count = 0;
    return 0;
}

static bool same_in(const struct scan *scan, const struct scan_entry *entry)
{
    const struct scan_entry *other = keys_find(scan, entry->section, entry->key);
    return other && strcmp(other->value, entry->value) == 0;
}

static int add_name(const struct scan_entry *entry, struct words *names)
{
    CLEANUP_TEXT struct text name = {0};
    text_addf(&name, "[%s] %s", entry->section, entry->key);
    return name.failed ? -ENOMEM : words_add(names, name.data);
}

/* Keys that are in one of them only, or with another value. */
static int differences(const struct scan *a, const struct scan *b, struct words *names)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < a->entry_count; i++) {
        if (!same_in(b, &a->entries[i]))
            result = add_name(&a->entries[i], names);
    }
    for (size_t i = 0; result == 0 && i < b->entry_count; i++) {
        if (!keys_find(a, b->entries[i].section, b->entries[i].key))
            result = add_name(&b->entries[i], names);
    }
    return result;
}

static int keep_entries(const struct scan *scan, struct words *laid)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < scan->entry_count; i++) {
        const struct scan_entry *entry = &scan->entries[i];
        result = words_add(laid, entry->section);
        if (result == 0)
            result = words_add(laid, entry->key);
        if (result == 0)
            result = words_add(laid, entry->value);
    }
    return result;
}

static int make_service(const struct service *kept, struct scan *merged, struct overlay *overlay,
                        struct problems *problems)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return -ENOMEM;
    int result = app_from_scan(merged, service, problems);
    if (result == 0) {
        service->source = strndup(kept->source, kept->source_length);
        service->source_length = kept->source_length;
        result = service->source ? keep_entries(merged, &service->laid) : -ENOMEM;
    }
    if (result < 0)
        service_free(service);
    else
        overlay->service = service;
    return result;
}

int conf_overlay(const char *file, const struct service *kept, const struct service *before,
                 const struct service *fresh, struct overlay *overlay, struct words *list)
{
    struct problems problems = {.file = file, .list = list};
    CLEANUP_SCAN struct scan former = {0}, merged = {0}, whole = {0};
    *overlay = (struct overlay){0};
    int result = merge(kept, before, &former, &problems);
    if (result == 0)
        result = merge(kept, fresh, &merged, &problems);
    if (result == 0)
        result = load(fresh, &whole, &problems);
    if (result == 0)
        result = differences(&former, &merged, &overlay->now);
    if (result == 0)
        result = differences(&merged, &whole, &overlay->waits);
    return result == 0 ? make_service(kept, &merged, overlay, &problems) : result;
}
