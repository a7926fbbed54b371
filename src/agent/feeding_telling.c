/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a feed role is told: all of it when it starts, and then what has changed. */
#include "agent/feeding_role.h"

#include "agent/feeding.h"
#include "base/cleanup.h"

#include <string.h>
#include <sys/socket.h>

enum { SOCKETS_AT_ONCE = 32 };

/* The rules are those of the release that clients are sent to. */
static const struct service *service_of(const struct app *app)
{
    if (app->live >= 0 && zone_is_fed(&app->zones[app->live]))
        return app->zones[app->live].service;
    return zone_is_fed(&app->zones[BLUE])    ? app->zones[BLUE].service
           : zone_is_fed(&app->zones[GREEN]) ? app->zones[GREEN].service
                                             : NULL;
}

static void tell_rules(struct feeding *feeding)
{
    const struct app *app = feeding->app;
    const struct service *service = service_of(app);
    if (!service)
        return;
    const struct feed *feed = &service->feed;
    bool first = feeding->rules.header.kind == 0;
    struct feed_rules rules;
    memset(&rules, 0, sizeof rules);
    text_copy(rules.app, sizeof rules.app, app->name);
    rules.mode = (uint8_t)feed->mode;
    rules.compare = (uint8_t)feed->compare;
    rules.client = (uint8_t)feed->client;
    rules.in_doubt = (uint8_t)feed->in_doubt;
    rules.all_methods = feed->all_methods;
    rules.method_count = (uint8_t)feed->method_count;
    rules.ignore_count = (uint8_t)feed->ignore_count;
    rules.lanes = (uint8_t)feed->lanes;
    memcpy(rules.methods, feed->methods, sizeof rules.methods);
    memcpy(rules.ignore, feed->ignore, sizeof rules.ignore);
    rules.key_kind = (uint8_t)feed->key.kind;
    rules.key_part = feed->key.part;
    memcpy(rules.key_name, feed->key.name, sizeof rules.key_name);
    rules.sync_ms = feed->sync_ms;
    rules.journal_max = feed->journal_max;
    rules.body_max = feed->body_max < feed->journal_max ? feed->body_max : feed->journal_max;
    rules.new_app = first ? app->live < 0 : feeding->rules.new_app;
    rules.header = feeding->rules.header;
    if (!first && memcmp(&rules, &feeding->rules, sizeof rules) == 0)
        return;
    feeding_send(feeding, FEED_RULES, &rules.header, sizeof rules, NULL, 0);
    feeding->rules = rules;
}

/* Its app has been executed, or runs: before, a request would only be tried in vain. */
static bool is_there(const struct app_zone *zone)
{
    return zone->kernel && zone->doors && !zone->closing && !zone->quieting && !zone->unseeded &&
           zone->state != ZONE_STAGING && zone->state != ZONE_RESTING && zone->state != ZONE_STOPPED &&
           zone->state != ZONE_ABSENT && zone->state != ZONE_FAILED;
}

static void tell_zone(struct feeding *feeding, const struct app_zone *zone)
{
    struct feed_zone told, *last = &feeding->zones[zone->colour];
    memset(&told, 0, sizeof told);
    told.zone = (uint8_t)zone->colour;
    told.there = is_there(zone);
    told.frozen = zone->state == ZONE_FROZEN;
    told.serial = zone->doors ? zone->doors->serial : 0;
    text_copy(told.release, sizeof told.release, zone->release);
    if (zone->kernel) {
        told.service4 = zone_addresses(zone->kernel)->service4;
        told.service6 = zone_addresses(zone->kernel)->service6;
    }
    told.header = last->header;
    if (last->header.kind && memcmp(&told, last, sizeof told) == 0)
        return;
    feeding_send(feeding, FEED_ZONE, &told.header, sizeof told, NULL, 0);
    *last = told;
}

void feeding_tell_door(struct feeding *feeding, const struct app_zone *zone, const struct door *at, bool open)
{
    struct feed_door door = {.zone = (uint8_t)zone->colour,
                             .index = at->index,
                             .port = at->port,
                             .target = at->target,
                             .protocol = (uint8_t)at->protocol};
    int fds[2];
    size_t count = 0;
    for (int i = 0; open && i < 2; i++) {
        if (at->fds[i] >= 0)
            fds[count++] = at->fds[i];
    }
    feeding_send(feeding, open ? FEED_DOOR : FEED_DOOR_SHUT, &door.header, sizeof door, fds, count);
}

/* A door is shut for its clients to come again, by the one of the zone that is live now. */
static void tell_doors(struct feeding *feeding, const struct app_zone *zone)
{
    const struct app *app = feeding->app;
    const struct zone_doors *doors = zone->doors;
    struct door_told *all = feeding->doors[zone->colour];
    bool shut = app->state == APP_RUNNING && app->live >= 0 && app->live != (int)zone->colour;
    if (!doors)
        memset(all, 0, sizeof feeding->doors[zone->colour]);
    for (size_t i = 0; doors && i < doors->count; i++) {
        const struct door *door = &doors->doors[i];
        struct door_told *told = &all[door->index];
        bool fresh = told->serial != doors->serial || told->made != door->made;
        if (fresh || (told->shut && !shut))
            feeding_tell_door(feeding, zone, door, true);
        if (shut && (fresh || !told->shut))
            feeding_tell_door(feeding, zone, door, false);
        *told = (struct door_told){.serial = doors->serial, .made = door->made, .shut = shut};
    }
}

static void tell_live(struct feeding *feeding)
{
    const struct app *app = feeding->app;
    int live = app->state == APP_RUNNING && app->live >= 0 && zone_is_fed(&app->zones[app->live]) ? app->live : -1;
    if (live == feeding->live)
        return;
    struct feed_live message = {.zone = (int8_t)live, .planned = feeding->holds && feeding->planned};
    feeding_send(feeding, FEED_LIVE, &message.header, sizeof message, NULL, 0);
    feeding->live = live;
    feeding_hold_ended(feeding);
}

void feeding_tell(struct feeding *feeding)
{
    if (feeding->process.pid == 0)
        return;
    tell_rules(feeding);
    if (feeding->rules.header.kind == 0)
        return;
    for (int colour = 0; colour < COLOURS; colour++) {
        tell_zone(feeding, &feeding->app->zones[colour]);
        tell_doors(feeding, &feeding->app->zones[colour]);
    }
    tell_live(feeding);
    feeding_hold_tell(feeding);
}

void feeding_wants_sockets(struct feeding *feeding, const struct feed_sockets *want)
{
    struct app_zone *zone = &feeding->app->zones[want->zone];
    uint16_t left = want->count < SOCKETS_AT_ONCE ? want->count : SOCKETS_AT_ONCE;
    while (left > 0 && zone->kernel && !zone->closing && zone->doors) {
        int fds[FEED_SOCKETS_MAX];
        struct feed_sockets message = {.zone = want->zone, .protocol = want->protocol, .serial = zone->doors->serial};
        for (; message.count < FEED_SOCKETS_MAX && message.count < left; message.count++) {
            fds[message.count] =
                zone_socket(zone->kernel, AF_INET, want->protocol == PROTOCOL_UDP ? SOCK_DGRAM : SOCK_STREAM, NULL);
            if (fds[message.count] < 0)
                break;
        }
        const uint16_t opened = message.count;
        if (opened == 0)
            return;
        feeding_send(feeding, FEED_SOCKETS, &message.header, sizeof message, fds, opened);
        left = (uint16_t)(left - opened);
        for (uint16_t i = 0; i < opened; i++)
            close(fds[i]);
    }
}
