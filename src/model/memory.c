/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does one more release fit? */
#include "model/memory.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

static uint64_t memory_needed(const struct memory_balance *balance)
{
    return balance->limit && balance->limit < balance->live ? balance->limit : balance->live;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool memory_suffices(const struct memory_balance *balance)
{
    return balance->available == 0 || sum(balance->available, balance->given_back) >= memory_needed(balance);
}

const char *memory_size_text(uint64_t bytes, char text[MEMORY_SIZE_TEXT_MAX])
{
    uint64_t mib = bytes / MIB + (bytes % MIB >= MIB / 2);
    if (mib == 0 && bytes > 0)
        snprintf(text, MEMORY_SIZE_TEXT_MAX, "<1 MiB");
    else
        snprintf(text, MEMORY_SIZE_TEXT_MAX, "%" PRIu64 " MiB", mib);
    return text;
}

const char *memory_text(const struct memory_balance *balance, char text[MEMORY_TEXT_MAX])
{
    char live[MEMORY_SIZE_TEXT_MAX], needed[MEMORY_SIZE_TEXT_MAX], available[MEMORY_SIZE_TEXT_MAX],
        given_back[MEMORY_SIZE_TEXT_MAX], why[64] = "", more[80] = "";
    memory_size_text(balance->live, live);
    if (memory_needed(balance) < balance->live)
        snprintf(why, sizeof why, ", the new one may have %s", memory_size_text(balance->limit, needed));
    if (balance->given_back)
        snprintf(more, sizeof more, " and the release whose place is taken gives back %s",
                 memory_size_text(balance->given_back, given_back));
    snprintf(text, MEMORY_TEXT_MAX, "the live release uses %s%s; the host has %s left%s", live, why,
             memory_size_text(balance->available, available), more);
    return text;
}
