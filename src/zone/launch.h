/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a zone's shim: one clone3(2) into its namespaces and, where we own the tree, its cgroup. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct shim_launch {
    const char *executable; /* absolute path of bluegreen-zone */
    const char *name;       /* "web.blue", what ps shows */
    const char *directory;  /* RUN/zones/web.blue, absolute */
    int netns;
    int listener;      /* bound socket */
    int log_directory; /* of the app's log */
    int cgroup;        /* directory to be born in, or -1 */
};

/* Returns once the shim was executed. *pidfd is the caller's; so is the child, to be waited for. */
int shim_launch(const struct shim_launch *launch, pid_t *pid, int *pidfd, struct error *err);
