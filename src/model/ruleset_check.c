/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States that cannot be: what the kernel would refuse without a word, or take and do something else. */
#include "model/ruleset_batch.h"

#include <errno.h>
#include <string.h>

static bool address_unspecified(const struct address *address)
{
    static const uint8_t none[16];
    return !memcmp(address->bytes, none, address->family == 4 ? 4 : 16);
}

static const char *port_fault(const struct port *port)
{
    if (!port->published || !port->target)
        return "port 0";
    if (port->published + port_span(port) > UINT16_MAX + 1 || port->target + port_span(port) > UINT16_MAX + 1)
        return "a range beyond port 65535";
    if (port->protocol != PROTOCOL_TCP && port->protocol != PROTOCOL_UDP)
        return "a protocol that is neither TCP nor UDP";
    if (!port->listen.family)
        return NULL;
    if (port->listen.family != 4 && port->listen.family != 6)
        return "an address that is neither IPv4 nor IPv6";
    return address_unspecified(&port->listen) ? "an unspecified address (leave it out to mean every address)" : NULL;
}

static int check_zone(const struct ruleset_app *app, enum colour colour, uint8_t *numbers, struct error *err)
{
    const struct ruleset_zone *zone = &app->zones[colour];
    const char *name = colour_name(colour);
    if (!zone->number || zone->number > ZONE_NUMBER_MAX)
        return error_set(err, EINVAL, "zone %s/%s has number %u, not 1 to %d", app->name, name, zone->number,
                         ZONE_NUMBER_MAX);
    if (numbers[zone->number / 8] & 1 << zone->number % 8)
        return error_set(err, EINVAL, "zone %s/%s has number %u, which is another zone's", app->name, name,
                         zone->number);
    numbers[zone->number / 8] |= (uint8_t)(1 << zone->number % 8);
    if ((zone->service4.family && zone->service4.family != 4) || (zone->service6.family && zone->service6.family != 6))
        return error_set(err, EINVAL, "zone %s/%s has an address of the wrong family", app->name, name);
    for (size_t i = 0; i < zone->port_count; i++) {
        const char *fault = port_fault(&zone->ports[i]);
        if (fault)
            return error_set(err, EINVAL, "zone %s/%s publishes %s", app->name, name, fault);
    }
    return 0;
}

static int check_app(const struct ruleset_app *app, uint8_t *numbers, struct error *err)
{
    if (!memchr(app->name, '\0', sizeof app->name) || !app_name_valid(app->name))
        return error_set(err, EINVAL, "'%.*s' is no name of an app", APP_NAME_MAX, app->name);
    if (app->live < -1 || app->live >= COLOURS || (app->live >= 0 && !app->zones[app->live].present))
        return error_set(err, EINVAL, "the live zone of %s does not exist", app->name);
    int status = check_route(app, err);
    for (int colour = 0; colour < COLOURS && !status; colour++)
        if (app->zones[colour].present)
            status = check_zone(app, colour, numbers, err);
    return status;
}

static int check_prefix(const struct prefix *prefix, uint8_t family, struct error *err)
{
    if (prefix->address.family == family && prefix->length <= (family == 4 ? 32 : 128))
        return 0;
    return error_set(err, EINVAL, "the pool of IPv%u addresses is no IPv%u prefix", family, family);
}

int check_values(const struct ruleset_state *state, struct error *err)
{
    uint8_t numbers[ZONE_NUMBER_MAX / 8 + 1] = {0};
    int status = check_prefix(&state->pools.ipv4, 4, err) ?: check_prefix(&state->pools.ipv6, 6, err);
    for (size_t i = 0; i < state->count && !status; i++)
        status = check_app(&state->apps[i], numbers, err);
    return status;
}

/* A live zone's ports were compared with all others'; those of another one only meet each other. */
int check_zone_unique(const struct ruleset_app *app, const struct ruleset_zone *zone, struct error *err)
{
    for (size_t i = 0; i < zone->port_count; i++) {
        const struct port *a = &zone->ports[i];
        for (size_t j = 0; j < i; j++) {
            const struct port *b = &zone->ports[j];
            if (port_conflicts(a, b) && address_equal(&a->listen, &b->listen))
                return error_set(err, EEXIST, "app %s publishes %s port %u twice", app->name,
                                 protocol_name(a->protocol), a->published);
        }
    }
    return 0;
}
