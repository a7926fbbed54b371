/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each entry changes in the book. Nothing here can fail: wal_state_admit has looked, and has made room. */
#include "feed/wal_zone.h"

/* --- notes -------------------------------------------------------------------------------------------------------- */

/* Takes the place of one with the same number; only the first WAL_KEPT of each kind are kept. */
static void keep_note(struct wal_state *state, const struct wal_note *note)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->note_count; i++) {
        struct wal_note *at = &state->notes[i];
        kept += at->kind == note->kind;
        if (at->kind == note->kind && at->zone == note->zone && at->sequence == note->sequence) {
            *at = *note;
            return;
        }
    }
    if (kept < WAL_KEPT)
        state->notes[state->note_count++] = *note;
}

/* Those of a zone with this number, or all of the zone (0), and of this kind. */
static void drop_notes(struct wal_state *state, int8_t zone, uint64_t sequence, enum wal_note_kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->note_count; i++) {
        const struct wal_note *note = &state->notes[i];
        if (note->zone != zone || (sequence != 0 && (note->sequence != sequence || note->kind != kind)))
            state->notes[kept++] = *note;
    }
    state->note_count = kept;
}

static void note_twice(struct wal_state *state, int8_t zone, uint64_t sequence)
{
    struct wal_note note = {.kind = WAL_NOTE_TWICE, .zone = zone, .sequence = sequence};
    state->zones[zone].twice++;
    if (!wal_state_note(state, WAL_NOTE_TWICE, zone, sequence))
        keep_note(state, &note);
}

/* Whoever applied them has gone: nobody knows whether the zone has them. */
static void doubt_applying(struct wal_state *state, int8_t zone)
{
    struct wal_zone_state *of = &state->zones[zone];
    uint64_t position = state->book.zones[zone].position;
    for (uint64_t i = 1; i <= WAL_WINDOW && position != WAL_UNKNOWN && position + i <= state->book.committed; i++) {
        if (wal_bit(of->begun, position + i))
            note_twice(state, zone, position + i);
    }
    memset(of->begun, 0, sizeof of->begun);
    if (of->lost_begun != 0)
        note_twice(state, zone, of->lost_begun);
    of->lost_begun = 0;
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

static void set_position(struct wal_state *state, int8_t zone, uint64_t position)
{
    struct wal_zone_state *of = &state->zones[zone];
    struct wal_zone_book *book = &state->book.zones[zone];
    book->position = wal_zone_advance(of, position, state->book.committed);
    book->applying = wal_zone_newest_begun(of, book->position, state->book.committed);
}

/* Nobody knows any more what it has. */
static void forget_position(struct wal_state *state, int8_t zone)
{
    wal_zone_forget_window(&state->zones[zone]);
    state->book.zones[zone] = (struct wal_zone_book){.position = WAL_UNKNOWN};
}

/* A zone that is not live, and that lacks something that is gone, or perhaps does, is a backup no more. */
static void leave_behind(struct wal_state *state, int8_t zone, bool perhaps)
{
    struct wal_book *book = &state->book;
    uint64_t position = book->zones[zone].position;
    if (zone == book->live || position == WAL_UNKNOWN || (!perhaps && position >= state->removed))
        return;
    forget_position(state, zone);
    book->dropped = perhaps ? book->committed : state->removed;
}

static void touch_row(struct wal_state *state, uint64_t segment)
{
    struct wal_row *row = wal_state_row(state, segment);
    if (row)
        row->newest = state->book.committed;
}

static void remove_unended(struct wal_state *state, struct wal_unended *unended)
{
    size_t after = (size_t)(state->unended + state->unended_count - unended) - 1;
    state->book.in_doubt -= unended->doubt;
    memmove(unended, unended + 1, after * sizeof *unended);
    state->unended_count--;
}

/* It has the number already, though live did not do it itself: another zone was live when it was sent. */
static void credit_former_live(struct wal_state *state, int8_t zone, uint64_t sequence)
{
    uint64_t position = state->book.zones[zone].position;
    if (position == WAL_UNKNOWN || sequence - position > WAL_WINDOW)
        return;
    wal_bit_set(state->zones[zone].done, sequence, true);
    set_position(state, zone, position);
}

/* The unended transaction gets the next number. */
static void number(struct wal_state *state, struct wal_unended *unended, uint64_t segment)
{
    struct wal_book *book = &state->book;
    int8_t live = book->live, doer = unended->zone, other = (int8_t)!live;
    bool readable = wal_state_row(state, unended->begin.segment);
    uint64_t sequence = ++book->committed;
    book->zones[live].position = sequence;
    touch_row(state, unended->begin.segment);
    touch_row(state, segment);
    remove_unended(state, unended);
    if (doer != live) {
        wal_zone_lose(&state->zones[live], sequence, sequence);
        credit_former_live(state, doer, sequence);
    }
    if (!readable) {
        state->removed = sequence;
        leave_behind(state, other, false);
    }
}

static void begin(struct wal_state *state, const struct wal_entry *entry, struct wal_place place, uint64_t size)
{
    struct wal_unended *known = wal_state_unended(state, entry->id);
    if (known) { /* carried */
        known->begin = place;
        return;
    }
    state->unended[state->unended_count++] = (struct wal_unended){entry->id, size, place, entry->zone, false};
    state->next_id = entry->id + 1;
}

static void end(struct wal_state *state, const struct wal_entry *entry, uint64_t segment)
{
    struct wal_unended *unended = wal_state_unended(state, entry->id);
    if (entry->kind == WAL_COMMIT || (entry->kind == WAL_SETTLE && entry->apply)) {
        number(state, unended, segment);
    } else if (entry->kind == WAL_DOUBT) {
        unended->doubt = true;
        state->book.in_doubt++;
    } else {
        remove_unended(state, unended);
    }
}

/* --- zones -------------------------------------------------------------------------------------------------------- */

static void applying(struct wal_state *state, const struct wal_entry *entry)
{
    struct wal_zone_state *zone = &state->zones[entry->zone];
    struct wal_zone_book *book = &state->book.zones[entry->zone];
    if (wal_zone_lacks(zone, entry->sequence)) {
        zone->lost_begun = entry->sequence;
        return;
    }
    if (wal_bit(zone->begun, entry->sequence)) /* the same process once more, as the first time had no answer */
        note_twice(state, entry->zone, entry->sequence);
    wal_bit_set(zone->begun, entry->sequence, true);
    if (entry->sequence > book->applying)
        book->applying = entry->sequence;
}

static void applied(struct wal_state *state, const struct wal_entry *entry)
{
    struct wal_zone_state *zone = &state->zones[entry->zone];
    bool was_lost = wal_zone_lacks(zone, entry->sequence);
    if (was_lost) {
        zone->lost_begun = 0;
        if (entry->skipped)
            return;
        wal_zone_regain(zone, entry->sequence);
        drop_notes(state, entry->zone, entry->sequence, WAL_NOTE_LOST);
    } else {
        wal_bit_set(zone->begun, entry->sequence, false);
        wal_bit_set(zone->done, entry->sequence, true);
        set_position(state, entry->zone, state->book.zones[entry->zone].position);
        if (entry->skipped)
            wal_zone_lose(zone, entry->sequence, entry->sequence);
    }
    zone->diverged += entry->diverged;
    if (entry->noted)
        keep_note(state, &entry->note);
}

static void live(struct wal_state *state, int8_t zone)
{
    struct wal_book *book = &state->book;
    int8_t before = book->live;
    uint64_t position = book->zones[zone].position;
    if (before == zone)
        return;
    if (position != WAL_UNKNOWN) {
        doubt_applying(state, zone);
        wal_zone_lose_rest(&state->zones[zone], position, book->committed);
    } else if (before >= 0) {
        forget_position(state, before);
    }
    wal_zone_forget_window(&state->zones[zone]);
    book->zones[zone] = (struct wal_zone_book){.position = book->committed};
    book->live = zone;
}

static void seeded(struct wal_state *state, int8_t zone, uint64_t sequence)
{
    struct wal_zone_state *of = &state->zones[zone];
    forget_position(state, zone);
    of->lost_count = 0;
    of->lost_total = of->lost_begun = of->diverged = of->twice = 0;
    drop_notes(state, zone, 0, WAL_NOTE_LOST);
    state->book.zones[zone].position = sequence;
    if (sequence != WAL_UNKNOWN)
        state->book.dropped = 0;
}

/* --- segments ----------------------------------------------------------------------------------------------------- */

/* Those in doubt whose request is gone can go nowhere any more; those that are open may still end well. */
static bool drop_unreadable_doubts(struct wal_state *state)
{
    size_t before = state->unended_count;
    for (size_t i = state->unended_count; i-- > 0;) {
        if (state->unended[i].doubt && !wal_state_row(state, state->unended[i].begin.segment))
            remove_unended(state, &state->unended[i]);
    }
    return state->unended_count < before;
}

static void removed(struct wal_state *state, uint64_t segment)
{
    size_t gone = 0;
    for (; gone < state->row_count && state->rows[gone].number < segment; gone++) {
        if (state->rows[gone].newest > state->removed)
            state->removed = state->rows[gone].newest;
    }
    state->row_count -= gone;
    memmove(state->rows, state->rows + gone, state->row_count * sizeof *state->rows);
    bool doubts = drop_unreadable_doubts(state);
    for (int8_t zone = 0; zone < COLOURS; zone++)
        leave_behind(state, zone, doubts);
}

static void opened(struct wal_state *state, uint64_t next_id)
{
    for (size_t i = 0; i < state->unended_count; i++) {
        state->book.in_doubt += !state->unended[i].doubt;
        state->unended[i].doubt = true;
    }
    for (int8_t zone = 0; zone < COLOURS; zone++) {
        doubt_applying(state, zone);
        state->book.zones[zone].applying = 0;
    }
    bool doubts = drop_unreadable_doubts(state);
    for (int8_t zone = 0; zone < COLOURS; zone++)
        leave_behind(state, zone, doubts);
    state->next_id = next_id;
}

void wal_state_count(struct wal_state *state, uint64_t end)
{
    struct wal_book *book = &state->book;
    state->end = end;
    book->bytes = end - state->rows[0].at;
    book->oldest = state->removed + 1;
    book->lost = state->zones[BLUE].lost_total + state->zones[GREEN].lost_total;
    book->diverged = state->zones[BLUE].diverged + state->zones[GREEN].diverged;
    book->twice = state->zones[BLUE].twice + state->zones[GREEN].twice;
}

void wal_state_add(struct wal_state *state, const struct wal_entry *entry, struct wal_place place, uint64_t size)
{
    switch (entry->kind) {
    case WAL_OPENED: opened(state, entry->id); break;
    case WAL_BEGIN: begin(state, entry, place, size); break;
    case WAL_COMMIT:
    case WAL_ABORT:
    case WAL_DOUBT:
    case WAL_SETTLE: end(state, entry, place.segment); break;
    case WAL_APPLYING: applying(state, entry); break;
    case WAL_APPLIED: applied(state, entry); break;
    case WAL_LIVE: live(state, entry->zone); break;
    case WAL_SEEDED: seeded(state, entry->zone, entry->sequence); break;
    case WAL_NOTED: keep_note(state, &entry->note); break;
    case WAL_REMOVED: removed(state, entry->segment); break;
    case WAL_CLOSED:
    case WAL_CHECKPOINT:
    case WAL_KINDS: break;
    }
    wal_state_count(state, state->rows[state->row_count - 1].at + place.offset + size);
}
