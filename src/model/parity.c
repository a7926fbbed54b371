/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two lists of named values, and what differs. */
#include "model/parity.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *parity_of_name(enum parity_of of)
{
    return of == PARITY_RELEASE ? "release" : of == PARITY_HOST ? "host" : "configuration";
}

static void free_entry(struct parity_entry *entry)
{
    free(entry->name);
    free(entry->value);
    free(entry->bare);
}

void parity_clear(struct parity_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_entry(&list->entries[i]);
    free(list->entries);
    *list = (struct parity_list){0};
}

void parity_add(struct parity_list *list, const struct parity_entry *entry)
{
    struct parity_entry copy = *entry;
    copy.name = strdup(entry->name);
    copy.value = strdup(entry->value);
    copy.bare = strdup(entry->bare ? entry->bare : entry->value);
    struct parity_entry *entries = reallocarray(list->entries, list->count + 1, sizeof *entries);
    if (entries)
        list->entries = entries;
    if (!entries || !copy.name || !copy.value || !copy.bare) {
        free_entry(&copy);
        list->failed = true;
        return;
    }
    entries[list->count++] = copy;
}

/* --- comparing ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct parity_entry *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->bare, right->bare);
}

static void sort(struct parity_list *list)
{
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof *list->entries, by_name);
}

/* Cut texts must not end in half a character: they go out as JSON. */
static void show(const struct parity_entry *entry, const char *hidden, char text[WIRE_TEXT_MAX + 1])
{
    if (!entry)
        text[0] = '\0';
    else if (entry->secret)
        text_copy(text, WIRE_TEXT_MAX + 1, hidden);
    else if (entry->implied)
        snprintf(text, WIRE_TEXT_MAX + 1, "%.200s%s", entry->value, entry->value[0] ? " (default)" : "(default)");
    else
        text_copy(text, WIRE_TEXT_MAX + 1, entry->value);
    text_sanitise(text);
}

static bool same(const struct parity_entry *a, const struct parity_entry *b)
{
    return strcmp(a->value, b->value) == 0 && strcmp(a->bare, b->bare) == 0;
}

/* Of what one of the two is about; blue or green may be NULL. */
static void tell(const struct parity_entry *one, const struct parity_entry *blue, const struct parity_entry *green,
                 parity_found *found, void *context)
{
    struct parity_difference difference = {.of = one->of};
    if (blue && green && strcmp(blue->bare, green->bare) == 0)
        difference.of = PARITY_RELEASE;
    text_copy(difference.name, sizeof difference.name, one->name);
    text_sanitise(difference.name);
    show(blue, "hidden", difference.values[BLUE]);
    show(green, blue ? "hidden, another" : "hidden", difference.values[GREEN]);
    found(context, &difference);
}

void parity_compare(struct parity_list *blue, struct parity_list *green, parity_found *found, void *context)
{
    size_t b = 0, g = 0;
    sort(blue);
    sort(green);
    while (b < blue->count || g < green->count) {
        int order = b == blue->count    ? 1
                    : g == green->count ? -1
                                        : strcmp(blue->entries[b].name, green->entries[g].name);
        if (order < 0)
            tell(&blue->entries[b], &blue->entries[b], NULL, found, context);
        else if (order > 0)
            tell(&green->entries[g], NULL, &green->entries[g], found, context);
        else if (!same(&blue->entries[b], &green->entries[g]))
            tell(&blue->entries[b], &blue->entries[b], &green->entries[g], found, context);
        b += order <= 0;
        g += order >= 0;
    }
}

/* --- names that a release and a zone leave in a text ---------------------------------------------- */

static bool stands_alone(const char *text, const char *at, size_t length)
{
    return (at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]);
}

void parity_generalise(const char *text, const char *release, enum colour zone, struct text *general)
{
    const struct {
        const char *word, *sign;
    } signs[] = {{release, "%r"}, {colour_name(zone), "%z"}};
    text_add(general, "");
    for (const char *at = text; *at;) {
        size_t taken = 0;
        for (size_t i = 0; i < sizeof signs / sizeof *signs && !taken; i++) {
            size_t length = strlen(signs[i].word);
            if (length == 0 || strncmp(at, signs[i].word, length) != 0 || !stands_alone(text, at, length))
                continue;
            text_add(general, signs[i].sign);
            taken = length;
        }
        if (!taken)
            text_add_bytes(general, at, 1);
        at += taken ? taken : 1;
    }
}
