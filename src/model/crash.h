/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crash loops: when the exits of one process are too many, and when it may be trusted again. Pure: the shim starts and
 * counts, this judges. A process is in a crash loop from its limit'th exit within the window until it has run for a
 * whole window without one.
 */
#pragma once

#include "model/service.h"

#define CRASH_MARKS 16 /* above this limit, every limit / 16 th exit is remembered */
#define CRASH_LAST  3  /* of the newest exits, how they were */

struct crash_tracker {
    bool looping;
    bool running;
    uint64_t started_ms; /* while running: since when; 0 = since before anybody looked */
    uint64_t marks[CRASH_MARKS];
    uint32_t exits; /* since the tracker began */
    struct {
        bool signalled;
        int value;
    } last[CRASH_LAST]; /* a ring, by exits */
};

/* It runs, from now on. */
void crash_started(struct crash_tracker *tracker, uint64_t now_ms);
/* It ended by itself, with this code or signal. True if that makes it a crash loop. */
bool crash_exited(struct crash_tracker *tracker, const struct restart *restart, bool signalled, int value,
                  uint64_t now_ms);
/* It was asked to end, or replaced: nothing of it counts any more. */
void crash_reset(struct crash_tracker *tracker);
/*
 * For a process that is found with a past: it has been restarted so often, its last exit was so long ago; and so long
 * ago were its last `count` exits, the newest first. Who tells no ages is only believed to be in a crash loop while it
 * waits for its next start. True if it is in one.
 */
struct crash_past {
    uint32_t restarts;
    bool running;
    uint64_t since_exit_ms;
    const uint32_t *ages_ms;
    size_t count;
};
bool crash_found(struct crash_tracker *tracker, const struct restart *restart, const struct crash_past *past,
                 uint64_t now_ms);
/* Has it run long enough? True if that ends its crash loop. */
bool crash_settled(struct crash_tracker *tracker, const struct restart *restart, uint64_t now_ms);

#define CRASH_TEXT_MAX 96
/* "it exited 5 times, last with code 1, code 1, signal 11" */
const char *crash_text(const struct crash_tracker *tracker, char text[CRASH_TEXT_MAX]);
