/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has to go. */
#include "feed/crowd.h"

#include "feed/client.h"
#include "feed/exchange.h"
#include "feed/pass.h"
#include "feed/role.h"
#include "os/log.h"

#include <string.h>

enum {
    THIN_BATCH = 32,
    REST_MS = 1000,    /* a client that has just been answered, or has come, says more at once, or later anyway */
    HALFWAY_MS = 10000 /* as Apache's mod_reqtimeout gives a head at least */
};

/* --- time --------------------------------------------------------------------------------------------------------- */

static bool is_halfway(const struct client *client)
{
    return client->state == CLIENT_BODY || (client->state == CLIENT_HEAD && buffer_length(&client->in) > 0);
}

static void expire(struct client *client, uint64_t now_ms)
{
    if (client->deadline_ms == 0 || now_ms < client->deadline_ms || client->state == CLIENT_DEAD)
        return;
    if (client->state == CLIENT_PASS) {
        pass_late(client->pass);
        return;
    }
    if (!is_halfway(client)) {
        client_close(client);
        return;
    }
    if (client->exchange)
        exchange_leave(client->exchange);
    client->exchange = NULL;
    client->close = true;
    client_refuse(client, 408, "the request came too slowly: less than 16 KiB in 60 s");
}

/* --- room --------------------------------------------------------------------------------------------------------- */

static bool may_go(const struct client *client, bool halfway, uint64_t now_ms)
{
    if (halfway)
        return is_halfway(client) && now_ms - client->since_ms >= HALFWAY_MS;
    return client->state == CLIENT_HEAD && buffer_length(&client->in) == 0 && now_ms - client->since_ms >= REST_MS;
}

static struct client *longest(struct role *role, bool halfway, uint64_t now_ms)
{
    struct client *client, *found = NULL;
    list_for_each(client, &role->clients, link)
    {
        if (may_go(client, halfway, now_ms) && (!found || client->since_ms < found->since_ms))
            found = client;
    }
    return found;
}

void crowd_thin(struct role *role)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (int i = 0; i < THIN_BATCH; i++) {
        struct client *client = longest(role, false, now_ms);
        if (!client)
            client = longest(role, true, now_ms);
        if (!client)
            return;
        client_close(client);
    }
}

void crowd_starves(struct role *role, int code)
{
    if (!role->starves)
        log_error("%s: a client could not be let in: %s; those that rest are sent away, others wait", role->rules.app,
                  strerror(code));
    role->starves = true;
    crowd_thin(role);
    doors_pause(role, true);
    if (loop_timer_due_ms(role->sweep) == 0)
        loop_timer_arm(role->sweep, SWEEP_MS);
}

void crowd_sweep(struct role *role, uint64_t now_ms)
{
    struct client *client;
    list_for_each(client, &role->clients, link) expire(client, now_ms);
    if (role->client_count >= role->clients_max)
        crowd_thin(role);
    else if (role->starves)
        doors_pause(role, role->datagrams.held); /* it is tried again */
}
