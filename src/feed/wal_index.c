/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks in the feed's journal, found by halving. */
#include "feed/wal_index.h"

#include <stdlib.h>
#include <string.h>

void wal_index_clear(struct wal_index *index)
{
    free(index->marks);
    *index = (struct wal_index){0};
}

/* How many marks are not after the number. */
static size_t count_up_to(const struct wal_index *index, uint64_t sequence)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->marks[middle].sequence <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void wal_index_add(struct wal_index *index, uint64_t sequence, struct wal_place place)
{
    size_t at = count_up_to(index, sequence);
    struct wal_place before = at > 0 ? index->marks[at - 1].place : (struct wal_place){0};
    if (at > 0 && before.segment == place.segment && place.offset < before.offset + WAL_INDEX_STEP)
        return;
    if (index->count == index->room) {
        size_t room = index->room * 2 + 64;
        struct wal_found *grown = reallocarray(index->marks, room, sizeof *grown);
        if (!grown)
            return;
        index->marks = grown;
        index->room = room;
    }
    memmove(index->marks + at + 1, index->marks + at, (index->count - at) * sizeof *index->marks);
    index->marks[at] = (struct wal_found){sequence, place};
    index->count++;
}

const struct wal_found *wal_index_find(const struct wal_index *index, uint64_t segment, uint64_t sequence)
{
    size_t count = count_up_to(index, sequence);
    return count > 0 && index->marks[count - 1].place.segment == segment ? &index->marks[count - 1] : NULL;
}

void wal_index_forget(struct wal_index *index, uint64_t below)
{
    size_t gone = 0;
    while (gone < index->count && index->marks[gone].place.segment < below)
        gone++;
    if (gone == 0)
        return;
    index->count -= gone;
    memmove(index->marks, index->marks + gone, index->count * sizeof *index->marks);
}
