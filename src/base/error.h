/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An error with its cause. The lowest function that knows the object sets it, callers put context in
 * front, and whoever handles it logs or shows the text once. No allocation, so it works when memory is out.
 */
#pragma once

#define ERROR_TEXT_MAX 768 /* fits a path (PATH_MAX is rare), its cause and what to do next */

struct error {
    int code; /* positive errno; 0 means no error */
    char text[ERROR_TEXT_MAX];
};

#define ERROR_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* What these return is less than 0, also where a library failed and left errno 0: a failure is never taken for a
 * success. The macros below say so to who cannot see into them, above all to static analysers. */

/* Sets "TEXT: strerror(errnum)". Returns -errnum. err may be NULL. */
int error_errno(struct error *err, int errnum, const char *format, ...) ERROR_PRINTF(3, 4);

/* Sets TEXT as it stands, for causes that no errno describes. Returns -errnum. err may be NULL. */
int error_set(struct error *err, int errnum, const char *format, ...) ERROR_PRINTF(3, 4);

/* Puts "TEXT: " in front of what stands there. Returns -err->code (-EIO if err is NULL). */
int error_prefix(struct error *err, const char *format, ...) ERROR_PRINTF(2, 3);

/* Adds TEXT at the end, for what to do next. Returns -err->code (-EIO if err is NULL). */
int error_suffix(struct error *err, const char *format, ...) ERROR_PRINTF(2, 3);

static inline int error_negative_(int code)
{
    if (code >= 0)
        __builtin_unreachable();
    return code;
}

#define error_errno(...)  error_negative_(error_errno(__VA_ARGS__))
#define error_set(...)    error_negative_(error_set(__VA_ARGS__))
#define error_prefix(...) error_negative_(error_prefix(__VA_ARGS__))
#define error_suffix(...) error_negative_(error_suffix(__VA_ARGS__))
