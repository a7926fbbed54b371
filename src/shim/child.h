/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a zone. Each was asked for by a START, which is kept for starting it again, and has an entry in a
 * table: the first is the app's main process and always there, the others while there is something to say of them.
 */
#pragma once

#include "model/shim_protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct shim;

struct child {
    bool used;
    bool done;                       /* the entry is dropped as soon as nothing is owed */
    char name[PROCESS_NAME_MAX + 1]; /* "" = main */
    struct shim_start start;         /* argv is NULL if there is nothing to run */
    void *message;                   /* the memory that start points into */
    char socket_variable[64], watchdog_variable[40];
    int cgroup;  /* the directory of its own, or -1 */
    pid_t pid;   /* 0 = it has ended, though maybe not all that it started */
    pid_t group; /* its process group; 0 = nothing of it is left */
    int pidfd;
    struct shim_state state;
    enum shim_type owed;              /* what the agent is still to hear; 0 = nothing */
    bool over;                        /* STOPPING because it came to its end, not because it was asked to */
    bool barked;                      /* the watchdog has sent SIGABRT */
    uint64_t started_ms;              /* times are monotonic; 0 = nothing is due */
    uint64_t due_ms;                  /* the next restart, kill, or look whether all of it has gone */
    uint64_t kill_ms;                 /* STOPPING: the next kill. BACK_OFF: when not to wait for leftovers any more */
    uint64_t watchdog_ms;             /* when it must have been heard of */
    uint32_t delay_ms;                /* the next back-off */
    int notify;                       /* its socket for sd_notify(3), or -1 */
    bool notify_bare;                 /* no descriptors can come with its messages */
    uint64_t turn_ms, deaf_until_ms;  /* this turn of listening to it; when the next one begins */
    uint32_t turn_count;              /* messages in it */
    uint64_t told_ms, tell_ms;        /* NOTIFIED: when the agent was told last; when it is to be */
    uint64_t exit_ms[SHIM_EXITS_MAX]; /* a ring of the last ones */
    uint32_t exit_count;
    int capture; /* the pipe with a check's output, or -1 */
    size_t line_length;
    bool line_ended;
    char line[SHIM_OUTPUT_MAX + 1]; /* the last line of that output */
};

/* Runs once and is not the app. */
static inline bool child_is_transient(const struct child *child)
{
    return child->start.deadline_ms > 0 || child->start.stdio;
}

/* --- child.c   --- */

void child_table(struct shim *shim); /* makes it, empty */
/* Takes message (malloc'ed), and of fds what it uses: that becomes -1. Answers the serial; or returns why it is
 * refused: -EBUSY, -EAGAIN (the table is full), or as shim_decode_start. */
int child_start(struct shim *shim, void *message, size_t length, int fds[], size_t fd_count, uint32_t serial,
                uint32_t *unknown);
struct sandbox_failure;
/* Runs what start says. given: the three descriptors for STDIO, else NULL. 0, or -1 with failure. */
int child_spawn(struct shim *shim, struct child *child, const int given[3], struct sandbox_failure *failure);
/* From now on there is nothing to run. */
void child_forget_start(struct shim *shim, struct child *child);
void child_drop(struct shim *shim, struct child *child);       /* the entry, with all it holds */
struct child *child_find(struct shim *shim, const char *name); /* NULL = main */
void child_set(struct shim *shim, const struct shim_set *set);
/* What it says of itself. */
void child_ready(struct shim *shim, struct child *child, bool ready);
void child_tell(struct shim *shim, struct child *child, uint64_t now); /* the agent, of readiness, if it is time */
void child_watchdog(struct shim *shim, struct child *child, bool alive);
void child_bark(struct shim *shim, struct child *child);

/* --- ending.c --- */

void child_stop(struct shim *shim, const char *name); /* NULL = all */
void child_reap(struct shim *shim);                   /* collects what ended */
void child_tick(struct shim *shim);                   /* does what is due */
int child_patience(const struct shim *shim);          /* milliseconds until something is due; -1 = nothing is */

/* --- members.c: a process and all that it started --- */

void members_signal(const struct shim *shim, const struct child *child, int number);
void members_kill(const struct shim *shim, const struct child *child);
bool members_gone(const struct shim *shim, const struct child *child);
void members_thaw(const struct child *child); /* where the agent froze them */

/* --- output.c --- */

/* A descriptor for the process to write to, the caller's; or -1 with errno. */
int output_open(struct shim *shim, struct child *child);
void output_read(struct shim *shim, struct child *child);  /* what is there of a check's output */
void output_close(struct shim *shim, struct child *child); /* state.output is then its last line */

/* --- notify.c --- */

/* The socket of a process whose START asks for one, and its environment. 0, or -1 with errno. */
int notify_open(struct shim *shim, struct child *child);
void notify_receive(struct shim *shim, struct child *child); /* one message */
void notify_drain(struct shim *shim, struct child *child);   /* all that wait */
void notify_tick(struct shim *shim, struct child *child, uint64_t now);
void notify_close(struct shim *shim, struct child *child);
