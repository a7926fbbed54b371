/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hooks.c, hook_process.c, hook_output.c and hook_environment.c share. */
#pragma once

#include "agent/agent.h"
#include "agent/hooks.h"
#include "os/command.h"

/* The last of what a hook writes. It is never read faster than is good for the agent: who writes more has to wait. */
struct hook_output {
    struct loop *loop;
    int fd; /* -1 = closed */
    struct loop_source *source;
    struct loop_timer *pause; /* armed while nothing is read */
    bool cut;                 /* there was more before */
    size_t length;
    char bytes[HOOK_OUTPUT_MAX];
};

struct hook_call {
    struct list link; /* among the app's */
    struct app_zone *zone;
    enum hook hook;
    uint64_t operation; /* that it belongs to */
    char reason[WIRE_TEXT_MAX + 1];
    hook_done *done; /* NULL: nobody wants to know */
    void *context;
    bool begun;
    bool cancelled;                  /* killed, and its end is awaited */
    bool given_up;                   /* killed, and it does not end: others need not wait for it */
    bool on_host, late;              /* late: killed at its deadline */
    char name[PROCESS_NAME_MAX + 1]; /* of its process in the zone */
    struct host_command host;
    struct loop_source *exit_source;
    struct loop_timer *timer;
    uint64_t began_ms;
    uint32_t timeout_ms;
    struct hook_output output;
};

/* --- hook_process.c --- */

/* Runs it where it belongs. on_exit: for its descriptor, once one on the host is gone; one in the zone is told of by
 * the shim. */
int hook_process_start(struct hook_call *call, loop_fd_callback *on_exit, struct error *err);
void hook_process_kill(struct hook_call *call);
bool hook_process_is(const char *name); /* a process of a zone: of a hook, also of a former agent's */
#define HOOK_END_MAX 63
/* "exit status 3", "killed after 60 s", ..., "" if it ended well. */
void hook_process_describe(const struct hook_call *call, bool signalled, int value, char *text, size_t size);

/* --- hook_output.c --- */

/* Makes the pipe; *writer is the caller's, and the user's to open again. */
int hook_output_open(struct hook_output *output, struct loop *loop, uid_t uid, gid_t gid, int *writer,
                     struct error *err);
/* Reads what is left and closes. */
void hook_output_close(struct hook_output *output);
/* Whole lines, safe to show. */
void hook_output_text(const struct hook_output *output, char text[HOOK_OUTPUT_MAX + 1]);
/* The last line of such a text; points into it. */
const char *hook_last_line(const char *text);

/* --- hook_environment.c --- */

/* The app's, and what a hook is told beside it. */
int hook_environment(const struct hook_call *call, const struct words *of_app, struct words *environment);
