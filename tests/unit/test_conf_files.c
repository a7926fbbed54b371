/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files on the disk: apps and what is wrong with them together, the agent's, and the examples. */
#include "app_text.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/file.h"
#include "os/files.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define APP          "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server\n"

static char directory[PATH_MAX];

static int setup(void **state)
{
    strcpy(directory, "/tmp/bluegreen-conf-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    return directory_remove(directory, NULL);
}

static const char *write_file(const char *name, const char *content)
{
    static char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(file_write_atomic(path, 0600, content, strlen(content), NULL), 0);
    return path;
}

static void expect_problem(const struct words *problems, size_t at, const char *file, const char *rest)
{
    CLEANUP_TEXT struct text start = {0};
    text_addf(&start, "%s/%s: %s", directory, file, rest);
    if (at >= problems->count || !text_starts_with(problems->items[at], start.data))
        fail_msg("problem %zu of %zu is \"%s\", not \"%s\"", at, problems->count,
                 at < problems->count ? problems->items[at] : "", start.data);
}

static void test_load_app(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_SERVICE struct service service = {0};
    assert_int_equal(conf_load_app(write_file("web.conf", APP), &service, &problems), 0);
    assert_string_equal(service.source, APP);
    assert_int_equal(conf_load_app(write_file("other.conf", APP), &service, &problems), -EINVAL);
    expect_problem(&problems, 0, "other.conf", "[app] name: is \"web\", but the file is called other.conf; rename");
    char longer[64];
    snprintf(longer, sizeof longer, "%s", "web2.conf");
    assert_int_equal(conf_load_app(write_file(longer, APP), &service, &problems), -EINVAL);
    expect_problem(&problems, 1, "web2.conf", "[app] name: is \"web\"");
}

static void test_unreadable_files(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_FREE char *large = malloc(CONF_FILE_MAX + 2);
    struct service service;
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/missing.conf", directory);
    assert_int_equal(conf_load_app(path, &service, &problems), -EINVAL);
    expect_problem(&problems, 0, "missing.conf", "there is no such file");
    snprintf(path, sizeof path, "%s/fifo.conf", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(conf_load_app(path, &service, &problems), -EINVAL); /* and it does not wait for a writer */
    expect_problem(&problems, 1, "fifo.conf", "is not a regular file");
    assert_int_equal(conf_load_app(directory, &service, &problems), -EINVAL);
    assert_non_null(strstr(problems.items[2], "is not a regular file"));
    memset(large, '\n', CONF_FILE_MAX + 1);
    large[CONF_FILE_MAX + 1] = '\0';
    assert_int_equal(conf_load_app(write_file("large.conf", large), &service, &problems), -EINVAL);
    expect_problem(&problems, 3, "large.conf", "larger than 256 KiB");
    snprintf(path, sizeof path, "%s/web.conf/x.conf", directory);
    write_file("web.conf", APP);
    assert_int_equal(conf_load_app(path, &service, &problems), -EINVAL);
    expect_problem(&problems, 4, "web.conf/x.conf", "cannot be read: Not a directory");
}

#define NAMED(name, rest) "[app]\nname = " name "\nuser = web\nrun = /bin/a\n" rest

static void test_load_apps(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app_set set = {0};
    write_file("a.conf", NAMED("a", "[ports]\nhttp = 80 -> 1/tcp\n"));
    write_file("a-b.conf", NAMED("a-b", "[ports]\nhttp = 81 -> 1/tcp\n"));
    write_file("c.conf", NAMED("c", "[ports]\nhttp = 80 -> 1/udp\n"));
    write_file("notes.txt", "not ours");
    write_file("web.conf.bak", "not ours");
    write_file(".hidden.conf", "not ours");
    write_file(".conf", "not ours");
    assert_int_equal(conf_load_apps(directory, &set, &problems), 0);
    assert_int_equal(set.count, 3);
    assert_string_equal(set.services[0]->name, "a");
    assert_string_equal(set.services[1]->name, "a-b");
    assert_string_equal(set.services[2]->name, "c");
    app_set_clear(&set);
    assert_int_equal(set.count, 0);
    assert_null(set.services);
}

static void test_two_apps_on_one_port(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app_set set = {.count = 7};
    char earlier[PATH_MAX + 64];
    write_file("a.conf", NAMED("a", "[ports]\nhttp = 80 -> 1/tcp\n"));
    write_file("b.conf", NAMED("b", "[ports]\nok = 81 -> 1/tcp\nweb = 192.0.2.1:80 -> 1/tcp\n"));
    assert_int_equal(conf_load_apps(directory, &set, &problems), -EINVAL);
    assert_int_equal(set.count, 0);
    assert_int_equal(problems.count, 1);
    expect_problem(&problems, 0, "b.conf", "[ports] web: claims 192.0.2.1:80/tcp, which ");
    snprintf(earlier, sizeof earlier, "%s/a.conf claims too: [ports] http", directory);
    assert_non_null(strstr(problems.items[0], earlier));
}

static void test_one_bad_app(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app_set set = {0};
    write_file("a.conf", NAMED("a", ""));
    write_file("b.conf", NAMED("b", "[drain]\nthen = x\n"));
    write_file("Bad Name.conf", NAMED("bad", ""));
    assert_int_equal(conf_load_apps(directory, &set, &problems), -EINVAL);
    assert_int_equal(set.count, 0);
    assert_null(set.services);
    assert_int_equal(problems.count, 2);
    expect_problem(&problems, 0, "Bad Name.conf", "[app] name: is \"bad\", but");
    expect_problem(&problems, 1, "b.conf", "[drain] then: ");
}

static void test_no_apps(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct app_set set = {.count = 7};
    assert_int_equal(conf_load_apps(directory, &set, &problems), 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(conf_load_apps("/no/such/directory", &set, &problems), 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(conf_load_apps(write_file("file", ""), &set, &problems), -EINVAL);
    expect_problem(&problems, 0, "file", "cannot be read: Not a directory");
}

/* --- the agent's file -------------------------------------------------------------------------- */

static void test_agent_defaults(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct agent_conf conf, defaults;
    char text[ADDRESS_TEXT_MAX + 4];
    agent_conf_default(&defaults);
    assert_string_equal(defaults.instance, "bluegreen");
    assert_string_equal(defaults.group, "bluegreen");
    assert_int_equal(defaults.log_level, 6);
    assert_string_equal(prefix_format(&defaults.pools.ipv4, text), "10.201.0.0/16");
    assert_string_equal(prefix_format(&defaults.pools.ipv6, text), "fd00:b9::/48");
    memset(&conf, 0xff, sizeof conf);
    assert_int_equal(conf_load_agent("/no/such/file", &conf, &problems), 0);
    assert_memory_equal(&conf, &defaults, sizeof conf);
    assert_int_equal(conf_load_agent(write_file("bluegreen.conf", "# nothing set\n"), &conf, &problems), 0);
    assert_memory_equal(&conf, &defaults, sizeof conf);
}

static void test_agent_keys(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct agent_conf conf;
    char text[ADDRESS_TEXT_MAX + 4];
    const char *path = write_file("bluegreen.conf", "[agent]\ninstance = second\ngroup = ops\nlog_level = debug\n"
                                                    "[network]\nipv4 = 10.0.0.0/8\nipv6 = 2001:db8::/120\n"
                                                    "[firewall]\nintegrate = yes\n");
    agent_conf_default(&conf);
    assert_false(conf.firewall_integrate);
    assert_int_equal(conf_load_agent(path, &conf, &problems), 0);
    assert_true(conf.firewall_integrate);
    assert_string_equal(conf.instance, "second");
    assert_string_equal(conf.group, "ops");
    assert_int_equal(conf.log_level, 7);
    assert_string_equal(prefix_format(&conf.pools.ipv4, text), "10.0.0.0/8");
    assert_string_equal(prefix_format(&conf.pools.ipv6, text), "2001:db8::/120");
}

static void test_agent_refusals(void **state)
{
    static const struct {
        const char *content, *place;
    } refused[] = {
        {"[agent]\ninstance = Second\n", "[agent] instance: \"Second\" is not an instance's name"},
        {"[agent]\ninstance = ../x\n", "[agent] instance: "},
        {"[agent]\ngroup = 0\n", "[agent] group: \"0\" is a number"},
        {"[agent]\nlog_level = loud\n", "[agent] log_level: \"loud\" is not one of error"},
        {"[agent]\nlog_level = 7\n", "[agent] log_level: "},
        {"[agent]\nipv4 = 10.0.0.0/8\n", "[agent] ipv4: unknown key; ipv4 belongs in [network]"},
        {"[agents]\n", "[agents]: unknown section; did you mean agent?"},
        {"[app]\nname = web\n", "[app]: unknown section"},
        {"[network]\nipv4 = 10.201.0.1/16\n",
         "[network] ipv4: \"10.201.0.1/16\" is not an IPv4 network without host bits"},
        {"[network]\nipv4 = 10.201.0.0\n", "[network] ipv4: "},
        {"[firewall]\nintegrate = perhaps\n", "[firewall] integrate: "},
        {"[network]\nipv4 = fd00::/48\n", "[network] ipv4: "},
        {"[network]\nipv4 = 10.0.0.0/29\n", "[network] ipv4: /29 is out of range; a pool is /8 to /28"},
        {"[network]\nipv4 = 10.0.0.0/7\n", "[network] ipv4: /7 is out of range"},
        {"[network]\nipv4 = 127.0.0.0/16\n", "[network] ipv4: overlaps 127.0.0.0/8"},
        {"[network]\nipv4 = 240.0.0.0/8\n", "[network] ipv4: overlaps 224.0.0.0/3"},
        {"[network]\nipv4 = 169.254.0.0/20\n", "[network] ipv4: overlaps 169.254.0.0/16"},
        {"[network]\nipv6 = 10.0.0.0/8\n", "[network] ipv6: "},
        {"[network]\nipv6 = fd00::/121\n", "[network] ipv6: /121 is out of range; a pool is /16 to /120"},
        {"[network]\nipv6 = fe80::/64\n", "[network] ipv6: overlaps fe80::/10"},
        {"[network]\nipv6 = ff00::/16\n", "[network] ipv6: overlaps ff00::/8"},
        {"[network]\nipv6 = ::/64\n", "[network] ipv6: overlaps ::/96"},
        {"[network]\nipv4 = 10.0.0.0/8\nipv4 = 10.1.0.0/16\n", "[network] ipv4: stands at line 2 and again"},
        {"instance = x\n", "line 1: the key instance stands before any section"},
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        CLEANUP_WORDS struct words problems = {0};
        struct agent_conf conf, before;
        memset(&conf, 0x55, sizeof conf);
        before = conf;
        assert_int_equal(conf_load_agent(write_file("bluegreen.conf", refused[i].content), &conf, &problems), -EINVAL);
        assert_int_equal(problems.count, 1);
        expect_problem(&problems, 0, "bluegreen.conf", refused[i].place);
        assert_memory_equal(&conf, &before, sizeof conf); /* a running agent keeps its old one */
    }
    CLEANUP_WORDS struct words problems = {0};
    struct agent_conf conf;
    assert_int_equal(conf_load_agent(directory, &conf, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
}

/* The examples that are installed must say what is true: every key is there with its default, and is taken. */
static void uncomment(const char *path, char **content)
{
    size_t length, used = 0;
    struct error err = {0};
    if (file_read(path, CONF_FILE_MAX, content, &length, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < length; i++) { /* "#key = value" is a setting, "# text" is prose */
        bool line_start = i == 0 || (*content)[i - 1] == '\n';
        if (!(line_start && (*content)[i] == '#' && (*content)[i + 1] != ' ' && (*content)[i + 1] != '\n'))
            (*content)[used++] = (*content)[i];
    }
    (*content)[used] = '\0';
}

static void test_agent_example(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_FREE char *content = NULL;
    struct agent_conf conf, defaults;
    agent_conf_default(&defaults);
    assert_int_equal(conf_load_agent("conf/bluegreen.conf", &conf, &problems), 0);
    assert_memory_equal(&conf, &defaults, sizeof conf);
    uncomment("conf/bluegreen.conf", &content);
    static const char *const keys[] = {"\ninstance = ", "\ngroup = ", "\nlog_level = ", "\nipv4 = ", "\nipv6 = "};
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_non_null(strstr(content, keys[i]));
    if (conf_load_agent(write_file("bluegreen.conf", content), &conf, &problems) != 0)
        fail_msg("%s", problems.items[0]);
    assert_memory_equal(&conf, &defaults, sizeof conf);
}

static void test_app_example(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_FREE char *content = NULL;
    CLEANUP_SERVICE struct service plain = {0}, full = {0};
    size_t length;
    assert_int_equal(file_read("conf/apps/web.conf.example", CONF_FILE_MAX, &content, &length, NULL), 0);
    if (parse_bytes(content, length, &plain, &problems) != 0)
        fail_msg("%s", problems.items[0]);
    free(content);
    uncomment("conf/apps/web.conf.example", &content);
    if (parse_bytes(content, strlen(content), &full, &problems) != 0)
        fail_msg("%s", problems.items[0]);
    for (size_t i = 0; i < app_rule_count; i++) {
        char line[40], within[48]; /* in a comment, where it contradicts another key */
        snprintf(line, sizeof line, "\n%s = ", app_rules[i].key ? app_rules[i].key : "http");
        snprintf(within, sizeof within, "\n# %s", line + 1);
        if (!strstr(content, line) && !strstr(content, within))
            fail_msg("the example does not show [%s] %s", app_rules[i].section, app_rules[i].key);
    }
    /* What is commented out is the default. */
    assert_int_equal(full.stop_timeout_ms, plain.stop_timeout_ms);
    assert_int_equal(full.drain_timeout_ms, plain.drain_timeout_ms);
    assert_int_equal(full.drain_then, plain.drain_then);
    assert_int_equal(full.health.interval_ms, plain.health.interval_ms);
    assert_int_equal(full.health.timeout_ms, plain.health.timeout_ms);
    assert_int_equal(full.health.passes, plain.health.passes);
    assert_int_equal(full.health.failures, plain.health.failures);
    assert_int_equal(full.health.start_timeout_ms, plain.health.start_timeout_ms);
    assert_int_equal(full.health.grace_ms, plain.health.grace_ms);
    assert_int_equal(full.health.follow_redirects, plain.health.follow_redirects);
    assert_int_equal(full.stop_signal, plain.stop_signal);
    assert_memory_equal(&full.restart, &plain.restart, sizeof full.restart);
    assert_int_equal(full.sandbox.syscalls, plain.sandbox.syscalls);
    assert_false(full.sandbox.system_writable || full.sandbox.home_visible || full.sandbox.kernel_visible ||
                 full.sandbox.run_visible || full.limits.optional || full.freeze || full.health.notify);
    assert_int_equal(full.hook_timeout_ms, plain.hook_timeout_ms);
    assert_memory_equal(&full.bake, &plain.bake, sizeof full.bake);
    assert_false(full.failover);
    assert_int_equal(full.test_count, 2);
    for (size_t i = 0; i < HOOKS; i++)
        assert_true(full.hooks[i].run.count > 0 && plain.hooks[i].run.count == 0);
    assert_int_equal(full.process_count, 1);
    assert_false(full.processes[0].live_only);
    assert_int_equal(full.file_count, 6);
    assert_int_equal(full.share_count, 2);
    assert_false(egress_fences(&full.egress));
    assert_int_equal(full.health.status_count, 1); /* written out, it is the 200-299 that 0 stands for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_load_app, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_apps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_apps_on_one_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_bad_app, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_apps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_example, setup, teardown),
        cmocka_unit_test(test_app_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
