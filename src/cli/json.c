/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing JSON strings. */
#include "cli/json.h"

#include <stddef.h>

/* Length of the UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t sequence_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last; /* lead bytes */
        unsigned char low, high;   /* what the second byte may be: no overlong forms, no surrogates */
        size_t length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last || s[1] < forms[i].low || s[1] > forms[i].high)
            continue;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

static void print_ascii(FILE *file, unsigned char c)
{
    if (c == '"' || c == '\\')
        fprintf(file, "\\%c", c);
    else if (c == '\n')
        fputs("\\n", file);
    else if (c < 0x20 || c == 0x7f)
        fprintf(file, "\\u%04x", c);
    else
        fputc(c, file);
}

void json_print_string(FILE *file, const char *string)
{
    if (!string) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        size_t length = *s < 0x80 ? 1 : sequence_length(s);
        if (length == 1)
            print_ascii(file, *s);
        else if (length == 0)
            fputs("\\ufffd", file);
        else
            fwrite(s, 1, length, file);
        s += length ? length : 1;
    }
    fputc('"', file);
}
