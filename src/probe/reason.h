/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what went wrong to an outcome and a sentence that may be printed. Pure. */
#pragma once

#include "model/verdict.h"

/* Outcome and detail; the text is cut to fit and made printable. */
void reason_set(struct probe_result *result, enum probe_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a failed connect, send or receive with this errno says about the app. */
void reason_errno(struct probe_result *result, int errnum);

#define REASON_DURATION_MAX 24
/* "5 s", "1500 ms". */
const char *reason_duration(uint32_t milliseconds, char text[REASON_DURATION_MAX]);
