/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of an HTTP check: from libcurl's findings to an outcome and a sentence. */
#include "probe/outcome.h"

#include "probe/reason.h"
#include "probe/redirect.h"

#include <errno.h>
#include <stdio.h>

uint16_t transfer_status(const struct http_transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 100 && status <= 599 ? (uint16_t)status : 0;
}

static bool connected(const struct http_transfer *transfer)
{
    curl_off_t connect_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    return connect_us > 0;
}

#define ANSWER_MAX (sizeof "HTTP 65535 " + PHRASE_MAX)

static const char *answer(const struct http_transfer *transfer, uint16_t status, char text[ANSWER_MAX])
{
    snprintf(text, ANSWER_MAX, "HTTP %u%s%s", status, *transfer->phrase ? " " : "", transfer->phrase);
    return text;
}

void outcome_of_answer(const struct http_transfer *transfer, struct probe_result *result)
{
    const struct check *check = transfer->check;
    const struct health *health = &check->request.health;
    char said[ANSWER_MAX];
    result->status = transfer_status(transfer);
    if (result->status == 0) {
        reason_set(result, PROBE_PROTOCOL, "the answer's status is none that HTTP knows");
        return;
    }
    answer(transfer, result->status, said);
    bool accepted = verdict_status_accepted(health, result->status);
    if (accepted && transfer->search.found) {
        reason_set(result, PROBE_PASS, "%s", said);
        return;
    }
    if (accepted) {
        reason_set(result, PROBE_FAILED, "%s, but%s without the text \"%s\"", said,
                   transfer->enough ? " its first MiB is" : "", transfer->search.wanted);
        return;
    }
    char *to = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &to);
    if (to && !health->follow_redirects)
        reason_set(result, PROBE_STATUS, "%s (not followed) to %s", said, to);
    else if (to && !redirect_allowed(&check->request, to))
        reason_set(result, PROBE_STATUS, "%s away from the zone, to %s", said, to);
    else if (to && check->next_socket == check->socket_count)
        reason_set(result, PROBE_STATUS, "%s after %zu redirects", said, check->socket_count - 1);
    else
        reason_set(result, PROBE_STATUS, "%s", said);
}

static void describe_broken(const struct http_transfer *transfer, const char *how, struct probe_result *result)
{
    char said[ANSWER_MAX];
    result->status = transfer_status(transfer);
    if (result->status)
        reason_set(result, PROBE_PROTOCOL, "%s, but %s", answer(transfer, result->status, said), how);
    else
        reason_set(result, PROBE_PROTOCOL, "no HTTP: %s", how);
}

static void describe_errno(const struct http_transfer *transfer, int fallback, struct probe_result *result)
{
    long errnum = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &errnum);
    reason_errno(result, errnum ? (int)errnum : fallback);
    result->status = transfer_status(transfer);
}

void outcome_of_failure(const struct http_transfer *transfer, CURLcode code, struct probe_result *result)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT: describe_errno(transfer, ECONNREFUSED, result); return;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: describe_errno(transfer, ECONNRESET, result); return;
    case CURLE_GOT_NOTHING: reason_set(result, PROBE_PROTOCOL, "connection closed without an answer"); return;
    case CURLE_PARTIAL_FILE: describe_broken(transfer, "closed before its body was complete", result); return;
    case CURLE_WRITE_ERROR: /* on_header: on_body's is no failure */
        describe_broken(transfer, "more than 64 KiB of headers", result);
        return;
    case CURLE_UNSUPPORTED_PROTOCOL: describe_broken(transfer, "the answer has no status line", result); return;
    case 100: /* CURLE_TOO_LARGE, since libcurl 8.6 */
        describe_broken(transfer, "a header line without end", result);
        return;
    case CURLE_OUT_OF_MEMORY: /* libcurl 7.88 says so of a header line over 100 KiB */
        if (connected(transfer)) {
            describe_broken(transfer, "a header line without end", result);
            return;
        }
        break;
    default:
        if (connected(transfer)) {
            describe_broken(transfer, curl_easy_strerror(code), result);
            return;
        }
    }
    reason_set(result, PROBE_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
}

void outcome_of_timeout(const struct http_transfer *transfer, struct probe_result *result)
{
    char limit[REASON_DURATION_MAX], said[ANSWER_MAX];
    reason_duration(transfer->check->request.health.timeout_ms, limit);
    result->status = transfer->progress == BEFORE_STATUS ? 0 : transfer_status(transfer);
    if (!connected(transfer))
        reason_set(result, PROBE_TIMEOUT, "no connection within %s", limit);
    else if (result->status == 0)
        reason_set(result, PROBE_TIMEOUT, "no answer within %s (connected, no status line)", limit);
    else
        reason_set(result, PROBE_TIMEOUT, "no complete answer within %s (%s, its %s did not end)", limit,
                   answer(transfer, result->status, said), transfer->progress == IN_BODY ? "body" : "headers");
}
