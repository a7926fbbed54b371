/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where some of the feed's transactions were committed, one in each WAL_INDEX_STEP bytes of the journal: whoever looks
 * for another one reads no more than that, however large a segment is. In memory only: what is not there has not been
 * written or read in this life, is read from the beginning of its segment once, and is there from then on.
 */
#pragma once

#include "feed/wal_format.h"

#include <stddef.h>

/* Some 100 entries of requests as they mostly are, which are read in 0.2 ms; memory is 24 bytes for each of them, that
 * is 0.75 MiB for a journal of 1 GiB. */
#define WAL_INDEX_STEP (32u << 10)

/* Where a number was committed. */
struct wal_found {
    uint64_t sequence;
    struct wal_place place;
};

struct wal_index {
    struct wal_found *marks; /* by sequence, which is by place, too */
    size_t count, room;
};

void wal_index_clear(struct wal_index *index);
/* One that was written or read; most are not kept, and without memory none is: then more is read. */
void wal_index_add(struct wal_index *index, uint64_t sequence, struct wal_place place);
/* The last in this segment that is not after the number; NULL: none. Good until the next call for another thing. */
const struct wal_found *wal_index_find(const struct wal_index *index, uint64_t segment, uint64_t sequence);
/* Those of segments with lower numbers. */
void wal_index_forget(struct wal_index *index, uint64_t below);
