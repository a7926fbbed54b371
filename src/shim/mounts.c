/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts by descriptor. */
#include "shim/mounts.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int mounts_open(int directory, const char *path, bool follow)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = follow ? 0 : RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int mounts_clone(int fd)
{
    return open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
}

int mounts_make(const char *type, const struct mount_option options[], uint64_t attributes)
{
    CLEANUP_FD int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", type, 0) < 0)
        return -1;
    for (const struct mount_option *option = options; option && option->name; option++) {
        unsigned command = option->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        if (fsconfig(context, command, option->name, option->value, 0) < 0)
            return -1;
    }
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
}

int mounts_set(int mount, uint64_t set, uint64_t clear)
{
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear};
    return mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes);
}

int mounts_lock(int mount)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    return mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int mounts_attach(int mount, int target)
{
    return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

char *mounts_real_path(const char *path)
{
    char real[PATH_MAX], link[PATH_MAX];
    if (realpath(path, real))
        return strdup(real);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return strdup(path);
    link[length] = '\0';
    int directory = link[0] == '/' ? 0 : (int)(strrchr(path, '/') + 1 - path);
    errno = ENAMETOOLONG;
    return snprintf(real, sizeof real, "%.*s%s", directory, path, link) < PATH_MAX ? strdup(real) : NULL;
}
