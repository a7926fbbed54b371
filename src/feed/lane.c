/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of requests: found strictly, in one spelling, and summed. */
#include "feed/lane.h"

#include "feed/http_parse.h"
#include "os/sha256.h"

#include <string.h>

/* What there is of a key. Nothing is 0 as well as what can be read in two ways: lane 0. */
struct found {
    struct http_span value;
    bool twice;
};

static void found_add(struct found *found, struct http_span value)
{
    struct http_span before = found->value;
    if (before.at && (before.length != value.length || memcmp(before.at, value.at, value.length) != 0))
        found->twice = true;
    found->value = value;
}

static struct found find_header(const struct http_head *head, const char *name)
{
    struct found found = {0};
    for (size_t i = 0; i < head->field_count; i++) {
        if (http_names_alike(head->fields[i].name, name))
            found_add(&found, head->fields[i].value);
    }
    return found;
}

/* NAME=VALUE, and "VALUE" is VALUE to some. */
static void take_cookie(struct found *found, struct http_span pair, const char *name)
{
    const char *equals = pair.length > 0 ? memchr(pair.at, '=', pair.length) : NULL;
    if (!equals || !http_span_is(http_trimmed(pair.at, (size_t)(equals - pair.at)), name))
        return;
    struct http_span value = http_trimmed(equals + 1, (size_t)(pair.at + pair.length - equals - 1));
    if (value.length > 1 && value.at[0] == '"' && value.at[value.length - 1] == '"')
        value = (struct http_span){value.at + 1, value.length - 2};
    found_add(found, value);
}

static struct found find_cookie(const struct http_head *head, const char *name)
{
    struct found found = {0};
    const struct http_field *field = NULL;
    while ((field = http_field_find(head, "cookie", field))) {
        const char *at = field->value.at, *end = at + field->value.length;
        while (at < end) {
            const char *semicolon = memchr(at, ';', (size_t)(end - at));
            const char *stop = semicolon ? semicolon : end;
            take_cookie(&found, http_trimmed(at, (size_t)(stop - at)), name);
            at = stop + 1;
        }
    }
    return found;
}

/* What one character of a part stands for, and how many bytes it took; -1: a broken %-code, or one that an app may take
 * for the end of the part. */
static int decode(struct http_span part, size_t at, size_t *took)
{
    int c = (uint8_t)part.at[at];
    *took = 1;
    if (c == '%') {
        bool whole = at + 2 < part.length && http_run(part.at + at + 1, 2, HTTP_HEX) == 2;
        c = whole ? (int)(http_hex_value(part.at[at + 1]) << 4 | http_hex_value(part.at[at + 2])) : -1;
        *took = 3;
    }
    return c == '\0' || c == '/' || c == '\\' ? -1 : c;
}

/* A part of the path without %-codes. False: it is none, or steps back. */
static bool decode_part(struct http_span part, char *to, size_t *length)
{
    *length = 0;
    for (size_t at = 0, took; at < part.length; at += took) {
        int c = decode(part, at, &took);
        if (c < 0)
            return false;
        to[(*length)++] = (char)c;
    }
    bool dots = *length > 0 && *length <= 2 && to[0] == '.' && to[*length - 1] == '.';
    return *length > 0 && !dots;
}

/* The wanted part, decoded into `to`; all of them are looked at, as a ".." behind it takes it back. */
static struct found find_part(const struct http_head *head, unsigned wanted, char to[HTTP_TARGET_MAX])
{
    struct http_span path = http_target_path(head);
    struct found found = {0};
    char other[HTTP_TARGET_MAX];
    if (path.length == 0)
        return found;
    const char *at = path.at, *end = path.at + path.length;
    for (unsigned part = 1; at < end && *at == '/'; part++) {
        const char *slash = memchr(at + 1, '/', (size_t)(end - at - 1));
        struct http_span name = {at + 1, (size_t)((slash ? slash : end) - at - 1)};
        size_t length;
        /* cppcheck-suppress legacyUninitvar ; it is written there */
        bool plain = decode_part(name, part == wanted ? to : other, &length);
        if (part == wanted)
            found.value = (struct http_span){to, length};
        /* Behind the wanted part an empty one changes nothing: "/accounts/17/" is the same account. */
        found.twice |= !plain && (part <= wanted || name.length > 0);
        at = name.at + name.length;
    }
    return found;
}

/* The same client may come as 192.0.2.1 and as ::ffff:192.0.2.1. */
static struct http_span address_bytes(const struct address *client)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const char *bytes = (const char *)client->bytes;
    if (client->family == 6 && memcmp(bytes, mapped, sizeof mapped) == 0)
        return (struct http_span){bytes + sizeof mapped, 4};
    return (struct http_span){bytes, client->family == 6 ? 16 : client->family == 4 ? 4 : 0};
}

static uint64_t sum_of(const struct feed_key *key, struct http_span value)
{
    uint8_t digest[SHA256_SIZE], kind = (uint8_t)key->kind;
    uint64_t number = 0;
    struct sha256 sum;
    sha256_begin(&sum);
    sha256_add(&sum, &kind, 1);
    sha256_add(&sum, value.at, value.length);
    sha256_end(&sum, digest);
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | digest[i];
    return number ? number : 1; /* 0 is "none" */
}

uint64_t lane_key(const struct feed_key *key, const struct http_head *head, const struct address *client)
{
    char part[HTTP_TARGET_MAX];
    struct found found = {0};
    switch (key->kind) {
    case FEED_KEY_NONE: break;
    case FEED_KEY_HEADER: found = find_header(head, key->name); break;
    case FEED_KEY_COOKIE: found = find_cookie(head, key->name); break;
    case FEED_KEY_PATH: found = find_part(head, key->part, part); break;
    case FEED_KEY_CLIENT: found.value = client ? address_bytes(client) : found.value; break;
    }
    return found.twice || found.value.length == 0 ? 0 : sum_of(key, found.value);
}

size_t lane_number(uint64_t key, size_t lanes)
{
    return lanes > 1 ? (size_t)(key % lanes) : 0;
}
