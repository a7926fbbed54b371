/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the feed's journal share; nobody else includes it. */
#pragma once

#include "base/list.h"
#include "feed/wal.h"
#include "feed/wal_book.h"
#include "feed/wal_index.h"
#include "feed/wal_segment.h"
#include "feed/wal_sync.h"

#define WAL_FOUND_MAX 1024 /* places that are remembered, of the newest and of those that were read last, each */
#define WAL_FILES_MAX 4    /* kept open for reading */

enum wal_reserve { RESERVE_NONE, RESERVE_HELD, RESERVE_UNABLE /* a file system without fallocate */ };

struct wal {
    struct loop *loop;
    int directory;
    uint64_t max, pin;
    uint32_t sync_ms;
    struct wal_state state;
    struct wal_segment current;
    uint64_t checkpoint_end; /* offset in `current` */
    struct text payload;     /* of the entry that is being written */
    enum wal_reserve reserve;

    struct wal_sync *sync;
    struct loop_source *event;
    struct loop_timer *turn; /* what was asked for in this turn of the loop */
    struct loop_timer *pace; /* what is not on the disk is brought there, whoever waits for it */
    bool paced;
    uint64_t asked;             /* up to where the thread was asked for ... */
    uint64_t urgent, urgent_ms; /* ... for those who are not patient, and when they last got it */
    struct list waiting;        /* by the time of the call */
    uint64_t safe;              /* as the loop knows it */
    int failure;                /* of a sync: for good */
    bool *gone;                 /* set by wal_close, for whoever is calling back */

    struct wal_index index;
    struct wal_found newest[WAL_FOUND_MAX], read[WAL_FOUND_MAX];
    struct wal_place walked;                 /* so far this segment was read for numbers ... */
    uint64_t walked_sequence;                /* ... and this is the last that was committed before */
    struct wal_segment files[WAL_FILES_MAX]; /* fd -1: none */
    unsigned next_file;
};

/* wal_safe.c */
int wal_safe_start(struct wal *wal, struct error *err); /* makes the thread; an error leaves wal_safe_end to do */
void wal_safe_end(struct wal *wal);
void wal_pace(struct wal *wal, uint64_t delay_ms); /* has what was appended synced, after so long at most */

/* wal_write.c: writing */

/* Fills in what the journal knows (number, place of the BEGIN), makes room and writes. `request` of a BEGIN. */
int wal_append(struct wal *wal, struct wal_entry *entry, const struct wal_request *request, struct error *err);
/* Begins the next segment. */
int wal_rotate(struct wal *wal, struct error *err);
/* Removes what nobody needs any more; what fails is tried again after the next entry. */
void wal_trim(struct wal *wal);

/* wal_reserve.c: -ENOSPC: the disk is too full for it; true: there is more room than there was */
int wal_reserve_hold(struct wal *wal, struct error *err);
bool wal_reserve_release(struct wal *wal);

/* An id that was not given before: 1024 for each millisecond are more than anybody needs, and numbers below 2^53 stay
 * what they are in JSON. */
static inline uint64_t wal_id_of_now(void)
{
    return clock_unix_ms() << 10;
}

/* wal_recover.c: reads what is there, or begins; the sync thread is not there yet */
int wal_recover(struct wal *wal, bool new_app, struct error *err);

/* wal_read.c: reading */

void wal_remember(struct wal *wal, uint64_t sequence, struct wal_place place);
/* A segment that is there, to be read; it may be closed by the next call for another one. */
int wal_reading(struct wal *wal, uint64_t number, const struct wal_segment **segment, struct error *err);
void wal_forget_segments(struct wal *wal, uint64_t below); /* those with lower numbers */
/* Adds to a note with kind, zone and number what the journal has of it. */
int wal_describe(struct wal *wal, struct wal_note *note, struct error *err);
