/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What zones answer while nobody knows the connection: somebody has emptied the kernel's table of connections
 * (`conntrack -F`), and the next packet of a request in flight comes from the zone. Apart from ruleset_build.c because
 * these rules work the other way round, from the zone's port to the published one.
 *
 * Such a packet would leave with the port that the app listens on, and the client would reset its connection. To drop
 * it is worse: who waits for a slow answer has nothing to send that would make the connection known again, and waits
 * for ever. So it gets the published port, and the address that the host has there. A client that came to another
 * address of the host's resets it, as it would have. Map `answers` has, for each TCP port that a zone listens on, the
 * first port that leads there.
 */
#include "model/ruleset_batch.h"

#include <string.h>

void build_answers_fixed(struct ruleset_batch *batch)
{
    static const struct rule_piece translate[] = {{RULE_TCP_MIDDLE},
                                                  {RULE_MASQUERADE_AS, .key = KEY_ANSWER, .name = "answers"}};
    batch_set(batch, OP_ADD_SET, "answers", KEY_ANSWER, DATA_PORT);
    batch_rule(batch, RULESET_TABLE, "post", translate, sizeof translate / sizeof *translate);
}

/* The first port of the zone that leads there; NULL: none does. */
static const struct port *port_to(const struct ruleset_zone *zone, unsigned target)
{
    for (size_t i = 0; i < zone->port_count; i++) {
        const struct port *port = &zone->ports[i];
        if (port->protocol == PROTOCOL_TCP && target - port->target < port_span(port))
            return port;
    }
    return NULL;
}

static bool has_answer(const struct ruleset_zone *zone, const struct ruleset_element *answer)
{
    const struct port *port = zone && zone->number == answer->link ? port_to(zone, answer->port) : NULL;
    return port && port->published + (answer->port - port->target) == answer->target;
}

static void zone_answers(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_zone *zone,
                         const struct ruleset_zone *other)
{
    for (size_t i = 0; i < zone->port_count; i++) {
        const struct port *port = &zone->ports[i];
        for (unsigned at = 0; port->protocol == PROTOCOL_TCP && at < port_span(port); at++) {
            const struct ruleset_element answer = {.link = zone->number,
                                                   .port = (uint16_t)(port->target + at),
                                                   .target = (uint16_t)(port->published + at)};
            if (port_to(zone, answer.port) == port && !has_answer(other, &answer))
                batch_element(batch, kind, "answers", KEY_ANSWER, DATA_PORT, &answer);
        }
    }
}

void answers_of_app(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *one,
                    const struct ruleset_app *other)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct ruleset_zone *zone = &one->zones[colour];
        const struct ruleset_zone *there = other && other->zones[colour].present ? &other->zones[colour] : NULL;
        if (zone->present && !(there && same_zone(zone, there)))
            zone_answers(batch, kind, zone, there);
    }
}
