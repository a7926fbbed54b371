/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A state's apps and published ports in order. Apart from ruleset_diff.c because that only asks for the ports, of which
 * a host may have thousands, when some of them change. */
#include "model/ruleset_sorted.h"

#include "model/ruleset_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sorted_clear(struct sorted *sorted)
{
    free(sorted->apps);
    free(sorted->published);
    *sorted = (struct sorted){0};
}

int sorted_compare_apps(const void *a, const void *b)
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

static void sorted_publish(struct sorted *sorted, const struct ruleset_app *app, const struct port *port, bool preview)
{
    for (unsigned at = 0; at < port_span(port); at++) {
        struct ruleset_element *element = &sorted->published[sorted->published_count++];
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

static void sorted_app(struct sorted *sorted, const struct ruleset_app *app)
{
    const struct ruleset_zone *previewed = previewed_zone(app), *zone = app->live >= 0 ? &app->zones[app->live] : NULL;
    if (!zone && previewed && previewed->preview_from_count)
        zone = previewed; /* for its clients only; chain app.APP lets the others pass */
    for (size_t i = 0; zone && i < zone->port_count - zone->preview_count; i++)
        sorted_publish(sorted, app, &zone->ports[i], false);
    for (size_t i = 0; previewed && i < previewed->preview_count; i++) {
        const struct port *port = &previewed->ports[previewed->port_count - previewed->preview_count + i];
        if (!is_published(zone, port))
            sorted_publish(sorted, app, port, true);
    }
}

int sorted_build(struct sorted *sorted, const struct ruleset_state *state)
{
    sorted->apps = calloc(state->count + 1, sizeof *sorted->apps);
    if (!sorted->apps)
        return -ENOMEM;
    for (size_t i = 0; i < state->count; i++)
        sorted->apps[sorted->count++] = &state->apps[i];
    sort(sorted->apps, sorted->count, sizeof *sorted->apps, sorted_compare_apps);
    return 0;
}

int sorted_ports(struct sorted *sorted)
{
    size_t published = 0;
    for (size_t i = 0; i < sorted->count; i++)
        published += ports_of(sorted->apps[i]);
    sorted->published = calloc(published + 1, sizeof *sorted->published);
    if (!sorted->published)
        return -ENOMEM;
    for (size_t i = 0; i < sorted->count; i++)
        sorted_app(sorted, sorted->apps[i]);
    sort(sorted->published, sorted->published_count, sizeof *sorted->published, compare_keys);
    return 0;
}

int sorted_check_apps(const struct sorted *sorted, struct error *err)
{
    for (size_t i = 1; i < sorted->count; i++)
        if (!sorted_compare_apps(&sorted->apps[i - 1], &sorted->apps[i]))
            return error_set(err, EEXIST, "app %s is there twice", sorted->apps[i]->name);
    return 0;
}

int sorted_check_ports(const struct sorted *sorted, struct error *err)
{
    for (size_t i = 1; i < sorted->published_count; i++) {
        const struct ruleset_element *one = &sorted->published[i - 1], *other = &sorted->published[i];
        if (compare_keys(one, other))
            continue;
        char text[ADDRESS_TEXT_MAX];
        address_format(&other->address, text);
        return error_set(err, EEXIST, "%s port %u%s%s is published twice, by %s and %s: only one app can have it",
                         protocol_name(other->protocol), other->port, *text ? " of " : "", text, one->app, other->app);
    }
    return 0;
}

static void publish(struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct ruleset_element *element)
{
    enum ruleset_key key = element->address.family == 4   ? KEY_PORT4
                           : element->address.family == 6 ? KEY_PORT6
                                                          : KEY_PORT;
    batch_element(ops, kind, published_names[key], key, DATA_VERDICT, element);
}

/* The elements of one that are not in the other; one that leads to another app there counts as not in it. */
void sorted_publish_missing(struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct sorted *one,
                            const struct sorted *other)
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
