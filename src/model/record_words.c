/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text as one word, and back. Apart from record_fields.c because it knows no records, and must never change: it is how
 * the lines of every journal that there is are written. */
#include "model/record_words.h"

static bool must_encode(unsigned char c)
{
    return c <= ' ' || c == 0x7f || c == '%' || c == '=';
}

void record_word_add(struct text *line, const char *value)
{
    for (; *value; value++) {
        if (must_encode((unsigned char)*value))
            text_addf(line, "%%%02X", (unsigned char)*value);
        else
            text_add_bytes(line, value, 1);
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool record_word_read(const char *word, char *to, size_t size)
{
    size_t used = 0;
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (c == '%') {
            int high = hex_digit(word[1]), low = high < 0 ? -1 : hex_digit(word[2]);
            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            if (c == '\0' || !must_encode(c))
                return false;
            word += 2;
        } else if (must_encode(c)) {
            return false;
        }
        if (used + 1 >= size)
            return false;
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return true;
}
