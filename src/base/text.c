/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text: bounded building, word lists, and reading of untrusted bytes. */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_clear(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

static bool text_reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (text->failed || needed <= text->capacity)
        return !text->failed;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    if (!text_reserve(text, length))
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_addf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
    } else if (text_reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void words_clear(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

int words_add(struct words *words, const char *word)
{
    char *copy = strdup(word);
    if (!copy)
        return -ENOMEM;
    char **items = reallocarray(words->items, words->count + 2, sizeof *items);
    if (!items) {
        free(copy);
        return -ENOMEM;
    }
    items[words->count++] = copy;
    items[words->count] = NULL;
    words->items = items;
    return 0;
}

bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_copy(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    bool whole = length < size;
    if (!whole)
        length = size - 1;
    memcpy(to, from, length);
    to[length] = '\0';
    return whole;
}

void text_shorten(char *to, size_t size, const char *from)
{
    if (text_copy(to, size, from))
        return;
    size_t length = size - 4;
    while (length > 0 && from[length] != ' ')
        length--;
    for (length = length ? length : size - 4; ((unsigned char)from[length] & 0xc0) == 0x80 && length > 0;)
        length--; /* not one word fits: not within a character at least */
    while (length > 0 && strchr(" ;:,", from[length - 1]))
        length--;
    memcpy(to + length, "...", 4);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char *text_trim(char *string)
{
    while (is_blank(*string))
        string++;
    size_t length = strlen(string);
    while (length > 0 && is_blank(string[length - 1]))
        string[--length] = '\0';
    return string;
}

bool text_to_u64(const char *string, uint64_t max, uint64_t *value)
{
    uint64_t total = 0;
    if (!*string)
        return false;
    for (const char *c = string; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        uint64_t digit = (uint64_t)(*c - '0');
        if (total > (max - digit) / 10 || digit > max)
            return false;
        total = total * 10 + digit;
    }
    *value = total;
    return true;
}

enum { DISTANCE_LENGTH_MAX = 64 };

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned text_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > DISTANCE_LENGTH_MAX || b_length > DISTANCE_LENGTH_MAX)
        return DISTANCE_LENGTH_MAX;
    unsigned row[DISTANCE_LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned substituted = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, substituted);
        }
    }
    return row[b_length];
}

int text_index(const char *word, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return (int)i;
    }
    return -1;
}

const char *text_nearest(const char *word, const char *const candidates[], size_t count)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)strlen(word) / 3 + 2; /* one slip in a short word, a few in a long one */
    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(word, candidates[i]);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* Length of the valid UTF-8 sequence at s, or 0 (RFC 3629: no overlong forms, surrogates, or > U+10FFFF). */
static size_t utf8_sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    /* C1 control characters (U+0080 to U+009F) steer terminals too. */
    if (s[0] == 0xc2 && s[1] < 0xa0)
        return 0;
    return length;
}

void text_sanitise(char *string)
{
    unsigned char *s = (unsigned char *)string;
    while (*s) {
        size_t length = utf8_sequence(s);
        if (length == 0 || (length == 1 && ((*s < 0x20 && *s != '\t') || *s == 0x7f))) {
            *s++ = '?';
            continue;
        }
        s += length;
    }
}

bool text_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t at = 0, step; at < length; at += step) {
        unsigned char window[5] = {0}; /* a sequence that is cut off at the end meets a NUL, which continues nothing */
        memcpy(window, s + at, length - at < 4 ? length - at : 4);
        step = utf8_sequence(window);
        if (step == 0)
            return false;
    }
    return true;
}

/* Four bits at a time: entry i is what i becomes by four steps of the division. */
static uint32_t crc32c_table(uint32_t crc, const unsigned char *s, size_t length)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                       0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < length; i++) {
        crc = (crc >> 4) ^ table[(crc ^ s[i]) & 15];
        crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(s[i] >> 4)) & 15];
    }
    return crc;
}

#ifdef __x86_64__
/* By the instruction that was made for it, tens of times faster: bodies of requests are many bytes. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const unsigned char *s, size_t length)
{
    uint64_t wide = crc, word;
    for (; length >= sizeof word; s += sizeof word, length -= sizeof word) {
        memcpy(&word, s, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    return crc32c_table((uint32_t)wide, s, length);
}
#endif

uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_fast(~crc, bytes, length);
#endif
    return ~crc32c_table(~crc, bytes, length);
}

uint32_t crc32c(const void *bytes, size_t length)
{
    return crc32c_add(0, bytes, length);
}
