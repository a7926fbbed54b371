/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The releases in an app's directory: their names, lines that tell of them, and which of them go. */
#include "model/releases.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const suffixes[RELEASE_KINDS] = {[RELEASE_NEW] = ".new", [RELEASE_OLD] = ".old"};
static const char *const kind_words[RELEASE_KINDS] = {"whole", "new", "old"};

enum { SUFFIX = 4, LINE_MAX_BYTES = RELEASE_NAME_MAX + 31 };

const char *release_entry_name(enum release_kind kind, const char *release, char name[RELEASE_ENTRY_MAX])
{
    snprintf(name, RELEASE_ENTRY_MAX, "%s%s%s", kind == RELEASE_WHOLE ? "" : ".", release,
             kind == RELEASE_WHOLE ? "" : suffixes[kind]);
    return name;
}

bool release_entry_parse(const char *name, enum release_kind *kind, char release[RELEASE_NAME_MAX + 1])
{
    size_t length = strlen(name);
    if (release_name_valid(name)) {
        *kind = RELEASE_WHOLE;
        return text_copy(release, RELEASE_NAME_MAX + 1, name);
    }
    if (name[0] != '.' || length < SUFFIX + 2 || length - SUFFIX - 1 > RELEASE_NAME_MAX)
        return false;
    for (unsigned i = RELEASE_NEW; i < RELEASE_KINDS; i++) {
        if (strcmp(name + length - SUFFIX, suffixes[i]) != 0)
            continue;
        memcpy(release, name + 1, length - SUFFIX - 1);
        release[length - SUFFIX - 1] = '\0';
        *kind = (enum release_kind)i;
        return release_name_valid(release);
    }
    return false;
}

void releases_clear(struct release_list *list)
{
    free(list->items);
    *list = (struct release_list){0};
}

/* --- lines ---------------------------------------------------------------------------------------- */

void releases_format(const struct release_entry *entry, struct text *text)
{
    text_addf(text, "%s %" PRIu64 " %s\n", kind_words[entry->kind], entry->unix_ms, entry->name);
}

static bool parse_kind(const char *word, enum release_kind *kind)
{
    for (unsigned i = 0; i < RELEASE_KINDS; i++) {
        if (strcmp(word, kind_words[i]) == 0) {
            *kind = (enum release_kind)i;
            return true;
        }
    }
    return false;
}

static bool parse_line(char *line, struct release_entry *entry)
{
    char *time = strchr(line, ' '), *name = time ? strchr(time + 1, ' ') : NULL;
    if (!name)
        return false;
    *time++ = '\0';
    *name++ = '\0';
    *entry = (struct release_entry){0};
    return parse_kind(line, &entry->kind) && text_to_u64(time, RELEASE_UNIX_MS_MAX, &entry->unix_ms) &&
           release_name_valid(name) && text_copy(entry->name, sizeof entry->name, name);
}

/* Newest first. Those of one moment by name, so that the order is one. */
static int compare(const void *a, const void *b)
{
    const struct release_entry *first = a, *second = b;
    if (first->unix_ms != second->unix_ms)
        return first->unix_ms > second->unix_ms ? -1 : 1;
    int names = strcmp(second->name, first->name);
    return names ? names : (int)first->kind - (int)second->kind;
}

static int parse_lines(const char *text, size_t length, struct release_list *list)
{
    while (length > 0) {
        char line[LINE_MAX_BYTES + 1];
        const char *newline = memchr(text, '\n', length);
        size_t size = newline ? (size_t)(newline - text) : length;
        if (!newline || size >= sizeof line || list->count == RELEASES_MAX || memchr(text, '\0', size))
            return -EPROTO;
        memcpy(line, text, size);
        line[size] = '\0';
        if (!parse_line(line, &list->items[list->count++]))
            return -EPROTO;
        text += size + 1;
        length -= size + 1;
    }
    return 0;
}

int releases_parse(const char *text, size_t length, struct release_list *list, struct error *err)
{
    CLEANUP_RELEASES struct release_list parsed = {.items = calloc(RELEASES_MAX, sizeof *parsed.items)};
    if (!parsed.items)
        return error_errno(err, ENOMEM, "read the list of releases");
    if (parse_lines(text, length, &parsed) < 0)
        return error_set(err, EPROTO, "the list of releases is not one that this agent writes");
    qsort(parsed.items, parsed.count, sizeof *parsed.items, compare);
    releases_clear(list);
    *list = parsed;
    parsed = (struct release_list){0};
    return 0;
}

/* --- which of them go ------------------------------------------------------------------------------- */

static bool is_held(const struct words *held, const char *release)
{
    for (size_t i = 0; i < held->count; i++) {
        if (strcmp(held->items[i], release) == 0)
            return true;
    }
    return false;
}

size_t releases_choose(struct release_list *list, size_t keep, const struct words *held)
{
    size_t seen = 0, go = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct release_entry *entry = &list->items[i];
        if (entry->kind != RELEASE_WHOLE)
            continue;
        entry->goes = ++seen > keep && !is_held(held, entry->name);
        go += entry->goes;
    }
    return go;
}
