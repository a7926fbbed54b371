/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one state to another in the fewest operations. The order inside a batch: what is referred to comes before what
 * refers to it, references go before what they referred to. A switch is two elements of a set.
 */
#include "base/cleanup.h"
#include "model/ruleset_batch.h"
#include "model/ruleset_sorted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (has_preview(old) && !has_preview(app)) {
        app_chain(ops, OP_FLUSH_CHAIN, "preview", old->name);
        app_chain(ops, OP_DELETE_CHAIN, "preview", old->name);
    }
    if (!app) {
        if (has_route(old))
            app_chain(ops, OP_FLUSH_CHAIN, "app", old->name);
        app_chain(ops, OP_DELETE_CHAIN, "app", old->name);
        build_green(ops, OP_DELETE_SET, old);
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

/* An app as it was and as it is to be, either NULL where there is none. */
struct pair {
    const struct ruleset_app *old, *app;
};

struct comparison {
    struct sorted was, is;
    struct pair *pairs; /* the apps that are not as they were, in order: all that follows is done for these alone */
    size_t count;
};

static void comparison_clear(struct comparison *comparison)
{
    sorted_clear(&comparison->was);
    sorted_clear(&comparison->is);
    free(comparison->pairs);
}

static int find_changes(struct comparison *comparison)
{
    const struct sorted *from = &comparison->was, *to = &comparison->is;
    comparison->pairs = calloc(from->count + to->count + 1, sizeof *comparison->pairs);
    if (!comparison->pairs)
        return -ENOMEM;
    for (size_t i = 0, j = 0; i < from->count || j < to->count;) {
        int order = i == from->count ? 1 : j == to->count ? -1 : sorted_compare_apps(&from->apps[i], &to->apps[j]);
        const struct ruleset_app *old = order <= 0 ? from->apps[i++] : NULL;
        const struct ruleset_app *app = order >= 0 ? to->apps[j++] : NULL;
        if (!old || !app || !same_app(old, app))
            comparison->pairs[comparison->count++] = (struct pair){old, app};
    }
    return 0;
}

static bool publishes_alike(const struct ruleset_app *a, const struct ruleset_app *b)
{
    if (!a || !b || (a->live < 0) != (b->live < 0))
        return false;
    const struct ruleset_zone *x = previewed_zone(a), *y = previewed_zone(b);
    if (!x != !y || (x && !same_ports(x, y)))
        return false;
    if (a->live < 0)
        return !x || !x->preview_from_count == !y->preview_from_count; /* what is published for its clients only */
    return same_ports(&a->zones[a->live], &b->zones[b->live]);
}

/* Not for most switches: then the thousands of ports that a host may have need not be put in order and compared. */
static bool ports_change(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (!publishes_alike(comparison->pairs[i].old, comparison->pairs[i].app))
            return true;
    return false;
}

static int compare_states(struct comparison *comparison, const struct ruleset_state *from,
                          const struct ruleset_state *to, struct error *err)
{
    static const struct ruleset_state nothing;
    if (sorted_build(&comparison->was, from ? from : &nothing) || sorted_build(&comparison->is, to) ||
        find_changes(comparison))
        return error_errno(err, ENOMEM, "compare rule sets");
    int status = sorted_check_apps(&comparison->is, err);
    if (status || !ports_change(comparison))
        return status;
    if (sorted_ports(&comparison->was) || sorted_ports(&comparison->is))
        return error_errno(err, ENOMEM, "compare rule sets");
    return sorted_check_ports(&comparison->is, err);
}

/* What leads by the names of links: away with all that goes first, as a link may become another app's. */
static void change_links(struct ruleset_batch *ops, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pairs[i].old)
            reach_links(ops, OP_DELETE_ELEMENTS, pairs[i].old, pairs[i].app);
    for (size_t i = 0; i < count; i++)
        if (pairs[i].app)
            reach_links(ops, OP_ADD_ELEMENTS, pairs[i].app, pairs[i].old);
    for (size_t i = 0; i < count; i++)
        if (pairs[i].old)
            answers_of_app(ops, OP_DELETE_ELEMENTS, pairs[i].old, pairs[i].app);
    for (size_t i = 0; i < count; i++)
        if (pairs[i].app)
            answers_of_app(ops, OP_ADD_ELEMENTS, pairs[i].app, pairs[i].old);
}

static bool same_pools(const struct address_pools *a, const struct address_pools *b)
{
    return address_equal(&a->ipv4.address, &b->ipv4.address) && a->ipv4.length == b->ipv4.length &&
           address_equal(&a->ipv6.address, &b->ipv6.address) && a->ipv6.length == b->ipv6.length;
}

static int diff_states(const struct ruleset_state *from, const struct ruleset_state *to,
                       const struct comparison *comparison, struct ruleset_batch *ops, struct error *err)
{
    const struct pair *pairs = comparison->pairs;
    if (!from) {
        batch_op(ops, OP_REPLACE_TABLE, RULESET_TABLE, "");
        build_fixed(ops, &to->pools);
    } else if (!same_pools(&from->pools, &to->pools)) {
        batch_op(ops, OP_FLUSH_CHAIN, RULESET_TABLE, "guard");
        build_guard_rules(ops, &to->pools);
    }
    int status = 0;
    for (size_t i = 0; i < comparison->count && !status; i++)
        if (pairs[i].app)
            status = update_app(ops, pairs[i].old, pairs[i].app, err);
    if (status)
        return status;
    build_takeover(ops, from, to);
    sorted_publish_missing(ops, OP_DELETE_ELEMENTS, &comparison->was, &comparison->is);
    sorted_publish_missing(ops, OP_ADD_ELEMENTS, &comparison->is, &comparison->was);
    change_links(ops, pairs, comparison->count);
    for (size_t i = 0; i < comparison->count; i++)
        if (pairs[i].old)
            remove_gone(ops, pairs[i].old, pairs[i].app);
    return ops->failed ? error_errno(err, ENOMEM, "describe the rule set") : 0;
}

int ruleset_diff(const struct ruleset_state *from, const struct ruleset_state *to, struct ruleset_batch *ops,
                 struct error *err)
{
    CLEANUP(comparison_clear) struct comparison comparison = {0};
    int status = check_values(to, err) ?: compare_states(&comparison, from, to, err);
    return status ?: diff_states(from, to, &comparison, ops, err);
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
