/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checking of what monitor and probe role say to each other. */
#include "model/check_wire.h"

#include <string.h>

static bool terminated(const char *field, size_t size)
{
    return memchr(field, '\0', size) != NULL;
}

/* Visible ASCII only: what may stand in a request line or in a Host header without ending it. */
static bool visible(const char *string)
{
    for (; *string; string++) {
        if (*string <= ' ' || *string >= 0x7f)
            return false;
    }
    return true;
}

static bool status_ranges_valid(const struct health *health)
{
    if (health->status_count > STATUS_RANGES_MAX)
        return false;
    for (size_t i = 0; i < health->status_count; i++) {
        const struct status_range *range = &health->status[i];
        if (range->first < 100 || range->last > 599 || range->first > range->last)
            return false;
    }
    return true;
}

static bool http_valid(const struct health *health)
{
    /* A bool that holds neither 0 nor 1 must not be read as one. */
    unsigned char follow;
    memcpy(&follow, &health->follow_redirects, sizeof follow);
    return follow <= 1 && terminated(health->path, sizeof health->path) && health->path[0] == '/' &&
           visible(health->path) && terminated(health->host, sizeof health->host) && visible(health->host) &&
           status_ranges_valid(health);
}

static bool health_valid(const struct health *health)
{
    if (health->port == 0 || health->timeout_ms < 10 || health->timeout_ms > 600000)
        return false;
    return health->kind == HEALTH_TCP || (health->kind == HEALTH_HTTP && http_valid(health));
}

bool check_request_valid(const struct check_request *request, size_t length)
{
    return length == sizeof *request && request->version == CHECK_VERSION && request->reserved == 0 &&
           request->id != 0 && (request->target.family == 4 || request->target.family == 6) &&
           health_valid(&request->health) && terminated(request->contains, sizeof request->contains);
}

static bool detail_printable(const char detail[PROBE_DETAIL_MAX + 1])
{
    if (!terminated(detail, PROBE_DETAIL_MAX + 1))
        return false;
    char clean[PROBE_DETAIL_MAX + 1];
    memcpy(clean, detail, sizeof clean);
    text_sanitise(clean);
    return strcmp(clean, detail) == 0;
}

bool check_result_valid(const struct check_result *result, size_t length)
{
    if (length != sizeof *result || result->version != CHECK_VERSION || result->reserved != 0 || result->id == 0)
        return false;
    const struct probe_result *probe = &result->result;
    bool has_status = probe->status >= 100 && probe->status <= 599;
    return (unsigned)probe->outcome < PROBE_OUTCOMES && (probe->status == 0 || has_status) &&
           (probe->outcome != PROBE_STATUS || has_status) && detail_printable(probe->detail);
}
