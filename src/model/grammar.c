/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small languages inside configuration values: units and ports. Checks are in grammar_checks.c, words in
 * grammar_words.c. */
#include "model/grammar.h"

#include "base/cleanup.h"
#include "model/grammar_parts.h"

#include <errno.h>
#include <string.h>

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

bool leading_number(const char *text, uint64_t max, uint64_t *number, const char **rest)
{
    char copy[24];
    size_t length = digits(text);
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *rest = text + length;
    return text_to_u64(copy, max, number);
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool scale(uint64_t number, const char *name, const struct unit *units, uint64_t *result)
{
    for (; units->name; units++) {
        if (strcmp(name, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, result);
    }
    return false;
}

int grammar_duration(const char *value, uint64_t *milliseconds, struct error *err)
{
    static const struct unit units[] = {{"ms", 1},          {"s", 1000},         {"m", 60 * 1000},
                                        {"h", 3600 * 1000}, {"d", 86400 * 1000}, {NULL, 0}};
    uint64_t number;
    const char *unit = value;
    if (strcmp(value, "0") == 0) {
        *milliseconds = 0;
        return 0;
    }
    if (!leading_number(value, UINT64_MAX, &number, &unit) || !scale(number, unit, units, milliseconds))
        return error_set(err, EINVAL,
                         "\"%.*s\" is not a duration; write a whole number and its unit, as in "
                         "500ms, 30s, 5m, 2h or 1d",
                         QUOTE_MAX, value);
    return 0;
}

int grammar_size(const char *value, uint64_t *bytes, struct error *err)
{
    static const struct unit units[] = {{"", 1},           {"K", 1ull << 10}, {"M", 1ull << 20},
                                        {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
    uint64_t number;
    const char *unit = value;
    if (!leading_number(value, UINT64_MAX, &number, &unit) || !scale(number, unit, units, bytes))
        return error_set(err, EINVAL,
                         "\"%.*s\" is not a size; write a whole number of bytes, or with K, M, G or "
                         "T (powers of 1024), as in 512M",
                         QUOTE_MAX, value);
    return 0;
}

int grammar_boolean(const char *value, bool *boolean, struct error *err)
{
    static const struct {
        const char *word;
        bool meaning;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                 {"no", false}, {"false", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i].word) == 0) {
            *boolean = words[i].meaning;
            return 0;
        }
    }
    return error_set(err, EINVAL, "\"%.*s\" is neither yes nor no; write yes or no", QUOTE_MAX, value);
}

/* --- ports ------------------------------------------------------------------------------------ */

static const char port_form[] =
    "[ADDRESS:]PORT -> ZONEPORT/tcp or /udp, as in \"80 -> 8080/tcp\" or \"8000-8010 -> 9000-9010/tcp\"";

/* A port number: 1..65535, no leading zero (other programs read it as octal). */
static bool port_number(const char *text, uint16_t *port)
{
    uint64_t number;
    if (text[0] == '0' || !text_to_u64(text, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static int bad_port_number(const char *text, struct error *err)
{
    return error_set(err, EINVAL, "\"%.*s\" is not a port number; it is 1 to 65535", QUOTE_MAX, text);
}

/* "PORT" or "FIRST-LAST". */
static int parse_ports(char *text, uint16_t *first, uint16_t *count, struct error *err)
{
    char *dash = strchr(text, '-');
    uint16_t last;
    if (dash)
        *dash = '\0';
    if (!port_number(text, first))
        return bad_port_number(text, err);
    *count = 1;
    if (!dash)
        return 0;
    if (!port_number(dash + 1, &last))
        return bad_port_number(dash + 1, err);
    if (last < *first)
        return error_set(err, EINVAL, "%u-%u: a range goes from the lower port to the higher one", *first, last);
    /* Not "1-65535", whose length would not fit either. */
    if (last - *first >= SERVICE_PUBLISHED_MAX)
        return error_set(err, EINVAL, "%u-%u are more than %d ports", *first, last, SERVICE_PUBLISHED_MAX);
    *count = (uint16_t)(last - *first + 1);
    return 0;
}

/* Addresses that a packet to this host can never carry, or that no rule can take away from the host. */
static int check_listen(const struct address *address, const char *text, struct error *err)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const struct address none4 = {.family = 4}, none6 = {.family = 6};
    static const struct address loopback6 = {.family = 6, .bytes = {[15] = 1}};
    const uint8_t *bytes = address->bytes;

    if (address_equal(address, &none4) || address_equal(address, &none6))
        return error_set(err, EINVAL, "%s means every address; leave it and its ':' out", text);
    if (address_equal(address, &loopback6))
        return error_set(err, EINVAL,
                         "no rule can lead connections to ::1 out of the host; publish on 127.0.0.1, which clients of "
                         "localhost try as well");
    if ((address->family == 4 && bytes[0] >= 224) || (address->family == 6 && bytes[0] == 0xff))
        return error_set(err, EINVAL, "%s is not an address of a single host", text);
    if (address->family == 6 && memcmp(bytes, mapped, sizeof mapped) == 0)
        return error_set(err, EINVAL, "%s is an IPv4 address in IPv6 form; write the IPv4 address", text);
    if (address->family == 6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
        return error_set(err, EINVAL, "%s is link-local and means nothing without an interface", text);
    return 0;
}

static int parse_address(const char *text, int family, struct address *address, struct error *err)
{
    if (!address_parse(text, address) || address->family != family)
        return error_set(err, EINVAL, "\"%.*s\" is not an IPv%d address", QUOTE_MAX, text, family);
    return check_listen(address, text, err);
}

/* "[V6]:PORTS" without its opening bracket. */
static int parse_bracketed(char *text, struct port *port, struct error *err)
{
    char *end = strchr(text, ']');
    if (!end || end[1] != ':')
        return error_set(err, EINVAL, "\"[%.*s\" is not [ADDRESS]:PORT", QUOTE_MAX, text);
    *end = '\0';
    int result = parse_address(text, 6, &port->listen, err);
    if (result < 0)
        return result;
    return parse_ports(end + 2, &port->published, &port->count, err);
}

int grammar_published(char *text, struct port *port, struct error *err)
{
    if (text[0] == '[')
        return parse_bracketed(text + 1, port, err);
    char *colon = strchr(text, ':');
    if (colon && strchr(colon + 1, ':'))
        return error_set(err, EINVAL, "\"%.*s\": put an IPv6 address in brackets, as in [2001:db8::7]:80", QUOTE_MAX,
                         text);
    if (colon) {
        *colon = '\0';
        int result = parse_address(text, 4, &port->listen, err);
        if (result < 0)
            return result;
        text = colon + 1;
    }
    return parse_ports(text, &port->published, &port->count, err);
}

static int parse_listen(struct port *port, struct error *err)
{
    if (port->activated)
        return error_set(err, EINVAL, "listen: write it once");
    port->activated = true;
    return 0;
}

static int parse_option(const char *option, bool *seen, struct port *port, struct error *err)
{
    if (strcmp(option, "listen") == 0)
        return parse_listen(port, err);
    bool keep = strcmp(option, "keep") == 0;
    if (!keep && strcmp(option, "move") != 0)
        return error_set(err, EINVAL, "unknown option \"%.*s\"; a port takes listen, a udp port move or keep, too",
                         QUOTE_MAX, option);
    if (port->protocol != PROTOCOL_UDP)
        return error_set(err, EINVAL, "\"%s\" is for udp ports; tcp connections always stay where they are", option);
    if (*seen)
        return error_set(err, EINVAL, "move and keep: write one of them, once");
    *seen = true;
    port->udp = keep ? UDP_KEEP : UDP_MOVE;
    return 0;
}

/* As many as are published: clients of one port are one port's clients. */
static int check_lengths(const struct port *port, uint16_t count, struct error *err)
{
    if (port->count == count)
        return 0;
    if (port->published + port->count - 1 > port->published && port->target + port->count - 1 <= UINT16_MAX)
        return error_set(err, EINVAL, "%u published ports lead to %u in the zone; write %u-%u after the '->'",
                         port->count, count, port->target, port->target + port->count - 1);
    return error_set(err, EINVAL, "%u published ports lead to %u in the zone; both sides must be equally many",
                     port->count, count);
}

/* "ZONEPORTS/PROTOCOL" */
static int parse_target(char *text, struct port *port, struct error *err)
{
    char *slash = strchr(text, '/');
    if (!slash)
        return error_set(err, EINVAL, "\"%.*s\" has no protocol; write %s/tcp or %s/udp", QUOTE_MAX, text,
                         digits(text) ? text : "8080", digits(text) ? text : "8080");
    *slash = '\0';
    uint16_t count;
    int result = parse_ports(text, &port->target, &count, err) ?: check_lengths(port, count, err);
    if (result < 0)
        return result;
    if (strcmp(slash + 1, "tcp") == 0)
        port->protocol = PROTOCOL_TCP;
    else if (strcmp(slash + 1, "udp") == 0)
        port->protocol = PROTOCOL_UDP;
    else
        return error_set(err, EINVAL, "\"%.*s\" is not a protocol; it is tcp or udp", QUOTE_MAX, slash + 1);
    return 0;
}

int grammar_port(const char *value, struct port *port, struct error *err)
{
    struct port parsed = {0};
    CLEANUP_FREE char *copy = strdup(value);
    if (!copy)
        return error_errno(err, ENOMEM, "read a port");
    char *arrow = strstr(copy, "->");
    if (!arrow)
        return error_set(err, EINVAL, "\"%.*s\" has no '->'; write %s", QUOTE_MAX, value, port_form);
    *arrow = '\0';
    int result = grammar_published(text_trim(copy), &parsed, err);
    if (result < 0)
        return result;

    char *state = NULL, *word = strtok_r(arrow + 2, " \t", &state);
    if (!word)
        return error_set(err, EINVAL, "nothing after '->'; write %s", port_form);
    result = parse_target(word, &parsed, err);
    for (bool seen = false; result == 0 && (word = strtok_r(NULL, " \t", &state));)
        result = parse_option(word, &seen, &parsed, err);
    if (result < 0)
        return result;
    memcpy(parsed.name, port->name, sizeof parsed.name);
    *port = parsed;
    return 0;
}
