/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The api role: the channel to the monitor, and the table of clients. */
#include "api/api.h"

#include "api/client.h"
#include "api/filter.h"
#include "api/methods.h"
#include "base/cleanup.h"
#include "model/wire_any.h"
#include "os/filter.h"
#include "os/log.h"
#include "os/loop.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* How long the monitor may leave its end of a full channel alone; it never blocks, so this is a dead monitor. */
#define MONITOR_PATIENCE_MS 30000
/* Who is turned away is told to the log once in so long: anybody may be turned away as often as they like. */
#define TURNED_AWAY_MS 10000

struct api {
    struct loop *loop;
    int channel;
    struct client_host host;
    struct client *clients[API_CLIENTS_MAX];
    size_t count;
    uint64_t turned_away_next_ms, turned_away; /* when to tell the log again, and how many it was not told of */
};

/* --- to the monitor ---------------------------------------------------------------------------- */

/* Waits where the channel is full: there is nothing this role could do without the monitor. */
static int tell_monitor(struct api *api, const void *message, size_t length)
{
    int result;
    while ((result = message_send(api->channel, message, length, NULL, 0)) == -EAGAIN) {
        struct pollfd wait = {.fd = api->channel, .events = POLLOUT};
        int ready = poll(&wait, 1, MONITOR_PATIENCE_MS);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
    }
    if (result < 0) {
        log_error("send to the monitor: %s", strerror(-result));
        loop_quit(api->loop, result == -EPIPE ? 0 : 1);
    }
    return result;
}

static void tell_bare(struct api *api, enum wire_type type, uint64_t client)
{
    struct wire_header message = {
        .type = (uint16_t)type, .version = WIRE_VERSION, .length = sizeof message, .client = client};
    tell_monitor(api, &message, sizeof message);
}

static int on_ask(void *context, const struct wire_header *message)
{
    return tell_monitor(context, message, message->length);
}

/* --- the table ----------------------------------------------------------------------------------- */

static void on_gone(void *context, struct client *client, const char *reason)
{
    struct api *api = context;
    uint64_t id = client_who(client)->header.client;
    log_debug("client %llu of uid %u: %s", (unsigned long long)id, client_who(client)->uid, reason);
    for (size_t i = 0; i < api->count; i++) {
        if (api->clients[i] == client) {
            api->clients[i] = api->clients[--api->count];
            break;
        }
    }
    client_free(client);
    tell_bare(api, WIRE_GONE, id);
}

static struct client *find_client(struct api *api, uint64_t id)
{
    for (size_t i = 0; i < api->count; i++) {
        if (client_who(api->clients[i])->header.client == id)
            return api->clients[i];
    }
    return NULL;
}

/* NULL if there is a place for it, else why not. */
static const char *no_place(const struct api *api, const struct wire_client *who)
{
    size_t same_user = 0;
    for (size_t i = 0; i < api->count; i++)
        same_user += client_who(api->clients[i])->uid == who->uid;
    if (same_user >= (who->uid == 0 ? API_CLIENTS_OF_ROOT : API_CLIENTS_PER_USER))
        return "your user has too many connections to the agent already: close some";
    size_t places = API_CLIENTS_MAX;
    if (who->uid != 0)
        places -= API_CLIENTS_FOR_ROOT + (who->may_operate ? 0 : API_CLIENTS_FOR_OPERATORS);
    return api->count >= places ? "the agent has too many clients already: try again later" : NULL;
}

/* An answer to whatever it will ask first. A new connection's buffer takes it; and if not, that is all the same. */
static void turn_away(int fd, const char *reason)
{
    CLEANUP_TEXT struct text answer = {0};
    method_error(RESULT_REFUSED, reason, strlen(reason), &answer);
    if (!answer.failed)
        (void)!send(fd, answer.data, answer.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void log_turned_away(struct api *api, const struct wire_client *who, const char *reason)
{
    uint64_t now = loop_now_ms(api->loop);
    if (now < api->turned_away_next_ms) {
        api->turned_away++;
        return;
    }
    char others[64] = "";
    if (api->turned_away)
        snprintf(others, sizeof others, " (and %llu before it)", (unsigned long long)api->turned_away);
    log_warning("turned away a client of uid %u: %s%s", who->uid, reason, others);
    api->turned_away_next_ms = now + TURNED_AWAY_MS;
    api->turned_away = 0;
}

static void add_client(struct api *api, const struct wire_client *who, int *fd)
{
    struct error err = {0};
    struct client *client = NULL;
    const char *reason = no_place(api, who);
    if (!reason && client_new(&api->host, who, *fd, &client, &err) == 0) {
        api->clients[api->count++] = client;
        *fd = -1;
        return;
    }
    if (!reason) {
        error_prefix(&err, "the agent cannot speak to you now, try again later");
        reason = err.text;
    }
    log_turned_away(api, who, reason);
    turn_away(*fd, reason);
    close_fd(fd);
    tell_bare(api, WIRE_GONE, who->header.client);
}

/* Replies that nobody reads are memory that nobody else has. */
static void bound_backlog(struct api *api)
{
    size_t total = 0;
    struct client *greatest = NULL;
    for (size_t i = 0; i < api->count; i++) {
        total += client_backlog(api->clients[i]);
        if (!greatest || client_backlog(api->clients[i]) > client_backlog(greatest))
            greatest = api->clients[i];
    }
    if (total > API_BACKLOG_MAX)
        client_drop(greatest, "it has the most unread replies, and all have too many");
}

/* --- from the monitor ---------------------------------------------------------------------------- */

static void handle_message(struct api *api, const struct wire_header *message, int fds[], size_t fd_count)
{
    if (message->type == WIRE_CLIENT && fd_count == 1) {
        add_client(api, (const struct wire_client *)(const void *)message, &fds[0]);
        return;
    }
    if (message->type == WIRE_PING) {
        tell_bare(api, WIRE_PONG, 0);
        return;
    }
    struct client *client = find_client(api, message->client);
    if (client) {
        client_deliver(client, message, fds, fd_count);
        bound_backlog(api);
    }
}

static void on_channel(void *context, int channel, uint32_t events)
{
    struct api *api = context;
    union {
        struct wire_header header;
        char bytes[WIRE_MESSAGE_MAX];
    } message;
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count = 0;
    (void)events;
    ssize_t got = message_receive(channel, &message, sizeof message, fds, &fd_count);
    if (got == -EAGAIN)
        return;
    if (got == 0) {
        loop_quit(api->loop, 0);
        return;
    }
    if (got < 0 || !wire_message_valid(&message, (size_t)got)) {
        log_error("receive from the monitor: %s", got < 0 ? strerror((int)-got) : "not a message of this version");
        loop_quit(api->loop, 1);
    } else {
        handle_message(api, &message.header, fds, fd_count);
    }
    for (size_t i = 0; i < fd_count; i++)
        close_fd(&fds[i]);
}

/* --- the role -------------------------------------------------------------------------------------- */

int api_main(int channel)
{
    struct error err = {0};
    struct api api = {.channel = channel};
    /* Ctrl-C in the agent's terminal reaches the whole group; the monitor ends this role when it has finished. */
    signal(SIGINT, SIG_IGN);
    tzset(); /* reads /etc/localtime while that can still be opened */
    if (loop_new(&api.loop, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    if (filter_fits_build() && api_filter_load(&err) < 0) {
        log_error("%s", err.text);
        loop_free(api.loop);
        return 1;
    }
    api.host = (struct client_host){.loop = api.loop, .ask = on_ask, .gone = on_gone, .context = &api};
    int status = 1;
    if (loop_add_fd(api.loop, channel, EPOLLIN, on_channel, &api))
        status = loop_run(api.loop);
    else
        log_error("watch the channel to the monitor: %s", strerror(errno));
    while (api.count > 0)
        client_free(api.clients[--api.count]);
    loop_free(api.loop);
    return status < 0 ? 1 : status;
}
