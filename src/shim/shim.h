/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-zone: PID 1 of a zone. It runs the zone's app, starts it again when it ends, remembers how it ended, moves
 * what it says into the log file, and outlives the agent. It listens to nobody but root through the one socket that
 * it was started with. It is linked statically and allocates nothing but what it was told to run, so that dozens of
 * zones cost little.
 *
 *   main.c     setting up, the loop
 *   control.c  the agent's connection
 *   app.c      the app's life: start, restart, stop, exits
 *   sandbox.c  the new process's way to its exec
 *   logfile.c  from the app's stdout and stderr to the file
 */
#pragma once

#include "model/shim_protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The app's output. Descriptors are -1 while closed. */
struct logfile {
    int directory;             /* STATE/zones/APP.COLOUR */
    int file;                  /* "log" in it */
    uint64_t size;             /* of file */
    int pipe_read, pipe_write; /* never closed: what a former process of the app left running may still write */
};

struct shim {
    const char *directory; /* RUN/zones/APP.COLOUR: resolv.conf and hosts for the app */
    int epoll;
    int signals;
    int listener;
    int self; /* pidfd of the shim, for the agent */

    int agent;   /* connection or -1 */
    bool behind; /* the agent does not read: the last message is owed to it */
    enum shim_type owed;
    uint32_t owed_serial;

    struct shim_start start; /* what to run; argv is NULL if there is nothing */
    void *message;           /* the memory that start points into */
    int payload;             /* directory of the app's cgroup, or -1 */
    pid_t app;               /* 0 = not running */
    int app_pidfd;
    struct shim_state state;
    uint64_t started_ms;
    uint64_t due_ms;   /* monotonic; the next restart or kill; 0 = nothing is due */
    uint32_t delay_ms; /* the next back-off */
    bool leaving;      /* the system asked the shim to end: exit once the app has */

    struct logfile log;
};

/* --- control.c --- */

int control_open(struct shim *shim); /* 0 or -errno */
void control_accept(struct shim *shim);
void control_receive(struct shim *shim);
void control_writable(struct shim *shim);
/* Says it to the agent if there is one. */
void control_say(struct shim *shim, enum shim_type type, uint32_t serial);

/* --- app.c --- */

/* Takes message (malloc'ed) and payload whatever happens. Answers the serial. */
void app_start(struct shim *shim, void *message, size_t length, int payload, uint32_t serial);
void app_stop(struct shim *shim);
/* Collects every process that ended. */
void app_reap(struct shim *shim);
/* Does what is due. */
void app_tick(struct shim *shim);
/* Milliseconds until something is due; -1 = nothing. */
int app_patience(const struct shim *shim);

/* --- sandbox.c --- */

struct sandbox_failure {
    uint32_t stage; /* enum shim_stage; 0 = none */
    uint32_t error; /* errno */
};

/* Runs shim->start in its sandbox and waits until it is executed. 0 with pid and pidfd, or -1 with failure. */
int sandbox_spawn(const struct shim *shim, pid_t *pid, int *pidfd, struct sandbox_failure *failure);

/* --- logfile.c --- */

int logfile_open(struct logfile *log, int directory); /* 0 or -errno; a file that cannot be opened is no error */
/* The app may open its own stdout again (/dev/stdout): the pipe must be its own. */
int logfile_give(const struct logfile *log, uid_t uid, gid_t gid);
/* Moves what is in the pipe, one bounded piece. True if there may be more. */
bool logfile_move(struct logfile *log);
/* A line of the shim's own. */
void logfile_note(struct logfile *log, const char *const parts[], size_t count);
