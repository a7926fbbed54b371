/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to and from a feed role. Apart from feeding.c, which is the role's life. */
#include "agent/feeding_role.h"

#include "agent/waiting.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ_BATCH = 64 /* before others have their turn */ };

/* --- to it ------------------------------------------------------------------------------------------------ */

static void kill_role(struct feeding *feeding, const char *why)
{
    if (feeding->killed || feeding->process.pid == 0)
        return;
    log_error("%s: the feed %s; it is killed and started again", feeding->app->name, why);
    syscall(SYS_pidfd_send_signal, feeding->process.pidfd, SIGKILL, NULL, 0);
    feeding->killed = true;
}

void feeding_send(struct feeding *feeding, enum feed_message kind, struct feed_header *message, size_t length,
                  const int *fds, size_t count)
{
    *message = (struct feed_header){.version = FEED_VERSION, .kind = (uint32_t)kind};
    if (feeding->process.pid == 0 || feeding->killed || feeding->ends)
        return;
    /* It reads all the time, and never waits for anything: a full channel is one that hangs. */
    int result = message_send(feeding->process.channel, message, length, fds, count);
    if (result < 0 && result != -EPIPE && result != -ECONNRESET)
        kill_role(feeding, result == -EAGAIN ? "does not take messages" : strerror(-result));
}

/* --- from it ---------------------------------------------------------------------------------------------- */

union from_role {
    struct feed_header header;
    struct feed_sockets want;
    struct feed_ready ready;
    struct feed_figures figures;
    struct feed_item item;
    struct feed_done done;
    char bytes[FEED_MESSAGE_MAX];
};

static void take_figures(struct feeding *feeding, const struct feed_figures *figures)
{
    const char *name = feeding->app->name;
    uint64_t lost = feeding->has_figures ? feeding->figures.lost : figures->lost;
    if (figures->lost > lost)
        log_error("%s: the feed has lost %" PRIu64 " transactions: \"bluegreen feed %s diff\" shows them", name,
                  figures->lost - lost, name);
    bool usual = figures->state == FEED_STATE_IN_STEP || figures->state == FEED_STATE_BEHIND;
    if (!usual && (!feeding->has_figures || feeding->figures.state != figures->state))
        log_notice("%s: the feed is %s%s%s", name, feed_state_name((enum feed_state)figures->state),
                   figures->reason[0] ? ": " : "", figures->reason);
    feeding->figures = *figures;
    feeding->has_figures = true;
    feeding_catch_up(feeding);
    if (feeding->leaves_ms && figures->connections[BLUE] + figures->connections[GREEN] == 0)
        loop_timer_arm(feeding->respawn_timer, 0);
    changed(feeding->app->agent);
}

static void take_message(struct feeding *feeding, const union from_role *message)
{
    switch ((enum feed_message)message->header.kind) {
    case FEED_WANT: feeding_wants_sockets(feeding, &message->want); break;
    case FEED_READY: feeding_ready(feeding, &message->ready); break;
    case FEED_FIGURES: take_figures(feeding, &message->figures); break;
    case FEED_ITEM: feeding_item(feeding, &message->item); break;
    case FEED_DONE: feeding_done(feeding, &message->done); break;
    default: break; /* feed_message_valid knows the rest as the monitor's own */
    }
}

/* False when there is nothing more to read now, or ever. */
static bool read_message(struct feeding *feeding)
{
    static union from_role message;
    ssize_t got = message_receive(feeding->process.channel, &message, sizeof message, NULL, NULL);
    if (got == -EAGAIN)
        return false;
    if (got > 0 && feed_message_valid(&message, (size_t)got, false)) {
        take_message(feeding, &message);
        return feeding->process.pid != 0 && feeding->source;
    }
    if (got > 0 || got == -EMSGSIZE) {
        kill_role(feeding, "sent what is no message");
    } else { /* its exit is next */
        loop_remove_fd(feeding->source);
        feeding->source = NULL;
    }
    return false;
}

void feeding_on_message(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    for (int i = 0; i < READ_BATCH && read_message(context); i++)
        ;
}
