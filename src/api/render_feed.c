/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A feed and its transactions as JSON. Apart from render.c, which is about apps and what was done to them. */
#include "api/render_put.h"
#include "model/feed_wire.h"
#include "model/wire_feed.h"

static struct json_object *render_applied(const struct wire_feed *feed)
{
    struct json_object *object = json_object_new_object();
    for (int zone = 0; zone < COLOURS; zone++)
        put_number_or_null(object, colour_name((enum colour)zone), feed->applied[zone],
                           feed->applied[zone] != UINT64_MAX);
    return object;
}

static struct json_object *render_clients(const struct wire_feed *feed)
{
    struct json_object *object = json_object_new_object();
    for (int zone = 0; zone < COLOURS; zone++)
        put_number(object, colour_name((enum colour)zone), feed->connections[zone]);
    return object;
}

struct json_object *render_feed(const struct wire_feed *feed)
{
    char text[WIRE_FEED_TEXT_MAX + 1];
    if (feed->state == FEED_STATE_OFF)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_word(object, "state", feed_state_name((enum feed_state)feed->state));
    put_bool(object, "backup", wire_feed_is_backup(feed));
    wire_feed_text(feed, text);
    put_text(object, "text", text);
    put_word(object, "mode", feed_mode_name((enum feed_mode)feed->mode));
    put_colour(object, "live", feed->live);
    put_number(object, "committed", feed->committed);
    put(object, "applied", render_applied(feed));
    put_number(object, "behind", feed->behind);
    put_number(object, "behind_ms", feed->behind_ms);
    put_number(object, "in_doubt", feed->in_doubt);
    put_number(object, "diverged", feed->diverged);
    put_number(object, "lost", feed->lost);
    put_number(object, "twice", feed->twice);
    put_number(object, "fed", feed->fed);
    put_number(object, "passed", feed->passed);
    put_number(object, "not_fed", feed->not_fed);
    put_number(object, "journal_bytes", feed->journal_bytes);
    put_number(object, "journal_max", feed->journal_max);
    put_number(object, "applied_per_minute", feed->applied_per_minute);
    put_number(object, "waiting", feed->waiting);
    put(object, "connections", render_clients(feed));
    put_text_or_null(object, "reason", feed->reason);
    return object;
}

struct json_object *render_feed_item(const struct wire_feed_item *item)
{
    static const char *const kinds[] = {[FEED_ITEM_DOUBT] = "in doubt",
                                        [FEED_ITEM_DIVERGED] = "diverged",
                                        [FEED_ITEM_LOST] = "lost",
                                        [FEED_ITEM_TWICE] = "twice"};
    struct json_object *object = json_object_new_object();
    put_number(object, "sequence", item->sequence);
    put_word(object, "kind", item->kind < sizeof kinds / sizeof *kinds ? kinds[item->kind] : "unknown");
    put_colour(object, "zone", item->zone);
    put(object, "time", render_time(item->unix_ms));
    put_text(object, "request", item->request);
    put_number_or_null(object, "status_live", item->status_live, item->status_live != 0);
    put_number_or_null(object, "status_other", item->status_other, item->status_other != 0);
    put_text_or_null(object, "live", item->live);
    put_text_or_null(object, "other", item->other);
    return object;
}
