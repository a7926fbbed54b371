/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client. Every entry point (an event of the connection, a timer, a message of the monitor) does its work, sets
 * over_reason where the client is to go, and ends in settle(), the only place that lets go of it.
 */
#include "api/client.h"

#include "api/methods.h"
#include "api/pending.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct client {
    const struct client_host *host;
    struct wire_client who;
    int fd;
    struct loop_source *source;
    uint32_t events; /* what source waits for */
    struct loop_timer *half_timer, *stall_timer;
    bool half_armed, stall_armed;

    struct varlink_reader input;
    bool ended;   /* it will send no more; it may still read */
    bool closing; /* once it has read what is there, that was all */

    struct text output;
    size_t sent;
    struct descriptors attached; /* go with output's first byte */

    uint64_t requests;
    struct pending call;

    const char *over_reason; /* not NULL: let go of it */
};

static size_t unsent(const struct client *client)
{
    return client->output.length - client->sent;
}

size_t client_backlog(const struct client *client)
{
    return unsent(client) + client->call.items.length;
}

const struct wire_client *client_who(const struct client *client)
{
    return &client->who;
}

/* Others cannot know why it was let go; the agent's log says so. */
static void let_go(struct client *client, const char *reason, int error)
{
    log_warning("client %llu of uid %u is let go, %s: %s", (unsigned long long)client->who.header.client,
                client->who.uid, reason, strerror(error));
    client->over_reason = reason;
}

static void set_timer(struct loop_timer *timer, bool *armed, bool wanted, uint32_t delay_ms)
{
    if (wanted == *armed)
        return;
    *armed = wanted;
    if (wanted)
        loop_timer_arm(timer, delay_ms);
    else
        loop_timer_disarm(timer);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void set_stall_timer(struct client *client, bool wanted)
{
    uint32_t delay = client->host->stall_ms ? client->host->stall_ms : CLIENT_STALL_MS;
    set_timer(client->stall_timer, &client->stall_armed, wanted, delay);
}

static void flush(struct client *client)
{
    if (client->output.failed) { /* half a reply would be taken for nonsense */
        if (!client->over_reason)
            let_go(client, "there is no memory for its reply", ENOMEM);
        return;
    }
    while (unsent(client) > 0) {
        ssize_t sent =
            descriptors_send(client->fd, client->output.data + client->sent, unsent(client), &client->attached);
        if (sent < 0) {
            if (sent == -ENOBUFS || sent == -ENOMEM)
                let_go(client, "its reply cannot be sent", (int)-sent);
            else if (sent != -EAGAIN)
                client->over_reason = "it closed before its reply";
            break;
        }
        client->sent += (size_t)sent;
        set_stall_timer(client, false); /* it moves: the time starts anew */
    }
    if (client_backlog(client) > CLIENT_BACKLOG_MAX)
        client->over_reason = client->call.items.length > 0 ? "its reply would be too long: ask for one app"
                                                            : "it does not read its replies";
    if (unsent(client) == 0) {
        text_clear(&client->output);
        client->sent = 0;
    }
    set_stall_timer(client, unsent(client) > 0);
}

/* --- calls ------------------------------------------------------------------------------------- */

/* A sender of what is no call at all is told, and not listened to any further. */
static void refuse_message(struct client *client, const char *reason, size_t size)
{
    method_error(RESULT_INVALID, reason, size, &client->output);
    varlink_reader_clear(&client->input);
    client->closing = true;
}

static void begin_call(struct client *client, const char *message, size_t length)
{
    struct varlink_call call;
    struct error err = {0};
    if (varlink_call_parse(message, length, &call, &err) < 0) {
        refuse_message(client, err.text, sizeof err.text);
        return;
    }
    static union method_message request; /* 17 KiB: not for the stack */
    struct text nowhere = {0};
    request.header = (struct wire_header){.client = client->who.header.client, .request = client->requests + 1};
    if (method_prepare(&call, &request, call.oneway ? &nowhere : &client->output)) {
        client->requests++;
        pending_begin(&client->call, &call, &request);
        if (client->host->ask(client->host->context, &request.header) < 0)
            client->over_reason = "the agent does not take its request";
    }
    text_clear(&nowhere);
    varlink_call_clear(&call);
}

/* The next call is looked at when the one before is answered and its answer read. */
static void handle_calls(struct client *client)
{
    while (!client->call.active && !client->closing && !client->over_reason && unsent(client) == 0) {
        size_t length;
        const char *message = varlink_reader_next(&client->input, &length);
        if (!message)
            break;
        begin_call(client, message, length);
        flush(client);
    }
}

/* --- reading ----------------------------------------------------------------------------------- */

/* Whether the tail of what arrived is a message without its end. Pipelined whole ones in front do not matter. */
static bool tail_is_half(const struct client *client)
{
    const struct varlink_reader *input = &client->input;
    return !varlink_reader_empty(input) && input->bytes[input->length - 1] != '\0';
}

static void set_half_timer(struct client *client, bool wanted)
{
    uint32_t delay = client->host->half_message_ms ? client->host->half_message_ms : CLIENT_HALF_MESSAGE_MS;
    set_timer(client->half_timer, &client->half_armed, wanted, delay);
}

/* True if something came. */
static bool read_some(struct client *client)
{
    char *to;
    size_t size;
    if (varlink_reader_room(&client->input, &to, &size) < 0) {
        let_go(client, "there is no memory for its message", ENOMEM);
        return false;
    }
    if (size == 0 || client->ended)
        return false;
    ssize_t got;
    do /* not recvmsg: no descriptors are taken */
        got = recv(client->fd, to, size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        if (memchr(to, '\0', (size_t)got))
            set_half_timer(client, false); /* one is whole: a half one after it has its own time */
        varlink_reader_added(&client->input, (size_t)got);
        return true;
    }
    if (got == 0)
        client->ended = true;
    else if (errno != EAGAIN)
        client->over_reason = "its connection broke";
    return false;
}

/* --- letting go -------------------------------------------------------------------------------- */

/* What the client is waiting for is decided here and nowhere else. May free the client: the caller returns at once. */
static void settle(struct client *client)
{
    bool idle = !client->call.active && unsent(client) == 0;
    if (idle && !client->closing && varlink_reader_overlong(&client->input)) {
        char reason[80];
        snprintf(reason, sizeof reason, "the message is too long: a call may have %u bytes", VARLINK_MESSAGE_MAX);
        refuse_message(client, reason, sizeof reason);
        flush(client);
        idle = unsent(client) == 0;
    }
    if (idle && client->closing)
        client->over_reason = "it sent what is no varlink call";
    if (idle && client->ended) /* what is left, if anything, is half a message */
        client->over_reason = "it closed";
    if (client->over_reason) {
        client->host->gone(client->host->context, client, client->over_reason);
        return;
    }
    bool full = client->input.length - client->input.start == VARLINK_MESSAGE_MAX;
    bool reading = !client->ended && !client->closing && !full;
    set_half_timer(client, reading && tail_is_half(client));
    uint32_t events = (reading ? EPOLLIN : 0u) | (unsent(client) > 0 ? EPOLLOUT : 0u);
    if (events != client->events && loop_set_events(client->source, events) == 0)
        client->events = events;
}

/* Both ends of the connection are closed: what it had sent is still done, as far as it needs no waiting. */
static void on_hang_up(struct client *client)
{
    while (!client->over_reason && read_some(client))
        handle_calls(client);
    if (!client->over_reason)
        client->over_reason = "it closed";
}

static void on_event(void *context, int fd, uint32_t events)
{
    struct client *client = context;
    (void)fd;
    if (events & (EPOLLHUP | EPOLLERR)) {
        on_hang_up(client);
    } else {
        if (events & EPOLLOUT)
            flush(client);
        if (events & EPOLLIN)
            read_some(client);
        handle_calls(client);
    }
    settle(client);
}

static void on_half_message(void *context)
{
    struct client *client = context;
    client->half_armed = false;
    client->over_reason = "it did not finish its message";
    settle(client);
}

static void on_stall(void *context)
{
    struct client *client = context;
    client->stall_armed = false;
    client->over_reason = "it does not read its replies";
    settle(client);
}

void client_drop(struct client *client, const char *reason)
{
    client->over_reason = reason;
    settle(client);
}

/* --- the monitor's messages -------------------------------------------------------------------- */

void client_deliver(struct client *client, const struct wire_header *message, int fds[], size_t fd_count)
{
    if (!client->call.active || message->request != client->requests)
        return; /* of a request that was answered */
    const char *wrong = pending_take(&client->call, message, fds, fd_count);
    if (wrong)
        client->over_reason = wrong;
    flush(client);
    handle_calls(client);
    settle(client);
}

/* --- making and freeing -------------------------------------------------------------------------- */

int client_new(const struct client_host *host, const struct wire_client *who, int fd, struct client **out,
               struct error *err)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return error_errno(err, ENOMEM, "take client %llu", (unsigned long long)who->header.client);
    *client = (struct client){.host = host, .who = *who, .fd = fd, .events = EPOLLIN};
    client->call = (struct pending){.output = &client->output, .attached = &client->attached};
    client->source = loop_add_fd(host->loop, fd, client->events, on_event, client);
    int cause = client->source ? ENOMEM : errno;
    client->half_timer = loop_timer_new(host->loop, on_half_message, client);
    client->stall_timer = loop_timer_new(host->loop, on_stall, client);
    if (!client->source || !client->half_timer || !client->stall_timer) {
        client->fd = -1; /* the caller's */
        client_free(client);
        return error_errno(err, cause, "take client %llu", (unsigned long long)who->header.client);
    }
    *out = client;
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    loop_remove_fd(client->source);
    loop_timer_free(client->half_timer);
    loop_timer_free(client->stall_timer);
    varlink_reader_clear(&client->input);
    text_clear(&client->output);
    descriptors_close(&client->attached);
    pending_clear(&client->call);
    close_fd(&client->fd);
    free(client);
}
