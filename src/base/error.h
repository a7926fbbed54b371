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

/* Sets "TEXT: strerror(errnum)". Returns -errnum. err may be NULL. */
int error_errno(struct error *err, int errnum, const char *format, ...) ERROR_PRINTF(3, 4);

/* Sets TEXT as it stands, for causes that no errno describes. Returns -errnum. err may be NULL. */
int error_set(struct error *err, int errnum, const char *format, ...) ERROR_PRINTF(3, 4);

/* Puts "TEXT: " in front of what stands there. Returns -err->code (-EIO if err is NULL). */
int error_prefix(struct error *err, const char *format, ...) ERROR_PRINTF(2, 3);

/* Adds TEXT at the end, for what to do next. Returns -err->code (-EIO if err is NULL). */
int error_suffix(struct error *err, const char *format, ...) ERROR_PRINTF(2, 3);
