/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The book as bytes and back: the first entry of each segment, from which a journal is read again. */
#include "feed/wal_zone.h"

#include <errno.h>
#include <stdlib.h>

enum { VERSION = 1 };

/* --- to bytes ----------------------------------------------------------------------------------------------------- */

static void put_zone(const struct wal_state *state, size_t zone, struct text *to)
{
    const struct wal_zone_state *of = &state->zones[zone];
    wal_put(to, state->book.zones[zone].position, 8);
    wal_put(to, of->lost_begun, 8);
    wal_put(to, of->diverged, 8);
    wal_put(to, of->twice, 8);
    text_add_bytes(to, of->done, sizeof of->done);
    text_add_bytes(to, of->begun, sizeof of->begun);
    wal_put(to, of->lost_count, 4);
    for (size_t i = 0; i < of->lost_count; i++) {
        wal_put(to, of->lost[i].first, 8);
        wal_put(to, of->lost[i].last, 8);
    }
}

static void put_unended(const struct wal_unended *unended, struct text *to)
{
    wal_put(to, unended->id, 8);
    wal_put(to, unended->size, 8);
    wal_put(to, unended->begin.segment, 8);
    wal_put(to, unended->begin.offset, 8);
    wal_put(to, (uint64_t)unended->zone, 1);
    wal_put(to, unended->doubt, 1);
}

static void put_row(const struct wal_row *row, struct text *to)
{
    wal_put(to, row->number, 8);
    wal_put(to, row->at, 8);
    wal_put(to, row->committed, 8);
    wal_put(to, row->newest, 8);
}

void wal_state_encode(const struct wal_state *state, struct text *to)
{
    wal_put(to, VERSION, 1);
    wal_put(to, (uint64_t)(state->book.live + 1), 1);
    wal_put(to, state->book.committed, 8);
    wal_put(to, state->book.dropped, 8);
    wal_put(to, state->removed, 8);
    wal_put(to, state->next_id, 8);
    for (size_t i = 0; i < COLOURS; i++)
        put_zone(state, i, to);
    wal_put(to, state->unended_count, 4);
    for (size_t i = 0; i < state->unended_count; i++)
        put_unended(&state->unended[i], to);
    wal_put(to, state->row_count, 4);
    for (size_t i = 0; i < state->row_count; i++)
        put_row(&state->rows[i], to);
    wal_put(to, state->note_count, 4);
    for (size_t i = 0; i < state->note_count; i++)
        wal_note_put(to, &state->notes[i]);
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

/* How many follow, each of `size` bytes or more, and room for them; false: there cannot be so many. */
static bool take_many(struct wal_bytes *from, size_t size, size_t item, size_t *count, void *items)
{
    size_t many = (size_t)wal_take(from, 4);
    *count = 0;
    if (from->failed || many > from->left / size)
        return false;
    void *room = calloc(many + 1, item);
    memcpy(items, &room, sizeof room);
    *count = room ? many : 0;
    return room != NULL; /* cppcheck-suppress memleak ; *items has it */
}

static bool take_lost(struct wal_bytes *from, uint64_t committed, struct wal_zone_state *zone)
{
    if (!take_many(from, 16, sizeof *zone->lost, &zone->lost_count, &zone->lost))
        return false;
    zone->lost_room = zone->lost_count + 1;
    uint64_t before = 0;
    for (size_t i = 0; i < zone->lost_count; i++) {
        struct wal_range *range = &zone->lost[i];
        range->first = wal_take(from, 8);
        range->last = wal_take(from, 8);
        if (range->first == 0 || (i > 0 && range->first <= before + 1) || range->last < range->first ||
            range->last > committed)
            return false;
        before = range->last;
        zone->lost_total += range->last - range->first + 1;
    }
    return !from->failed;
}

static bool take_zone(struct wal_bytes *from, struct wal_state *state, int8_t zone)
{
    struct wal_zone_state *of = &state->zones[zone];
    struct wal_zone_book *book = &state->book.zones[zone];
    book->position = wal_take(from, 8);
    of->lost_begun = wal_take(from, 8);
    of->diverged = wal_take(from, 8);
    of->twice = wal_take(from, 8);
    const void *done = wal_take_bytes(from, sizeof of->done);
    const void *begun = wal_take_bytes(from, sizeof of->begun);
    if (from->failed || (book->position != WAL_UNKNOWN && book->position > state->book.committed) ||
        (zone == state->book.live && book->position != state->book.committed))
        return false;
    memcpy(of->done, done, sizeof of->done);
    memcpy(of->begun, begun, sizeof of->begun);
    if (book->position != WAL_UNKNOWN)
        book->applying = wal_zone_newest_begun(of, book->position, state->book.committed);
    return take_lost(from, state->book.committed, of) && (of->lost_begun == 0 || wal_zone_lacks(of, of->lost_begun));
}

static bool take_unended(struct wal_bytes *from, struct wal_state *state)
{
    if (!take_many(from, 34, sizeof *state->unended, &state->unended_count, &state->unended))
        return false;
    state->unended_room = state->unended_count + 1;
    for (size_t i = 0; i < state->unended_count; i++) {
        struct wal_unended *at = &state->unended[i];
        at->id = wal_take(from, 8);
        at->size = wal_take(from, 8);
        at->begin.segment = wal_take(from, 8);
        at->begin.offset = wal_take(from, 8);
        uint64_t zone = wal_take(from, 1);
        uint64_t doubt = wal_take(from, 1);
        at->zone = (int8_t)zone;
        at->doubt = doubt == 1;
        state->book.in_doubt += at->doubt;
        if (zone >= COLOURS || doubt > 1 || at->id >= state->next_id || (i > 0 && at->id <= at[-1].id))
            return false;
    }
    return !from->failed && (state->unended_count == 0 || state->book.live >= 0);
}

static bool take_rows(struct wal_bytes *from, struct wal_state *state)
{
    if (!take_many(from, 32, sizeof *state->rows, &state->row_count, &state->rows))
        return false;
    state->row_room = state->row_count + 1;
    for (size_t i = 0; i < state->row_count; i++) {
        struct wal_row *row = &state->rows[i];
        row->number = wal_take(from, 8);
        row->at = wal_take(from, 8);
        row->committed = wal_take(from, 8);
        row->newest = wal_take(from, 8);
        if (row->committed > state->book.committed || row->newest > state->book.committed ||
            (i > 0 &&
             (row->number != row[-1].number + 1 || row->at <= row[-1].at || row->committed < row[-1].committed)))
            return false;
    }
    return !from->failed && state->row_count > 0;
}

static bool take_notes(struct wal_bytes *from, struct wal_state *state)
{
    size_t kinds[WAL_NOTE_TWICE + 1] = {0};
    if (!take_many(from, WAL_NOTE_MIN, sizeof *state->notes, &state->note_count, &state->notes))
        return false;
    state->note_room = state->note_count + 1;
    for (size_t i = 0; i < state->note_count; i++) {
        wal_note_take(from, &state->notes[i]);
        if (from->failed || ++kinds[state->notes[i].kind] > WAL_KEPT)
            return false;
    }
    return true;
}

static bool decode(struct wal_state *state, struct wal_bytes *from)
{
    uint64_t version = wal_take(from, 1);
    uint64_t live = wal_take(from, 1);
    struct wal_book *book = &state->book;
    book->live = (int8_t)((int8_t)live - 1);
    book->committed = wal_take(from, 8);
    book->dropped = wal_take(from, 8);
    state->removed = wal_take(from, 8);
    state->next_id = wal_take(from, 8);
    if (from->failed || version != VERSION || live > COLOURS || state->removed > book->committed ||
        book->committed >= WAL_UNKNOWN - WAL_WINDOW)
        return false;
    for (int8_t zone = 0; zone < COLOURS; zone++) {
        if (!take_zone(from, state, zone))
            return false;
    }
    return take_unended(from, state) && take_rows(from, state) && take_notes(from, state) && from->left == 0;
}

int wal_state_decode(struct wal_state *state, const void *payload, size_t length)
{
    struct wal_bytes from = {payload, length, false};
    memset(state, 0, sizeof *state);
    if (!decode(state, &from)) {
        wal_state_clear(state);
        return -EBADMSG;
    }
    wal_state_count(state, state->rows[state->row_count - 1].at);
    return 0;
}
