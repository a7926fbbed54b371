/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compacted journal holds. */
#include "journal/compact.h"

#include "journal/journal.h"
#include "journal/records.h"
#include "os/clock.h"

#include <errno.h>

struct compaction {
    struct compacted *compacted;
    size_t found[RECORD_KINDS]; /* of the history, from where it is read on */
    uint64_t unix_ms;
};

/* How many of each kind stay. What belongs to an entry may be older than the oldest entry; it is passed over then. */
static const size_t kept[RECORD_KINDS] = {
    [RECORD_END] = JOURNAL_HISTORY_KEPT,   [RECORD_INCIDENT] = JOURNAL_INCIDENTS_KEPT,
    [RECORD_DRAINED] = JOURNAL_PARTS_KEPT, [RECORD_SERVED] = JOURNAL_PARTS_KEPT,
    [RECORD_HOOK] = JOURNAL_HOOKS_KEPT,
};

enum { HOOK_LINE = 256 }; /* of a hook's line without its output, more or less */

/* Hooks are counted by what they take. */
static size_t weight(const struct record *record)
{
    return record->kind == RECORD_HOOK ? HOOK_LINE + record->output_length : 1;
}

static int count_history(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    if (record_is_history(record))
        compaction->found[record->kind] += weight(record);
    return 0;
}

static int keep_history(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    if (!record_is_history(record))
        return 0;
    if (compaction->found[record->kind] > kept[record->kind])
        compaction->found[record->kind] -= weight(record);
    else
        record_format(record, &compaction->compacted->text);
    return 0;
}

static int keep_state(void *context, struct record *record)
{
    struct compaction *compaction = context;
    record->sequence = ++compaction->compacted->last_sequence;
    if (record->unix_ms == 0)
        record->unix_ms = compaction->unix_ms;
    record_format(record, &compaction->compacted->text);
    return 0;
}

int compact_records(const char *path, size_t size, const struct fold *fold, struct compacted *compacted,
                    struct error *err)
{
    struct compaction compaction = {.compacted = compacted, .unix_ms = clock_unix_ms()};
    int result = records_visit_file(path, size, count_history, &compaction, err);
    if (result < 0)
        return result;
    result = records_visit_file(path, size, keep_history, &compaction, err);
    if (result < 0)
        return result;
    compacted->last_sequence = fold->last_sequence;
    fold_snapshot(fold, keep_state, &compaction);
    return compacted->text.failed ? error_errno(err, ENOMEM, "compact %s", path) : 0;
}
