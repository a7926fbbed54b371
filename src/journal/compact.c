/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compacted journal holds. */
#include "journal/compact.h"

#include "journal/journal.h"
#include "journal/records.h"
#include "os/loop.h"

#include <errno.h>

struct compaction {
    struct compacted *compacted;
    size_t ends, skip; /* finished operations in the file; how many of them are too old to keep */
    uint64_t unix_ms;
};

static int count_end(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    compaction->ends += record->kind == RECORD_END;
    return 0;
}

static int keep_end(void *context, const struct record *record, struct error *err)
{
    struct compaction *compaction = context;
    if (record->kind != RECORD_END)
        return 0;
    if (compaction->skip > 0)
        compaction->skip--;
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
    int result = records_visit_file(path, size, count_end, &compaction, err);
    if (result < 0)
        return result;
    if (compaction.ends > JOURNAL_HISTORY_KEPT)
        compaction.skip = compaction.ends - JOURNAL_HISTORY_KEPT;
    result = records_visit_file(path, size, keep_end, &compaction, err);
    if (result < 0)
        return result;
    compacted->last_sequence = fold->last_sequence;
    fold_snapshot(fold, keep_state, &compaction);
    return compacted->text.failed ? error_errno(err, ENOMEM, "compact %s", path) : 0;
}
