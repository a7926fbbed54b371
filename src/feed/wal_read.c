/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the feed's journal by number. Whoever reads in sequence walks on from where he was; others begin at a mark of
 * the index, so that live's clients do not wait while a segment is read through. A bounded number of places is
 * remembered, of the newest and of those that were walked past last.
 */
#include "feed/wal_inside.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

enum {
    LINE = WAL_BEGIN_SIZE + WAL_SAMPLE_MAX,
    AHEAD = 1 << 20 /* has come from the disk by the time the kernel knows that reading goes on */
};

/* --- files -------------------------------------------------------------------------------------------------------- */

void wal_forget_segments(struct wal *wal, uint64_t below)
{
    wal_index_forget(&wal->index, below);
    for (size_t i = 0; i < WAL_FILES_MAX; i++) {
        if (wal->files[i].number < below)
            wal_segment_close(&wal->files[i]);
    }
}

int wal_reading(struct wal *wal, uint64_t number, const struct wal_segment **segment, struct error *err)
{
    const struct wal_row *row = wal_state_row(&wal->state, number);
    *segment = &wal->current;
    if (number == wal->current.number)
        return 0;
    if (!row)
        return error_set(err, ENOENT, "%010" PRIu64 ".wal is not in the feed's journal any more", number);
    for (size_t i = 0; i < WAL_FILES_MAX; i++) {
        *segment = &wal->files[i];
        if (wal->files[i].fd >= 0 && wal->files[i].number == number)
            return 0;
    }
    struct wal_segment *file = &wal->files[wal->next_file++ % WAL_FILES_MAX];
    wal_segment_close(file);
    int result = wal_segment_open(wal->directory, number, false, file, err);
    if (result == 0 && (file->at != row->at || file->size != row[1].at - row->at))
        result =
            error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal has not the size that it had", number);
    if (result < 0) {
        wal_segment_close(file);
        return result == -ENOENT ? -EBADMSG : result; /* it ought to be there */
    }
    *segment = file;
    return 0;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

void wal_remember(struct wal *wal, uint64_t sequence, struct wal_place place)
{
    wal->newest[sequence % WAL_FOUND_MAX] = (struct wal_found){sequence, place};
    wal_index_add(&wal->index, sequence, place);
}

/* Leaves `walked` where the way to the number is shortest; the segment begins behind the number `before`. */
static void choose_start(struct wal *wal, const struct wal_segment *segment, uint64_t before, uint64_t sequence)
{
    const struct wal_found *mark = wal_index_find(&wal->index, segment->number, sequence);
    bool on_the_way = wal->walked.segment == segment->number && wal->walked_sequence < sequence;
    if (on_the_way && (!mark || mark->place.offset <= wal->walked.offset))
        return;
    wal->walked = mark ? mark->place : (struct wal_place){segment->number, WAL_HEAD_SIZE};
    wal->walked_sequence = mark ? mark->sequence - 1 : before;
    posix_fadvise(segment->fd, (off_t)wal->walked.offset, AHEAD, POSIX_FADV_WILLNEED); /* who reads one reads on */
}

/* Walks on until the number turns up in this segment, and remembers what it passes. */
static int walk(struct wal *wal, const struct wal_segment *segment, uint64_t before, uint64_t sequence,
                struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal_frame frame = {0};
    choose_start(wal, segment, before, sequence);
    while (wal->walked_sequence < sequence) {
        int result = wal_segment_peek(segment, wal->walked.offset, 16, &frame, &payload, err);
        if (result < 0)
            return result;
        struct wal_bytes bytes = {(const uint8_t *)payload.data, payload.length, false};
        wal_take(&bytes, 8);
        uint64_t found = wal_take(&bytes, 8); /* a SETTLE that gives no number has 0 */
        bool numbers = result == 1 && (frame.kind == WAL_COMMIT || frame.kind == WAL_SETTLE) && found != 0;
        if (result == 0 || (numbers && found != wal->walked_sequence + 1))
            return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal lacks transaction %" PRIu64,
                             segment->number, wal->walked_sequence + 1);
        if (numbers) {
            wal->read[found % WAL_FOUND_MAX] = (struct wal_found){wal->walked_sequence = found, wal->walked};
            wal_index_add(&wal->index, found, wal->walked);
        }
        wal->walked.offset += WAL_FRAME_SIZE + frame.length + WAL_TAIL_SIZE;
    }
    return 0;
}

static int find(struct wal *wal, uint64_t sequence, struct wal_place *place, struct error *err)
{
    const struct wal_found *newest = &wal->newest[sequence % WAL_FOUND_MAX];
    const struct wal_found *read = &wal->read[sequence % WAL_FOUND_MAX];
    const struct wal_row *row = wal_state_row_of(&wal->state, sequence);
    const struct wal_segment *segment;
    if (!row)
        return error_set(err, ENOENT, "transaction %" PRIu64 " is not in the feed's journal%s", sequence,
                         sequence > 0 && sequence <= wal->state.book.committed ? " any more" : "");
    const struct wal_found *known = newest->sequence == sequence ? newest : read;
    if (known->sequence != sequence) {
        int result = wal_reading(wal, row->number, &segment, err);
        if (result == 0)
            result = walk(wal, segment, row->committed, sequence, err);
        if (result < 0)
            return result;
        known = read;
    }
    *place = known->place;
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* An entry of this kind or that, and all of its payload. */
static int read_entry(struct wal *wal, struct wal_place place, uint64_t keep, struct text *payload,
                      struct wal_entry *entry, struct error *err)
{
    const struct wal_segment *segment;
    struct wal_frame frame = {0};
    int result = wal_reading(wal, place.segment, &segment, err);
    if (result == 0)
        result = keep == UINT64_MAX ? wal_segment_read(segment, place.offset, keep, &frame, payload, err)
                                    : wal_segment_peek(segment, place.offset, (size_t)keep, &frame, payload, err);
    if (result < 0)
        return result;
    if (result == 0 || frame.kind == WAL_CHECKPOINT ||
        !wal_entry_decode(frame.kind, payload->data, payload->length, frame.length, entry))
        return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal is damaged at offset %" PRIu64,
                         place.segment, place.offset);
    return 0;
}

/* What committed it, and its BEGIN, of which `keep` bytes stay in a text. */
static int read_both(struct wal *wal, uint64_t sequence, uint64_t keep, struct wal_entry *commit,
                     struct wal_entry *begin, struct text *payload, struct error *err)
{
    struct wal_place place;
    int result = find(wal, sequence, &place, err);
    if (result == 0)
        result = read_entry(wal, place, UINT64_MAX, payload, commit, err);
    if (result == 0)
        result = read_entry(wal, commit->begin, keep, payload, begin, err);
    if (result == 0 && (commit->sequence != sequence || begin->kind != WAL_BEGIN || begin->id != commit->id))
        result = error_set(err, EBADMSG, "transaction %" PRIu64 " of the feed's journal is not what it was", sequence);
    return result;
}

int wal_read(struct wal *wal, uint64_t sequence, struct wal_transaction *transaction, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal_entry commit, begin;
    memset(transaction, 0, sizeof *transaction);
    int result = read_both(wal, sequence, UINT64_MAX, &commit, &begin, &payload, err);
    if (result < 0)
        return result;
    *transaction = (struct wal_transaction){.id = begin.id,
                                            .sequence = sequence,
                                            .lane = begin.lane,
                                            .unix_ms = begin.unix_ms,
                                            .door = begin.door,
                                            .mode = begin.mode,
                                            .head_length = (size_t)begin.head_length,
                                            .body_length = (size_t)begin.body_length,
                                            .answer = commit.answer};
    size_t length = payload.length - WAL_BEGIN_SIZE;
    memmove(payload.data, payload.data + WAL_BEGIN_SIZE, length);
    payload.data[length] = '\0';
    transaction->bytes = steal_ptr(&payload.data);
    return 0;
}

void wal_transaction_clear(struct wal_transaction *transaction)
{
    free(transaction->bytes);
    memset(transaction, 0, sizeof *transaction);
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static void take_line(const struct text *payload, char line[WAL_SAMPLE_MAX + 1])
{
    size_t length = payload->length - WAL_BEGIN_SIZE, i = 0;
    const char *at = payload->data + WAL_BEGIN_SIZE;
    for (; i < length && i < WAL_SAMPLE_MAX && at[i] != '\r' && at[i] != '\n' && at[i] != '\0'; i++)
        line[i] = at[i];
    line[i] = '\0';
    text_sanitise(line);
}

int wal_describe(struct wal *wal, struct wal_note *note, struct error *err)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal_entry commit, begin;
    int result = read_both(wal, note->sequence, LINE, &commit, &begin, &payload, err);
    if (result < 0)
        return result;
    note->id = begin.id;
    note->unix_ms = begin.unix_ms;
    note->live = commit.answer;
    take_line(&payload, note->request);
    return 0;
}

static int visit_doubts(struct wal *wal, wal_visitor *visit, void *context)
{
    int result = 0;
    size_t shown = 0;
    for (size_t i = 0; result == 0 && i < wal->state.unended_count && shown < WAL_KEPT; i++) {
        CLEANUP_TEXT struct text payload = {0};
        const struct wal_unended *unended = &wal->state.unended[i];
        struct wal_note note = {.kind = WAL_NOTE_DOUBT, .zone = unended->zone, .id = unended->id};
        struct wal_entry begin;
        if (!unended->doubt)
            continue;
        if (read_entry(wal, unended->begin, LINE, &payload, &begin, NULL) == 0 && begin.kind == WAL_BEGIN) {
            note.unix_ms = begin.unix_ms;
            take_line(&payload, note.request);
        }
        shown++;
        result = visit(context, &note);
    }
    return result;
}

static int visit_lost(struct wal *wal, int8_t zone, size_t *shown, wal_visitor *visit, void *context)
{
    const struct wal_zone_state *of = &wal->state.zones[zone];
    for (size_t i = 0; i < of->lost_count; i++) {
        for (uint64_t at = of->lost[i].first; at <= of->lost[i].last; at++) {
            struct wal_note note = {.kind = WAL_NOTE_LOST, .zone = zone, .sequence = at};
            const struct wal_note *kept = wal_state_note(&wal->state, WAL_NOTE_LOST, zone, at);
            if (*shown == WAL_KEPT)
                return 0;
            ++*shown;
            if (!kept && wal_describe(wal, &note, NULL) < 0)
                note.request[0] = '\0'; /* the bound has taken it: the number is all that is left */
            int result = visit(context, kept ? kept : &note);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

int wal_notes(struct wal *wal, wal_visitor *visit, void *context, struct error *err)
{
    size_t lost = 0;
    int result = visit_doubts(wal, visit, context);
    for (size_t i = 0; result == 0 && i < wal->state.note_count; i++)
        result = wal->state.notes[i].kind == WAL_NOTE_LOST ? 0 : visit(context, &wal->state.notes[i]);
    for (int8_t zone = 0; result == 0 && zone < COLOURS; zone++)
        result = visit_lost(wal, zone, &lost, visit, context);
    return result;
}
