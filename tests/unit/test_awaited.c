/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States to wait for: their names, and every fact that keeps one from being there. */
#include "model/awaited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const char *const names[AWAITS] = {
        [AWAIT_IDLE] = "idle",       [AWAIT_LIVE] = "live",   [AWAIT_HEALTHY] = "healthy", [AWAIT_STANDBY] = "standby",
        [AWAIT_DRAINED] = "drained", [AWAIT_BAKED] = "baked", [AWAIT_STOPPED] = "stopped", [AWAIT_EMPTY] = "empty",
    };
    struct awaited awaited;
    for (unsigned i = 0; i < AWAITS; i++) {
        assert_true(awaited_parse(names[i], &awaited, NULL));
        assert_int_equal(awaited.what, i);
        assert_string_equal(awaited.release, "");
    }
}

static void test_releases(void **state)
{
    struct awaited awaited;
    struct error err = {0};
    assert_true(awaited_parse("live=v2", &awaited, &err));
    assert_int_equal(awaited.what, AWAIT_LIVE);
    assert_string_equal(awaited.release, "v2");
    assert_true(awaited_parse("healthy=1.4-rc1", &awaited, &err));
    assert_true(awaited_parse("standby=v1", &awaited, &err));
    static const char *const wrong[] = {"",        "=",        "=v2",      "live=", "live=.x", "live=a/b",
                                        "idle=v2", "empty=v1", "lively",   "LIVE",  "live v2", "live=-x",
                                        " live",   "live ",    "drained=", "idl",   "standby2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err.text[0] = '\0';
        assert_false(awaited_parse(wrong[i], &awaited, &err));
        assert_string_not_equal(err.text, "");
    }
    char long_name[RELEASE_NAME_MAX + 8] = "live=";
    memset(long_name + 5, 'a', RELEASE_NAME_MAX + 1);
    assert_false(awaited_parse(long_name, &awaited, &err));
}

static bool holds(const char *text, const struct situation *now)
{
    struct awaited awaited;
    assert_true(awaited_parse(text, &awaited, NULL));
    return awaited_holds(&awaited, now);
}

static void test_rest(void **state)
{
    struct situation now = {.state = APP_RUNNING, .live = "v2", .staged = "", .standby = "v1"};
    assert_true(holds("idle", &now) && holds("drained", &now) && holds("baked", &now));
    now.drains = true;
    assert_true(!holds("idle", &now) && !holds("drained", &now) && holds("baked", &now));
    now.drains = false;
    now.bakes = true;
    assert_true(!holds("idle", &now) && holds("drained", &now) && !holds("baked", &now));
    now.bakes = false;
    now.operates = true;
    assert_true(!holds("idle", &now) && !holds("drained", &now) && !holds("baked", &now));
}

static void test_releases_that_are_there(void **state)
{
    struct situation now = {.state = APP_RUNNING, .live = "v2", .staged = "v3", .standby = "v1"};
    assert_true(!holds("live", &now) && !holds("healthy", &now) && !holds("standby", &now));
    now.live_well = true;
    assert_true(holds("live", &now) && holds("live=v2", &now) && !holds("live=v3", &now) && !holds("standby", &now));
    now.staged_well = true;
    assert_true(holds("healthy", &now) && holds("healthy=v3", &now) && !holds("healthy=v2", &now));
    now.may_go_back = true;
    assert_true(holds("standby", &now) && holds("standby=v1", &now) && !holds("standby=v2", &now));
}

static void test_ends(void **state)
{
    struct situation now = {.state = APP_STOPPED, .zones_left = true, .live = "", .staged = "", .standby = ""};
    assert_true(holds("stopped", &now) && !holds("empty", &now));
    now.operates = true;
    assert_false(holds("stopped", &now));
    now = (struct situation){.state = APP_EMPTY, .zones_left = true, .live = "", .staged = "", .standby = ""};
    assert_true(!holds("empty", &now) && !holds("stopped", &now));
    now.zones_left = false;
    assert_true(holds("empty", &now));
    now.operates = true;
    assert_false(holds("empty", &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_releases),
        cmocka_unit_test(test_rest),  cmocka_unit_test(test_releases_that_are_there),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
