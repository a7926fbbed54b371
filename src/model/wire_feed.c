/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a feed goes between the monitor and its api role: the figures as they are passed on, and in words. */
#include "model/wire_feed.h"
#include "model/feed_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(FEED_TEXT_MAX <= WIRE_TEXT_MAX, "a reason has room");

void wire_feed_fill(const struct feed *feed, const struct feed_figures *figures, struct wire_feed *wire)
{
    *wire = (struct wire_feed){
        .state = figures->state,
        .live = figures->live,
        .mode = (uint8_t)feed->mode,
        .waiting = figures->waiting,
        .committed = figures->committed,
        .behind = figures->behind,
        .behind_ms = figures->behind_ms,
        .in_doubt = figures->in_doubt,
        .diverged = figures->diverged,
        .lost = figures->lost,
        .twice = figures->twice,
        .fed = figures->fed,
        .passed = figures->passed,
        .not_fed = figures->not_fed,
        .journal_bytes = figures->journal_bytes,
        .journal_max = feed->journal_max,
        .applied_per_minute = figures->applied_per_minute,
    };
    for (int zone = 0; zone < COLOURS; zone++) {
        wire->applied[zone] = figures->applied[zone];
        wire->connections[zone] = figures->connections[zone];
    }
    text_copy(wire->reason, sizeof wire->reason, figures->reason);
}

void wire_feed_item_fill(const struct feed_item *item, struct wire_feed_item *wire)
{
    const struct wire_header header = wire->header;
    *wire = (struct wire_feed_item){
        .header = header,
        .kind = item->kind,
        .zone = item->zone,
        .status_live = item->status_live,
        .status_other = item->status_other,
        .sequence = item->sequence,
        .unix_ms = item->unix_ms,
    };
    text_copy(wire->request, sizeof wire->request, item->request);
    text_copy(wire->live, sizeof wire->live, item->live);
    text_copy(wire->other, sizeof wire->other, item->other);
}

bool wire_feed_is_backup(const struct wire_feed *feed)
{
    return !feed->alone && (feed->state == FEED_STATE_IN_STEP || feed->state == FEED_STATE_BEHIND);
}

static void describe_behind(const struct wire_feed *feed, char *text, size_t size)
{
    snprintf(text, size, "behind %" PRIu64 " (%" PRIu64 ".%" PRIu64 " s)", feed->behind, feed->behind_ms / 1000,
             feed->behind_ms % 1000 / 100);
}

const char *wire_feed_text(const struct wire_feed *feed, char text[WIRE_FEED_TEXT_MAX + 1])
{
    const char *name = feed_state_name((enum feed_state)feed->state);
    size_t size = WIRE_FEED_TEXT_MAX + 1;
    switch ((enum feed_state)feed->state) {
    case FEED_STATE_IN_STEP:
        snprintf(text, size, "%s, %" PRIu64 " transaction%s", name, feed->committed, feed->committed == 1 ? "" : "s");
        break;
    case FEED_STATE_BEHIND: describe_behind(feed, text, size); break;
    case FEED_STATE_DOUBT: snprintf(text, size, "%s %" PRIu64, name, feed->in_doubt); break;
    case FEED_STATE_DIVERGED: snprintf(text, size, "%s %" PRIu64, name, feed->diverged); break;
    default: snprintf(text, size, "%s", name);
    }
    size_t length = strlen(text);
    if (feed->reason[0])
        snprintf(text + length, size - length, ": %.*s", (int)sizeof feed->reason, feed->reason);
    length = strlen(text);
    if (feed->lost > 0)
        snprintf(text + length, size - length, ", %" PRIu64 " lost", feed->lost);
    return text;
}
