/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leads to an app's zones: the chain app.APP with the live zone's rule, before it those of a canary and of preview
 * clients, and the chain preview.APP. Apart from ruleset_build.c because it is what a switch, a canary and a preview
 * change while the zones' own chains stay as they are.
 */
#include "model/ruleset_batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ROUTE_PIECES_MAX = 3 };

const struct ruleset_zone *previewed_zone(const struct ruleset_app *app)
{
    for (int colour = 0; app && colour < COLOURS; colour++)
        if (app->zones[colour].present && app->zones[colour].preview)
            return &app->zones[colour];
    return NULL;
}

static void green_name(char name[RULESET_NAME_MAX + 1], const struct ruleset_app *app)
{
    snprintf(name, RULESET_NAME_MAX + 1, "green.%.*s", APP_NAME_MAX, app->name);
}

/* Then the set says which of them is live, and so which is previewed, if one is. */
static bool has_both(const struct ruleset_app *app)
{
    return app->live >= 0 && app->zones[BLUE].present && app->zones[GREEN].present;
}

/* Whether the set alone says which zone is live: the chain's rules are the same for either. */
static bool by_set(const struct ruleset_app *app)
{
    return has_both(app) && !app->canary_percent;
}

static size_t client_count(const struct ruleset_zone *zone)
{
    return zone ? zone->preview_from_count : 0;
}

bool has_route(const struct ruleset_app *app)
{
    return app && (app->live >= 0 || client_count(previewed_zone(app)) > 0);
}

bool has_preview(const struct ruleset_app *app)
{
    const struct ruleset_zone *zone = previewed_zone(app);
    return zone && zone->preview_count > 0;
}

bool same_preview(const struct ruleset_app *a, const struct ruleset_app *b)
{
    if (has_both(a) || has_both(b))
        return has_both(a) && has_both(b);
    const struct ruleset_zone *x = previewed_zone(a), *y = previewed_zone(b);
    return x && y ? x - a->zones == y - b->zones : x == y;
}

/* Both have the rules that the set works on, or both have not. */
static bool same_clients(const struct ruleset_app *a, const struct ruleset_app *b)
{
    const struct ruleset_zone *x = previewed_zone(a), *y = previewed_zone(b);
    if (!client_count(x) || !client_count(y))
        return client_count(x) == client_count(y);
    return same_preview_from(x, y) && (by_set(a) || x - a->zones == y - b->zones);
}

bool same_route(const struct ruleset_app *a, const struct ruleset_app *b)
{
    if (by_set(a) != by_set(b) || !same_clients(a, b))
        return false;
    if (by_set(a))
        return true;
    return a->live == b->live && a->canary_percent == b->canary_percent &&
           (!a->canary_percent || a->canary_sticky == b->canary_sticky);
}

int check_route(const struct ruleset_app *app, struct error *err)
{
    bool other = app->live >= 0 && app->zones[colour_other((enum colour)app->live)].present;
    if (app->canary_percent > 0 && (!other || app->canary_percent > 99))
        return error_set(err, EINVAL, "%u%% of the connections of %s are for a zone that cannot have them",
                         app->canary_percent, app->name);
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct ruleset_zone *zone = &app->zones[colour];
        if (zone->preview_count > zone->port_count)
            return error_set(err, EINVAL, "zone %s/%s has more ports for its preview than ports", app->name,
                             colour_name((enum colour)colour));
        if (zone->preview && (!zone->present || app->live == colour || previewed_zone(app) != zone))
            return error_set(err, EINVAL, "zone %s/%s cannot be previewed", app->name,
                             colour_name((enum colour)colour));
    }
    return 0;
}

/* condition may be NULL; asking: and what is live is green. */
static void add_asking(struct ruleset_batch *batch, const char *kind, const struct ruleset_app *app, enum colour colour,
                       const struct rule_piece *condition, bool asking)
{
    char chain[RULESET_NAME_MAX + 1];
    struct rule_piece rule[ROUTE_PIECES_MAX] = {{.kind = RULE_END}};
    size_t count = 0;
    if (condition)
        rule[count++] = *condition;
    if (asking) {
        rule[count] = (struct rule_piece){.kind = RULE_IN_SET, .key = KEY_PROTOCOL};
        green_name(rule[count++].name, app);
    }
    rule[count].kind = RULE_GOTO;
    snprintf(rule[count].name, sizeof rule[count].name, "zone.%.*s.%s", APP_NAME_MAX, app->name, colour_name(colour));
    snprintf(chain, sizeof chain, "%s.%.*s", kind, APP_NAME_MAX, app->name);
    batch_rule(batch, RULESET_TABLE, chain, rule, count + 1);
}

static void add_rule(struct ruleset_batch *batch, const char *kind, const struct ruleset_app *app, enum colour colour,
                     const struct rule_piece *condition)
{
    add_asking(batch, kind, app, colour, condition, false);
}

/* To the one zone while green is live, else to the other. */
static void add_either(struct ruleset_batch *batch, const char *kind, const struct ruleset_app *app,
                       enum colour while_green, const struct rule_piece *condition)
{
    add_asking(batch, kind, app, while_green, condition, true);
    add_asking(batch, kind, app, colour_other(while_green), condition, false);
}

/* Never a map of random numbers: its set goes away with the rule that is replaced, and a packet may meet that. */
static void add_canary(struct ruleset_batch *batch, const struct ruleset_app *app)
{
    enum colour to = colour_other((enum colour)app->live);
    const struct rule_piece random = {.kind = RULE_RANDOM, .bits = app->canary_percent};
    if (!app->canary_sticky) {
        add_rule(batch, "app", app, to, &random);
        return;
    }
    for (enum ruleset_key key = KEY_PORT4; key <= KEY_PORT6; key++) {
        /* The same seed for each share: whoever has gone over stays when it is raised. */
        const struct rule_piece hash = {
            .kind = RULE_HASH, .bits = app->canary_percent, .key = key, .seed = app->zones[to].number};
        add_rule(batch, "app", app, to, &hash);
    }
}

void build_route(struct ruleset_batch *batch, const struct ruleset_app *app)
{
    const struct ruleset_zone *previewed = previewed_zone(app);
    for (size_t i = 0; i < client_count(previewed); i++) {
        const struct rule_piece client = {.kind = RULE_SADDR_IN, .prefix = previewed->preview_from[i]};
        if (by_set(app))
            add_either(batch, "app", app, BLUE, &client);
        else
            add_rule(batch, "app", app, (enum colour)(previewed - app->zones), &client);
    }
    if (app->canary_percent > 0)
        add_canary(batch, app);
    if (by_set(app))
        add_either(batch, "app", app, GREEN, NULL);
    else if (app->live >= 0)
        add_rule(batch, "app", app, (enum colour)app->live, NULL);
}

void build_green(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *app)
{
    char name[RULESET_NAME_MAX + 1];
    green_name(name, app);
    batch_set(batch, kind, name, KEY_PROTOCOL, DATA_NONE);
}

/* Kept with every change of what is live, whether or not the rules look at it: then no packet meets rules of one
 * generation and a set of another that would send it where it never should go. */
void build_live(struct ruleset_batch *batch, const struct ruleset_app *old, const struct ruleset_app *app)
{
    static const enum protocol protocols[] = {PROTOCOL_TCP, PROTOCOL_UDP};
    bool was = old && old->live == GREEN, is = app->live == GREEN;
    char name[RULESET_NAME_MAX + 1];
    if (was == is)
        return;
    green_name(name, app);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        const struct ruleset_element element = {.protocol = protocols[i]};
        batch_element(batch, is ? OP_ADD_ELEMENTS : OP_DELETE_ELEMENTS, name, KEY_PROTOCOL, DATA_NONE, &element);
    }
}

void build_preview(struct ruleset_batch *batch, const struct ruleset_app *app)
{
    if (has_both(app))
        add_either(batch, "preview", app, BLUE, NULL);
    else
        add_rule(batch, "preview", app, (enum colour)(previewed_zone(app) - app->zones), NULL);
}
