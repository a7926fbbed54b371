/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health verdicts: rows, grace, freshness, the start's time limit. */
#include "model/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct health defaults = {
    .interval_ms = 1000,
    .timeout_ms = 5000,
    .passes = 2,
    .failures = 3,
    .start_timeout_ms = 60000,
};

static struct verdict_tracker tracker;

static bool add(const struct health *health, enum probe_outcome outcome, uint64_t now_ms)
{
    struct probe_result result = {.outcome = outcome, .detail = "said"};
    return verdict_add(&tracker, health, &result, now_ms);
}

static int start(void **state)
{
    (void)state;
    memset(&tracker, 0xff, sizeof tracker);
    verdict_start(&tracker, 1000);
    return 0;
}

static void test_start_forgets_everything(void **state)
{
    (void)state;
    assert_int_equal(tracker.verdict, VERDICT_UNKNOWN);
    assert_int_equal(tracker.started_ms, 1000);
    assert_int_equal(tracker.probed_ms, 0);
    assert_int_equal(tracker.passes_in_row, 0);
    assert_false(tracker.gate_reached);
    assert_string_equal(tracker.last.detail, "");
    assert_false(verdict_fresh(&tracker, &defaults, 1000));
}

static void test_passes_in_a_row_make_healthy(void **state)
{
    (void)state;
    assert_false(add(&defaults, PROBE_PASS, 2000));
    assert_int_equal(tracker.verdict, VERDICT_UNKNOWN);
    assert_true(add(&defaults, PROBE_PASS, 3000));
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
    assert_true(tracker.gate_reached);
    assert_int_equal(tracker.decided_ms, 3000);
    /* Confirmed, not changed. */
    assert_false(add(&defaults, PROBE_PASS, 4000));
    assert_int_equal(tracker.decided_ms, 4000);
    assert_int_equal(tracker.probed_ms, 4000);
    assert_string_equal(tracker.last.detail, "said");
}

static void test_a_failure_breaks_the_row(void **state)
{
    (void)state;
    add(&defaults, PROBE_PASS, 2000);
    add(&defaults, PROBE_STATUS, 3000);
    assert_false(add(&defaults, PROBE_PASS, 4000));
    assert_int_equal(tracker.verdict, VERDICT_UNKNOWN);
    assert_true(add(&defaults, PROBE_PASS, 5000));
}

static void test_every_failure_counts(void **state)
{
    (void)state;
    static const enum probe_outcome failures[] = {PROBE_REFUSED, PROBE_TIMEOUT, PROBE_STATUS, PROBE_PROTOCOL};
    struct health health = defaults;
    health.failures = 1;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        start(NULL);
        assert_true(add(&health, failures[i], 2000));
        assert_int_equal(tracker.verdict, VERDICT_UNHEALTHY);
        assert_int_equal(tracker.last.outcome, failures[i]);
    }
}

static void test_failures_in_a_row_make_unhealthy(void **state)
{
    (void)state;
    add(&defaults, PROBE_PASS, 2000);
    add(&defaults, PROBE_PASS, 3000);
    assert_false(add(&defaults, PROBE_TIMEOUT, 4000));
    assert_false(add(&defaults, PROBE_TIMEOUT, 5000));
    add(&defaults, PROBE_PASS, 6000);
    assert_false(add(&defaults, PROBE_TIMEOUT, 7000));
    assert_false(add(&defaults, PROBE_TIMEOUT, 8000));
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
    assert_true(add(&defaults, PROBE_TIMEOUT, 9000));
    assert_int_equal(tracker.verdict, VERDICT_UNHEALTHY);
    assert_int_equal(tracker.decided_ms, 9000);
    /* And back. */
    assert_false(add(&defaults, PROBE_PASS, 10000));
    assert_true(add(&defaults, PROBE_PASS, 11000));
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
}

static void test_grace_forgives_failures_only(void **state)
{
    (void)state;
    struct health health = defaults;
    health.grace_ms = 10000;
    for (uint64_t now = 1000; now < 11000; now += 1000)
        assert_false(add(&health, PROBE_REFUSED, now));
    assert_int_equal(tracker.verdict, VERDICT_UNKNOWN);
    assert_int_equal(tracker.failures_in_row, 0);
    /* The grace ends exactly at its length. */
    assert_false(add(&health, PROBE_REFUSED, 11000));
    assert_int_equal(tracker.failures_in_row, 1);
    assert_false(add(&health, PROBE_REFUSED, 12000));
    assert_true(add(&health, PROBE_REFUSED, 13000));

    start(NULL);
    add(&health, PROBE_PASS, 2000);
    add(&health, PROBE_REFUSED, 3000); /* forgiven, but the row is broken */
    assert_false(add(&health, PROBE_PASS, 4000));
    assert_true(add(&health, PROBE_PASS, 5000));
}

static void test_a_probe_that_was_not_made_says_nothing(void **state)
{
    (void)state;
    struct health health = defaults;
    health.failures = 1;
    add(&health, PROBE_PASS, 2000);
    assert_false(add(&health, PROBE_INTERNAL, 3000));
    assert_int_equal(tracker.last.outcome, PROBE_INTERNAL);
    assert_int_equal(tracker.probed_ms, 3000);
    assert_true(add(&health, PROBE_PASS, 4000)); /* still in a row */
    assert_false(add(&health, PROBE_INTERNAL, 5000));
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
    assert_int_equal(tracker.decided_ms, 4000); /* not confirmed: it ages */
}

/* A crash loop: passes between two exits must not hide it, and neither grace nor thresholds delay it. */
static void test_condemned_at_once_and_until_it_passes_again(void **state)
{
    (void)state;
    struct health health = defaults;
    health.grace_ms = 100000;
    struct probe_result why = {.outcome = PROBE_FAILED, .detail = "crash loop"};
    add(&health, PROBE_PASS, 2000);
    add(&health, PROBE_PASS, 3000);
    assert_true(verdict_condemn(&tracker, &why, 3500));
    assert_int_equal(tracker.verdict, VERDICT_UNHEALTHY);
    assert_string_equal(tracker.last.detail, "crash loop");
    assert_true(verdict_fresh(&tracker, &health, 3500));
    assert_false(verdict_condemn(&tracker, &why, 60000));
    assert_true(verdict_fresh(&tracker, &health, 60001)); /* confirmed */
    assert_false(add(&health, PROBE_PASS, 61000));
    assert_true(add(&health, PROBE_PASS, 62000));
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
}

static void test_fresh_until_an_interval_and_a_timeout(void **state)
{
    (void)state;
    add(&defaults, PROBE_PASS, 2000);
    assert_false(verdict_fresh(&tracker, &defaults, 2000)); /* unknown is never fresh */
    add(&defaults, PROBE_PASS, 3000);
    assert_true(verdict_fresh(&tracker, &defaults, 3000));
    assert_true(verdict_fresh(&tracker, &defaults, 8999));
    assert_false(verdict_fresh(&tracker, &defaults, 9000));
    assert_true(verdict_fresh(&tracker, &defaults, 2999)); /* a clock read before the result */
}

static void test_not_fresh_once_contradicted(void **state)
{
    (void)state;
    add(&defaults, PROBE_PASS, 2000);
    add(&defaults, PROBE_PASS, 3000);
    add(&defaults, PROBE_STATUS, 3500);
    assert_int_equal(tracker.verdict, VERDICT_HEALTHY);
    assert_false(verdict_fresh(&tracker, &defaults, 3500));
    add(&defaults, PROBE_STATUS, 3600);
    add(&defaults, PROBE_STATUS, 3700);
    assert_true(verdict_fresh(&tracker, &defaults, 3700)); /* freshly unhealthy */
    add(&defaults, PROBE_PASS, 3800);
    assert_int_equal(tracker.verdict, VERDICT_UNHEALTHY);
    assert_false(verdict_fresh(&tracker, &defaults, 3800));
}

static void test_fresh_with_the_longest_times(void **state)
{
    (void)state;
    struct health health = defaults;
    health.interval_ms = UINT32_MAX;
    health.timeout_ms = UINT32_MAX;
    health.passes = 1;
    add(&health, PROBE_PASS, 2000);
    assert_true(verdict_fresh(&tracker, &health, 2000 + (uint64_t)UINT32_MAX));
    assert_false(verdict_fresh(&tracker, &health, 2000 + 2 * (uint64_t)UINT32_MAX));
}

static void test_start_expires_unless_the_gate_was_reached(void **state)
{
    (void)state;
    assert_false(verdict_start_expired(&tracker, &defaults, 0));
    assert_false(verdict_start_expired(&tracker, &defaults, 60999));
    assert_true(verdict_start_expired(&tracker, &defaults, 61000));
    add(&defaults, PROBE_PASS, 2000);
    assert_true(verdict_start_expired(&tracker, &defaults, 61000)); /* one pass is not the gate */
    add(&defaults, PROBE_PASS, 3000);
    assert_false(verdict_start_expired(&tracker, &defaults, 61000));
    for (uint64_t now = 4000; now < 8000; now += 1000)
        add(&defaults, PROBE_REFUSED, now);
    assert_int_equal(tracker.verdict, VERDICT_UNHEALTHY);
    assert_false(verdict_start_expired(&tracker, &defaults, 61000)); /* a later failure is no bad start */
}

static void test_rows_do_not_overflow(void **state)
{
    (void)state;
    tracker.passes_in_row = UINT32_MAX;
    add(&defaults, PROBE_PASS, 2000);
    assert_int_equal(tracker.passes_in_row, UINT32_MAX);
    tracker.failures_in_row = UINT32_MAX;
    add(&defaults, PROBE_REFUSED, 3000);
    assert_int_equal(tracker.failures_in_row, UINT32_MAX);
}

static void test_status_default_is_2xx(void **state)
{
    (void)state;
    assert_false(verdict_status_accepted(&defaults, 0));
    assert_false(verdict_status_accepted(&defaults, 199));
    assert_true(verdict_status_accepted(&defaults, 200));
    assert_true(verdict_status_accepted(&defaults, 299));
    assert_false(verdict_status_accepted(&defaults, 300));
    assert_false(verdict_status_accepted(&defaults, 503));
}

static void test_status_ranges(void **state)
{
    (void)state;
    struct health health = defaults;
    health.status[0] = (struct status_range){204, 204};
    health.status[1] = (struct status_range){301, 308};
    health.status_count = 2;
    assert_false(verdict_status_accepted(&health, 200)); /* the default no longer holds */
    assert_true(verdict_status_accepted(&health, 204));
    assert_false(verdict_status_accepted(&health, 205));
    assert_true(verdict_status_accepted(&health, 301));
    assert_true(verdict_status_accepted(&health, 308));
    assert_false(verdict_status_accepted(&health, 309));
    health.status_count = 255; /* a broken count reads no further than the array */
    assert_false(verdict_status_accepted(&health, 600));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(VERDICT_UNKNOWN), "unknown");
    assert_string_equal(verdict_name(VERDICT_HEALTHY), "healthy");
    assert_string_equal(verdict_name(VERDICT_UNHEALTHY), "unhealthy");
    assert_string_equal(verdict_name((enum verdict)77), "unknown");
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start_forgets_everything),
        TEST(test_passes_in_a_row_make_healthy),
        TEST(test_a_failure_breaks_the_row),
        TEST(test_every_failure_counts),
        TEST(test_failures_in_a_row_make_unhealthy),
        TEST(test_grace_forgives_failures_only),
        TEST(test_a_probe_that_was_not_made_says_nothing),
        TEST(test_condemned_at_once_and_until_it_passes_again),
        TEST(test_fresh_until_an_interval_and_a_timeout),
        TEST(test_not_fresh_once_contradicted),
        TEST(test_fresh_with_the_longest_times),
        TEST(test_start_expires_unless_the_gate_was_reached),
        TEST(test_rows_do_not_overflow),
        TEST(test_status_default_is_2xx),
        TEST(test_status_ranges),
        TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
