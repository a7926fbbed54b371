/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as a value: the first byte chooses its language. What is accepted must be in range and come back the
 * same. */
#include "base/cleanup.h"
#include "fuzz.h"
#include "model/awaited.h"
#include "model/grammar.h"
#include "model/group.h"
#include "model/history.h"
#include "model/path.h"
#include "model/releases.h"
#include "model/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void try_port(const char *value)
{
    struct port port = {0}, again = {0};
    char listen[PORT_LISTEN_TEXT_MAX], target[PORT_TARGET_TEXT_MAX], text[PORT_LISTEN_TEXT_MAX + 32];
    if (grammar_port(value, &port, NULL) < 0)
        return;
    require(port.published > 0 && port.target > 0 && port.count > 0);
    require(port.published + port.count <= 65536 && port.target + port.count <= 65536);
    snprintf(text, sizeof text, "%s -> %s/%s%s", port_listen_format(&port, listen), port_target_format(&port, target),
             protocol_name(port.protocol), port.udp == UDP_KEEP ? " keep" : "");
    require(grammar_port(text, &again, NULL) == 0);
    require(memcmp(&port, &again, sizeof port) == 0);
    require(port_conflicts(&port, &again));
}

static void try_pages(const char *value)
{
    struct test_page pages[TEST_PAGES_MAX] = {0};
    size_t count = 0;
    if (grammar_pages(value, pages, &count, NULL) == 0)
        require(count > 0);
    require(count <= TEST_PAGES_MAX);
    for (size_t i = 0; i < count; i++) {
        require(pages[i].path[0] == '/' && !strpbrk(pages[i].path, " \r\n\t"));
        require(pages[i].status_count <= STATUS_RANGES_MAX);
        require(strcmp(text_trim(pages[i].contains), pages[i].contains) == 0 && !strchr(pages[i].contains, '|'));
        for (unsigned j = 0; j < pages[i].status_count; j++)
            require(pages[i].status[j].first >= 100 && pages[i].status[j].last <= 599 &&
                    pages[i].status[j].first <= pages[i].status[j].last);
    }
}

static void try_health(const char *value)
{
    struct health health = {0};
    if (grammar_health_http(value, &health, NULL) == 0)
        require(health.port > 0 && health.path[0] == '/' && !strpbrk(health.path, " \r\n\t"));
    if (grammar_health_tcp(value, &health, NULL) == 0)
        require(health.port > 0);
    try_pages(value);
    if (grammar_status(value, &health, NULL) < 0)
        return;
    require(health.status_count > 0 && health.status_count <= STATUS_RANGES_MAX);
    for (unsigned i = 0; i < health.status_count; i++)
        require(health.status[i].first >= 100 && health.status[i].last <= 599 &&
                health.status[i].first <= health.status[i].last);
}

static void try_hook(const char *value)
{
    struct hook_rule rule = {0};
    if (grammar_hook(value, &rule, NULL) == 0)
        require(rule.run.count > 0 && rule.on_host == text_starts_with(value, "host:"));
    else
        require(rule.run.count == 0 && !rule.on_host);
    words_clear(&rule.run);
}

static void try_units(const char *value)
{
    uint64_t number;
    bool boolean;
    grammar_duration(value, &number, NULL);
    grammar_size(value, &number, NULL);
    grammar_boolean(value, &boolean, NULL);
    uint32_t permille;
    int signal;
    uint32_t percent;
    if (grammar_percent(value, &percent, NULL) == 0)
        require(percent <= 100);
    if (grammar_cpu(value, &permille, NULL) == 0)
        require(permille >= 10 && permille <= 1024000 && permille % 10 == 0);
    if (grammar_signal(value, &signal, NULL) == 0)
        require(signal > 0 && signal <= 64 && signal != 9);
}

static void check_words(const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        require(words->items[i] != NULL);
    require(words->count == 0 || words->items[words->count] == NULL);
}

static void check_variables(const struct words *words)
{
    check_words(words);
    for (size_t i = 0; i < words->count; i++)
        require(words->items[i][0] != '=' && strchr(words->items[i], '='));
}

static void try_files(const char *value)
{
    struct file_rule rules[FILE_RULES_MAX] = {0};
    size_t count = 0;
    if (grammar_files(value, FILE_WRITE, rules, &count, NULL) == 0)
        require(count > 0 && count <= FILE_RULES_MAX);
    for (size_t i = 0; i < FILE_RULES_MAX; i++) {
        require((rules[i].source != NULL) == (i < count));
        require(i >= count || rules[i].source[0]);
        free(rules[i].source);
        free(rules[i].target);
    }
    char *path = strdup(value);
    require(path != NULL);
    if (path_normalise(path)) {
        require(path[0] == '/' && path_is_in(path, "/") && path_is_in(path, path));
        require(!strstr(path, "//") && (!path[1] || path[strlen(path) - 1] != '/'));
        require(path_parent_length(path) <= strlen(path));
    }
    free(path);
}

static void try_words(const char *value)
{
    CLEANUP_WORDS struct words command = {0}, environment = {0};
    char *substituted = NULL;
    if (grammar_command(value, &command, NULL) == 0)
        require(command.count > 0);
    check_words(&command);
    try_files(value);
    try_hook(value);
    grammar_environment(value, &environment, NULL);
    check_variables(&environment);
    if (service_substitute(value, "v1", GREEN, &substituted, NULL) == 0)
        require(substituted != NULL);
    free(substituted);
}

static void try_reach(const char *value)
{
    struct share_port ports[SHARE_PORTS_MAX];
    struct reach_rule rules[REACH_RULES_MAX];
    size_t count = 0;
    if (grammar_shares(value, ports, &count, NULL) == 0)
        require(count > 0 && count <= SHARE_PORTS_MAX);
    for (size_t i = 0; i < count; i++)
        require(ports[i].port > 0 && (ports[i].protocol == PROTOCOL_TCP || ports[i].protocol == PROTOCOL_UDP));
    count = 0;
    if (grammar_reach(value, rules, &count, NULL) == 0)
        require(count > 0 && count <= REACH_RULES_MAX);
    for (size_t i = 0; i < count; i++) {
        require(rules[i].to.length <= (rules[i].to.address.family == 6 ? 128 : 32));
        require(rules[i].first <= rules[i].last && !rules[i].first == !rules[i].last);
        require(reach_allows(rules, count, &rules[i].to.address, rules[i].protocol ? rules[i].protocol : PROTOCOL_TCP,
                             rules[i].last));
    }
}

static void try_feed(const char *value)
{
    CLEANUP_WORDS struct words names = {0};
    struct feed feed = {0};
    if (grammar_names(value, &names, NULL) == 0)
        require(names.count > 0 && names.items[0][0]);
    check_words(&names);
    if (grammar_feed_methods(value, &feed, NULL) == 0)
        require(feed.all_methods ? feed_has_method(&feed, value, strlen(value))
                                 : feed.method_count > 0 && feed.method_count <= FEED_METHODS_MAX &&
                                       feed_has_method(&feed, names.items[0], strlen(names.items[0])));
    if (grammar_feed_ignore(value, &feed, NULL) == 0)
        require(feed.ignore_count == names.count && feed.ignore_count <= FEED_IGNORE_MAX);
    if (grammar_feed_key(value, &feed.key, NULL) == 0) {
        bool named = feed.key.kind == FEED_KEY_HEADER || feed.key.kind == FEED_KEY_COOKIE;
        require(named == (feed.key.name[0] != '\0') && (feed.key.kind == FEED_KEY_PATH) == (feed.key.part > 0));
        require(feed.key.part <= FEED_PART_MAX && !strpbrk(feed.key.name, " \t\r\n:;,="));
    }
}

static void try_names(const char *value)
{
    struct address address;
    struct prefix prefix, again;
    char text[ADDRESS_TEXT_MAX + 4];
    if (app_name_valid(value))
        require(strlen(value) <= APP_NAME_MAX);
    if (release_name_valid(value))
        require(strlen(value) <= RELEASE_NAME_MAX && !strchr(value, '/') && value[0] != '.');
    if (address_parse(value, &address))
        require(address_parse(address_format(&address, text), &address));
    if (prefix_parse(value, &prefix)) {
        require(prefix_parse(prefix_format(&prefix, text), &again));
        require(prefix_overlaps(&prefix, &again) && prefix_contains(&prefix, &prefix.address));
    }
    try_reach(value);
    try_feed(value);
}

/* --- what others say, or what was written down ------------------------------------------------------------------ */

/* What is written of a value that was read is read as the same, and written the same way again. */
static void try_written(const char *value)
{
    CLEANUP_TEXT struct text written = {0}, again = {0};
    struct group_move move = {0};
    struct schema schema = {0};
    if (group_parse(value, &move)) {
        require(move.count > 0 && move.count <= GROUP_APPS_MAX);
        group_format(&move, &written);
        require(strcmp(written.data, value) == 0);
    }
    written.length = 0;
    if (!schema_parse(value, &schema))
        return;
    schema_format(&schema, &written);
    require(schema_parse(written.data, &schema));
    schema_format(&schema, &again);
    require(strcmp(written.data, again.data) == 0);
}

static void try_releases(const char *value, size_t length)
{
    CLEANUP_RELEASES struct release_list list = {0};
    CLEANUP_WORDS struct words held = {0};
    char name[RELEASE_ENTRY_MAX], release[RELEASE_NAME_MAX + 1];
    enum release_kind kind;
    if (release_entry_parse(value, &kind, release)) {
        require(kind < RELEASE_KINDS && release_name_valid(release));
        require(strcmp(release_entry_name(kind, release, name), value) == 0);
    }
    if (releases_parse(value, length, &list, NULL) < 0) {
        require(list.count == 0);
        return;
    }
    require(list.count <= RELEASES_MAX);
    for (size_t i = 0; i < list.count; i++) {
        require(list.items[i].kind < RELEASE_KINDS && release_name_valid(list.items[i].name));
        require(i == 0 || list.items[i - 1].unix_ms >= list.items[i].unix_ms);
    }
    require(list.count == 0 || words_add(&held, list.items[list.count - 1].name) == 0);
    size_t goes = releases_choose(&list, 2, &held);
    require(goes <= list.count);
    for (size_t i = 0; i < list.count; i++)
        require(!list.items[i].goes || strcmp(list.items[i].name, held.items[0]) != 0);
}

static void try_said(const char *value)
{
    struct awaited awaited;
    uint64_t requests;
    struct error err = {0};
    if (awaited_parse(value, &awaited, &err))
        require(awaited.what < AWAITS && (!awaited.release[0] || release_name_valid(awaited.release)));
    else
        require(err.code != 0 && err.text[0]);
    if (history_find_requests(value, &requests))
        require(strstr(value, "requests=") != NULL);
    try_written(value);
    try_releases(value, strlen(value));
}

static void try_env_file(const uint8_t *data, size_t size)
{
    CLEANUP_WORDS struct words words = {0};
    char *exact = malloc(size ? size : 1); /* so that a byte too far is seen */
    require(exact != NULL);
    memcpy(exact, data, size);
    grammar_environment_file(exact, size, &words, NULL);
    check_variables(&words);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const char *) = {try_port,  try_health, try_units, try_words,
                                                  try_names, NULL,       try_said};
    if (size == 0)
        return 0;
    unsigned choice = data[0] == 0xff ? 6 : data[0] % 6;
    if (choice == 5) {
        try_env_file(data + 1, size - 1);
        return 0;
    }
    char *value = strndup((const char *)data + 1, size - 1);
    require(value != NULL);
    tries[choice](value);
    free(value);
    return 0;
}
