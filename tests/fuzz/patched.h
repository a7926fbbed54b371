/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of fixed layout for fuzzers: one that is right, with pieces of the data in it. A fuzzer that has to find the
 * length, the version and every field of some hundred bytes by itself does not get past the first of them.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A copy for free(3), exactly as large, so that the sanitizer sees a read behind it. Each piece comes behind two bytes
 * that say where it goes and one that says how long it is. */
static void *patched(const void *whole, size_t size, const uint8_t *data, size_t left)
{
    uint8_t *copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, whole, size);
    while (left > 3) {
        size_t at = (data[0] | (size_t)data[1] << 8) % size, length = data[2];
        length = length < left - 3 ? length : left - 3;
        size_t room = length < size - at ? length : size - at;
        memcpy(copy + at, data + 3, room);
        data += 3 + length;
        left -= 3 + length;
    }
    return copy;
}
