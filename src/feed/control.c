/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between the monitor and this role. */
#include "feed/control.h"

#include "base/cleanup.h"
#include "base/list.h"
#include "feed/door.h"
#include "feed/hold.h"
#include "feed/orders.h"
#include "feed/role.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { READ_BATCH = 64 };

struct unsent {
    struct list link;
    size_t length;
    char message[];
};

struct control {
    struct role *role;
    int channel; /* -1: the agent has ended, and the next one is waited for */
    struct loop_source *source;
    int listener; /* where it comes; -1 = nowhere: then this role ends with its agent */
    struct loop_source *listener_source;
    struct list unsent;
};

union message {
    struct feed_header header;
    struct feed_rules rules;
    struct feed_door door;
    struct feed_zone zone;
    struct feed_sockets sockets;
    struct feed_live live;
    struct feed_hold hold;
    struct feed_order order;
    char bytes[FEED_MESSAGE_MAX];
};

/* The agent has ended: what clients are served with goes on, with what there is. */
static void lose_agent(struct control *control)
{
    struct unsent *unsent;
    if (control->listener < 0) {
        loop_quit(control->role->loop, EXIT_SUCCESS);
        return;
    }
    loop_remove_fd(control->source);
    control->source = NULL;
    close_fd(&control->channel);
    list_for_each(unsent, &control->unsent, link)
    {
        list_remove(&unsent->link);
        free(unsent);
    }
    hold_alone(control->role);
    log_notice("%s: the agent is gone; the feed goes on until the next one comes", control->role->rules.app);
}

static void end_badly(struct control *control, const char *what, const char *why)
{
    log_error("%s: %s; ending, the agent starts another feed", what, why);
    loop_quit(control->role->loop, EXIT_FAILURE);
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* True once the message needs no further care. */
static bool try_send(struct control *control, const void *message, size_t length)
{
    int result = message_send(control->channel, message, length, NULL, 0);
    if (result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM)
        return false;
    if (result == -EPIPE || result == -ECONNRESET)
        return true; /* its end is read next */
    if (result < 0)
        end_badly(control, "send to bluegreend", strerror(-result));
    return true;
}

void control_send(struct control *control, enum feed_message kind, struct feed_header *message, size_t length)
{
    *message = (struct feed_header){.version = FEED_VERSION, .kind = (uint32_t)kind};
    if (control->channel < 0)
        return; /* the next one asks for all of it anew */
    if (list_empty(&control->unsent) && try_send(control, message, length))
        return;
    struct unsent *unsent = malloc(sizeof *unsent + length);
    if (!unsent) {
        end_badly(control, "keep a message for bluegreend", "out of memory");
        return;
    }
    unsent->length = length;
    memcpy(unsent->message, message, length);
    list_append(&control->unsent, &unsent->link);
    loop_set_events(control->source, EPOLLIN | EPOLLOUT);
}

bool control_busy(const struct control *control)
{
    return !list_empty(&control->unsent);
}

static void send_waiting(struct control *control)
{
    struct unsent *unsent;
    list_for_each(unsent, &control->unsent, link)
    {
        if (!try_send(control, unsent->message, unsent->length))
            return;
        list_remove(&unsent->link);
        free(unsent);
    }
    loop_set_events(control->source, EPOLLIN);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void close_all(const int fds[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void on_agent(void *context, int fd, uint32_t events);

static void keep(struct control *control, const int fds[], size_t count)
{
    if (count == 1 && control->listener < 0) {
        control->listener = fds[0];
        control->listener_source = loop_add_fd(control->role->loop, fds[0], EPOLLIN, on_agent, control);
    } else {
        close_all(fds, count);
    }
}

static void take(struct control *control, const union message *message, const int fds[], size_t count)
{
    struct role *role = control->role;
    bool with_sockets =
        message->header.kind == FEED_DOOR || message->header.kind == FEED_SOCKETS || message->header.kind == FEED_KEEP;
    if (!with_sockets)
        close_all(fds, count);
    switch ((enum feed_message)message->header.kind) {
    case FEED_RULES: role_rules(role, &message->rules); break;
    case FEED_DOOR: door_open(role, &message->door, fds, count); break;
    case FEED_DOOR_SHUT: door_shut(role, &message->door); break;
    case FEED_ZONE: role_zone(role, &message->zone); break;
    case FEED_SOCKETS: backs_sockets(&role->backs[message->sockets.zone], &message->sockets, fds, count); break;
    case FEED_LIVE: role_live(role, message->live.zone, message->live.planned); break;
    case FEED_HOLD: hold_begin(role, &message->hold); break;
    case FEED_GO: hold_end(role); break;
    case FEED_ORDER: order_take(role, &message->order); break;
    case FEED_KEEP: keep(control, fds, count); break;
    default: break; /* feed_message_valid knows the rest as the role's own */
    }
}

/* False when there is nothing more to read now, or ever. */
static bool read_message(struct control *control)
{
    union message message;
    int fds[MESSAGE_FDS_MAX];
    size_t count = 0;
    ssize_t length = message_receive(control->channel, &message, sizeof message, fds, &count);
    if (length == -EAGAIN)
        return false;
    if (length > 0 && feed_message_valid(&message, (size_t)length, true)) {
        take(control, &message, fds, count);
        return control->channel >= 0;
    }
    close_all(fds, count);
    if (length == 0 || length == -ECONNRESET)
        lose_agent(control);
    else if (length > 0)
        end_badly(control, "a message that is not valid", "is bluegreend of another version?");
    else
        end_badly(control, "read from bluegreend", strerror((int)-length));
    return false;
}

static void on_channel(void *context, int fd, uint32_t events)
{
    struct control *control = context;
    (void)fd;
    if (events & EPOLLOUT)
        send_waiting(control);
    if (events & EPOLLIN) {
        for (int i = 0; i < READ_BATCH && read_message(control); i++)
            ;
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        lose_agent(control);
    }
}

/* The next agent, which tells all anew. One that is there still does not mean to be any more. */
static void on_agent(void *context, int fd, uint32_t events)
{
    struct control *control = context;
    (void)events;
    int channel = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (channel < 0)
        return;
    if (control->channel >= 0)
        lose_agent(control);
    control->channel = channel;
    control->source = loop_add_fd(control->role->loop, channel, EPOLLIN, on_channel, control);
    if (!control->source)
        end_badly(control, "watch the channel to bluegreend", strerror(errno));
    role_adopted(control->role);
}

int control_new(struct role *role, int channel, struct control **out, struct error *err)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return error_errno(err, ENOMEM, "make the feed's channel");
    *control = (struct control){.role = role, .channel = channel, .listener = -1};
    list_init(&control->unsent);
    control->source = loop_add_fd(role->loop, channel, EPOLLIN, on_channel, control);
    if (!control->source) {
        int code = errno;
        free(control);
        return error_errno(err, code, "watch the channel to bluegreend");
    }
    *out = control;
    return 0;
}

void control_free(struct control *control)
{
    struct unsent *unsent;
    if (!control)
        return;
    list_for_each(unsent, &control->unsent, link) free(unsent);
    loop_remove_fd(control->source);
    loop_remove_fd(control->listener_source);
    close_fd(&control->listener);
    free(control);
}
