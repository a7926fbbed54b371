/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The languages that systemd users know: ExecStart's command line, and EnvironmentFile's content. Where systemd
 * warns and drops something, we refuse: a deployment must not go live with half its environment.
 */
#include "model/grammar.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define QUOTE_MAX 80

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int finish_word(struct text *word, struct words *words, struct error *err)
{
    text_add(word, ""); /* "" is a word too */
    if (word->failed || words_add(words, word->data) < 0)
        return error_errno(err, ENOMEM, "split into words");
    text_clear(word);
    return 0;
}

/* --- escapes ---------------------------------------------------------------------------------- */

static void add_utf8(struct text *text, uint32_t c)
{
    char bytes[4];
    size_t length = 0;
    if (c < 0x80) {
        bytes[length++] = (char)c;
    } else if (c < 0x800) {
        bytes[length++] = (char)(0xc0 | c >> 6);
        bytes[length++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[length++] = (char)(0xe0 | c >> 12);
        bytes[length++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[length++] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[length++] = (char)(0xf0 | c >> 18);
        bytes[length++] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[length++] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[length++] = (char)(0x80 | (c & 0x3f));
    }
    text_add_bytes(text, bytes, length);
}

/* Exactly `count` digits of this base (8 or 16). */
static bool read_digits(const char *at, size_t count, unsigned base, uint32_t *value)
{
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : base;
        if (digit >= base)
            return false;
        total = total * base + digit;
    }
    *value = total;
    return true;
}

/* \xHH and \OOO make one byte, \uHHHH and \UHHHHHHHH one character. Returns the bytes read, 0 if it is none. */
static size_t numeric_escape(const char *at, struct text *word)
{
    uint32_t value;
    if (*at == 'x' && read_digits(at + 1, 2, 16, &value) && value != 0) {
        text_add_bytes(word, &(char){(char)value}, 1);
        return 3;
    }
    if (read_digits(at, 3, 8, &value) && value > 0 && value <= 0xff) {
        text_add_bytes(word, &(char){(char)value}, 1);
        return 3;
    }
    size_t count = *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
    if (count == 0 || !read_digits(at + 1, count, 16, &value) || value == 0 || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff))
        return 0;
    add_utf8(word, value);
    return 1 + count;
}

/* What follows a backslash. Returns the bytes read, 0 if it is no escape. */
static size_t read_escape(const char *at, struct text *word)
{
    static const char names[] = "abfnrtvs\\\"'", meanings[] = "\a\b\f\n\r\t\v \\\"'";
    const char *found = *at ? strchr(names, *at) : NULL;
    if (!found)
        return numeric_escape(at, word);
    text_add_bytes(word, &meanings[found - names], 1);
    return 1;
}

/* --- command line ----------------------------------------------------------------------------- */

/* One word from *at on, which is no blank and not the end. Leaves *at behind it. */
static int read_word(const char **at, struct text *word, struct error *err)
{
    const char *c = *at;
    char quote = '\0';
    while (*c && (quote || !is_blank(*c))) {
        if (*c == '\\') {
            size_t used = read_escape(c + 1, word);
            if (used == 0)
                return error_set(err, EINVAL,
                                 "\"%.*s\" is no escape; write \\\\ for a backslash, \\s for a "
                                 "blank, \\x41 for a byte",
                                 4, c);
            c += 1 + used;
        } else if (*c == quote) {
            quote = '\0';
            c++;
        } else if (!quote && (*c == '"' || *c == '\'')) {
            quote = *c++;
        } else {
            text_add_bytes(word, c++, 1);
        }
    }
    if (quote)
        return error_set(err, EINVAL, "the quote %c is not closed; close it, or write \\%c", quote, quote);
    *at = c;
    return 0;
}

int grammar_command(const char *value, struct words *words, struct error *err)
{
    CLEANUP_WORDS struct words split = {0};
    for (const char *at = value; *at;) {
        CLEANUP_TEXT struct text word = {0};
        if (is_blank(*at)) {
            at++;
            continue;
        }
        int result = read_word(&at, &word, err);
        if (result == 0)
            result = finish_word(&word, &split, err);
        if (result < 0)
            return result;
    }
    if (split.count == 0)
        return error_set(err, EINVAL, "no command; write the executable's absolute path and its arguments");
    words_clear(words);
    *words = split;
    split = (struct words){0};
    return 0;
}

/* --- environment ------------------------------------------------------------------------------ */

/* Length of the variable name at the start of text, 0 if there is none. */
static size_t name_length(const char *text)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return strspn(text, first) ? strspn(text, rest) : 0;
}

static bool already_set(const struct words *words, const char *assignment, size_t length)
{
    for (size_t i = 0; i < words->count; i++) {
        if (strncmp(words->items[i], assignment, length) == 0 && words->items[i][length] == '=')
            return true;
    }
    return false;
}

static int add_assignment(char *item, struct words *words, struct error *err)
{
    item = text_trim(item);
    size_t length = name_length(item);
    if (!*item)
        return error_set(err, EINVAL, "nothing between two '|'; write NAME=VALUE | NAME=VALUE");
    if (length == 0 || item[length] != '=')
        return error_set(err, EINVAL, "\"%.*s\" is not NAME=VALUE; names are letters, digits and _", QUOTE_MAX, item);
    if (already_set(words, item, length))
        return error_set(err, EINVAL, "%.*s is set twice; keep one", (int)length, item);
    return words_add(words, item) < 0 ? error_errno(err, ENOMEM, "read the environment") : 0;
}

int grammar_environment(const char *value, struct words *words, struct error *err)
{
    CLEANUP_WORDS struct words split = {0};
    CLEANUP_FREE char *copy = strdup(value);
    if (!copy)
        return error_errno(err, ENOMEM, "read the environment");
    for (char *rest = copy; rest;) { /* not strtok: it takes no notice of what is empty */
        char *item = strsep(&rest, "|");
        int result = add_assignment(item, &split, err);
        if (result < 0)
            return result;
    }
    words_clear(words);
    *words = split;
    split = (struct words){0};
    return 0;
}

/* --- environment file -------------------------------------------------------------------------- */

struct reader {
    const char *at, *end;
    unsigned line;
};

static bool at_line_end(const struct reader *reader)
{
    return reader->at == reader->end || *reader->at == '\n' || *reader->at == '\r';
}

static char next_byte(struct reader *reader)
{
    if (*reader->at == '\n')
        reader->line++;
    return *reader->at++;
}

/* After a backslash: the end of a line vanishes. True if it did. */
static bool skip_line_end(struct reader *reader)
{
    if (!at_line_end(reader))
        return false;
    if (reader->at < reader->end && *reader->at == '\r')
        reader->at++;
    if (reader->at < reader->end && *reader->at == '\n')
        next_byte(reader);
    return true;
}

/* From behind an opening quote to behind the closing one. In double quotes a backslash escapes what a shell would
 * treat specially and stays otherwise. */
static int read_quoted(struct reader *reader, char quote, struct text *value, struct error *err)
{
    unsigned opened = reader->line;
    while (reader->at < reader->end) {
        char c = next_byte(reader);
        if (c == quote)
            return 0;
        if (c == '\\' && quote == '"' && reader->at < reader->end) {
            c = next_byte(reader);
            if (c == '\n')
                continue;
            if (!strchr("\"\\`$", c))
                text_add(value, "\\");
        }
        text_add_bytes(value, &c, 1);
    }
    return error_set(err, EINVAL, "line %u: the quote %c is not closed", opened, quote);
}

/* From behind the '=' to the end of the line. Quotes count where a value, or the rest of one, begins. */
static int read_value(struct reader *reader, struct text *value, struct error *err)
{
    bool begins = true;
    size_t kept = 0; /* blanks behind this are trailing */
    while (!at_line_end(reader)) {
        char c = next_byte(reader);
        if (begins && is_blank(c))
            continue;
        if (begins && (c == '"' || c == '\'')) {
            int result = read_quoted(reader, c, value, err);
            if (result < 0)
                return result;
            kept = value->length;
            continue;
        }
        begins = false;
        bool escaped = c == '\\';
        if (escaped && skip_line_end(reader)) {
            kept = value->length;
            continue;
        }
        if (escaped)
            c = next_byte(reader);
        text_add_bytes(value, &c, 1);
        if (escaped || !is_blank(c))
            kept = value->length;
    }
    value->length = kept;
    if (value->data)
        value->data[kept] = '\0';
    return 0;
}

/* From the first byte of a name to the end of its line. */
static int read_assignment(struct reader *reader, struct words *words, struct error *err)
{
    CLEANUP_TEXT struct text assignment = {0}, value = {0};
    unsigned line = reader->line;
    const char *name = reader->at;
    while (!at_line_end(reader) && *reader->at != '=')
        reader->at++;
    /* The line is not quoted: these files hold secrets, and errors end up in logs and on terminals. */
    if (at_line_end(reader))
        return error_set(err, EINVAL, "line %u has no '='; write NAME=VALUE", line);
    size_t length = (size_t)(reader->at++ - name);
    while (length > 0 && is_blank(name[length - 1]))
        length--;
    if (length == 0 || name_length(name) != length)
        return error_set(err, EINVAL, "line %u does not begin with a variable's name; names are letters, digits and _",
                         line);

    int result = read_value(reader, &value, err);
    if (result < 0)
        return result;
    text_add_bytes(&assignment, name, length);
    text_addf(&assignment, "=%s", value.data ? value.data : "");
    if (value.failed || assignment.failed || words_add(words, assignment.data) < 0)
        return error_errno(err, ENOMEM, "line %u", line);
    return 0;
}

int grammar_environment_file(const char *content, size_t length, struct words *words, struct error *err)
{
    struct reader reader = {.at = content, .end = content + length, .line = 1};
    if (length > 0 && memchr(content, '\0', length))
        return error_set(err, EINVAL, "holds a NUL byte; it is not a text file");
    while (reader.at < reader.end) {
        if (is_blank(*reader.at)) {
            next_byte(&reader);
        } else if (*reader.at == '#' || *reader.at == ';') {
            while (!at_line_end(&reader))
                reader.at++;
        } else {
            int result = read_assignment(&reader, words, err);
            if (result < 0)
                return result;
        }
    }
    return 0;
}
