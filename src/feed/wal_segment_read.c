/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a file of the feed's journal: entries with their check sums, and what to make of one that is wrong. */
#include "feed/wal_segment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>

enum {
    PIECE = 65536,
    AHEAD = 4096, /* most entries are smaller, and are read by one system call */
    SECTOR = 512  /* the least that a disk writes as a whole */
};

/* The beginning of an entry, as much of it as came along with its frame. */
struct ahead {
    size_t length;
    uint8_t bytes[AHEAD];
};

static int damaged(const struct wal_segment *segment, uint64_t offset, struct error *err)
{
    return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal is damaged at offset %" PRIu64,
                     segment->number, offset);
}

static int read_all(const struct wal_segment *segment, void *bytes, size_t length, uint64_t offset, struct error *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(segment->fd, (char *)bytes + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read %010" PRIu64 ".wal of the feed's journal at offset %" PRIu64,
                               segment->number, offset);
        if (got == 0)
            return damaged(segment, offset, err);
        done += (size_t)got;
    }
    return 0;
}

/* What is so far behind the beginning of the entry at `offset`. */
static int read_part(const struct wal_segment *segment, uint64_t offset, const struct ahead *ahead, uint64_t behind,
                     void *bytes, size_t length, struct error *err)
{
    if (behind + length > ahead->length)
        return read_all(segment, bytes, length, offset + behind, err);
    memcpy(bytes, ahead->bytes + behind, length);
    return 0;
}

/* The frame, and what comes with it; what is wrong with the rest is said when it is needed. */
static int read_ahead(const struct wal_segment *segment, uint64_t offset, struct ahead *ahead, struct error *err)
{
    uint64_t left = segment->size - offset;
    ssize_t got = pread(segment->fd, ahead->bytes, left < AHEAD ? (size_t)left : AHEAD, (off_t)offset);
    ahead->length = got < WAL_FRAME_SIZE ? WAL_FRAME_SIZE : (size_t)got;
    return got < WAL_FRAME_SIZE ? read_all(segment, ahead->bytes, WAL_FRAME_SIZE, offset, err) : 0;
}

/* 1: there is an entry, and all of it; 0: the end. */
static int read_frame(const struct wal_segment *segment, uint64_t offset, struct ahead *ahead, struct wal_frame *frame,
                      struct error *err)
{
    if (offset == segment->size)
        return 0;
    if (offset > segment->size || segment->size - offset < WAL_FRAME_SIZE + WAL_TAIL_SIZE)
        return damaged(segment, offset, err);
    int result = read_ahead(segment, offset, ahead, err);
    if (result < 0)
        return result;
    if (!wal_frame_decode(ahead->bytes, frame) || frame->at != segment->at + offset ||
        frame->length > segment->size - offset - WAL_FRAME_SIZE - WAL_TAIL_SIZE)
        return damaged(segment, offset, err);
    return 1;
}

int wal_segment_peek(const struct wal_segment *segment, uint64_t offset, size_t keep, struct wal_frame *frame,
                     struct text *payload, struct error *err)
{
    struct ahead ahead;
    CLEANUP_FREE char *piece = NULL;
    int result = read_frame(segment, offset, &ahead, frame, err);
    if (result <= 0)
        return result;
    payload->length = 0;
    if (keep > frame->length)
        keep = frame->length;
    piece = malloc(keep + 1);
    if (!piece)
        return error_errno(err, ENOMEM, "read the feed's journal");
    result = read_part(segment, offset, &ahead, WAL_FRAME_SIZE, piece, keep, err);
    if (result == 0)
        text_add_bytes(payload, piece, keep);
    if (result == 0 && payload->failed)
        result = error_errno(err, ENOMEM, "read the feed's journal");
    return result < 0 ? result : 1;
}

/* All of the payload, of which `keep` bytes stay, and the check sum of frame and payload. */
static int read_payload(const struct wal_segment *segment, uint64_t offset, const struct ahead *ahead,
                        const struct wal_frame *frame, uint64_t keep, struct text *payload, uint32_t *crc,
                        struct error *err)
{
    uint8_t piece[PIECE];
    for (uint64_t done = 0; done < frame->length;) {
        uint64_t left = frame->length - done, wanted = keep > done ? keep - done : 0;
        size_t step = left < PIECE ? (size_t)left : PIECE;
        int result = read_part(segment, offset, ahead, WAL_FRAME_SIZE + done, piece, step, err);
        if (result < 0)
            return result;
        *crc = crc32c_add(*crc, piece, step);
        text_add_bytes(payload, piece, wanted < step ? (size_t)wanted : step);
        done += step;
    }
    return 0;
}

int wal_segment_read(const struct wal_segment *segment, uint64_t offset, uint64_t keep, struct wal_frame *frame,
                     struct text *payload, struct error *err)
{
    struct ahead ahead;
    uint32_t tail = 0;
    int result = read_frame(segment, offset, &ahead, frame, err);
    if (result <= 0)
        return result;
    payload->length = 0;
    uint32_t crc = crc32c(ahead.bytes, WAL_FRAME_SIZE);
    result = read_payload(segment, offset, &ahead, frame, keep, payload, &crc, err);
    if (result == 0)
        result = read_part(segment, offset, &ahead, WAL_FRAME_SIZE + frame->length, &tail, sizeof tail, err);
    if (result < 0)
        return result;
    if (le32toh(tail) != crc)
        return damaged(segment, offset, err);
    return payload->failed ? error_errno(err, ENOMEM, "read the feed's journal") : 1;
}

/* --- what is wrong ------------------------------------------------------------------------------------------------ */

static bool all_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Whether of from..to all that lies in one sector is zero: it was never written, though what is around it was. */
static bool has_hole(const struct wal_segment *segment, uint64_t from, uint64_t to)
{
    uint8_t bytes[SECTOR];
    while (from < to) {
        uint64_t stop = (from / SECTOR + 1) * SECTOR;
        size_t length = (size_t)((stop < to ? stop : to) - from);
        if (read_all(segment, bytes, length, from, NULL) < 0)
            return false;
        if (all_zero(bytes, length))
            return true;
        from += length;
    }
    return false;
}

bool wal_segment_is_torn(const struct wal_segment *segment, uint64_t offset)
{
    uint8_t bytes[WAL_FRAME_SIZE];
    struct wal_frame frame;
    uint64_t least = offset == 0 ? WAL_HEAD_SIZE : WAL_FRAME_SIZE;
    if (segment->size - offset < least)
        return true;
    if (read_all(segment, bytes, sizeof bytes, offset, NULL) < 0)
        return false;
    if (offset == 0 || !wal_frame_decode(bytes, &frame) || frame.at != segment->at + offset)
        return has_hole(segment, offset, offset + least);
    uint64_t end = offset + WAL_FRAME_SIZE + frame.length + WAL_TAIL_SIZE;
    return end > segment->size || has_hole(segment, offset, end);
}

uint64_t wal_segment_claims(const struct wal_segment *segment, uint64_t offset)
{
    CLEANUP_FREE uint8_t *piece = malloc(PIECE + WAL_FRAME_SIZE);
    uint64_t most = 0;
    if (!piece)
        return UINT64_MAX; /* whoever cannot look assumes the worst */
    for (uint64_t from = offset; from + WAL_FRAME_SIZE <= segment->size; from += PIECE) {
        uint64_t left = segment->size - from;
        size_t length = left < PIECE + WAL_FRAME_SIZE ? (size_t)left : PIECE + WAL_FRAME_SIZE;
        if (read_all(segment, piece, length, from, NULL) < 0)
            return UINT64_MAX;
        for (size_t i = 0; i < PIECE && i + WAL_FRAME_SIZE <= length; i++) {
            uint64_t at = htole64(segment->at + from + i); /* looked at first, because it is quick */
            struct wal_frame frame;
            if (segment->at != WAL_UNKNOWN && memcmp(piece + i + 8, &at, sizeof at) != 0)
                continue;
            if (wal_frame_decode(piece + i, &frame) && frame.safe > most)
                most = frame.safe;
        }
    }
    return most;
}
