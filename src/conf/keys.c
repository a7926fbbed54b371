/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of sections and keys, and the values that several keys share. */
#include "conf/keys.h"

#include "base/cleanup.h"
#include "model/grammar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MAX = 64, SHOWN_MAX = 60, PAGE = 4096 };

#define MEMORY_MAX (1ull << 50) /* far beyond any machine, and far from overflowing */

const struct scan_entry *keys_find(const struct scan *scan, const char *section, const char *key)
{
    for (size_t i = 0; i < scan->entry_count; i++) {
        if (strcmp(scan->entries[i].section, section) == 0 && strcmp(scan->entries[i].key, key) == 0)
            return &scan->entries[i];
    }
    return NULL;
}

/* --- suggestions ------------------------------------------------------------------------------ */

struct candidates {
    const char *names[CANDIDATES_MAX];
    size_t count;
};

static void add_candidate(struct candidates *candidates, const char *name)
{
    for (size_t i = 0; i < candidates->count; i++) {
        if (strcmp(candidates->names[i], name) == 0)
            return;
    }
    if (candidates->count < CANDIDATES_MAX)
        candidates->names[candidates->count++] = name;
}

/* "did you mean A?" or "there are A, B, C" */
static void suggest(const char *wrong, const struct candidates *candidates, struct text *text)
{
    const char *nearest = text_nearest(wrong, candidates->names, candidates->count);
    if (nearest) {
        text_addf(text, "did you mean %s?", nearest);
        return;
    }
    for (size_t i = 0; i < candidates->count; i++)
        text_addf(text, "%s%s", i == 0 ? "there are " : ", ", candidates->names[i]);
}

/* [process] has a name behind it, [app] has none; a rule's own section is only the first word. */
static bool in_section(const struct key_rule *rule, const char *section)
{
    return rule->set_named ? keys_section_name(section, rule->section) != NULL : strcmp(rule->section, section) == 0;
}

const char *keys_section_name(const char *section, const char *word)
{
    size_t length = strlen(word);
    return strncmp(section, word, length) == 0 && section[length] == ' ' ? section + length + 1 : NULL;
}

static bool section_known(const struct key_rule rules[], size_t count, const char *section)
{
    for (size_t i = 0; i < count; i++) {
        if (in_section(&rules[i], section))
            return true;
    }
    return false;
}

static void unknown_section(const struct key_rule rules[], size_t count, const char *section, struct problems *problems)
{
    CLEANUP_TEXT struct text hint = {0};
    CLEANUP_FREE char *word = strndup(section, strcspn(section, " "));
    struct candidates candidates = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        add_candidate(&candidates, rules[i].section);
        if (!word || strcmp(word, rules[i].section) != 0)
            continue;
        if (rules[i].set_named)
            return problem_at_key(problems, section, NULL, "which one? Write [%s NAME]", word);
        return problem_at_key(problems, section, NULL, "there is one such section, without a name; write [%s]", word);
    }
    suggest(word ? word : section, &candidates, &hint);
    problem_at_key(problems, section, NULL, "unknown section; %s", hint.data ? hint.data : "");
}

static void unknown_key(const struct key_rule rules[], size_t count, const struct scan_entry *entry,
                        struct problems *problems)
{
    CLEANUP_TEXT struct text hint = {0};
    struct candidates candidates = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (in_section(&rules[i], entry->section))
            add_candidate(&candidates, rules[i].key);
        else if (rules[i].key && strcmp(rules[i].key, entry->key) == 0)
            return problem_at_key(problems, entry->section, entry->key, "unknown key; %s belongs in [%s%s]", entry->key,
                                  rules[i].section, rules[i].set_named ? " NAME" : "");
    }
    suggest(entry->key, &candidates, &hint);
    problem_at_key(problems, entry->section, entry->key, "unknown key; %s", hint.data ? hint.data : "");
}

/* --- applying --------------------------------------------------------------------------------- */

const struct key_rule *keys_rule(const struct key_rule rules[], size_t count, const struct scan_entry *entry)
{
    for (size_t i = 0; i < count; i++) {
        if (in_section(&rules[i], entry->section) && (!rules[i].key || strcmp(rules[i].key, entry->key) == 0))
            return &rules[i];
    }
    return NULL;
}

static int set_flag(const struct key_rule *rule, bool *field, const char *value, struct error *err)
{
    unsigned index;
    int result = key_word(value, rule->words, &index, err);
    if (result == 0)
        *field = index == 1;
    return result;
}

static int set_value(const struct key_rule *rule, void *target, const struct scan_entry *entry, struct error *err)
{
    void *field = (char *)target + rule->offset;
    switch (rule->kind) {
    case KEY_CALL: break;
    case KEY_DURATION: return key_duration(entry->value, rule->min, rule->max, field, err);
    case KEY_NUMBER: return key_number(entry->value, rule->min, rule->max, field, err);
    case KEY_BOUND: return key_bound(entry->value, rule->min, rule->max, field, err);
    case KEY_MEMORY: return key_memory(entry->value, rule->min, field, err);
    case KEY_SIZE: return key_size(entry->value, rule->min, rule->max, field, err);
    case KEY_BOOLEAN: return grammar_boolean(entry->value, field, err);
    case KEY_WORD: return key_word(entry->value, rule->words, field, err);
    case KEY_FLAG: return set_flag(rule, field, entry->value, err);
    }
    if (rule->set_named)
        return rule->set_named(target, keys_section_name(entry->section, rule->section), entry->value, err);
    return rule->set ? rule->set(target, entry->value, err) : rule->set_any(target, entry->key, entry->value, err);
}

static void apply_entry(const struct key_rule rules[], size_t count, struct scan_entry *entry, void *target,
                        struct problems *problems)
{
    struct error err = {0};
    const struct key_rule *rule = keys_rule(rules, count, entry);
    if (!rule) {
        entry->refused = true;
        unknown_key(rules, count, entry, problems);
        return;
    }
    if (entry->refused)
        return;
    if (set_value(rule, target, entry, &err) < 0) {
        entry->refused = true;
        problem_at_key(problems, entry->section, entry->key, "%s", err.text);
    }
}

void keys_apply(const struct key_rule rules[], size_t count, struct scan *scan, void *target, struct problems *problems)
{
    for (size_t i = 0; i < scan->section_count; i++) {
        if (!section_known(rules, count, scan->sections[i].name))
            unknown_section(rules, count, scan->sections[i].name, problems);
    }
    for (size_t i = 0; i < scan->entry_count; i++) {
        if (section_known(rules, count, scan->entries[i].section))
            apply_entry(rules, count, &scan->entries[i], target, problems);
    }
}

/* --- values ----------------------------------------------------------------------------------- */

const char *key_show_duration(uint64_t ms, char text[KEY_DURATION_TEXT_MAX])
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    snprintf(text, KEY_DURATION_TEXT_MAX, ms ? "%" PRIu64 "ms" : "0", ms);
    for (size_t i = 0; ms && i < sizeof units / sizeof *units; i++) {
        if (ms % units[i].ms == 0) {
            snprintf(text, KEY_DURATION_TEXT_MAX, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
            break;
        }
    }
    return text;
}

int key_duration(const char *value, uint32_t min_ms, uint32_t max_ms, uint32_t *ms, struct error *err)
{
    uint64_t parsed;
    char least[KEY_DURATION_TEXT_MAX], most[KEY_DURATION_TEXT_MAX];
    int result = grammar_duration(value, &parsed, err);
    if (result < 0)
        return result;
    if (parsed < min_ms || parsed > max_ms)
        return error_set(err, ERANGE, "%.*s is out of range; it is %s to %s", SHOWN_MAX, value,
                         key_show_duration(min_ms, least), key_show_duration(max_ms, most));
    *ms = (uint32_t)parsed;
    return 0;
}

int key_number(const char *value, uint32_t min, uint32_t max, uint32_t *number, struct error *err)
{
    uint64_t parsed;
    if (!text_to_u64(value, max, &parsed) || parsed < min)
        return error_set(err, EINVAL, "\"%.*s\" is not a number from %" PRIu32 " to %" PRIu32, SHOWN_MAX, value, min,
                         max);
    *number = (uint32_t)parsed;
    return 0;
}

int key_bound(const char *value, uint32_t min, uint32_t max, uint32_t *number, struct error *err)
{
    if (strcmp(value, "unlimited") == 0) {
        *number = UINT32_MAX;
        return 0;
    }
    int result = key_number(value, min, max, number, err);
    return result < 0 ? error_suffix(err, "; write unlimited for no bound") : 0;
}

/* As somebody would write it: the largest unit that leaves no rest. */
static void show_size(uint64_t bytes, struct text *text)
{
    static const char units[] = "KMGT";
    size_t unit = 0;
    uint64_t amount = bytes >> 10;
    if (bytes % 1024 != 0) {
        text_addf(text, "%" PRIu64, bytes);
        return;
    }
    while (amount && amount % 1024 == 0 && unit + 2 < sizeof units) {
        amount /= 1024;
        unit++;
    }
    text_addf(text, "%" PRIu64 "%c", amount, units[unit]);
}

int key_memory(const char *value, uint64_t min, uint64_t *bytes, struct error *err)
{
    uint64_t parsed;
    int result = grammar_size(value, &parsed, err);
    if (result < 0)
        return result;
    if (parsed < min || parsed > MEMORY_MAX)
        return error_set(err, ERANGE, "%.*s is out of range; it is %" PRIu64 "K to 1024T", SHOWN_MAX, value, min >> 10);
    if (parsed % PAGE != 0)
        return error_set(err, EINVAL, "%.*s is not a multiple of 4K, which is what the kernel counts in", SHOWN_MAX,
                         value);
    *bytes = parsed;
    return 0;
}

int key_size(const char *value, uint32_t min_k, uint32_t max_k, uint64_t *bytes, struct error *err)
{
    CLEANUP_TEXT struct text bounds = {0};
    uint64_t parsed;
    int result = grammar_size(value, &parsed, err);
    if (result < 0)
        return result;
    if (parsed >= (uint64_t)min_k << 10 && parsed <= (uint64_t)max_k << 10) {
        *bytes = parsed;
        return 0;
    }
    show_size((uint64_t)min_k << 10, &bounds);
    text_add(&bounds, " to ");
    show_size((uint64_t)max_k << 10, &bounds);
    return error_set(err, ERANGE, "%.*s is out of range; it is %s", SHOWN_MAX, value, bounds.data ? bounds.data : "");
}

int key_word(const char *value, const char *const words[], unsigned *index, struct error *err)
{
    CLEANUP_TEXT struct text list = {0};
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(value, words[i]) == 0) {
            *index = i;
            return 0;
        }
        text_addf(&list, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return error_set(err, EINVAL, "\"%.*s\" is not one of %s", SHOWN_MAX, value, list.data ? list.data : "");
}

int key_account(const char *value, char *name, size_t size, struct error *err)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (strspn(value, "0123456789") == strlen(value))
        return error_set(err, EINVAL,
                         "\"%.*s\" is a number; write the name, so that a change of ids cannot make it "
                         "somebody else",
                         SHOWN_MAX, value);
    if (!strspn(value, first) || value[strspn(value, rest)] || strlen(value) >= size)
        return error_set(err, EINVAL,
                         "\"%.*s\" is not an account's name: a letter or '_', then letters, digits and "
                         "_.-, at most %zu",
                         SHOWN_MAX, value, size - 1);
    text_copy(name, size, value);
    return 0;
}

int key_string(const char *value, char **string, struct error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return error_errno(err, ENOMEM, "read a value");
    free(*string);
    *string = copy;
    return 0;
}

/* --- the other way ------------------------------------------------------------------------------ */

static void show_number(const struct key_rule *rule, uint32_t number, struct text *text)
{
    char duration[KEY_DURATION_TEXT_MAX];
    if (rule->kind == KEY_BOUND && number == UINT32_MAX)
        text_add(text, "unlimited");
    else if (number == 0 && rule->min > 0)
        text_add(text, "none");
    else if (rule->kind == KEY_DURATION)
        text_add(text, key_show_duration(number, duration));
    else
        text_addf(text, "%" PRIu32, number);
}

void key_show(const struct key_rule *rule, const void *target, struct text *text)
{
    const void *field = (const char *)target + rule->offset;
    const bool *flag = field;
    switch (rule->kind) {
    case KEY_CALL: break;
    case KEY_DURATION:
    case KEY_NUMBER:
    case KEY_BOUND: show_number(rule, *(const uint32_t *)field, text); break;
    case KEY_SIZE:
    case KEY_MEMORY:
        if (*(const uint64_t *)field)
            show_size(*(const uint64_t *)field, text);
        else
            text_add(text, "none");
        break;
    case KEY_BOOLEAN: text_add(text, *flag ? "yes" : "no"); break;
    case KEY_WORD: text_add(text, rule->words[*(const unsigned *)field]); break;
    case KEY_FLAG: text_add(text, rule->words[*flag ? 1 : 0]); break;
    }
}
