/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Laying out what an app sees. Paths of the configuration may lie where an app writes, and its last run may have put
 * links there: they are opened without following any, and everything after that goes by descriptor. A mount is given
 * its attributes while it is detached, so that it is never seen without them.
 */
#include "shim/view.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "shim/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HARMLESS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

static bool is_missing(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

/* --- sources ------------------------------------------------------------------------------------------ */

static const char *const nodes[VIEW_NODES] = {"null", "zero", "full", "random", "urandom", "tty"};

static int open_source(const struct view_step *step)
{
    CLEANUP_FD int fd = mounts_open(AT_FDCWD, step->source, step->flags & VIEW_FOLLOW);
    CLEANUP_FD int tree = fd < 0 ? -1 : mounts_clone(fd);
    uint64_t set = MOUNT_ATTR_NOSUID | (step->flags & VIEW_READ_ONLY ? MOUNT_ATTR_RDONLY : 0) |
                   (step->flags & VIEW_NO_EXEC ? MOUNT_ATTR_NOEXEC : 0);
    bool device = step->flags & VIEW_DEVICE;
    if (tree < 0 || mounts_set(tree, device ? set : set | MOUNT_ATTR_NODEV, device ? MOUNT_ATTR_NODEV : 0) < 0)
        return -1;
    return steal_fd(&tree);
}

static int open_nodes(struct view_work *work)
{
    for (size_t i = 0; i < VIEW_NODES; i++) {
        char path[sizeof "/dev/" + 16];
        snprintf(path, sizeof path, "/dev/%s", nodes[i]);
        const struct view_step node = {.flags = VIEW_DEVICE | VIEW_NO_EXEC, .source = path};
        work->nodes[i] = open_source(&node);
        if (work->nodes[i] < 0)
            return -1;
    }
    return 0;
}

static int open_bind(struct view_work *work, size_t i)
{
    const struct view_step *step = &work->view->steps[i];
    work->object = step->source;
    work->sources[i] = open_source(step);
    if (work->sources[i] < 0)
        return is_missing(errno) && step->flags & VIEW_OPTIONAL ? 0 : -1;
    if (!(step->flags & VIEW_FOLLOW))
        return 0;
    work->object = step->target;
    work->targets[i] = mounts_real_path(step->target);
    return work->targets[i] ? 0 : -1;
}

int view_open(struct view_work *work, const struct view *view, uid_t uid, gid_t gid)
{
    *work = (struct view_work){.view = view, .uid = uid, .gid = gid, .nothing = -1};
    work->sources = calloc(view->count + 1, sizeof *work->sources);
    work->areas = calloc(2 * view->count + 1, sizeof *work->areas); /* at most two for each step */
    work->targets = calloc(view->count + 1, sizeof *work->targets);
    if (!work->sources || !work->areas || !work->targets)
        return -1;
    for (size_t i = 0; i < view->count; i++) {
        work->sources[i] = -1;
        if (view->steps[i].kind == VIEW_BIND && open_bind(work, i) < 0)
            return -1;
        work->object = "/dev";
        if (view->steps[i].kind == VIEW_DEV && open_nodes(work) < 0)
            return -1;
    }
    return 0;
}

/* --- places in our own file systems ------------------------------------------------------------------- */

static int mount_id(int fd, uint64_t *id)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0)
        return -1;
    *id = status.stx_mnt_id;
    return 0;
}

static bool is_ours(const struct view_work *work, int fd)
{
    uint64_t id;
    if (mount_id(fd, &id) < 0)
        return false;
    for (size_t i = 0; i < work->area_count; i++) {
        if (work->areas[i].id == id)
            return true;
    }
    return false;
}

static int remember_area(struct view_work *work, int mount, bool read_only)
{
    struct view_area *area = &work->areas[work->area_count];
    *area = (struct view_area){.mount = mount, .target = work->object, .read_only = read_only};
    if (mount_id(mount, &area->id) < 0)
        return -1;
    work->area_count++;
    return 0;
}

/* In a directory of ours, with its owner. */
static int make_entry(int directory, const char *name, bool is_directory)
{
    struct stat owner;
    if (fstat(directory, &owner) < 0)
        return -1;
    int made = is_directory ? mkdirat(directory, name, 0755) : mknodat(directory, name, S_IFREG | 0444, 0);
    if (made < 0 || fchownat(directory, name, owner.st_uid, owner.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return mounts_open(directory, name, false);
}

/* Opens path, and makes what is missing of it where that is in a file system of ours. */
static int make_target(const struct view_work *work, const char *path, bool is_directory)
{
    CLEANUP_FD int at = mounts_open(AT_FDCWD, "/", true);
    while (at >= 0 && *(path += strspn(path, "/"))) {
        char name[NAME_MAX + 1];
        size_t length = strcspn(path, "/");
        errno = ENAMETOOLONG;
        if (length >= sizeof name)
            return -1;
        memcpy(name, path, length);
        name[length] = '\0';
        path += length;
        int next = mounts_open(at, name, false);
        if (next < 0 && errno == ENOENT) {
            bool ours = is_ours(work, at);
            errno = ENOENT;
            next = ours ? make_entry(at, name, is_directory || *path) : -1;
        }
        close_fd(&at);
        at = next;
    }
    return steal_fd(&at);
}

/* --- new file systems --------------------------------------------------------------------------------- */

/* What hides other things: one for the whole view. It must be mounted somewhere before it can be bound elsewhere, and
 * lies where the first new file system is going to cover it. */
static int place_nothing(struct view_work *work, int target)
{
    static const struct mount_option options[] = {{"mode", "755"}, {"size", "4k"}, {"nr_inodes", "8"}, {NULL}};
    CLEANUP_FD int mount = mounts_make("tmpfs", options, HARMLESS | MOUNT_ATTR_NOEXEC);
    if (mount < 0 || mkdirat(mount, "directory", 0) < 0 || mknodat(mount, "file", S_IFREG, 0) < 0)
        return -1;
    if (mounts_attach(mount, target) < 0 || mounts_lock(mount) < 0)
        return -1;
    work->nothing = steal_fd(&mount);
    return 0;
}

/* Puts a new file system onto the step's target. */
static int cover(struct view_work *work, const struct view_step *step, int mount)
{
    bool follow = step->flags & VIEW_FOLLOW;
    CLEANUP_FD int target = mounts_open(AT_FDCWD, step->target, follow);
    if (target >= 0 && work->nothing < 0) {
        if (place_nothing(work, target) < 0)
            return -1;
        close_fd(&target);
        target = mounts_open(AT_FDCWD, step->target, follow);
    }
    return target < 0 ? -1 : mounts_attach(mount, target);
}

/* What an app fills is memory, without [limits] memory everybody's: a tenth of it each time, and 100 MB of the kernel's
 * for the files themselves. Directories that only hold places for mounts need little. */
#define SIZES(size, inodes) \
    {"size", size},         \
    {                       \
        "nr_inodes", inodes \
    }
#define BOUNDED SIZES("10%", "100k")
#define SMALL   SIZES("1m", "4096")

static int make_tmpfs(const struct view_work *work, uint32_t flags)
{
    char uid[12], gid[12];
    snprintf(uid, sizeof uid, "%u", (unsigned)work->uid);
    snprintf(gid, sizeof gid, "%u", (unsigned)work->gid);
    const struct mount_option owned[] = {{"mode", "755"}, BOUNDED, {"uid", uid}, {"gid", gid}, {NULL}};
    static const struct mount_option shared[] = {{"mode", "1777"}, BOUNDED, {NULL}},
                                     other[] = {{"mode", "755"}, SMALL, {NULL}};
    const struct mount_option *options = flags & VIEW_OWNED ? owned : flags & VIEW_SHARED ? shared : other;
    return mounts_make("tmpfs", options, HARMLESS | (flags & VIEW_NO_EXEC ? MOUNT_ATTR_NOEXEC : 0));
}

static int lay_tmpfs(struct view_work *work, const struct view_step *step)
{
    int mount = make_tmpfs(work, step->flags);
    bool known = mount >= 0 && remember_area(work, mount, step->flags & VIEW_READ_ONLY) == 0;
    return known ? cover(work, step, mount) : -1;
}

static int lay_new(struct view_work *work, const struct view_step *step, const char *type)
{
    uint64_t attributes = HARMLESS | MOUNT_ATTR_NOEXEC | (step->flags & VIEW_READ_ONLY ? MOUNT_ATTR_RDONLY : 0);
    CLEANUP_FD int mount = mounts_make(type, NULL, attributes);
    return mount < 0 ? -1 : cover(work, step, mount);
}

/* Kernels without cgroup v2 answer ENODEV. */
static int lay_cgroup(struct view_work *work, const struct view_step *step)
{
    int result = lay_new(work, step, "cgroup2");
    return result < 0 && errno == ENODEV ? 0 : result;
}

/* --- /dev ----------------------------------------------------------------------------------------------- */

static int add_mount(int directory, const char *name, const char *type, const struct mount_option options[],
                     uint64_t attributes)
{
    CLEANUP_FD int mount = mounts_make(type, options, HARMLESS | attributes);
    if (mount < 0)
        return errno == ENODEV ? 0 : -1; /* a kernel without it */
    CLEANUP_FD int target = make_entry(directory, name, true);
    return target < 0 ? -1 : mounts_attach(mount, target);
}

static int add_nodes(const struct view_work *work, int directory)
{
    for (size_t i = 0; i < VIEW_NODES; i++) {
        CLEANUP_FD int target = make_entry(directory, nodes[i], false);
        if (target < 0 || mounts_attach(work->nodes[i], target) < 0)
            return -1;
    }
    return 0;
}

static int add_links(int directory)
{
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (symlinkat(links[i][0], directory, links[i][1]) < 0)
            return -1;
    }
    return 0;
}

static int lay_dev(struct view_work *work, const struct view_step *step)
{
    /* Group 5 is tty on every distribution, as for the host's own. */
    static const struct mount_option devices[] = {{"mode", "755"}, SMALL, {NULL}},
                                     memory[] = {{"mode", "1777"}, BOUNDED, {NULL}},
                                     terminals[] = {{"newinstance", NULL},
                                                    {"ptmxmode", "666"},
                                                    {"mode", "620"},
                                                    {"gid", "5"},
                                                    {NULL}};
    int mount = mounts_make("tmpfs", devices, HARMLESS | MOUNT_ATTR_NOEXEC);
    if (mount < 0 || remember_area(work, mount, true) < 0 || add_links(mount) < 0 || cover(work, step, mount) < 0)
        return -1;
    if (add_nodes(work, mount) < 0 || add_mount(mount, "shm", "tmpfs", memory, 0) < 0)
        return -1;
    CLEANUP_FD int terminal_mount = mounts_make("devpts", terminals, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    CLEANUP_FD int target = terminal_mount < 0 ? -1 : make_entry(mount, "pts", true);
    if (target < 0 || mounts_attach(terminal_mount, target) < 0)
        return -1;
    return add_mount(mount, "mqueue", "mqueue", NULL, MOUNT_ATTR_NOEXEC);
}

/* --- binding and hiding ----------------------------------------------------------------------------------- */

/*
 * A file that is mounted upon loses the mount when somebody outside replaces it by rename(2). Where /etc/NAME is a link
 * into the host's /run, its owner does just that whenever the network changes (systemd-resolved, resolvconf): there
 * the directory is covered, which nobody replaces.
 */
static int cover_hosts_run(struct view_work *work, const char *target)
{
    char path[PATH_MAX];
    if (!text_starts_with(target, "/run/") || !strchr(target + strlen("/run/"), '/'))
        return 0;
    CLEANUP_FD int fd = mounts_open(AT_FDCWD, target, false);
    if (fd < 0 || is_ours(work, fd))
        return 0;
    text_copy(path, sizeof path, target);
    *strrchr(path, '/') = '\0';
    const struct view_step directory = {.flags = VIEW_READ_ONLY, .target = path};
    return lay_tmpfs(work, &directory);
}

static int lay_bind(struct view_work *work, size_t i)
{
    struct stat status;
    int source = work->sources[i];
    const char *real = work->targets[i], *path = real ? real : work->view->steps[i].target;
    if (source < 0)
        return 0; /* missing, and that is fine */
    if (fstat(source, &status) < 0)
        return -1;
    if (real && !S_ISDIR(status.st_mode) && cover_hosts_run(work, real) < 0)
        return -1;
    bool is_directory = S_ISDIR(status.st_mode);
    CLEANUP_FD int target = make_target(work, path, is_directory);
    if (target < 0 || fstat(target, &status) < 0)
        return -1;
    errno = is_directory ? ENOTDIR : EISDIR; /* the kernel would say EINVAL */
    return S_ISDIR(status.st_mode) == is_directory ? mounts_attach(source, target) : -1;
}

static int lay_hide(struct view_work *work, const struct view_step *step)
{
    struct stat status;
    CLEANUP_FD int target = mounts_open(AT_FDCWD, step->target, step->flags & VIEW_FOLLOW);
    if (target < 0)
        return is_missing(errno) ? 0 : -1;
    if (fstat(target, &status) < 0)
        return -1;
    errno = EINVAL; /* a view without a file system of its own: nobody builds one */
    if (work->nothing < 0)
        return -1;
    CLEANUP_FD int part = openat(work->nothing, S_ISDIR(status.st_mode) ? "directory" : "file", O_PATH | O_CLOEXEC);
    CLEANUP_FD int mount = part < 0 ? -1 : mounts_clone(part);
    return mount < 0 ? -1 : mounts_attach(mount, target);
}

static int lay_lock(const struct view_step *step)
{
    CLEANUP_FD int target = mounts_open(AT_FDCWD, step->target, step->flags & VIEW_FOLLOW);
    CLEANUP_FD int mount = target < 0 ? -1 : mounts_clone(target);
    if (mount < 0 || mounts_set(mount, MOUNT_ATTR_RDONLY, 0) < 0)
        return -1;
    return mounts_attach(mount, target);
}

static int seal(const struct view_step *step)
{
    CLEANUP_FD int mount = mounts_open(AT_FDCWD, step->target, step->flags & VIEW_FOLLOW);
    uint64_t set = HARMLESS | (step->flags & VIEW_READ_ONLY ? MOUNT_ATTR_RDONLY : 0);
    return mount < 0 ? -1 : mounts_set(mount, set, 0);
}

/* --- all together ------------------------------------------------------------------------------------------- */

static int perform(struct view_work *work, size_t i)
{
    const struct view_step *step = &work->view->steps[i];
    switch ((enum view_kind)step->kind) {
    case VIEW_SEAL: return seal(step);
    case VIEW_TMPFS: return lay_tmpfs(work, step);
    case VIEW_BIND: return lay_bind(work, i);
    case VIEW_HIDE: return lay_hide(work, step);
    case VIEW_PROC: return lay_new(work, step, "proc");
    case VIEW_SYS: return lay_new(work, step, "sysfs");
    case VIEW_CGROUP: return lay_cgroup(work, step);
    case VIEW_DEV: return lay_dev(work, step);
    case VIEW_LOCK: return lay_lock(step);
    case VIEW_KINDS: break;
    }
    errno = EINVAL;
    return -1;
}

int view_lay_out(struct view_work *work)
{
    for (size_t i = 0; i < work->view->count; i++) {
        const struct view_step *step = &work->view->steps[i];
        work->object = step->target;
        if (perform(work, i) < 0 && !(is_missing(errno) && step->flags & VIEW_OPTIONAL))
            return -1;
    }
    for (size_t i = 0; i < work->area_count; i++) {
        work->object = work->areas[i].target;
        if (work->areas[i].read_only && mounts_lock(work->areas[i].mount) < 0)
            return -1;
    }
    return 0;
}
