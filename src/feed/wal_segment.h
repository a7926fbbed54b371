/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file of the feed's journal: made, appended to as a whole or not at all, read with its check sums. Apart, because
 * what a file may look like after the machine died in the middle of a write is judged here and nowhere else.
 */
#pragma once

#include "feed/wal_format.h"

#define WAL_HEAD_SIZE 32 /* of a file, before its first entry */
#define WAL_NAME_SIZE 16 /* "0000000001.wal" */

struct wal_segment {
    int fd;
    uint64_t number;
    uint64_t at;   /* bytes that were ever written before its first; WAL_UNKNOWN with a head that is damaged */
    uint64_t size; /* up to the end of its last whole entry */
    bool torn;     /* more than that may be there: it is cut before the next write */
};

/* An entry to be written. Its payload in up to three pieces, the last of them perhaps from a file. */
struct wal_chunk {
    enum wal_kind kind;
    uint64_t safe;
    const void *payload, *head, *body;
    size_t payload_length, head_length;
    uint64_t body_length;
    int body_fd; /* if `body` is NULL and body_length is not 0: from this offset on */
    uint64_t body_offset;
};

void wal_segment_name(uint64_t number, char name[WAL_NAME_SIZE]);
bool wal_segment_named(const char *name, uint64_t *number);
/* The numbers of the files that are there, in order. */
int wal_segment_list(int directory, uint64_t **numbers, size_t *count, struct error *err);

/* In the place of what is there with this name. On failure nothing is left. */
int wal_segment_make(int directory, uint64_t number, uint64_t at, struct wal_segment *segment, struct error *err);
/* The whole file counts as its size. -EBADMSG: its head is not one; `segment` is open all the same, so that
 * wal_segment_is_torn can be asked at offset 0. */
int wal_segment_open(int directory, uint64_t number, bool write, struct wal_segment *segment, struct error *err);
void wal_segment_close(struct wal_segment *segment);

uint64_t wal_chunk_size(const struct wal_chunk *chunk); /* bytes in the file */
int wal_segment_append(struct wal_segment *segment, const struct wal_chunk *chunk, struct error *err);
/* Writes again what is there from this offset on, and waits until the disk has it: if a sync has failed earlier, memory
 * has what the disk has not, and a sync alone would not say so. */
int wal_segment_renew(const struct wal_segment *segment, uint64_t offset, struct error *err);
/* To its first `size` bytes. */
int wal_segment_cut(struct wal_segment *segment, uint64_t size, struct error *err);

/*
 * The entry at this offset: its frame, and the first `keep` bytes of its payload in a text that is begun anew. 1: there
 * is one, and its check sums are right; 0: the end; -EBADMSG, and the text says where.
 */
int wal_segment_read(const struct wal_segment *segment, uint64_t offset, uint64_t keep, struct wal_frame *frame,
                     struct text *payload, struct error *err);
/* The same without a check of the payload, of which only what is kept is read. */
int wal_segment_peek(const struct wal_segment *segment, uint64_t offset, size_t keep, struct wal_frame *frame,
                     struct text *payload, struct error *err);

/* Whether what is wrong at this offset looks like a write that was not finished. */
bool wal_segment_is_torn(const struct wal_segment *segment, uint64_t offset);
/* The most that any entry which can be found after this offset knew to be on the disk. With a head that is damaged,
 * which does not say what belongs there, entries of any file count. */
uint64_t wal_segment_claims(const struct wal_segment *segment, uint64_t offset);
