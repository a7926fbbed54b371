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
