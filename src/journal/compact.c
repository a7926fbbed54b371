/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compacted journal holds. */
#include "journal/compact.h"

#include "journal/journal.h"
#include "journal/records.h"
#include "os/loop.h"

#include <errno.h>

struct compaction {
    struct compacted *compacted;
    size_t found[RECORD_KINDS], skip[RECORD_KINDS]; /* of the history: in the file; of them, too old to keep */
    uint64_t unix_ms;
};

static int count_history(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    compaction->found[record->kind] += record_is_history(record);
    return 0;
}

static int keep_history(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    if (!record_is_history(record))
        return 0;
    if (compaction->skip[record->kind] > 0)
        compaction->skip[record->kind]--;
    else
        record_format(record, &compaction->compacted->text);
    return 0;
}

static size_t beyond(size_t count, size_t kept)
{
    return count > kept ? count - kept : 0;
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
    compaction.skip[RECORD_END] = beyond(compaction.found[RECORD_END], JOURNAL_HISTORY_KEPT);
    compaction.skip[RECORD_INCIDENT] = beyond(compaction.found[RECORD_INCIDENT], JOURNAL_INCIDENTS_KEPT);
    result = records_visit_file(path, size, keep_history, &compaction, err);
    if (result < 0)
        return result;
    compacted->last_sequence = fold->last_sequence;
    fold_snapshot(fold, keep_state, &compaction);
    return compacted->text.failed ? error_errno(err, ENOMEM, "compact %s", path) : 0;
}
