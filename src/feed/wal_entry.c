/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the feed's journal to bytes and back. Apart from the files, so that a fuzzer gets at every byte. */
#include "feed/wal_format.h"

/* --- frames ------------------------------------------------------------------------------------------------------- */

void wal_frame_encode(const struct wal_frame *frame, uint8_t bytes[WAL_FRAME_SIZE])
{
    uint32_t length = htole32(frame->length), crc;
    uint64_t at = htole64(frame->at), safe = htole64(frame->safe);
    memset(bytes, 0, WAL_FRAME_SIZE);
    memcpy(bytes + 4, &length, sizeof length);
    memcpy(bytes + 8, &at, sizeof at);
    memcpy(bytes + 16, &safe, sizeof safe);
    bytes[24] = (uint8_t)frame->kind;
    crc = htole32(crc32c(bytes + 4, WAL_FRAME_SIZE - 4));
    memcpy(bytes, &crc, sizeof crc);
}

bool wal_frame_decode(const uint8_t bytes[WAL_FRAME_SIZE], struct wal_frame *frame)
{
    static const uint8_t none[WAL_FRAME_SIZE - 25];
    struct wal_bytes from = {bytes, WAL_FRAME_SIZE, false};
    uint32_t crc = (uint32_t)wal_take(&from, 4);
    frame->length = (uint32_t)wal_take(&from, 4);
    frame->at = wal_take(&from, 8);
    frame->safe = wal_take(&from, 8);
    frame->kind = (enum wal_kind)wal_take(&from, 1);
    return crc == crc32c(bytes + 4, WAL_FRAME_SIZE - 4) && memcmp(bytes + 25, none, sizeof none) == 0 &&
           frame->kind >= WAL_CHECKPOINT && frame->kind < WAL_KINDS && frame->safe <= frame->at;
}

/* --- what several kinds have -------------------------------------------------------------------------------------- */

static void put_string(struct text *to, const char *string)
{
    size_t length = strnlen(string, WAL_SAMPLE_MAX);
    wal_put(to, length, 1);
    text_add_bytes(to, string, length);
}

static void take_string(struct wal_bytes *from, char string[WAL_SAMPLE_MAX + 1])
{
    size_t length = (size_t)wal_take(from, 1);
    const void *bytes = wal_take_bytes(from, length);
    memset(string, 0, WAL_SAMPLE_MAX + 1);
    if (!bytes || memchr(bytes, '\0', length))
        from->failed = true;
    else
        memcpy(string, bytes, length);
}

static void put_answer(struct text *to, const struct wal_answer *answer)
{
    wal_put(to, answer->status, 2);
    wal_put(to, answer->length, 8);
    text_add_bytes(to, answer->digest, WAL_DIGEST_SIZE);
    put_string(to, answer->sample);
}

static void take_answer(struct wal_bytes *from, struct wal_answer *answer)
{
    answer->status = (uint16_t)wal_take(from, 2);
    answer->length = wal_take(from, 8);
    const void *digest = wal_take_bytes(from, WAL_DIGEST_SIZE);
    if (digest)
        memcpy(answer->digest, digest, WAL_DIGEST_SIZE);
    take_string(from, answer->sample);
}

static bool take_flag(struct wal_bytes *from)
{
    uint64_t flag = wal_take(from, 1);
    from->failed = from->failed || flag > 1;
    return flag == 1;
}

static int8_t take_zone(struct wal_bytes *from)
{
    uint64_t zone = wal_take(from, 1);
    from->failed = from->failed || zone >= COLOURS;
    return (int8_t)zone;
}

void wal_note_put(struct text *to, const struct wal_note *note)
{
    wal_put(to, note->kind, 1);
    wal_put(to, (uint64_t)note->zone, 1);
    wal_put(to, note->id, 8);
    wal_put(to, note->sequence, 8);
    wal_put(to, note->unix_ms, 8);
    put_answer(to, &note->live);
    put_answer(to, &note->other);
    put_string(to, note->request);
}

void wal_note_take(struct wal_bytes *from, struct wal_note *note)
{
    uint64_t kind = wal_take(from, 1);
    from->failed = from->failed || kind < WAL_NOTE_DIVERGED || kind > WAL_NOTE_TWICE;
    note->kind = (enum wal_note_kind)kind;
    note->zone = take_zone(from);
    note->id = wal_take(from, 8);
    note->sequence = wal_take(from, 8);
    note->unix_ms = wal_take(from, 8);
    take_answer(from, &note->live);
    take_answer(from, &note->other);
    take_string(from, note->request);
}

/* --- encoding ----------------------------------------------------------------------------------------------------- */

static void put_begin(struct text *to, const struct wal_entry *entry)
{
    wal_put(to, entry->carried, 1);
    wal_put(to, (uint64_t)entry->zone, 1);
    wal_put(to, entry->mode, 1);
    wal_put(to, 0, 1);
    wal_put(to, entry->door, 2);
    wal_put(to, entry->id, 8);
    wal_put(to, entry->lane, 8);
    wal_put(to, entry->unix_ms, 8);
    wal_put(to, entry->head_length, 8);
    wal_put(to, entry->body_length, 8);
}

/* COMMIT and SETTLE */
static void put_number(struct text *to, const struct wal_entry *entry)
{
    wal_put(to, entry->id, 8);
    wal_put(to, entry->sequence, 8);
    wal_put(to, entry->begin.segment, 8);
    wal_put(to, entry->begin.offset, 8);
}

static void put_applied(struct text *to, const struct wal_entry *entry)
{
    wal_put(to, (uint64_t)entry->zone, 1);
    wal_put(to, entry->sequence, 8);
    wal_put(to, entry->skipped, 1);
    wal_put(to, entry->diverged, 1);
    wal_put(to, entry->noted, 1);
    if (entry->noted)
        wal_note_put(to, &entry->note);
}

void wal_entry_encode(const struct wal_entry *entry, struct text *to)
{
    switch (entry->kind) {
    case WAL_BEGIN: put_begin(to, entry); break;
    case WAL_COMMIT:
        put_number(to, entry);
        put_answer(to, &entry->answer);
        break;
    case WAL_SETTLE:
        put_number(to, entry);
        wal_put(to, entry->apply, 1);
        break;
    case WAL_OPENED:
    case WAL_ABORT:
    case WAL_DOUBT: wal_put(to, entry->id, 8); break;
    case WAL_APPLIED: put_applied(to, entry); break;
    case WAL_APPLYING:
    case WAL_SEEDED:
        wal_put(to, (uint64_t)entry->zone, 1);
        wal_put(to, entry->sequence, 8);
        break;
    case WAL_LIVE: wal_put(to, (uint64_t)entry->zone, 1); break;
    case WAL_NOTED: wal_note_put(to, &entry->note); break;
    case WAL_REMOVED: wal_put(to, entry->segment, 8); break;
    case WAL_CLOSED:
    case WAL_CHECKPOINT:
    case WAL_KINDS: break;
    }
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

static void take_begin(struct wal_bytes *from, uint64_t whole, struct wal_entry *entry)
{
    entry->carried = take_flag(from);
    entry->zone = take_zone(from);
    entry->mode = (uint8_t)wal_take(from, 1);
    from->failed = wal_take(from, 1) != 0 || from->failed;
    entry->door = (uint16_t)wal_take(from, 2);
    entry->id = wal_take(from, 8);
    entry->lane = wal_take(from, 8);
    entry->unix_ms = wal_take(from, 8);
    entry->head_length = wal_take(from, 8);
    entry->body_length = wal_take(from, 8);
    uint64_t rest = whole - WAL_BEGIN_SIZE; /* of a short one nonsense, and failed */
    if (entry->head_length > rest || entry->body_length != rest - entry->head_length)
        from->failed = true;
    from->left = 0; /* head and body are as they are */
}

static void take_number(struct wal_bytes *from, struct wal_entry *entry)
{
    entry->id = wal_take(from, 8);
    entry->sequence = wal_take(from, 8);
    entry->begin.segment = wal_take(from, 8);
    entry->begin.offset = wal_take(from, 8);
}

static void take_applied(struct wal_bytes *from, struct wal_entry *entry)
{
    entry->zone = take_zone(from);
    entry->sequence = wal_take(from, 8);
    entry->skipped = take_flag(from);
    entry->diverged = take_flag(from);
    entry->noted = take_flag(from);
    if (entry->noted)
        wal_note_take(from, &entry->note);
}

bool wal_entry_decode(enum wal_kind kind, const void *payload, size_t length, uint64_t whole, struct wal_entry *entry)
{
    struct wal_bytes from = {payload, length, false};
    memset(entry, 0, sizeof *entry);
    entry->kind = kind;
    switch (kind) {
    case WAL_BEGIN: take_begin(&from, whole, entry); break;
    case WAL_COMMIT:
        take_number(&from, entry);
        take_answer(&from, &entry->answer);
        break;
    case WAL_SETTLE:
        take_number(&from, entry);
        entry->apply = take_flag(&from);
        break;
    case WAL_OPENED:
    case WAL_ABORT:
    case WAL_DOUBT: entry->id = wal_take(&from, 8); break;
    case WAL_APPLIED: take_applied(&from, entry); break;
    case WAL_APPLYING:
    case WAL_SEEDED:
        entry->zone = take_zone(&from);
        entry->sequence = wal_take(&from, 8);
        break;
    case WAL_LIVE: entry->zone = take_zone(&from); break;
    case WAL_NOTED: wal_note_take(&from, &entry->note); break;
    case WAL_REMOVED: entry->segment = wal_take(&from, 8); break;
    case WAL_CLOSED: break;
    case WAL_CHECKPOINT:
    case WAL_KINDS: return false;
    }
    return !from.failed && from.left == 0;
}
