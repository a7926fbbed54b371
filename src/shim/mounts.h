/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts by descriptor: a file system or a copy of a mounted tree is made detached, gets its attributes, and is
 * attached to a place that was opened before. Apart from view.c because these are the kernel's calls, and that is what
 * they are for. All answer -1 with errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mount_option {
    const char *name, *value; /* value NULL: a flag */
};

/* For the calls below and fstat(2) only. follow: symbolic links may lead there, else ELOOP. */
int mounts_open(int directory, const char *path, bool follow);
/* A detached copy of the tree that is mounted at fd, or of the part that fd is. */
int mounts_clone(int fd);
/* A new file system, detached. options end with a name NULL, or are NULL. attributes: MOUNT_ATTR_*. */
int mounts_make(const char *type, const struct mount_option options[], uint64_t attributes);
/* Sets and clears attributes of a mount and of all that is mounted in it. */
int mounts_set(int mount, uint64_t set, uint64_t clear);
/* Makes a mount read-only, but not what is mounted in it. */
int mounts_lock(int mount);
int mounts_attach(int mount, int target);
/*
 * Where a file of the system's really is, asked before anything is covered: /etc/resolv.conf often is a link into /run.
 * One that leads nowhere counts as well: what it names can be made in our own /run. The caller's; NULL with errno.
 */
char *mounts_real_path(const char *path);
