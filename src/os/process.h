/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes: starting a role of the agent, giving privileges away, and messages with descriptors
 * over SOCK_SEQPACKET.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MESSAGE_FDS_MAX 8

struct user_ids {
    uid_t uid;
    gid_t gid;
};

/* Looks a user up (getpwnam). -ENOENT with what to do next if there is none. */
int user_find(const char *name, struct user_ids *ids, struct error *err);
int group_find(const char *name, gid_t *gid, struct error *err);

struct process {
    pid_t pid;
    int pidfd;
    int channel; /* our end of the SOCK_SEQPACKET pair; non-blocking, close-on-exec */
};

/*
 * Executes argv[0] (an absolute path) with its end of a new socket pair as descriptor 3, stdin and stdout /dev/null,
 * stderr ours, in directory /, default signals, an empty environment but for PATH, LANG, JOURNAL_STREAM. Returns after
 * the exec succeeded.
 */
int process_start(char *const argv[], struct process *process, struct error *err);
void process_forget(struct process *process); /* closes the descriptors */

/* --- in a role, which process_start has executed ------------------------------------------------------- */

#define ROLE_CHANNEL 3
/* False where somebody else has started it. Nothing that it executes gets the channel. */
bool role_channel_is_there(void);
/* user_find, but for root: -EPERM. */
int role_user_find(const char *name, struct user_ids *ids, struct error *err);

/* For a process that stays root: leaves it these capabilities (CAP_* of linux/capability.h), as far as it has them, in
 * the permitted and effective sets, and nothing else in the bounding set: nor can what it starts have more. Not to be
 * undone. */
int privileges_limit(const int *kept, size_t count, struct error *err);
/* Takes these out of the effective set: what is executed from now on may have them, this process does nothing by them.
 */
int privileges_set_aside(const int *capabilities, size_t count, struct error *err);

/* For a role in its own process: sets groups and ids, empties every capability set, sets no_new_privs and
 * PR_SET_DUMPABLE 0. Not to be undone. */
int privileges_drop(const struct user_ids *ids, struct error *err);
/* The same with supplementary groups. */
int privileges_drop_with(const struct user_ids *ids, const gid_t *groups, size_t group_count, struct error *err);

/* One message, whole or not at all. fds may be NULL. -EAGAIN if the peer's queue is full, -EPIPE if it is gone. */
int message_send(int channel, const void *message, size_t length, const int *fds, size_t fd_count);
/* Whoever sends descriptors to this socket, or to one that it accepts, gets -EPERM from now on (Linux 6.16; older ones
 * ignore it): to close what a stranger has opened may take as long as the stranger likes. */
void message_refuse_descriptors(int socket);
/* Received length, 0 at end of file, or negative errno (-EAGAIN; -EMSGSIZE if it was longer than size, or came with
 * descriptors where fds is NULL: it is dropped).
 * *fd_count is the number of descriptors stored in fds (close-on-exec, the caller's); more than MESSAGE_FDS_MAX are
 * closed. */
ssize_t message_receive(int channel, void *message, size_t size, int fds[MESSAGE_FDS_MAX], size_t *fd_count);
