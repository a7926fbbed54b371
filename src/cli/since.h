/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * "10m", "1h30m" (s, m, h, d, w before now); "2026-11-23", "2026-11-23 10:00", "2026-11-23 10:00:30" and "10:00", in
 * local time, or with a T in the middle and a Z at the end as --json prints times; "@1700000000" and "@1700000000.5".
 * False: it is none of these, or lies before 1970.
 */
bool since_parse(const char *text, uint64_t now_ms, uint64_t *unix_ms);
/* "90s", "10m", "1h30m": a length of time in milliseconds, more than none. */
bool duration_parse(const char *text, uint64_t *milliseconds);
