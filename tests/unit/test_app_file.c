/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections of an app's file that say what it may see, use and be: processes, files, sandbox, limits, restarts. */
#include "app_text.h"

#include "base/cleanup.h"
#include "os/files.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define APP          "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server\n"

/* --- good files ------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    CLEANUP_SERVICE struct service service;
    static const struct limits none = {0};
    parse_good(APP, &service);
    assert_int_equal(service.stop_signal, SIGTERM);
    assert_int_equal(service.process_count, 0);
    assert_int_equal(service.file_count, 0);
    assert_int_equal(service.sandbox.syscalls, SYSCALLS_DEFAULT);
    assert_false(service.sandbox.system_writable || service.sandbox.home_visible || service.sandbox.kernel_visible ||
                 service.sandbox.run_visible);
    assert_int_equal(service.sandbox.devices.count, 0);
    assert_memory_equal(&service.limits, &none, sizeof none);
    assert_false(limits_need_cgroups(&service.limits));
    assert_int_equal(service.restart.policy, RESTART_ALWAYS);
    assert_int_equal(service.restart.delay_ms, 200);
    assert_int_equal(service.restart.delay_max_ms, 30000);
    assert_int_equal(service.restart.limit, 5);
    assert_int_equal(service.restart.window_ms, 60000);
    assert_false(service.freeze);
    assert_false(service.health.notify);
    assert_int_equal(service.health.watchdog_ms, 0);
}

static void expect_rule(const struct file_rule *rule, enum file_access access, const char *source, const char *target)
{
    assert_int_equal(rule->access, access);
    assert_string_equal(rule->source, source);
    assert_true(text_equal(rule->target, target));
}

static void test_every_key(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "stop_signal = SIGQUIT\n"
                   "[files]\n"
                   "write = /srv/web/uploads | /srv/cache-%z -> /srv/cache\n"
                   "hide = /srv/secrets\n"
                   "state = /var/lib/web-%z->/var/lib/web\n"
                   "read = /home/me/data\n"
                   "[sandbox]\nsyscalls = log\nsystem = writable\nhome = visible\nkernel = visible\nrun = visible\n"
                   "devices = /dev/fuse | /dev/dri\n"
                   "[limits]\nmemory = 512M\nmemory_high = 400M\nswap = 0\ncpu = 150%\ncpu_weight = 200\n"
                   "tasks = 512\nio_weight = 50\nopen_files = 65536\nrequired = no\n"
                   "[restart]\npolicy = on-failure\ndelay = 1s\nmax_delay = 10s\nlimit = 3\nwindow = 5m\n"
                   "[standby]\nfreeze = yes\n"
                   "[health]\nexec = /srv/web/%r/check --deep\nnotify = yes\nwatchdog = 30s\n",
               &service);
    assert_int_equal(service.stop_signal, SIGQUIT);
    assert_int_equal(service.file_count, 5);
    expect_rule(&service.files[0], FILE_WRITE, "/srv/web/uploads", NULL);
    expect_rule(&service.files[1], FILE_WRITE, "/srv/cache-%z", "/srv/cache");
    expect_rule(&service.files[2], FILE_HIDE, "/srv/secrets", NULL);
    expect_rule(&service.files[3], FILE_STATE, "/var/lib/web-%z", "/var/lib/web");
    expect_rule(&service.files[4], FILE_READ, "/home/me/data", NULL);
    assert_int_equal(service.sandbox.syscalls, SYSCALLS_LOG);
    assert_true(service.sandbox.system_writable && service.sandbox.home_visible && service.sandbox.kernel_visible &&
                service.sandbox.run_visible);
    assert_int_equal(service.sandbox.devices.count, 2);
    assert_string_equal(service.sandbox.devices.items[1], "/dev/dri");
    assert_int_equal(service.limits.memory, 512 << 20);
    assert_int_equal(service.limits.memory_high, 400 << 20);
    assert_true(service.limits.swap_set && service.limits.swap == 0);
    assert_int_equal(service.limits.cpu_permille, 1500);
    assert_int_equal(service.limits.cpu_weight, 200);
    assert_int_equal(service.limits.tasks, 512);
    assert_int_equal(service.limits.io_weight, 50);
    assert_int_equal(service.limits.open_files, 65536);
    assert_true(service.limits.optional && limits_need_cgroups(&service.limits));
    assert_int_equal(service.restart.policy, RESTART_ON_FAILURE);
    assert_int_equal(service.restart.delay_ms, 1000);
    assert_int_equal(service.restart.delay_max_ms, 10000);
    assert_int_equal(service.restart.limit, 3);
    assert_int_equal(service.restart.window_ms, 300000);
    assert_true(service.freeze);
    assert_int_equal(service.health.kind, HEALTH_EXEC);
    assert_int_equal(service.health.exec.count, 2);
    assert_true(service.health.notify);
    assert_int_equal(service.health.watchdog_ms, 30000);
}

static void test_the_stricter_words(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[sandbox]\nsyscalls = default\nsystem = read-only\nhome = hidden\nkernel = hidden\nrun = hidden\n"
                   "[limits]\nrequired = yes\n[restart]\npolicy = always\n[standby]\nfreeze = no\n",
               &service);
    assert_int_equal(service.sandbox.syscalls, SYSCALLS_DEFAULT);
    assert_false(service.sandbox.system_writable || service.sandbox.home_visible || service.sandbox.kernel_visible ||
                 service.sandbox.run_visible || service.limits.optional || service.freeze);
    service_clear(&service);
    parse_good(APP "[sandbox]\nsyscalls = off\n[restart]\npolicy = no\n", &service);
    assert_int_equal(service.sandbox.syscalls, SYSCALLS_OFF);
    assert_int_equal(service.restart.policy, RESTART_NO);
    service_clear(&service);
    parse_good(APP "[sandbox]\nsyscalls = baseline\n", &service);
    assert_int_equal(service.sandbox.syscalls, SYSCALLS_BASELINE);
}

static void test_processes(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[process worker]\nrun = /srv/web/%r/worker --queue 'a b'\nwhen = live\n"
                   "[ process cron-2 ]\nrun = /srv/web/%r/cron\n"
                   "[process z]\nwhen = always\nrun = /bin/z\n",
               &service);
    assert_int_equal(service.process_count, 3);
    assert_string_equal(service.processes[0].name, "worker");
    assert_int_equal(service.processes[0].run.count, 3);
    assert_string_equal(service.processes[0].run.items[2], "a b");
    assert_true(service.processes[0].live_only);
    assert_string_equal(service.processes[1].name, "cron-2");
    assert_false(service.processes[1].live_only);
    assert_string_equal(service.processes[2].run.items[0], "/bin/z");
    assert_false(service.processes[2].live_only);
}

static void test_most_processes(void **state)
{
    CLEANUP_TEXT struct text content = {0};
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    text_add(&content, APP);
    for (int i = 0; i < PROCESSES_MAX; i++)
        text_addf(&content, "[process p%d]\nrun = /bin/p\n", i);
    parse_good(content.data, &service);
    assert_int_equal(service.process_count, PROCESSES_MAX);
    service_clear(&service);
    text_add(&content, "[process more]\nrun = /bin/p\n");
    assert_int_equal(parse(content.data, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
    assert_true(text_starts_with(problems.items[0], "apps/web.conf: [process more]: more than 15 processes"));
}

static void test_most_files(void **state)
{
    CLEANUP_TEXT struct text content = {0};
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    text_add(&content, APP "[files]\nread = /a0");
    for (int i = 1; i < FILE_RULES_MAX; i++)
        text_addf(&content, " | /a%d", i);
    parse_good(content.data, &service);
    assert_int_equal(service.file_count, FILE_RULES_MAX);
    service_clear(&service);
    text_add(&content, "\nwrite = /b\n");
    assert_int_equal(parse(content.data, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
    assert_true(text_starts_with(problems.items[0], "apps/web.conf: [files] write: more than 64 paths"));
}

/* Without a check, an app that says when it is ready is taken at its word; with one, both are needed. */
static void test_notify(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[ports]\nhttp = 80 -> 8080/tcp\n[health]\nnotify = yes\n", &service);
    assert_int_equal(service.health.kind, HEALTH_NOTIFY);
    service_clear(&service);
    parse_good(APP "[ports]\nhttp = 80 -> 8080/tcp\n[health]\nnotify = yes\ntcp = :8080\n", &service);
    assert_int_equal(service.health.kind, HEALTH_TCP);
    assert_true(service.health.notify);
    service_clear(&service);
    parse_good(APP "[ports]\nhttp = 80 -> 8080/tcp\n[health]\nnotify = no\n", &service);
    assert_int_equal(service.health.kind, HEALTH_TCP);
}

static void test_values_at_their_bounds(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP "[limits]\nmemory = 1M\nmemory_high = 1M\nswap = 1024T\ncpu = 1%\ncpu_weight = 10000\ntasks = 1\n"
                   "io_weight = 1\nopen_files = 16\n[restart]\ndelay = 100ms\nmax_delay = 100ms\nlimit = 1000\n"
                   "window = 1d\n[health]\nnotify = yes\nwatchdog = 1s\n",
               &service);
    assert_int_equal(service.limits.cpu_permille, 10);
    assert_true(service.limits.swap == 1ull << 50);
    service_clear(&service);
    parse_good(APP "[limits]\ncpu = 102400%\ntasks = 4194304\nopen_files = 1073741816\nmemory = 4100K\n", &service);
    assert_int_equal(service.limits.cpu_permille, 1024000);
    assert_int_equal(service.limits.memory, 4100 << 10);
}

/* --- bad files -------------------------------------------------------------------------------- */

static const struct bad_file bad[] = {
    {APP "stop_signal = TERMINATE\n", "[app] stop_signal: ", "it is SIGTERM, SIGINT"},
    {APP "stop_signal = 15\n", "[app] stop_signal: ", "is not a signal to end a program with"},
    {APP "stop_signal = SIGKILL\n", "[app] stop_signal: ", "write stop_timeout = 0"},
    {APP "group_name = The-Shop\n", "[app] group_name: ", "is not a group's name"},
    {APP "[health]\ngroup_name = shop\n", "[health] group_name: ", "unknown key; group_name belongs in [app]"},
    /* [process NAME] */
    {APP "[process]\nrun = /bin/a\n", "[process]: ", "which one? Write [process NAME]"},
    {APP "[proces worker]\nrun = /bin/a\n", "[proces worker]: ", "unknown section; did you mean process?"},
    {APP "[health web]\ntcp = :80\n", "[health web]: ", "without a name; write [health]"},
    {APP "[process worker]\n", "[process worker] run: ", "missing; write the command"},
    {APP "[process worker]\nrun = worker\n", "[process worker] run: ", "not an absolute path"},
    {APP "[process worker]\nrun = /bin/a %q\n", "[process worker] run: ", "unknown '%q'"},
    {APP "[process worker]\nrun = /bin/a \"b\n", "[process worker] run: ", "is not closed"},
    {APP "[process worker]\nrun = /bin/a\nwhen = standby\n", "[process worker] when: ", "not one of always, live"},
    {APP "[process worker]\nrun = /bin/a\nuser = x\n", "[process worker] user: ", "unknown key; user belongs in [app]"},
    {APP "[process worker]\nrun = /bin/a\nwen = live\n", "[process worker] wen: ", "unknown key; did you mean when?"},
    {APP "when = live\n", "[app] when: ", "unknown key; when belongs in [process NAME]"},
    {APP "[process main]\nrun = /bin/a\n", "[process main]: ", "main is what [app] run starts"},
    {APP "[process 2nd]\nrun = /bin/a\n", "[process 2nd]: ", "is not a process's name"},
    {APP "[process a_b]\nrun = /bin/a\n", "[process a_b]: ", "is not a process's name"},
    {APP "[process Worker]\nrun = /bin/a\n", "[process worker]: ", "capitals at line 5"},
    {APP "[process  worker]\nrun = /bin/a\n", "line 5: ", "\"process  worker\" is not a section's name"},
    {APP "[process\tworker]\nrun = /bin/a\n", "line 5: ", "is not a section's name"},
    {APP "[process a b]\nrun = /bin/a\n", "line 5: ", "is not a section's name"},
    {APP "[process w]\nrun = /bin/a\n[drain]\n[process w]\nwhen = live\n",
     "[process w]: ", "at line 5 and again at line"},
    /* [files] */
    {APP "[files]\nwrite = srv\n", "[files] write: ", "\"srv\" is not an absolute path"},
    {APP "[files]\nwrite = /srv/../etc\n", "[files] write: ", "has a \"..\""},
    {APP "[files]\nwrite = /srv/a -> b\n", "[files] write: ", "\"b\" is not an absolute path"},
    {APP "[files]\nwrite = /srv/a -> /b/..\n", "[files] write: ", "has a \"..\""},
    {APP "[files]\nwrite = /srv/%q\n", "[files] write: ", "unknown '%q'"},
    {APP "[files]\nread = /a | | /b\n", "[files] read: ", "nothing between two '|'"},
    {APP "[files]\nread = /a ->\n", "[files] read: ", "write PATH -> PATH IN THE ZONE"},
    {APP "[files]\nread = /a -> /b -> /c\n", "[files] read: ", "write PATH -> PATH IN THE ZONE"},
    {APP "[files]\nhide = /a -> /b\n", "[files] hide: ", "has no other place"},
    {APP "[files]\nwrite = /\n", "[files] write: ", "[sandbox] system = writable"},
    {APP "[files]\nhide = //\n", "[files] hide: ", "name what is to be hidden"},
    {APP "[files]\nread = /srv -> /\n", "[files] read: ", "\"/\" is the whole system"},
    {APP "[files]\nwrite = /proc/sys\n", "[files] write: ", "[sandbox] kernel = visible"},
    {APP "[files]\nread = /proc -> /srv/proc\n", "[files] read: ", "is made anew for each app"},
    {APP "[files]\nread = /srv -> /sys/fs\n", "[files] read: ", "/sys/fs is in /sys"},
    {APP "[files]\nread = /dev/fuse\n", "[files] read: ", "name devices in [sandbox] devices"},
    {APP "[files]\nstate = /srv/%z -> /dev/shm/x\n", "[files] state: ", "is in /dev"},
    {APP "[files]\nread = /a | /b | /a/\n", "[files] read: ", "/a/ is named twice"},
    {APP "[files]\nread = /a\nwrite = /b -> /a/.\n", "[files] write: ", "/a/. is named in [files] read too"},
    {APP "[files]\nread = /a-blue\nstate = /a-%z\n", "[files] state: ", "/a-%z is named in [files] read too"},
    {APP "[files]\nwrite = /a\nhide = /a\n", "[files] hide: ", "is to be hidden and to be shown (write)"},
    {APP "[files]\nhide = /a\nread = /b -> /a\n", "[files] read: ", "is to be hidden and to be shown (hide)"},
    {APP "[files]\nread = /var/lib/bluegreen\n", "[files] read: ", "is the agent's own"},
    {APP "[files]\nwrite = /var/lib/bluegreen/zones\n", "[files] write: ", "is the agent's own"},
    {APP "[files]\nstate = /etc/bluegreen/apps\n", "[files] state: ", "is the agent's own"},
    {APP "[files]\nwrite = /srv -> /run/bluegreen\n", "[files] write: ", "is the agent's own"},
    /* [sandbox] */
    {APP "[sandbox]\nsyscalls = none\n", "[sandbox] syscalls: ", "not one of default, baseline, log, off"},
    {APP "[sandbox]\nsystem = yes\n", "[sandbox] system: ", "not one of read-only, writable"},
    {APP "[sandbox]\nhome = shown\n", "[sandbox] home: ", "not one of hidden, visible"},
    {APP "[sandbox]\nkernel = off\n", "[sandbox] kernel: ", "not one of hidden, visible"},
    {APP "[sandbox]\nrun = /bin/a\n", "[sandbox] run: ", "not one of hidden, visible"},
    {APP "[sandbox]\ndevices = fuse\n", "[sandbox] devices: ", "\"fuse\" is not a path below /dev"},
    {APP "[sandbox]\ndevices = /dev/../etc\n", "[sandbox] devices: ", "is not a path below /dev"},
    {APP "[sandbox]\ndevices = /dev\n", "[sandbox] devices: ", "is not a path below /dev"},
    {APP "[sandbox]\ndevices = /dev/null\n", "[sandbox] devices: ", "is there for every app"},
    {APP "[sandbox]\ndevices = /dev/pts/0\n", "[sandbox] devices: ", "is there for every app"},
    {APP "[sandbox]\ndevices = /dev/fuse | /dev/kvm | /dev/fuse\n", "[sandbox] devices: ", "is named twice"},
    {APP "[sandbox]\ndevices = /dev/fuse |\n", "[sandbox] devices: ", "nothing between two '|'"},
    /* [limits] */
    {APP "[limits]\nmemory = lots\n", "[limits] memory: ", "is not a size"},
    {APP "[limits]\nmemory = 512MB\n", "[limits] memory: ", "is not a size"},
    {APP "[limits]\nmemory = 1000K\n", "[limits] memory: ", "out of range; it is 1024K to 1024T"},
    {APP "[limits]\nmemory = 2000T\n", "[limits] memory: ", "out of range"},
    {APP "[limits]\nmemory = 5000001\n", "[limits] memory: ", "not a multiple of 4K"},
    {APP "[limits]\nmemory = 1G\nmemory_high = 2G\n", "[limits] memory_high: ", "are above memory"},
    {APP "[limits]\nswap = 1\n", "[limits] swap: ", "not a multiple of 4K"},
    {APP "[limits]\ncpu = 0.5\n", "[limits] cpu: ", "write whole percent of one CPU"},
    {APP "[limits]\ncpu = 2\n", "[limits] cpu: ", "write whole percent of one CPU"},
    {APP "[limits]\ncpu = 12.5%\n", "[limits] cpu: ", "write whole percent of one CPU"},
    {APP "[limits]\ncpu = 0%\n", "[limits] cpu: ", "write whole percent of one CPU"},
    {APP "[limits]\ncpu_weight = 0\n", "[limits] cpu_weight: ", "not a number from 1 to 10000"},
    {APP "[limits]\ntasks = 4194305\n", "[limits] tasks: ", "not a number from 1 to 4194304"},
    {APP "[limits]\nio_weight = 10001\n", "[limits] io_weight: ", "not a number from 1 to 10000"},
    {APP "[limits]\nopen_files = 15\n", "[limits] open_files: ", "not a number from 16 to 1073741816"},
    {APP "[limits]\nrequired = maybe\n", "[limits] required: ", "neither yes nor no"},
    {APP "[limits]\nmemroy = 1G\n", "[limits] memroy: ", "did you mean memory?"},
    /* [restart] and [standby] */
    {APP "[restart]\npolicy = never\n", "[restart] policy: ", "not one of always, on-failure, no"},
    {APP "[restart]\ndelay = 50ms\n", "[restart] delay: ", "out of range; it is 100ms to 30s"},
    {APP "[restart]\nmax_delay = 2h\n", "[restart] max_delay: ", "out of range; it is 100ms to 1h"},
    {APP "[restart]\ndelay = 2s\nmax_delay = 1s\n", "[restart] max_delay: ", "shorter than delay"},
    {APP "[restart]\nlimit = 0\n", "[restart] limit: ", "not a number from 1 to 1000"},
    {APP "[restart]\nwindow = 500ms\n", "[restart] window: ", "out of range; it is 1s to 1d"},
    {APP "[restart]\ndelay = 30s\n", "[restart] window: ", "5 ends take at least 120000ms"},
    {APP "[standby]\nfreeze = 2\n", "[standby] freeze: ", "neither yes nor no"},
    {APP "[drain]\nthen = leave\n[standby]\nfreeze = yes\n", "[standby] freeze: ", "would hang"},
    {APP "[ports]\nhttp = 80 -> 8080/tcp\n[drain]\nnudge = htp\n", "[drain] nudge: ", "htp is no TCP port"},
    {APP "[ports]\ndns = 53 -> 5353/udp\n[drain]\nnudge = dns\n", "[drain] nudge: ", "dns is no TCP port"},
    {APP "[ports]\nhttp = 80 -> 8080/tcp\n[drain]\nnudge = yes | http\n", "[drain] nudge: ", "write yes alone"},
    /* [health] */
    {APP "[health]\nexec = check\n", "[health] exec: ", "not an absolute path"},
    {APP "[health]\nexec = /bin/a %q\n", "[health] exec: ", "unknown '%q'"},
    {APP "[health]\nexec = /bin/a\nhttp = :80/\n", "[health] http: ", "exec is set already"},
    {APP "[health]\ntcp = :80\nexec = /bin/a\n", "[health] exec: ", "tcp is set already"},
    {APP "[health]\nexec = /bin/a\nstatus = 200\n", "[health] status: ", "only with an http check"},
    {APP "[health]\nwatchdog = 5s\n", "[health] watchdog: ", "write \"notify = yes\" too"},
    {APP "[health]\nnotify = yes\nwatchdog = 500ms\n", "[health] watchdog: ", "out of range; it is 1s to 1h"},
    {APP "[health]\nnotify = ready\n", "[health] notify: ", "neither yes nor no"},
    {APP "[health]\nnotify = yes\npasses = 60\n", "[health] start_timeout: ", "cannot be reached"},
};

static void test_bad_files(void **state)
{
    expect_bad_files(bad, COUNT(bad));
}

/* --- the manual page -------------------------------------------------------------------------- */

/* One example as it is printed. */
static void unescape(const char *from, const char *end, struct text *to)
{
    while (from < end) {
        if (text_starts_with(from, "\\(dq")) {
            text_add(to, "\"");
            from += 4;
        } else if (text_starts_with(from, "\\e")) {
            text_add(to, "\\");
            from += 2;
        } else {
            text_add_bytes(to, from++, 1);
        }
    }
}

/* What people copy has to work. */
static void test_examples_of_the_manual(void **state)
{
    CLEANUP_FREE char *page = NULL;
    size_t length, count = 0;
    static const char begin[] = "literal -offset indent\n[app]\n";
    assert_int_equal(file_read("man/bluegreen.conf.5", 1 << 20, &page, &length, NULL), 0);
    for (const char *at = strstr(page, begin); at; at = strstr(at + 1, begin)) {
        CLEANUP_TEXT struct text example = {0};
        CLEANUP_SERVICE struct service service;
        const char *start = strstr(at, "[app]"), *end = strstr(at, "\n.Ed");
        assert_non_null(end);
        unescape(start, end + 1, &example);
        parse_good(example.data, &service);
        count++;
    }
    assert_true(count >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_the_stricter_words),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_most_processes),
        cmocka_unit_test(test_most_files),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_values_at_their_bounds),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_examples_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
