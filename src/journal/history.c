/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history's entries in a journal. */
#include "journal/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where a record is. */
struct place {
    size_t offset, length;
    uint64_t operation; /* of an entry, or of what belongs to one */
    bool if_served;     /* an entry: it is wanted if a part of it says that of the release */
    bool served;        /* a part: it does */
};

struct places {
    struct place *items;
    size_t count, capacity;
};

struct search {
    const struct history_filter *filter;
    const char *content;
    struct places entries, parts;
};

static int note(struct places *places, struct place place)
{
    if (places->count == places->capacity) {
        size_t capacity = places->capacity ? 2 * places->capacity : 256;
        struct place *items = reallocarray(places->items, capacity, sizeof *items);
        if (!items)
            return -ENOMEM;
        places->items = items;
        places->capacity = capacity;
    }
    places->items[places->count++] = place;
    return 0;
}

static int look(struct search *search, const char *line, size_t length, struct error *err)
{
    struct record record;
    int result = record_parse(line, length, &record, err);
    if (result < 0)
        return result;
    struct place place = {.offset = (size_t)(line - search->content), .length = length, .operation = record.operation};
    place.if_served = history_wants_if_served(search->filter, &record);
    place.served = history_is_served(search->filter, &record);
    if (place.if_served || history_wants(search->filter, &record)) {
        place.operation = record.kind == RECORD_END ? record.operation : 0;
        result = note(&search->entries, place);
    } else if (history_wants_part(search->filter, &record)) {
        result = note(&search->parts, place);
    }
    return result < 0 ? error_errno(err, ENOMEM, "read the history") : 0;
}

static int find(struct search *search, size_t length, struct error *err)
{
    size_t at = 0;
    int result = 0;
    while (result == 0 && at < length) {
        const char *line = search->content + at, *newline = memchr(line, '\n', length - at);
        if (!newline)
            break;
        result = look(search, line, (size_t)(newline - line), err);
        at = (size_t)(newline - search->content) + 1;
    }
    return result;
}

/* Of one operation, as they were written. */
static int compare(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->operation != b->operation)
        return a->operation < b->operation ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static size_t first_part(const struct places *parts, uint64_t operation)
{
    size_t low = 0, high = parts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (parts->items[middle].operation < operation)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those that are wanted because of what belongs to them are so now or never. */
static void drop_unserved(struct search *search)
{
    const struct places *parts = &search->parts;
    struct places *entries = &search->entries;
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct place *entry = &entries->items[i];
        bool wanted = !entry->if_served;
        for (size_t j = first_part(parts, entry->operation);
             !wanted && j < parts->count && parts->items[j].operation == entry->operation; j++)
            wanted = parts->items[j].served;
        if (wanted)
            entries->items[count++] = *entry;
    }
    entries->count = count;
}

static int visit_place(const struct search *search, const struct place *place, record_visitor *visit, void *context,
                       struct error *err)
{
    struct record record;
    int result = record_parse(search->content + place->offset, place->length, &record, err);
    return result < 0 ? result : visit(context, &record, err);
}

static int visit_entry(const struct search *search, const struct place *entry, record_visitor *visit, void *context,
                       struct error *err)
{
    const struct places *parts = &search->parts;
    int result = visit_place(search, entry, visit, context, err);
    if (entry->operation == 0)
        return result;
    for (size_t i = first_part(parts, entry->operation);
         result == 0 && i < parts->count && parts->items[i].operation == entry->operation; i++)
        result = visit_place(search, &parts->items[i], visit, context, err);
    return result;
}

int history_visit(const char *content, size_t length, const struct history_filter *filter, record_visitor *visit,
                  void *context, struct error *err)
{
    struct search search = {.filter = filter, .content = content};
    int result = find(&search, length, err);
    if (search.parts.count > 1)
        qsort(search.parts.items, search.parts.count, sizeof *search.parts.items, compare);
    drop_unserved(&search);
    size_t count = search.entries.count;
    for (size_t i = count > filter->limit ? count - filter->limit : 0; result == 0 && i < count; i++)
        result = visit_entry(&search, &search.entries.items[i], visit, context, err);
    free(search.entries.items);
    free(search.parts.items);
    return result;
}
