/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed's journal (write-ahead log): requests before the live zone gets them, what came of them before the client
 * hears of it, and how far each zone is. Segments NUMBER.wal in one directory; entries with a check sum each. A torn
 * end (the machine died while writing) is cut off; damage elsewhere is found, named, and makes the feed broken rather
 * than wrong. Never waits for the disk but in wal_open, wal_close, and where what is read is in no memory any more: a
 * thread of its own syncs.
 *
 * A transaction has an id from its BEGIN on, and a sequence number from its COMMIT on: the order in which live did
 * them, without gaps, from 1. Ids go up and are never used again, not by a journal that is begun anew either. A zone's
 * position is the newest number up to which it has all; the live zone's is the newest number there is.
 *
 * What every zone has is removed by whole segments. At the bound the oldest segments go all the same: what the other
 * zone lacks then is `dropped`, and its position is WAL_UNKNOWN until it is seeded.
 */
#pragma once

#include "base/error.h"
#include "feed/wal_entry.h"
#include "os/loop.h"

struct wal;

struct wal_options {
    int directory;    /* descriptor, borrowed until wal_close, which holds a lock on it */
    uint64_t max;     /* bytes of all segments, 1 MiB or more */
    uint32_t sync_ms; /* 0: wal_when_safe waits for the disk; else it is synced this often and nobody waits */
    bool new_app;     /* a journal that is made now: both zones have everything, position 0. Else: neither has a known
                         one */
};

typedef void wal_safe(void *context, int result); /* 0, or why it is not on the disk */

/*
 * Makes the thread, so a filter is loaded before and allows that, or afterwards and for all threads. What was open is
 * in doubt now, what was being applied may be applied twice. -EBUSY: another process has it; -EBADMSG: it is damaged,
 * the text says where (wal_set_aside, and seeding, are the way on); others: it cannot be written.
 */
int wal_open(struct loop *loop, const struct wal_options *options, struct wal **wal, struct error *err);
void wal_close(struct wal *wal); /* syncs what is left; callbacks that wait are not called; NULL is fine */
void wal_options_change(struct wal *wal, uint64_t max, uint32_t sync_ms);
/* Puts the journal out of the way (NUMBER.wal.aside; what was put there before is removed), so that wal_open begins a
 * new one. Not while it is open. */
int wal_set_aside(int directory, struct error *err);

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Each appends to the file at once. -ENOSPC and such leave the journal as it was; a full disk refuses new transactions
 * first, what ends and what applies them has a reserve. -EINVAL: the journal says that this cannot be. -EIO: a sync has
 * failed, so nothing is taken any more. */

/* `head` and `body` are the request as it will be sent to either zone; one zone has to be live. -EFBIG: the body is
 * more than half of what the journal may hold. `id` may be NULL with wal_next_id. */
int wal_begin(struct wal *wal, const struct wal_request *request, uint64_t *id, struct error *err);
/* The id that the next wal_begin gives, for the header field that carries it. */
uint64_t wal_next_id(const struct wal *wal);
/* If another zone than the one that it was begun with is live by now, this one has not got it: it is lost to it. */
int wal_commit(struct wal *wal, uint64_t id, const struct wal_answer *answer, uint64_t *sequence, struct error *err);
/* Live has surely not done it. */
int wal_abort(struct wal *wal, uint64_t id, struct error *err);
/* Nobody knows whether live has done it; so are all that have no other end when the journal is opened. */
int wal_doubt(struct wal *wal, uint64_t id, struct error *err);
/* What becomes of one in doubt: it gets a sequence number now, as if it were committed, and is applied to the other
 * zone, or it is left out. If another zone is live by now, it is lost to that one: apply it there. */
int wal_settle(struct wal *wal, uint64_t id, bool apply, struct error *err);
/* Before it is sent to a zone, and after its answer is there (or it is left out, `skipped`: then it stays on record as
 * lost to this zone). Of a zone that is not live: what is after its position, at most WAL_WINDOW after (-EAGAIN). Of
 * any zone: one that is lost to it, one at a time (-EBUSY); it is lost no more then. */
int wal_applying(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err);
/* It is being applied, was sent, and no answer came: it is sent once more, and on record as applied twice perhaps. */
int wal_applying_again(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err);
int wal_applied(struct wal *wal, enum colour zone, uint64_t sequence, const struct wal_answer *answer, bool skipped,
                bool diverged, struct error *err);
/* `zone` is live from now on. What it has not got by then is lost to it, and stays on record as lost. If its position
 * is unknown, nobody can say what it lacks, and the other one's is unknown from now on. */
int wal_live(struct wal *wal, enum colour zone, struct error *err);
/* The zone, not live, has everything up to this number, by a copy of live's state, and what is on record of it is
 * forgotten; WAL_UNKNOWN: nobody knows what it has. -ENOENT: the journal does not go back as far. */
int wal_seeded(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err);
/* Keeps what is after this number (up to the bound), for one that is being seeded; WAL_UNKNOWN: nothing. Not on record:
 * again after wal_open. */
void wal_pin(struct wal *wal, uint64_t sequence);

/* Calls back once everything appended before is as safe as sync_ms wants: with 0 after the disk has it (many calls
 * share one sync), else from the loop's next turn. Never from inside. After a failed sync every call says so. */
int wal_when_safe(struct wal *wal, wal_safe *callback, void *context, struct error *err);
/* The same for what no client waits for: goes along with others, or waits for WAL_PATIENCE_MS more. */
#define WAL_PATIENCE_MS 5
int wal_when_safe_too(struct wal *wal, wal_safe *callback, void *context, struct error *err);

/* A sync has failed, and whoever waited has heard of it. The way on is wal_close, and wal_open, which reads what the
 * disk has. */
bool wal_has_failed(const struct wal *wal);

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What the journal comes to; kept up to date. */
const struct wal_book *wal_book(const struct wal *wal);

/* The committed transaction with this number, as it was begun; `transaction` holds memory of its own
 * (wal_transaction_clear). -ENOENT: not there (yet, or any more); -EBADMSG: damaged, and where. It may be newer than
 * what is safe. */
int wal_read(struct wal *wal, uint64_t sequence, struct wal_transaction *transaction, struct error *err);
void wal_transaction_clear(struct wal_transaction *transaction);

/* Visits what is on record as in doubt (by id, no number yet), lost, diverged, or applied twice perhaps: the first
 * WAL_KEPT of each. A visitor's result that is not 0 ends it and is returned. */
typedef int wal_visitor(void *context, const struct wal_note *note);
int wal_notes(struct wal *wal, wal_visitor *visit, void *context, struct error *err);
