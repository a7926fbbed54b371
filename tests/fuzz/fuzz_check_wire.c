/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message between monitor and probe role, and good ones with any bytes in them: what is accepted must be
 * safe to use. */
#include "fuzz.h"
#include "model/check_wire.h"
#include "patched.h"

static bool one_line(const char *string, size_t size)
{
    const char *end = memchr(string, '\0', size);
    if (!end)
        return false;
    for (; string < end; string++) {
        if ((unsigned char)*string < 0x20 && *string != '\t')
            return false;
    }
    return true;
}

static void try_request(const struct check_request *request, size_t size)
{
    if (!check_request_valid(request, size))
        return;
    const struct health *health = &request->health;
    require(size == sizeof *request && request->id != 0 && health->port != 0);
    require(request->target.family == 4 || request->target.family == 6);
    if (health->kind == HEALTH_HTTP) {
        require(one_line(health->path, sizeof health->path) && health->path[0] == '/');
        require(one_line(health->host, sizeof health->host) && !strchr(health->host, ' '));
        require(health->status_count <= STATUS_RANGES_MAX);
        require(!verdict_status_accepted(health, 0) && !verdict_status_accepted(health, 600));
    }
}

static void try_result(const struct check_result *result, size_t size)
{
    if (!check_result_valid(result, size))
        return;
    require(size == sizeof *result && result->id != 0);
    require(one_line(result->result.detail, sizeof result->result.detail));
    struct verdict_tracker tracker;
    struct health health = {.passes = 1, .failures = 1};
    verdict_start(&tracker, 0);
    verdict_add(&tracker, &health, &result->result, 1);
    require((tracker.verdict == VERDICT_HEALTHY) == (result->result.outcome == PROBE_PASS));
}

static void try_patched(const uint8_t *data, size_t size)
{
    struct check_request request = {.version = CHECK_VERSION, .id = 1, .target.family = 4};
    struct check_result result = {.version = CHECK_VERSION, .id = 1};
    request.health = (struct health){.kind = HEALTH_HTTP, .port = 80, .path = "/", .timeout_ms = 1000};
    request.health.status_count = 2;
    for (size_t i = 0; i < STATUS_RANGES_MAX; i++)
        request.health.status[i] = (struct status_range){200, 299};
    result.result = (struct probe_result){.outcome = PROBE_STATUS, .status = 500, .detail = "HTTP 500"};
    require(check_request_valid(&request, sizeof request) && check_result_valid(&result, sizeof result));
    void *copy = patched(&request, sizeof request, data, size);
    try_request(copy, sizeof request);
    free(copy);
    copy = patched(&result, sizeof result, data, size);
    try_result(copy, sizeof result);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly as large as the input, so that the sanitizer sees a read behind it. */
    void *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    try_request(copy, size);
    try_result(copy, size);
    free(copy);
    try_patched(data, size);
    return 0;
}
