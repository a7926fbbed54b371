/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the entries of the feed's journal come to: which may come next, and what each changes. Apart from files. */
#include "feed/wal_book.h"

#include "feed/wal_zone.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void wal_state_init(struct wal_state *state, bool new_app, uint64_t first_id)
{
    memset(state, 0, sizeof *state);
    state->book.live = -1;
    state->book.oldest = 1;
    state->next_id = first_id;
    for (size_t i = 0; i < COLOURS; i++)
        state->book.zones[i].position = new_app ? 0 : WAL_UNKNOWN;
}

void wal_state_clear(struct wal_state *state)
{
    for (size_t i = 0; i < COLOURS; i++)
        free(state->zones[i].lost);
    free(state->unended);
    free(state->rows);
    free(state->notes);
    memset(state, 0, sizeof *state);
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

struct wal_row *wal_state_row(const struct wal_state *state, uint64_t segment)
{
    if (state->row_count == 0 || segment < state->rows[0].number || segment - state->rows[0].number >= state->row_count)
        return NULL;
    return &state->rows[segment - state->rows[0].number];
}

struct wal_row *wal_state_row_of(const struct wal_state *state, uint64_t sequence)
{
    if (sequence == 0 || sequence > state->book.committed)
        return NULL;
    size_t from = 0, to = state->row_count; /* the last whose `committed` is below it */
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (state->rows[middle].committed < sequence)
            from = middle + 1;
        else
            to = middle;
    }
    return from > 0 ? &state->rows[from - 1] : NULL;
}

struct wal_unended *wal_state_unended(const struct wal_state *state, uint64_t id)
{
    size_t from = 0, to = state->unended_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (state->unended[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < state->unended_count && state->unended[from].id == id ? &state->unended[from] : NULL;
}

const struct wal_note *wal_state_note(const struct wal_state *state, enum wal_note_kind kind, int8_t zone,
                                      uint64_t sequence)
{
    for (size_t i = 0; i < state->note_count; i++) {
        const struct wal_note *note = &state->notes[i];
        if (note->kind == kind && note->zone == zone && note->sequence == sequence)
            return note;
    }
    return NULL;
}

uint64_t wal_state_needless(const struct wal_state *state, uint64_t pin)
{
    uint64_t needless = state->book.committed < pin ? state->book.committed : pin;
    for (size_t i = 0; i < COLOURS; i++) {
        uint64_t position = state->book.zones[i].position; /* WAL_UNKNOWN is the largest: it waits for nothing */
        if (position < needless)
            needless = position;
        if (state->zones[i].lost_count > 0 && state->zones[i].lost[0].first - 1 < needless)
            needless = state->zones[i].lost[0].first - 1;
    }
    return needless;
}

/* --- what may come next ------------------------------------------------------------------------------------------- */

static const char *zone_name(int8_t zone)
{
    return zone == BLUE ? "blue" : "green";
}

static bool reserve(struct wal_state *state, const struct wal_entry *entry)
{
    size_t notes = entry->kind == WAL_OPENED || entry->kind == WAL_LIVE ? WAL_KEPT : 1;
    size_t ranges = entry->kind == WAL_LIVE ? WAL_WINDOW / 2 + 2 : 2;
    for (size_t i = 0; i < COLOURS; i++) {
        if (!wal_zone_reserve(&state->zones[i], ranges))
            return false;
    }
    if (state->note_count + notes > state->note_room) {
        size_t room = state->note_room + notes + WAL_KEPT / 4;
        struct wal_note *grown = reallocarray(state->notes, room, sizeof *grown);
        if (!grown)
            return false;
        state->notes = grown;
        state->note_room = room;
    }
    if (state->unended_count < state->unended_room)
        return true;
    size_t room = state->unended_room * 2 + 16;
    struct wal_unended *grown = reallocarray(state->unended, room, sizeof *grown);
    if (!grown)
        return false;
    state->unended = grown;
    state->unended_room = room;
    return true;
}

static int admit_begin(const struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    const struct wal_unended *known = wal_state_unended(state, entry->id);
    if (entry->carried ? known && known->zone == entry->zone
                       : state->book.live >= 0 && entry->id == state->next_id && entry->zone == state->book.live)
        return 0;
    if (state->book.live < 0)
        return error_set(err, EINVAL, "begin a transaction: no zone is live");
    return error_set(err, EINVAL, "begin transaction %" PRIu64 ": it is not the next one", entry->id);
}

static int admit_end(const struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    const struct wal_unended *known = wal_state_unended(state, entry->id);
    bool settles = entry->kind == WAL_SETTLE, numbered = entry->kind == WAL_COMMIT || (settles && entry->apply);
    if (!known)
        return error_set(err, ENOENT, "transaction %" PRIu64 " has ended, or has never begun", entry->id);
    if (known->doubt != settles)
        return error_set(err, EINVAL, "transaction %" PRIu64 " is %s", entry->id,
                         settles ? "not in doubt" : "in doubt, it has to be settled");
    if (numbered && (entry->sequence != state->book.committed + 1 || entry->begin.segment != known->begin.segment ||
                     entry->begin.offset != known->begin.offset))
        return error_set(err, EINVAL, "transaction %" PRIu64 " cannot be number %" PRIu64, entry->id, entry->sequence);
    return 0;
}

static int admit_apply(const struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    const struct wal_zone_state *zone = &state->zones[entry->zone];
    uint64_t position = state->book.zones[entry->zone].position, sequence = entry->sequence;
    const char *name = zone_name(entry->zone);
    if (sequence == 0 || sequence > state->book.committed)
        return error_set(err, ENOENT, "apply %" PRIu64 " to %s: there is no such transaction", sequence, name);
    if (wal_zone_lacks(zone, sequence)) {
        if (zone->lost_begun == 0 || zone->lost_begun == sequence)
            return 0;
        return error_set(err, EBUSY, "apply %" PRIu64 " to %s: %" PRIu64 " has not ended", sequence, name,
                         zone->lost_begun);
    }
    if (position == WAL_UNKNOWN)
        return error_set(err, EINVAL, "apply %" PRIu64 " to %s: nobody knows what it has; seed it", sequence, name);
    if (sequence <= position || wal_bit(zone->done, sequence))
        return error_set(err, EINVAL, "apply %" PRIu64 " to %s: it has it", sequence, name);
    if (sequence - position > WAL_WINDOW)
        return error_set(err, EAGAIN, "apply %" PRIu64 " to %s: it is too far ahead of %" PRIu64, sequence, name,
                         position);
    return 0;
}

static int admit_seeded(const struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    const char *name = zone_name(entry->zone);
    if (entry->zone == state->book.live)
        return error_set(err, EINVAL, "seed %s: it is live", name);
    if (entry->sequence == WAL_UNKNOWN)
        return 0;
    if (entry->sequence > state->book.committed)
        return error_set(err, EINVAL, "seed %s: there is no transaction %" PRIu64, name, entry->sequence);
    if (entry->sequence < state->removed)
        return error_set(err, ENOENT, "seed %s: what came after %" PRIu64 " is not in the journal any more; seed again",
                         name, entry->sequence);
    return 0;
}

static int admit(const struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    switch (entry->kind) {
    case WAL_OPENED:
        return entry->id >= state->next_id ? 0 : error_set(err, EINVAL, "ids would come twice: the clock was set back");
    case WAL_BEGIN: return admit_begin(state, entry, err);
    case WAL_COMMIT:
    case WAL_ABORT:
    case WAL_DOUBT:
    case WAL_SETTLE: return admit_end(state, entry, err);
    case WAL_APPLYING:
    case WAL_APPLIED: return admit_apply(state, entry, err);
    case WAL_SEEDED: return admit_seeded(state, entry, err);
    case WAL_REMOVED:
        if (state->row_count > 0 && entry->segment > state->rows[0].number && wal_state_row(state, entry->segment))
            return 0;
        return error_set(err, EINVAL, "remove what is before segment %" PRIu64 ": it is not there", entry->segment);
    case WAL_NOTED:
    case WAL_LIVE:
    case WAL_CLOSED: return 0;
    case WAL_CHECKPOINT:
    case WAL_KINDS: break;
    }
    return error_set(err, EINVAL, "an entry of kind %d in the middle of a segment", entry->kind);
}

int wal_state_admit(struct wal_state *state, const struct wal_entry *entry, struct error *err)
{
    int result = admit(state, entry, err);
    if (result == 0 && !reserve(state, entry))
        return error_errno(err, ENOMEM, "keep count of the feed's journal");
    return result;
}

int wal_state_push(struct wal_state *state, uint64_t number, struct error *err)
{
    if (state->row_count == state->row_room) {
        size_t room = state->row_room * 2 + 16;
        struct wal_row *grown = reallocarray(state->rows, room, sizeof *grown);
        if (!grown)
            return error_errno(err, ENOMEM, "keep count of the feed's journal");
        state->rows = grown;
        state->row_room = room;
    }
    state->rows[state->row_count++] = (struct wal_row){number, state->end, state->book.committed, 0};
    return 0;
}

void wal_state_pop(struct wal_state *state)
{
    state->row_count--;
}
