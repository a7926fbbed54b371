/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one zone has and lacks of the feed's journal: numbers that are done ahead of its position, and ranges of those
 * that it has lost. Apart from the book, because it knows numbers only. Pure.
 */
#pragma once

#include "feed/wal_book.h"

bool wal_bit(const uint8_t bits[WAL_WINDOW / 8], uint64_t sequence);
void wal_bit_set(uint8_t bits[WAL_WINDOW / 8], uint64_t sequence, bool value);

/* Nothing is done ahead or begun any more. */
void wal_zone_forget_window(struct wal_zone_state *zone);
/* The position after what is done ahead of it, and its bits cleared. */
uint64_t wal_zone_advance(struct wal_zone_state *zone, uint64_t position, uint64_t committed);
/* The newest after the position that was begun and has not ended; 0 = none. */
uint64_t wal_zone_newest_begun(const struct wal_zone_state *zone, uint64_t position, uint64_t committed);

bool wal_zone_reserve(struct wal_zone_state *zone, size_t more); /* room for so many ranges more */
bool wal_zone_lacks(const struct wal_zone_state *zone, uint64_t sequence);
/* No number of first..last is in a range yet, and there is room for one more. */
void wal_zone_lose(struct wal_zone_state *zone, uint64_t first, uint64_t last);
/* It is in a range, and there is room for one more. */
void wal_zone_regain(struct wal_zone_state *zone, uint64_t sequence);
/* All of position+1..committed that is not done; room for WAL_WINDOW / 2 + 2 ranges. */
void wal_zone_lose_rest(struct wal_zone_state *zone, uint64_t position, uint64_t committed);
