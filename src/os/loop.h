/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loop: file descriptors by epoll, timers by one timerfd, signals by signalfd. One thread. With nothing
 * due it sleeps without waking.
 */
#pragma once

#include "base/error.h"
#include "os/clock.h"

#include <stdint.h>

struct loop;
struct loop_source; /* a watched descriptor */
struct loop_timer;

int loop_new(struct loop **loop, struct error *err);
/* Frees the sources still there, closes no watched descriptor. Timers are their makers' to free, before. */
void loop_free(struct loop *loop);
/* Runs until loop_quit; returns its status, or a negative errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop, int status);
uint64_t loop_now_ms(const struct loop *loop); /* monotonic, of this turn, or of its timers; starts at loop_new */

/* events and the callback's events: EPOLLIN, EPOLLOUT, ... The fd stays the caller's. */
typedef void loop_fd_callback(void *context, int fd, uint32_t events);
struct loop_source *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback *callback, void *context);
int loop_set_events(struct loop_source *source, uint32_t events);
void loop_remove_fd(struct loop_source *source); /* NULL is fine; safe inside any callback */

/* One-shot; safe to re-arm or free inside its own callback. A timer that is not armed costs nothing. */
typedef void loop_timer_callback(void *context);
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_callback *callback, void *context);
void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_disarm(struct loop_timer *timer);
uint64_t loop_timer_due_ms(const struct loop_timer *timer); /* monotonic; 0: it is not armed */
void loop_timer_free(struct loop_timer *timer);             /* NULL is fine */

/* Blocks the signal for the process and calls back from the loop. */
typedef void loop_signal_callback(void *context, int signal);
int loop_add_signal(struct loop *loop, int signal, loop_signal_callback *callback, void *context, struct error *err);
