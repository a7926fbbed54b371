/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's side of the probe role. A check waits in `waiting` until the channel takes it, then in `sent` until its
 * result comes. The role is hostile in principle: what it sends is checked, what it owes is watched by one timer, and
 * when it ends for any reason every check of both lists ends with PROBE_INTERNAL.
 */
#include "health/prober.h"

#include "base/cleanup.h"
#include "health/open_check.h"
#include "os/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   30000
/* A role that ran this long was well: the next start is a first one again. */
#define BACKOFF_RESET_MS 60000
/* A result this late after its check's own timeout will not come: the role hangs. */
#define OVERDUE_MS 5000
#define READ_BATCH 64

struct prober {
    struct loop *loop;
    char *executable, *user;
    struct process process; /* pid 0: down */
    struct loop_source *channel, *death;
    uint32_t watched; /* events of the channel */
    struct loop_timer *restart, *overdue;
    struct list waiting, sent;
    uint64_t overdue_ms; /* what that timer is set to; 0 = not armed */
    uint64_t last_id, started_ms;
    uint32_t backoff_ms;
};

static int start_role(struct prober *prober, struct error *err);

/* --- a role that is late ---------------------------------------------------------------------- */

/* One timer for the earliest of them, touched only when an earlier one comes or none is left. */
static void watch_overdue(struct prober *prober, uint64_t due_ms)
{
    if (prober->overdue_ms != 0 && prober->overdue_ms <= due_ms)
        return;
    uint64_t now = clock_monotonic_ms();
    prober->overdue_ms = due_ms;
    loop_timer_arm(prober->overdue, due_ms > now ? due_ms - now : 0);
}

static void unwatch_overdue(struct prober *prober)
{
    loop_timer_disarm(prober->overdue);
    prober->overdue_ms = 0;
}

static void kill_role(const struct prober *prober)
{
    if (syscall(SYS_pidfd_send_signal, prober->process.pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        log_error("end the probe role (pid %d): %s", (int)prober->process.pid, strerror(errno));
}

static void role_down(struct prober *prober, const char *how);

static void on_overdue(void *context)
{
    struct prober *prober = context;
    uint64_t first = open_check_first_due(&prober->sent);
    prober->overdue_ms = 0;
    if (list_empty(&prober->sent))
        return;
    if (first <= clock_monotonic_ms())
        role_down(prober, "gave no result in time");
    else
        watch_overdue(prober, first);
}

/* --- the channel ------------------------------------------------------------------------------ */

static void watch_channel(struct prober *prober)
{
    uint32_t events = EPOLLIN | (list_empty(&prober->waiting) ? 0u : EPOLLOUT);
    if (prober->channel && events != prober->watched && loop_set_events(prober->channel, events) == 0)
        prober->watched = events;
}

/* Sends what waits until the channel is full. A negative errno if the role cannot be talked to any more. */
static int send_waiting(struct prober *prober)
{
    struct open_check *check;
    int result = 0;
    list_for_each(check, &prober->waiting, link)
    {
        result = message_send(prober->process.channel, &check->request, sizeof check->request, check->sockets,
                              check->socket_count);
        if (result < 0)
            break;
        open_check_close(check->sockets, check->socket_count); /* the role has them now */
        check->due_ms = clock_monotonic_ms() + check->request.health.timeout_ms + OVERDUE_MS;
        list_remove(&check->link);
        list_append(&prober->sent, &check->link);
        watch_overdue(prober, check->due_ms);
    }
    watch_channel(prober); /* after an error too: the loop then comes back to it */
    /* ETOOMANYREFS: too many descriptors on their way; the role takes them out as it reads. */
    bool later = result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM || result == -ETOOMANYREFS;
    return later ? 0 : result;
}

/* 1: a result was delivered; 0: none is there; negative errno: the role is gone or talks nonsense. */
static int read_result(struct prober *prober)
{
    struct check_result message;
    int channel = prober->process.channel;
    ssize_t length = message_receive(channel, &message, sizeof message, NULL, NULL);
    /* A role that dies with requests unread resets the channel: that is said first, and once. What it had sent before
     * comes after it. */
    if (length == 0)
        length = message_receive(channel, &message, sizeof message, NULL, NULL);
    if (length == -EAGAIN)
        return 0;
    if (length <= 0)
        return length == 0 ? -EPIPE : (int)length;
    if (!check_result_valid(&message, (size_t)length))
        return -EBADMSG;
    struct open_check *check = open_check_find(&prober->sent, message.id);
    if (!check)
        return -EBADMSG; /* cancelled ones are still in the list */
    open_check_finish(check, &message.result);
    return 1;
}

static int read_results(struct prober *prober, int most)
{
    int result = 1;
    for (int i = 0; i < most && result == 1; i++)
        result = read_result(prober);
    if (list_empty(&prober->sent))
        unwatch_overdue(prober);
    return result;
}

static void on_channel(void *context, int fd, uint32_t events)
{
    struct prober *prober = context;
    int result = 0;
    (void)fd;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        result = read_results(prober, READ_BATCH);
    if (result >= 0 && events & EPOLLOUT)
        result = send_waiting(prober);
    if (result == -EPIPE)
        role_down(prober, "closed its channel");
    else if (result == -EBADMSG)
        role_down(prober, "sent a message that is not valid");
    else if (result < 0)
        role_down(prober, strerror(-result));
}

/* --- life of the role ------------------------------------------------------------------------- */

static void start_later(struct prober *prober)
{
    loop_timer_arm(prober->restart, prober->backoff_ms);
    prober->backoff_ms = prober->backoff_ms * 2 < BACKOFF_MAX_MS ? prober->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_restart(void *context)
{
    struct prober *prober = context;
    struct error err = {0};
    if (start_role(prober, &err) == 0) {
        log_notice("the probe role runs again (pid %d)", (int)prober->process.pid);
        return;
    }
    log_error("%s; trying again in %u ms", err.text, prober->backoff_ms);
    start_later(prober);
}

static void describe_end(const siginfo_t *info, char *text, size_t size)
{
    if (info->si_pid == 0)
        snprintf(text, size, "ended");
    else if (info->si_code == CLD_EXITED)
        snprintf(text, size, "exited with status %d", info->si_status);
    else
        snprintf(text, size, "was killed by signal %d (%s)", info->si_status, strsignal(info->si_status));
}

/* The process has ended, the checks with it: takes its status and plans the next start. */
static void on_death(void *context, int fd, uint32_t events)
{
    struct prober *prober = context;
    siginfo_t info = {0};
    char how[96];
    (void)events;
    /* What it said before it died still counts. */
    while (prober->channel && read_results(prober, READ_BATCH) == 1)
        ;
    if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 && errno != ECHILD)
        log_error("wait for the probe role: %s", strerror(errno));
    describe_end(&info, how, sizeof how);
    pid_t pid = prober->process.pid;
    if (prober->channel)
        role_down(prober, how);
    loop_remove_fd(prober->death);
    prober->death = NULL;
    process_forget(&prober->process);
    if (clock_monotonic_ms() - prober->started_ms >= BACKOFF_RESET_MS)
        prober->backoff_ms = BACKOFF_FIRST_MS;
    log_warning("the probe role (pid %d) %s; starting it again in %u ms", (int)pid, how, prober->backoff_ms);
    start_later(prober);
}

/* The role is of no more use: ends it and its checks. on_death follows when the kernel has taken it away. */
static void role_down(struct prober *prober, const char *how)
{
    char why[PROBE_DETAIL_MAX + 1];
    size_t checks = open_check_count(&prober->sent) + open_check_count(&prober->waiting);
    if (!prober->channel)
        return;
    log_warning("the probe role (pid %d) %s; %zu checks end without a result", (int)prober->process.pid, how, checks);
    loop_remove_fd(prober->channel);
    prober->channel = NULL;
    close_fd(&prober->process.channel);
    unwatch_overdue(prober);
    kill_role(prober);
    snprintf(why, sizeof why, "the probe role %s", how);
    /* A callback may start further checks: those are refused while the role is down, so both lists end empty. */
    open_check_fail_all(&prober->sent, why);
    open_check_fail_all(&prober->waiting, why);
}

static int watch_role(struct prober *prober)
{
    prober->channel = loop_add_fd(prober->loop, prober->process.channel, EPOLLIN, on_channel, prober);
    if (!prober->channel)
        return -errno;
    prober->watched = EPOLLIN;
    prober->death = loop_add_fd(prober->loop, prober->process.pidfd, EPOLLIN, on_death, prober);
    return prober->death ? 0 : -errno;
}

static void unwatch_role(struct prober *prober)
{
    loop_remove_fd(prober->channel);
    loop_remove_fd(prober->death);
    prober->channel = prober->death = NULL;
}

/* Ends the role here and now: after SIGKILL the wait is short. */
static void end_role(struct prober *prober)
{
    siginfo_t info;
    if (prober->process.pid == 0)
        return;
    unwatch_role(prober);
    kill_role(prober);
    waitid((idtype_t)P_PIDFD, (id_t)prober->process.pidfd, &info, WEXITED);
    process_forget(&prober->process);
}

static int start_role(struct prober *prober, struct error *err)
{
    char *const argv[] = {prober->executable, prober->user, NULL};
    int result = process_start(argv, &prober->process, err);
    if (result < 0)
        return error_prefix(err, "start the probe role");
    prober->started_ms = clock_monotonic_ms();
    result = watch_role(prober);
    if (result < 0) {
        end_role(prober);
        return error_errno(err, -result, "watch the probe role");
    }
    return 0;
}

/* --- for the agent ---------------------------------------------------------------------------- */

int prober_new(struct loop *loop, const char *executable, const char *user, struct prober **out, struct error *err)
{
    struct prober *prober = calloc(1, sizeof *prober);
    if (!prober)
        return error_errno(err, ENOMEM, "make the prober");
    prober->loop = loop;
    prober->backoff_ms = BACKOFF_FIRST_MS;
    prober->process = (struct process){.pidfd = -1, .channel = -1};
    list_init(&prober->waiting);
    list_init(&prober->sent);
    prober->executable = strdup(executable);
    prober->user = user ? strdup(user) : NULL;
    prober->restart = loop_timer_new(loop, on_restart, prober);
    prober->overdue = loop_timer_new(loop, on_overdue, prober);
    int result = 0;
    if (!prober->executable || (user && !prober->user) || !prober->restart || !prober->overdue)
        result = error_errno(err, ENOMEM, "make the prober");
    if (result == 0)
        result = start_role(prober, err);
    if (result < 0) {
        prober_free(prober);
        return result;
    }
    *out = prober;
    return 0;
}

void prober_free(struct prober *prober)
{
    struct open_check *check;
    if (!prober)
        return;
    end_role(prober);
    list_for_each(check, &prober->sent, link) open_check_free(check);
    list_for_each(check, &prober->waiting, link) open_check_free(check);
    loop_timer_free(prober->restart);
    loop_timer_free(prober->overdue);
    free(prober->executable);
    free(prober->user);
    free(prober);
}

static void submit(struct prober *prober, struct open_check *check)
{
    bool first = list_empty(&prober->waiting);
    list_append(&prober->waiting, &check->link);
    /* If the role is gone the loop will say so and end this check with the others. */
    if (first)
        send_waiting(prober);
}

static int begin_check(struct prober *prober, const struct health *health, const char *contains,
                       const struct address *target, int sockets[], size_t socket_count, prober_callback *callback,
                       void *context, uint64_t *id, struct error *err)
{
    struct open_check *check = NULL;
    int result = prober->channel
                     ? open_check_new(++prober->last_id, health, contains, target, sockets, socket_count, &check, err)
                     : error_set(err, ENOTCONN, "the probe role is down and will be started again by itself");
    if (!check) {
        open_check_close(sockets, socket_count);
        return result;
    }
    check->callback = callback;
    check->context = context;
    *id = check->request.id;
    submit(prober, check);
    return 0;
}

int prober_check(struct prober *prober, const struct health *health, const struct address *target, int sockets[],
                 size_t socket_count, prober_callback *callback, void *context, uint64_t *id, struct error *err)
{
    return begin_check(prober, health, "", target, sockets, socket_count, callback, context, id, err);
}

int prober_check_page(struct prober *prober, const struct health *health, const char *contains,
                      const struct address *target, int socket, prober_callback *callback, void *context, uint64_t *id,
                      struct error *err)
{
    return begin_check(prober, health, contains, target, &socket, 1, callback, context, id, err);
}

static bool cancel(struct list *list, uint64_t id)
{
    struct open_check *check = open_check_find(list, id);
    if (check)
        check->callback = NULL;
    return check != NULL;
}

void prober_cancel(struct prober *prober, uint64_t id)
{
    struct open_check *waiting = open_check_find(&prober->waiting, id);
    if (waiting) {
        open_check_free(waiting);
        watch_channel(prober);
        return;
    }
    cancel(&prober->sent, id);
}

pid_t prober_pid(const struct prober *prober)
{
    return prober->channel ? prober->process.pid : 0;
}
