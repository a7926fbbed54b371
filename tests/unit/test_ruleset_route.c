/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leads to an app's zones beside the live one's rule: a canary's share, preview ports and preview clients. */
#include "ruleset_scene.h"

#include <errno.h>

#define FLUSH_WEB "flush chain inet bluegreen app.web\n"
#define BLUE_RULE "add rule inet bluegreen app.web goto zone.web.blue\n"
#define BY_SET    "add rule inet bluegreen app.web meta l4proto @green.web goto zone.web.green\n" BLUE_RULE
#define PREVIEW                                                                        \
    "add rule inet bluegreen preview.web meta l4proto @green.web goto zone.web.blue\n" \
    "add rule inet bluegreen preview.web goto zone.web.green\n"
#define CLIENT(ip, from)                                                                                  \
    "add rule inet bluegreen app.web " #ip " saddr " from " meta l4proto @green.web goto zone.web.blue\n" \
    "add rule inet bluegreen app.web " #ip " saddr " from " goto zone.web.green\n"
#define NOW_GREEN "add element inet bluegreen green.web { tcp, udp }\n"
#define RANDOM(n) "add rule inet bluegreen app.web numgen random mod 100 < " #n " goto zone.web.green\n"
#define HASH(ip, n) \
    "add rule inet bluegreen app.web jhash " #ip " saddr mod 100 seed 0x2 < " #n " goto zone.web.green\n"

static void canary(struct scene *scene, uint8_t percent, bool sticky)
{
    two_apps(scene);
    scene->apps[0].canary_percent = percent;
    scene->apps[0].canary_sticky = sticky;
}

static void test_canary_by_connection(void **unused)
{
    struct scene without, ten, twenty, switched;
    two_apps(&without);
    canary(&ten, 10, false);
    canary(&twenty, 20, false);
    two_apps(&switched);
    switched.apps[0].live = GREEN;
    assert_diff(&without.state, &ten.state, FLUSH_WEB RANDOM(10) BLUE_RULE);
    assert_diff(&ten.state, &twenty.state, FLUSH_WEB RANDOM(20) BLUE_RULE);
    assert_diff(&twenty.state, &switched.state, NOW_GREEN FLUSH_WEB BY_SET);
    assert_diff(&twenty.state, &without.state, FLUSH_WEB BY_SET);
    assert_diff(&ten.state, &ten.state, "");
}

/* The same seed at each share: an address below ten is below twenty. */
static void test_sticky_canary(void **unused)
{
    struct scene without, ten, twenty, random;
    two_apps(&without);
    canary(&ten, 10, true);
    canary(&twenty, 20, true);
    canary(&random, 20, false);
    assert_diff(&without.state, &ten.state, FLUSH_WEB HASH(ip, 10) HASH(ip6, 10) BLUE_RULE);
    assert_diff(&ten.state, &twenty.state, FLUSH_WEB HASH(ip, 20) HASH(ip6, 20) BLUE_RULE);
    assert_diff(&twenty.state, &random.state, FLUSH_WEB RANDOM(20) BLUE_RULE);
    assert_diff(&twenty.state, &without.state, FLUSH_WEB BY_SET);
}

static void test_stickiness_of_nothing_is_no_difference(void **unused)
{
    struct scene without, sticky;
    two_apps(&without);
    canary(&sticky, 0, true);
    assert_diff(&without.state, &sticky.state, "");
}

/* A preview's port, the last of each zone's. */
static void previewed(struct scene *scene, int live, enum colour preview)
{
    two_apps(scene);
    struct ruleset_app *web = &scene->apps[0];
    for (int colour = 0; colour < COLOURS; colour++) {
        add_port(&web->zones[colour], "", 8081, 8080, PROTOCOL_TCP, UDP_MOVE);
        web->zones[colour].preview_count = 1;
    }
    web->live = live;
    web->zones[preview].preview = true;
}

static void test_preview_port(void **unused)
{
    struct scene without, with, switched;
    previewed(&without, BLUE, GREEN);
    without.apps[0].zones[GREEN].preview = false;
    previewed(&with, BLUE, GREEN);
    previewed(&switched, GREEN, BLUE);
    assert_diff(&without.state, &with.state,
                "add chain inet bluegreen preview.web\n" PREVIEW
                "add element inet bluegreen published { tcp . 8081 : goto preview.web }\n");
    /* One transaction: whoever looks at the preview sees the one or the other. */
    assert_diff(&with.state, &switched.state, NOW_GREEN);
    assert_diff(&with.state, &without.state,
                "delete element inet bluegreen published { tcp . 8081 }\n"
                "flush chain inet bluegreen preview.web\n"
                "delete chain inet bluegreen preview.web\n");
}

static void test_preview_before_anything_is_live(void **unused)
{
    struct scene from, to;
    previewed(&from, -1, GREEN);
    from.apps[0].zones[GREEN].preview = false;
    previewed(&to, -1, GREEN);
    assert_diff(&from.state, &to.state,
                "add chain inet bluegreen preview.web\n"
                "add rule inet bluegreen preview.web goto zone.web.green\n"
                "add element inet bluegreen published { tcp . 8081 : goto preview.web }\n");
}

/* The one release publishes what the other one has as a preview's port: the live one has it. */
static void test_published_port_wins_over_preview(void **unused)
{
    struct scene from, to;
    previewed(&from, BLUE, GREEN);
    from.apps[0].zones[GREEN].preview = false;
    previewed(&to, BLUE, GREEN);
    from.apps[0].zones[BLUE].preview_count = to.apps[0].zones[BLUE].preview_count = 0;
    assert_diff(&from.state, &to.state, "add chain inet bluegreen preview.web\n" PREVIEW);
}

static void add_client(struct ruleset_zone *zone, struct prefix clients[2], const char *text)
{
    zone->preview_from = clients;
    assert_true(prefix_parse(text, &clients[zone->preview_from_count++]));
}

static void test_preview_clients_come_first(void **unused)
{
    struct prefix clients[2];
    struct scene from, to, shared, switched;
    two_apps(&from);
    two_apps(&to);
    struct ruleset_zone *green = &to.apps[0].zones[GREEN];
    green->preview = true;
    add_client(green, clients, "198.51.100.0/24");
    add_client(green, clients, "2001:db8::/32");
    static const char rules[] = FLUSH_WEB CLIENT(ip, "198.51.100.0/24") CLIENT(ip6, "2001:db8::/32") BY_SET;
    assert_diff(&from.state, &to.state, rules);
    assert_diff(&to.state, &from.state, FLUSH_WEB BY_SET);
    /* They come to the zone that is not live, whichever that is. */
    two_apps(&switched);
    switched.apps[0].live = GREEN;
    struct ruleset_zone *blue = &switched.apps[0].zones[BLUE];
    blue->preview = true;
    blue->preview_from = clients;
    blue->preview_from_count = 2;
    assert_diff(&to.state, &switched.state, NOW_GREEN);
    shared = to;
    shared.state.apps = shared.apps;
    shared.apps[0].canary_percent = 5;
    assert_diff(&to.state, &shared.state,
                FLUSH_WEB "add rule inet bluegreen app.web ip saddr 198.51.100.0/24 goto zone.web.green\n"
                          "add rule inet bluegreen app.web ip6 saddr 2001:db8::/32 goto zone.web.green\n" RANDOM(5)
                              BLUE_RULE);
    shared.apps[0].zones[GREEN].preview_from_count = 1; /* the file was changed */
    assert_diff(&shared.state, &to.state, rules);
}

/* Others pass the chain and find the host as it was without the app. */
static void test_clients_before_anything_is_live(void **unused)
{
    struct prefix clients[2];
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    from.apps[0].live = to.apps[0].live = -1;
    struct ruleset_zone *green = &to.apps[0].zones[GREEN];
    green->preview = true;
    add_client(green, clients, "198.51.100.0/24");
    assert_diff(&from.state, &to.state,
                "add rule inet bluegreen app.web ip saddr 198.51.100.0/24 goto zone.web.green\n"
                "add element inet bluegreen published { tcp . 80 : goto app.web, tcp . 81 : goto app.web, udp . 80 : "
                "goto app.web }\n");
    assert_diff(&to.state, &from.state,
                FLUSH_WEB "delete element inet bluegreen published { tcp . 80, tcp . 81, udp . 80 }\n");
}

static void test_app_with_all_of_it_goes(void **unused)
{
    struct prefix clients[2];
    struct scene with, without;
    previewed(&with, BLUE, GREEN);
    with.apps[0].canary_percent = 10;
    add_client(&with.apps[0].zones[GREEN], clients, "198.51.100.0/24");
    previewed(&without, BLUE, GREEN);
    without.apps[0] = without.apps[1];
    without.state.count = 1;
    char *gone = rendered(&with.state, &without.state);
    /* A set can go when no rule asks it. */
    assert_non_null(strstr(gone,
                           "flush chain inet bluegreen preview.web\n"
                           "delete chain inet bluegreen preview.web\n" FLUSH_WEB "delete chain inet bluegreen app.web\n"
                           "delete set inet bluegreen green.web\n"
                           "flush chain inet bluegreen zone.web.blue\n"));
    free(gone);
}

static void assert_refused(const struct ruleset_state *state, const char *text)
{
    struct ruleset_batch batch = {0};
    struct error err = {0};
    assert_int_equal(ruleset_diff(NULL, state, &batch, &err), -EINVAL);
    assert_non_null(strstr(err.text, text));
    ruleset_batch_clear(&batch);
}

static void test_states_that_cannot_be(void **unused)
{
    struct scene scene;
    canary(&scene, 100, false);
    assert_refused(&scene.state, "100% of the connections of web");
    canary(&scene, 10, false);
    scene.apps[0].live = -1;
    assert_refused(&scene.state, "10% of the connections of web");
    canary(&scene, 10, false);
    scene.apps[0].zones[GREEN] = (struct ruleset_zone){0};
    assert_refused(&scene.state, "10% of the connections of web");
    previewed(&scene, BLUE, BLUE);
    assert_refused(&scene.state, "zone web/blue cannot be previewed");
    previewed(&scene, -1, BLUE);
    scene.apps[0].zones[GREEN].preview = true;
    assert_refused(&scene.state, "zone web/green cannot be previewed");
    previewed(&scene, BLUE, GREEN);
    scene.apps[0].zones[GREEN].preview_count = 9;
    assert_refused(&scene.state, "more ports for its preview than ports");
}

static void test_copy_is_deep(void **unused)
{
    struct prefix clients[2];
    struct scene scene;
    struct ruleset_state copy;
    previewed(&scene, BLUE, GREEN);
    add_client(&scene.apps[0].zones[GREEN], clients, "198.51.100.0/24");
    assert_int_equal(ruleset_state_copy(&copy, &scene.state), 0);
    assert_diff(&scene.state, &copy, "");
    assert_ptr_not_equal(copy.apps[0].zones[GREEN].preview_from, clients);
    assert_true(prefix_parse("203.0.113.0/24", &clients[0]));
    char *text = rendered(&copy, &scene.state);
    assert_non_null(strstr(text, "ip saddr 203.0.113.0/24"));
    free(text);
    ruleset_state_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canary_by_connection),
        cmocka_unit_test(test_sticky_canary),
        cmocka_unit_test(test_stickiness_of_nothing_is_no_difference),
        cmocka_unit_test(test_preview_port),
        cmocka_unit_test(test_preview_before_anything_is_live),
        cmocka_unit_test(test_published_port_wins_over_preview),
        cmocka_unit_test(test_preview_clients_come_first),
        cmocka_unit_test(test_clients_before_anything_is_live),
        cmocka_unit_test(test_app_with_all_of_it_goes),
        cmocka_unit_test(test_states_that_cannot_be),
        cmocka_unit_test(test_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
