/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as little-endian bytes and back, within bounds: the journal's entries and checkpoints are made of them. */
#pragma once

#include "base/text.h"

#include <endian.h>
#include <string.h>

static inline void wal_put(struct text *to, uint64_t value, size_t bytes)
{
    uint64_t little = htole64(value);
    text_add_bytes(to, &little, bytes);
}

struct wal_bytes {
    const uint8_t *at;
    size_t left;
    bool failed; /* more was taken than there is */
};

static inline const void *wal_take_bytes(struct wal_bytes *from, size_t bytes)
{
    const uint8_t *at = from->at;
    from->failed = from->failed || from->left < bytes;
    if (from->failed)
        return NULL;
    from->at += bytes;
    from->left -= bytes;
    return at;
}

static inline uint64_t wal_take(struct wal_bytes *from, size_t bytes)
{
    uint64_t little = 0;
    const void *at = wal_take_bytes(from, bytes);
    if (at)
        memcpy(&little, at, bytes);
    return le64toh(little);
}
