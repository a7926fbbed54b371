/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's journal: what the other parts of the role call. */
#include "feed/wal_inside.h"

#include "base/cleanup.h"
#include "feed/wal_zone.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/file.h>

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* What the process before was doing is on record as not ended. */
static int take_over(struct wal *wal, struct error *err)
{
    uint64_t id = wal_id_of_now(); /* beyond any that was given and is not on the disk */
    struct wal_entry opened = {.kind = WAL_OPENED, .id = id > wal->state.next_id ? id : wal->state.next_id};
    size_t notes = wal->state.note_count;
    wal_reserve_hold(wal, NULL); /* what was held before is held still, even now that the disk is full */
    int result = wal_append(wal, &opened, NULL, err);
    for (size_t i = notes; result == 0 && i < wal->state.note_count; i++) {
        struct wal_entry noted = {.kind = WAL_NOTED, .note = wal->state.notes[i]};
        if (wal_describe(wal, &noted.note, NULL) == 0)
            result = wal_append(wal, &noted, NULL, err);
    }
    return result;
}

static int open_all(struct wal *wal, bool new_app, struct error *err)
{
    if (flock(wal->directory, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? error_set(err, EBUSY, "another process has the feed's journal")
                                    : error_errno(err, errno, "lock the feed's journal");
    int result = wal_recover(wal, new_app, err);
    if (result == 0)
        result = wal_safe_start(wal, err);
    if (result == 0)
        result = take_over(wal, err);
    if (result < 0)
        return result;
    wal_sync_want(wal->sync, wal->state.end);
    wal_trim(wal);
    return 0;
}

static void clear(struct wal *wal)
{
    wal_safe_end(wal);
    wal_forget_segments(wal, UINT64_MAX);
    wal_segment_close(&wal->current);
    text_clear(&wal->payload);
    wal_index_clear(&wal->index);
    wal_state_clear(&wal->state);
    free(wal);
}

int wal_open(struct loop *loop, const struct wal_options *options, struct wal **wal, struct error *err)
{
    struct wal *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_errno(err, ENOMEM, "open the feed's journal");
    opened->loop = loop;
    opened->directory = options->directory;
    opened->max = options->max;
    opened->sync_ms = options->sync_ms;
    opened->pin = WAL_UNKNOWN;
    opened->current.fd = -1;
    for (size_t i = 0; i < WAL_FILES_MAX; i++)
        opened->files[i].fd = -1;
    list_init(&opened->waiting);
    int result = open_all(opened, options->new_app, err);
    if (result < 0) {
        if (result != -EBUSY)
            flock(options->directory, LOCK_UN);
        clear(opened);
        return result;
    }
    *wal = opened;
    if (err)
        err->code = 0; /* of what was torn, and is mended */
    return 0;
}

void wal_close(struct wal *wal)
{
    if (!wal)
        return;
    struct wal_entry closed = {.kind = WAL_CLOSED};
    int directory = wal->directory;
    wal_sync_want(wal->sync, wal->state.end);
    wal_sync_flush(wal->sync);
    wal->safe = wal_sync_done(wal->sync, &wal->failure);
    wal_append(wal, &closed, NULL, NULL); /* it knows that all before is on the disk, so nothing of that can be torn */
    wal_sync_want(wal->sync, wal->state.end);
    clear(wal);
    flock(directory, LOCK_UN);
}

void wal_options_change(struct wal *wal, uint64_t max, uint32_t sync_ms)
{
    wal->max = max;
    wal->sync_ms = sync_ms;
    wal_sync_want(wal->sync, wal->state.end); /* and by the new measure from here on */
    wal_trim(wal);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int append_small(struct wal *wal, struct wal_entry *entry, struct error *err)
{
    int result = wal_append(wal, entry, NULL, err);
    if (result == 0)
        wal_trim(wal);
    return result;
}

int wal_begin(struct wal *wal, const struct wal_request *request, uint64_t *id, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_BEGIN,
                              .id = wal->state.next_id,
                              .zone = wal->state.book.live,
                              .lane = request->lane,
                              .unix_ms = request->unix_ms,
                              .door = request->door,
                              .mode = request->mode,
                              .head_length = request->head_length,
                              .body_length = request->body_length};
    int result = wal_append(wal, &entry, request, err);
    if (result == 0 && id)
        *id = entry.id;
    return result;
}

uint64_t wal_next_id(const struct wal *wal)
{
    return wal->state.next_id;
}

int wal_commit(struct wal *wal, uint64_t id, const struct wal_answer *answer, uint64_t *sequence, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_COMMIT, .id = id, .answer = *answer};
    int result = append_small(wal, &entry, err);
    if (result == 0 && sequence)
        *sequence = entry.sequence;
    return result;
}

int wal_abort(struct wal *wal, uint64_t id, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_ABORT, .id = id};
    return append_small(wal, &entry, err);
}

int wal_doubt(struct wal *wal, uint64_t id, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_DOUBT, .id = id};
    return append_small(wal, &entry, err);
}

int wal_settle(struct wal *wal, uint64_t id, bool apply, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_SETTLE, .id = id, .apply = apply};
    return append_small(wal, &entry, err);
}

int wal_applying(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_APPLYING, .zone = (int8_t)zone, .sequence = sequence};
    const struct wal_zone_state *of = &wal->state.zones[zone];
    const struct wal_zone_book *book = &wal->state.book.zones[zone];
    bool after = book->position != WAL_UNKNOWN && sequence > book->position && sequence <= book->position + WAL_WINDOW;
    if (wal->failure == 0 && sequence > 0 && sequence <= wal->state.book.committed &&
        (of->lost_begun == sequence || (after && wal_bit(of->begun, sequence))))
        return 0; /* tried again */
    return append_small(wal, &entry, err);
}

int wal_applying_again(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_APPLYING, .zone = (int8_t)zone, .sequence = sequence};
    struct wal_entry noted = {.kind = WAL_NOTED};
    noted.note = (struct wal_note){.kind = WAL_NOTE_TWICE, .zone = (int8_t)zone, .sequence = sequence};
    int result = append_small(wal, &entry, err);
    if (result == 0 && wal_state_note(&wal->state, WAL_NOTE_TWICE, (int8_t)zone, sequence) &&
        wal_describe(wal, &noted.note, NULL) == 0)
        append_small(wal, &noted, NULL); /* what it was; that it was is on record already */
    return result;
}

int wal_applied(struct wal *wal, enum colour zone, uint64_t sequence, const struct wal_answer *answer, bool skipped,
                bool diverged, struct error *err)
{
    struct wal_entry entry = {
        .kind = WAL_APPLIED, .zone = (int8_t)zone, .sequence = sequence, .skipped = skipped, .diverged = diverged};
    if (diverged && wal->state.zones[BLUE].diverged + wal->state.zones[GREEN].diverged < WAL_KEPT) {
        entry.noted = true;
        entry.note = (struct wal_note){.kind = WAL_NOTE_DIVERGED, .zone = (int8_t)zone, .sequence = sequence};
        if (answer)
            entry.note.other = *answer;
        wal_describe(wal, &entry.note, NULL); /* what cannot be read is shown without */
    }
    return append_small(wal, &entry, err);
}

/* While what was lost can still be read; the numbers are on record in any case. */
static void note_lost(struct wal *wal, enum colour zone)
{
    const struct wal_zone_state *of = &wal->state.zones[zone];
    size_t noted = 0;
    for (size_t i = 0; i < of->lost_count; i++) {
        for (uint64_t at = of->lost[i].first; at <= of->lost[i].last; at++) {
            struct wal_entry entry = {.kind = WAL_NOTED};
            entry.note = (struct wal_note){.kind = WAL_NOTE_LOST, .zone = (int8_t)zone, .sequence = at};
            if (++noted > WAL_KEPT ||
                (!wal_state_note(&wal->state, WAL_NOTE_LOST, (int8_t)zone, at) &&
                 (wal_describe(wal, &entry.note, NULL) < 0 || wal_append(wal, &entry, NULL, NULL) < 0)))
                return;
        }
    }
}

int wal_live(struct wal *wal, enum colour zone, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_LIVE, .zone = (int8_t)zone};
    if (wal->state.book.live == (int8_t)zone)
        return 0;
    int result = wal_append(wal, &entry, NULL, err);
    if (result < 0)
        return result;
    note_lost(wal, zone);
    wal_trim(wal);
    return 0;
}

int wal_seeded(struct wal *wal, enum colour zone, uint64_t sequence, struct error *err)
{
    struct wal_entry entry = {.kind = WAL_SEEDED, .zone = (int8_t)zone, .sequence = sequence};
    return append_small(wal, &entry, err);
}

bool wal_has_failed(const struct wal *wal)
{
    return wal->failure != 0 && list_empty(&wal->waiting);
}

void wal_pin(struct wal *wal, uint64_t sequence)
{
    wal->pin = sequence;
    wal_trim(wal);
}

const struct wal_book *wal_book(const struct wal *wal)
{
    return &wal->state.book;
}
