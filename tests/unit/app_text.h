/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An app's file given as text: what the tests of its sections share. */
#pragma once

#include "conf/conf.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static inline int parse_bytes(const char *content, size_t length, struct service *service, struct words *problems)
{
    return conf_parse_app("apps/web.conf", content, length, service, problems);
}

static inline int parse(const char *content, struct service *service, struct words *problems)
{
    return parse_bytes(content, strlen(content), service, problems);
}

static inline void parse_good(const char *content, struct service *service)
{
    CLEANUP_WORDS struct words problems = {0};
    *service = (struct service){0};
    if (parse(content, service, &problems) != 0)
        fail_msg("%s\n%s", content, problems.count ? problems.items[0] : "no reason given");
    assert_int_equal(problems.count, 0);
}

/* A file with one fault, and where and how that is told. */
struct bad_file {
    const char *content, *place, *reason;
};

static inline void expect_bad_files(const struct bad_file bad[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP_WORDS struct words problems = {0};
        CLEANUP_TEXT struct text start = {0};
        struct service service = {.port_count = 77};
        if (parse(bad[i].content, &service, &problems) != -EINVAL)
            fail_msg("taken: %s", bad[i].content);
        assert_int_equal(service.port_count, 77); /* nothing half done comes out */
        text_addf(&start, "apps/web.conf: %s", bad[i].place);
        if (problems.count != 1 || !text_starts_with(problems.items[0], start.data) ||
            !strstr(problems.items[0], bad[i].reason))
            fail_msg("%s\ngave %zu problems, the first \"%s\"\nnot \"%s...%s\"", bad[i].content, problems.count,
                     problems.count ? problems.items[0] : "", start.data, bad[i].reason);
    }
}
