/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of which some are known: what the registers of the walk hold. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fw_match { FW_NO, FW_MAYBE, FW_YES };

static inline enum fw_match fw_invert(enum fw_match match, bool invert)
{
    return invert ? FW_YES - match : match;
}

static inline enum fw_match fw_both(enum fw_match a, enum fw_match b)
{
    return a < b ? a : b;
}

/* Where a bit of known is 0, the bit of value is 0 and means nothing. */
struct fw_bits {
    uint8_t *value, *known;
};

void fw_bits_unknown(struct fw_bits bits, size_t length);
void fw_bits_set(struct fw_bits bits, const void *value, size_t length);
/* Known is what is the same in all of them; the first one by fw_bits_set. */
void fw_bits_join(struct fw_bits bits, const void *value, size_t length);
enum fw_match fw_bits_equal(struct fw_bits bits, const uint8_t *data, size_t length);
/* As numbers in network byte order: lowest <= bits <= highest. NULL = no limit. */
enum fw_match fw_bits_between(struct fw_bits bits, const uint8_t *lowest, const uint8_t *highest, size_t length);
