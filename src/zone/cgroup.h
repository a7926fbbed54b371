/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone's place in the cgroup v2 tree: a directory with the leaves `shim` and `payload`, so that controllers can be
 * enabled above them. Who makes the directory differs (systemd a scope, or we); what is in it does not.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a hybrid host. False: nowhere. */
bool cgroup_find(char root[PATH_MAX]);
/* Makes path/shim and path/payload, and what is missing above. */
int cgroup_make(const char *path, struct error *err);
/* Opens path/NAME as a directory, for clone3(2). *fd is the caller's. */
int cgroup_open(const char *path, const char *name, int *fd, struct error *err);
/* Moves a process into path/NAME. */
int cgroup_move(const char *path, const char *name, pid_t pid, struct error *err);
/* The v2 cgroup of a process as a path below root. */
int cgroup_of(const char *root, pid_t pid, char path[PATH_MAX], struct error *err);
/* Ends everything in it. A missing one is fine. */
int cgroup_kill(const char *path, struct error *err);
/* Waits at most timeout_ms until nothing is left in it, then removes it and what is below. A missing one is fine. */
int cgroup_remove(const char *path, unsigned timeout_ms, struct error *err);
