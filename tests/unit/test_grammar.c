/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The languages inside values: units, ports, checks, command lines, environments. */
#include "model/grammar.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- units ------------------------------------------------------------------------------------ */

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},       {"0s", 0},       {"500ms", 500},   {"30s", 30000},
                {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000}, {"18446744073709551615ms", UINT64_MAX},
                {"007s", 7000}};
    static const char *const bad[] = {"",
                                      "30",
                                      "s",
                                      "30 s",
                                      " 30s",
                                      "30s ",
                                      "30S",
                                      "30sec",
                                      "1.5s",
                                      "-1s",
                                      "+1s",
                                      "1m30s",
                                      "5M",
                                      "0x1s",
                                      "18446744073709551616ms",
                                      "18446744073709551615s",
                                      "99999999999999999999999999s",
                                      "30\xc2\xb5s",
                                      "00",
                                      "1w"};
    struct error err;
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t ms = 1;
        assert_int_equal(grammar_duration(good[i].text, &ms, NULL), 0);
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t ms;
        err = (struct error){0};
        if (grammar_duration(bad[i], &ms, &err) != -EINVAL)
            fail_msg("duration \"%s\" was taken", bad[i]);
        assert_non_null(strstr(err.text, "500ms, 30s, 5m"));
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},           {"4096", 4096},      {"100K", 102400}, {"512M", 512ull << 20},
                {"2G", 2ull << 30}, {"16T", 16ull << 40}};
    static const char *const bad[] = {
        "", "M", "1.5G", "512MB", "512m", "-1", "1 G", "16777216T", "18446744073709551616", "512MiB"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t bytes = 1;
        assert_int_equal(grammar_size(good[i].text, &bytes, NULL), 0);
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t bytes;
        assert_int_equal(grammar_size(bad[i], &bytes, NULL), -EINVAL);
    }
}

static void test_booleans(void **state)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"},
                             *const bad[] = {"", "y", "Yes", "TRUE", "2", "yes "};
    bool value;
    for (size_t i = 0; i < COUNT(yes); i++) {
        value = false;
        assert_int_equal(grammar_boolean(yes[i], &value, NULL), 0);
        assert_true(value);
        assert_int_equal(grammar_boolean(no[i], &value, NULL), 0);
        assert_false(value);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(grammar_boolean(bad[i], &value, NULL), -EINVAL);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void check_port(const char *text, const char *listen, uint16_t target, enum protocol protocol,
                       enum udp_policy udp)
{
    struct port port = {.name = "kept", .udp = UDP_KEEP};
    struct error err = {0};
    char shown[PORT_LISTEN_TEXT_MAX];
    if (grammar_port(text, &port, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(port_listen_format(&port, shown), listen);
    assert_int_equal(port.target, target);
    assert_int_equal(port.protocol, protocol);
    assert_int_equal(port.udp, udp);
    assert_string_equal(port.name, "kept");
}

static bool activated(const char *text)
{
    struct port port = {.name = "kept", .activated = true}; /* what was there does not stay */
    struct error err = {0};
    if (grammar_port(text, &port, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return port.activated;
}

static void test_ports_of_sockets_that_are_handed_over(void **state)
{
    (void)state;
    assert_true(activated("80 -> 8080/tcp listen"));
    assert_true(activated("53 -> 53/udp listen"));
    assert_true(activated("53 -> 53/udp keep listen"));
    assert_true(activated("53 -> 53/udp listen keep"));
    assert_false(activated("80 -> 8080/tcp"));
    check_port("53 -> 53/udp listen keep", "53", 53, PROTOCOL_UDP, UDP_KEEP);
}

static void test_ports(void **state)
{
    check_port("80 -> 8080/tcp", "80", 8080, PROTOCOL_TCP, UDP_MOVE);
    check_port("80->8080/tcp", "80", 8080, PROTOCOL_TCP, UDP_MOVE);
    check_port("  65535 \t->\t1/udp  ", "65535", 1, PROTOCOL_UDP, UDP_MOVE);
    check_port("53 -> 53/udp move", "53", 53, PROTOCOL_UDP, UDP_MOVE);
    check_port("443 -> 4433/udp keep", "443", 4433, PROTOCOL_UDP, UDP_KEEP);
    check_port("198.51.100.7:80 -> 8080/tcp", "198.51.100.7:80", 8080, PROTOCOL_TCP, UDP_MOVE);
    check_port("127.0.0.1:80 -> 8080/tcp", "127.0.0.1:80", 8080, PROTOCOL_TCP, UDP_MOVE);
    check_port("[2001:db8::7]:80 -> 8080/tcp", "[2001:db8::7]:80", 8080, PROTOCOL_TCP, UDP_MOVE);
}

static void check_range(const char *text, const char *listen, const char *target, unsigned count)
{
    struct port port = {0};
    struct error err = {0};
    char shown[PORT_LISTEN_TEXT_MAX], shown_target[PORT_TARGET_TEXT_MAX];
    if (grammar_port(text, &port, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(port_listen_format(&port, shown), listen);
    assert_string_equal(port_target_format(&port, shown_target), target);
    assert_int_equal(port.count, count);
}

static void test_port_ranges(void **state)
{
    check_range("80 -> 8080/tcp", "80", "8080", 1);
    check_range("8000-8010 -> 9000-9010/tcp", "8000-8010", "9000-9010", 11);
    check_range("8000-8010->8000-8010/udp keep", "8000-8010", "8000-8010", 11);
    check_range("8000-8000 -> 9000/tcp", "8000", "9000", 1);
    check_range("127.0.0.1:1-2 -> 65534-65535/tcp", "127.0.0.1:1-2", "65534-65535", 2);
    check_range("[2001:db8::7]:61440-65535 -> 1-4096/udp", "[2001:db8::7]:61440-65535", "1-4096", 4096);
}

static void test_ports_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"", "no '->'"},
        {"80", "no '->'"},
        {"80 8080/tcp", "no '->'"},
        {"80 ->", "nothing after '->'"},
        {"-> 8080/tcp", "\"\" is not a port number"},
        {"80 -> 8080", "no protocol"},
        {"80 -> /tcp", "not a port number"},
        {"80 -> 8080/", "not a protocol"},
        {"80 -> 8080/TCP", "not a protocol"},
        {"80 -> 8080/sctp", "not a protocol"},
        {"0 -> 8080/tcp", "not a port number"},
        {"65536 -> 8080/tcp", "not a port number"},
        {"080 -> 8080/tcp", "not a port number"},
        {"80 -> 0/tcp", "not a port number"},
        {"80 -> 65536/tcp", "not a port number"},
        {"-80 -> 8080/tcp", "not a port number"},
        {"http -> 8080/tcp", "not a port number"},
        {"80/tcp -> 8080/tcp", "not a port number"},
        {"80 81 -> 8080/tcp", "not a port number"},
        {"80 -> 8080/tcp -> 1/tcp", "unknown option"},
        {"80 -> 8080/tcp keep", "for udp ports"},
        {"80 -> 8080/tcp move", "for udp ports"},
        {"80 -> 8080/udp stay", "unknown option"},
        {"80 -> 8080/udp keep move", "once"},
        {"80 -> 8080/udp keep keep", "once"},
        {"80 -> 8080/tcp listen listen", "listen: write it once"},
        {"80 -> 8080/tcp listen keep", "for udp ports"},
        {"80 -> 8080/tcp Listen", "unknown option"},
        {":80 -> 8080/tcp", "not an IPv4 address"},
        {"*:80 -> 8080/tcp", "not an IPv4 address"},
        {"1.2.3:80 -> 8080/tcp", "not an IPv4 address"},
        {"256.0.0.1:80 -> 8080/tcp", "not an IPv4 address"},
        {"198.51.100.7: -> 8080/tcp", "not a port number"},
        {"2001:db8::7:80 -> 8080/tcp", "in brackets"},
        {"[2001:db8::7] -> 8080/tcp", "not [ADDRESS]:PORT"},
        {"[2001:db8::7]80 -> 8080/tcp", "not [ADDRESS]:PORT"},
        {"[2001:db8::7:80 -> 8080/tcp", "not [ADDRESS]:PORT"},
        {"[2001:db8::zz]:80 -> 8080/tcp", "not an IPv6 address"},
        {"[198.51.100.7]:80 -> 8080/tcp", "not an IPv6 address"},
        {"[]:80 -> 8080/tcp", "not an IPv6 address"},
        {"0.0.0.0:80 -> 8080/tcp", "every address"},
        {"[::]:80 -> 8080/tcp", "every address"},
        {"[::1]:80 -> 8080/tcp", "publish on 127.0.0.1"},
        {"8000-8010 -> 9000/tcp", "11 published ports lead to 1 in the zone; write 9000-9010"},
        {"8000-8010 -> 9000-9011/tcp", "11 published ports lead to 12 in the zone; write 9000-9010"},
        {"8000 -> 9000-9001/tcp", "1 published ports lead to 2 in the zone; both sides"},
        {"8000-8001 -> 65535/tcp", "both sides must be equally many"},
        {"8010-8000 -> 9010-9000/tcp", "8010-8000: a range goes from the lower port"},
        {"1-4097 -> 1-4097/tcp", "1-4097 are more than 4096 ports"},
        {"1-65535 -> 1-65535/tcp", "more than 4096 ports"},
        {"8000-65536 -> 1-2/tcp", "\"65536\" is not a port number"},
        {"8000- -> 9000/tcp", "not a port number"},
        {"8000-8001-8002 -> 1-3/tcp", "\"8001-8002\" is not a port number"},
        {"224.0.0.1:80 -> 8080/tcp", "not an address of a single host"},
        {"255.255.255.255:80 -> 8080/tcp", "not an address of a single host"},
        {"[ff02::1]:80 -> 8080/tcp", "not an address of a single host"},
        {"[::ffff:1.2.3.4]:80 -> 8080/tcp", "write the IPv4 address"},
        {"[fe80::1]:80 -> 8080/tcp", "link-local"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct port port = {.name = "kept", .target = 9}, before = port;
        struct error err = {0};
        if (grammar_port(bad[i].text, &port, &err) != -EINVAL)
            fail_msg("port \"%s\" was taken", bad[i].text);
        if (!strstr(err.text, bad[i].reason))
            fail_msg("port \"%s\": \"%s\" does not say \"%s\"", bad[i].text, err.text, bad[i].reason);
        assert_memory_equal(&port, &before, sizeof before);
    }
}

/* --- checks ----------------------------------------------------------------------------------- */

static void test_http_checks(void **state)
{
    struct health health = {0};
    assert_int_equal(grammar_health_http(":8080/healthz?full=1&x=%20", &health, NULL), 0);
    assert_int_equal(health.kind, HEALTH_HTTP);
    assert_int_equal(health.port, 8080);
    assert_string_equal(health.path, "/healthz?full=1&x=%20");
    assert_int_equal(grammar_health_http(":65535", &health, NULL), 0);
    assert_string_equal(health.path, "/");

    static const char *const bad[] = {"",
                                      "8080/healthz",
                                      ":/healthz",
                                      ":0/",
                                      ":65536/",
                                      ":08/",
                                      ":8080healthz",
                                      ":8080/a b",
                                      ":8080/a\tb",
                                      ":8080/a\r\nHost: x",
                                      ":8080/%zz",
                                      ":8080/%",
                                      ":8080/%2",
                                      ":8080/\xc3\xa9",
                                      ":8080/a\"b",
                                      ":8080/<x>",
                                      "http://localhost:8080/",
                                      "localhost:8080/",
                                      ":8080?x",
                                      ":-1/"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct health untouched = {.port = 9};
        struct error err = {0};
        if (grammar_health_http(bad[i], &untouched, &err) != -EINVAL)
            fail_msg("http check \"%s\" was taken", bad[i]);
        assert_int_equal(untouched.port, 9);
        assert_int_equal(untouched.kind, HEALTH_ALIVE);
    }
}

static void test_http_path_length(void **state)
{
    struct health health = {0};
    char value[HEALTH_PATH_MAX + 8] = ":80/";
    memset(value + 4, 'a', HEALTH_PATH_MAX - 1);
    assert_int_equal(grammar_health_http(value, &health, NULL), 0);
    assert_int_equal(strlen(health.path), HEALTH_PATH_MAX);
    value[4 + HEALTH_PATH_MAX - 1] = 'a';
    assert_int_equal(grammar_health_http(value, &health, NULL), -EINVAL);
}

static void test_tcp_checks(void **state)
{
    struct health health = {0};
    assert_int_equal(grammar_health_tcp(":8080", &health, NULL), 0);
    assert_int_equal(health.kind, HEALTH_TCP);
    assert_int_equal(health.port, 8080);
    static const char *const bad[] = {"", "8080", ":", ":0", ":65536", ":8080/", ":8080 ", "tcp://x:1", ":a"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(grammar_health_tcp(bad[i], &health, NULL), -EINVAL);
}

static void test_statuses(void **state)
{
    struct health health = {0};
    assert_int_equal(grammar_status("200 204\t301-308", &health, NULL), 0);
    assert_int_equal(health.status_count, 3);
    assert_int_equal(health.status[1].first, 204);
    assert_int_equal(health.status[1].last, 204);
    assert_int_equal(health.status[2].first, 301);
    assert_int_equal(health.status[2].last, 308);
    assert_int_equal(grammar_status("100-599", &health, NULL), 0);
    assert_int_equal(health.status_count, 1);
    assert_int_equal(grammar_status("200 201 202 203 204 205 206 207", &health, NULL), 0);
    assert_int_equal(health.status_count, STATUS_RANGES_MAX);
    static const char *const bad[] = {"",        " ",           "99",
                                      "600",     "200-",        "-200",
                                      "299-200", "200,204",     "2xx",
                                      "200-600", "200 -",       "200--204",
                                      "0200-1",  "200-204-208", "200 201 202 203 204 205 206 207 208"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (grammar_status(bad[i], &health, NULL) != -EINVAL)
            fail_msg("status \"%s\" was taken", bad[i]);
        assert_int_equal(health.status_count, STATUS_RANGES_MAX);
    }
}

/* --- words ------------------------------------------------------------------------------------ */

/* Expected words are joined by '|'. */
static void check_words(int (*parse)(const char *, struct words *, struct error *), const char *text,
                        const char *expected)
{
    CLEANUP_WORDS struct words words = {0};
    CLEANUP_TEXT struct text joined = {0};
    struct error err = {0};
    words_add(&words, "replaced");
    if (parse(text, &words, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    for (size_t i = 0; i < words.count; i++)
        text_addf(&joined, "%s%s", i ? "|" : "", words.items[i]);
    assert_string_equal(joined.data, expected);
    assert_null(words.items[words.count]);
}

static void check_refused(int (*parse)(const char *, struct words *, struct error *), const char *text,
                          const char *reason)
{
    CLEANUP_WORDS struct words words = {0};
    struct error err = {0};
    words_add(&words, "kept");
    if (parse(text, &words, &err) != -EINVAL)
        fail_msg("\"%s\" was taken", text);
    if (!strstr(err.text, reason))
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, err.text, reason);
    assert_int_equal(words.count, 1);
}

static void test_commands(void **state)
{
    check_words(grammar_command, "/bin/true", "/bin/true");
    check_words(grammar_command, "  /bin/a\tb  c ", "/bin/a|b|c");
    check_words(grammar_command, "/bin/a \"two words\" 'and two'", "/bin/a|two words|and two");
    check_words(grammar_command, "/bin/a \"\" ''", "/bin/a||");
    check_words(grammar_command, "/bin/a x\"y z\"w", "/bin/a|xy zw");
    check_words(grammar_command, "/bin/a \"it's\" 'say \"x\"'", "/bin/a|it's|say \"x\"");
    check_words(grammar_command, "/bin/a \\s \\x41\\102 \"\\t\" '\\n'", "/bin/a| |AB|\t|\n");
    check_words(grammar_command, "/bin/a \\\\ \\\" \\' \"\\\"\"", "/bin/a|\\|\"|'|\"");
    check_words(grammar_command, "/bin/a \\x23 \\x3b", "/bin/a|#|;");
    check_words(grammar_command, "/bin/a \\u20ac \\U0001f600 \\u00e9", "/bin/a|\xe2\x82\xac|\xf0\x9f\x98\x80|\xc3\xa9");
    check_words(grammar_command, "/bin/a \\a\\b\\f\\n\\r\\t\\v", "/bin/a|\a\b\f\n\r\t\v");
    check_words(grammar_command, "/bin/sh -c $HOME;*", "/bin/sh|-c|$HOME;*");
}

static void test_commands_refused(void **state)
{
    check_refused(grammar_command, "", "no command");
    check_refused(grammar_command, " \t ", "no command");
    check_refused(grammar_command, "/bin/a \"open", "not closed");
    check_refused(grammar_command, "/bin/a 'open", "not closed");
    check_refused(grammar_command, "/bin/a x'", "not closed");
    check_refused(grammar_command, "/bin/a \\", "no escape");
    check_refused(grammar_command, "/bin/a \\q", "no escape");
    check_refused(grammar_command, "/bin/a \\x", "no escape");
    check_refused(grammar_command, "/bin/a \\x4", "no escape");
    check_refused(grammar_command, "/bin/a \\xg0", "no escape");
    check_refused(grammar_command, "/bin/a \\x00", "no escape");
    check_refused(grammar_command, "/bin/a \\000", "no escape");
    check_refused(grammar_command, "/bin/a \\400", "no escape");
    check_refused(grammar_command, "/bin/a \\1", "no escape");
    check_refused(grammar_command, "/bin/a \\u12", "no escape");
    check_refused(grammar_command, "/bin/a \\ud800", "no escape");
    check_refused(grammar_command, "/bin/a \\U00110000", "no escape");
    check_refused(grammar_command, "/bin/a \\U0000", "no escape");
    check_refused(grammar_command, "/bin/a \"\\q\"", "no escape");
    check_refused(grammar_command, "/bin/a '\\", "no escape");
}

static void test_environments(void **state)
{
    check_words(grammar_environment, "A=1", "A=1");
    check_words(grammar_environment, "A=1 | B=two words", "A=1|B=two words");
    check_words(grammar_environment, "_a9=x=y|B=|C= \"q\" ", "_a9=x=y|B=|C= \"q\"");
    check_refused(grammar_environment, "", "nothing between");
    check_refused(grammar_environment, "A=1 |", "nothing between");
    check_refused(grammar_environment, "A=1 | | B=2", "nothing between");
    check_refused(grammar_environment, "A", "not NAME=VALUE");
    check_refused(grammar_environment, "=x", "not NAME=VALUE");
    check_refused(grammar_environment, "9A=x", "not NAME=VALUE");
    check_refused(grammar_environment, "A B=x", "not NAME=VALUE");
    check_refused(grammar_environment, "A-B=x", "not NAME=VALUE");
    check_refused(grammar_environment, "\xc3\xa9=x", "not NAME=VALUE");
    check_refused(grammar_environment, "A=1 | A=2", "A is set twice");
    check_refused(grammar_environment, "AB=1 | A=2 | AB=3", "AB is set twice");
}

/* --- shares, signals, files -------------------------------------------------------------------- */

static void test_cpus(void **state)
{
    uint32_t permille = 7;
    assert_int_equal(grammar_cpu("150%", &permille, NULL), 0);
    assert_int_equal(permille, 1500);
    assert_int_equal(grammar_cpu("1%", &permille, NULL), 0);
    assert_int_equal(permille, 10);
    assert_int_equal(grammar_cpu("102400%", &permille, NULL), 0);
    assert_int_equal(permille, 1024000);
    static const char *const bad[] = {"",    "%",    "0%",   "0.5",  "0.5%",  "1",         "150",  "150 %",
                                      "-5%", "+5%",  "50%%", "five", "0x10%", "102401%",   "1,5%", "99999999%",
                                      " 5%", "5%\t", "5% ",  "½%",   "5%%",   "123456789%"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct error err = {0};
        if (grammar_cpu(bad[i], &permille, &err) != -EINVAL)
            fail_msg("cpu \"%s\" was taken", bad[i]);
        assert_non_null(strstr(err.text, "whole percent of one CPU"));
        assert_int_equal(permille, 1024000);
    }
}

static void test_signals(void **state)
{
    static const struct {
        const char *text;
        int number;
    } good[] = {{"SIGTERM", SIGTERM}, {"TERM", SIGTERM},    {"INT", SIGINT},       {"SIGQUIT", SIGQUIT},
                {"HUP", SIGHUP},      {"SIGUSR1", SIGUSR1}, {"USR2", SIGUSR2},     {"ABRT", SIGABRT},
                {"SIGALRM", SIGALRM}, {"PWR", SIGPWR},      {"SIGWINCH", SIGWINCH}};
    int number = 0;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(grammar_signal(good[i].text, &number, NULL), 0);
        assert_int_equal(number, good[i].number);
    }
    assert_int_equal(grammar_signal("SIGRTMIN+3", &number, NULL), 0);
    assert_int_equal(number, SIGRTMIN + 3);
    assert_int_equal(grammar_signal("RTMIN", &number, NULL), 0);
    assert_int_equal(number, SIGRTMIN);
    static const char *const bad[] = {"",      "SIG",      "term",    "SIGterm",  "15",      "SIGSTOP",
                                      "KILL",  "SIGKILL",  "SIGCHLD", "RTMIN+31", "RTMIN+",  "RTMIN-1",
                                      "RTMAX", "SIGTERM ", "RTMIN3",  "SIGCONT",  "SIGSEGV", "SIGSIGTERM"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (grammar_signal(bad[i], &number, NULL) != -EINVAL)
            fail_msg("signal \"%s\" was taken", bad[i]);
    }
}

static void test_lists(void **state)
{
    check_words(grammar_list, "a", "a");
    check_words(grammar_list, " /dev/a | /dev/b c|d ", "/dev/a|/dev/b c|d");
    check_refused(grammar_list, "", "nothing between");
    check_refused(grammar_list, "a |", "nothing between");
    check_refused(grammar_list, "| a", "nothing between");
    check_refused(grammar_list, "a || b", "nothing between");
}

static void free_rules(struct file_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rules[i].source);
        free(rules[i].target);
    }
}

static void test_file_lists(void **state)
{
    struct file_rule rules[FILE_RULES_MAX] = {0}, none = {0};
    size_t count = 0;
    assert_int_equal(grammar_files("/a b | /c->/d |/e -> /f g", FILE_WRITE, rules, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_string_equal(rules[0].source, "/a b");
    assert_null(rules[0].target);
    assert_string_equal(rules[1].source, "/c");
    assert_string_equal(rules[1].target, "/d");
    assert_string_equal(rules[2].source, "/e");
    assert_string_equal(rules[2].target, "/f g");
    assert_int_equal(grammar_files("/h", FILE_HIDE, rules, &count, NULL), 0);
    assert_int_equal(count, 4);
    assert_int_equal(rules[0].access, FILE_WRITE);
    assert_int_equal(rules[3].access, FILE_HIDE);
    static const char *const bad[] = {"",           "|",        "/a |", "-> /a", "/a ->", "->", "/a -> /b -> /c",
                                      "/x | /a ->", "/x | | /a"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (grammar_files(bad[i], FILE_READ, rules, &count, NULL) != -EINVAL)
            fail_msg("files \"%s\" were taken", bad[i]);
        assert_int_equal(count, 4);
        assert_memory_equal(&rules[4], &none, sizeof none); /* and what was read before the fault is freed */
    }
    assert_int_equal(grammar_files("/a -> /b", FILE_HIDE, rules, &count, NULL), -EINVAL);
    free_rules(rules, count);
}

static void test_too_many_files(void **state)
{
    struct file_rule rules[FILE_RULES_MAX] = {0};
    size_t count = 0;
    struct error err = {0};
    for (int i = 0; i < FILE_RULES_MAX - 1; i++)
        assert_int_equal(grammar_files("/a", FILE_READ, rules, &count, NULL), 0);
    assert_int_equal(grammar_files("/b | /c", FILE_READ, rules, &count, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more than 64 paths"));
    assert_int_equal(count, FILE_RULES_MAX - 1);
    assert_null(rules[count].source);
    assert_int_equal(grammar_files("/b", FILE_READ, rules, &count, NULL), 0);
    assert_int_equal(count, FILE_RULES_MAX);
    free_rules(rules, count);
}

/* --- environment files ------------------------------------------------------------------------- */

static int parse_env_file(const char *content, struct words *words, struct error *err)
{
    words_clear(words); /* the function appends; check_words expects a replacement */
    return grammar_environment_file(content, strlen(content), words, err);
}

static void test_env_files(void **state)
{
    check_words(parse_env_file, "A=1", "A=1");
    check_words(parse_env_file, "A=1\nB=2\n", "A=1|B=2");
    check_words(parse_env_file, "# c=1\n; d=2\n\n  A = 1  \n", "A=1");
    check_words(parse_env_file, "A=\nB=  \nC=''\nD=\"\"\n", "A=|B=|C=|D=");
    check_words(parse_env_file, "A=two words \t\n", "A=two words");
    check_words(parse_env_file, "A='two  words '\n", "A=two  words ");
    check_words(parse_env_file, "A=\"x\ny\"\nB=1", "A=x\ny|B=1");
    check_words(parse_env_file, "A='x'y\"z\"\n", "A=xy\"z\"");
    check_words(parse_env_file, "A='x' \"y\"\n", "A=xy");
    check_words(parse_env_file, "A=x'y'\n", "A=x'y'");
    check_words(parse_env_file, "A=one\\\ntwo\nB=1\n", "A=onetwo|B=1");
    check_words(parse_env_file, "A=a\\ \nB=\\\"x\\\\\n", "A=a |B=\"x\\");
    check_words(parse_env_file, "A=\"\\\"\\\\\\`\\$\\n\"\n", "A=\"\\`$\\n");
    check_words(parse_env_file, "A=\"x\\\ny\"\n", "A=xy");
    check_words(parse_env_file, "A='\\n$x'\n", "A=\\n$x");
    check_words(parse_env_file, "A=1 # not a comment\n", "A=1 # not a comment");
    check_words(parse_env_file, "A=1\r\nB=2\r\n", "A=1|B=2");
    check_words(parse_env_file, "A=x=y\n", "A=x=y");
    check_words(parse_env_file, "A=1\nA=2\n", "A=1|A=2");
    check_words(parse_env_file, "A=\\", "A=");
}

static void check_env_file_refused(const char *content, size_t length, const char *reason)
{
    CLEANUP_WORDS struct words words = {0};
    struct error err = {0};
    assert_int_equal(grammar_environment_file(content, length, &words, &err), -EINVAL);
    if (!strstr(err.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
}

static void test_env_files_refused(void **state)
{
    check_env_file_refused("A\n", 2, "line 1 has no '='");
    check_env_file_refused("A=1\n\nB", 6, "line 3 has no '='");
    check_env_file_refused("export A=1\n", 11, "line 1 does not begin with a variable's name");
    check_env_file_refused("=1\n", 3, "not begin with a variable's name");
    check_env_file_refused("1A=1\n", 5, "not begin with a variable's name");
    check_env_file_refused("A=1\nB='x\ny", 10, "line 2: the quote ' is not closed");
    check_env_file_refused("A=\"x\n\\\"", 7, "line 1: the quote \" is not closed");
    check_env_file_refused("A=1\0B=2", 7, "NUL");
    check_env_file_refused("A=\"x\ny\"\nB", 9, "line 3 has no '='");
}

static void test_env_file_is_not_terminated(void **state)
{
    static const char content[] = {'A', '=', '1'};
    static const char name_only[] = {'A'};
    CLEANUP_WORDS struct words words = {0};
    assert_int_equal(words_add(&words, "X=0"), 0);
    assert_int_equal(grammar_environment_file(content, sizeof content, &words, NULL), 0);
    assert_int_equal(words.count, 2); /* it appends */
    assert_string_equal(words.items[1], "A=1");
    assert_int_equal(grammar_environment_file(name_only, sizeof name_only, &words, NULL), -EINVAL);
    assert_int_equal(grammar_environment_file("", 0, &words, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_ports_of_sockets_that_are_handed_over),
        cmocka_unit_test(test_port_ranges),
        cmocka_unit_test(test_ports_refused),
        cmocka_unit_test(test_http_checks),
        cmocka_unit_test(test_http_path_length),
        cmocka_unit_test(test_tcp_checks),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_commands_refused),
        cmocka_unit_test(test_environments),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_file_lists),
        cmocka_unit_test(test_too_many_files),
        cmocka_unit_test(test_env_files),
        cmocka_unit_test(test_env_files_refused),
        cmocka_unit_test(test_env_file_is_not_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
