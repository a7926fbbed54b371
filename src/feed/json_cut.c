/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON (RFC 8259) as it streams by: structure and strings are read strictly, numbers and words only as one token. */
#include "feed/json_cut.h"

#include <string.h>

enum state {
    VALUE,       /* one is wanted */
    FIRST_VALUE, /* of an array, or its end */
    FIRST_NAME,  /* of an object, or its end */
    NAME,
    IN_NAME,
    COLON,
    IN_STRING,
    IN_TOKEN, /* a number or a word */
    AFTER     /* a value: a comma or the end of what it is in; nothing at the top */
};

enum { ESCAPE_BEGINS = 5, ESCAPE_DIGITS = 4 /* of \u that are to come, down to 0 */ };
enum { NAME_OF_NONE = FEED_FIELD_MAX + 1 }; /* longer than any that is left out, or spelled with an escape */

void json_cut_begin(struct json_cut *cut, const char (*names)[FEED_FIELD_MAX + 1], size_t count)
{
    *cut = (struct json_cut){.names = names, .count = count};
}

static bool in_object(const struct json_cut *cut)
{
    return cut->depth > 0 && (cut->objects >> (cut->depth - 1) & 1);
}

static void open_level(struct json_cut *cut, bool object)
{
    if (cut->depth == JSON_CUT_DEPTH_MAX) {
        cut->failed = true;
        return;
    }
    uint64_t bit = UINT64_C(1) << cut->depth++;
    cut->objects = object ? cut->objects | bit : cut->objects & ~bit;
    cut->state = object ? FIRST_NAME : FIRST_VALUE;
}

static void end_value(struct json_cut *cut)
{
    cut->state = AFTER;
    if (cut->depth == cut->cut_depth)
        cut->cutting = false;
}

static void close_level(struct json_cut *cut, bool object)
{
    if (cut->depth == 0 || in_object(cut) != object) {
        cut->failed = true;
        return;
    }
    cut->depth--;
    end_value(cut);
}

static void begin_name(struct json_cut *cut)
{
    cut->state = IN_NAME;
    cut->name_length = 0;
}

static void add_to_name(struct json_cut *cut, const char *bytes, size_t length)
{
    if (cut->name_length + length > FEED_FIELD_MAX) {
        cut->name_length = NAME_OF_NONE;
        return;
    }
    memcpy(cut->name + cut->name_length, bytes, length);
    cut->name_length += (uint16_t)length;
}

/* The value of the name that was just read comes: is it left out? */
static void begin_member(struct json_cut *cut)
{
    cut->state = VALUE;
    for (size_t i = 0; i < cut->count && !cut->cutting; i++) {
        if (strlen(cut->names[i]) != cut->name_length || memcmp(cut->names[i], cut->name, cut->name_length) != 0)
            continue;
        cut->cutting = true;
        cut->cut_depth = cut->depth;
    }
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

static bool take_value(struct json_cut *cut, char c)
{
    if (c == '"')
        cut->state = IN_STRING;
    else if (c == '{' || c == '[')
        open_level(cut, c == '{');
    else if (c == ']' && cut->state == FIRST_VALUE)
        close_level(cut, false);
    else if (is_token(c))
        cut->state = IN_TOKEN;
    else
        return false;
    return true;
}

static bool take_name(struct json_cut *cut, char c)
{
    if (c == '"')
        begin_name(cut);
    else if (c == '}' && cut->state == FIRST_NAME)
        close_level(cut, true);
    else
        return false;
    return true;
}

static bool take_after(struct json_cut *cut, char c)
{
    if (c == ',' && cut->depth > 0)
        cut->state = in_object(cut) ? NAME : VALUE;
    else if (c == '}' || c == ']')
        close_level(cut, c == '}');
    else
        return false;
    return true;
}

/* A character that is neither blank nor in a string or a token. */
static bool take_structure(struct json_cut *cut, char c)
{
    switch (cut->state) {
    case VALUE:
    case FIRST_VALUE: return take_value(cut, c);
    case FIRST_NAME:
    case NAME: return take_name(cut, c);
    case AFTER: return take_after(cut, c);
    default: begin_member(cut); return c == ':';
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool take_escaped(struct json_cut *cut, char c)
{
    if (cut->escape < ESCAPE_BEGINS) {
        cut->escape--;
        return is_hex(c);
    }
    cut->escape = c == 'u' ? ESCAPE_DIGITS : 0;
    return c != '\0' && strchr("\"\\/bfnrtu", c);
}

/* How many bytes of a string from the front; its end is one of them. */
static size_t take_string(struct json_cut *cut, const char *bytes, size_t length)
{
    size_t plain = 0;
    while (!cut->escape && plain < length && (uint8_t)bytes[plain] >= ' ' && bytes[plain] != '"' &&
           bytes[plain] != '\\')
        plain++;
    if (cut->state == IN_NAME && plain > 0)
        add_to_name(cut, bytes, plain);
    if (plain > 0 || length == 0)
        return plain;
    char c = *bytes;
    if (cut->escape) {
        cut->failed = !take_escaped(cut, c);
    } else if (c == '\\') {
        cut->escape = ESCAPE_BEGINS;
        cut->name_length = NAME_OF_NONE;
    } else if (c != '"') {
        cut->failed = true;
    } else if (cut->state == IN_NAME) {
        cut->state = COLON;
    } else {
        end_value(cut);
    }
    return 1;
}

/* How many bytes from the front; 0: a token has ended before them. */
static size_t step(struct json_cut *cut, const char *bytes, size_t length)
{
    if (cut->state == IN_NAME || cut->state == IN_STRING)
        return take_string(cut, bytes, length);
    if (cut->state == IN_TOKEN) {
        if (is_token(*bytes))
            return 1;
        end_value(cut);
        return 0;
    }
    if (*bytes != ' ' && *bytes != '\t' && *bytes != '\r' && *bytes != '\n')
        cut->failed |= !take_structure(cut, *bytes);
    return 1;
}

void json_cut_add(struct json_cut *cut, const char *bytes, size_t length, json_cut_piece *piece, void *context)
{
    size_t kept = 0, at = 0; /* what is not passed on yet, and stays, begins at kept */
    while (at < length && !cut->failed) {
        bool was_cutting = cut->cutting;
        at += step(cut, bytes + at, length - at);
        if (was_cutting && !cut->cutting)
            kept = at;
        if (!was_cutting && cut->cutting && at > kept)
            piece(context, bytes + kept, at - kept);
    }
    if (!cut->failed && !cut->cutting && length > kept)
        piece(context, bytes + kept, length - kept);
}

bool json_cut_end(const struct json_cut *cut)
{
    return !cut->failed && cut->depth == 0 && (cut->state == AFTER || cut->state == IN_TOKEN);
}
