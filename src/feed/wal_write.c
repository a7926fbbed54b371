/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Appending to the feed's journal: one segment after the other, old ones removed, never more than its bound. */
#include "feed/wal_inside.h"

#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum {
    SMALL = 2048, /* no entry without a request is larger */
    SEGMENTS = 64,
    HEADS = 128 << 10 /* a head, and what we add; what a body may have is said by half of the bound */
};

#define SEGMENT_MIN (64u << 10)
#define SEGMENT_MAX (64u << 20)

static uint64_t segment_size(const struct wal *wal)
{
    uint64_t size = wal->max / SEGMENTS;
    return size < SEGMENT_MIN ? SEGMENT_MIN : size > SEGMENT_MAX ? SEGMENT_MAX : size;
}

/* What is appended is not on the disk; with nobody waiting for it somebody has to see to it. */
static void note_unsafe(struct wal *wal)
{
    if (wal->sync_ms != 0)
        wal_pace(wal, wal->sync_ms);
}

/* Writes one that was admitted. */
static int write_entry(struct wal *wal, const struct wal_entry *entry, struct wal_chunk *chunk, struct error *err)
{
    struct wal_place place = {wal->current.number, wal->current.size};
    chunk->kind = entry->kind;
    chunk->safe = wal->safe;
    if (wal->payload.failed) {
        text_clear(&wal->payload);
        return error_errno(err, ENOMEM, "write the feed's journal");
    }
    int result = wal_segment_append(&wal->current, chunk, err);
    if (result < 0)
        return result;
    wal_state_add(&wal->state, entry, place, wal_chunk_size(chunk));
    if (entry->kind == WAL_COMMIT || (entry->kind == WAL_SETTLE && entry->apply))
        wal_remember(wal, entry->sequence, place);
    note_unsafe(wal);
    return 0;
}

static void encode(struct wal *wal, const struct wal_entry *entry, struct wal_chunk *chunk)
{
    wal->payload.length = 0;
    wal_entry_encode(entry, &wal->payload);
    chunk->payload = wal->payload.data;
    chunk->payload_length = wal->payload.length;
}

/* --- segments ----------------------------------------------------------------------------------------------------- */

static int write_checkpoint(struct wal *wal, struct wal_segment *segment, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    wal_state_encode(&wal->state, &payload);
    if (payload.failed || payload.length > WAL_ENTRY_MAX)
        return error_errno(err, ENOMEM, "write what the feed's journal comes to");
    struct wal_chunk chunk = {.kind = WAL_CHECKPOINT,
                              .safe = wal->safe,
                              .payload = payload.data,
                              .payload_length = payload.length,
                              .body_fd = -1};
    return wal_segment_append(segment, &chunk, err);
}

static int make_segment(struct wal *wal, uint64_t number, struct wal_segment *segment, struct error *err)
{
    char name[WAL_NAME_SIZE];
    int result = wal_segment_make(wal->directory, number, wal->state.end, segment, err);
    if (result < 0)
        return result;
    result = write_checkpoint(wal, segment, err);
    if (result == 0 && wal->sync)
        result = wal_sync_file(wal->sync, segment->fd, true, err);
    if (result == 0)
        return 0;
    wal_segment_name(number, name);
    unlinkat(wal->directory, name, 0);
    wal_segment_close(segment);
    return result;
}

int wal_rotate(struct wal *wal, struct error *err)
{
    struct wal_segment fresh;
    uint64_t number = wal->current.fd < 0 ? 1 : wal->current.number + 1;
    int result = wal_state_push(&wal->state, number, err);
    if (result < 0)
        return result;
    result = make_segment(wal, number, &fresh, err);
    if (result < 0) {
        wal_state_pop(&wal->state);
        return result;
    }
    wal_segment_close(&wal->current);
    wal->current = fresh;
    wal->checkpoint_end = fresh.size;
    wal_state_count(&wal->state, fresh.at + fresh.size);
    return 0;
}

/* Copies a BEGIN that is still needed out of a segment that goes. */
static int carry(struct wal *wal, const struct wal_unended *unended, struct error *err)
{
    const struct wal_segment *from;
    struct wal_frame frame = {0};
    struct wal_entry entry;
    uint64_t offset = unended->begin.offset;
    int result = wal_reading(wal, unended->begin.segment, &from, err);
    if (result == 0) /* the whole of it, so that damage does not get a check sum that is right */
        result = wal_segment_read(from, offset, WAL_BEGIN_SIZE, &frame, &wal->payload, err);
    if (result < 0)
        return result;
    if (result == 0 || frame.kind != WAL_BEGIN ||
        !wal_entry_decode(WAL_BEGIN, wal->payload.data, wal->payload.length, frame.length, &entry) ||
        entry.id != unended->id)
        return error_set(err, EBADMSG, "transaction %" PRIu64 " is not where it was begun", unended->id);
    entry.carried = true;
    result = wal_state_admit(&wal->state, &entry, err);
    struct wal_chunk chunk = {.body_length = frame.length - WAL_BEGIN_SIZE,
                              .body_fd = from->fd,
                              .body_offset = offset + WAL_FRAME_SIZE + WAL_BEGIN_SIZE};
    encode(wal, &entry, &chunk);
    return result < 0 ? result : write_entry(wal, &entry, &chunk, err);
}

static int carry_all(struct wal *wal, uint64_t segment, struct error *err)
{
    for (size_t i = 0; i < wal->state.unended_count; i++) {
        const struct wal_unended *unended = &wal->state.unended[i];
        int result = unended->begin.segment == segment ? carry(wal, unended, err) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}

static uint64_t unended_in(const struct wal *wal, uint64_t segment)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < wal->state.unended_count; i++)
        sum += wal->state.unended[i].begin.segment == segment ? wal->state.unended[i].size : 0;
    return sum;
}

/* What is open or in doubt in it goes along, if that is not most of it. Else it stays, or, `forced`, is dropped. */
static int remove_oldest(struct wal *wal, bool forced, struct error *err)
{
    const struct wal_row *rows = wal->state.rows;
    uint64_t number = rows[0].number, half = (rows[1].at - rows[0].at) / 2;
    bool light = unended_in(wal, number) <= half;
    if (!light && !forced)
        return -EBUSY;
    int result = light ? carry_all(wal, number, err) : 0;
    if (result < 0 && !(forced && result == -EBADMSG))
        return result;
    struct wal_entry entry = {.kind = WAL_REMOVED, .segment = number + 1};
    struct wal_chunk chunk = {.body_fd = -1};
    result = wal_state_admit(&wal->state, &entry, err);
    if (result < 0)
        return result;
    encode(wal, &entry, &chunk);
    result = write_entry(wal, &entry, &chunk, err);
    if (result < 0)
        return result;
    wal_forget_segments(wal, number + 1);
    wal_sync_remove(wal->sync, number, wal->state.end);
    wal_sync_want(wal->sync, wal->state.end);
    return 0;
}

void wal_trim(struct wal *wal)
{
    uint64_t needless = wal_state_needless(&wal->state, wal->pin);
    while (wal->sync && wal->failure == 0 && wal->state.row_count > 1 && wal->state.rows[0].newest <= needless) {
        if (remove_oldest(wal, false, NULL) < 0)
            return;
    }
}

static int make_room(struct wal *wal, uint64_t size, struct error *err)
{
    uint64_t used = wal->current.size - wal->checkpoint_end;
    if (used > 0 && used + size > segment_size(wal)) {
        int result = wal_rotate(wal, err);
        if (result < 0)
            return result;
        wal_trim(wal);
    }
    while (wal->state.book.bytes + size > wal->max && wal->state.row_count > 1 && wal->sync) {
        uint64_t dropped = wal->state.book.dropped;
        int result = remove_oldest(wal, true, err);
        if (result < 0)
            return result;
        if (wal->state.book.dropped != dropped)
            log_warning("the feed's journal is full, and the other zone lacks transactions up to %" PRIu64
                        " that were dropped: it is no backup before it has been seeded",
                        wal->state.book.dropped);
    }
    return 0;
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

/* What only the journal knows of an entry; after make_room once more, which may move things. */
static int prepare(struct wal *wal, struct wal_entry *entry, struct error *err)
{
    if (entry->kind == WAL_COMMIT || (entry->kind == WAL_SETTLE && entry->apply)) {
        const struct wal_unended *unended = wal_state_unended(&wal->state, entry->id);
        entry->sequence = wal->state.book.committed + 1;
        entry->begin = unended ? unended->begin : (struct wal_place){0};
    }
    return wal_state_admit(&wal->state, entry, err);
}

static int append(struct wal *wal, struct wal_entry *entry, struct wal_chunk *chunk, uint64_t size, struct error *err)
{
    int result = prepare(wal, entry, err);
    if (result == 0)
        result = make_room(wal, size, err);
    if (result == 0)
        result = prepare(wal, entry, err);
    if (result < 0)
        return result;
    encode(wal, entry, chunk);
    return write_entry(wal, entry, chunk, err);
}

static int append_begin(struct wal *wal, struct wal_entry *entry, const struct wal_request *request, struct error *err)
{
    struct wal_chunk chunk = {.head = request->head,
                              .head_length = request->head_length,
                              .body = request->body,
                              .body_length = request->body_length,
                              .body_fd = request->body_fd};
    uint64_t size = WAL_BEGIN_SIZE + wal_chunk_size(&chunk);
    if (size > wal->max / 2 + HEADS || size > WAL_ENTRY_MAX)
        return error_set(err, EFBIG, "a request of %" PRIu64 " bytes is too large for a journal of %" PRIu64, size,
                         wal->max);
    int result = wal_reserve_hold(wal, err);
    return result < 0 ? result : append(wal, entry, &chunk, size, err);
}

int wal_append(struct wal *wal, struct wal_entry *entry, const struct wal_request *request, struct error *err)
{
    struct wal_chunk chunk = {.body_fd = -1};
    if (wal->failure != 0)
        return error_errno(err, EIO, "a sync of the feed's journal has failed (%s), nobody knows what the disk has",
                           strerror(-wal->failure));
    if (request)
        return append_begin(wal, entry, request, err);
    int result = append(wal, entry, &chunk, SMALL, err);
    if ((result == -ENOSPC || result == -EDQUOT) && wal_reserve_release(wal))
        result = append(wal, entry, &chunk, SMALL, err);
    return result;
}
