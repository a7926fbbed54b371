/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How checks, pages of a test, hooks and guards are written. */
#include "model/grammar.h"

#include "base/cleanup.h"
#include "model/grammar_parts.h"

#include <errno.h>
#include <string.h>

/* --- health ----------------------------------------------------------------------------------- */

/* ":PORT" up to what follows it. */
static int parse_check_port(const char *value, uint16_t *port, const char **rest, const char *form, struct error *err)
{
    uint64_t number;
    if (strstr(value, "://"))
        return error_set(err, EINVAL, "\"%.*s\": the check always goes to the zone itself; write %s", QUOTE_MAX, value,
                         form);
    if (value[0] != ':')
        return error_set(err, EINVAL, "\"%.*s\" does not start with ':'; write %s", QUOTE_MAX, value, form);
    if (value[1] == '0' || !leading_number(value + 1, UINT16_MAX, &number, rest))
        return error_set(err, EINVAL, "\"%.*s\" has no port from 1 to 65535; write %s", QUOTE_MAX, value, form);
    *port = (uint16_t)number;
    return 0;
}

/* What RFC 3986 allows in a path and a query; everything else must be percent-encoded. */
static bool path_valid(const char *path)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~!$&'()*+,;=:@/?%";
    if (path[strspn(path, allowed)])
        return false;
    for (const char *c = strchr(path, '%'); c; c = strchr(c + 1, '%')) {
        if (strspn(c + 1, "0123456789abcdefABCDEF") < 2)
            return false;
    }
    return true;
}

static int take_path(const char *path, char copy[HEALTH_PATH_MAX + 1], struct error *err)
{
    if (*path != '/' || !path_valid(path))
        return error_set(err, EINVAL,
                         "\"%.*s\" is not a path; start it with '/' and percent-encode what is not "
                         "a letter, a digit or -._~!$&'()*+,;=:@/?",
                         QUOTE_MAX, path);
    if (!text_copy(copy, HEALTH_PATH_MAX + 1, path))
        return error_set(err, EINVAL, "the path is longer than %d bytes", HEALTH_PATH_MAX);
    return 0;
}

int grammar_health_http(const char *value, struct health *health, struct error *err)
{
    static const char form[] = ":PORT/PATH, as in \":8080/healthz\"";
    uint16_t port;
    const char *path;
    int result = parse_check_port(value, &port, &path, form, err);
    if (result < 0)
        return result;
    if (*path == '\0')
        path = "/";
    result = take_path(path, health->path, err);
    if (result < 0)
        return result;
    health->kind = HEALTH_HTTP;
    health->port = port;
    return 0;
}

int grammar_health_tcp(const char *value, struct health *health, struct error *err)
{
    static const char form[] = ":PORT, as in \":8080\"";
    uint16_t port;
    const char *rest;
    int result = parse_check_port(value, &port, &rest, form, err);
    if (result < 0)
        return result;
    if (*rest)
        return error_set(err, EINVAL, "\"%.*s\" after the port; write %s", QUOTE_MAX, rest, form);
    health->kind = HEALTH_TCP;
    health->port = port;
    return 0;
}

static bool parse_range(const char *word, struct status_range *range)
{
    uint64_t first, last;
    const char *rest;
    if (!leading_number(word, 599, &first, &rest))
        return false;
    last = first;
    if (*rest == '-' && !leading_number(rest + 1, 599, &last, &rest))
        return false;
    if (*rest || first < 100 || last < first)
        return false;
    *range = (struct status_range){(uint16_t)first, (uint16_t)last};
    return true;
}

int grammar_status(const char *value, struct health *health, struct error *err)
{
    struct status_range ranges[STATUS_RANGES_MAX];
    uint8_t count = 0;
    CLEANUP_FREE char *copy = strdup(value);
    if (!copy)
        return error_errno(err, ENOMEM, "read a status list");
    char *state = NULL;
    for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
        if (count == STATUS_RANGES_MAX)
            return error_set(err, EINVAL, "more than %d statuses; join them to ranges, as in 200-299",
                             STATUS_RANGES_MAX);
        if (!parse_range(word, &ranges[count++]))
            return error_set(err, EINVAL,
                             "\"%.*s\" is not an HTTP status (100 to 599) or a range of them; write "
                             "them as in \"200 204 301-308\"",
                             QUOTE_MAX, word);
    }
    if (count == 0)
        return error_set(err, EINVAL, "no status; write them as in \"200 204 301-308\"");
    memcpy(health->status, ranges, sizeof *ranges * count);
    health->status_count = count;
    return 0;
}

/* --- pages of a test ---------------------------------------------------------------------------- */

/* Cuts off the first word; what follows it is *rest, trimmed. NULL: there is none. */
static char *first_word(char *text, char **rest)
{
    size_t length = strcspn(text, " \t");
    *rest = text + length + (text[length] ? 1 : 0);
    text[length] = '\0';
    *rest = text_trim(*rest);
    return text;
}

/* "200 204 Sign in": words that begin with a digit are statuses, the first that does not begins the text. */
static int read_wanted(char *text, struct test_page *page, struct error *err)
{
    while (*text >= '0' && *text <= '9') {
        char *word = first_word(text, &text);
        if (page->status_count == STATUS_RANGES_MAX)
            return error_set(err, EINVAL, "%s: more than %d statuses; join them to ranges, as in 200-299", page->path,
                             STATUS_RANGES_MAX);
        if (!parse_range(word, &page->status[page->status_count++]))
            return error_set(err, EINVAL,
                             "%s: \"%.*s\" is not an HTTP status (100 to 599) or a range of them; a text that is "
                             "looked for cannot begin with a digit: leave its first digits out",
                             page->path, QUOTE_MAX, word);
    }
    if (!text_copy(page->contains, sizeof page->contains, text))
        return error_set(err, EINVAL, "%s: the text that is looked for is longer than %d bytes", page->path,
                         TEST_CONTAINS_MAX);
    return 0;
}

int grammar_pages(const char *value, struct test_page pages[TEST_PAGES_MAX], size_t *count, struct error *err)
{
    CLEANUP_WORDS struct words items = {0};
    struct test_page read[TEST_PAGES_MAX] = {0};
    int result = grammar_list(value, &items, err);
    if (result == 0 && items.count > TEST_PAGES_MAX)
        result = error_set(err, EINVAL, "more than %d pages; have a hook ask for more: [hooks] test", TEST_PAGES_MAX);
    for (size_t i = 0; result == 0 && i < items.count; i++) {
        char *wanted, *path = first_word(items.items[i], &wanted);
        result = take_path(path, read[i].path, err);
        if (result == 0)
            result = read_wanted(wanted, &read[i], err);
    }
    if (result < 0)
        return result;
    memcpy(pages, read, sizeof read);
    *count = items.count;
    return 0;
}

/* --- hooks and guards --------------------------------------------------------------------------- */

int grammar_hook(const char *value, struct hook_rule *rule, struct error *err)
{
    static const char host[] = "host:";
    bool on_host = text_starts_with(value, host);
    int result = grammar_command(on_host ? value + strlen(host) : value, &rule->run, err);
    if (result == 0)
        rule->on_host = on_host;
    return result;
}

int grammar_percent(const char *value, uint32_t *percent, struct error *err)
{
    uint64_t number;
    const char *unit;
    if (!leading_number(value, 100, &number, &unit) || strcmp(unit, "%") != 0)
        return error_set(err, EINVAL, "\"%.*s\" is not a share; write whole percent from 0%% to 100%%, as in 10%%",
                         QUOTE_MAX, value);
    *percent = (uint32_t)number;
    return 0;
}
