/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports that the host's own processes still have connections on, in the rule set. */
#include "ruleset_scene.h"

#include <errno.h>

static struct ruleset_held held(const char *listen, uint16_t port)
{
    struct ruleset_held held = {.port = port, .connections = 3};
    if (*listen)
        assert_true(address_parse(listen, &held.listen));
    return held;
}

static const char one_port[] =
    "add set inet bluegreen held { type inet_proto . inet_service; }\n"
    "add element inet bluegreen held { tcp . 80 }\n"
    "add rule inet bluegreen takeover meta l4proto . th dport @held meta l4proto tcp tcp flags & (fin|syn|rst|ack) != "
    "syn accept\n";

/* In the transaction that publishes the port, and before it is published. */
static void test_with_the_publishing(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_held port = held("", 80);
    from.apps[0].live = -1;
    to.state.held = &port;
    to.state.held_count = 1;
    char expected[2048];
    snprintf(expected, sizeof expected,
             "add rule inet bluegreen app.web meta l4proto @green.web goto zone.web.green\n"
             "add rule inet bluegreen app.web goto zone.web.blue\n"
             "%s"
             "add element inet bluegreen published { tcp . 80 : goto app.web, tcp . 81 : goto app.web, udp . 80 : goto "
             "app.web }\n",
             one_port);
    assert_diff(&from.state, &to.state, expected);
}

static void test_let_go(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_held port = held("", 80);
    from.state.held = &port;
    from.state.held_count = 1;
    assert_diff(&from.state, &to.state,
                "flush chain inet bluegreen takeover\n"
                "delete set inet bluegreen held\n");
    assert_diff(&to.state, &from.state, one_port);
}

static void test_figures_do_not_matter(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_held was = held("", 80), is = held("", 80);
    is.connections = 2;
    from.state.held = &was;
    to.state.held = &is;
    from.state.held_count = to.state.held_count = 1;
    assert_diff(&from.state, &to.state, "");
}

static void test_switch_stays_one_rule(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_held port = held("", 80);
    from.state.held = to.state.held = &port;
    from.state.held_count = to.state.held_count = 1;
    to.apps[0].live = GREEN;
    assert_diff(&from.state, &to.state, "add element inet bluegreen green.web { tcp, udp }\n");
}

/* Of every kind of address, each in its set; a set whose ports change is made again. */
static void test_addresses(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_held were[] = {held("", 80), held("", 81)};
    struct ruleset_held are[] = {held("198.51.100.7", 80), held("2001:db8::7", 80), held("", 81)};
    from.state.held = were;
    from.state.held_count = 2;
    to.state.held = are;
    to.state.held_count = 3;
    assert_diff(
        &from.state, &to.state,
        "flush chain inet bluegreen takeover\n"
        "delete set inet bluegreen held\n"
        "add set inet bluegreen held { type inet_proto . inet_service; }\n"
        "add element inet bluegreen held { tcp . 81 }\n"
        "add rule inet bluegreen takeover meta l4proto . th dport @held meta l4proto tcp tcp flags & "
        "(fin|syn|rst|ack) != syn accept\n"
        "add set inet bluegreen held4 { type ipv4_addr . inet_proto . inet_service; }\n"
        "add element inet bluegreen held4 { 198.51.100.7 . tcp . 80 }\n"
        "add rule inet bluegreen takeover ip daddr . meta l4proto . th dport @held4 meta l4proto tcp tcp flags & "
        "(fin|syn|rst|ack) != syn accept\n"
        "add set inet bluegreen held6 { type ipv6_addr . inet_proto . inet_service; }\n"
        "add element inet bluegreen held6 { 2001:db8::7 . tcp . 80 }\n"
        "add rule inet bluegreen takeover ip6 daddr . meta l4proto . th dport @held6 meta l4proto tcp tcp flags "
        "& (fin|syn|rst|ack) != syn accept\n");
}

static void test_copy_is_deep(void **unused)
{
    struct scene scene;
    struct ruleset_state copy;
    struct ruleset_held port = held("198.51.100.7", 80);
    two_apps(&scene);
    scene.state.held = &port;
    scene.state.held_count = 1;
    assert_int_equal(ruleset_state_copy(&copy, &scene.state), 0);
    port.port = 81;
    assert_int_equal(copy.held_count, 1);
    assert_int_equal(copy.held[0].port, 80);
    assert_int_equal(copy.held[0].connections, 3);
    ruleset_state_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_the_publishing),
        cmocka_unit_test(test_let_go),
        cmocka_unit_test(test_figures_do_not_matter),
        cmocka_unit_test(test_switch_stays_one_rule),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
