/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Crash loops: exits within a window, in bounded memory. */
#include "model/crash.h"

#include "base/text.h"

#include <stdio.h>

/* One mark stands for so many exits. */
static uint32_t stride_of(const struct restart *restart)
{
    return (restart->limit + CRASH_MARKS - 1) / CRASH_MARKS;
}

void crash_started(struct crash_tracker *tracker, uint64_t now_ms)
{
    tracker->running = true;
    tracker->started_ms = now_ms;
}

/* Are the newest `limit` exits, this one included, all within the window? */
static bool too_many(const struct crash_tracker *tracker, const struct restart *restart, uint64_t now_ms)
{
    uint32_t stride = stride_of(restart);
    if (tracker->exits < restart->limit)
        return false;
    uint32_t newest = (tracker->exits - 1) / stride, oldest = (tracker->exits - restart->limit) / stride;
    if (newest - oldest >= CRASH_MARKS)
        oldest = newest - CRASH_MARKS + 1;
    return now_ms - tracker->marks[oldest % CRASH_MARKS] <= restart->window_ms;
}

bool crash_exited(struct crash_tracker *tracker, const struct restart *restart, bool signalled, int value,
                  uint64_t now_ms)
{
    tracker->running = false;
    tracker->last[tracker->exits % CRASH_LAST].signalled = signalled;
    tracker->last[tracker->exits % CRASH_LAST].value = value;
    if (tracker->exits % stride_of(restart) == 0)
        tracker->marks[tracker->exits / stride_of(restart) % CRASH_MARKS] = now_ms;
    tracker->exits++;
    bool was_looping = tracker->looping;
    tracker->looping = was_looping || too_many(tracker, restart, now_ms);
    return tracker->looping && !was_looping;
}

void crash_reset(struct crash_tracker *tracker)
{
    *tracker = (struct crash_tracker){.looping = false};
}

/* Were its last `limit` exits within a window? Where fewer are told than that, at the rate of those that are. */
static bool has_looped(const struct restart *restart, const struct crash_past *past)
{
    if (past->count == 0)
        return !past->running && past->restarts >= restart->limit;
    if (past->count >= restart->limit)
        return past->ages_ms[restart->limit - 1] - past->ages_ms[0] <= restart->window_ms;
    uint64_t span = past->ages_ms[past->count - 1] - past->ages_ms[0], intervals = past->count - 1;
    return past->restarts >= restart->limit && intervals > 0 &&
           span * (restart->limit - 1) / intervals <= restart->window_ms;
}

bool crash_found(struct crash_tracker *tracker, const struct restart *restart, const struct crash_past *past,
                 uint64_t now_ms)
{
    crash_reset(tracker);
    uint64_t steady_ms = past->running ? past->since_exit_ms : 0;
    tracker->running = past->running;
    tracker->started_ms = now_ms > steady_ms ? now_ms - steady_ms : 0;
    tracker->looping = past->restarts > 0 && steady_ms < restart->window_ms && has_looped(restart, past);
    return tracker->looping;
}

bool crash_settled(struct crash_tracker *tracker, const struct restart *restart, uint64_t now_ms)
{
    if (!tracker->looping || !tracker->running || now_ms - tracker->started_ms < restart->window_ms)
        return false;
    uint64_t started_ms = tracker->started_ms;
    crash_reset(tracker);
    crash_started(tracker, started_ms);
    return true;
}

const char *crash_text(const struct crash_tracker *tracker, char text[CRASH_TEXT_MAX])
{
    if (tracker->exits == 0) {
        snprintf(text, CRASH_TEXT_MAX, "it exited again and again before this agent looked");
        return text;
    }
    uint32_t shown = tracker->exits < CRASH_LAST ? tracker->exits : CRASH_LAST;
    int used = snprintf(text, CRASH_TEXT_MAX, "it exited %u time%s", tracker->exits, tracker->exits == 1 ? "" : "s");
    for (uint32_t i = tracker->exits - shown; i != tracker->exits; i++) {
        bool signalled = tracker->last[i % CRASH_LAST].signalled;
        used += snprintf(text + used, CRASH_TEXT_MAX - (size_t)used, "%s%s %d",
                         i == tracker->exits - shown ? ", last with " : ", ", signalled ? "signal" : "code",
                         tracker->last[i % CRASH_LAST].value);
    }
    return text;
}
