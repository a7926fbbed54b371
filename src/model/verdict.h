/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health verdicts: from single probe results to "healthy", "unhealthy" or "unknown". Pure; the
 * probe role measures, this decides.
 */
#pragma once

#include "model/service.h"

enum probe_outcome {
    PROBE_PASS,
    PROBE_REFUSED,  /* connection refused or reset */
    PROBE_TIMEOUT,  /* no answer within health.timeout */
    PROBE_STATUS,   /* HTTP answered with a status that is not accepted */
    PROBE_PROTOCOL, /* not HTTP, or too much of it */
    PROBE_FAILED,   /* a command said no, a page lacks its text, the app is not ready, or it exits again and again */
    PROBE_INTERNAL, /* the probe itself could not be made: says nothing about the app */
    PROBE_OUTCOMES
};

#define PROBE_DETAIL_MAX 159

struct probe_result {
    enum probe_outcome outcome;
    uint16_t status; /* HTTP status, 0 if none */
    uint32_t duration_us;
    char detail[PROBE_DETAIL_MAX + 1]; /* printable; "HTTP 503 Service Unavailable", "connection refused" */
};

enum verdict { VERDICT_UNKNOWN, VERDICT_HEALTHY, VERDICT_UNHEALTHY };

const char *verdict_name(enum verdict verdict);

struct verdict_tracker {
    enum verdict verdict;
    uint32_t passes_in_row, failures_in_row;
    uint64_t started_ms; /* monotonic: when the app was started */
    uint64_t decided_ms; /* when the verdict last became what it is or was confirmed */
    uint64_t probed_ms;  /* when the last result came; 0 = never */
    bool gate_reached;   /* it was healthy at least once since the start */
    struct probe_result last;
};

void verdict_start(struct verdict_tracker *tracker, uint64_t now_ms);
/*
 * Counts one result; true if the verdict changed. Failures within health->grace_ms of the start do
 * not count, they only break a row of passes. PROBE_INTERNAL is kept in `last` and otherwise
 * changes nothing: a verdict ages by it.
 */
bool verdict_add(struct verdict_tracker *tracker, const struct health *health, const struct probe_result *result,
                 uint64_t now_ms);
/* Unhealthy at once and from then on, whatever grace and thresholds say; true if the verdict changed. result is why. */
bool verdict_condemn(struct verdict_tracker *tracker, const struct probe_result *result, uint64_t now_ms);
/* A verdict is fresh while it is younger than one interval plus one timeout and the newest
 * result that says anything about the app does not contradict it. VERDICT_UNKNOWN never is. */
bool verdict_fresh(const struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms);
/* True once start_timeout has passed without the gate having been reached. */
bool verdict_start_expired(const struct verdict_tracker *tracker, const struct health *health, uint64_t now_ms);
/* Is this HTTP status accepted by the configuration? */
bool verdict_status_accepted(const struct health *health, uint16_t status);
