/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON without bytes beyond ASCII. Outside of a string the escapes are as wrong as what they stand for. */
#include "base/json_ascii.h"

#include <errno.h>

/* The character that begins here, in UTF-8 that has been checked; how many bytes it has. */
static size_t decode(const unsigned char *at, uint32_t *character)
{
    size_t length = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    *character = *at & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        *character = *character << 6 | (at[i] & 0x3fu);
    return length;
}

static void add_escape(struct text *ascii, uint32_t character)
{
    if (character < 0x10000)
        text_addf(ascii, "\\u%04x", character);
    else
        text_addf(ascii, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10), 0xdc00 + (character & 0x3ff));
}

int json_ascii(const char *json, size_t length, struct text *ascii)
{
    bool escaped = false; /* by the byte before */
    size_t plain = 0;     /* where what can be taken as it is begins */
    if (!text_is_utf8(json, length))
        return -EBADMSG;
    for (size_t at = 0; at < length;) {
        if (!((unsigned char)json[at] & 0x80)) {
            escaped = json[at] == '\\' && !escaped;
            at++;
            continue;
        }
        if (escaped)
            return -EBADMSG;
        uint32_t character;
        text_add_bytes(ascii, json + plain, at - plain);
        at += decode((const unsigned char *)json + at, &character);
        add_escape(ascii, character);
        plain = at;
    }
    text_add_bytes(ascii, json + plain, length - plain);
    return ascii->failed ? -ENOMEM : 0;
}
