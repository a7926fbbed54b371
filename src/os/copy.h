/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of this process that does one piece of our own work with our own rights, and may block while it does: it has
 * all that we knew when it was made, and nothing that we have open but its end of a channel. It never outlives us.
 * What needs only a user's rights is os/command.h's.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct copy {
    int pidfd;   /* readable (EPOLLIN) when it has ended */
    int channel; /* our end of a SOCK_SEQPACKET pair, non-blocking; end of file when it has ended */
};

#define COPY_NONE ((struct copy){-1, -1})

/* work runs in the copy, with its blocking end of the channel; files_open is how many files we have open. What it
 * returns is its exit status. */
typedef int copy_work(void *context, int channel, int files_open);
int copy_start(copy_work *work, void *context, struct copy *copy, struct error *err);
void copy_kill(const struct copy *copy);
/* Once its pidfd is readable: its exit status, or -1 if it was killed. Closes the descriptors. */
int copy_collect(struct copy *copy);
