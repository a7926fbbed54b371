/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files: what a good one gives, and a long table of bad ones with what is said about each. */
#include "app_text.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/file.h"
#include "conf/scan.h"
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

static int parse_bytes(const char *content, size_t length, struct service *service, struct words *problems)
{
    return conf_parse_app("apps/web.conf", content, length, service, problems);
}

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

/* --- files on the disk ------------------------------------------------------------------------- */

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
