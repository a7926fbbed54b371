/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of the doctor: what it has found. */
#pragma once

#include "model/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FOUND_MAX = 64 };

struct seen {
    struct doctor doctor;
    struct doctor_finding found[FOUND_MAX];
    size_t count;
};

static inline void on_found(void *context, const struct doctor_finding *finding)
{
    struct seen *seen = context;
    assert_true(seen->count < FOUND_MAX);
    seen->found[seen->count++] = *finding;
}

/* One for all tests: it is large. */
static inline struct seen *fresh(void)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.doctor.found = on_found;
    seen.doctor.context = &seen;
    return &seen;
}

/* The only one, with these words in its text and this line. */
static inline void expect_one(const struct seen *seen, enum doctor_level level, enum doctor_check check,
                              const char *words, const char *line)
{
    if (seen->count != 1)
        fail_msg("%zu findings, the first: %s", seen->count, seen->count ? seen->found[0].text : "-");
    const struct doctor_finding *finding = &seen->found[0];
    assert_string_equal(doctor_level_name(finding->level), doctor_level_name(level));
    assert_string_equal(doctor_check_name(finding->check), doctor_check_name(check));
    if (!strstr(finding->text, words))
        fail_msg("\"%s\" is not in: %s", words, finding->text);
    if (line)
        assert_string_equal(finding->line_count ? finding->lines[0] : "", line);
}

static inline void expect_nothing(const struct seen *seen)
{
    if (seen->count)
        fail_msg("found: %s", seen->found[0].text);
}
