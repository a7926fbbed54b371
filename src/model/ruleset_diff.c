/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one state to another in the fewest operations. The order inside a batch: what is referred to comes before what
 * refers to it, references go before what they referred to. A switch is one flush and one rule.
 */
#include "model/ruleset_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A state in an order that can be merged with another one. Nothing in it outlives the state. */
struct view {
    const struct ruleset_app **apps;   /* by name */
    struct ruleset_element *published; /* by key */
    size_t count, published_count;
};

static void view_clear(struct view *view)
{
    free(view->apps);
    free(view->published);
    *view = (struct view){0};
}

static int compare_apps(const void *a, const void *b)
{
    return strcmp((*(const struct ruleset_app *const *)a)->name, (*(const struct ruleset_app *const *)b)->name);
}

static int compare_keys(const void *a, const void *b)
{
    const struct ruleset_element *x = a, *y = b;
    if (x->address.family != y->address.family)
        return x->address.family < y->address.family ? -1 : 1;
    int order = x->address.family ? memcmp(x->address.bytes, y->address.bytes, x->address.family == 4 ? 4 : 16) : 0;
    if (order)
        return order;
    if (x->protocol != y->protocol)
        return x->protocol < y->protocol ? -1 : 1;
    return x->port < y->port ? -1 : x->port > y->port;
}

/* Most callers keep their apps in order; then this is all that sorting costs. */
static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    for (size_t i = 1; i < count; i++) {
        const char *item = (const char *)items + i * size;
        if (compare(item - size, item) > 0) {
            qsort(items, count, size, compare);
            return;
        }
    }
}

static void view_publish(struct view *view, const struct ruleset_app *app, const struct port *port, bool preview)
{
    for (unsigned at = 0; at < port_span(port); at++) {
        struct ruleset_element *element = &view->published[view->published_count++];
        element->address = port->listen;
        element->protocol = port->protocol;
        element->port = (uint16_t)(port->published + at);
        element->preview = preview;
        memcpy(element->app, app->name, sizeof element->app);
    }
}

static size_t ports_of(const struct ruleset_app *app)
{
    size_t count = 0;
    for (int colour = 0; colour < COLOURS; colour++)
        for (size_t i = 0; i < app->zones[colour].port_count; i++)
            count += port_span(&app->zones[colour].ports[i]);
    return count;
}

/* What one release has as a preview's port may be published by the other one, which then has it. */
static bool is_published(const struct ruleset_zone *zone, const struct port *port)
{
    for (size_t i = 0; zone && i < zone->port_count - zone->preview_count; i++)
        if (port_conflicts(&zone->ports[i], port))
            return true;
    return false;
}

static void view_app(struct view *view, const struct ruleset_app *app)
{
    const struct ruleset_zone *previewed = previewed_zone(app), *zone = app->live >= 0 ? &app->zones[app->live] : NULL;
    if (!zone && previewed && previewed->preview_from_count)
        zone = previewed; /* for its clients only; chain app.APP lets the others pass */
    for (size_t i = 0; zone && i < zone->port_count - zone->preview_count; i++)
        view_publish(view, app, &zone->ports[i], false);
    for (size_t i = 0; previewed && i < previewed->preview_count; i++) {
        const struct port *port = &previewed->ports[previewed->port_count - previewed->preview_count + i];
        if (!is_published(zone, port))
            view_publish(view, app, port, true);
    }
}

/* ports: whether to list what is published. */
static int view_build(struct view *view, const struct ruleset_state *state, bool ports)
{
    size_t published = 0;
    for (size_t i = 0; ports && i < state->count; i++)
        published += ports_of(&state->apps[i]);
    *view = (struct view){0};
    view->apps = calloc(state->count + 1, sizeof *view->apps);
    view->published = calloc(published + 1, sizeof *view->published);
    if (!view->apps || !view->published)
        return -ENOMEM;
    for (size_t i = 0; i < state->count; i++) {
        const struct ruleset_app *app = &state->apps[i];
        view->apps[view->count++] = app;
        if (ports)
            view_app(view, app);
    }
    sort(view->apps, view->count, sizeof *view->apps, compare_apps);
    sort(view->published, view->published_count, sizeof *view->published, compare_keys);
    return 0;
}

static int check_unique(const struct view *view, struct error *err)
{
    for (size_t i = 1; i < view->count; i++)
        if (!compare_apps(&view->apps[i - 1], &view->apps[i]))
            return error_set(err, EEXIST, "app %s is there twice", view->apps[i]->name);
    for (size_t i = 1; i < view->published_count; i++) {
        const struct ruleset_element *one = &view->published[i - 1], *other = &view->published[i];
        if (compare_keys(one, other))
            continue;
        char text[ADDRESS_TEXT_MAX];
        address_format(&other->address, text);
        return error_set(err, EEXIST, "%s port %u%s%s is published twice, by %s and %s: only one app can have it",
                         protocol_name(other->protocol), other->port, *text ? " of " : "", text, one->app, other->app);
    }
    return 0;
}

static bool same_port(const struct port *a, const struct port *b)
{
    return address_equal(&a->listen, &b->listen) && a->published == b->published && a->target == b->target &&
           a->protocol == b->protocol && a->udp == b->udp && port_span(a) == port_span(b);
}

static bool same_zone(const struct ruleset_zone *a, const struct ruleset_zone *b)
{
    if (a->number != b->number || a->port_count != b->port_count || !address_equal(&a->service4, &b->service4) ||
        !address_equal(&a->service6, &b->service6))
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        if (!same_port(&a->ports[i], &b->ports[i]))
            return false;
    return true;
}

static void zone_chain(struct ruleset_batch *ops, enum ruleset_op_kind kind, const char *app, enum colour colour)
{
    char name[RULESET_NAME_MAX + 1];
    snprintf(name, sizeof name, "zone.%s.%s", app, colour_name(colour));
    batch_op(ops, kind, RULESET_TABLE, name);
}

/* what: "app" or "preview" */
static void app_chain(struct ruleset_batch *ops, enum ruleset_op_kind kind, const char *what, const char *app)
{
    char name[RULESET_NAME_MAX + 1];
    snprintf(name, sizeof name, "%s.%s", what, app);
    batch_op(ops, kind, RULESET_TABLE, name);
}

static const struct ruleset_zone *present_zone(const struct ruleset_app *app, enum colour colour)
{
    return app && app->zones[colour].present ? &app->zones[colour] : NULL;
}

/*
 * The zone's chain and maps as they are to be. A zone that changed gets new maps under the old names instead of
 * changed elements: rules and maps then change together, and no key is deleted and added in one transaction.
 */
static int refill_zone(struct ruleset_batch *ops, const struct ruleset_app *old, const struct ruleset_app *app,
                       enum colour colour, struct error *err)
{
    const struct ruleset_zone *was = present_zone(old, colour), *zone = present_zone(app, colour);
    if (!zone || (was && same_zone(was, zone)))
        return 0;
    if (app->live != (int)colour && check_zone_unique(app, zone, err))
        return -EEXIST;
    zone_chain(ops, was ? OP_FLUSH_CHAIN : OP_ADD_CHAIN, app->name, colour);
    if (was)
        build_zone_sets_gone(ops, app->name, colour, was);
    build_zone_sets(ops, app->name, colour, zone);
    build_zone_rules(ops, app->name, colour, zone);
    return 0;
}

static int update_app(struct ruleset_batch *ops, const struct ruleset_app *old, const struct ruleset_app *app,
                      struct error *err)
{
    int status = 0;
    for (int colour = 0; colour < COLOURS && !status; colour++)
        status = refill_zone(ops, old, app, colour, err);
    if (status)
        return status;
    for (int colour = 0; colour < COLOURS; colour++)
        reach_refill(ops, app->name, colour, present_zone(old, colour), present_zone(app, colour));
    if (!old) {
        app_chain(ops, OP_ADD_CHAIN, "app", app->name);
        build_green(ops, OP_ADD_SET, app);
    }
    build_live(ops, old, app);
    if (has_preview(app) && !has_preview(old))
        app_chain(ops, OP_ADD_CHAIN, "preview", app->name);
    if (!old || !same_route(old, app)) {
        if (has_route(old))
            app_chain(ops, OP_FLUSH_CHAIN, "app", app->name);
        build_route(ops, app);
    }
    if (has_preview(app) && !(has_preview(old) && same_preview(old, app))) {
        if (has_preview(old))
            app_chain(ops, OP_FLUSH_CHAIN, "preview", app->name);
        build_preview(ops, app);
    }
    return 0;
}

/* app NULL: the whole app is gone. */
static void remove_gone(struct ruleset_batch *ops, const struct ruleset_app *old, const struct ruleset_app *app)
{
    if (!app) {
        if (has_route(old))
            app_chain(ops, OP_FLUSH_CHAIN, "app", old->name);
        app_chain(ops, OP_DELETE_CHAIN, "app", old->name);
        build_green(ops, OP_DELETE_SET, old);
    }
    if (has_preview(old) && !has_preview(app)) {
        app_chain(ops, OP_FLUSH_CHAIN, "preview", old->name);
        app_chain(ops, OP_DELETE_CHAIN, "preview", old->name);
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        reach_remove(ops, old->name, colour, present_zone(old, colour), present_zone(app, colour));
        if (!present_zone(old, colour) || present_zone(app, colour))
            continue;
        zone_chain(ops, OP_FLUSH_CHAIN, old->name, colour);
        zone_chain(ops, OP_DELETE_CHAIN, old->name, colour);
        build_zone_sets_gone(ops, old->name, colour, &old->zones[colour]);
    }
}

static void publish(struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct ruleset_element *element)
{
    enum ruleset_key key = element->address.family == 4   ? KEY_PORT4
                           : element->address.family == 6 ? KEY_PORT6
                                                          : KEY_PORT;
    batch_element(ops, kind, published_names[key], key, DATA_VERDICT, element);
}

/* The elements of one that are not in the other; one that leads to another app there counts as not in it. */
static void publish_missing(struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct view *one,
                            const struct view *other)
{
    for (size_t i = 0, j = 0; i < one->published_count; i++) {
        int order = 1;
        while (j < other->published_count && (order = compare_keys(&other->published[j], &one->published[i])) < 0)
            j++;
        bool there = j < other->published_count && !order;
        if (!there || strcmp(other->published[j].app, one->published[i].app) ||
            other->published[j].preview != one->published[i].preview)
            publish(ops, kind, &one->published[i]);
    }
}

static bool publishes_alike(const struct ruleset_app *a, const struct ruleset_app *b)
{
    if (strcmp(a->name, b->name) != 0 || (a->live < 0) != (b->live < 0) || previewed_zone(a) || previewed_zone(b))
        return false;
    if (a->live < 0)
        return true;
    const struct ruleset_zone *x = &a->zones[a->live], *y = &b->zones[b->live];
    if (x->port_count != y->port_count || x->preview_count != y->preview_count)
        return false;
    for (size_t i = 0; i < x->port_count; i++)
        if (!same_port(&x->ports[i], &y->ports[i]))
            return false;
    return true;
}

/* True for most switches: then the thousands of ports that a host may have need not be put in order and compared. */
static bool same_published(const struct ruleset_state *from, const struct ruleset_state *to)
{
    bool same = from && from->count == to->count;
    for (size_t i = 0; same && i < to->count; i++)
        same = publishes_alike(&from->apps[i], &to->apps[i]);
    return same;
}

/* Calls for each app with what it was and what it is to be, either NULL where there is none. */
static int merge(struct ruleset_batch *ops, const struct view *from, const struct view *to, bool removing,
                 struct error *err)
{
    int status = 0;
    for (size_t i = 0, j = 0; !status && (i < from->count || j < to->count);) {
        int order = i == from->count ? 1 : j == to->count ? -1 : compare_apps(&from->apps[i], &to->apps[j]);
        const struct ruleset_app *old = order <= 0 ? from->apps[i++] : NULL;
        const struct ruleset_app *app = order >= 0 ? to->apps[j++] : NULL;
        if (removing && old)
            remove_gone(ops, old, app);
        if (!removing && app)
            status = update_app(ops, old, app, err);
    }
    return status;
}

static bool same_pools(const struct address_pools *a, const struct address_pools *b)
{
    return address_equal(&a->ipv4.address, &b->ipv4.address) && a->ipv4.length == b->ipv4.length &&
           address_equal(&a->ipv6.address, &b->ipv6.address) && a->ipv6.length == b->ipv6.length;
}

static struct ruleset_apps apps_of(const struct view *view)
{
    return (struct ruleset_apps){view->apps, view->count};
}

static int diff_views(const struct ruleset_state *from, const struct view *was, const struct ruleset_state *to,
                      const struct view *is, struct ruleset_batch *ops, struct error *err)
{
    if (!from) {
        batch_op(ops, OP_REPLACE_TABLE, RULESET_TABLE, "");
        build_fixed(ops, &to->pools);
    } else if (!same_pools(&from->pools, &to->pools)) {
        batch_op(ops, OP_FLUSH_CHAIN, RULESET_TABLE, "guard");
        build_guard_rules(ops, &to->pools);
    }
    int status = merge(ops, was, is, false, err);
    if (status)
        return status;
    build_takeover(ops, from, to);
    publish_missing(ops, OP_DELETE_ELEMENTS, was, is);
    publish_missing(ops, OP_ADD_ELEMENTS, is, was);
    reach_links(ops, OP_DELETE_ELEMENTS, apps_of(was), apps_of(is));
    reach_links(ops, OP_ADD_ELEMENTS, apps_of(is), apps_of(was));
    return merge(ops, was, is, true, err);
}

int ruleset_diff(const struct ruleset_state *from, const struct ruleset_state *to, struct ruleset_batch *ops,
                 struct error *err)
{
    static const struct ruleset_state nothing;
    struct view was = {0}, is = {0};
    int status = check_values(to, err);
    bool ports = !same_published(from, to);
    if (!status && (view_build(&was, from ? from : &nothing, ports) || view_build(&is, to, ports)))
        status = error_errno(err, ENOMEM, "compare rule sets");
    if (!status)
        status = check_unique(&is, err) ?: diff_views(from, &was, to, &is, ops, err);
    if (!status && ops->failed)
        status = error_errno(err, ENOMEM, "describe the rule set");
    view_clear(&was);
    view_clear(&is);
    return status;
}

int ruleset_spare(const struct ruleset_state *state, struct ruleset_batch *ops, struct error *err)
{
    size_t first = ops->count;
    int status = ruleset_diff(NULL, state, ops, err);
    for (size_t i = first; i < ops->count; i++) {
        ops->ops[i].table = RULESET_SPARE;
        /* Of two chains with one priority the newer comes first (nf_hook_entries_grow()): this one must come last. */
        if (ops->ops[i].kind == OP_ADD_CHAIN && ops->ops[i].nat)
            ops->ops[i].priority++;
    }
    return status;
}
