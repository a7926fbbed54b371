/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loop over epoll. A source removed while its event waits in the same batch is only marked dead and freed after
 * the batch, so callbacks may remove each other. Timers stand in a list sorted by time (the agent has some tens of
 * them).
 */
#include "os/loop.h"

#include "base/cleanup.h"
#include "base/list.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

struct loop_source {
    struct list link;
    struct loop *loop;
    int fd;
    bool owned_fd; /* signalfd: the loop opened it */
    bool dead;
    loop_fd_callback *callback;
    void *context;
};

struct loop_timer {
    struct list link;
    struct loop *loop;
    uint64_t due_ms;
    loop_timer_callback *callback;
    void *context;
};

struct signal_watch {
    struct list link;
    int signal;
    loop_signal_callback *callback;
    void *context;
};

struct loop {
    int epoll_fd, timer_fd, signal_fd;
    struct list sources, dead, timers /* armed, by due_ms */, signals;
    sigset_t mask;
    uint64_t now_ms, timer_set_ms; /* what the timerfd is set to; 0 = not armed */
    bool quit;
    int status;
};

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

static void on_timer_fd(void *context, int fd, uint32_t events)
{
    uint64_t expirations;
    ssize_t got = read(fd, &expirations, sizeof expirations);
    (void)got; /* only that it fired matters; run_timers looks at the clock */
    (void)events;
    ((struct loop *)context)->timer_set_ms = 0;
}

int loop_new(struct loop **out, struct error *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return error_errno(err, ENOMEM, "make the event loop");
    list_init(&loop->sources);
    list_init(&loop->dead);
    list_init(&loop->timers);
    list_init(&loop->signals);
    sigemptyset(&loop->mask);
    loop->signal_fd = -1;
    loop->now_ms = clock_monotonic_ms();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 || !loop_add_fd(loop, loop->timer_fd, EPOLLIN, on_timer_fd, loop)) {
        int code = errno;
        loop_free(loop);
        return error_errno(err, code, "make the event loop");
    }
    *out = loop;
    return 0;
}

static void free_source(struct loop_source *source)
{
    list_remove(&source->link);
    if (source->owned_fd)
        close(source->fd);
    free(source);
}

static void free_dead(struct loop *loop)
{
    struct loop_source *source;
    list_for_each(source, &loop->dead, link) free_source(source);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    struct loop_source *source;
    struct signal_watch *watch;
    free_dead(loop);
    list_for_each(source, &loop->sources, link) free_source(source);
    list_for_each(watch, &loop->signals, link)
    {
        list_remove(&watch->link);
        free(watch);
    }
    close_fd(&loop->epoll_fd);
    close_fd(&loop->timer_fd);
    free(loop);
}

struct loop_source *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback *callback, void *context)
{
    struct loop_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    *source = (struct loop_source){.loop = loop, .fd = fd, .callback = callback, .context = context};
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int code = errno;
        free(source);
        errno = code;
        return NULL;
    }
    list_append(&loop->sources, &source->link);
    return source;
}

int loop_set_events(struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void loop_remove_fd(struct loop_source *source)
{
    if (!source || source->dead)
        return;
    epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->dead = true;
    list_remove(&source->link);
    list_append(&source->loop->dead, &source->link);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_callback *callback, void *context)
{
    struct loop_timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return NULL;
    *timer = (struct loop_timer){.loop = loop, .callback = callback, .context = context};
    list_init(&timer->link);
    return timer;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms)
{
    struct loop *loop = timer->loop;
    list_remove(&timer->link);
    timer->due_ms = clock_monotonic_ms() + delay_ms;
    struct list *before = &loop->timers; /* the sentinel: the end */
    struct loop_timer *other;
    list_for_each(other, &loop->timers, link)
    {
        if (other->due_ms > timer->due_ms) {
            before = &other->link;
            break;
        }
    }
    list_append(before, &timer->link);
}

void loop_timer_disarm(struct loop_timer *timer)
{
    list_remove(&timer->link);
}

uint64_t loop_timer_due_ms(const struct loop_timer *timer)
{
    return list_empty(&timer->link) ? 0 : timer->due_ms;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    list_remove(&timer->link);
    free(timer);
}

/* For epoll_wait. The timerfd is only touched when the earliest time changes: re-arming a later timer costs no system
 * call, nor does one that is due already. */
static int set_timer_fd(struct loop *loop)
{
    uint64_t due = list_empty(&loop->timers) ? 0 : list_entry(loop->timers.next, struct loop_timer, link)->due_ms;
    if (due != 0 && due <= clock_monotonic_ms())
        return 0;
    if (due == loop->timer_set_ms)
        return -1;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due / 1000), .tv_nsec = (long)(due % 1000) * 1000000}};
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    loop->timer_set_ms = due;
    return -1;
}

/* Only timers due at `now` run: one that re-arms itself with no delay waits for the next round, so descriptors are
 * not starved. */
static void run_timers(struct loop *loop, uint64_t now)
{
    while (!list_empty(&loop->timers) && !loop->quit) {
        struct loop_timer *timer = list_entry(loop->timers.next, struct loop_timer, link);
        if (timer->due_ms > now)
            break;
        list_remove(&timer->link);
        timer->callback(timer->context);
        if (clock_monotonic_ms() > now)
            break;
    }
}

static void on_signal_fd(void *context, int fd, uint32_t events)
{
    struct loop *loop = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        struct signal_watch *watch;
        list_for_each(watch, &loop->signals, link)
        {
            if (watch->signal == (int)info.ssi_signo)
                watch->callback(watch->context, watch->signal);
        }
    }
}

int loop_add_signal(struct loop *loop, int signal, loop_signal_callback *callback, void *context, struct error *err)
{
    sigaddset(&loop->mask, signal);
    int fd = signalfd(loop->signal_fd, &loop->mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0 || sigprocmask(SIG_BLOCK, &loop->mask, NULL) < 0)
        return error_errno(err, errno, "watch signal %d", signal);
    if (loop->signal_fd < 0) {
        struct loop_source *source = loop_add_fd(loop, fd, EPOLLIN, on_signal_fd, loop);
        if (!source) {
            int code = errno;
            close(fd);
            return error_errno(err, code, "watch signal %d", signal);
        }
        source->owned_fd = true;
        loop->signal_fd = fd;
    }
    struct signal_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return error_errno(err, ENOMEM, "watch signal %d", signal);
    *watch = (struct signal_watch){.signal = signal, .callback = callback, .context = context};
    list_append(&loop->signals, &watch->link);
    return 0;
}

int loop_run(struct loop *loop)
{
    enum { BATCH = 32 };
    struct epoll_event events[BATCH];
    while (!loop->quit) {
        int count = epoll_wait(loop->epoll_fd, events, BATCH, set_timer_fd(loop));
        if (count < 0 && errno != EINTR)
            return -errno;
        loop->now_ms = clock_monotonic_ms();
        for (int i = 0; i < count && !loop->quit; i++) {
            struct loop_source *source = events[i].data.ptr;
            if (!source->dead)
                source->callback(source->context, source->fd, events[i].events);
        }
        free_dead(loop);
        loop->now_ms = clock_monotonic_ms(); /* what was armed for at once has its turn now, not after another wait */
        run_timers(loop, loop->now_ms);
        free_dead(loop);
    }
    loop->quit = false;
    return loop->status;
}

void loop_quit(struct loop *loop, int status)
{
    loop->quit = true;
    loop->status = status;
}
