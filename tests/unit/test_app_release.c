/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections of an app's file that lead a release through its life: hooks, test, bake, failover. */
#include "app_text.h"

#include "base/cleanup.h"
#include "model/grammar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define APP          "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server\n"
#define PORTS        "[ports]\nhttp = 80 -> 8080/tcp\n"

/* --- names -------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    assert_string_equal(hook_name(HOOK_PRE_START), "pre_start");
    assert_string_equal(hook_place(HOOK_PRE_START), "[hooks] pre_start");
    assert_string_equal(hook_name(HOOK_ON_FAILOVER), "on_failover");
    assert_string_equal(hook_name(HOOK_GUARD), "guard");
    assert_string_equal(hook_place(HOOK_GUARD), "[bake] guard");
    for (unsigned a = 0; a < HOOKS; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(hook_name((enum hook)a), hook_name((enum hook)b));
    }
}

/* --- good files --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP, &service);
    for (size_t i = 0; i < HOOKS; i++)
        assert_true(service.hooks[i].run.count == 0 && !service.hooks[i].on_host);
    assert_int_equal(service.hook_timeout_ms, 60000);
    assert_int_equal(service.test_count, 0);
    assert_int_equal(service.bake.time_ms, 0);
    assert_int_equal(service.bake.guard_interval_ms, 10000);
    assert_int_equal(service.bake.restarts, 0);
    assert_true(service.bake.resets == BAKE_UNLIMITED);
    assert_int_equal(service.bake.overflows, 0);
    assert_int_equal(service.bake.errors_percent, 10);
    assert_false(service.failover);
}

static void expect_hook(const struct service *service, enum hook hook, const char *executable, bool on_host)
{
    assert_true(service->hooks[hook].run.count > 0);
    assert_string_equal(service->hooks[hook].run.items[0], executable);
    assert_int_equal(service->hooks[hook].on_host, on_host);
}

static void test_hooks(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[hooks]\npre_start = /srv/web/%r/bin/warm --zone %z 'two words'\ntest = host: /usr/bin/check\n"
                   "pre_switch = /bin/a\npost_switch = host:/bin/b\npre_rollback = /bin/c\npost_rollback = /bin/d\n"
                   "on_failure = /bin/e\non_rollback = host:   /bin/f x\non_failover = /bin/g\ntimeout = 5m\n"
                   "[bake]\ntime = 10m\nguard = host: /bin/h\n[failover]\nauto = yes\n",
               &service);
    expect_hook(&service, HOOK_PRE_START, "/srv/web/%r/bin/warm", false);
    assert_int_equal(service.hooks[HOOK_PRE_START].run.count, 4);
    assert_string_equal(service.hooks[HOOK_PRE_START].run.items[3], "two words");
    expect_hook(&service, HOOK_TEST, "/usr/bin/check", true);
    expect_hook(&service, HOOK_PRE_SWITCH, "/bin/a", false);
    expect_hook(&service, HOOK_POST_SWITCH, "/bin/b", true);
    expect_hook(&service, HOOK_PRE_ROLLBACK, "/bin/c", false);
    expect_hook(&service, HOOK_POST_ROLLBACK, "/bin/d", false);
    expect_hook(&service, HOOK_ON_FAILURE, "/bin/e", false);
    expect_hook(&service, HOOK_ON_ROLLBACK, "/bin/f", true);
    assert_int_equal(service.hooks[HOOK_ON_ROLLBACK].run.count, 2);
    expect_hook(&service, HOOK_ON_FAILOVER, "/bin/g", false);
    expect_hook(&service, HOOK_GUARD, "/bin/h", true);
    assert_int_equal(service.hook_timeout_ms, 300000);
    assert_true(service.failover);
}

static void expect_page(const struct test_page *page, const char *path, uint8_t statuses, const char *contains)
{
    assert_string_equal(page->path, path);
    assert_int_equal(page->status_count, statuses);
    assert_string_equal(page->contains, contains);
}

static void test_pages(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP PORTS "[test]\nhttp = /healthz 200 | /login 200 204 301-308 Sign  in | / |/a?b=%20c It's 200\t|"
                         " /json 200 \"status\":\"ok\"\n",
               &service);
    assert_int_equal(service.test_count, 5);
    expect_page(&service.tests[0], "/healthz", 1, "");
    assert_int_equal(service.tests[0].status[0].first, 200);
    assert_int_equal(service.tests[0].status[0].last, 200);
    expect_page(&service.tests[1], "/login", 3, "Sign  in");
    assert_int_equal(service.tests[1].status[2].first, 301);
    assert_int_equal(service.tests[1].status[2].last, 308);
    expect_page(&service.tests[2], "/", 0, "");
    expect_page(&service.tests[3], "/a?b=%20c", 0, "It's 200");
    expect_page(&service.tests[4], "/json", 1, "\"status\":\"ok\"");
}

static void test_bake(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[bake]\ntime = 7d\nguard = /bin/guard\ninterval = 1h\nrestarts = 1000000\nresets = 0\n"
                   "overflows = unlimited\nerrors = 100%\n[failover]\nauto = no\n",
               &service);
    assert_int_equal(service.bake.time_ms, 604800000);
    assert_int_equal(service.bake.guard_interval_ms, 3600000);
    assert_int_equal(service.bake.restarts, 1000000);
    assert_int_equal(service.bake.resets, 0);
    assert_true(service.bake.overflows == BAKE_UNLIMITED);
    assert_int_equal(service.bake.errors_percent, 100);
    assert_false(service.failover);
    service_clear(&service);
    parse_good(APP "[bake]\ntime = 2s\nguard = /bin/guard\ninterval = 1s\nrestarts = unlimited\nresets = unlimited\n"
                   "errors = 0%\n[hooks]\ntimeout = 1s\n",
               &service);
    assert_true(service.bake.restarts == BAKE_UNLIMITED && service.bake.resets == BAKE_UNLIMITED);
    assert_int_equal(service.bake.errors_percent, 0);
    assert_int_equal(service.hook_timeout_ms, 1000);
}

static void test_schema(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP, &service);
    assert_int_equal(service.schema_needs, 0);
    assert_int_equal(service.schema_timeout_ms, 600000);
    service_clear(&service);
    parse_good(APP "[schema]\nneeds = 2147483647\nexpand = /srv/web/%r/bin/migrate up\ncheck = host: /bin/check\n"
                   "contract = /bin/drop\nrevert = /bin/back\ntimeout = 24h\n",
               &service);
    assert_int_equal(service.schema_needs, 2147483647);
    assert_int_equal(service.schema_timeout_ms, 86400000);
    expect_hook(&service, HOOK_EXPAND, "/srv/web/%r/bin/migrate", false);
    expect_hook(&service, HOOK_CHECK, "/bin/check", true);
    expect_hook(&service, HOOK_CONTRACT, "/bin/drop", false);
    expect_hook(&service, HOOK_REVERT, "/bin/back", false);
}

static void test_keep(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP, &service);
    assert_true(service.keep_ms == KEEP_UNTIL_NEXT);
    service_clear(&service);
    parse_good(APP "[standby]\nkeep = until-next\n", &service);
    assert_true(service.keep_ms == KEEP_UNTIL_NEXT);
    service_clear(&service);
    parse_good(APP "[standby]\nkeep = no\nfreeze = yes\n", &service);
    assert_true(service.keep_ms == 0);
    service_clear(&service);
    parse_good(APP "[standby]\nkeep = 90d\n[failover]\nauto = yes\n", &service);
    assert_true(service.keep_ms == 90ull * 86400000);
}

/* "Not now" is an answer: what belongs to it may stay in the file. */
static void test_switched_off(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[bake]\ntime = 0\nguard = /bin/guard\ninterval = 1h\nrestarts = 3\nerrors = 1%\n"
                   "[hooks]\non_failover = /bin/tell\n[failover]\nauto = no\n",
               &service);
    assert_int_equal(service.bake.time_ms, 0);
}

static void test_most_pages(void **state)
{
    CLEANUP_TEXT struct text content = {0};
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    text_add(&content, APP PORTS "[test]\nhttp = /0");
    for (int i = 1; i < TEST_PAGES_MAX; i++)
        text_addf(&content, " | /%d", i);
    parse_good(content.data, &service);
    assert_int_equal(service.test_count, TEST_PAGES_MAX);
    service_clear(&service);
    text_add(&content, " | /more\n");
    assert_int_equal(parse(content.data, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
    assert_true(text_starts_with(problems.items[0], "apps/web.conf: [test] http: more than 16 pages"));
}

static void test_longest_text(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    struct service unused;
    char text[TEST_CONTAINS_MAX + 2] = "", content[512];
    memset(text, 'x', TEST_CONTAINS_MAX);
    snprintf(content, sizeof content, "%s%s\n", APP PORTS "[test]\nhttp = / 200 ", text);
    parse_good(content, &service);
    assert_string_equal(service.tests[0].contains, text);
    text[TEST_CONTAINS_MAX] = 'x';
    snprintf(content, sizeof content, "%s%s\n", APP PORTS "[test]\nhttp = / 200 ", text);
    assert_int_equal(parse(content, &unused, &problems), -EINVAL);
    assert_non_null(strstr(problems.items[0], "[test] http: /: the text that is looked for is longer than 127 bytes"));
}

/* --- bad files ---------------------------------------------------------------------------------- */

static void test_releases(void **state)
{
    CLEANUP_SERVICE struct service none, plain, all;
    parse_good(APP, &none);
    assert_null(none.releases_dir);
    assert_int_equal(none.releases_fetch.count, 0);
    parse_good(APP "[releases]\ndir = /srv/web/releases\n", &plain);
    assert_string_equal(plain.releases_dir, "/srv/web/releases");
    assert_int_equal(plain.releases_keep, 5);
    assert_int_equal(plain.releases_timeout_ms, 600000);
    parse_good(APP "[releases]\ndir = /srv/web\nkeep = 1000\nfetch = /bin/get %r '%%z'\ntimeout = 24h\n", &all);
    assert_int_equal(all.releases_keep, 1000);
    assert_int_equal(all.releases_timeout_ms, 86400000);
    assert_int_equal(all.releases_fetch.count, 3);
    assert_string_equal(all.releases_fetch.items[1], "%r");
}

static const struct bad_file bad[] = {
    /* [standby] keep */
    {APP "[standby]\nkeep = 999ms\n", "[standby] keep: ", "is out of range; it is 1s to 365d, or until-next, or no"},
    {APP "[standby]\nkeep = 366d\n", "[standby] keep: ", "366d is out of range"},
    {APP "[standby]\nkeep = 0\n", "[standby] keep: ", ""},
    {APP "[standby]\nkeep = yes\n", "[standby] keep: ", "or write until-next, or no"},
    {APP "[standby]\nkeep = no\n[failover]\nauto = yes\n", "[standby] keep: ", "nothing to fail over to"},
    {APP "[standby]\nkeep = no\n[drain]\nthen = leave\n", "[standby] keep: ", "which would end with the zone"},
    /* [releases] */
    {APP "[releases]\ndir = srv/releases\n", "[releases] dir: ", "not an absolute path"},
    {APP "[releases]\ndir = /srv/../etc\n", "[releases] dir: ", "has a \"..\""},
    {APP "[releases]\ndir = /srv/%r\n", "[releases] dir: ", "one directory for all releases"},
    {APP "[releases]\ndir = //\n", "[releases] dir: ", "the whole system"},
    {APP "[releases]\ndir = /srv/web\nkeep = 0\n", "[releases] keep: ", "1 to 1000"},
    {APP "[releases]\ndir = /srv/web\nkeep = 1001\n", "[releases] keep: ", "1 to 1000"},
    {APP "[releases]\ndir = /srv/web\nfetch = get %r\n", "[releases] fetch: ", "not an absolute path"},
    {APP "[releases]\ndir = /srv/web\nfetch = /bin/get %q\n", "[releases] fetch: ", "unknown '%q'"},
    {APP "[releases]\ndir = /srv/web\nfetch = /bin/get %%z %z\n", "[releases] fetch: ", "in no zone yet"},
    {APP "[releases]\ndir = /srv/web\nfetch = /bin/get\ntimeout = 999ms\n", "[releases] timeout: ", ""},
    {APP "[releases]\ndir = /srv/web\nfetch = /bin/get\ntimeout = 25h\n", "[releases] timeout: ", ""},
    {APP "[releases]\ndir = /srv/web\ntimeout = 1m\n", "[releases] timeout: ", "there is none"},
    {APP "[releases]\nfetch = /bin/get\n", "[releases] fetch: ", "write \"dir = "},
    {APP "[releases]\nkeep = 3\n", "[releases] keep: ", "write \"dir = "},
    /* [schema] */
    {APP "[schema]\nneeds = 2147483648\n", "[schema] needs: ", "2147483647"},
    {APP "[schema]\nneeds = one\n", "[schema] needs: ", ""},
    {APP "[schema]\nneeds = 1\nexpand = up\n", "[schema] expand: ", "not an absolute path"},
    {APP "[schema]\nexpand = /bin/up\n", "[schema] expand: ", "write \"needs = 1\" too"},
    {APP "[schema]\ncheck = /bin/up\n", "[schema] check: ", "write \"needs = 1\" too"},
    {APP "[schema]\ncontract = /bin/up\n", "[schema] contract: ", "write \"needs = 1\" too"},
    {APP "[schema]\nrevert = /bin/up\n", "[schema] revert: ", "write \"needs = 1\" too"},
    {APP "[schema]\ntimeout = 1m\n", "[schema] timeout: ", "write \"needs = 1\" too"},
    {APP "[schema]\nneeds = 1\ntimeout = 25h\n", "[schema] timeout: ", "out of range; it is 1s to 1d"},
    {APP "[schema]\nguard = /bin/a\n", "[schema] guard: ", "guard belongs in [bake]"},
    /* [hooks] */
    {APP "[hooks]\npre_start = warm\n", "[hooks] pre_start: ", "\"warm\" is not an absolute path"},
    {APP "[hooks]\ntest = host: check\n", "[hooks] test: ", "\"check\" is not an absolute path"},
    {APP "[hooks]\ntest = zone: /bin/a\n", "[hooks] test: ", "\"zone:\" is not an absolute path"},
    {APP "[hooks]\npre_switch = host:\n", "[hooks] pre_switch: ", "no command"},
    {APP "[hooks]\npost_switch = /bin/a \"b\n", "[hooks] post_switch: ", "is not closed"},
    {APP "[hooks]\npre_rollback = /bin/a %q\n", "[hooks] pre_rollback: ", "unknown '%q'"},
    {APP "[hooks]\npost_rollback = /bin/../a\n", "[hooks] post_rollback: ", "has a \"..\""},
    {APP "[hooks]\non_failure = a\n", "[hooks] on_failure: ", "not an absolute path"},
    {APP "[hooks]\non_rollback = a\n", "[hooks] on_rollback: ", "not an absolute path"},
    {APP "[hooks]\non_failover = a\n[failover]\nauto = yes\n", "[hooks] on_failover: ", "not an absolute path"},
    {APP "[hooks]\non_failover = /bin/a\n", "[hooks] on_failover: ", "write \"auto = yes\" in [failover]"},
    {APP "[hooks]\ntimeout = 500ms\n", "[hooks] timeout: ", "out of range; it is 1s to 1h"},
    {APP "[hooks]\ntimeout = 2h\n", "[hooks] timeout: ", "out of range; it is 1s to 1h"},
    {APP "[hooks]\ntimeout = 60\n", "[hooks] timeout: ", "is not a duration"},
    {APP "[hooks]\npre_stat = /bin/a\n", "[hooks] pre_stat: ", "did you mean pre_start?"},
    {APP "[hooks]\npost_start = /bin/a\n", "[hooks] post_start: ", "unknown key"},
    {APP "[hooks]\nguard = /bin/a\n", "[hooks] guard: ", "unknown key; guard belongs in [bake]"},
    {APP "[hook]\ntest = /bin/a\n", "[hook]: ", "did you mean hooks?"},
    {APP "pre_start = /bin/a\n", "[app] pre_start: ", "pre_start belongs in [hooks]"},
    /* [test] */
    {APP "[test]\nhttp = /\n", "[test] http: ", "the first TCP port of [ports], and there is none"},
    {APP "[ports]\ndns = 53 -> 53/udp\n[test]\nhttp = /\n", "[test] http: ", "the first TCP port of [ports]"},
    {APP PORTS "[test]\nhttp = healthz\n", "[test] http: ", "\"healthz\" is not a path"},
    {APP PORTS "[test]\nhttp = :8080/healthz\n", "[test] http: ", "is not a path; start it with '/'"},
    {APP PORTS "[test]\nhttp = /a | b 200\n", "[test] http: ", "\"b\" is not a path"},
    {APP PORTS "[test]\nhttp = /a | | /b\n", "[test] http: ", "nothing between two '|'"},
    {APP PORTS "[test]\nhttp = /a%2\n", "[test] http: ", "percent-encode"},
    {APP PORTS "[test]\nhttp = /a 99\n", "[test] http: ", "/a: \"99\" is not an HTTP status"},
    {APP PORTS "[test]\nhttp = /a 600\n", "[test] http: ", "\"600\" is not an HTTP status"},
    {APP PORTS "[test]\nhttp = /a 300-200\n", "[test] http: ", "is not an HTTP status"},
    {APP PORTS "[test]\nhttp = /a 200 2nd try\n", "[test] http: ", "leave its first digits out"},
    {APP PORTS "[test]\nhttp = /a 200 201 202 203 204 205 206 207 208\n", "[test] http: ", "/a: more than 8 statuses"},
    {APP PORTS "[test]\nhttps = /a\n", "[test] https: ", "did you mean http?"},
    {APP PORTS "[tests]\nhttp = /a\n", "[tests]: ", "did you mean test?"},
    /* [bake] */
    {APP "[bake]\ntime = 8d\n", "[bake] time: ", "out of range; it is 0 to 7d"},
    {APP "[bake]\ntime = forever\n", "[bake] time: ", "is not a duration"},
    {APP "[bake]\ntime = 1s\n", "[bake] time: ", "1000ms are over before the next check"},
    {APP "[bake]\nguard = /bin/a\n", "[bake] guard: ", "write \"time = 10m\" too"},
    {APP "[bake]\nrestarts = 1\n", "[bake] restarts: ", "write \"time = 10m\" too"},
    {APP "[bake]\nresets = 1\n", "[bake] resets: ", "write \"time = 10m\" too"},
    {APP "[bake]\noverflows = 1\n", "[bake] overflows: ", "write \"time = 10m\" too"},
    {APP "[bake]\nerrors = 1%\n", "[bake] errors: ", "write \"time = 10m\" too"},
    {APP "[bake]\ntime = 1m\ninterval = 5s\n", "[bake] interval: ", "it is how often guard runs, and there is none"},
    {APP "[bake]\ntime = 1m\nguard = /bin/a\ninterval = 1m\n", "[bake] interval: ", "lower interval or raise time"},
    {APP "[bake]\ntime = 9s\nguard = /bin/a\n", "[bake] interval: ", "runs every 10000ms, but the bake is over"},
    {APP "[bake]\ntime = 1m\nguard = /bin/a\ninterval = 500ms\n", "[bake] interval: ", "it is 1s to 1h"},
    {APP "[bake]\ntime = 1m\nguard = a\n", "[bake] guard: ", "not an absolute path"},
    {APP "[bake]\ntime = 1m\nrestarts = -1\n", "[bake] restarts: ", "from 0 to 1000000; write unlimited"},
    {APP "[bake]\ntime = 1m\nresets = none\n", "[bake] resets: ", "write unlimited for no bound"},
    {APP "[bake]\ntime = 1m\noverflows = 1000001\n", "[bake] overflows: ", "from 0 to 1000000"},
    {APP "[bake]\ntime = 1m\nerrors = 10\n", "[bake] errors: ", "whole percent from 0% to 100%"},
    {APP "[bake]\ntime = 1m\nerrors = 101%\n", "[bake] errors: ", "whole percent from 0% to 100%"},
    {APP "[bake]\ntime = 1m\nerrors = 0.5%\n", "[bake] errors: ", "whole percent from 0% to 100%"},
    {APP "[bake]\ntime = 1m\nerrors = %\n", "[bake] errors: ", "is not a share"},
    {APP "[bake]\ntime = 1m\nrestart = 1\n", "[bake] restart: ", "did you mean restarts?"},
    /* [failover] */
    {APP "[failover]\nauto = perhaps\n", "[failover] auto: ", "neither yes nor no"},
    {APP "[failover]\nautomatic = yes\n", "[failover] automatic: ", "unknown key"},
    {APP "[fail-over]\nauto = yes\n", "[fail-over]: ", "did you mean failover?"},
    /* what the agent says to hooks */
    {APP "environment = BLUEGREEN_HOOK=x\n", "[app] environment: ", "BLUEGREEN_HOOK is set by the agent"},
    {APP "environment = BLUEGREEN_ADDRESS6=x\n", "[app] environment: ", "BLUEGREEN_ADDRESS6 is set by the agent"},
};

static void test_bad_files(void **state)
{
    expect_bad_files(bad, COUNT(bad));
}

/* Every unlucky key is named, not only the first. */
static void test_all_at_once(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    static const char content[] = APP "[hooks]\ntest = a\non_failover = /bin/b\n[test]\nhttp = /\n[bake]\n"
                                      "guard = c\nerrors = 5\n";
    assert_int_equal(parse(content, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 6); /* the guard is no path, and has no time */
}

/* --- values ------------------------------------------------------------------------------------- */

static void test_refused_values_change_nothing(void **state)
{
    struct test_page pages[TEST_PAGES_MAX] = {{.path = "/before"}};
    size_t count = 1;
    uint32_t percent = 7;
    struct hook_rule rule = {0};
    assert_int_equal(grammar_pages("/a 200 | b", pages, &count, NULL), -EINVAL);
    assert_int_equal(count, 1);
    assert_string_equal(pages[0].path, "/before");
    assert_int_equal(grammar_percent("7", &percent, NULL), -EINVAL);
    assert_int_equal(percent, 7);
    assert_int_equal(grammar_hook("host: \"", &rule, NULL), -EINVAL);
    assert_true(rule.run.count == 0 && !rule.on_host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_hooks),        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_bake),         cmocka_unit_test(test_schema),
        cmocka_unit_test(test_keep),         cmocka_unit_test(test_releases),
        cmocka_unit_test(test_switched_off), cmocka_unit_test(test_most_pages),
        cmocka_unit_test(test_longest_text), cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_all_at_once),  cmocka_unit_test(test_refused_values_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
