/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A first look at the raw bytes of a configuration file, before iniparser sees them. */
#include "conf/scan.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 60, SECTIONS_MAX = 64, ENTRIES_MAX = 512 };

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

struct scanner {
    struct scan *scan;
    struct problems *problems;
    const char *section; /* the one we are in; NULL before the first */
    bool lost;           /* behind a section line that nobody could read: its keys say nothing */
    bool joined;         /* the line before ended in a backslash */
    unsigned line;
    bool no_memory;
};

void scan_clear(struct scan *scan)
{
    for (size_t i = 0; i < scan->section_count; i++)
        free(scan->sections[i].name);
    for (size_t i = 0; i < scan->entry_count; i++) {
        free(scan->entries[i].section);
        free(scan->entries[i].key);
        free(scan->entries[i].value);
    }
    free(scan->sections);
    free(scan->entries);
    *scan = (struct scan){0};
}

/* In place. True if something had to be changed. */
static bool lower_case(char *name)
{
    bool changed = false;
    for (; *name; name++) {
        if (*name >= 'A' && *name <= 'Z') {
            *name = (char)(*name - 'A' + 'a');
            changed = true;
        }
    }
    return changed;
}

/* --- sections --------------------------------------------------------------------------------- */

static void enter_section(struct scanner *scanner, const char *name)
{
    struct scan *scan = scanner->scan;
    for (size_t i = 0; i < scan->section_count; i++) {
        if (strcmp(scan->sections[i].name, name) == 0) {
            problem_at_key(scanner->problems, name, NULL,
                           "this section stands at line %u and again at line %u; join the two", scan->sections[i].line,
                           scanner->line);
            scanner->section = scan->sections[i].name;
            return;
        }
    }
    struct scan_section *sections = reallocarray(scan->sections, scan->section_count + 1, sizeof *sections);
    char *copy = strdup(name);
    if (sections)
        scan->sections = sections;
    if (!sections || !copy) {
        free(copy);
        scanner->no_memory = true;
        return;
    }
    sections[scan->section_count++] = (struct scan_section){copy, scanner->line};
    scanner->section = copy;
}

/* One word, or two with one blank between: "process worker". */
static bool section_name_valid(const char *name)
{
    size_t first = strspn(name, name_letters);
    if (first == 0 || strlen(name) > SHOWN_MAX)
        return false;
    if (!name[first])
        return true;
    const char *second = name + first + 1;
    return name[first] == ' ' && *second && !second[strspn(second, name_letters)];
}

/* text begins with '[' and is trimmed. */
static void read_section(struct scanner *scanner, char *text)
{
    char *end = strchr(text, ']');
    scanner->lost = true;
    if (!end)
        return problem_at_line(scanner->problems, scanner->line, "the section %.*s has no closing ']'", SHOWN_MAX,
                               text);
    if (end[1])
        return problem_at_line(scanner->problems, scanner->line,
                               "\"%.*s\" behind the section's ']'; put it, and every comment, on a "
                               "line of its own",
                               SHOWN_MAX, text_trim(end + 1));
    *end = '\0';
    char *name = text_trim(text + 1);
    bool changed = lower_case(name);
    if (!section_name_valid(name))
        return problem_at_line(scanner->problems, scanner->line,
                               "\"%.*s\" is not a section's name; write it as in [app] or [process worker]", SHOWN_MAX,
                               name);
    if (changed)
        problem_at_key(scanner->problems, name, NULL,
                       "capitals at line %u; write section names in small letters, as here", scanner->line);
    if (scanner->scan->section_count >= SECTIONS_MAX)
        return problem_at_line(scanner->problems, scanner->line, "more than %d sections", SECTIONS_MAX);
    scanner->lost = false;
    enter_section(scanner, name);
}

/* --- values ----------------------------------------------------------------------------------- */

static const char comment_hint[] =
    "put comments on lines of their own; in a command write \\x23 for # and \\x3b for ;, "
    "in the environment use env_file";

/* Removes the quotes around a value that begins with one. NULL if the quotes are wrong. */
static char *unquote(struct scanner *scanner, const char *key, char *value)
{
    char quote = *value, *end = strchr(value + 1, quote);
    if (!end) {
        problem_at_key(scanner->problems, scanner->section, key, "the quote %c is not closed", quote);
        return NULL;
    }
    if (memchr(value, '\\', (size_t)(end - value))) {
        problem_at_key(scanner->problems, scanner->section, key,
                       "a backslash in a value that begins with a quote means different things to "
                       "different versions of the parser; begin the value without a quote");
        return NULL;
    }
    if (end[1]) {
        problem_at_key(scanner->problems, scanner->section, key,
                       "\"%.*s\" behind the closing quote would be lost; do not begin the value with "
                       "a quote, or put quotes of the other kind around all of it",
                       SHOWN_MAX, text_trim(end + 1));
        return NULL;
    }
    *end = '\0';
    return value + 1;
}

/* The value as iniparser should see it, or NULL with a problem added. */
static char *read_value(struct scanner *scanner, const char *key, char *value)
{
    value = text_trim(value);
    char *mark = strpbrk(value, ";#");
    if (mark) {
        bool comment = mark == value || mark[-1] == ' ' || mark[-1] == '\t';
        problem_at_key(scanner->problems, scanner->section, key, "%s'%c', where the parser would cut the value off; %s",
                       comment ? "a comment behind the value? It holds " : "the value holds ", *mark, comment_hint);
        return NULL;
    }
    if (*value == '"' || *value == '\'')
        value = unquote(scanner, key, value);
    if (value && !*value) {
        problem_at_key(scanner->problems, scanner->section, key, "no value; remove the line to have the default");
        return NULL;
    }
    return value;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void add_entry(struct scanner *scanner, const char *key, const char *value)
{
    struct scan *scan = scanner->scan;
    struct scan_entry *entries = reallocarray(scan->entries, scan->entry_count + 1, sizeof *entries);
    if (entries)
        scan->entries = entries;
    struct scan_entry entry = {.section = strdup(scanner->section),
                               .key = strdup(key),
                               .value = strdup(value ? value : ""),
                               .line = scanner->line,
                               .refused = !value};
    if (!entries || !entry.section || !entry.key || !entry.value) {
        free(entry.section);
        free(entry.key);
        free(entry.value);
        scanner->no_memory = true;
        return;
    }
    entries[scan->entry_count++] = entry;
}

static struct scan_entry *find_entry(struct scanner *scanner, const char *key)
{
    struct scan *scan = scanner->scan;
    for (size_t i = 0; i < scan->entry_count; i++) {
        if (strcmp(scan->entries[i].section, scanner->section) == 0 && strcmp(scan->entries[i].key, key) == 0)
            return &scan->entries[i];
    }
    return NULL;
}

/* Makes key the name that iniparser would look up; false if it is none. */
static bool check_key(struct scanner *scanner, char *key)
{
    if (!*key) {
        problem_at_line(scanner->problems, scanner->line, "nothing before '='; write key = value");
        return false;
    }
    bool changed = lower_case(key);
    if (key[strspn(key, name_letters)] || strlen(key) > SHOWN_MAX) {
        problem_at_line(scanner->problems, scanner->line,
                        "\"%.*s\" is not a key: keys are small letters, digits, '_' and '-'", SHOWN_MAX, key);
        return false;
    }
    if (!scanner->section) {
        problem_at_line(scanner->problems, scanner->line,
                        "the key %s stands before any section; put a line such as [app] above it", key);
        return false;
    }
    if (changed)
        problem_at_key(scanner->problems, scanner->section, key,
                       "capitals at line %u; write keys in small letters, as here", scanner->line);
    return true;
}

/* What is wrong with the line as a whole; NULL if nothing is. */
static const char *line_fault(const char *raw, size_t length)
{
    char copy[SCAN_LINE_MAX + 1];
    if (length > SCAN_LINE_MAX)
        return "the line is longer than 1022 bytes, more than the parser takes; use a shorter value, or "
               "env_file for many variables";
    if (length > 0 && raw[length - 1] == '\\')
        return "a backslash at the end would join the next line to this one; write one line";
    memcpy(copy, raw, length);
    copy[length] = '\0';
    text_sanitise(copy);
    for (size_t i = 0; i < length; i++) {
        if (copy[i] == raw[i])
            continue;
        return (unsigned char)raw[i] < 0x20 || raw[i] == 0x7f ? "a control character in the line; remove it"
                                                              : "the line is not UTF-8 text; save the file as UTF-8";
    }
    return NULL;
}

static void read_entry(struct scanner *scanner, char *text, const char *fault)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return problem_at_line(scanner->problems, scanner->line, "%s", fault ? fault : "no '='; write key = value");
    *equals = '\0';
    char *key = text_trim(text);
    if (fault && (!*key || key[strspn(key, name_letters)] || !scanner->section))
        return problem_at_line(scanner->problems, scanner->line, "%s", fault);
    if (!check_key(scanner, key))
        return;
    struct scan_entry *earlier = find_entry(scanner, key);
    if (earlier)
        return problem_at_key(scanner->problems, scanner->section, key,
                              "stands at line %u and again at line %u; keep one", earlier->line, scanner->line);
    if (scanner->scan->entry_count >= ENTRIES_MAX)
        return problem_at_line(scanner->problems, scanner->line, "more than %d keys", ENTRIES_MAX);
    if (fault)
        problem_at_key(scanner->problems, scanner->section, key, "%s", fault);
    add_entry(scanner, key, fault ? NULL : read_value(scanner, key, equals + 1));
}

/* --- lines ------------------------------------------------------------------------------------ */

/* raw has no newline and no NUL in it. */
static void read_line(struct scanner *scanner, const char *raw, size_t length)
{
    while (length > 0 && strchr(" \t\r", raw[length - 1])) /* as iniparser does; so CR LF is fine */
        length--;
    CLEANUP_FREE char *copy = strndup(raw, length);
    if (!copy) {
        scanner->no_memory = true;
        return;
    }
    char *text = text_trim(copy);
    const char *fault = line_fault(raw, length);
    bool comment = *text == '#' || *text == ';', joined = scanner->joined;
    scanner->joined = length > 0 && raw[length - 1] == '\\';
    if (joined && *text != '[' && !strchr(text, '=')) /* the rest of a line that was refused */
        return;
    if (fault && (comment || *text == '[' || !*text)) {
        scanner->lost = scanner->lost || *text == '[';
        problem_at_line(scanner->problems, scanner->line, "%s", fault);
    } else if (*text == '[') {
        read_section(scanner, text);
    } else if (*text && !comment && !scanner->lost) {
        read_entry(scanner, text, fault);
    }
}

int scan_content(const char *content, size_t length, struct scan *scan, struct problems *problems)
{
    struct scanner scanner = {.scan = scan, .problems = problems};
    const char *at = content, *end = content + length;
    if (length >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0) {
        problem_at_line(problems, 1, "a byte order mark; save the file as plain UTF-8");
        at += 3;
    }
    while (at < end && !scanner.no_memory) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        scanner.line++;
        if (memchr(at, '\0', (size_t)(stop - at))) {
            problem_at_line(problems, scanner.line, "a NUL byte: this is not a text file");
            break;
        }
        read_line(&scanner, at, (size_t)(stop - at));
        at = newline ? newline + 1 : end;
    }
    return scanner.no_memory ? -ENOMEM : 0;
}
