/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command on the host with nobody's rights but a user's: no capabilities, no_new_privs, no descriptors but its
 * output. It lives in a pid namespace of its own, below a process of ours that is PID 1 there and does nothing but
 * wait. So one signal ends the command with all that it started, however that forked or daemonised, and the kernel
 * sends this signal when we die, whatever we die of. A cgroup would need somebody who is still there to empty it, and
 * a host that has one for us. The price: the command sees its own processes only, in a /proc of its own.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct command_spec {
    char *const *argv; /* argv[0] is an absolute path; NULL with work */
    /* NULL, or what the process does instead of executing argv: code of ours that touches the user's files and so must
     * not have more than the user's rights. Returns the exit status; writes to stdout as it is, without stdio. */
    int (*work)(const void *context);
    const void *context;
    char *const *environment;
    const char *workdir;
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary */
    size_t group_count;
    int output; /* becomes stdout and stderr; borrowed */
};

struct host_command {
    int pidfd;  /* readable (EPOLLIN) when the command and all that it started are gone */
    int status; /* what it tells us of its end */
};

struct command_end {
    const char *failed; /* NULL, or what it could not do on its way to its first instruction ... */
    int error;          /* ... and why: errno */
    bool signalled;     /* value is a signal, else an exit code */
    int value;
};

/* Waits for nothing, not even for the exec: command_collect tells whether that worked. */
int command_start(const struct command_spec *spec, struct host_command *command, struct error *err);
/* The command and all that it started, with SIGKILL. */
void command_kill(const struct host_command *command);
/* Once its pidfd is readable: how it ended. Closes the descriptors. */
void command_collect(struct host_command *command, struct command_end *end);
/* Closes the descriptors of one that nobody waits for any more. */
void command_forget(struct host_command *command);
