/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic on bits of which some are known. */
#include "traffic/firewall_value.h"

#include <string.h>

#define LENGTH_MAX 64

void fw_bits_unknown(struct fw_bits bits, size_t length)
{
    memset(bits.value, 0, length);
    memset(bits.known, 0, length);
}

void fw_bits_set(struct fw_bits bits, const void *value, size_t length)
{
    memcpy(bits.value, value, length);
    memset(bits.known, 0xff, length);
}

void fw_bits_join(struct fw_bits bits, const void *value, size_t length)
{
    const uint8_t *other = value;
    for (size_t i = 0; i < length; i++) {
        bits.known[i] &= (uint8_t) ~(bits.value[i] ^ other[i]);
        bits.value[i] &= bits.known[i];
    }
}

enum fw_match fw_bits_equal(struct fw_bits bits, const uint8_t *data, size_t length)
{
    bool whole = true;
    for (size_t i = 0; i < length; i++) {
        if ((bits.value[i] ^ data[i]) & bits.known[i])
            return FW_NO;
        whole &= bits.known[i] == 0xff;
    }
    return whole ? FW_YES : FW_MAYBE;
}

enum fw_match fw_bits_between(struct fw_bits bits, const uint8_t *lowest, const uint8_t *highest, size_t length)
{
    uint8_t top[LENGTH_MAX];
    if (length > sizeof top)
        return FW_MAYBE;
    /* The smallest value that it can have is bits.value itself: what is not known is 0 there. */
    for (size_t i = 0; i < length; i++)
        top[i] = (uint8_t)(bits.value[i] | ~bits.known[i]);
    if ((lowest && memcmp(top, lowest, length) < 0) || (highest && memcmp(bits.value, highest, length) > 0))
        return FW_NO;
    bool inside =
        (!lowest || memcmp(bits.value, lowest, length) >= 0) && (!highest || memcmp(top, highest, length) <= 0);
    return inside ? FW_YES : FW_MAYBE;
}
