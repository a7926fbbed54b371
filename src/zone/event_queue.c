/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of a zone that wait. */
#include "zone/event_queue.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { QUEUE_MAX = 64 }; /* more than a request's few seconds bring, unless an app dies all the time */

static bool has_room(struct event_queue *queue)
{
    if (queue->count < queue->capacity)
        return true;
    size_t capacity = queue->capacity ? queue->capacity * 2 : 8;
    struct queued_event *items = realloc(queue->items, capacity * sizeof *items);
    if (!items)
        return false;
    queue->items = items;
    queue->capacity = capacity;
    return true;
}

static void drop(struct event_queue *queue, size_t index)
{
    memmove(queue->items + index, queue->items + index + 1, (--queue->count - index) * sizeof *queue->items);
}

/* An app that dies all the time while nobody listens: of its deaths and births the last ones tell the truth. */
static void thin_out(struct event_queue *queue)
{
    size_t i = 0;
    while (i < queue->count && queue->count >= QUEUE_MAX) {
        enum zone_event event = queue->items[i].event;
        if (event == ZONE_EVENT_RUNNING || event == ZONE_EVENT_EXITED)
            drop(queue, i);
        else
            i++;
    }
}

static void insert(struct event_queue *queue, size_t index, enum zone_event event, const struct zone_app *about)
{
    if (!has_room(queue)) {
        log_warning("no memory for an event of a zone: what the agent knows of its processes is late");
        return;
    }
    memmove(queue->items + index + 1, queue->items + index, (queue->count - index) * sizeof *queue->items);
    queue->items[index] = (struct queued_event){.event = event, .about = *about};
    if (++queue->count == 1)
        eventfd_write(queue->wake, 1);
}

void event_queue_add(struct event_queue *queue, enum zone_event event, const struct zone_app *about)
{
    thin_out(queue);
    insert(queue, queue->count, event, about);
}

void event_queue_put_back(struct event_queue *queue, enum zone_event event, const struct zone_app *about)
{
    insert(queue, 0, event, about);
}

enum zone_event event_queue_take(struct event_queue *queue, struct zone_app *about)
{
    enum zone_event first = queue->items[0].event;
    eventfd_t value;
    *about = queue->items[0].about;
    drop(queue, 0);
    if (queue->count == 0)
        eventfd_read(queue->wake, &value);
    return first;
}

void event_queue_clear(struct event_queue *queue)
{
    close_fd(&queue->wake);
    free(queue->items);
    *queue = (struct event_queue){.wake = -1};
}
