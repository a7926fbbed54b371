/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-zone: PID 1 of a zone. It runs the processes of the zone's app, starts them again when they end, remembers
 * how they ended, moves what they say into the log file, and outlives the agent. It listens to nobody but root
 * through the one socket that it was started with, and takes nothing from the app but its exits, its output and what
 * sd_notify(3) says. It is linked statically and allocates nothing but what it was told to run, so that dozens of
 * zones cost little.
 *
 *   main.c      setting up, the loop
 *   control.c   the agent's connection
 *   child.c     the table of processes: starting them, the watchdog
 *   ending.c    how they end: exits, back-off, stopping
 *   members.c   all that a process started: signals to it, its end
 *   output.c    what a process is connected to; the last line of a check
 *   nudge.c     ending connections that rest
 *   notify.c    what the app says of itself
 *   listeners.c sockets that the app gets
 *   spawn.c     making a process; sandbox.c its way to its exec; view.c its part with the files
 *   logfile.c   from the app's stdout and stderr to the file; index.c when it came; journal.c to the system's journal
 */
#pragma once

#include "model/shim_protocol.h"
#include "shim/child.h"
#include "shim/logfile.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SHIM_LISTEN_PID_SIZE 24

struct listener {
    int fd;
    uint16_t port;
    uint32_t protocol;
};

struct sandbox_failure;

struct shim {
    const char *directory; /* RUN/zones/APP.COLOUR */
    int epoll;
    int signals;
    int listener;
    int self; /* pidfd of the shim, for the agent */

    int agent;   /* connection or -1 */
    bool behind; /* it does not read: something is owed to it, and until it has that, we do not listen to it */
    uint32_t answer[SHIM_ANSWER_MAX / sizeof(uint32_t)]; /* owed before anything else */
    size_t answer_length;
    const struct child *answer_about; /* whose pidfd goes with it, or NULL */

    struct child children[SHIM_PROCESSES_MAX];
    int mounts; /* sandbox_job's: what the app's processes see, while one of them runs; or -1 */
    bool frozen;
    bool stopping;     /* everything was asked to end */
    uint64_t sweep_ms; /* when to kill what no process answers for, while stopping */
    bool leaving;      /* the system asked the shim to end: exit once everything has */

    struct listener listeners[SHIM_LISTENS_MAX]; /* of the main process; kept from one start to the next */
    size_t listener_count;
    char listen_fds[24], listen_pid[SHIM_LISTEN_PID_SIZE], listen_names[24 + SHIM_LISTENS_MAX * (PORT_NAME_MAX + 1)];

    struct logfile log;
};

/* --- main.c --- */

int watch_fd(struct shim *shim, int fd); /* 0, or -1 with errno */
/* Closes it. A process that hangs on its way to its exec may still have it: epoll would go on telling of it. */
void unwatch_fd(struct shim *shim, int *fd);

/* --- control.c --- */

int control_open(struct shim *shim); /* 0 or -errno */
void control_accept(struct shim *shim);
void control_receive(struct shim *shim);
void control_writable(struct shim *shim);
/* An event: tells the agent, if there is one, where the process stands. */
void control_say(struct shim *shim, struct child *child, enum shim_type type);
/* The answer to a message of the agent's. about, or NULL, is the process whose pidfd it gets. */
void control_answer(struct shim *shim, enum shim_type type, const struct shim_state *state, uint32_t serial,
                    const struct child *about);

/* --- nudge.c --- */

/* What the message says; *nudged is how many, also with -errno: -EPERM if the kernel did not let us. */
int nudge_all(const struct shim_nudge *nudge, uint32_t *nudged);

/* --- listeners.c --- */

/* Those that the process's START asks for: what is there stays, the rest is closed. 0, or -1 with failure. */
int listeners_open(struct shim *shim, const struct child *child, struct sandbox_failure *failure);
void listeners_close(struct shim *shim); /* whoever waits there is refused */
/* Allocated, NULL = no memory. The texts in it are start's and shim's. */
char **listeners_environment(struct shim *shim, const struct shim_start *start);

/* --- sandbox.c, view.c, spawn.c --- */

struct sandbox_failure {
    uint32_t stage;                   /* enum shim_stage; 0 = none */
    uint32_t error;                   /* errno */
    char object[SHIM_OBJECT_MAX + 1]; /* the path it was about, or "" */
};

struct sandbox_job {
    const struct shim_start *start;
    int cgroup;   /* directory to be born in, or -1 */
    int stdio[3]; /* what become stdin, stdout and stderr; -1 = /dev/null */
    /* What the processes of a zone see is one thing, with one /tmp and one /run: the mount namespace of the first that
     * runs. -1: lay it out, and put its descriptor here, to be closed when the last one has ended. */
    int *mounts;
    const struct listener *listeners; /* become descriptors 3, 4, ... */
    size_t listener_count;
    char **environment; /* with what goes with them; NULL: start's */
    char *listen_pid;   /* in it: the process fills in its own */
};

/* The new process's way to its exec. It tells its shim through channel: a struct sandbox_failure, or in one without a
 * stage the descriptor of its mount namespace. */
_Noreturn void sandbox_enter(const struct sandbox_job *job, bool joins, int channel);
/* Runs a process in its sandbox and waits until it is executed. 0 with pid and pidfd, or -1 with failure. */
int sandbox_spawn(const struct sandbox_job *job, pid_t *pid, int *pidfd, struct sandbox_failure *failure);
