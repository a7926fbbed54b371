/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The languages of [feed]: methods, the key of lanes, names. What they become stands in requests of others, so a name
 * is taken only as HTTP has it. */
#include "model/grammar.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t,|"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOKEN  UPPER "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`~" /* RFC 9110, 5.6.2, without '|' */

int grammar_names(const char *value, struct words *words, struct error *err)
{
    CLEANUP_WORDS struct words split = {0};
    CLEANUP_FREE char *copy = strdup(value);
    char *state = NULL;
    if (!copy)
        return error_errno(err, ENOMEM, "read names");
    for (char *name = strtok_r(copy, BLANKS, &state); name; name = strtok_r(NULL, BLANKS, &state)) {
        for (size_t i = 0; i < split.count; i++) {
            if (strcmp(split.items[i], name) == 0)
                return error_set(err, EINVAL, "%.60s stands there twice; write it once", name);
        }
        if (words_add(&split, name) < 0)
            return error_errno(err, ENOMEM, "read names");
    }
    if (split.count == 0)
        return error_set(err, EINVAL, "no name; write them with blanks or commas between, or leave the key out");
    words_clear(words);
    *words = split;
    split = (struct words){0};
    return 0;
}

static int check_method(const char *method, struct error *err)
{
    if (strcmp(method, "all") == 0)
        return error_set(err, EINVAL, "all means every method; write all alone, or the methods alone");
    if (method[strspn(method, UPPER "0123456789-_")] || strspn(method, UPPER) == 0)
        return error_set(err, EINVAL,
                         "\"%.60s\" is no method; they are written in capitals, as in \"POST PUT\", or all", method);
    if (strlen(method) > FEED_METHOD_MAX)
        return error_set(err, EINVAL, "\"%.60s\" is too long for a method; at most %d characters", method,
                         FEED_METHOD_MAX);
    if (strcmp(method, "CONNECT") == 0)
        return error_set(err, EINVAL, "CONNECT makes a tunnel and has no answer that could be compared; leave it out");
    return 0;
}

int grammar_feed_methods(const char *value, struct feed *feed, struct error *err)
{
    CLEANUP_WORDS struct words words = {0};
    int result = grammar_names(value, &words, err);
    if (result < 0)
        return result;
    bool all = words.count == 1 && strcmp(words.items[0], "all") == 0;
    if (words.count > FEED_METHODS_MAX)
        return error_set(err, EINVAL, "more than %d methods; write all", FEED_METHODS_MAX);
    for (size_t i = 0; !all && i < words.count; i++) {
        result = check_method(words.items[i], err);
        if (result < 0)
            return result;
    }
    feed->all_methods = all;
    feed->method_count = all ? 0 : words.count;
    for (size_t i = 0; i < feed->method_count; i++)
        text_copy(feed->methods[i], sizeof feed->methods[i], words.items[i]);
    return 0;
}

int grammar_feed_ignore(const char *value, struct feed *feed, struct error *err)
{
    CLEANUP_WORDS struct words words = {0};
    int result = grammar_names(value, &words, err);
    if (result < 0)
        return result;
    if (words.count > FEED_IGNORE_MAX)
        return error_set(err, EINVAL, "more than %d names; leave some out, or write compare = status", FEED_IGNORE_MAX);
    for (size_t i = 0; i < words.count; i++) {
        if (strlen(words.items[i]) > FEED_FIELD_MAX || !text_is_utf8(words.items[i], strlen(words.items[i])))
            return error_set(err, EINVAL,
                             "\"%.60s\" is no name of a header field or JSON member; at most %d bytes of UTF-8",
                             words.items[i], FEED_FIELD_MAX);
    }
    feed->ignore_count = words.count;
    for (size_t i = 0; i < words.count; i++)
        text_copy(feed->ignore[i], sizeof feed->ignore[i], words.items[i]);
    return 0;
}

/* --- key ---------------------------------------------------------------------------------------- */

static const char key_form[] = "none, \"header NAME\", \"cookie NAME\", \"path N\" or client";

static int parse_key(const char *kind, const char *argument, struct feed_key *key, struct error *err)
{
    uint64_t part = 0;
    static const char *const kinds[] = {[FEED_KEY_NONE] = "none",
                                        [FEED_KEY_HEADER] = "header",
                                        [FEED_KEY_COOKIE] = "cookie",
                                        [FEED_KEY_PATH] = "path",
                                        [FEED_KEY_CLIENT] = "client"};
    unsigned index = 0;
    while (index < sizeof kinds / sizeof *kinds && strcmp(kinds[index], kind) != 0)
        index++;
    bool takes = index == FEED_KEY_HEADER || index == FEED_KEY_COOKIE || index == FEED_KEY_PATH;
    if (index == sizeof kinds / sizeof *kinds || takes != (argument != NULL))
        return error_set(err, EINVAL, "\"%.60s%s%.60s\" is not %s", kind, argument ? " " : "", argument ? argument : "",
                         key_form);
    key->kind = (enum feed_key_kind)index;
    if (index == FEED_KEY_PATH && (!text_to_u64(argument, FEED_PART_MAX, &part) || part == 0))
        return error_set(err, EINVAL, "\"%.60s\" is no part of a path; the first one is 1, at most %d", argument,
                         FEED_PART_MAX);
    key->part = (uint8_t)part;
    if (!takes || index == FEED_KEY_PATH)
        return 0;
    if (argument[strspn(argument, TOKEN)] || !text_copy(key->name, sizeof key->name, argument))
        return error_set(err, EINVAL, "\"%.60s\" is no name of a %s; at most %d characters", argument,
                         index == FEED_KEY_HEADER ? "header field" : "cookie", FEED_FIELD_MAX);
    return 0;
}

int grammar_feed_key(const char *value, struct feed_key *key, struct error *err)
{
    struct feed_key parsed = {.kind = FEED_KEY_NONE};
    CLEANUP_FREE char *copy = strdup(value);
    char *state = NULL;
    if (!copy)
        return error_errno(err, ENOMEM, "read a key");
    const char *kind = strtok_r(copy, " \t", &state), *argument = strtok_r(NULL, " \t", &state);
    if (!kind || strtok_r(NULL, " \t", &state))
        return error_set(err, EINVAL, "\"%.60s\" is not %s", value, key_form);
    int result = parse_key(kind, argument, &parsed, err);
    if (result == 0)
        *key = parsed;
    return result;
}
