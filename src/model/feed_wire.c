/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checking of what monitor and feed role say to each other: one function for each kind, field by field. */
#include "model/feed_wire.h"

#include <string.h>

static bool terminated(const char *field, size_t size)
{
    return memchr(field, '\0', size) != NULL;
}

static bool flag(uint8_t value)
{
    return value <= 1;
}

/* What people will read: one line that steers no terminal. */
static bool printable(const char field[FEED_TEXT_MAX + 1])
{
    char clean[FEED_TEXT_MAX + 1];
    if (!terminated(field, FEED_TEXT_MAX + 1))
        return false;
    memcpy(clean, field, sizeof clean);
    text_sanitise(clean);
    return strcmp(clean, field) == 0;
}

/* A method, a field's name, a cookie's: RFC 9110's token, which ends no line and no word. */
static bool token(const char *field, size_t size)
{
    if (!terminated(field, size) || !*field)
        return false;
    for (; *field; field++) {
        bool letter = (*field >= 'a' && *field <= 'z') || (*field >= 'A' && *field <= 'Z');
        if (!letter && !(*field >= '0' && *field <= '9') && !strchr("!#$%&'*+-.^_`|~", *field))
            return false;
    }
    return true;
}

static bool release_valid(const char release[RELEASE_NAME_MAX + 1])
{
    return terminated(release, RELEASE_NAME_MAX + 1) && (!release[0] || release_name_valid(release));
}

static bool family_valid(const struct address *address, uint8_t family)
{
    return address->family == 0 || address->family == family;
}

static bool protocol_valid(uint8_t protocol)
{
    return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
}

static bool colour_or_none(int8_t zone)
{
    return zone >= -1 && zone < COLOURS;
}

/* --- monitor to role ---------------------------------------------------------------------------------------------- */

static bool names_valid(const struct feed_rules *rules)
{
    if (rules->method_count > FEED_METHODS_MAX || rules->ignore_count > FEED_IGNORE_MAX)
        return false;
    for (size_t i = 0; i < rules->method_count; i++) {
        if (!token(rules->methods[i], sizeof rules->methods[i]))
            return false;
    }
    for (size_t i = 0; i < rules->ignore_count; i++) {
        if (!token(rules->ignore[i], sizeof rules->ignore[i]))
            return false;
    }
    return true;
}

static bool key_valid(const struct feed_rules *rules)
{
    if (rules->key_kind == FEED_KEY_HEADER || rules->key_kind == FEED_KEY_COOKIE)
        return token(rules->key_name, sizeof rules->key_name);
    if (rules->key_kind == FEED_KEY_PATH && rules->key_part == 0)
        return false;
    return rules->key_kind <= FEED_KEY_CLIENT && terminated(rules->key_name, sizeof rules->key_name);
}

static bool rules_valid(const void *message)
{
    const struct feed_rules *rules = message;
    return terminated(rules->app, sizeof rules->app) && app_name_valid(rules->app) && rules->mode != FEED_OFF &&
           rules->mode <= FEED_DATAGRAM && rules->compare <= FEED_COMPARE_NONE && rules->client <= FEED_CLIENT_NONE &&
           rules->in_doubt <= FEED_DOUBT_SKIP && flag(rules->all_methods) && flag(rules->new_app) &&
           rules->lanes >= 1 && rules->lanes <= FEED_LANES_MAX && names_valid(rules) && key_valid(rules) &&
           rules->sync_ms <= 60000 && rules->journal_max != 0 && rules->body_max <= rules->journal_max;
}

static bool door_valid(const void *message)
{
    const struct feed_door *door = message;
    return door->zone < COLOURS && door->index < FEED_DOORS_MAX && door->port != 0 && door->target != 0 &&
           protocol_valid(door->protocol);
}

static bool zone_valid(const void *message)
{
    const struct feed_zone *zone = message;
    return zone->zone < COLOURS && flag(zone->there) && flag(zone->frozen) && release_valid(zone->release) &&
           family_valid(&zone->service4, 4) && family_valid(&zone->service6, 6);
}

static bool sockets_valid(const void *message)
{
    const struct feed_sockets *sockets = message;
    return sockets->zone < COLOURS && protocol_valid(sockets->protocol) && sockets->count >= 1 &&
           sockets->count <= FEED_SOCKETS_MAX;
}

/* The role asks for as many as it likes; the monitor sends them a few at a time. */
static bool want_valid(const void *message)
{
    const struct feed_sockets *sockets = message;
    return sockets->zone < COLOURS && protocol_valid(sockets->protocol) && sockets->count >= 1;
}

static bool live_valid(const void *message)
{
    const struct feed_live *live = message;
    return colour_or_none(live->zone) && flag(live->planned);
}

static bool hold_valid(const void *message)
{
    const struct feed_hold *hold = message;
    return hold->target < COLOURS && hold->wait_ms <= 3600000;
}

static bool order_valid(const void *message)
{
    const struct feed_order *order = message;
    return order->token != 0 && order->action < FEED_ACTIONS && flag(order->failed);
}

static bool keep_valid(const void *message)
{
    return message != NULL;
}

/* --- role to monitor ---------------------------------------------------------------------------------------------- */

static bool ready_valid(const void *message)
{
    const struct feed_ready *ready = message;
    return flag(ready->ready) && (ready->ready == 0 || ready->missing == 0);
}

static bool figures_valid(const void *message)
{
    const struct feed_figures *figures = message;
    return figures->state > FEED_STATE_OFF && figures->state < FEED_STATES && colour_or_none(figures->live) &&
           printable(figures->reason);
}

static bool status_valid(uint16_t status)
{
    return status == 0 || (status >= 100 && status <= 599);
}

static bool item_valid(const void *message)
{
    const struct feed_item *item = message;
    return item->token != 0 && item->kind <= FEED_ITEM_TWICE && colour_or_none(item->zone) &&
           status_valid(item->status_live) && status_valid(item->status_other) && printable(item->request) &&
           printable(item->live) && printable(item->other);
}

static bool done_valid(const void *message)
{
    const struct feed_done *done = message;
    return done->token != 0 && done->result <= 0 && done->result >= -4095 && printable(done->text);
}

struct kind {
    enum feed_message kind;
    bool from_monitor;
    size_t size;
    bool (*valid)(const void *message);
};

static const struct kind kinds[] = {
    {FEED_RULES, true, sizeof(struct feed_rules), rules_valid},
    {FEED_DOOR, true, sizeof(struct feed_door), door_valid},
    {FEED_DOOR_SHUT, true, sizeof(struct feed_door), door_valid},
    {FEED_ZONE, true, sizeof(struct feed_zone), zone_valid},
    {FEED_SOCKETS, true, sizeof(struct feed_sockets), sockets_valid},
    {FEED_LIVE, true, sizeof(struct feed_live), live_valid},
    {FEED_HOLD, true, sizeof(struct feed_hold), hold_valid},
    {FEED_GO, true, sizeof(struct feed_hold), hold_valid},
    {FEED_ORDER, true, sizeof(struct feed_order), order_valid},
    {FEED_KEEP, true, sizeof(struct feed_keep), keep_valid},
    {FEED_WANT, false, sizeof(struct feed_sockets), want_valid},
    {FEED_READY, false, sizeof(struct feed_ready), ready_valid},
    {FEED_FIGURES, false, sizeof(struct feed_figures), figures_valid},
    {FEED_ITEM, false, sizeof(struct feed_item), item_valid},
    {FEED_DONE, false, sizeof(struct feed_done), done_valid},
};

_Static_assert(sizeof(struct feed_rules) <= FEED_MESSAGE_MAX && sizeof(struct feed_item) <= FEED_MESSAGE_MAX &&
                   sizeof(struct feed_figures) <= FEED_MESSAGE_MAX,
               "a buffer of FEED_MESSAGE_MAX takes every message");

bool feed_message_valid(const void *message, size_t length, bool from_monitor)
{
    struct feed_header header;
    if (length < sizeof header)
        return false;
    memcpy(&header, message, sizeof header);
    if (header.version != FEED_VERSION)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if ((uint32_t)kinds[i].kind == header.kind && kinds[i].from_monitor == from_monitor)
            return length == kinds[i].size && kinds[i].valid(message);
    }
    return false;
}
