/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the feed's journal again at the start: from a checkpoint on, entry by entry. Apart, because here is decided
 * what is a write that the machine's end has torn, and goes, and what is damage, which nobody may paper over: entries
 * say how much was on the disk when they were written, and what was on the disk cannot be torn.
 */
#include "feed/wal_inside.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct recovery {
    struct wal *wal;
    uint64_t *numbers; /* of the files that are there */
    size_t count;
    uint64_t claimed; /* everything before was on the disk */
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

static int remove_file(struct wal *wal, uint64_t number, struct error *err)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(number, name);
    if (unlinkat(wal->directory, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove %s of the feed's journal", name);
    return 0;
}

static int remove_from(struct recovery *recovery, size_t from, struct error *err)
{
    int result = 0;
    for (size_t i = from; result == 0 && i < recovery->count; i++)
        result = remove_file(recovery->wal, recovery->numbers[i], err);
    recovery->count = from;
    return result;
}

static void claim(struct recovery *recovery, const struct wal_segment *segment, uint64_t offset)
{
    uint64_t claimed = wal_segment_claims(segment, offset);
    if (claimed > recovery->claimed)
        recovery->claimed = claimed;
}

/* Head and checkpoint are whole. 1: yes; 0: not yet, the machine has stopped while it was made. */
static int is_usable(struct recovery *recovery, uint64_t number, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal_segment segment;
    struct wal_frame frame = {0};
    int result = wal_segment_open(recovery->wal->directory, number, false, &segment, err);
    uint64_t offset = result < 0 ? 0 : WAL_HEAD_SIZE;
    if (result == 0)
        result = wal_segment_read(&segment, WAL_HEAD_SIZE, 0, &frame, &payload, err);
    if (result == 1 && frame.kind != WAL_CHECKPOINT)
        result = error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal begins in the middle", number);
    if (segment.fd < 0)
        return result;
    claim(recovery, &segment, offset);
    if (result == -EBADMSG && wal_segment_is_torn(&segment, offset))
        result = 0;
    wal_segment_close(&segment);
    return result;
}

/* Leaves in `usable` how many files are to be read; those after were being made. */
static int find_newest(struct recovery *recovery, size_t *usable, struct error *err)
{
    for (*usable = recovery->count; *usable > 0; --*usable) {
        int result = is_usable(recovery, recovery->numbers[*usable - 1], err);
        if (result != 0)
            return result < 0 ? result : 0;
    }
    return 0;
}

/* The newest file that was on the disk, its checkpoint with it: everything after may be torn. */
static size_t find_start(struct recovery *recovery, size_t usable)
{
    size_t start = usable - 1;
    for (; start > 0; start--) {
        struct wal_segment segment;
        int result = wal_segment_open(recovery->wal->directory, recovery->numbers[start], false, &segment, NULL);
        wal_segment_close(&segment);
        if (result == 0 && segment.at < recovery->claimed)
            break;
    }
    return start;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int misplaced(uint64_t number, struct error *err)
{
    return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal does not agree with what was before it",
                     number);
}

/* Something is wrong at this offset. 0: it is torn, and is cut off, with all that comes after. */
static int judge(struct recovery *recovery, size_t index, struct wal_segment *segment, uint64_t offset,
                 struct error *err)
{
    bool headless = offset < WAL_HEAD_SIZE + WAL_FRAME_SIZE; /* nothing is left of the file */
    uint64_t at = segment->at == WAL_UNKNOWN ? recovery->wal->state.end : segment->at + offset;
    claim(recovery, segment, offset);
    if (at < recovery->claimed || !wal_segment_is_torn(segment, offset))
        return -EBADMSG; /* the text is there */
    log_warning("%s; the machine has stopped while it was written: cutting it off", err ? err->text : "torn");
    int result = headless ? 0 : wal_segment_cut(segment, offset, err);
    return result < 0 ? result : remove_from(recovery, headless ? index : index + 1, err);
}

static int take_checkpoint(struct wal *wal, const struct wal_segment *segment, const struct text *payload, bool first,
                           struct error *err)
{
    CLEANUP_TEXT struct text expected = {0};
    if (first) {
        const struct wal_state *state = &wal->state;
        if (wal_state_decode(&wal->state, payload->data, payload->length) < 0 ||
            state->rows[state->row_count - 1].number != segment->number || state->end != segment->at)
            return misplaced(segment->number, err);
        return 0;
    }
    if (wal->state.rows[wal->state.row_count - 1].number + 1 != segment->number)
        return misplaced(segment->number, err);
    int result = wal_state_push(&wal->state, segment->number, err);
    if (result < 0)
        return result;
    wal_state_encode(&wal->state, &expected);
    if (expected.failed)
        return error_errno(err, ENOMEM, "read the feed's journal");
    if (expected.length != payload->length || memcmp(expected.data, payload->data, payload->length) != 0)
        return misplaced(segment->number, err);
    return 0;
}

/* 1: the entry has been taken; 0: the end; else what is wrong. */
static int replay_entry(struct wal *wal, const struct wal_segment *segment, uint64_t *offset, struct text *payload,
                        struct error *err)
{
    struct wal_frame frame = {0};
    struct wal_entry entry;
    uint64_t keep = SIZE_MAX;
    int result = wal_segment_peek(segment, *offset, 0, &frame, payload, err);
    if (result == 1 && frame.kind == WAL_BEGIN)
        keep = WAL_BEGIN_SIZE;
    if (result == 1)
        result = wal_segment_read(segment, *offset, keep, &frame, payload, err);
    if (result <= 0)
        return result;
    struct wal_place place = {segment->number, *offset};
    uint64_t size = WAL_FRAME_SIZE + frame.length + WAL_TAIL_SIZE;
    if (!wal_entry_decode(frame.kind, payload->data, payload->length, frame.length, &entry) ||
        wal_state_admit(&wal->state, &entry, err) < 0)
        return error_set(err, EILSEQ, "%010" PRIu64 ".wal of the feed's journal makes no sense at offset %" PRIu64,
                         segment->number, *offset);
    wal_state_add(&wal->state, &entry, place, size);
    if (entry.kind == WAL_COMMIT || (entry.kind == WAL_SETTLE && entry.apply))
        wal_remember(wal, entry.sequence, place);
    *offset += size;
    return 1;
}

static int replay_entries(struct recovery *recovery, size_t index, uint64_t offset, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal *wal = recovery->wal;
    int result;
    do
        result = replay_entry(wal, &wal->current, &offset, &payload, err);
    while (result == 1);
    if (result == -EILSEQ) /* whole, and yet impossible: no tear does that */
        return -EBADMSG;
    return result == -EBADMSG ? judge(recovery, index, &wal->current, offset, err) : result;
}

/* Reads the file, which becomes the current one, if its head is whole. */
static int replay_segment(struct recovery *recovery, size_t index, bool first, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal *wal = recovery->wal;
    struct wal_segment segment;
    struct wal_frame frame = {0};
    int result = wal_segment_open(wal->directory, recovery->numbers[index], true, &segment, err);
    uint64_t offset = result < 0 ? 0 : WAL_HEAD_SIZE;
    if (segment.fd < 0)
        return result;
    if (result == 0 && !first && segment.at != wal->state.end) {
        wal_segment_close(&segment);
        if (segment.at < wal->state.end || wal->state.end < recovery->claimed)
            return misplaced(segment.number, err);
        return remove_from(recovery, index, err); /* the end of the one before is not there: it came after that */
    }
    if (result == 0)
        result = wal_segment_read(&segment, WAL_HEAD_SIZE, SIZE_MAX, &frame, &payload, err);
    if (result != 1) {
        result = result == -EBADMSG && !first ? judge(recovery, index, &segment, offset, err) : -EBADMSG;
        wal_segment_close(&segment);
        return result;
    }
    wal_segment_close(&wal->current);
    wal->current = segment;
    result = take_checkpoint(wal, &segment, &payload, first, err);
    if (result < 0)
        return result;
    wal->checkpoint_end = WAL_HEAD_SIZE + WAL_FRAME_SIZE + frame.length + WAL_TAIL_SIZE;
    wal_state_count(&wal->state, segment.at + wal->checkpoint_end);
    return replay_entries(recovery, index, wal->checkpoint_end, err);
}

/* --- afterwards --------------------------------------------------------------------------------------------------- */

/* The files that the journal consists of are there with their sizes; what was to be removed goes. */
static int check_files(struct recovery *recovery, struct error *err)
{
    struct wal *wal = recovery->wal;
    const struct wal_segment *segment;
    for (size_t i = 0; i < recovery->count && recovery->numbers[i] < wal->state.rows[0].number; i++) {
        int result = remove_file(wal, recovery->numbers[i], err);
        if (result < 0)
            return result;
    }
    for (size_t i = 0; i < wal->state.row_count; i++) {
        int result = wal_reading(wal, wal->state.rows[i].number, &segment, err);
        if (result < 0)
            return result;
    }
    if (wal->state.end >= recovery->claimed)
        return 0;
    return error_set(err, EBADMSG,
                     "the end of %010" PRIu64 ".wal of the feed's journal, or what came after, is missing",
                     wal->current.number);
}

/* What is read here may be in memory only. */
static int renew(struct recovery *recovery, struct error *err)
{
    struct wal *wal = recovery->wal;
    int result = 0;
    for (size_t i = 0; result == 0 && i < wal->state.row_count; i++) {
        const struct wal_row *row = &wal->state.rows[i];
        bool last = i + 1 == wal->state.row_count;
        uint64_t end = last ? wal->state.end : row[1].at;
        uint64_t from = recovery->claimed > row->at ? recovery->claimed - row->at : 0;
        struct wal_segment segment;
        if (end <= recovery->claimed)
            continue;
        result = wal_segment_open(wal->directory, row->number, true, &segment, err);
        if (result == 0)
            result = wal_segment_renew(&segment, from, err);
        wal_segment_close(&segment);
    }
    if (result == 0 && fsync(wal->directory) < 0)
        result = error_errno(err, errno, "write the directory of the feed's journal to the disk");
    wal->safe = wal->state.end;
    return result;
}

static int replay(struct recovery *recovery, size_t usable, struct error *err)
{
    int result = remove_from(recovery, usable, err);
    size_t start = find_start(recovery, usable);
    for (size_t i = start; result == 0 && i < recovery->count; i++)
        result = replay_segment(recovery, i, i == start, err);
    if (result == 0)
        result = check_files(recovery, err);
    return result < 0 ? result : renew(recovery, err);
}

int wal_recover(struct wal *wal, bool new_app, struct error *err)
{
    CLEANUP_FREE uint64_t *numbers = NULL;
    struct recovery recovery = {.wal = wal};
    size_t usable = 0;
    int result = wal_segment_list(wal->directory, &numbers, &recovery.count, err);
    recovery.numbers = numbers;
    if (result == 0)
        result = find_newest(&recovery, &usable, err);
    if (result < 0)
        return result;
    if (usable > 0)
        return replay(&recovery, usable, err);
    if (recovery.count > 0 && (numbers[0] != 1 || recovery.claimed > 0))
        return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal has lost its beginning", numbers[0]);
    result = remove_from(&recovery, 0, err); /* of a journal that was being begun */
    wal_state_init(&wal->state, new_app, wal_id_of_now());
    return result < 0 ? result : wal_rotate(wal, err);
}
