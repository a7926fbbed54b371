/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule set as data: the whole of it for two apps, what differs between two states, and states that cannot be. */
#include "ruleset_scene.h"

#include <errno.h>

static const char two_apps_whole[] =
    "add table inet bluegreen\n"
    "delete table inet bluegreen\n"
    "add table inet bluegreen\n"
    "add map inet bluegreen published { type inet_proto . inet_service : verdict; }\n"
    "add map inet bluegreen published4 { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
    "add map inet bluegreen published6 { type ipv6_addr . inet_proto . inet_service : verdict; }\n"
    "add chain inet bluegreen guard { type filter hook prerouting priority -150; policy accept; }\n"
    "add chain inet bluegreen leaving\n"
    "add chain inet bluegreen takeover\n"
    "add chain inet bluegreen shared\n"
    "add chain inet bluegreen pre { type nat hook prerouting priority -100; policy accept; }\n"
    "add chain inet bluegreen out { type nat hook output priority -100; policy accept; }\n"
    "add chain inet bluegreen forward { type filter hook forward priority 0; policy accept; }\n"
    "add chain inet bluegreen to-zone\n"
    "add chain inet bluegreen from-zone\n"
    "add chain inet bluegreen in { type nat hook input priority 100; policy accept; }\n"
    "add chain inet bluegreen post { type nat hook postrouting priority 100; policy accept; }\n"
    "add rule inet bluegreen guard ct state established,related accept\n"
    "add rule inet bluegreen guard meta iifgroup 4802 goto leaving\n"
    "add rule inet bluegreen guard iif \"lo\" accept\n"
    "add rule inet bluegreen guard ip daddr 10.201.0.0/16 counter drop\n"
    "add rule inet bluegreen guard ip6 daddr fd00:b9::/48 counter drop\n"
    "add set inet bluegreen fenced { type ifname; }\n"
    "add map inet bluegreen fences { type ifname : verdict; }\n"
    "add map inet bluegreen shares { type ifname : verdict; }\n"
    "add rule inet bluegreen leaving ip daddr 127.0.0.0/8 counter drop\n"
    "add rule inet bluegreen leaving iifname @fenced iifname vmap @fences\n"
    "add rule inet bluegreen leaving accept\n"
    "add rule inet bluegreen shared iifname vmap @shares\n"
    "add rule inet bluegreen pre meta iifgroup 4802 jump shared\n"
    "add rule inet bluegreen in meta iifgroup 4802 ip daddr 127.0.0.0/8 snat ip to 127.0.0.1\n"
    "add rule inet bluegreen pre jump takeover\n"
    "add rule inet bluegreen pre ip daddr . meta l4proto . th dport vmap @published4\n"
    "add rule inet bluegreen pre ip6 daddr . meta l4proto . th dport vmap @published6\n"
    "add rule inet bluegreen pre fib daddr type local meta l4proto . th dport vmap @published\n"
    "add rule inet bluegreen out oif != \"lo\" return\n"
    "add rule inet bluegreen out ip6 daddr ::1/128 return\n"
    "add rule inet bluegreen out jump takeover\n"
    "add rule inet bluegreen out ip daddr . meta l4proto . th dport vmap @published4\n"
    "add rule inet bluegreen out ip6 daddr . meta l4proto . th dport vmap @published6\n"
    "add rule inet bluegreen out meta l4proto . th dport vmap @published\n"
    "add rule inet bluegreen post meta oifgroup 4802 ct status dnat fib saddr type local masquerade\n"
    "add rule inet bluegreen post meta oifgroup 4802 meta iifgroup 4802 ct status dnat masquerade\n"
    "add rule inet bluegreen post meta oifgroup 4802 return\n"
    "add map inet bluegreen answers { type ifname . inet_service : inet_service; }\n"
    "add rule inet bluegreen post meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn "
    "masquerade to : iifname . th sport map @answers\n"
    "add rule inet bluegreen post meta iifgroup 4802 meta l4proto udp masquerade random\n"
    "add rule inet bluegreen post meta iifgroup 4802 masquerade\n"
    "add rule inet bluegreen forward ct state established,related accept\n"
    "add rule inet bluegreen forward meta oifgroup 4802 jump to-zone\n"
    "add rule inet bluegreen forward meta iifgroup 4802 jump from-zone\n"
    "add rule inet bluegreen to-zone ct status dnat accept\n"
    "add rule inet bluegreen to-zone counter drop\n"
    "add rule inet bluegreen from-zone ct state invalid counter drop\n"
    "add rule inet bluegreen from-zone accept\n"
    "add chain inet bluegreen zone.api.green\n"
    "add map inet bluegreen ports4.api.green { type ipv4_addr . inet_proto . inet_service : inet_service; }\n"
    "add element inet bluegreen ports4.api.green { 198.51.100.7 . tcp . 80 : 3000 }\n"
    "add rule inet bluegreen zone.api.green ct mark set ct mark & 0x0000ffff | 0x00040000\n"
    "add rule inet bluegreen zone.api.green meta l4proto { tcp, udp } dnat ip to 10.201.0.14 : ip daddr . meta l4proto "
    ". th "
    "dport map @ports4.api.green\n"
    "add chain inet bluegreen app.api\n"
    "add set inet bluegreen green.api { type inet_proto; }\n"
    "add element inet bluegreen green.api { tcp, udp }\n"
    "add rule inet bluegreen app.api goto zone.api.green\n"
    "add chain inet bluegreen zone.web.blue\n"
    "add map inet bluegreen ports.web.blue { type inet_proto . inet_service : inet_service; }\n"
    "add element inet bluegreen ports.web.blue { tcp . 80 : 8080, tcp . 81 : 9090, udp . 80 : 8080 }\n"
    "add set inet bluegreen moves.web.blue { type inet_proto . inet_service; }\n"
    "add element inet bluegreen moves.web.blue { udp . 80 }\n"
    "add rule inet bluegreen zone.web.blue ct mark set ct mark & 0x0000ffff | 0x00010000\n"
    "add rule inet bluegreen zone.web.blue meta l4proto . th dport @moves.web.blue ct mark set ct mark | 0x80000000\n"
    "add rule inet bluegreen zone.web.blue meta l4proto { tcp, udp } dnat ip to 10.201.0.2 : meta l4proto . th dport "
    "map "
    "@ports.web.blue\n"
    "add rule inet bluegreen zone.web.blue meta l4proto { tcp, udp } dnat ip6 to fd00:b9::2 : meta l4proto . th dport "
    "map "
    "@ports.web.blue\n"
    "add chain inet bluegreen zone.web.green\n"
    "add map inet bluegreen ports.web.green { type inet_proto . inet_service : inet_service; }\n"
    "add element inet bluegreen ports.web.green { tcp . 80 : 8080, tcp . 81 : 9090, udp . 80 : 8080 }\n"
    "add set inet bluegreen moves.web.green { type inet_proto . inet_service; }\n"
    "add element inet bluegreen moves.web.green { udp . 80 }\n"
    "add rule inet bluegreen zone.web.green ct mark set ct mark & 0x0000ffff | 0x00020000\n"
    "add rule inet bluegreen zone.web.green meta l4proto . th dport @moves.web.green ct mark set ct mark | 0x80000000\n"
    "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip to 10.201.0.6 : meta l4proto . th dport "
    "map "
    "@ports.web.green\n"
    "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip6 to fd00:b9::6 : meta l4proto . th dport "
    "map "
    "@ports.web.green\n"
    "add chain inet bluegreen app.web\n"
    "add set inet bluegreen green.web { type inet_proto; }\n"
    "add rule inet bluegreen app.web meta l4proto @green.web goto zone.web.green\n"
    "add rule inet bluegreen app.web goto zone.web.blue\n"
    "add element inet bluegreen published { tcp . 80 : goto app.web, tcp . 81 : goto app.web, udp . 80 : goto app.web "
    "}\n"
    "add element inet bluegreen published4 { 198.51.100.7 . tcp . 80 : goto app.api }\n"
    "add element inet bluegreen answers { \"bg4\" . 3000 : 80, \"bg1\" . 8080 : 80, \"bg1\" . 9090 : 81, "
    "\"bg2\" . 8080 : 80, \"bg2\" . 9090 : 81 }\n";

static void test_whole(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    assert_diff(NULL, &scene.state, two_apps_whole);
}

static void test_order_of_apps_does_not_matter(void **unused)
{
    struct scene scene, other;
    two_apps(&scene);
    two_apps(&other);
    struct ruleset_app web = other.apps[0];
    other.apps[0] = other.apps[1];
    other.apps[1] = web;
    assert_diff(NULL, &other.state, two_apps_whole);
    assert_diff(&scene.state, &other.state, "");
}

static void test_nothing_differs(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    text_copy(to.ports[0][BLUE][0].name, sizeof to.ports[0][BLUE][0].name, "renamed");
    assert_diff(&from.state, &to.state, "");
}

static void test_switch_is_a_word_in_a_set(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    to.apps[0].live = GREEN;
    assert_diff(&from.state, &to.state, "add element inet bluegreen green.web { tcp, udp }\n");
    assert_diff(&to.state, &from.state, "delete element inet bluegreen green.web { tcp, udp }\n");
}

static void test_switch_between_different_ports(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    from.apps[0].zones[GREEN].ports[1].published = 82;
    add_port(&from.apps[0].zones[GREEN], "2001:db8::7", 443, 8443, PROTOCOL_TCP, UDP_MOVE);
    to = from;
    to.state.apps = to.apps;
    to.apps[0].live = GREEN;
    assert_diff(&from.state, &to.state,
                "add element inet bluegreen green.web { tcp, udp }\n"
                "delete element inet bluegreen published { tcp . 81 }\n"
                "add element inet bluegreen published { tcp . 82 : goto app.web }\n"
                "add element inet bluegreen published6 { 2001:db8::7 . tcp . 443 : goto app.web }\n");
}

static void test_first_publishing(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    from.apps[0].live = -1;
    assert_diff(
        &from.state, &to.state,
        "add rule inet bluegreen app.web meta l4proto @green.web goto zone.web.green\n"
        "add rule inet bluegreen app.web goto zone.web.blue\n"
        "add element inet bluegreen published { tcp . 80 : goto app.web, tcp . 81 : goto app.web, udp . 80 : goto "
        "app.web }\n");
    assert_diff(&to.state, &from.state,
                "flush chain inet bluegreen app.web\n"
                "delete element inet bluegreen published { tcp . 80, tcp . 81, udp . 80 }\n");
}

static void test_stage_and_destroy(void **unused)
{
    struct scene without, with;
    two_apps(&without);
    two_apps(&with);
    without.apps[0].zones[GREEN] = (struct ruleset_zone){0};
    assert_diff(
        &without.state, &with.state,
        "add chain inet bluegreen zone.web.green\n"
        "add map inet bluegreen ports.web.green { type inet_proto . inet_service : inet_service; }\n"
        "add element inet bluegreen ports.web.green { tcp . 80 : 8080, tcp . 81 : 9090, udp . 80 : 8080 }\n"
        "add set inet bluegreen moves.web.green { type inet_proto . inet_service; }\n"
        "add element inet bluegreen moves.web.green { udp . 80 }\n"
        "add rule inet bluegreen zone.web.green ct mark set ct mark & 0x0000ffff | 0x00020000\n"
        "add rule inet bluegreen zone.web.green meta l4proto . th dport @moves.web.green ct mark set ct mark | "
        "0x80000000\n"
        "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip to 10.201.0.6 : meta l4proto . th "
        "dport map @ports.web.green\n"
        "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip6 to fd00:b9::6 : meta l4proto . th "
        "dport map @ports.web.green\n"
        "flush chain inet bluegreen app.web\n"
        "add rule inet bluegreen app.web meta l4proto @green.web goto zone.web.green\n"
        "add rule inet bluegreen app.web goto zone.web.blue\n"
        "add element inet bluegreen answers { \"bg2\" . 8080 : 80, \"bg2\" . 9090 : 81 }\n");
    assert_diff(&with.state, &without.state,
                "flush chain inet bluegreen app.web\n"
                "add rule inet bluegreen app.web goto zone.web.blue\n"
                "delete element inet bluegreen answers { \"bg2\" . 8080, \"bg2\" . 9090 }\n"
                "flush chain inet bluegreen zone.web.green\n"
                "delete chain inet bluegreen zone.web.green\n"
                "delete map inet bluegreen ports.web.green\n"
                "delete set inet bluegreen moves.web.green\n");
}

static void test_zone_made_again_with_other_ports(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_zone *zone = &to.apps[0].zones[GREEN];
    zone->port_count = 0;
    add_port(zone, "", 80, 8081, PROTOCOL_TCP, UDP_MOVE);
    assert_diff(
        &from.state, &to.state,
        "flush chain inet bluegreen zone.web.green\n"
        "delete map inet bluegreen ports.web.green\n"
        "delete set inet bluegreen moves.web.green\n"
        "add map inet bluegreen ports.web.green { type inet_proto . inet_service : inet_service; }\n"
        "add element inet bluegreen ports.web.green { tcp . 80 : 8081 }\n"
        "add rule inet bluegreen zone.web.green ct mark set ct mark & 0x0000ffff | 0x00020000\n"
        "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip to 10.201.0.6 : meta l4proto . th "
        "dport map @ports.web.green\n"
        "add rule inet bluegreen zone.web.green meta l4proto { tcp, udp } dnat ip6 to fd00:b9::6 : meta l4proto . th "
        "dport map @ports.web.green\n"
        "delete element inet bluegreen answers { \"bg2\" . 8080, \"bg2\" . 9090 }\n"
        "add element inet bluegreen answers { \"bg2\" . 8081 : 80 }\n");
}

/* The first port that leads there counts, whatever a preview or the same port in another protocol says. */
static void test_answers(void **unused)
{
    struct scene from, to;
    scene_init(&from);
    scene_init(&to);
    add_app(&from, "web", -1);
    struct ruleset_zone *zone = add_zone(&to, add_app(&to, "web", -1), BLUE, 1);
    add_port(zone, "", 53, 8080, PROTOCOL_UDP, UDP_MOVE);
    add_port(zone, "192.0.2.1", 80, 8080, PROTOCOL_TCP, UDP_MOVE);
    add_port(zone, "2001:db8::1", 88, 8080, PROTOCOL_TCP, UDP_MOVE);
    add_port(zone, "", 8000, 8079, PROTOCOL_TCP, UDP_MOVE);
    zone->ports[3].count = 3;
    char *text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text, "add element inet bluegreen answers { \"bg1\" . 8080 : 80, \"bg1\" . 8079 : 8000, "
                                 "\"bg1\" . 8081 : 8002 }\n"));
    free(text);
    from = to;
    from.state.apps = from.apps;
    from.apps[0].zones[BLUE].ports = from.ports[0][BLUE];
    to.ports[0][BLUE][1].published = 81;
    text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text, "delete element inet bluegreen answers { \"bg1\" . 8080 }\n"
                                 "add element inet bluegreen answers { \"bg1\" . 8080 : 81 }\n"));
    free(text);
}

static void test_new_app_and_its_removal(void **unused)
{
    struct scene without, with;
    two_apps(&without);
    two_apps(&with);
    without.state.count = 1;
    char *added = rendered(&without.state, &with.state);
    assert_non_null(strstr(added, "add chain inet bluegreen zone.api.green\n"));
    assert_non_null(strstr(added, "add chain inet bluegreen app.api\n"
                                  "add set inet bluegreen green.api { type inet_proto; }\n"
                                  "add element inet bluegreen green.api { tcp, udp }\n"
                                  "add rule inet bluegreen app.api goto zone.api.green\n"
                                  "add element inet bluegreen published4 { 198.51.100.7 . tcp . 80 : goto app.api }\n"
                                  "add element inet bluegreen answers { \"bg4\" . 3000 : 80 }\n"));
    assert_null(strstr(added, "web"));
    free(added);
    assert_diff(&with.state, &without.state,
                "delete element inet bluegreen published4 { 198.51.100.7 . tcp . 80 }\n"
                "delete element inet bluegreen answers { \"bg4\" . 3000 }\n"
                "flush chain inet bluegreen app.api\n"
                "delete chain inet bluegreen app.api\n"
                "delete set inet bluegreen green.api\n"
                "flush chain inet bluegreen zone.api.green\n"
                "delete chain inet bluegreen zone.api.green\n"
                "delete map inet bluegreen ports4.api.green\n");
}

static void test_app_without_zones(void **unused)
{
    struct scene from, to;
    scene_init(&from);
    scene_init(&to);
    add_app(&to, "idle", -1);
    assert_diff(&from.state, &to.state,
                "add chain inet bluegreen app.idle\n"
                "add set inet bluegreen green.idle { type inet_proto; }\n");
    assert_diff(&to.state, &from.state,
                "delete chain inet bluegreen app.idle\n"
                "delete set inet bluegreen green.idle\n");
}

/* The only case in which one key is deleted and added in one transaction: its verdict changes. */
static void test_port_that_goes_to_another_app(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    from.apps[1].zones[GREEN].ports[0].listen.family = 0;
    from.apps[1].zones[GREEN].ports[0].published = 8000;
    to.apps[1].zones[GREEN].ports[0] = from.apps[1].zones[GREEN].ports[0];
    to.apps[1].live = -1;
    to.apps[0].zones[BLUE].ports[1].published = from.apps[0].zones[BLUE].ports[1].published = 8000;
    from.apps[0].live = -1;
    char *text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text,
                           "delete element inet bluegreen published { tcp . 8000 }\n"
                           "add element inet bluegreen published { tcp . 80 : goto app.web, tcp . 8000 : goto app.web, "
                           "udp . 80 : goto app.web }\n"));
    free(text);
}

static void test_pools_changed(void **unused)
{
    struct scene from, to;
    scene_init(&from);
    scene_init(&to);
    assert_true(prefix_parse("10.64.0.0/12", &to.state.pools.ipv4));
    assert_diff(&from.state, &to.state,
                "flush chain inet bluegreen guard\n"
                "add rule inet bluegreen guard ct state established,related accept\n"
                "add rule inet bluegreen guard meta iifgroup 4802 goto leaving\n"
                "add rule inet bluegreen guard iif \"lo\" accept\n"
                "add rule inet bluegreen guard ip daddr 10.64.0.0/12 counter drop\n"
                "add rule inet bluegreen guard ip6 daddr fd00:b9::/48 counter drop\n");
}

/* The same UDP port with two policies at two addresses: each flow is marked by its own. */
static void test_udp_policies(void **unused)
{
    struct scene from, to;
    scene_init(&from);
    scene_init(&to);
    add_app(&from, "dns", -1);
    struct ruleset_zone *zone = add_zone(&to, add_app(&to, "dns", -1), GREEN, 2);
    add_port(zone, "", 53, 53, PROTOCOL_UDP, UDP_MOVE);
    add_port(zone, "192.0.2.1", 53, 54, PROTOCOL_UDP, UDP_KEEP);
    add_port(zone, "2001:db8::1", 53, 55, PROTOCOL_UDP, UDP_MOVE);
    assert_diff(
        &from.state, &to.state,
        "add chain inet bluegreen zone.dns.green\n"
        "add map inet bluegreen ports.dns.green { type inet_proto . inet_service : inet_service; }\n"
        "add element inet bluegreen ports.dns.green { udp . 53 : 53 }\n"
        "add set inet bluegreen moves.dns.green { type inet_proto . inet_service; }\n"
        "add element inet bluegreen moves.dns.green { udp . 53 }\n"
        "add map inet bluegreen ports4.dns.green { type ipv4_addr . inet_proto . inet_service : inet_service; }\n"
        "add element inet bluegreen ports4.dns.green { 192.0.2.1 . udp . 53 : 54 }\n"
        "add map inet bluegreen ports6.dns.green { type ipv6_addr . inet_proto . inet_service : inet_service; }\n"
        "add element inet bluegreen ports6.dns.green { 2001:db8::1 . udp . 53 : 55 }\n"
        "add set inet bluegreen moves6.dns.green { type ipv6_addr . inet_proto . inet_service; }\n"
        "add element inet bluegreen moves6.dns.green { 2001:db8::1 . udp . 53 }\n"
        "add rule inet bluegreen zone.dns.green ct mark set ct mark & 0x0000ffff | 0x00020000\n"
        "add rule inet bluegreen zone.dns.green meta l4proto { tcp, udp } dnat ip to 10.201.0.6 : ip daddr . meta "
        "l4proto . th dport map @ports4.dns.green\n"
        "add rule inet bluegreen zone.dns.green ip6 daddr . meta l4proto . th dport @moves6.dns.green ct mark set ct "
        "mark | 0x80000000\n"
        "add rule inet bluegreen zone.dns.green meta l4proto { tcp, udp } dnat ip6 to fd00:b9::6 : ip6 daddr . meta "
        "l4proto . th dport map @ports6.dns.green\n"
        "add rule inet bluegreen zone.dns.green meta l4proto . th dport @moves.dns.green ct mark set ct mark | "
        "0x80000000\n"
        "add rule inet bluegreen zone.dns.green meta l4proto { tcp, udp } dnat ip to 10.201.0.6 : meta l4proto . th "
        "dport map @ports.dns.green\n"
        "add rule inet bluegreen zone.dns.green meta l4proto { tcp, udp } dnat ip6 to fd00:b9::6 : meta l4proto . th "
        "dport map @ports.dns.green\n");
}

static void test_keeper_and_spare(void **unused)
{
    struct ruleset_batch batch = {0};
    struct text text = {0};
    struct scene scene;
    assert_int_equal(ruleset_keeper(&batch, NULL), 0);
    ruleset_render(&batch, &text);
    assert_string_equal(text.data,
                        "add table inet bluegreen-keeper\n"
                        "delete table inet bluegreen-keeper\n"
                        "add table inet bluegreen-keeper\n"
                        "add chain inet bluegreen-keeper nat { type nat hook postrouting priority 300; policy "
                        "accept; }\n"
                        "add chain inet bluegreen-keeper track\n"
                        "add rule inet bluegreen-keeper track ct state new accept\n");
    text_clear(&text);
    two_apps(&scene);
    ruleset_batch_reset(&batch);
    assert_int_equal(ruleset_spare(&scene.state, &batch, NULL), 0);
    ruleset_render(&batch, &text);
    assert_null(strstr(text.data, "inet bluegreen "));
    assert_non_null(strstr(text.data, "add chain inet bluegreen-spare pre { type nat hook prerouting priority -99; "));
    assert_non_null(
        strstr(text.data, "add chain inet bluegreen-spare guard { type filter hook prerouting priority -150; "));
    text_clear(&text);
    ruleset_batch_clear(&batch);
}

static void test_longest_names_fit(void **unused)
{
    struct scene scene;
    scene_init(&scene);
    struct ruleset_app *app = add_app(&scene, "a123456789012345678901234567890", GREEN);
    add_port(add_zone(&scene, app, GREEN, 2), "192.0.2.1", 1, 1, PROTOCOL_UDP, UDP_MOVE);
    char *text = rendered(NULL, &scene.state);
    assert_non_null(strstr(text, "add set inet bluegreen moves4.a123456789012345678901234567890.green {"));
    assert_non_null(strstr(text, "goto app.a123456789012345678901234567890 }"));
    free(text);
}

static void test_copy_is_deep(void **unused)
{
    struct scene scene;
    struct ruleset_state copy;
    two_apps(&scene);
    assert_int_equal(ruleset_state_copy(&copy, &scene.state), 0);
    assert_diff(&scene.state, &copy, "");
    scene.ports[0][BLUE][0].published = 8000;
    assert_int_equal(copy.apps[0].zones[BLUE].ports[0].published, 80);
    ruleset_state_clear(&copy);
    assert_null(copy.apps);
    assert_int_equal(ruleset_state_copy(&copy, &copy), 0);
    assert_int_equal(copy.count, 0);
}

/* --- states that cannot be ---------------------------------------------------------------------- */

static void assert_refused(const struct scene *scene, int error, const char *words)
{
    struct ruleset_batch batch = {0};
    struct error err = {0};
    assert_int_equal(ruleset_diff(NULL, &scene->state, &batch, &err), -error);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in '%s'", words, err.text);
    assert_int_equal(ruleset_diff(NULL, &scene->state, &batch, NULL), -error);
    ruleset_batch_clear(&batch);
}

static void test_two_apps_on_one_port(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.apps[1].zones[GREEN].ports[0].listen.family = 0;
    assert_refused(&scene, EEXIST, "tcp port 80 is published twice");
    two_apps(&scene);
    scene.apps[0].zones[BLUE].ports[0].listen = scene.apps[1].zones[GREEN].ports[0].listen;
    assert_refused(&scene, EEXIST, "tcp port 80 of 198.51.100.7 is published twice, by ");
}

static void test_one_port_twice_in_a_zone_that_is_not_live(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.apps[0].zones[GREEN].ports[1].published = 80;
    assert_refused(&scene, EEXIST, "app web publishes tcp port 80 twice");
}

static void test_bad_names(void **unused)
{
    static const char *const names[] = {"", "Web", "web.blue", "web;flush ruleset", "1web", "web }"};
    struct scene scene;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        two_apps(&scene);
        text_copy(scene.apps[0].name, sizeof scene.apps[0].name, names[i]);
        assert_refused(&scene, EINVAL, "is no name of an app");
    }
    memset(scene.apps[0].name, 'a', sizeof scene.apps[0].name);
    assert_refused(&scene, EINVAL, "is no name of an app");
    two_apps(&scene);
    text_copy(scene.apps[1].name, sizeof scene.apps[1].name, "web");
    scene.apps[1].live = -1;
    assert_refused(&scene, EEXIST, "app web is there twice");
}

static void test_bad_zones(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.apps[0].zones[BLUE].present = false;
    assert_refused(&scene, EINVAL, "live zone of web does not exist");
    two_apps(&scene);
    scene.apps[0].live = 2;
    assert_refused(&scene, EINVAL, "live zone of web does not exist");
    two_apps(&scene);
    scene.apps[0].live = -2;
    assert_refused(&scene, EINVAL, "live zone of web does not exist");
    two_apps(&scene);
    scene.apps[0].zones[BLUE].number = 0;
    assert_refused(&scene, EINVAL, "zone web/blue has number 0");
    scene.apps[0].zones[BLUE].number = 0x8000;
    assert_refused(&scene, EINVAL, "zone web/blue has number 32768");
    scene.apps[0].zones[BLUE].number = 4;
    assert_refused(&scene, EINVAL, "number 4, which is another zone's");
    two_apps(&scene);
    scene.apps[0].zones[BLUE].service4.family = 6;
    assert_refused(&scene, EINVAL, "wrong family");
    two_apps(&scene);
    scene.apps[0].zones[BLUE].service6.family = 4;
    assert_refused(&scene, EINVAL, "wrong family");
}

static void test_bad_ports(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.ports[0][BLUE][0].published = 0;
    assert_refused(&scene, EINVAL, "publishes port 0");
    two_apps(&scene);
    scene.ports[0][BLUE][0].target = 0;
    assert_refused(&scene, EINVAL, "publishes port 0");
    two_apps(&scene);
    scene.ports[0][BLUE][0].protocol = 1;
    assert_refused(&scene, EINVAL, "neither TCP nor UDP");
    two_apps(&scene);
    scene.ports[0][BLUE][0].listen.family = 5;
    assert_refused(&scene, EINVAL, "neither IPv4 nor IPv6");
    two_apps(&scene);
    scene.ports[0][BLUE][0].listen.family = 4;
    assert_refused(&scene, EINVAL, "unspecified address");
}

static void test_bad_pools(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.state.pools.ipv4.length = 33;
    assert_refused(&scene, EINVAL, "pool of IPv4 addresses");
    two_apps(&scene);
    scene.state.pools.ipv6.address.family = 4;
    assert_refused(&scene, EINVAL, "pool of IPv6 addresses");
}

/* --- many ------------------------------------------------------------------------------------------ */

static void fill(struct ruleset_state *state, struct port *ports, uint16_t count)
{
    assert_true(prefix_parse("10.128.0.0/9", &state->pools.ipv4));
    assert_true(prefix_parse("fd00:b9::/48", &state->pools.ipv6));
    state->apps = calloc(count, sizeof *state->apps);
    for (uint16_t i = 0; i < count; i++) {
        struct ruleset_app *app = &state->apps[state->count++];
        /* Not in the order of their names. */
        snprintf(app->name, sizeof app->name, "a%u", (i * 7919u) % count);
        app->live = BLUE;
        ports[i] = (struct port){.published = (uint16_t)(i + 1), .target = 1, .protocol = PROTOCOL_TCP};
        for (enum colour colour = BLUE; colour < COLOURS; colour++) {
            struct zone_addresses addresses;
            struct ruleset_zone *zone = &app->zones[colour];
            zone->present = true;
            zone->number = zone_number(i, colour);
            assert_int_equal(address_plan(&state->pools, zone->number, &addresses, NULL), 0);
            zone->service4 = addresses.service4;
            zone->service6 = addresses.service6;
            zone->ports = &ports[i];
            zone->port_count = 1;
        }
    }
}

static void test_thousand_apps(void **unused)
{
    enum { APPS = 1000 };
    struct ruleset_state from = {0}, to = {0};
    struct ruleset_batch batch = {0};
    struct port *ports = calloc(APPS, sizeof *ports);
    fill(&from, ports, APPS);
    fill(&to, ports, APPS);
    to.apps[500].live = GREEN;
    assert_int_equal(ruleset_diff(&from, &to, &batch, NULL), 0);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.ops[0].kind, OP_ADD_ELEMENTS);
    assert_string_equal(batch.ops[0].name, "green.a500");
    ruleset_batch_reset(&batch);
    assert_int_equal(ruleset_diff(NULL, &to, &batch, NULL), 0);
    const struct ruleset_op *last = &batch.ops[batch.count - 1];
    while (strcmp(last->name, "published") != 0)
        last--;
    assert_int_equal(last->kind, OP_ADD_ELEMENTS);
    assert_int_equal(last->count, APPS);
    /* Each key once, in order. */
    for (size_t i = 1; i < last->count; i++)
        assert_true(batch.elements[last->first + i - 1].port < batch.elements[last->first + i].port);
    ruleset_batch_clear(&batch);
    free(from.apps);
    free(to.apps);
    free(ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_order_of_apps_does_not_matter),
        cmocka_unit_test(test_nothing_differs),
        cmocka_unit_test(test_switch_is_a_word_in_a_set),
        cmocka_unit_test(test_switch_between_different_ports),
        cmocka_unit_test(test_first_publishing),
        cmocka_unit_test(test_stage_and_destroy),
        cmocka_unit_test(test_zone_made_again_with_other_ports),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_new_app_and_its_removal),
        cmocka_unit_test(test_app_without_zones),
        cmocka_unit_test(test_port_that_goes_to_another_app),
        cmocka_unit_test(test_pools_changed),
        cmocka_unit_test(test_udp_policies),
        cmocka_unit_test(test_keeper_and_spare),
        cmocka_unit_test(test_longest_names_fit),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_two_apps_on_one_port),
        cmocka_unit_test(test_one_port_twice_in_a_zone_that_is_not_live),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_bad_zones),
        cmocka_unit_test(test_bad_ports),
        cmocka_unit_test(test_bad_pools),
        cmocka_unit_test(test_thousand_apps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
