/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone's place in the cgroup v2 tree: a directory with the leaf `shim`, and `payload` with a leaf for each process of
 * the app, so that controllers can be enabled above them. Who makes the directory differs (systemd a scope, or we);
 * what is in it does not.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a hybrid host. False: nowhere. */
bool cgroup_find(char root[PATH_MAX]);
/* Makes path/shim and path/payload, and what is missing above. */
int cgroup_make(const char *path, struct error *err);
/* Makes path if it is missing and opens it as a directory, for clone3(2). *fd is the caller's. */
int cgroup_open(const char *path, int *fd, struct error *err);
/* Moves a process into path/NAME. */
int cgroup_move(const char *path, const char *name, pid_t pid, struct error *err);
/* The v2 cgroup of a process as a path below root. */
int cgroup_of(const char *root, pid_t pid, char path[PATH_MAX], struct error *err);
/* Ends everything in it. A missing one is fine. */
int cgroup_kill(const char *path, struct error *err);
/* Waits at most timeout_ms until nothing is left in it, then removes it and what is below. A missing one is fine. */
int cgroup_remove(const char *path, unsigned timeout_ms, struct error *err);

/* --- what is in it ----------------------------------------------------------------------------------- */

/* "DIRECTORY/NAME"; false if it had to cut. */
bool cgroup_join(char path[PATH_MAX], const char *directory, const char *name);
/* Calls visit for what is below path, deepest first, and for path itself. Stops at the first that returns not 0, and
 * returns that. Missing directories are passed over. */
int cgroup_walk(const char *path, int (*visit)(const char *path, void *context), void *context);
/* Every process in path and below. -errno if it cannot be read; *pids is the caller's. */
int cgroup_processes(const char *path, pid_t **pids, size_t *count);
/* An attribute's first size-1 bytes. False: there is no such attribute here. */
bool cgroup_read(const char *path, const char *attribute, char *content, size_t size);
/* The same of one that is a single number; "max" is UINT64_MAX. */
bool cgroup_number(const char *path, const char *attribute, uint64_t *number);
/* The number behind "key " at the beginning of a line. False: not there. */
bool cgroup_keyed(const char *content, const char *key, uint64_t *number);
/* 0 or -errno. */
int cgroup_write(const char *path, const char *attribute, const char *value);
