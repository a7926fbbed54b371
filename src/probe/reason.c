/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what went wrong to an outcome and a sentence that may be printed. */
#include "probe/reason.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reason_set(struct probe_result *result, enum probe_outcome outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->detail, sizeof result->detail, format, arguments);
    va_end(arguments);
    text_sanitise(result->detail);
    result->outcome = outcome;
}

void reason_errno(struct probe_result *result, int errnum)
{
    switch (errnum) {
    case ECONNREFUSED: reason_set(result, PROBE_REFUSED, "connection refused"); return;
    case ECONNRESET:
    case EPIPE: reason_set(result, PROBE_REFUSED, "connection reset"); return;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN: reason_set(result, PROBE_REFUSED, "no way to the zone's address: %s", strerror(errnum)); return;
    case ETIMEDOUT: reason_set(result, PROBE_TIMEOUT, "the kernel gave up connecting"); return;
    default: reason_set(result, PROBE_INTERNAL, "connect: %s", strerror(errnum));
    }
}

const char *reason_duration(uint32_t milliseconds, char text[REASON_DURATION_MAX])
{
    if (milliseconds % 1000 == 0)
        snprintf(text, REASON_DURATION_MAX, "%u s", milliseconds / 1000);
    else
        snprintf(text, REASON_DURATION_MAX, "%u ms", milliseconds);
    return text;
}
