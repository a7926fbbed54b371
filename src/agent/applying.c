/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app's file that was changed, and zones that run: keys that may, take effect at once (conf/overlay.h), the others
 * wait for the next release. What a zone was staged with stays on the disk as it was; a new agent lays today's file
 * over it in the same way.
 */
#include "agent/applying.h"

#include "agent/agent.h"
#include "agent/egress.h"
#include "agent/feeding.h"
#include "agent/keeping.h"
#include "agent/preview.h"
#include "agent/probing.h"
#include "agent/zones.h"
#include "conf/overlay.h"
#include "os/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static void path_of(const struct app *app, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/apps/%s.conf", app->agent->options.config_dir, app->name);
}

/* A standby's configuration is behind the live one's by a release: what it lacks waits for nothing. */
static bool is_told_of(const struct app_zone *zone)
{
    return !zone_was_live(zone);
}

static void add_names(struct words *to, const struct words *names)
{
    for (size_t i = 0; i < names->count; i++) {
        bool known = false;
        for (size_t j = 0; j < to->count && !known; j++)
            known = strcmp(to->items[j], names->items[i]) == 0;
        if (!known)
            words_add(to, names->items[i]); /* without memory a name is missing in what is told */
    }
}

static void use(struct app_zone *zone, struct overlay *overlay)
{
    service_free(zone->service);
    zone->service = overlay->service;
    overlay->service = NULL;
    probing_retime(zone);
    if (zone->state == ZONE_FROZEN && !zone->service->freeze && zone->kernel)
        zone_change(zone, CHANGE_THAW);
}

struct told {
    bool reach;   /* what a zone may reach is another one */
    bool preview; /* who may look at it */
    struct words now, waits;
    struct text refused;
};

static void take_in_zone(struct app_zone *zone, const struct service *before, const struct service *fresh,
                         struct told *told)
{
    char path[PATH_MAX];
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_OVERLAY struct overlay overlay = {0};
    if (!zone->service)
        return;
    path_of(zone->app, path);
    conf_overlay(path, zone->service, before, fresh, &overlay, &problems);
    if (overlay.service) {
        add_names(&told->now, &overlay.now);
        told->reach |= !service_reach_equal(zone->service, overlay.service);
        told->preview |= !service_preview_equal(zone->service, overlay.service);
        if (overlay.now.count > 0 || !before)
            use(zone, &overlay);
    } else if (is_told_of(zone) && !told->refused.length) {
        text_addf(&told->refused,
                  "all of it waits for the next release, because it does not go together with what zone %s was staged "
                  "with: %s",
                  colour_name(zone->colour), problems.count ? problems.items[0] : "out of memory");
    }
    if (overlay.service || is_told_of(zone))
        add_names(&told->waits, is_told_of(zone) ? &overlay.waits : &(struct words){0});
}

static void add_list(struct text *line, const char *title, const struct words *names)
{
    if (names->count > 0)
        text_addf(line, "%s%s", line->length ? "; " : "", title);
    for (size_t i = 0; i < names->count; i++)
        text_addf(line, "%s%s", i ? ", " : " ", names->items[i]);
}

static void tell(const struct app *app, const struct told *told, struct text *notes)
{
    CLEANUP_TEXT struct text line = {0};
    add_list(&line, "applied now:", &told->now);
    if (told->refused.length)
        text_addf(&line, "%s%s", line.length ? "; " : "", told->refused.data);
    else
        add_list(&line, "waits for the next release:", &told->waits);
    if (line.length && !line.failed)
        text_addf(notes, "%s%s: %s", notes->length ? "\n" : "", app->name, line.data);
}

void app_take_file(struct app *app, struct service *fresh, struct text *notes)
{
    struct told told = {0};
    struct service *before = app->service;
    app->service = fresh;
    for (int colour = 0; colour < COLOURS; colour++)
        take_in_zone(&app->zones[colour], before, fresh, &told);
    tell(app, &told, notes);
    words_clear(&told.now);
    words_clear(&told.waits);
    text_clear(&told.refused);
    service_free(before);
    keeping_schedule(app);
    if (told.reach)
        egress_changed(app);
    if (told.preview)
        preview_follow(app);
    feeding_file_changed(app);
}

void zone_take_file(struct app_zone *zone)
{
    struct told told = {0};
    if (zone->app->service)
        take_in_zone(zone, NULL, zone->app->service, &told);
    words_clear(&told.now);
    words_clear(&told.waits);
    text_clear(&told.refused);
}
