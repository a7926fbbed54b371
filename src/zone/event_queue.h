/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of a zone that wait until the agent asks for them. */
#pragma once

#include "zone/zone.h"

struct queued_event {
    enum zone_event event;
    struct zone_app about;
};

struct event_queue {
    int wake; /* an eventfd, up while something waits; the queue's */
    struct queued_event *items;
    size_t count, capacity;
};

/* Behind all others. */
void event_queue_add(struct event_queue *queue, enum zone_event event, const struct zone_app *about);
/* Before all others. */
void event_queue_put_back(struct event_queue *queue, enum zone_event event, const struct zone_app *about);
/* The first; the queue must not be empty. */
enum zone_event event_queue_take(struct event_queue *queue, struct zone_app *about);
void event_queue_clear(struct event_queue *queue); /* frees; wake is closed */
