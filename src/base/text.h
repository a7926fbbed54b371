/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text: bounded building, word lists, and reading of untrusted bytes. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string. Zero-initialise; data is NULL or NUL-terminated. failed is sticky: check it once at the end. */
struct text {
    char *data;
    size_t length, capacity;
    bool failed; /* memory ran out; data holds what fitted before */
};

void text_clear(struct text *text); /* frees */
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CLEANUP_TEXT __attribute__((cleanup(text_clear)))

/* A list of owned strings, NULL-terminated so that it can be an argv or an environment. */
struct words {
    char **items; /* NULL while empty */
    size_t count;
};

void words_clear(struct words *words);
int words_add(struct words *words, const char *word); /* copies; 0 or -ENOMEM */

#define CLEANUP_WORDS __attribute__((cleanup(words_clear)))

bool text_equal(const char *a, const char *b); /* NULL equals NULL only */
bool text_starts_with(const char *string, const char *prefix);
/* Copies and terminates; false if it had to cut. */
bool text_copy(char *to, size_t size, const char *from);
/* Copies what fits of it for people to read: whole words, and "..." in the place of the others. size is 4 or more. */
void text_shorten(char *to, size_t size, const char *from);
/* Removes leading and trailing blanks in place; returns the first non-blank. */
char *text_trim(char *string);
/* Decimal digits only, no sign, no blanks, whole string, at most max. */
bool text_to_u64(const char *string, uint64_t max, uint64_t *value);
/* Which of these it is, from 0; -1: none of them. */
int text_index(const char *word, const char *const words[], size_t count);
/* Edit distance, for suggestions; both strings at most 64 characters, else 64. */
unsigned text_distance(const char *a, const char *b);
/* The candidate nearest to word if near enough to be a slip of the finger, else NULL. */
const char *text_nearest(const char *word, const char *const candidates[], size_t count);
/* Makes hostile bytes safe for a terminal and for JSON: control characters and bytes that are not
 * valid UTF-8 become '?', tabs stay. In place, NUL-terminated. */
void text_sanitise(char *string);
/* Valid UTF-8 (RFC 3629) without C1 control characters, which steer terminals as the C0 ones do. */
bool text_is_utf8(const char *bytes, size_t length);

/* CRC-32C (Castagnoli), as in iSCSI (RFC 3720 B.4), for journal records. */
uint32_t crc32c(const void *bytes, size_t length);
/* The same in pieces: of what had this check sum (0: nothing), and these bytes after it. */
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length);
