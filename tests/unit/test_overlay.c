/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A changed file laid over what a zone was staged with: what takes effect, and what is told of it. */
#include "app_text.h"

#include "conf/overlay.h"

#define APP   "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server\n"
#define CHECK "[health]\nhttp = :8080/healthz\n"

static struct service kept, before, fresh;
static struct overlay overlay;
static struct words problems;

static int teardown(void **state)
{
    (void)state;
    service_clear(&kept);
    service_clear(&before);
    service_clear(&fresh);
    overlay_clear(&overlay);
    words_clear(&problems);
    return 0;
}

/* former NULL: there was no file. */
static int lay(const char *staged, const char *former, const char *changed)
{
    teardown(NULL);
    parse_good(staged, &kept);
    if (former)
        parse_good(former, &before);
    parse_good(changed, &fresh);
    return conf_overlay("apps/web.conf", &kept, former ? &before : NULL, &fresh, &overlay, &problems);
}

static void expect_words(const struct words *words, const char *expected)
{
    CLEANUP_TEXT struct text text = {0};
    text_add(&text, "");
    for (size_t i = 0; i < words->count; i++)
        text_addf(&text, "%s%s", i ? ", " : "", words->items[i]);
    assert_string_equal(text.data, expected);
}

static void expect_overlay(const char *staged, const char *former, const char *changed, const char *now,
                           const char *waits)
{
    assert_int_equal(lay(staged, former, changed), 0);
    expect_words(&overlay.now, now);
    expect_words(&overlay.waits, waits);
    assert_non_null(overlay.service);
    assert_string_equal(overlay.service->source, staged);
    assert_int_equal(overlay.service->source_length, strlen(staged));
}

static void test_nothing(void **state)
{
    (void)state;
    expect_overlay(APP CHECK, APP CHECK, APP CHECK, "", "");
    expect_overlay(APP CHECK, NULL, APP "; a comment\n[health]\nhttp   =   :8080/healthz\n\n", "", "");
}

static void test_key_by_key(void **state)
{
    (void)state;
    const char *changed = APP CHECK "interval = 3s\n[limits]\nopen_files = 64\n[drain]\ntimeout = 2s\n";
    expect_overlay(APP CHECK, APP CHECK, changed, "[health] interval, [drain] timeout", "[limits] open_files");
    assert_int_equal(overlay.service->health.interval_ms, 3000);
    assert_int_equal(overlay.service->drain_timeout_ms, 2000);
    assert_int_equal(overlay.service->limits.open_files, 0);
    /* Once more: it is no news, and what waits does so still. */
    expect_overlay(APP CHECK, changed, changed, "", "[limits] open_files");
    assert_int_equal(overlay.service->health.interval_ms, 3000);
    /* A new agent knows of no former file. */
    expect_overlay(APP CHECK, NULL, changed, "[health] interval, [drain] timeout", "[limits] open_files");
    /* Taken away again, from the file and from what it was staged with. */
    expect_overlay(APP CHECK, changed, APP CHECK, "[health] interval, [drain] timeout", "");
    assert_int_equal(overlay.service->health.interval_ms, 1000);
    expect_overlay(APP CHECK "interval = 3s\n", NULL, APP CHECK, "[health] interval", "");
    assert_int_equal(overlay.service->health.interval_ms, 1000);
    expect_overlay(APP CHECK "[limits]\nopen_files = 64\n", NULL, APP CHECK, "", "[limits] open_files");
    assert_int_equal(overlay.service->limits.open_files, 64);
}

/* Path and answers are asked for as the file says; which check it is, and at which port, is the release's. */
static void test_a_check(void **state)
{
    (void)state;
    expect_overlay(APP CHECK, NULL, APP "[health]\nhttp = :8080/ready\nstatus = 204\nhost = www\n",
                   "[health] http, [health] status, [health] host", "");
    assert_string_equal(overlay.service->health.path, "/ready");
    expect_overlay(APP CHECK, NULL, APP "[health]\nhttp = :9090/healthz\nhost = www\ninterval = 2s\n",
                   "[health] interval", "[health] http, [health] host");
    assert_int_equal(overlay.service->health.port, 8080);
    expect_overlay(APP CHECK "status = 204\n", NULL, APP "[health]\nexec = /bin/true\nnotify = yes\n", "",
                   "[health] http, [health] status, [health] exec, [health] notify");
    assert_int_equal(overlay.service->health.kind, HEALTH_HTTP);
    assert_int_equal(overlay.service->health.status_count, 1);
}

static void test_processes_and_ports_stay(void **state)
{
    (void)state;
    const char *staged = APP "[ports]\nhttp = 80 -> 8080/tcp\n[process mail]\nrun = /bin/mail\n[process idle]\n"
                             "run = /bin/idle\nwhen = live\n";
    expect_overlay(staged, NULL, APP "[ports]\nhttp = 81 -> 8080/tcp\n[process cron]\nrun = /bin/cron\n", "",
                   "[ports] http, [process mail] run, [process idle] run, [process idle] when, [process cron] run");
    assert_int_equal(overlay.service->process_count, 2);
    assert_true(overlay.service->processes[1].live_only);
    assert_int_equal(overlay.service->ports[0].published, 80);
}

/* A hook is a command of the release; how long it may take is not. */
static void test_hooks_stay(void **state)
{
    (void)state;
    expect_overlay(APP "[hooks]\ntest = /bin/a\n[bake]\ntime = 1m\nguard = /bin/g\n", NULL,
                   APP "[hooks]\ntest = /bin/b\ntimeout = 9s\n", "[bake] time, [hooks] timeout",
                   "[hooks] test, [bake] guard");
    assert_string_equal(overlay.service->hooks[HOOK_TEST].run.items[0], "/bin/a");
    assert_int_equal(overlay.service->hook_timeout_ms, 9000);
    assert_int_equal(overlay.service->bake.time_ms, 0);
}

static void test_keep(void **state)
{
    (void)state;
    expect_overlay(APP, NULL, APP "[standby]\nkeep = 365d\nfreeze = yes\n", "[standby] keep, [standby] freeze", "");
    assert_true(overlay.service->keep_ms == 365ull * 86400000);
    expect_overlay(APP "[standby]\nkeep = no\n", NULL, APP, "[standby] keep", "");
    assert_true(overlay.service->keep_ms == KEEP_UNTIL_NEXT);
}

static void test_what_does_not_go_together(void **state)
{
    (void)state;
    int result =
        lay(APP CHECK "[bake]\ntime = 10m\nguard = /bin/g\ninterval = 30s\n", NULL, APP CHECK "[bake]\ntime = 5s\n");
    assert_int_equal(result, -EINVAL);
    assert_null(overlay.service);
    assert_int_equal(problems.count, 1);
    assert_true(text_starts_with(problems.items[0], "apps/web.conf: [bake] interval: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nothing, teardown),
        cmocka_unit_test_teardown(test_key_by_key, teardown),
        cmocka_unit_test_teardown(test_a_check, teardown),
        cmocka_unit_test_teardown(test_processes_and_ports_stay, teardown),
        cmocka_unit_test_teardown(test_hooks_stay, teardown),
        cmocka_unit_test_teardown(test_keep, teardown),
        cmocka_unit_test_teardown(test_what_does_not_go_together, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
