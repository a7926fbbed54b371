/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How entries of the feed's journal look in a file: a frame with a check sum of its own, the payload, a check sum over
 * both. Pure; every byte that is read is hostile. All numbers are little-endian.
 */
#pragma once

#include "feed/wal_bytes.h"
#include "feed/wal_entry.h"

/* Where an entry begins. */
struct wal_place {
    uint64_t segment, offset;
};

enum wal_kind {
    WAL_CHECKPOINT = 1, /* all that the entries before come to; the first of each segment */
    WAL_OPENED,         /* by a new process: what was open is in doubt, what was being applied is twice perhaps */
    WAL_BEGIN,
    WAL_COMMIT,
    WAL_ABORT,
    WAL_DOUBT,
    WAL_SETTLE,
    WAL_APPLYING,
    WAL_APPLIED,
    WAL_LIVE,
    WAL_SEEDED,
    WAL_NOTED,   /* what people are shown of a transaction that is lost or twice perhaps */
    WAL_REMOVED, /* segments before this one are gone */
    WAL_CLOSED,  /* orderly: everything before is on the disk */
    WAL_KINDS
};

/* An entry as a value; which fields count depends on its kind. */
struct wal_entry {
    enum wal_kind kind;
    uint64_t id, sequence;
    uint64_t segment; /* WAL_REMOVED: the first that stays */
    int8_t zone;      /* WAL_BEGIN: to which it is sent; 0 or 1 */
    bool apply, skipped, diverged;
    bool carried;           /* WAL_BEGIN: a copy of one that stood in a segment that goes */
    bool noted;             /* WAL_APPLIED: has a note */
    struct wal_place begin; /* WAL_COMMIT, WAL_SETTLE */
    uint64_t lane, unix_ms, head_length, body_length;
    uint16_t door;
    uint8_t mode;
    struct wal_answer answer;
    struct wal_note note;
};

#define WAL_BEGIN_SIZE 46 /* of a BEGIN's payload before head and body */
#define WAL_FRAME_SIZE 32
#define WAL_TAIL_SIZE  4 /* check sum over frame and payload */
#define WAL_ENTRY_MAX  (UINT32_MAX - 4096)

struct wal_frame {
    uint32_t length; /* of the payload */
    enum wal_kind kind;
    uint64_t at;   /* bytes that were ever written before it: says that it belongs here */
    uint64_t safe; /* bytes that were known to be on the disk when it was written: damage before is no torn write */
};

void wal_frame_encode(const struct wal_frame *frame, uint8_t bytes[WAL_FRAME_SIZE]);
bool wal_frame_decode(const uint8_t bytes[WAL_FRAME_SIZE], struct wal_frame *frame);

/* Adds the payload (of a BEGIN: its first WAL_BEGIN_SIZE bytes) to a text. Not for WAL_CHECKPOINT. */
void wal_entry_encode(const struct wal_entry *entry, struct text *payload);
/* The whole payload, or of a BEGIN as much as there is of it, `whole` bytes in all; false: not one of ours. */
bool wal_entry_decode(enum wal_kind kind, const void *payload, size_t length, uint64_t whole, struct wal_entry *entry);

#define WAL_NOTE_MIN 113 /* bytes of one with nothing in it */
void wal_note_put(struct text *to, const struct wal_note *note);
void wal_note_take(struct wal_bytes *from, struct wal_note *note); /* from->failed if it is none */
