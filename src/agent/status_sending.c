/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_STATUS: what status.c fills in, on its way to the client. That of a thousand apps is more than fits into the
 * channel to the api role, and counting the connections of them all is not to hold up a switch: so many at a time, or
 * as many as a few milliseconds are enough for, and the next ones when the role has taken most of these.
 */
#include "agent/agent.h"

#include "agent/api_role.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/status.h"
#include "model/wire_status.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>

enum {
    PORTION = 32,         /* 12 KiB each */
    PORTION_MS = 5,       /* where the kernel's table is large, a zone takes as long alone (usage.c) */
    UNREAD_MAX = 1 << 20, /* bytes of the channel's 4 MiB (api_role.c) that may wait when the next ones are sent */
    AGAIN_MS = 2,
};

struct status_sending {
    struct list link;
    struct agent *agent;
    uint64_t client, request;
    struct app *next; /* NULL: that was all */
    struct loop_timer *timer;
};

static void send_one(struct agent *agent, uint64_t client, uint64_t request, struct app *app)
{
    static struct wire_status status; /* 12 KiB: not for the stack */
    status_fill(app, &status);
    client_send(agent, &status, client, request, WIRE_STATUS, sizeof status);
}

static struct app *app_behind(struct agent *agent, const struct list *at)
{
    return at->next == &agent->apps ? NULL : list_entry(at->next, struct app, link);
}

static void sending_free(struct status_sending *sending)
{
    loop_timer_free(sending->timer);
    list_remove(&sending->link);
    free(sending);
}

static bool role_is_behind(const struct agent *agent)
{
    int unread = 0;
    return ioctl(agent->api.process.channel, SIOCOUTQ, &unread) == 0 && unread > UNREAD_MAX;
}

static void on_timer(void *context)
{
    struct status_sending *sending = context;
    struct agent *agent = sending->agent;
    if (role_is_behind(agent)) {
        loop_timer_arm(sending->timer, AGAIN_MS);
        return;
    }
    uint64_t until = clock_monotonic_ms() + PORTION_MS;
    for (int i = 0; i < PORTION && sending->next && (i == 0 || clock_monotonic_ms() < until); i++) {
        struct app *app = sending->next;
        sending->next = app_behind(agent, &app->link);
        send_one(agent, sending->client, sending->request, app);
    }
    if (sending->next) {
        loop_timer_arm(sending->timer, 0);
        return;
    }
    reply_end(agent, sending->client, sending->request, RESULT_DONE, "");
    sending_free(sending);
}

static void send_all(const struct asked *asked)
{
    const struct wire_header *header = &asked->request->header;
    struct status_sending *sending = calloc(1, sizeof *sending);
    struct loop_timer *timer = sending ? loop_timer_new(asked->agent->loop, on_timer, sending) : NULL;
    if (!timer) {
        free(sending);
        request_answer(asked, RESULT_FAILED, "no memory to tell the status of all");
        return;
    }
    *sending = (struct status_sending){.agent = asked->agent,
                                       .client = header->client,
                                       .request = header->request,
                                       .next = app_behind(asked->agent, &asked->agent->apps),
                                       .timer = timer};
    list_append(&asked->agent->status_sendings, &sending->link);
    on_timer(sending);
}

void handle_status(const struct asked *asked, struct app *one)
{
    const struct wire_header *header = &asked->request->header;
    if (!one) {
        send_all(asked);
        return;
    }
    send_one(asked->agent, header->client, header->request, one);
    request_answer(asked, RESULT_DONE, "");
}

void status_app_goes(struct app *app)
{
    struct status_sending *sending;
    list_for_each(sending, &app->agent->status_sendings, link)
    {
        if (sending->next == app)
            sending->next = app_behind(app->agent, &app->link);
    }
}

void status_client_gone(struct agent *agent, uint64_t client)
{
    struct status_sending *sending;
    list_for_each(sending, &agent->status_sendings, link)
    {
        if (client == 0 || sending->client == client)
            sending_free(sending);
    }
}
