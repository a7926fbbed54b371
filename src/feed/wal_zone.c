/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one zone has ahead of its position, and what it has lost. Numbers only, so that the book reads as rules. */
#include "feed/wal_zone.h"

#include <stdlib.h>

bool wal_bit(const uint8_t bits[WAL_WINDOW / 8], uint64_t sequence)
{
    return (bits[sequence % WAL_WINDOW / 8] >> (sequence % 8)) & 1;
}

void wal_bit_set(uint8_t bits[WAL_WINDOW / 8], uint64_t sequence, bool value)
{
    uint8_t mask = (uint8_t)(1u << (sequence % 8)), *byte = &bits[sequence % WAL_WINDOW / 8];
    *byte = (uint8_t)(value ? *byte | mask : *byte & ~mask);
}

void wal_zone_forget_window(struct wal_zone_state *zone)
{
    memset(zone->done, 0, sizeof zone->done);
    memset(zone->begun, 0, sizeof zone->begun);
}

uint64_t wal_zone_advance(struct wal_zone_state *zone, uint64_t position, uint64_t committed)
{
    while (position < committed && wal_bit(zone->done, position + 1))
        wal_bit_set(zone->done, ++position, false);
    return position;
}

uint64_t wal_zone_newest_begun(const struct wal_zone_state *zone, uint64_t position, uint64_t committed)
{
    uint64_t newest = committed - position > WAL_WINDOW ? position + WAL_WINDOW : committed;
    while (newest > position && !wal_bit(zone->begun, newest))
        newest--;
    return newest > position ? newest : 0;
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */

bool wal_zone_reserve(struct wal_zone_state *zone, size_t more)
{
    size_t needed = zone->lost_count + more;
    if (needed <= zone->lost_room)
        return true;
    struct wal_range *grown = reallocarray(zone->lost, needed * 2, sizeof *grown);
    if (!grown)
        return false;
    zone->lost = grown;
    zone->lost_room = needed * 2;
    return true;
}

/* The first range that does not end before this number. */
static size_t find(const struct wal_zone_state *zone, uint64_t sequence)
{
    size_t from = 0, to = zone->lost_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (zone->lost[middle].last < sequence)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool wal_zone_lacks(const struct wal_zone_state *zone, uint64_t sequence)
{
    size_t at = find(zone, sequence);
    return at < zone->lost_count && zone->lost[at].first <= sequence;
}

static void insert(struct wal_zone_state *zone, size_t at, uint64_t first, uint64_t last)
{
    memmove(zone->lost + at + 1, zone->lost + at, (zone->lost_count - at) * sizeof *zone->lost);
    zone->lost[at] = (struct wal_range){first, last};
    zone->lost_count++;
}

static void take_out(struct wal_zone_state *zone, size_t at)
{
    zone->lost_count--;
    memmove(zone->lost + at, zone->lost + at + 1, (zone->lost_count - at) * sizeof *zone->lost);
}

void wal_zone_lose(struct wal_zone_state *zone, uint64_t first, uint64_t last)
{
    size_t at = find(zone, first);
    bool follows = at > 0 && zone->lost[at - 1].last + 1 == first;
    bool precedes = at < zone->lost_count && last + 1 == zone->lost[at].first;
    zone->lost_total += last - first + 1;
    if (follows && precedes) {
        zone->lost[at - 1].last = zone->lost[at].last;
        take_out(zone, at);
    } else if (follows) {
        zone->lost[at - 1].last = last;
    } else if (precedes) {
        zone->lost[at].first = first;
    } else {
        insert(zone, at, first, last);
    }
}

void wal_zone_regain(struct wal_zone_state *zone, uint64_t sequence)
{
    size_t at = find(zone, sequence);
    struct wal_range range = zone->lost[at];
    zone->lost_total--;
    take_out(zone, at);
    if (range.last > sequence)
        insert(zone, at, sequence + 1, range.last);
    if (range.first < sequence)
        insert(zone, at, range.first, sequence - 1);
}

void wal_zone_lose_rest(struct wal_zone_state *zone, uint64_t position, uint64_t committed)
{
    uint64_t first = position + 1;
    for (uint64_t at = first; at <= committed && at - position <= WAL_WINDOW; at++) {
        if (!wal_bit(zone->done, at))
            continue;
        if (first < at)
            wal_zone_lose(zone, first, at - 1);
        first = at + 1;
    }
    if (first <= committed)
        wal_zone_lose(zone, first, committed);
}
