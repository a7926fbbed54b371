/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of ports in the rule set: each of their ports is an element, and they meet others as each of them would. */
#include "ruleset_scene.h"

#include <errno.h>

static void add_range(struct ruleset_zone *zone, const char *listen, uint16_t published, uint16_t target,
                      uint16_t count, enum protocol protocol)
{
    add_port(zone, listen, published, target, protocol, UDP_MOVE);
    zone->ports[zone->port_count - 1].count = count;
}

/* media with one zone, green, nothing live. */
static void one_app(struct scene *scene, uint16_t count)
{
    scene_init(scene);
    struct ruleset_zone *zone = add_zone(scene, add_app(scene, "media", -1), GREEN, 2);
    add_range(zone, "", 8000, 9000, count, PROTOCOL_TCP);
    add_range(zone, "192.0.2.1", 5004, 5004, 2, PROTOCOL_UDP);
}

static void test_each_port_is_an_element(void **unused)
{
    struct scene from, to;
    scene_init(&from);
    add_app(&from, "media", -1);
    one_app(&to, 3);
    char *text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text, "ports.media.green { tcp . 8000 : 9000, tcp . 8001 : 9001, tcp . 8002 : 9002 }\n"));
    assert_non_null(
        strstr(text, "ports4.media.green { 192.0.2.1 . udp . 5004 : 5004, 192.0.2.1 . udp . 5005 : 5005 }\n"));
    assert_non_null(strstr(text, "moves4.media.green { 192.0.2.1 . udp . 5004, 192.0.2.1 . udp . 5005 }\n"));
    assert_null(strstr(text, "published"));
    free(text);
}

static void test_published_with_the_switch(void **unused)
{
    struct scene from, to;
    one_app(&from, 2);
    one_app(&to, 2);
    to.apps[0].live = GREEN;
    char *text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text, "add element inet bluegreen published { tcp . 8000 : goto app.media, "
                                 "tcp . 8001 : goto app.media }\n"));
    assert_non_null(strstr(text, "add element inet bluegreen published4 { 192.0.2.1 . udp . 5004 : goto app.media, "
                                 "192.0.2.1 . udp . 5005 : goto app.media }\n"));
    free(text);
}

/* A release with a longer range: the zone's maps are new, and what is published grows by the difference. */
static void test_a_range_that_grows(void **unused)
{
    struct scene from, to;
    one_app(&from, 2);
    one_app(&to, 4);
    from.apps[0].live = to.apps[0].live = GREEN;
    char *text = rendered(&from.state, &to.state);
    assert_non_null(strstr(text, "delete map inet bluegreen ports.media.green\n"));
    assert_non_null(strstr(text, "tcp . 8003 : 9003 }\n"));
    assert_non_null(strstr(text, "add element inet bluegreen published { tcp . 8002 : goto app.media, "
                                 "tcp . 8003 : goto app.media }\n"));
    assert_null(strstr(text, "delete element"));
    free(text);
    text = rendered(&to.state, &from.state);
    assert_non_null(strstr(text, "delete element inet bluegreen published { tcp . 8002, tcp . 8003 }\n"));
    free(text);
    from.ports[0][GREEN][0].count = 0; /* one port, and the same as a range of one */
    to.ports[0][GREEN][0].count = 1;
    assert_diff(&from.state, &to.state, "");
}

static void assert_refused(const struct scene *scene, int error, const char *words)
{
    struct ruleset_batch batch = {0};
    struct error err = {0};
    assert_int_equal(ruleset_diff(NULL, &scene->state, &batch, &err), -error);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in '%s'", words, err.text);
    ruleset_batch_clear(&batch);
}

static void test_ranges_that_meet(void **unused)
{
    struct scene scene;
    one_app(&scene, 11);
    scene.apps[0].live = GREEN;
    struct ruleset_app *other = add_app(&scene, "other", BLUE);
    add_range(add_zone(&scene, other, BLUE, 3), "", 8010, 1, 5, PROTOCOL_TCP);
    assert_refused(&scene, EEXIST, "tcp port 8010 is published twice, by ");
    scene.ports[1][BLUE][0].published = 8011;
    struct ruleset_batch batch = {0};
    assert_int_equal(ruleset_diff(NULL, &scene.state, &batch, NULL), 0);
    ruleset_batch_clear(&batch);
    /* One port in a range. */
    two_apps(&scene);
    scene.ports[1][GREEN][0].published = 70;
    scene.ports[1][GREEN][0].count = 11;
    scene.ports[1][GREEN][0].listen.family = 0;
    assert_refused(&scene, EEXIST, "tcp port 80 is published twice, by ");
    /* Within a zone that is not live. */
    one_app(&scene, 11);
    add_range(&scene.apps[0].zones[GREEN], "", 7990, 1, 11, PROTOCOL_TCP);
    assert_refused(&scene, EEXIST, "app media publishes tcp port 7990 twice");
}

static void test_beyond_the_last_port(void **unused)
{
    struct scene scene;
    one_app(&scene, 65535 - 9000 + 1);
    struct ruleset_batch batch = {0};
    assert_int_equal(ruleset_diff(NULL, &scene.state, &batch, NULL), 0);
    ruleset_batch_clear(&batch);
    scene.ports[0][GREEN][0].count++;
    assert_refused(&scene, EINVAL, "zone media/green publishes a range beyond port 65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_port_is_an_element), cmocka_unit_test(test_published_with_the_switch),
        cmocka_unit_test(test_a_range_that_grows),      cmocka_unit_test(test_ranges_that_meet),
        cmocka_unit_test(test_beyond_the_last_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
