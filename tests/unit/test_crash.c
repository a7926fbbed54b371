/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Crash loops: the limit within the window, and the way out of one. */
#include "model/crash.h"
#include "model/shim_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct restart defaults = {.limit = 5, .window_ms = 60000};
static struct crash_tracker tracker;

static int start(void **state)
{
    (void)state;
    memset(&tracker, 0, sizeof tracker);
    return 0;
}

static bool exits(const struct restart *restart, uint64_t now_ms)
{
    crash_started(&tracker, now_ms);
    return crash_exited(&tracker, restart, false, 1, now_ms);
}

static void test_the_limit_within_the_window(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        assert_false(exits(&defaults, 1000 + i * 15000));
    assert_true(exits(&defaults, 61000)); /* exactly the window after the first */
    assert_true(tracker.looping);
    assert_false(exits(&defaults, 61001)); /* is one already */
    assert_true(tracker.looping);
}

static void test_slow_exits_are_none(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(exits(&defaults, 1000 + i * 15001));
    assert_false(tracker.looping);
}

static void test_one_exit_is_enough_where_configured(void **state)
{
    (void)state;
    struct restart once = {.limit = 1, .window_ms = 1000};
    assert_true(exits(&once, 5));
}

static void test_high_limits(void **state)
{
    (void)state;
    static const uint32_t limits[] = {2, 63, 64, 65, 128, 129, 999, 1000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct restart restart = {.limit = limits[i], .window_ms = 86400000};
        uint32_t needed = 0;
        start(NULL);
        while (!exits(&restart, 1000 + needed) && needed < 2000)
            needed++;
        assert_int_equal(needed + 1, limits[i]);
        /* Twice as slow as would be too fast: never, over many turns of the ring. */
        start(NULL);
        uint64_t apart = 2 * (uint64_t)restart.window_ms / restart.limit + 1;
        for (uint64_t j = 0; j < 5000; j++)
            assert_false(exits(&restart, 1000 + j * apart));
    }
}

static void loop(void)
{
    for (uint64_t i = 0; i < 5; i++)
        exits(&defaults, 1000 + i);
    assert_true(tracker.looping);
}

static void test_a_steady_window_ends_it(void **state)
{
    (void)state;
    loop();
    assert_false(crash_settled(&tracker, &defaults, 500000)); /* not running at all is not steady */
    crash_started(&tracker, 500000);
    assert_false(crash_settled(&tracker, &defaults, 559999));
    assert_true(tracker.looping);
    assert_true(crash_settled(&tracker, &defaults, 560000));
    assert_false(tracker.looping);
    assert_false(crash_settled(&tracker, &defaults, 560001));
    assert_false(exits(&defaults, 560002)); /* the former exits are forgotten */
}

static void test_an_exit_before_that_does_not(void **state)
{
    (void)state;
    loop();
    crash_started(&tracker, 2000);
    crash_exited(&tracker, &defaults, true, 11, 50000);
    crash_started(&tracker, 51000);
    assert_false(crash_settled(&tracker, &defaults, 110999));
    assert_true(crash_settled(&tracker, &defaults, 111000));
}

static bool found(uint32_t restarts, bool running, uint64_t since_exit, uint64_t now, const uint32_t *ages,
                  size_t count)
{
    const struct crash_past past = {
        .restarts = restarts, .running = running, .since_exit_ms = since_exit, .ages_ms = ages, .count = count};
    return crash_found(&tracker, &defaults, &past, now);
}

static void test_found_with_a_past(void **state)
{
    (void)state;
    static const uint32_t quick[] = {20000, 21000, 22000, 23000, 24000, 86400000};
    assert_false(found(0, true, 5, 100000, NULL, 0));
    assert_false(found(4, true, 5, 100000, quick, 4));
    assert_false(found(5, true, 60000, 100000, quick, 5)); /* steady since */
    assert_true(found(5, true, 20000, 100000, quick, 5));
    assert_false(crash_settled(&tracker, &defaults, 139999)); /* 20 s before it was found count */
    assert_true(crash_settled(&tracker, &defaults, 140000));
    assert_true(found(5, false, 900000, 100000, quick, 5)); /* waiting in a long back-off */
    assert_true(found(9, true, 50000, 10, quick, 6));       /* ran before the clock did */
    assert_true(crash_settled(&tracker, &defaults, 60000));
}

/* Restarts are counted for as long as the zone is there: years of one a month are no crash loop. */
static void test_exits_long_ago_are_no_loop(void **state)
{
    (void)state;
    static const uint32_t slow[] = {1000, 100000, 200000, 300000, 400000, 500000};
    assert_false(found(100, true, 1000, 100000, slow, 6));
    assert_false(found(100, false, 1000, 100000, slow, 6));
    static const uint32_t nearly[] = {1000, 2000, 3000, 4000, 61001, 61002}, just[] = {1000, 2000, 3000, 4000, 61000};
    assert_false(found(100, true, 1000, 100000, nearly, 6));
    assert_true(found(100, true, 1000, 100000, just, 5));
}

static void test_ages_for_a_high_limit(void **state)
{
    (void)state;
    const struct restart many = {.limit = 100, .window_ms = 60000};
    uint32_t ages[SHIM_EXITS_MAX];
    struct crash_past past = {.restarts = 99, .since_exit_ms = 0, .ages_ms = ages, .count = SHIM_EXITS_MAX};
    for (uint32_t i = 0; i < SHIM_EXITS_MAX; i++)
        ages[i] = i * 500;
    assert_false(crash_found(&tracker, &many, &past, 100000));
    past.restarts = 100;
    assert_true(crash_found(&tracker, &many, &past, 100000));
    for (uint32_t i = 0; i < SHIM_EXITS_MAX; i++)
        ages[i] = i * 1000;
    assert_false(crash_found(&tracker, &many, &past, 100000));
}

/* Of a shim that tells no times only what is seen now is believed. */
static void test_found_by_its_count_alone(void **state)
{
    (void)state;
    assert_false(found(100, true, 1000, 100000, NULL, 0));
    assert_true(found(5, false, 1000, 100000, NULL, 0));
    assert_false(found(4, false, 1000, 100000, NULL, 0));
}

static void test_what_it_says(void **state)
{
    (void)state;
    char text[CRASH_TEXT_MAX];
    assert_string_equal(crash_text(&tracker, text), "it exited again and again before this agent looked");
    crash_exited(&tracker, &defaults, false, 3, 1);
    assert_string_equal(crash_text(&tracker, text), "it exited 1 time, last with code 3");
    crash_exited(&tracker, &defaults, true, 11, 2);
    assert_string_equal(crash_text(&tracker, text), "it exited 2 times, last with code 3, signal 11");
    crash_exited(&tracker, &defaults, false, 0, 3);
    crash_exited(&tracker, &defaults, false, 255, 4);
    assert_string_equal(crash_text(&tracker, text), "it exited 4 times, last with signal 11, code 0, code 255");
    tracker.exits = UINT32_MAX;
    for (size_t i = 0; i < CRASH_LAST; i++)
        tracker.last[i].value = -2147483647 - 1;
    assert_true(strlen(crash_text(&tracker, text)) < CRASH_TEXT_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_limit_within_the_window),
        TEST(test_slow_exits_are_none),
        TEST(test_one_exit_is_enough_where_configured),
        TEST(test_high_limits),
        TEST(test_a_steady_window_ends_it),
        TEST(test_an_exit_before_that_does_not),
        TEST(test_found_with_a_past),
        TEST(test_exits_long_ago_are_no_loop),
        TEST(test_ages_for_a_high_limit),
        TEST(test_found_by_its_count_alone),
        TEST(test_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
