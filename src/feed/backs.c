/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All connections to one zone: sockets that are asked for before they are needed, and what ends by its time, or with
 * the zone. */
#include "feed/back_inside.h"
#include "feed/control.h"
#include "feed/role.h"

#include <sys/socket.h>
#include <unistd.h>

/* The monitor may have lost a request for sockets with its own restart of things: it is made again. */
enum { ASK_AGAIN_MS = 1000 };

void backs_init(struct backs *backs, struct role *role, enum colour zone)
{
    *backs = (struct backs){.role = role, .zone = zone};
    list_init(&backs->waiting);
    list_init(&backs->used);
    list_init(&backs->kept);
}

bool backs_reachable(const struct backs *backs)
{
    return backs->there && !backs->frozen;
}

bool backs_idle(const struct backs *backs)
{
    return list_empty(&backs->waiting) && list_empty(&backs->used) && list_empty(&backs->kept);
}

uint8_t backs_protocol(const struct backs *backs)
{
    return backs->role->rules.mode == FEED_DATAGRAM ? PROTOCOL_UDP : PROTOCOL_TCP;
}

void backs_ask(struct backs *backs)
{
    uint64_t now = clock_monotonic_ms();
    size_t waiting = 0;
    struct back *back;
    list_for_each(back, &backs->waiting, link) waiting++;
    if (backs->asked > 0 && now - backs->asked_ms >= ASK_AGAIN_MS)
        backs->asked = 0;
    size_t have = backs->stock_count + backs->asked, want = BACK_STOCK + waiting;
    if (!backs->there || backs->role->rules.mode == FEED_OFF || have + FEED_SOCKETS_MAX > want)
        return;
    size_t count = want - have < UINT16_MAX ? want - have : UINT16_MAX;
    struct feed_sockets message = {.zone = (uint8_t)backs->zone,
                                   .protocol = backs_protocol(backs),
                                   .count = (uint16_t)count,
                                   .serial = backs->serial};
    backs->asked += (unsigned)count;
    backs->asked_ms = now;
    control_send(backs->role->control, FEED_WANT, &message.header, sizeof message);
}

void backs_sockets(struct backs *backs, const struct feed_sockets *message, const int fds[], size_t count)
{
    bool good = message->serial == backs->serial && message->protocol == backs_protocol(backs);
    backs->asked -= count < backs->asked ? (unsigned)count : backs->asked;
    for (size_t i = 0; i < count; i++) {
        if (!good || backs->stock_count == BACK_STOCK_MAX)
            close(fds[i]);
        else
            backs->stock[backs->stock_count++] = fds[i];
    }
    while (backs->stock_count > 0 && !list_empty(&backs->waiting))
        back_begin(list_entry(backs->waiting.next, struct back, link), backs->stock[--backs->stock_count]);
    backs_ask(backs);
}

static void drop_stock(struct backs *backs)
{
    struct back *back;
    while (backs->stock_count > 0)
        close(backs->stock[--backs->stock_count]);
    backs->asked = 0;
    list_for_each(back, &backs->kept, link) back_close(back);
}

void backs_clear(struct backs *backs)
{
    struct back *back;
    drop_stock(backs);
    list_for_each(back, &backs->waiting, link) back_close(back);
    list_for_each(back, &backs->used, link) back_close(back);
}

void backs_zone(struct backs *backs, const struct feed_zone *zone)
{
    bool anew = zone->serial != backs->serial;
    struct back *back;
    backs->there = zone->there;
    backs->frozen = zone->frozen;
    backs->serial = zone->serial;
    backs->service4 = zone->service4;
    backs->service6 = zone->service6;
    if (anew || !zone->there)
        drop_stock(backs);
    if (anew) { /* whoever uses one hears of it from the loop, as if the app had closed it */
        list_for_each(back, &backs->used, link) shutdown(back->fd, SHUT_RDWR);
    }
    backs_ask(backs);
}

static void fail_late(struct list *list, uint64_t now_ms, const char *why)
{
    struct back *back;
    list_for_each(back, list, link)
    {
        bool pending = back->state == BACK_WAITING || back->state == BACK_CONNECTING;
        if (pending && now_ms - back->since_ms >= BACK_CONNECT_MS)
            back_fail(back, why);
    }
}

void backs_sweep(struct backs *backs, uint64_t now_ms)
{
    struct back *back;
    list_for_each(back, &backs->kept, link)
    {
        if (now_ms - back->since_ms >= BACK_KEEP_MS)
            back_close(back);
    }
    fail_late(&backs->waiting, now_ms, "no socket for it in time");
    fail_late(&backs->used, now_ms, "no connection in time");
    backs_ask(backs);
}
