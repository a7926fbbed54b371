/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the entries of a feed's journal come to: which transactions are open, how far each zone is, what it lacks, which
 * segments are still needed. Pure: the same entries come to the same state when they are written and when they are read
 * again, which a checkpoint at the head of each segment is compared with.
 */
#pragma once

#include "feed/wal_format.h"

/* A transaction without an end, or in doubt. */
struct wal_unended {
    uint64_t id, size; /* of its BEGIN */
    struct wal_place begin;
    int8_t zone; /* to which it was sent */
    bool doubt;
};

struct wal_row {
    uint64_t number, at; /* bytes that were ever written before it */
    uint64_t committed;  /* newest number before it */
    uint64_t newest;     /* number of a transaction of which anything stands in it */
};

struct wal_range {
    uint64_t first, last;
};

struct wal_zone_state {
    uint8_t done[WAL_WINDOW / 8], begun[WAL_WINDOW / 8]; /* bit number % WAL_WINDOW, of those after the position */
    uint64_t lost_begun;                                 /* one of the lost that is being applied; 0 = none */
    struct wal_range *lost;                              /* in order, apart by one at least */
    size_t lost_count, lost_room;
    uint64_t lost_total; /* numbers in them */
    uint64_t diverged, twice;
};

struct wal_state {
    struct wal_book book;
    uint64_t next_id;
    uint64_t end;     /* bytes that were ever written */
    uint64_t removed; /* newest number of which something stood in a segment that is gone */
    struct wal_zone_state zones[COLOURS];
    struct wal_unended *unended; /* by id */
    size_t unended_count, unended_room;
    struct wal_row *rows; /* segments that are there, by number without gaps */
    size_t row_count, row_room;
    struct wal_note *notes;
    size_t note_count, note_room;
};

/* Of a journal that begins: no segment yet. */
void wal_state_init(struct wal_state *state, bool new_app, uint64_t first_id);
void wal_state_clear(struct wal_state *state);

/* Whether the entry can come next; if so (0), there is memory for wal_state_add. -EINVAL, -ENOENT, -EAGAIN, -EBUSY as
 * wal.h says, -ENOMEM. */
int wal_state_admit(struct wal_state *state, const struct wal_entry *entry, struct error *err);
/* What was admitted, and was written there with this many bytes. */
void wal_state_add(struct wal_state *state, const struct wal_entry *entry, struct wal_place place, uint64_t size);

/* The sums of the book, for a journal that has come to this end. */
void wal_state_count(struct wal_state *state, uint64_t end);

/* A segment begins at state->end; and when it could not be made. */
int wal_state_push(struct wal_state *state, uint64_t number, struct error *err);
void wal_state_pop(struct wal_state *state);
struct wal_row *wal_state_row(const struct wal_state *state, uint64_t segment); /* NULL: not there */
/* The row of the segment in which the number was committed; NULL: not there. */
struct wal_row *wal_state_row_of(const struct wal_state *state, uint64_t sequence);
struct wal_unended *wal_state_unended(const struct wal_state *state, uint64_t id); /* NULL: none */
/* The newest number that no zone needs any more; `pin` as wal_pin. */
uint64_t wal_state_needless(const struct wal_state *state, uint64_t pin);
/* The note of this kind and zone with this number, NULL: none. */
const struct wal_note *wal_state_note(const struct wal_state *state, enum wal_note_kind kind, int8_t zone,
                                      uint64_t sequence);

/* The payload of a checkpoint: all but `end`, which the file knows. */
void wal_state_encode(const struct wal_state *state, struct text *payload);
/* Into one that is cleared or zero; -EBADMSG: not one of ours, and the state is cleared. */
int wal_state_decode(struct wal_state *state, const void *payload, size_t length);
