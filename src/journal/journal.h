/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal on disk: STATE/journal, appended and fsynced record by record, folded at start. A torn last line (the
 * machine died while writing) is cut off with a warning; a bad line in the middle is refused with its number. Above a
 * bound it is compacted: a snapshot of the state and the newest operations, written atomically.
 */
#pragma once

#include "journal/records.h"
#include "model/history.h"

#define JOURNAL_COMPACT_BYTES  (1u << 20)
#define JOURNAL_HISTORY_KEPT   1000 /* operations that survive a compaction */
#define JOURNAL_INCIDENTS_KEPT 250  /* of their own: an app that dies all the time must not push operations out */
#define JOURNAL_PARTS_KEPT     1000 /* of RECORD_DRAINED and RECORD_SERVED each: they belong to operations */
#define JOURNAL_HOOKS_KEPT     (256u << 10) /* bytes of what hooks wrote */

struct journal;

/* Opens or creates STATE/journal (and STATE), locks STATE against a second agent (-EBUSY), folds the journal into
 * *fold, which is the caller's (fold_clear) and is not kept up to date. */
int journal_open(const char *state_dir, struct journal **journal, struct fold *fold, struct error *err);
void journal_close(struct journal *journal); /* NULL is fine */
/* Gives record its sequence and time, appends, fsyncs. A record that the next start would refuse is refused here.
 * After a failed write the file is cut back to the last good record before the next one; each call tries again. */
int journal_append(struct journal *journal, struct record *record, struct error *err);
/* What its records come to so far; until the next append. */
const struct fold *journal_fold(const struct journal *journal);
/* The entries of the history that are wanted, the newest `limit` of them, oldest first, each followed by the records
 * that belong to it (model/history.h). Costs the journal's length in memory for as long as it takes, and no more. */
int journal_history(struct journal *journal, const struct history_filter *filter, record_visitor *visit, void *context,
                    struct error *err);
