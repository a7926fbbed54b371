/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the domain that every floor shares: their spelling and their syntax. */
#include "model/types.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char *const colour_names[COLOURS] = {[BLUE] = "blue", [GREEN] = "green"};

static const char *const zone_state_names[ZONE_STATES] = {
    [ZONE_ABSENT] = "absent",     [ZONE_STAGING] = "staging",     [ZONE_STARTING] = "starting",
    [ZONE_HEALTHY] = "healthy",   [ZONE_UNHEALTHY] = "unhealthy", [ZONE_LIVE] = "live",
    [ZONE_DRAINING] = "draining", [ZONE_STANDBY] = "standby",     [ZONE_FROZEN] = "frozen",
    [ZONE_FAILED] = "failed",     [ZONE_STOPPED] = "stopped",     [ZONE_RESTING] = "resting",
};

const char *colour_name(enum colour colour)
{
    return (unsigned)colour < COLOURS ? colour_names[colour] : "unknown";
}

bool colour_parse(const char *name, enum colour *colour)
{
    int found = text_index(name, colour_names, COLOURS);
    if (found >= 0)
        *colour = (enum colour)found;
    return found >= 0;
}

const char *zone_state_name(enum zone_state state)
{
    return (unsigned)state < ZONE_STATES ? zone_state_names[state] : "unknown";
}

bool zone_state_parse(const char *name, enum zone_state *state)
{
    int found = text_index(name, zone_state_names, ZONE_STATES);
    if (found >= 0)
        *state = (enum zone_state)found;
    return found >= 0;
}

static const char *const app_state_names[] = {
    [APP_EMPTY] = "empty", [APP_RUNNING] = "running", [APP_STOPPED] = "stopped"};

const char *app_state_name(enum app_state state)
{
    return (unsigned)state <= APP_STOPPED ? app_state_names[state] : "unknown";
}

bool app_state_parse(const char *name, enum app_state *state)
{
    int found = text_index(name, app_state_names, APP_STOPPED + 1);
    if (found >= 0)
        *state = (enum app_state)found;
    return found >= 0;
}

static const char *const incident_names[INCIDENTS] = {
    [INCIDENT_NONE] = "none",         [INCIDENT_MEMORY] = "out-of-memory", [INCIDENT_CRASHES] = "crash-loop",
    [INCIDENT_WATCHDOG] = "watchdog", [INCIDENT_BREACH] = "bake-breach",   [INCIDENT_HOOK] = "hook",
    [INCIDENT_REMOVED] = "removed",   [INCIDENT_FIREWALL] = "firewall",    [INCIDENT_FENCED] = "fenced",
};

const char *incident_name(enum incident incident)
{
    return (unsigned)incident < INCIDENTS ? incident_names[incident] : "unknown";
}

bool incident_parse(const char *name, enum incident *incident)
{
    int found = text_index(name, incident_names, INCIDENTS);
    if (found > INCIDENT_NONE)
        *incident = (enum incident)found;
    return found > INCIDENT_NONE;
}

static const char *const mark_names[ZONE_MARKS] = {
    [MARK_NONE] = "none",
    [MARK_BAD] = "bad",
    [MARK_LEFT] = "left",
};

const char *zone_mark_name(enum zone_mark mark)
{
    return (unsigned)mark < ZONE_MARKS ? mark_names[mark] : "unknown";
}

bool zone_mark_parse(const char *name, enum zone_mark *mark)
{
    int found = text_index(name, mark_names, ZONE_MARKS);
    if (found >= 0)
        *mark = (enum zone_mark)found;
    return found >= 0;
}

/* The locale must not decide what a name is, so no isalpha(3). */
static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool app_name_valid(const char *name)
{
    if (!is_lower(name[0]))
        return false;
    size_t length = 1;
    for (; name[length]; length++) {
        if (length >= APP_NAME_MAX)
            return false;
        if (!is_lower(name[length]) && !is_digit(name[length]) && name[length] != '-')
            return false;
    }
    return true;
}

bool release_name_valid(const char *name)
{
    if (!name[0] || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; name[i]; i++) {
        char c = name[i];
        if (i >= RELEASE_NAME_MAX)
            return false;
        if (!is_lower(c) && !(c >= 'A' && c <= 'Z') && !is_digit(c) && (!strchr("._+-", c)))
            return false;
    }
    return true;
}

bool address_parse(const char *text, struct address *address)
{
    struct address parsed = {0};
    if (inet_pton(AF_INET, text, parsed.bytes) == 1)
        parsed.family = 4;
    else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
        parsed.family = 6;
    else
        return false;
    *address = parsed;
    return true;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    text[0] = '\0';
    if (address->family == 4)
        inet_ntop(AF_INET, address->bytes, text, ADDRESS_TEXT_MAX);
    else if (address->family == 6)
        inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_MAX);
    return text;
}

static size_t address_size(const struct address *address)
{
    return address->family == 4 ? 4 : address->family == 6 ? 16 : 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, address_size(a)) == 0;
}

/* Are the first `bits` bits of both the same? Both hold at least that many. */
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

static bool host_bits_zero(const struct prefix *prefix)
{
    uint8_t network[16] = {0};
    size_t size = address_size(&prefix->address), whole = prefix->length / 8;
    memcpy(network, prefix->address.bytes, whole);
    if (prefix->length % 8)
        network[whole] = prefix->address.bytes[whole] & (uint8_t)(0xff00u >> (prefix->length % 8));
    return memcmp(network, prefix->address.bytes, size) == 0;
}

bool prefix_parse(const char *text, struct prefix *prefix)
{
    char address[ADDRESS_TEXT_MAX];
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';

    struct prefix parsed = {0};
    uint64_t length;
    if (!address_parse(address, &parsed.address) || !text_to_u64(slash + 1, 8 * address_size(&parsed.address), &length))
        return false;
    parsed.length = (uint8_t)length;
    if (!host_bits_zero(&parsed))
        return false;
    *prefix = parsed;
    return true;
}

const char *prefix_format(const struct prefix *prefix, char text[ADDRESS_TEXT_MAX + 4])
{
    char address[ADDRESS_TEXT_MAX];
    snprintf(text, ADDRESS_TEXT_MAX + 4, "%s/%u", address_format(&prefix->address, address), prefix->length);
    return text;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    unsigned shorter = a->length < b->length ? a->length : b->length;
    return a->address.family != 0 && a->address.family == b->address.family &&
           bits_equal(a->address.bytes, b->address.bytes, shorter);
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    return prefix->address.family != 0 && prefix->address.family == address->family &&
           bits_equal(prefix->address.bytes, address->bytes, prefix->length);
}
