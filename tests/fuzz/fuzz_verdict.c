/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what an app answers to a verdict, without a connection: a redirect that is followed stays with its target, a
 * text is found however the body is cut, what is said of a failure can be shown, and a row of results comes to the
 * verdict that its definition gives. The first byte chooses.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "fuzz.h"
#include "probe/reason.h"
#include "probe/redirect.h"
#include "probe/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of what is left, in a string of its own. */
static char *take_line(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
    char *line = strndup((const char *)*at, (size_t)(stop - *at));
    require(line != NULL);
    *at = newline ? newline + 1 : end;
    return line;
}

/* --- redirects --------------------------------------------------------------------------------- */

static void check_followed(const struct check_request *request, const char *url)
{
    char start[64];
    bool v6 = request->target.family == 6;
    /* The port is left out where it is the usual one. */
    int length = snprintf(start, sizeof start, v6 ? "http://[fd00:b9::2]" : "http://10.201.0.2");
    require(strncmp(url, start, (size_t)length) == 0);
    const char *rest = url + length;
    snprintf(start, sizeof start, ":%u/", request->health.port);
    require(text_starts_with(rest, start) || (request->health.port == 80 && *rest == '/'));
    for (const char *c = url; *c; c++)
        require((unsigned char)*c > ' ' && *c != 0x7f); /* it becomes a line of the next request */
}

/* Port, Host and what the app says, a line each. */
static void try_redirect(const uint8_t *at, const uint8_t *end, bool v6)
{
    struct check_request request = {.version = CHECK_VERSION, .id = 1, .health = {.kind = HEALTH_HTTP}};
    CLEANUP_FREE char *port = take_line(&at, end), *host = take_line(&at, end), *url = take_line(&at, end);
    require(address_parse(v6 ? "fd00:b9::2" : "10.201.0.2", &request.target));
    request.health.port = (uint16_t)strtoul(port, NULL, 10);
    request.health.timeout_ms = 1000;
    text_copy(request.health.path, sizeof request.health.path, "/");
    text_copy(request.health.host, sizeof request.health.host, host);
    if (!check_request_valid(&request, sizeof request))
        return;
    CLEANUP_FREE char *to = redirect_url(&request, url);
    require(!to || redirect_allowed(&request, url));
    if (to)
        check_followed(&request, to);
}

/* --- a text in a body ---------------------------------------------------------------------------- */

static void try_search(const uint8_t *at, const uint8_t *end, size_t piece)
{
    CLEANUP_FREE char *wanted = take_line(&at, end);
    size_t length = (size_t)(end - at);
    if (strlen(wanted) > TEST_CONTAINS_MAX)
        return;
    struct search search;
    search_begin(&search, wanted);
    bool there = memmem(at, length, wanted, strlen(wanted)) != NULL;
    for (; at < end; at += piece) {
        piece = piece % 61 + 1;
        if (piece > (size_t)(end - at))
            piece = (size_t)(end - at);
        CLEANUP_FREE char *exact = malloc(piece); /* so that a byte too far is seen */
        require(exact != NULL);
        memcpy(exact, at, piece);
        search_add(&search, exact, piece);
    }
    require(search.found == there);
}

/* --- what is said ---------------------------------------------------------------------------------- */

static void try_reason(const uint8_t *at, const uint8_t *end)
{
    struct check_result message = {.version = CHECK_VERSION, .id = 1, .result.status = 302};
    while (at < end) {
        CLEANUP_FREE char *line = take_line(&at, end);
        reason_set(&message.result, PROBE_STATUS, "HTTP 302 (not followed) to %s", line);
        require(check_result_valid(&message, sizeof message));
        require(text_is_utf8(message.result.detail, strlen(message.result.detail)));
    }
}

/* --- a row of results ------------------------------------------------------------------------------ */

/* What the header promises, counted anew from the whole row each time. */
static enum verdict expected(const uint8_t *row, size_t count, const struct health *health)
{
    enum verdict verdict = VERDICT_UNKNOWN;
    uint64_t passes = 0, failures = 0, now = 0;
    for (size_t i = 0; i < count; i++) {
        now += row[i] >> 3;
        switch (row[i] % PROBE_OUTCOMES) {
        case PROBE_INTERNAL: break;
        case PROBE_PASS:
            failures = 0;
            if (++passes >= health->passes)
                verdict = VERDICT_HEALTHY;
            break;
        default:
            passes = 0;
            if (now >= health->grace_ms && ++failures >= health->failures)
                verdict = VERDICT_UNHEALTHY;
        }
    }
    return verdict;
}

static void try_row(const uint8_t *row, size_t count)
{
    if (count < 4 || count > 200)
        return;
    struct health health = {.passes = row[0] % 5 + 1u,
                            .failures = row[1] % 5 + 1u,
                            .grace_ms = row[2],
                            .interval_ms = 50,
                            .timeout_ms = 10,
                            .start_timeout_ms = row[3]};
    struct verdict_tracker tracker;
    uint64_t now = 0;
    row += 4;
    count -= 4;
    verdict_start(&tracker, 0);
    for (size_t i = 0; i < count; i++) {
        struct probe_result result = {.outcome = (enum probe_outcome)(row[i] % PROBE_OUTCOMES)};
        enum verdict before = tracker.verdict;
        now += row[i] >> 3;
        bool changed = verdict_add(&tracker, &health, &result, now);
        require(tracker.verdict == expected(row, i + 1, &health));
        require(changed == (before != tracker.verdict));
        require(!verdict_fresh(&tracker, &health, now) || tracker.verdict != VERDICT_UNKNOWN);
        require(!verdict_fresh(&tracker, &health, tracker.decided_ms + 60));
        require(!tracker.gate_reached || !verdict_start_expired(&tracker, &health, UINT64_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const uint8_t *at = data + 2, *end = data + size;
    switch (data[0] % 5) {
    case 0: try_redirect(at, end, false); break;
    case 1: try_redirect(at, end, true); break;
    case 2: try_search(at, end, data[1]); break;
    case 3: try_reason(at, end); break;
    default: try_row(at, (size_t)(end - at));
    }
    return 0;
}
