/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small languages of [share] and [egress]: lists of ports and of destinations, between blanks or commas. */
#include "model/grammar.h"

#include "base/cleanup.h"
#include "model/grammar_parts.h"

#include <errno.h>
#include <string.h>

static const char share_form[] = "write ports, as in \"5432, 6379/udp\"";
static const char reach_form[] =
    "write ADDRESS or ADDRESS/LENGTH, then :PORT or :PORT-PORT and /tcp or /udp as needed, "
    "as in \"192.0.2.0/24:443/tcp [2001:db8::7]:53\"";

/* Calls for each word of a list; an error ends it. */
static int each_word(const char *value, int (*take)(void *context, char *word, struct error *err), void *context,
                     struct error *err)
{
    CLEANUP_FREE char *copy = strdup(value);
    char *state = NULL;
    int result = copy ? 0 : error_errno(err, ENOMEM, "read a list");
    for (char *word = copy ? strtok_r(copy, " \t,", &state) : NULL; word && result == 0;
         word = strtok_r(NULL, " \t,", &state))
        result = take(context, word, err);
    return result;
}

/* Cuts "/tcp" or "/udp" off. 0: there was none. */
static uint8_t cut_protocol(char *word)
{
    char *slash = strrchr(word, '/');
    uint8_t protocol = !slash                          ? 0
                       : strcmp(slash + 1, "tcp") == 0 ? PROTOCOL_TCP
                       : strcmp(slash + 1, "udp") == 0 ? PROTOCOL_UDP
                                                       : 0;
    if (protocol)
        *slash = '\0';
    return protocol;
}

/* "25" or "8000-8010", and nothing behind it. */
static bool take_ports(const char *text, uint16_t *first, uint16_t *last)
{
    uint64_t from, to;
    if (text[0] == '0' || !leading_number(text, UINT16_MAX, &from, &text))
        return false;
    to = from;
    if (*text == '-' && (text[1] == '0' || !leading_number(text + 1, UINT16_MAX, &to, &text)))
        return false;
    *first = (uint16_t)from;
    *last = (uint16_t)to;
    return !*text && from <= to;
}

/* --- [share] host ------------------------------------------------------------------------------- */

struct shares {
    struct share_port ports[SHARE_PORTS_MAX];
    size_t count;
};

static int take_share(void *context, char *word, struct error *err)
{
    struct shares *shares = context;
    struct share_port port = {.protocol = cut_protocol(word)};
    uint16_t last;
    if (!port.protocol)
        port.protocol = PROTOCOL_TCP;
    if (!take_ports(word, &port.port, &last) || last != port.port)
        return error_set(err, EINVAL, "\"%.*s\" is not a port from 1 to 65535; %s", QUOTE_MAX, word, share_form);
    for (size_t i = 0; i < shares->count; i++) {
        if (shares->ports[i].port == port.port && shares->ports[i].protocol == port.protocol)
            return error_set(err, EINVAL, "%u/%s is named twice; keep one", port.port,
                             protocol_name((enum protocol)port.protocol));
    }
    if (shares->count == SHARE_PORTS_MAX)
        return error_set(err, EINVAL, "more than %d ports", SHARE_PORTS_MAX);
    shares->ports[shares->count++] = port;
    return 0;
}

int grammar_shares(const char *value, struct share_port ports[SHARE_PORTS_MAX], size_t *count, struct error *err)
{
    struct shares shares = {.count = 0};
    int result = each_word(value, take_share, &shares, err);
    if (result < 0)
        return result;
    if (!shares.count)
        return error_set(err, EINVAL, "no port; %s", share_form);
    memcpy(ports, shares.ports, sizeof shares.ports);
    *count = shares.count;
    return 0;
}

/* --- [egress] allow ----------------------------------------------------------------------------- */

struct reaches {
    struct reach_rule rules[REACH_RULES_MAX];
    size_t count;
};

/* An address alone is a prefix of its own length. */
static bool take_prefix(const char *text, struct prefix *to)
{
    if (strchr(text, '/'))
        return prefix_parse(text, to);
    if (!address_parse(text, &to->address))
        return false;
    to->length = to->address.family == 6 ? 128 : 32;
    return true;
}

/* Cuts the ports off; NULL: there are none. False: brackets that do not close. An IPv6 address without brackets has
 * no port. */
static bool cut_ports(char **word, char **ports)
{
    char *end = **word == '[' ? strchr(*word, ']') : NULL, *colon = strchr(*word, ':');
    *ports = NULL;
    if (**word == '[') {
        if (!end || (end[1] && end[1] != ':'))
            return false;
        *ports = end[1] ? end + 2 : NULL;
        *end = '\0';
        ++*word;
    } else if (colon && !strchr(colon + 1, ':')) {
        *ports = colon + 1;
        *colon = '\0';
    }
    return true;
}

/* "2001:db8::7:25" is an address, and nobody who writes that means it: most want port 25 of 2001:db8::7. */
static bool is_ambiguous(const char *word)
{
    const char *last = strrchr(word, ':');
    struct address address;
    CLEANUP_FREE char *shorter = last ? strndup(word, (size_t)(last - word)) : NULL;
    return shorter && word[0] != '[' && last[1] && !last[1 + strspn(last + 1, "0123456789")] &&
           address_parse(shorter, &address) && address.family == 6;
}

static int take_reach(void *context, char *word, struct error *err)
{
    struct reaches *reaches = context;
    CLEANUP_FREE char *whole = strdup(word);
    char *ports;
    struct reach_rule rule = {.protocol = cut_protocol(word)};
    if (!whole)
        return error_errno(err, ENOMEM, "read a list");
    if (is_ambiguous(word))
        return error_set(err, EINVAL, "\"%.*s\": an address, or one with a port? Put the address in brackets; %s",
                         QUOTE_MAX, whole, reach_form);
    if (!cut_ports(&word, &ports) || !take_prefix(word, &rule.to))
        return error_set(err, EINVAL, "\"%.*s\" is no destination; %s (bits behind the length are 0)", QUOTE_MAX, whole,
                         reach_form);
    if (ports && !take_ports(ports, &rule.first, &rule.last))
        return error_set(err, EINVAL, "\"%.*s\": \"%.*s\" is neither a port nor a range of them; %s", QUOTE_MAX, whole,
                         QUOTE_MAX, ports, reach_form);
    if (reaches->count == REACH_RULES_MAX)
        return error_set(err, EINVAL, "more than %d destinations; take larger networks", REACH_RULES_MAX);
    reaches->rules[reaches->count++] = rule;
    return 0;
}

int grammar_reach(const char *value, struct reach_rule rules[REACH_RULES_MAX], size_t *count, struct error *err)
{
    struct reaches reaches = {.count = 0};
    int result = each_word(value, take_reach, &reaches, err);
    if (result < 0)
        return result;
    if (!reaches.count)
        return error_set(err, EINVAL, "no destination; %s", reach_form);
    memcpy(rules, reaches.rules, sizeof reaches.rules);
    *count = reaches.count;
    return 0;
}
