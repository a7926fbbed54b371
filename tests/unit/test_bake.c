/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bake: what is a breach, from which figure on, and in which words. */
#include "model/bake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct bake usual = {.resets = BAKE_UNLIMITED, .errors_percent = 10};
static struct bake_watch watch;
static char why[256];

static void begin(const struct bake_figures *base)
{
    memset(why, 0, sizeof why);
    bake_watch_start(&watch, base, 1000);
}

static bool breached(const struct bake *limits)
{
    return bake_breached(&watch, limits, NULL, why, sizeof why);
}

static void probe(enum probe_outcome outcome, const char *detail, unsigned count)
{
    struct probe_result result = {.outcome = outcome};
    snprintf(result.detail, sizeof result.detail, "%s", detail);
    while (count-- > 0)
        bake_watch_probe(&watch, &result);
}

static void figures(uint32_t restarts, uint32_t kills, uint64_t resets, uint64_t overflows, uint64_t now_ms)
{
    bake_watch_figures(
        &watch,
        &(struct bake_figures){.restarts = restarts, .oom_kills = kills, .resets = resets, .overflows = overflows},
        now_ms);
}

static void test_what_was_before_the_switch_does_not_count(void **state)
{
    begin(&(struct bake_figures){.restarts = 3, .oom_kills = 2, .resets = 1000, .overflows = 7});
    figures(3, 2, 1000, 7, 2000);
    const struct bake strict = {0};
    assert_false(breached(&strict));
    bake_text(&watch, &usual, why, sizeof why);
    assert_string_equal(why, "0 of 0 probes failed, 0 restarts");
}

static void test_restarts(void **state)
{
    struct bake two = usual, none = usual, any = usual;
    two.restarts = 2;
    any.restarts = BAKE_UNLIMITED;
    begin(&(struct bake_figures){.restarts = 3});
    figures(5, 0, 0, 0, 2000);
    assert_false(breached(&two));
    assert_true(breached(&none));
    assert_string_equal(why, "2 exits or restarts since it became live ([bake] restarts = 0)");
    figures(6, 0, 0, 0, 2000);
    assert_true(breached(&two));
    assert_false(breached(&any));
}

static void test_memory_is_never_forgiven(void **state)
{
    struct bake any = {
        .restarts = BAKE_UNLIMITED, .resets = BAKE_UNLIMITED, .overflows = BAKE_UNLIMITED, .errors_percent = 100};
    begin(&(struct bake_figures){.oom_kills = 1});
    figures(4, 2, 0, 9, 2000);
    assert_true(breached(&any));
    assert_string_equal(why, "memory ran out: the kernel killed 1 of its processes");
}

static void test_overflows(void **state)
{
    struct bake any = usual, some = usual;
    any.overflows = BAKE_UNLIMITED;
    some.overflows = 5;
    begin(&(struct bake_figures){.overflows = 10});
    figures(0, 0, 0, 15, 2000);
    assert_false(breached(&any));
    assert_false(breached(&some));
    assert_true(breached(&usual));
    assert_string_equal(why,
                        "5 connections found its listening queue full since it became live ([bake] overflows = 0)");
    figures(0, 0, 0, 16, 2000);
    assert_true(breached(&some));
}

/* Only the last minute counts, and not a reset more. */
static void test_resets_of_a_minute(void **state)
{
    struct bake thirty = usual;
    thirty.resets = 30;
    begin(&(struct bake_figures){.resets = 500});
    figures(0, 0, 530, 0, 2000);
    assert_false(breached(&thirty));
    figures(0, 0, 531, 0, 3000);
    assert_true(breached(&thirty));
    assert_string_equal(why, "it sent 31 TCP resets within a minute ([bake] resets = 30)");
    assert_false(breached(&usual));
    /* 25 every 55 s: never more than 30 in any minute, although hundreds in all. */
    begin(&(struct bake_figures){.resets = 0});
    uint64_t resets = 0;
    for (uint64_t second = 1; second < 1200; second++) {
        resets += second % 61 == 0 ? 25 : 0;
        figures(0, 0, resets, 0, 1000 + second * 1000);
        assert_false(breached(&thirty));
    }
    assert_true(resets > 400);
    /* The same faster is a breach. */
    for (uint64_t second = 1200; second < 1300 && !breached(&thirty); second++)
        figures(0, 0, resets += 1, 0, 1000 + second * 1000);
    assert_true(breached(&thirty));
}

static void test_probes(void **state)
{
    begin(&(struct bake_figures){0});
    probe(PROBE_STATUS, "HTTP 503", 4);
    assert_false(breached(&usual)); /* of fewer than five nothing is concluded */
    begin(&(struct bake_figures){0});
    probe(PROBE_PASS, "", 18);
    probe(PROBE_STATUS, "HTTP 503", 2);
    assert_false(breached(&usual)); /* exactly a tenth */
    probe(PROBE_TIMEOUT, "no answer within 5 s", 1);
    assert_true(breached(&usual));
    assert_string_equal(why, "3 of 21 probes failed ([bake] errors = 10%), the last of them: no answer within 5 s");
    struct bake all = usual, none = usual;
    all.errors_percent = 100;
    none.errors_percent = 0;
    assert_false(breached(&all));
    assert_true(breached(&none));
}

static void test_a_probe_that_was_not_made_says_nothing(void **state)
{
    begin(&(struct bake_figures){0});
    probe(PROBE_INTERNAL, "no memory", 20);
    assert_false(breached(&usual));
    assert_int_equal(watch.probes, 0);
}

static void test_guard(void **state)
{
    begin(&(struct bake_figures){0});
    bake_watch_guard(&watch, NULL);
    bake_watch_guard(&watch, NULL);
    assert_false(breached(&usual));
    bake_text(&watch, &usual, why, sizeof why);
    assert_string_equal(why, "0 of 0 probes failed, 0 restarts, the guard ran 2 times");
    bake_watch_guard(&watch, "exit status 3: too slow");
    bake_watch_guard(&watch, NULL); /* once is enough */
    assert_true(breached(&usual));
    assert_string_equal(why, "the guard hook failed: exit status 3: too slow");
    begin(&(struct bake_figures){0});
    bake_watch_guard(&watch, "");
    assert_true(breached(&usual));
}

static void test_unhealthy(void **state)
{
    begin(&(struct bake_figures){0});
    assert_true(bake_breached(&watch, &usual, "HTTP 500", why, sizeof why));
    assert_string_equal(why, "it became unhealthy: HTTP 500");
}

/* A process that is started anew, or a zone that is, counts from nothing: neither wraps around nor hides what comes. */
static void test_figures_that_begin_again(void **state)
{
    struct bake strict = {.errors_percent = 100};
    begin(&(struct bake_figures){.restarts = 9, .oom_kills = 9, .resets = 900, .overflows = 9});
    figures(0, 0, 0, 0, 2000);
    assert_false(breached(&strict));
    figures(1, 0, 0, 0, 3000);
    assert_true(breached(&strict));
    begin(&(struct bake_figures){.resets = 900});
    figures(0, 0, 2, 0, 2000);
    assert_false(breached(&strict));
    figures(0, 0, 3, 0, 3000);
    assert_true(breached(&strict));
    assert_string_equal(why, "it sent 1 TCP reset within a minute ([bake] resets = 0)");
}

static void test_how_it_stands(void **state)
{
    begin(&(struct bake_figures){0});
    probe(PROBE_PASS, "", 38);
    probe(PROBE_REFUSED, "connection refused", 3);
    figures(1, 0, 2, 4, 2000);
    bake_text(&watch, &usual, why, sizeof why);
    assert_string_equal(why, "3 of 41 probes failed, 1 restart, 2 resets in the last minute, 4 listen overflows");
    char small[12];
    bake_text(&watch, &usual, small, sizeof small);
    assert_string_equal(small, "3 of 41 pro");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_before_the_switch_does_not_count),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_memory_is_never_forgiven),
        cmocka_unit_test(test_overflows),
        cmocka_unit_test(test_resets_of_a_minute),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_a_probe_that_was_not_made_says_nothing),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_unhealthy),
        cmocka_unit_test(test_figures_that_begin_again),
        cmocka_unit_test(test_how_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
