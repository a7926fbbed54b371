/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message between monitor and feed role, and good ones with any bytes in them: what is accepted must be
 * safe to use. */
#include "fuzz.h"
#include "model/feed_wire.h"
#include "patched.h"

static void one_line(const char *string, size_t size)
{
    const char *end = memchr(string, '\0', size);
    require(end != NULL);
    for (; string < end; string++)
        require((unsigned char)*string >= 0x20 || *string == '\t');
}

static void use_rules(const struct feed_rules *rules)
{
    require(app_name_valid(rules->app) && rules->lanes >= 1 && rules->lanes <= FEED_LANES_MAX);
    require(rules->method_count <= FEED_METHODS_MAX && rules->ignore_count <= FEED_IGNORE_MAX);
    for (size_t i = 0; i < rules->method_count; i++)
        require(strcspn(rules->methods[i], " \t\r\n:") == strlen(rules->methods[i]));
    for (size_t i = 0; i < rules->ignore_count; i++)
        one_line(rules->ignore[i], sizeof rules->ignore[i]);
    if (rules->key_kind == FEED_KEY_HEADER || rules->key_kind == FEED_KEY_COOKIE)
        one_line(rules->key_name, sizeof rules->key_name);
}

static void use_item(const struct feed_item *item)
{
    one_line(item->request, sizeof item->request);
    one_line(item->live, sizeof item->live);
    one_line(item->other, sizeof item->other);
}

static void use(const void *message)
{
    const struct feed_header *header = message;
    switch ((enum feed_message)header->kind) {
    case FEED_RULES: use_rules(message); break;
    case FEED_DOOR:
    case FEED_DOOR_SHUT: require(((const struct feed_door *)message)->index < FEED_DOORS_MAX); break;
    case FEED_ZONE: require(((const struct feed_zone *)message)->zone < COLOURS); break;
    case FEED_SOCKETS: require(((const struct feed_sockets *)message)->count <= FEED_SOCKETS_MAX); break;
    case FEED_FIGURES: one_line(((const struct feed_figures *)message)->reason, FEED_TEXT_MAX + 1); break;
    case FEED_ITEM: use_item(message); break;
    case FEED_DONE: one_line(((const struct feed_done *)message)->text, FEED_TEXT_MAX + 1); break;
    default: break;
    }
}

static void try_message(const void *message, size_t size)
{
    if (feed_message_valid(message, size, true) || feed_message_valid(message, size, false))
        use(message);
}

#define HEADER(kind) .header = {FEED_VERSION, kind}

/* One of each kind; the first byte chooses. */
static void try_patched(const uint8_t *data, size_t size)
{
    static const struct feed_rules rules = {
        HEADER(FEED_RULES),          .app = "web",        .mode = FEED_HTTP,       .lanes = 4,
        .method_count = 1,           .ignore_count = 1,   .methods = {"POST"},     .ignore = {"Date"},
        .key_kind = FEED_KEY_HEADER, .key_name = "X-Key", .journal_max = 1u << 30, .body_max = 1000};
    static const struct feed_door door = {HEADER(FEED_DOOR), .port = 80, .target = 8080, .protocol = PROTOCOL_TCP};
    static const struct feed_door shut = {HEADER(FEED_DOOR_SHUT), .port = 80, .target = 8080, .protocol = PROTOCOL_UDP};
    static const struct feed_zone zone = {HEADER(FEED_ZONE), .there = 1, .release = "v1"};
    static const struct feed_sockets sockets = {HEADER(FEED_SOCKETS), .protocol = PROTOCOL_TCP, .count = 1};
    static const struct feed_sockets want = {HEADER(FEED_WANT), .protocol = PROTOCOL_TCP, .count = 1};
    static const struct feed_live live = {HEADER(FEED_LIVE), .zone = -1};
    static const struct feed_hold hold = {HEADER(FEED_HOLD), .token = 1, .wait_ms = 1000};
    static const struct feed_hold go = {HEADER(FEED_GO), .token = 1};
    static const struct feed_order order = {HEADER(FEED_ORDER), .token = 1, .action = FEED_SKIP, .sequence = 7};
    static const struct feed_keep keep = {HEADER(FEED_KEEP)};
    static const struct feed_ready ready = {HEADER(FEED_READY), .token = 1, .missing = 3};
    static const struct feed_figures figures = {HEADER(FEED_FIGURES), .state = FEED_STATES - 1, .reason = "paused"};
    static const struct feed_item item = {HEADER(FEED_ITEM), .token = 1, .status_live = 200, .request = "POST /"};
    static const struct feed_done done = {HEADER(FEED_DONE), .token = 1, .result = -5, .text = "why"};
    static const struct {
        const void *message;
        size_t size;
    } good[] = {
        {&rules, sizeof rules}, {&door, sizeof door}, {&shut, sizeof shut},       {&zone, sizeof zone},
        {&want, sizeof want},   {&live, sizeof live}, {&sockets, sizeof sockets}, {&hold, sizeof hold},
        {&go, sizeof go},       {&keep, sizeof keep}, {&order, sizeof order},     {&ready, sizeof ready},
        {&item, sizeof item},   {&done, sizeof done}, {&figures, sizeof figures},
    };
    enum { COUNT = sizeof good / sizeof *good };
    static bool looked;
    for (size_t i = 0; !looked && i < COUNT; i++)
        require(feed_message_valid(good[i].message, good[i].size, true) !=
                feed_message_valid(good[i].message, good[i].size, false));
    looked = true;
    size_t choice = data[0] % COUNT;
    void *copy = patched(good[choice].message, good[choice].size, data + 1, size - 1);
    try_message(copy, good[choice].size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly as large as the input, so that the sanitizer sees a read behind it. */
    void *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    try_message(copy, size);
    free(copy);
    if (size > 0)
        try_patched(data, size);
    return 0;
}
