/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message between monitor and feed role: what is accepted must be safe to use. */
#include "model/feed_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly as large as the input, so that the sanitizer sees a read behind it. */
    void *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (feed_message_valid(copy, size, true) || feed_message_valid(copy, size, false))
        use(copy);
    free(copy);
    return 0;
}
