/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [feed] as a value: its words, what it holds, and which requests it means. */
#include "model/feed.h"

#include <string.h>

const char *feed_mode_name(enum feed_mode mode)
{
    switch (mode) {
    case FEED_OFF: return "off";
    case FEED_HTTP: return "http";
    case FEED_STREAM: return "stream";
    case FEED_DATAGRAM: return "datagram";
    }
    return "unknown";
}

const char *feed_state_name(enum feed_state state)
{
    static const char *const names[FEED_STATES] = {
        [FEED_STATE_OFF] = "off",        [FEED_STATE_STARTING] = "starting", [FEED_STATE_IN_STEP] = "in step",
        [FEED_STATE_BEHIND] = "behind",  [FEED_STATE_SEEDING] = "seeding",   [FEED_STATE_PAUSED] = "paused",
        [FEED_STATE_DOUBT] = "in doubt", [FEED_STATE_DIVERGED] = "diverged", [FEED_STATE_BROKEN] = "broken",
    };
    return (unsigned)state < FEED_STATES ? names[state] : "unknown";
}

bool feed_has_method(const struct feed *feed, const char *method, size_t length)
{
    bool found = feed->all_methods;
    for (size_t i = 0; !found && i < feed->method_count; i++)
        found = strlen(feed->methods[i]) == length && memcmp(feed->methods[i], method, length) == 0;
    return found;
}

void feed_clear(struct feed *feed)
{
    words_clear(&feed->ports);
    *feed = (struct feed){0};
}

static bool words_equal(const struct words *a, const struct words *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool lists_equal(const struct feed *a, const struct feed *b)
{
    bool same = a->all_methods == b->all_methods && a->method_count == b->method_count &&
                a->ignore_count == b->ignore_count && words_equal(&a->ports, &b->ports);
    for (size_t i = 0; same && i < a->method_count; i++)
        same = strcmp(a->methods[i], b->methods[i]) == 0;
    for (size_t i = 0; same && i < a->ignore_count; i++)
        same = strcmp(a->ignore[i], b->ignore[i]) == 0;
    return same;
}

bool feed_equal(const struct feed *a, const struct feed *b)
{
    return a->mode == b->mode && a->sync_ms == b->sync_ms && a->journal_max == b->journal_max && a->lanes == b->lanes &&
           a->key.kind == b->key.kind && a->key.part == b->key.part && strcmp(a->key.name, b->key.name) == 0 &&
           a->compare == b->compare && a->client == b->client && a->in_doubt == b->in_doubt &&
           a->body_max == b->body_max && a->wait_ms == b->wait_ms && a->seed_timeout_ms == b->seed_timeout_ms &&
           a->seed_on == b->seed_on && lists_equal(a, b);
}
