/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fences and what is shared, in the rule set: what is there, what a switch changes, what goes. */
#include "ruleset_scene.h"

#define RULES_MAX 4

/* One app with both zones, blue live; what they may reach lies in arrays here. */
struct reach_scene {
    struct scene scene;
    struct reach_rule allow[COLOURS][RULES_MAX], shares[COLOURS][RULES_MAX];
};

static struct ruleset_zone *web_zone(struct reach_scene *reach, enum colour colour)
{
    return &reach->scene.apps[0].zones[colour];
}

static void one_app(struct reach_scene *reach)
{
    memset(reach, 0, sizeof *reach);
    scene_init(&reach->scene);
    struct ruleset_app *web = add_app(&reach->scene, "web", BLUE);
    for (int colour = 0; colour < COLOURS; colour++) {
        struct ruleset_zone *zone = add_zone(&reach->scene, web, (enum colour)colour, (uint16_t)(colour + 1));
        add_port(zone, "", 80, 8080, PROTOCOL_TCP, UDP_MOVE);
        zone->fence.allow = reach->allow[colour];
        zone->shares = reach->shares[colour];
    }
}

static void fence(struct ruleset_zone *zone, bool closed)
{
    zone->fence.there = true;
    zone->fence.closed = closed;
}

static void allow(struct ruleset_zone *zone, const char *to, uint8_t protocol, uint16_t first, uint16_t last)
{
    struct reach_rule *rule = &zone->fence.allow[zone->fence.allow_count++];
    *rule = (struct reach_rule){.protocol = protocol, .first = first, .last = last};
    assert_true(prefix_parse(to, &rule->to));
}

static void share(struct ruleset_zone *zone, const char *host, uint16_t port, uint8_t protocol)
{
    struct reach_rule *rule = &zone->shares[zone->share_count++];
    *rule = (struct reach_rule){.protocol = protocol, .first = port, .last = port};
    assert_true(prefix_parse(host, &rule->to));
}

static void test_fence_of_a_staged_zone(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    before.scene.apps[0].zones[GREEN].present = false;
    before.scene.apps[0].zones[GREEN].port_count = 0;
    struct ruleset_zone *green = web_zone(&after, GREEN);
    fence(green, true);
    allow(green, "192.0.2.0/24", PROTOCOL_TCP, 443, 443);
    allow(green, "2001:db8::/32", 0, 8000, 8010);
    allow(green, "198.51.100.9/32", 0, 0, 0);
    allow(green, "198.51.100.0/24", PROTOCOL_UDP, 0, 0);
    char *text = rendered(&before.scene.state, &after.scene.state);
    assert_non_null(strstr(
        text,
        "add counter inet bluegreen fenced.web.green\n"
        "add chain inet bluegreen fence.web.green\n"
        "add rule inet bluegreen fence.web.green ip daddr 192.0.2.0/24 meta l4proto tcp th dport 443 accept\n"
        "add rule inet bluegreen fence.web.green ip6 daddr 2001:db8::/32 meta l4proto tcp th dport 8000-8010 accept\n"
        "add rule inet bluegreen fence.web.green ip6 daddr 2001:db8::/32 meta l4proto udp th dport 8000-8010 accept\n"
        "add rule inet bluegreen fence.web.green ip daddr 198.51.100.9/32 accept\n"
        "add rule inet bluegreen fence.web.green ip daddr 198.51.100.0/24 meta l4proto udp accept\n"
        "add rule inet bluegreen fence.web.green meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn th sport 8080 "
        "accept\n"
        "add rule inet bluegreen fence.web.green meta l4proto tcp tcp flags & (fin|syn|rst|ack) == syn "
        "counter name \"fenced.web.green\" reject with tcp reset\n"
        "add rule inet bluegreen fence.web.green meta l4proto udp counter name \"fenced.web.green\" "
        "reject with icmpx type admin-prohibited\n"
        "add rule inet bluegreen fence.web.green meta l4proto tcp drop\n"
        "add rule inet bluegreen fence.web.green reject with icmpx type admin-prohibited\n"));
    assert_non_null(strstr(text, "add element inet bluegreen fenced { \"bg2\" }\n"
                                 "add element inet bluegreen fences { \"bg2\" : goto fence.web.green }\n"));
    free(text);
}

/* The old zone stays as it is until its drain is over. */
static void test_switch_opens_the_new_fence_with_it(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    fence(web_zone(&before, BLUE), false);
    fence(web_zone(&before, GREEN), true);
    fence(web_zone(&after, BLUE), false);
    fence(web_zone(&after, GREEN), false);
    after.scene.apps[0].live = GREEN;
    assert_diff(&before.scene.state, &after.scene.state,
                "add element inet bluegreen green.web { tcp, udp }\n"
                "delete element inet bluegreen fenced { \"bg2\" }\n");
    assert_diff(&after.scene.state, &before.scene.state,
                "delete element inet bluegreen green.web { tcp, udp }\n"
                "add element inet bluegreen fenced { \"bg2\" }\n");
}

/* So that closing is only closing. */
static void test_an_open_fence_is_kept_ready(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    fence(web_zone(&before, BLUE), false);
    fence(web_zone(&after, BLUE), false);
    allow(web_zone(&after, BLUE), "192.0.2.0/24", 0, 0, 0);
    char *text = rendered(&before.scene.state, &after.scene.state);
    assert_true(text_starts_with(text, "flush chain inet bluegreen fence.web.blue\n"
                                       "add rule inet bluegreen fence.web.blue ip daddr 192.0.2.0/24 accept\n"));
    assert_null(strstr(text, "element"));
    free(text);
}

static void test_shares(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    share(web_zone(&after, BLUE), "10.201.0.1/32", 5432, PROTOCOL_TCP);
    share(web_zone(&after, BLUE), "10.201.0.1/32", 11211, PROTOCOL_UDP);
    assert_diff(&before.scene.state, &after.scene.state,
                "add chain inet bluegreen share.web.blue\n"
                "add rule inet bluegreen share.web.blue ip daddr 10.201.0.1/32 meta l4proto tcp th dport 5432 "
                "dnat ip to 127.0.0.1\n"
                "add rule inet bluegreen share.web.blue ip daddr 10.201.0.1/32 meta l4proto udp th dport 11211 "
                "dnat ip to 127.0.0.1\n"
                "add element inet bluegreen shares { \"bg1\" : goto share.web.blue }\n");
    assert_diff(&after.scene.state, &before.scene.state,
                "delete element inet bluegreen shares { \"bg1\" }\n"
                "flush chain inet bluegreen share.web.blue\n"
                "delete chain inet bluegreen share.web.blue\n");
}

/* Whatever is closed, what is shared stays open, and follows when it becomes another. */
static void test_fence_lets_through_what_is_shared(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    fence(web_zone(&before, GREEN), true);
    fence(web_zone(&after, GREEN), true);
    share(web_zone(&before, GREEN), "10.201.0.5/32", 5432, PROTOCOL_TCP);
    share(web_zone(&after, GREEN), "10.201.0.5/32", 5433, PROTOCOL_TCP);
    char *text = rendered(&before.scene.state, &after.scene.state);
    assert_true(text_starts_with(
        text,
        "flush chain inet bluegreen fence.web.green\n"
        "add rule inet bluegreen fence.web.green ip daddr 10.201.0.5/32 meta l4proto tcp th dport 5433 accept\n"));
    assert_non_null(strstr(text, "flush chain inet bluegreen share.web.green\n"
                                 "add rule inet bluegreen share.web.green ip daddr 10.201.0.5/32 meta l4proto tcp "
                                 "th dport 5433 dnat ip to 127.0.0.1\n"));
    assert_null(strstr(text, "5432"));
    assert_null(strstr(text, "element"));
    free(text);
}

static void test_fence_goes_with_its_zone(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    fence(web_zone(&before, GREEN), true);
    after.scene.apps[0].zones[GREEN].present = false;
    char *text = rendered(&before.scene.state, &after.scene.state);
    assert_non_null(strstr(text, "delete element inet bluegreen fenced { \"bg2\" }\n"
                                 "delete element inet bluegreen fences { \"bg2\" }\n"
                                 "delete element inet bluegreen answers { \"bg2\" . 8080 }\n"
                                 "flush chain inet bluegreen fence.web.green\n"
                                 "delete chain inet bluegreen fence.web.green\n"
                                 "delete counter inet bluegreen fenced.web.green\n"));
    free(text);
}

/* A link's name is another zone's when its number is: first away with the one, then the other. */
static void test_a_number_that_becomes_another_apps(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    text_copy(after.scene.apps[0].name, sizeof after.scene.apps[0].name, "shop");
    fence(web_zone(&before, BLUE), true);
    fence(web_zone(&after, BLUE), true);
    char *text = rendered(&before.scene.state, &after.scene.state);
    const char *made = strstr(text, "add chain inet bluegreen fence.shop.blue\n"),
               *away = strstr(text, "delete element inet bluegreen fences { \"bg1\" }\n"),
               *there = strstr(text, "add element inet bluegreen fences { \"bg1\" : goto fence.shop.blue }\n"),
               *gone = strstr(text, "delete chain inet bluegreen fence.web.blue\n");
    assert_true(made && away && there && gone && made < away && away < there && there < gone);
    free(text);
}

static void test_copy_is_deep(void **state)
{
    (void)state;
    struct reach_scene scene;
    struct ruleset_state copy;
    one_app(&scene);
    fence(web_zone(&scene, BLUE), true);
    allow(web_zone(&scene, BLUE), "192.0.2.0/24", 0, 0, 0);
    share(web_zone(&scene, BLUE), "10.201.0.1/32", 5432, PROTOCOL_TCP);
    assert_int_equal(ruleset_state_copy(&copy, &scene.scene.state), 0);
    assert_diff(&scene.scene.state, &copy, "");
    assert_ptr_not_equal(copy.apps[0].zones[BLUE].fence.allow, scene.allow[BLUE]);
    assert_ptr_not_equal(copy.apps[0].zones[BLUE].shares, scene.shares[BLUE]);
    ruleset_state_clear(&copy);
}

static void test_longest_names_fit(void **state)
{
    (void)state;
    struct reach_scene before, after;
    one_app(&before);
    one_app(&after);
    before.scene.state.count = 0;
    memset(after.scene.apps[0].name, 'a', APP_NAME_MAX);
    fence(web_zone(&after, GREEN), true);
    char *text = rendered(&before.scene.state, &after.scene.state);
    assert_non_null(strstr(text, "add counter inet bluegreen fenced.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.green\n"));
    free(text);
}

static void test_who_has_none_is_not_asked(void **state)
{
    (void)state;
    struct scene scene;
    two_apps(&scene);
    char *text = rendered(NULL, &scene.state);
    assert_non_null(strstr(text, "add rule inet bluegreen leaving iifname @fenced iifname vmap @fences\n"
                                 "add rule inet bluegreen leaving accept\n"));
    assert_null(strstr(text, "fence."));
    assert_null(strstr(text, "fenced."));
    assert_null(strstr(text, "share."));
    assert_null(strstr(text, "element inet bluegreen fence"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fence_of_a_staged_zone),
        cmocka_unit_test(test_switch_opens_the_new_fence_with_it),
        cmocka_unit_test(test_an_open_fence_is_kept_ready),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_fence_lets_through_what_is_shared),
        cmocka_unit_test(test_fence_goes_with_its_zone),
        cmocka_unit_test(test_a_number_that_becomes_another_apps),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_longest_names_fit),
        cmocka_unit_test(test_who_has_none_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
