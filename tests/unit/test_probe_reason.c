/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reasons that the probe role gives: outcome by errno, and text that may be printed. */
#include "probe/reason.c" /* the probe's own files are in no library */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_errno(int errnum, enum probe_outcome outcome, const char *detail)
{
    struct probe_result result = {0};
    reason_errno(&result, errnum);
    assert_int_equal(result.outcome, outcome);
    if (!strstr(result.detail, detail))
        fail_msg("\"%s\" does not say \"%s\"", result.detail, detail);
}

static void test_errno(void **state)
{
    (void)state;
    expect_errno(ECONNREFUSED, PROBE_REFUSED, "connection refused");
    expect_errno(ECONNRESET, PROBE_REFUSED, "connection reset");
    expect_errno(EPIPE, PROBE_REFUSED, "connection reset");
    expect_errno(EHOSTUNREACH, PROBE_REFUSED, "No route to host");
    expect_errno(ENETUNREACH, PROBE_REFUSED, "Network is unreachable");
    expect_errno(ETIMEDOUT, PROBE_TIMEOUT, "gave up");
    expect_errno(EBADF, PROBE_INTERNAL, "Bad file descriptor");
    expect_errno(EMFILE, PROBE_INTERNAL, "Too many open files");
}

static void test_text_is_cut_and_printable(void **state)
{
    (void)state;
    struct probe_result result = {0};
    char longer[400];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    reason_set(&result, PROBE_STATUS, "%s", longer);
    assert_int_equal(strlen(result.detail), PROBE_DETAIL_MAX);
    assert_int_equal(result.outcome, PROBE_STATUS);
    reason_set(&result, PROBE_PROTOCOL, "a\x1b[31m\n\xff%s", "\x7f");
    assert_string_equal(result.detail, "a?[31m???");
    /* A cut through the middle of a character leaves no half of it. */
    memset(longer, 'x', PROBE_DETAIL_MAX - 1);
    strcpy(longer + PROBE_DETAIL_MAX - 1, "\xc3\xa9");
    reason_set(&result, PROBE_PROTOCOL, "%s", longer);
    assert_int_equal(result.detail[PROBE_DETAIL_MAX - 1], '?');
}

static void test_duration(void **state)
{
    (void)state;
    char text[REASON_DURATION_MAX];
    assert_string_equal(reason_duration(5000, text), "5 s");
    assert_string_equal(reason_duration(1500, text), "1500 ms");
    assert_string_equal(reason_duration(10, text), "10 ms");
    assert_string_equal(reason_duration(UINT32_MAX, text), "4294967295 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_text_is_cut_and_printable),
        cmocka_unit_test(test_duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
