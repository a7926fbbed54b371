/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files: what a good one gives, and a long table of bad ones with what is said about each. */
#include "app_text.h"

#include "base/cleanup.h"
#include "conf/scan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define APP          "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server\n"

/* --- good files ------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good(APP, &service);
    assert_string_equal(service.name, "web");
    assert_string_equal(service.user, "web");
    assert_string_equal(service.group, "");
    assert_int_equal(service.run.count, 1);
    assert_string_equal(service.run.items[0], "/srv/web/%r/server");
    assert_null(service.workdir);
    assert_null(service.env_file);
    assert_int_equal(service.environment.count, 0);
    assert_int_equal(service.stop_timeout_ms, 10000);
    assert_int_equal(service.port_count, 0);
    assert_int_equal(service.health.kind, HEALTH_ALIVE);
    assert_int_equal(service.health.interval_ms, 1000);
    assert_int_equal(service.health.timeout_ms, 5000);
    assert_int_equal(service.health.passes, 2);
    assert_int_equal(service.health.failures, 3);
    assert_int_equal(service.health.start_timeout_ms, 60000);
    assert_int_equal(service.health.grace_ms, 0);
    assert_int_equal(service.drain_timeout_ms, 30000);
    assert_int_equal(service.drain_then, DRAIN_CUT);
    assert_int_equal(service.nudge_after_ms, 5000);
    assert_int_equal(service.nudge.count, 0);
    assert_string_equal(service.source, APP);
    assert_int_equal(service.source_length, strlen(APP));
}

static void test_every_key(void **state)
{
    CLEANUP_SERVICE struct service service;
    parse_good("# a comment; with # marks\n"
               "; another\n"
               "\n"
               "  [ app ]  \n"
               "name=web\n"
               "  user\t=  web-data  \n"
               "group = www\n"
               "run = /srv/web/%r/server --title \"two words\" '%z'\n"
               "workdir = /srv/web/%r\n"
               "environment = A=1 | B=two words | C=x=y\n"
               "env_file = -/etc/web.env\n"
               "stop_timeout = 1m\n"
               "[ports]\n"
               "http = 80 -> 8080/tcp\n"
               "v6 = [2001:db8::7]:81 -> 8080/tcp\n"
               "dns_2-a = 53 -> 5353/udp keep\n"
               "[health]\n"
               "http = :8081/healthz\n"
               "interval = 2s\n"
               "timeout = 500ms\n"
               "passes = 3\n"
               "failures = 4\n"
               "start_timeout = 90s\n"
               "grace = 5s\n"
               "host = www.example.org:8080\n"
               "status = 200-299 304\n"
               "follow_redirects = yes\n"
               "[drain]\n"
               "timeout = 5m\n"
               "then = leave",
               &service);
    assert_string_equal(service.user, "web-data");
    assert_string_equal(service.group, "www");
    assert_int_equal(service.run.count, 4);
    assert_string_equal(service.run.items[2], "two words");
    assert_string_equal(service.run.items[3], "%z");
    assert_string_equal(service.workdir, "/srv/web/%r");
    assert_int_equal(service.environment.count, 3);
    assert_string_equal(service.environment.items[1], "B=two words");
    assert_string_equal(service.env_file, "-/etc/web.env");
    assert_int_equal(service.stop_timeout_ms, 60000);
    assert_int_equal(service.port_count, 3);
    assert_string_equal(service.ports[0].name, "http");
    assert_string_equal(service.ports[1].name, "v6");
    assert_string_equal(service.ports[2].name, "dns_2-a");
    assert_int_equal(service.ports[1].listen.family, 6);
    assert_int_equal(service.ports[2].udp, UDP_KEEP);
    assert_int_equal(service.health.kind, HEALTH_HTTP);
    assert_int_equal(service.health.port, 8081);
    assert_string_equal(service.health.path, "/healthz");
    assert_int_equal(service.health.interval_ms, 2000);
    assert_int_equal(service.health.timeout_ms, 500);
    assert_int_equal(service.health.passes, 3);
    assert_int_equal(service.health.failures, 4);
    assert_int_equal(service.health.start_timeout_ms, 90000);
    assert_int_equal(service.health.grace_ms, 5000);
    assert_string_equal(service.health.host, "www.example.org:8080");
    assert_int_equal(service.health.status_count, 2);
    assert_true(service.health.follow_redirects);
    assert_int_equal(service.drain_timeout_ms, 300000);
    assert_int_equal(service.drain_then, DRAIN_LEAVE);
}

/* Without a check, the first TCP port is connected to. */
static void test_check_by_default(void **state)
{
    struct service service;
    parse_good(APP "[ports]\ndns = 53 -> 53/udp\nhttp = 80 -> 8080/tcp\nalt = 81 -> 8081/tcp\n", &service);
    assert_int_equal(service.health.kind, HEALTH_TCP);
    assert_int_equal(service.health.port, 8080);
    service_clear(&service);
    parse_good(APP "[ports]\ndns = 53 -> 53/udp\n", &service);
    assert_int_equal(service.health.kind, HEALTH_ALIVE);
    service_clear(&service);
    parse_good(APP "[ports]\nhttp = 80 -> 8080/tcp\n[health]\ntcp = :9090\n", &service);
    assert_int_equal(service.health.kind, HEALTH_TCP);
    assert_int_equal(service.health.port, 9090);
    service_clear(&service);
}

static void test_spellings_that_are_fine(void **state)
{
    struct service service;
    parse_good("[app]\r\nname = web\r\nuser = web\r\nrun = /bin/a b\r\n", &service);
    assert_string_equal(service.run.items[1], "b");
    service_clear(&service);
    parse_good("[app]\nname = 'web'\nuser = \"web\"\nrun = '\"/srv/my app/server\" --x'\n", &service);
    assert_string_equal(service.run.items[0], "/srv/my app/server");
    assert_string_equal(service.run.items[1], "--x");
    service_clear(&service);
    parse_good("[app]\nname = web\nuser = web\nrun = /bin/a --x==y =z \\x23 \\x3b\n", &service);
    assert_string_equal(service.run.items[1], "--x==y");
    assert_string_equal(service.run.items[2], "=z");
    assert_string_equal(service.run.items[3], "#");
    assert_string_equal(service.run.items[4], ";");
    service_clear(&service);
    parse_good(APP "# gr\xc3\xbc\xc3\x9f\n[drain]\n\n\n", &service);
    service_clear(&service);
    parse_good("[app]\nname = web\nuser = root\nrun = /bin/gr\xc3\xbc\xc3\x9f\n", &service);
    assert_string_equal(service.run.items[0], "/bin/gr\xc3\xbc\xc3\x9f");
    service_clear(&service);
}

static void test_longest_line(void **state)
{
    struct service service;
    char value[SCAN_LINE_MAX], content[2 * SCAN_LINE_MAX];
    memset(value, 'a', sizeof value);
    snprintf(content, sizeof content, "[app]\nname = web\nuser = web\nrun = /%.*s\n", SCAN_LINE_MAX - 7, value);
    parse_good(content, &service); /* "run = /" has seven bytes */
    assert_int_equal(strlen(service.run.items[0]), SCAN_LINE_MAX - 6);
    service_clear(&service);
}

/* --- bad files -------------------------------------------------------------------------------- */

static const struct bad_file bad[] = {
    /* what iniparser would change in silence */
    {APP "user = root\n", "[app] user: ", "stands at line 3 and again at line 5"},
    {APP "Workdir = /srv\n", "[app] workdir: ", "capitals at line 5"},
    {APP "[drain]\n[app]\nstop_timeout = 1s\n", "[app]: ", "stands at line 1 and again at line 6"},
    {APP "[DRAIN]\ntimeout = 1s\n", "[drain]: ", "capitals at line 5"},
    {APP "workdir = /srv # the place\n", "[app] workdir: ", "a comment behind the value?"},
    {APP "workdir = /srv ; the place\n", "[app] workdir: ", "a comment behind the value?"},
    {APP "workdir = /srv#1\n", "[app] workdir: ", "the value holds '#'"},
    {APP "workdir = '/srv#1'\n", "[app] workdir: ", "the value holds '#'"},
    {APP "workdir = \"/srv;1\"\n", "[app] workdir: ", "the value holds ';'"},
    {APP "workdir = # nothing\n", "[app] workdir: ", "a comment behind the value?"},
    {APP "workdir = \"/srv\" /x\n", "[app] workdir: ", "\"/x\" behind the closing quote"},
    {APP "workdir = '/srv'/x\n", "[app] workdir: ", "\"/x\" behind the closing quote"},
    {APP "workdir = \"/srv\n", "[app] workdir: ", "the quote \" is not closed"},
    {APP "workdir = '/srv\n", "[app] workdir: ", "the quote ' is not closed"},
    {APP "workdir = \"/srv\\x20a\"\n", "[app] workdir: ", "a backslash in a value that begins with a quote"},
    {APP "workdir = \"/srv\\\"\n", "[app] workdir: ", "a backslash in a value that begins with a quote"},
    {APP "workdir = /srv \\\n  /x\n", "[app] workdir: ", "would join the next line"},
    {APP "# ends in a backslash \\\n[drain]\n", "line 5: ", "would join the next line"},
    {APP "workdir =\n", "[app] workdir: ", "no value"},
    {APP "workdir = \"\"\n", "[app] workdir: ", "no value"},
    {APP "workdir = ''\n", "[app] workdir: ", "no value"},
    /* what is no configuration at all */
    {"name = web\n" APP, "line 1: ", "the key name stands before any section"},
    {APP "workdir /srv\n", "line 5: ", "no '='"},
    {APP "workdir: /srv\n", "line 5: ", "no '='"},
    {APP "= /srv\n", "line 5: ", "nothing before '='"},
    {APP "work dir = /srv\n", "line 5: ", "\"work dir\" is not a key"},
    {APP "w\xc3\xa4g = 1\n", "line 5: ", "is not a key"},
    {APP "[drain\n", "line 5: ", "has no closing ']'"},
    {APP "[drain] # comment\n", "line 5: ", "\"# comment\" behind the section's ']'"},
    {APP "[]\n", "line 5: ", "\"\" is not a section's name"},
    {APP "[dr ain]\n", "[dr ain]: ", "unknown section"},
    {APP "[d r n]\n", "line 5: ", "is not a section's name"},
    {APP "workdir = /srv/\x01\n", "[app] workdir: ", "a control character"},
    {APP "workdir = /srv/\x7f\n", "[app] workdir: ", "a control character"},
    {APP "workdir = /a\rb\n", "[app] workdir: ", "a control character"},
    {APP "workdir = /srv/\xff\n", "[app] workdir: ", "not UTF-8"},
    {APP "# \xc3\n", "line 5: ", "not UTF-8"},
    {APP "\x1b[2J\n", "line 5: ", "a control character"},
    {"\xef\xbb\xbf" APP, "line 1: ", "byte order mark"},
    /* what nobody knows */
    {APP "[helth]\nhttp = :80/\n", "[helth]: ", "unknown section; did you mean health?"},
    {APP "[zzzzzzzz]\n", "[zzzzzzzz]: ", "unknown section; there are app, process, ports, files"},
    {APP "stop_timout = 1s\n", "[app] stop_timout: ", "unknown key; did you mean stop_timeout?"},
    {APP "then = cut\n", "[app] then: ", "unknown key; then belongs in [drain]"},
    {APP "[drain]\nxyzxyzxyz = 1\n", "[drain] xyzxyzxyz: ", "unknown key; there are timeout, then"},
    /* [app] */
    {"[app]\nuser = web\nrun = /bin/a\n", "[app] name: ", "missing"},
    {"[app]\nname = web\nrun = /bin/a\n", "[app] user: ", "missing"},
    {"[app]\nname = web\nuser = web\n", "[app] run: ", "missing"},
    {"[app]\nname = my_web\nuser = web\nrun = /bin/a\n", "[app] name: ", "is not an app's name"},
    {"[app]\nname = web\nuser = 1000\nrun = /bin/a\n", "[app] user: ", "is a number; write the name"},
    {"[app]\nname = web\nuser = we b\nrun = /bin/a\n", "[app] user: ", "not an account's name"},
    {APP "group = -x\n", "[app] group: ", "not an account's name"},
    {APP "group = 0\n", "[app] group: ", "is a number"},
    {"[app]\nname = web\nuser = web\nrun = server\n", "[app] run: ", "not an absolute path"},
    {"[app]\nname = web\nuser = web\nrun = -/bin/a\n", "[app] run: ", "not an absolute path"},
    {"[app]\nname = web\nuser = web\nrun = /bin/a \"b\n", "[app] run: ", "the quote \" is not closed"},
    {"[app]\nname = web\nuser = web\nrun = /bin/a \\q\n", "[app] run: ", "is no escape"},
    {"[app]\nname = web\nuser = web\nrun = /bin/a %h\n", "[app] run: ", "unknown '%h'"},
    {APP "workdir = srv\n", "[app] workdir: ", "not an absolute path"},
    {APP "workdir = /srv/../etc\n", "[app] workdir: ", "has a \"..\""},
    {APP "workdir = /srv/%\n", "[app] workdir: ", "'%' at the end"},
    {APP "environment = A\n", "[app] environment: ", "is not NAME=VALUE"},
    {APP "environment = A=1 | A=2\n", "[app] environment: ", "A is set twice"},
    {APP "environment = A=50%\n", "[app] environment: ", "'%' at the end"},
    {APP "environment = BLUEGREEN_APP=x\n", "[app] environment: ", "BLUEGREEN_APP is set by the agent"},
    {APP "env_file = web.env\n", "[app] env_file: ", "not an absolute path"},
    {APP "stop_timeout = 10\n", "[app] stop_timeout: ", "\"10\" is not a duration"},
    {APP "stop_timeout = 2h\n", "[app] stop_timeout: ", "out of range; it is 0 to 1h"},
    /* [ports] */
    {APP "[ports]\nhttp = 80\n", "[ports] http: ", "no '->'"},
    {APP "[ports]\nhttp = 80 -> 8080\n", "[ports] http: ", "no protocol; write 8080/tcp"},
    {APP "[ports]\nhttp = 70000 -> 8080/tcp\n", "[ports] http: ", "not a port number"},
    {APP "[ports]\nhttp = 1.2.3.4.5:80 -> 8080/tcp\n", "[ports] http: ", "not an IPv4 address"},
    {APP "[ports]\nhttp = 2001:db8::7:80 -> 8080/tcp\n", "[ports] http: ", "in brackets"},
    {APP "[ports]\nhttp = 80 -> 8080/tcp keep\n", "[ports] http: ", "for udp ports"},
    {APP "[ports]\n8080 = 80 -> 8080/tcp\n", "[ports] 8080: ", "not a port's name"},
    {APP "[ports]\na = 80 -> 1/tcp\nb = 192.0.2.1:80 -> 2/tcp\n", "[ports] b: ", "which [ports] a claims too"},
    /* [health] and [drain] */
    {APP "[health]\nhttp = :80/\ntcp = :80\n", "[health] tcp: ", "http is set already"},
    {APP "[health]\nhttp = http://127.0.0.1/\n", "[health] http: ", "always goes to the zone itself"},
    {APP "[health]\ntcp = :80/x\n", "[health] tcp: ", "after the port"},
    {APP "[health]\ninterval = 10ms\n", "[health] interval: ", "out of range; it is 50ms to 1h"},
    {APP "[health]\ntimeout = 1h\n", "[health] timeout: ", "out of range; it is 10ms to 10m"},
    {APP "[health]\npasses = 0\n", "[health] passes: ", "not a number from 1 to 100"},
    {APP "[health]\nfailures = many\n", "[health] failures: ", "not a number from 1 to 100"},
    {APP "[health]\nstart_timeout = 1s\n", "[health] start_timeout: ", "cannot be reached"},
    {APP "[health]\ngrace = 1m\n", "[health] grace: ", "not shorter than start_timeout"},
    {APP "[health]\nhttp = :80/\nhost = a b\n", "[health] host: ", "not a host name"},
    {APP "[health]\nhttp = :80/\nstatus = 2xx\n", "[health] status: ", "not an HTTP status"},
    {APP "[health]\nhttp = :80/\nfollow_redirects = maybe\n", "[health] follow_redirects: ", "neither yes nor no"},
    {APP "[health]\ntcp = :80\nhost = example.org\n", "[health] host: ", "only with an http check"},
    {APP "[drain]\ntimeout = 2d\n", "[drain] timeout: ", "out of range; it is 0 to 1d"},
    {APP "[drain]\nthen = kill\n", "[drain] then: ", "not one of cut, leave"},
    {APP "[drain]\nnudge = yes\nnudge_after = 99ms\n", "[drain] nudge_after: ", "out of range; it is 100ms to 1h"},
    {APP "[drain]\nnudge_after = 1s\n", "[drain] nudge_after: ", "write \"nudge = yes\" too"},
};

static void test_bad_files(void **state)
{
    expect_bad_files(bad, COUNT(bad));
}

/* One run tells everything, each thing once, in the order of the file and then of the rules. */
static void test_all_problems_are_told(void **state)
{
    static const char content[] = "[app]\n"
                                  "name = web\n"
                                  "user = 0\n"
                                  "run = server # start it\n"
                                  "colour = red\n"
                                  "[ports]\n"
                                  "http = 80 -> 8080/tcp\n"
                                  "https = 443 -> 8443\n"
                                  "alt = 80 -> 8081/tcp\n"
                                  "[helth]\n"
                                  "http = :80/\n"
                                  "[drain]\n"
                                  "timeout = soon\n";
    static const char *const expected[] = {
        "f: [app] run: a comment behind the value?",
        "f: [helth]: unknown section",
        "f: [app] user: ",
        "f: [app] colour: unknown key",
        "f: [ports] https: ",
        "f: [drain] timeout: ",
        "f: [ports] alt: claims 80/tcp",
    };
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    assert_int_equal(conf_parse_app("f", content, strlen(content), &service, &problems), -EINVAL);
    for (size_t i = 0; i < problems.count && i < COUNT(expected); i++) {
        if (!text_starts_with(problems.items[i], expected[i]))
            fail_msg("problem %zu is \"%s\", not \"%s\"", i, problems.items[i], expected[i]);
    }
    assert_int_equal(problems.count, COUNT(expected));
}

static void test_over_long_lines(void **state)
{
    char content[8192], value[5000];
    memset(value, 'a', sizeof value);
    for (size_t length = SCAN_LINE_MAX - 6; length < sizeof value; length += 997) { /* from one too many */
        CLEANUP_WORDS struct words problems = {0};
        struct service service;
        snprintf(content, sizeof content, "[app]\nname = web\nuser = web\nrun = /%.*s\n", (int)length, value);
        assert_int_equal(parse_bytes(content, strlen(content), &service, &problems), -EINVAL);
        assert_int_equal(problems.count, 1);
        assert_true(
            text_starts_with(problems.items[0], "apps/web.conf: [app] run: the line is longer than 1022 bytes"));
    }
}

static void test_binary_junk(void **state)
{
    char junk[5000];
    uint32_t seed = 1;
    for (int round = 0; round < 200; round++) {
        CLEANUP_WORDS struct words problems = {0};
        struct service service;
        for (size_t i = 0; i < sizeof junk; i++) {
            seed = seed * 1103515245 + 12345;
            junk[i] = (char)(seed >> 16);
            if (round % 2 && junk[i] == '\0') /* otherwise the first NUL ends it */
                junk[i] = '\n';
        }
        assert_int_equal(parse_bytes(junk, sizeof junk, &service, &problems), -EINVAL);
        assert_true(problems.count > 0 && problems.count <= 100);
        for (size_t i = 0; i < problems.count; i++) {
            CLEANUP_FREE char *clean = strdup(problems.items[i]);
            text_sanitise(clean);
            assert_string_equal(clean, problems.items[i]); /* safe to print */
            assert_true(text_starts_with(problems.items[i], "apps/web.conf: "));
        }
    }
}

static void test_nul_byte(void **state)
{
    static const char content[] = APP "[dra\0in]\n";
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    assert_int_equal(parse_bytes(content, sizeof content - 1, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0], "apps/web.conf: line 5: a NUL byte: this is not a text file");
}

static void test_empty_file(void **state)
{
    CLEANUP_WORDS struct words problems = {0};
    struct service service;
    assert_int_equal(parse_bytes("", 0, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 3); /* name, user, run */
}

static void test_too_many_ports(void **state)
{
    CLEANUP_TEXT struct text content = {0};
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_SERVICE struct service service = {0};
    text_add(&content, APP "[ports]\n");
    for (int i = 0; i < SERVICE_PORTS_MAX; i++)
        text_addf(&content, "p%d = %d -> 1/tcp\n", i, 1000 + i);
    assert_int_equal(parse_bytes(content.data, content.length, &service, &problems), 0);
    assert_int_equal(service.port_count, SERVICE_PORTS_MAX);
    service_clear(&service);
    text_add(&content, "last = 1 -> 1/tcp\n");
    assert_int_equal(parse_bytes(content.data, content.length, &service, &problems), -EINVAL);
    assert_true(text_starts_with(problems.items[0], "apps/web.conf: [ports] last: more than 64 ports"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_check_by_default),
        cmocka_unit_test(test_spellings_that_are_fine),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_all_problems_are_told),
        cmocka_unit_test(test_over_long_lines),
        cmocka_unit_test(test_binary_junk),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_too_many_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
