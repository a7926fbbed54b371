/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A feed that is switched on or off in a file that is loaded again, for new connections; and how it stands. Apart from
 * feeding.c, which is the role's life. */
#include "agent/feeding_role.h"

#include "agent/feeding.h"
#include "agent/routing.h"
#include "model/wire_feed.h"
#include "os/log.h"

#include <string.h>

enum {
    LEAVE_IDLE_MS = 500, /* its figures may be as old as 200 ms */
    LEAVE_MS = 10000,    /* for clients of a feed that was switched off */
};

/* Clients that are there end what they have begun, and come again past it. */
static void leave(struct app *app)
{
    struct feeding *feeding = app->feeding;
    if (!feeding || feeding->process.pid == 0 || feeding_is_wanted(app))
        return;
    const struct feed_figures *figures = &feeding->figures;
    bool clients = !feeding->has_figures || figures->connections[BLUE] + figures->connections[GREEN] > 0;
    uint64_t patience = clients ? LEAVE_MS : LEAVE_IDLE_MS;
    feeding->leaves_ms = clock_monotonic_ms() + patience;
    loop_timer_arm(feeding->respawn_timer, patience);
}

/* Of ports that are not fed any more. */
static void shut_doors(struct app_zone *zone)
{
    for (size_t i = 0; zone->app->feeding && zone->doors && i < zone->doors->count; i++) {
        const struct door *door = &zone->doors->doors[i];
        if (zone_door_port(zone, &zone->service->ports[door->index]) == 0)
            feeding_tell_door(zone->app->feeding, zone, door, false);
    }
}

/* Another number when there are other doors; 0: none. */
static uint64_t doors_mark(const struct app_zone *zone)
{
    return zone->doors ? (uint64_t)zone->doors->made << 32 | zone->doors->count : 0;
}

/* What one mode has written another one cannot read. */
static void end_former_mode(struct app *app)
{
    const struct app_zone *live = app->live >= 0 ? &app->zones[app->live] : NULL;
    struct feeding *feeding = app->feeding;
    if (feeding && live && zone_is_fed(live) && feeding->rules.mode && feeding->rules.mode != live->service->feed.mode)
        feeding_leave_now(feeding);
}

void feeding_file_changed(struct app *app)
{
    struct error err = {0};
    bool differs = false;
    for (int colour = 0; colour < COLOURS; colour++) {
        struct app_zone *zone = &app->zones[colour];
        uint64_t before = doors_mark(zone);
        if (zone->service)
            shut_doors(zone);
        if (zone->service && feeding_make_doors(zone, &err) < 0) {
            log_error("%s; it is not fed", err.text);
            zone->unfed = true;
        }
        differs |= before != doors_mark(zone);
    }
    end_former_mode(app);
    leave(app);
    if (differs)
        feeding_follow(app); /* first: somebody is there when clients come */
    if (differs && routing_apply(app->agent, NULL, &err) < 0)
        log_error("%s: lead clients to its feed, or past it: %s", app->name, err.text);
    feeding_follow(app);
}

void feeding_fill(struct app *app, struct wire_feed *out)
{
    const struct app_zone *live = app->live >= 0 ? &app->zones[app->live] : NULL;
    const struct service *service = live && live->service ? live->service : app->service;
    const char *failure = app->feeding ? app->feeding->failure : "";
    struct feed_figures none = {.state = failure[0] ? FEED_STATE_BROKEN : FEED_STATE_STARTING, .live = -1};
    if (!service || service->feed.mode == FEED_OFF || app->state != APP_RUNNING)
        return;
    text_copy(none.reason, sizeof none.reason, failure[0] ? failure : "it is being started");
    wire_feed_fill(&service->feed, app->feeding && app->feeding->has_figures ? &app->feeding->figures : &none, out);
    out->alone = app->feeding && live && !app->feeding->zones[colour_other(live->colour)].there;
}
