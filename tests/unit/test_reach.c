/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [share] and [egress]: how they are written, what they let through, what contradicts what. */
#include "conf/conf.h"
#include "model/grammar.h"
#include "model/reach.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_share_ports(void **state)
{
    (void)state;
    struct share_port ports[SHARE_PORTS_MAX];
    size_t count = 0;
    struct error err = {0};
    assert_int_equal(grammar_shares("5432, 6379/udp 6379/tcp", ports, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(ports[0].port, 5432);
    assert_int_equal(ports[0].protocol, PROTOCOL_TCP);
    assert_int_equal(ports[1].protocol, PROTOCOL_UDP);
    assert_int_equal(ports[2].port, 6379);
}

static void test_bad_share_ports(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      ",",         "0",          "65536",         "http",          "-1", "05432", "5432-5433",
        "5432/", "5432/sctp", "5432, 5432", "5432/tcp 5432", "127.0.0.1:5432"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct share_port ports[SHARE_PORTS_MAX];
        size_t count = 77;
        struct error err = {0};
        if (grammar_shares(bad[i], ports, &count, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(count, 77);
        assert_true(err.text[0]);
    }
}

static struct reach_rule only_rule(const char *value)
{
    struct reach_rule rules[REACH_RULES_MAX];
    size_t count = 0;
    struct error err = {0};
    if (grammar_reach(value, rules, &count, &err) < 0)
        fail_msg("\"%s\": %s", value, err.text);
    assert_int_equal(count, 1);
    return rules[0];
}

static void expect_rule(const char *value, const char *to, uint8_t protocol, uint16_t first, uint16_t last)
{
    struct reach_rule rule = only_rule(value);
    char text[ADDRESS_TEXT_MAX + 4];
    assert_string_equal(prefix_format(&rule.to, text), to);
    assert_int_equal(rule.protocol, protocol);
    assert_int_equal(rule.first, first);
    assert_int_equal(rule.last, last);
}

static void test_destinations(void **state)
{
    (void)state;
    expect_rule("192.0.2.9", "192.0.2.9/32", 0, 0, 0);
    expect_rule("192.0.2.0/24", "192.0.2.0/24", 0, 0, 0);
    expect_rule("192.0.2.0/24/udp", "192.0.2.0/24", PROTOCOL_UDP, 0, 0);
    expect_rule("192.0.2.9/tcp", "192.0.2.9/32", PROTOCOL_TCP, 0, 0);
    expect_rule("192.0.2.9:25", "192.0.2.9/32", 0, 25, 25);
    expect_rule("192.0.2.0/24:8000-8010/tcp", "192.0.2.0/24", PROTOCOL_TCP, 8000, 8010);
    expect_rule("0.0.0.0/0:53", "0.0.0.0/0", 0, 53, 53);
    expect_rule("2001:db8::7", "2001:db8::7/128", 0, 0, 0);
    expect_rule("2001:db8::/32/udp", "2001:db8::/32", PROTOCOL_UDP, 0, 0);
    expect_rule("[2001:db8::7]", "2001:db8::7/128", 0, 0, 0);
    /* Only in brackets is it sure what is meant; eight groups leave no doubt. */
    expect_rule("[2001:db8::7:25]", "2001:db8::7:25/128", 0, 0, 0);
    expect_rule("2001:db8:0:0:0:0:7:25", "2001:db8::7:25/128", 0, 0, 0);
    expect_rule("[2001:db8::/32]:443/tcp", "2001:db8::/32", PROTOCOL_TCP, 443, 443);
    expect_rule("[::/0]:1-65535", "::/0", 0, 1, 65535);
    struct reach_rule rules[REACH_RULES_MAX];
    size_t count = 0;
    assert_int_equal(grammar_reach("192.0.2.9:25, [2001:db8::7]:53\t10.0.0.0/8", rules, &count, NULL), 0);
    assert_int_equal(count, 3);
}

static void test_bad_destinations(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ",",
                                      "mail.example.org:25",
                                      "192.0.2.9/24",
                                      "192.0.2.0/33",
                                      "192.0.2.9:",
                                      "192.0.2.9:0",
                                      "192.0.2.9:25-24",
                                      "192.0.2.9:25-",
                                      "192.0.2.9:65536",
                                      "192.0.2.9:25/sctp",
                                      "192.0.2.9:smtp",
                                      "[2001:db8::7",
                                      "[2001:db8::7]25",
                                      "[2001:db8::7]:",
                                      "2001:db8::7:x",
                                      "2001:db8::7:25",
                                      "2001:db8::7:25/tcp",
                                      ":25",
                                      "/tcp"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reach_rule rules[REACH_RULES_MAX];
        size_t count = 77;
        struct error err = {0};
        if (grammar_reach(bad[i], rules, &count, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(count, 77);
        assert_true(err.text[0]);
    }
}

static void test_too_many_destinations(void **state)
{
    (void)state;
    CLEANUP_TEXT struct text value = {0};
    struct reach_rule rules[REACH_RULES_MAX];
    size_t count = 0;
    struct error err = {0};
    for (int i = 0; i < REACH_RULES_MAX; i++)
        text_addf(&value, "10.0.0.%d ", i);
    assert_int_equal(grammar_reach(value.data, rules, &count, &err), 0);
    assert_int_equal(count, REACH_RULES_MAX);
    text_add(&value, "10.0.1.0");
    assert_int_equal(grammar_reach(value.data, rules, &count, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more than 64"));
}

static bool lets_through(const char *rules, const char *to, uint8_t protocol, uint16_t port)
{
    struct reach_rule parsed[REACH_RULES_MAX];
    size_t count = 0;
    struct address address;
    assert_int_equal(grammar_reach(rules, parsed, &count, NULL), 0);
    assert_true(address_parse(to, &address));
    return reach_allows(parsed, count, &address, protocol, port);
}

static void test_what_rules_let_through(void **state)
{
    (void)state;
    static const char rules[] = "192.0.2.0/24:25-30/tcp [2001:db8::/32]:53 10.0.0.0/8/udp 203.0.113.9";
    assert_true(lets_through(rules, "192.0.2.200", PROTOCOL_TCP, 25));
    assert_true(lets_through(rules, "192.0.2.200", PROTOCOL_TCP, 30));
    assert_false(lets_through(rules, "192.0.2.200", PROTOCOL_TCP, 24));
    assert_false(lets_through(rules, "192.0.2.200", PROTOCOL_TCP, 31));
    assert_false(lets_through(rules, "192.0.2.200", PROTOCOL_UDP, 25));
    assert_false(lets_through(rules, "192.0.3.1", PROTOCOL_TCP, 25));
    assert_true(lets_through(rules, "2001:db8:1::1", PROTOCOL_UDP, 53));
    assert_true(lets_through(rules, "2001:db8:1::1", PROTOCOL_TCP, 53));
    assert_false(lets_through(rules, "2001:db9::1", PROTOCOL_TCP, 53));
    assert_true(lets_through(rules, "10.9.8.7", PROTOCOL_UDP, 1));
    assert_false(lets_through(rules, "10.9.8.7", PROTOCOL_TCP, 1));
    assert_true(lets_through(rules, "203.0.113.9", PROTOCOL_TCP, 65535));
    struct address nowhere = {.family = 4};
    assert_false(reach_allows(NULL, 0, &nowhere, PROTOCOL_TCP, 1));
}

/* --- in an app's file ------------------------------------------------------------------------------- */

#define APP "[app]\nname = web\nuser = web\nrun = /srv/web/run\n[ports]\nhttp = 80-90 -> 8080-8090/tcp\n"

static int parse(const char *content, struct service *service, struct words *problems)
{
    return conf_parse_app("web.conf", content, strlen(content), service, problems);
}

static void test_defaults_fence_nothing(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    assert_int_equal(parse(APP, &service, &problems), 0);
    assert_false(egress_fences(&service.egress));
    assert_int_equal(service.share_count, 0);
}

static void test_all_keys(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    assert_int_equal(parse(APP "[share]\nhost = 5432, 53/udp\nsocket = /run/postgresql | /run/redis\n"
                               "[egress]\npolicy = closed\nallow = 192.0.2.9:25\nstandby = closed\n"
                               "standby_allow = 192.0.2.53:53\n",
                           &service, &problems),
                     0);
    assert_int_equal(service.egress.policy, EGRESS_CLOSED);
    assert_int_equal(service.egress.standby, EGRESS_FENCED);
    assert_int_equal(service.egress.allow_count, 1);
    assert_int_equal(service.egress.standby_allow[0].first, 53);
    assert_int_equal(service.share_count, 2);
    assert_int_equal(service.file_count, 2);
    assert_true(service.files[1].shared);
    assert_int_equal(service.files[1].access, FILE_READ);
    assert_string_equal(service.files[1].source, "/run/redis");
    CLEANUP_SERVICE struct service same = {0}, other = {0};
    assert_int_equal(parse(service.source, &same, &problems), 0);
    assert_true(service_reach_equal(&service, &same));
    assert_int_equal(parse(APP "[share]\nhost = 5432\n", &other, &problems), 0);
    assert_false(service_reach_equal(&service, &other));
}

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *content, *problem;
    } cases[] = {
        {APP "[share]\nhost = 85\n", "[share] host: 85/tcp is published by this app itself"},
        {APP "[share]\nhost = x\n", "[share] host: \"x\" is not a port"},
        {APP "[share]\nsocket = run/postgresql\n", "[share] socket: "},
        {APP "[share]\nsocket = /run/a -> /run/b\n", "[share] socket: sockets are shown where they are"},
        {APP "[share]\nsocket = /run/a\n[files]\nread = /run/a\n", "is named twice"},
        {APP "[egress]\npolicy = half\n", "[egress] policy: \"half\" is not one of open, closed"},
        {APP "[egress]\nstandby = open\n", "[egress] standby: \"open\" is not one of same, closed"},
        {APP "[egress]\nallow = 192.0.2.9\n", "[egress] allow: it is what a closed policy lets through"},
        {APP "[egress]\nstandby_allow = 192.0.2.9\n", "[egress] standby_allow: it is what a fenced standby may reach"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP_SERVICE struct service service = {0};
        CLEANUP_WORDS struct words problems = {0};
        assert_int_equal(parse(cases[i].content, &service, &problems), -EINVAL);
        if (problems.count != 1 || !strstr(problems.items[0], cases[i].problem))
            fail_msg("\"%s\": %zu problems: %s", cases[i].problem, problems.count,
                     problems.count ? problems.items[0] : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_ports),
        cmocka_unit_test(test_bad_share_ports),
        cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_bad_destinations),
        cmocka_unit_test(test_too_many_destinations),
        cmocka_unit_test(test_what_rules_let_through),
        cmocka_unit_test(test_defaults_fence_nothing),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
