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

/* The child is the caller's, to be waited for, and so are the descriptors. */
struct shim_launched {
    pid_t pid;
    int pidfd;
    int report; /* what its set-up has to say */
};

/* Returns once the shim was executed. */
int shim_launch(const struct shim_launch *launch, struct shim_launched *launched, struct error *err);
/* After err, which says that the shim could not be reached: why, if the shim told or has ended. Returns as err does. */
int shim_explain(const struct shim_launched *launched, struct error *err);
