/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States of a rule set for its tests, and what leads from one to another, as text. */
#pragma once

#include "model/ruleset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORTS_MAX 8

/* A state of at most four apps whose ports lie in arrays here: nothing to free. */
struct scene {
    struct ruleset_state state;
    struct ruleset_app apps[4];
    struct port ports[4][COLOURS][PORTS_MAX];
};

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->state.apps = scene->apps;
    assert_true(prefix_parse("10.201.0.0/16", &scene->state.pools.ipv4));
    assert_true(prefix_parse("fd00:b9::/48", &scene->state.pools.ipv6));
}

static struct ruleset_app *add_app(struct scene *scene, const char *name, int live)
{
    struct ruleset_app *app = &scene->apps[scene->state.count++];
    *app = (struct ruleset_app){.live = live};
    text_copy(app->name, sizeof app->name, name);
    return app;
}

static struct ruleset_zone *add_zone(struct scene *scene, struct ruleset_app *app, enum colour colour, uint16_t number)
{
    struct zone_addresses addresses;
    struct ruleset_zone *zone = &app->zones[colour];
    assert_int_equal(address_plan(&scene->state.pools, number, &addresses, NULL), 0);
    *zone = (struct ruleset_zone){.present = true,
                                  .number = number,
                                  .service4 = addresses.service4,
                                  .service6 = addresses.service6,
                                  .ports = scene->ports[app - scene->apps][colour]};
    return zone;
}

static void add_port(struct ruleset_zone *zone, const char *listen, uint16_t published, uint16_t target,
                     enum protocol protocol, enum udp_policy udp)
{
    assert_true(zone->port_count < PORTS_MAX);
    struct port *port = &zone->ports[zone->port_count++];
    *port = (struct port){.published = published, .target = target, .protocol = protocol, .udp = udp};
    if (*listen)
        assert_true(address_parse(listen, &port->listen));
}

static void add_web_ports(struct ruleset_zone *zone)
{
    add_port(zone, "", 80, 8080, PROTOCOL_TCP, UDP_MOVE);
    add_port(zone, "", 81, 9090, PROTOCOL_TCP, UDP_MOVE);
    add_port(zone, "", 80, 8080, PROTOCOL_UDP, UDP_MOVE);
}

/* web with both zones, blue live; api with green only, live, on one address. */
static void two_apps(struct scene *scene)
{
    scene_init(scene);
    struct ruleset_app *web = add_app(scene, "web", BLUE), *api = add_app(scene, "api", GREEN);
    add_web_ports(add_zone(scene, web, BLUE, 1));
    add_web_ports(add_zone(scene, web, GREEN, 2));
    add_port(add_zone(scene, api, GREEN, 4), "198.51.100.7", 80, 3000, PROTOCOL_TCP, UDP_MOVE);
}

static char *rendered(const struct ruleset_state *from, const struct ruleset_state *to)
{
    struct ruleset_batch batch = {0};
    struct text text = {0};
    struct error err = {0};
    if (ruleset_diff(from, to, &batch, &err))
        fail_msg("%s", err.text);
    ruleset_render(&batch, &text);
    text_add(&text, "");
    ruleset_batch_clear(&batch);
    return text.data;
}

static void assert_diff(const struct ruleset_state *from, const struct ruleset_state *to, const char *expected)
{
    char *text = rendered(from, to);
    assert_string_equal(text, expected);
    free(text);
}
