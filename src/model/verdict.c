/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health verdicts: rows of passes and failures against the configuration's thresholds. */
#include "model/verdict.h"

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {"unknown", "healthy", "unhealthy"};
    return verdict <= VERDICT_UNHEALTHY ? names[verdict] : names[VERDICT_UNKNOWN];
}

void verdict_start(struct verdict_tracker *tracker, uint64_t now_ms)
{
    *tracker = (struct verdict_tracker){.verdict = VERDICT_UNKNOWN, .started_ms = now_ms};
}

/* A result may carry a time taken just before the tracker's own. */
static uint64_t elapsed_ms(uint64_t since_ms, uint64_t now_ms)
{
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

static bool decide(struct verdict_tracker *tracker, enum verdict verdict, uint64_t now_ms)
{
    bool changed = tracker->verdict != verdict;
    tracker->verdict = verdict;
    tracker->decided_ms = now_ms;
    if (verdict == VERDICT_HEALTHY)
        tracker->gate_reached = true;
    return changed;
}

static bool add_pass(struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms)
{
    tracker->failures_in_row = 0;
    if (tracker->passes_in_row < UINT32_MAX)
        tracker->passes_in_row++;
    return tracker->passes_in_row >= health->passes && decide(tracker, VERDICT_HEALTHY, now_ms);
}

static bool add_failure(struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms)
{
    tracker->passes_in_row = 0;
    if (elapsed_ms(tracker->started_ms, now_ms) < health->grace_ms)
        return false;
    if (tracker->failures_in_row < UINT32_MAX)
        tracker->failures_in_row++;
    return tracker->failures_in_row >= health->failures && decide(tracker, VERDICT_UNHEALTHY, now_ms);
}

bool verdict_add(struct verdict_tracker *tracker, const struct health *health, const struct probe_result *result,
                 uint64_t now_ms)
{
    tracker->last = *result;
    tracker->probed_ms = now_ms;
    switch (result->outcome) {
    case PROBE_PASS: return add_pass(tracker, health, now_ms);
    case PROBE_INTERNAL: return false;
    default: return add_failure(tracker, health, now_ms);
    }
}

bool verdict_condemn(struct verdict_tracker *tracker, const struct probe_result *result, uint64_t now_ms)
{
    tracker->last = *result;
    tracker->probed_ms = now_ms;
    tracker->passes_in_row = 0;
    if (tracker->failures_in_row < UINT32_MAX)
        tracker->failures_in_row++;
    return decide(tracker, VERDICT_UNHEALTHY, now_ms);
}

/* Has the newest result that counts gone against the verdict, without having overturned it yet? */
static bool contradicted(const struct verdict_tracker *tracker)
{
    if (tracker->verdict == VERDICT_HEALTHY)
        return tracker->passes_in_row == 0;
    return tracker->failures_in_row == 0;
}

bool verdict_fresh(const struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms)
{
    if (tracker->verdict == VERDICT_UNKNOWN || contradicted(tracker))
        return false;
    uint64_t limit_ms = (uint64_t)health->interval_ms + health->timeout_ms;
    return elapsed_ms(tracker->decided_ms, now_ms) < limit_ms;
}

bool verdict_start_expired(const struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms)
{
    return !tracker->gate_reached && elapsed_ms(tracker->started_ms, now_ms) >= health->start_timeout_ms;
}

bool verdict_status_accepted(const struct health *health, uint16_t status)
{
    if (health->status_count == 0)
        return status >= 200 && status <= 299;
    for (size_t i = 0; i < health->status_count && i < STATUS_RANGES_MAX; i++) {
        if (status >= health->status[i].first && status <= health->status[i].last)
            return true;
    }
    return false;
}
