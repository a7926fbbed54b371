/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the feed's journal as values and as bytes, and what of them others see. Apart, because it is pure: every
 * byte of a file is tried here without one.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAL_DIGEST_SIZE 32
#define WAL_KEPT        100 /* notes of each kind */
#define WAL_SAMPLE_MAX  255
#define WAL_UNKNOWN     UINT64_MAX
#define WAL_WINDOW      4096 /* so far beyond its position a zone can be applied to, by lanes that are faster */

struct wal_request {
    uint64_t lane; /* the key's hash, 0 = none */
    uint64_t unix_ms;
    uint16_t door; /* by which port it came: the number that clients know */
    uint8_t mode;  /* enum feed_mode */
    const void *head;
    size_t head_length;
    const void *body; /* in memory ... */
    size_t body_length;
    int body_fd; /* ... or, -1 = none, a file of body_length bytes from its beginning */
};

struct wal_answer {
    uint16_t status; /* 0 = the mode has none */
    uint64_t length;
    uint8_t digest[WAL_DIGEST_SIZE]; /* SHA-256 of the content, what is to be ignored left out; zero = not taken */
    char sample[WAL_SAMPLE_MAX + 1]; /* some fields, the content's beginning; sanitised */
};

struct wal_transaction {
    uint64_t id, sequence, lane, unix_ms;
    uint16_t door;
    uint8_t mode;
    char *bytes; /* head, then body, then a NUL */
    size_t head_length, body_length;
    struct wal_answer answer; /* live's */
};

struct wal_zone_book {
    uint64_t position; /* has everything up to here but what is noted as lost or skipped; WAL_UNKNOWN = nobody knows */
    uint64_t applying; /* some that were begun and not ended, newest; 0 = none */
};

struct wal_book {
    int8_t live;        /* -1: never said */
    uint64_t committed; /* newest sequence number */
    uint64_t oldest;    /* the oldest that can still be read; committed + 1 = none */
    uint64_t bytes;
    uint64_t in_doubt, diverged, lost, twice; /* counts */
    struct wal_zone_book zones[COLOURS];
    /* Newest number that was dropped because of the bound before the other zone had it; if it was one in doubt, the
     * newest that there was. 0 = none, or it was seeded since. */
    uint64_t dropped;
};

enum wal_note_kind { WAL_NOTE_DOUBT, WAL_NOTE_DIVERGED, WAL_NOTE_LOST, WAL_NOTE_TWICE };

struct wal_note {
    enum wal_note_kind kind;
    int8_t zone;
    uint64_t id, sequence, unix_ms;
    struct wal_answer live, other;
    char request[WAL_SAMPLE_MAX + 1]; /* first line, sanitised */
};
