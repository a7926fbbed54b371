/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client's connection as JSON. Apart from render.c, which is about apps and what was done to them. */
#include "api/render_put.h"

#include "model/connection.h"
#include "model/wire_answers.h"

#include <stdio.h>

/* As in a URL. */
static struct json_object *render_peer(const struct wire_connection *connection)
{
    char address[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 8];
    address_format(&connection->peer, address);
    snprintf(text, sizeof text, connection->peer.family == 6 ? "[%s]:%u" : "%s:%u", address, connection->peer_port);
    return json_object_new_string(text);
}

struct json_object *render_connection(const struct wire_connection *connection)
{
    struct json_object *object = json_object_new_object();
    bool zone_known = connection->zone < COLOURS;
    put(object, "zone", zone_known ? json_object_new_string(colour_name((enum colour)connection->zone)) : NULL);
    put(object, "protocol", json_object_new_string(protocol_name((enum protocol)connection->protocol)));
    put(object, "port", connection->port[0] ? render_text(connection->port, sizeof connection->port) : NULL);
    put(object, "target", json_object_new_int(connection->target));
    put(object, "peer", render_peer(connection));
    put(object, "state", json_object_new_string(connection_state_name(connection->protocol, connection->state)));
    put_number_or_null(object, "age_ms", connection->age_ms, connection->age_known || connection->age_ms > 0);
    put(object, "age_exact", json_object_new_boolean(connection->age_known));
    put_number_or_null(object, "idle_ms", connection->idle_ms, connection->idle_known);
    put(object, "rests", json_object_new_boolean(connection->rests));
    put(object, "nudged", json_object_new_boolean(connection->nudged));
    put_number_or_null(object, "bytes_in", connection->bytes_in, connection->bytes_known);
    put_number_or_null(object, "bytes_out", connection->bytes_out, connection->bytes_known);
    put(object, "unread", json_object_new_uint64(connection->unread));
    put(object, "unconfirmed", json_object_new_uint64(connection->unconfirmed));
    return object;
}
