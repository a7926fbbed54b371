/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of the cgroup v2 tree. */
#include "zone/cgroup.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *const leaves[] = {"shim", "payload"};
enum { LEAVES = sizeof leaves / sizeof *leaves, POLL_MS = 2, PROCS_MAX = 1 << 20 };

bool cgroup_find(char root[PATH_MAX])
{
    static const char *const candidates[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct statfs status;
        if (statfs(candidates[i], &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC)
            return text_copy(root, PATH_MAX, candidates[i]);
    }
    return false;
}

static int join(char path[PATH_MAX], const char *directory, const char *name, struct error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return error_errno(err, ENAMETOOLONG, "cgroup %s", directory);
    return 0;
}

int cgroup_make(const char *path, struct error *err)
{
    int result = 0;
    for (size_t i = 0; i < LEAVES && result == 0; i++) {
        char leaf[PATH_MAX];
        result = join(leaf, path, leaves[i], err);
        if (result == 0)
            result = directory_make(leaf, 0755, err);
    }
    return result;
}

int cgroup_open(const char *path, const char *name, int *fd, struct error *err)
{
    char leaf[PATH_MAX];
    int result = join(leaf, path, name, err);
    if (result < 0)
        return result;
    *fd = open(leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? error_errno(err, errno, "open cgroup %s", leaf) : 0;
}

int cgroup_move(const char *path, const char *name, pid_t pid, struct error *err)
{
    char file[PATH_MAX], number[16];
    int result = join(file, path, name, err);
    if (result == 0 && !text_copy(file + strlen(file), sizeof file - strlen(file), "/cgroup.procs"))
        result = error_errno(err, ENAMETOOLONG, "cgroup %s", path);
    if (result < 0)
        return result;
    snprintf(number, sizeof number, "%d", (int)pid);
    return file_poke(file, number, err);
}

int cgroup_of(const char *root, pid_t pid, char path[PATH_MAX], struct error *err)
{
    char file[64];
    CLEANUP_FREE char *content = NULL;
    snprintf(file, sizeof file, "/proc/%d/cgroup", (int)pid);
    int result = file_read(file, 64 * 1024, &content, NULL, err);
    if (result < 0)
        return result;
    /* "0::/path" is the v2 line, cgroups(7); on a hybrid host it stands among others. */
    char *line = text_starts_with(content, "0::") ? content : strstr(content, "\n0::");
    if (!line)
        return error_set(err, ENOENT, "%s names no cgroup v2", file);
    char *below = strchr(line, '/');
    below[strcspn(below, "\n")] = '\0';
    if ((size_t)snprintf(path, PATH_MAX, "%s%s", root, below[1] ? below : "") >= PATH_MAX)
        return error_errno(err, ENAMETOOLONG, "cgroup of process %d", (int)pid);
    return 0;
}

/* --- ending ------------------------------------------------------------------------------------- */

/* For kernels without cgroup.kill (before 5.14): process by process, one leaf. */
static int kill_each(const char *path)
{
    char file[PATH_MAX];
    CLEANUP_FREE char *content = NULL;
    if (join(file, path, "cgroup.procs", NULL) < 0 || file_read(file, PROCS_MAX, &content, NULL, NULL) < 0)
        return 0;
    for (char *line = content, *rest; *line; line = rest) {
        long pid = strtol(line, &rest, 10);
        if (rest == line)
            break;
        if (pid > 0)
            kill((pid_t)pid, SIGKILL);
        rest += strspn(rest, "\n");
    }
    return 0;
}

int cgroup_kill(const char *path, struct error *err)
{
    char file[PATH_MAX];
    struct error cause = {0};
    int result = join(file, path, "cgroup.kill", err);
    if (result < 0 || access(path, F_OK) < 0)
        return result;
    result = file_poke(file, "1", &cause);
    if (result == -ENOENT && access(path, F_OK) == 0) {
        for (size_t i = 0; i < LEAVES; i++) {
            if (join(file, path, leaves[i], err) == 0)
                kill_each(file);
        }
        return kill_each(path);
    }
    if (result < 0 && result != -ENOENT && result != -ENODEV) {
        if (err)
            *err = cause;
        return result;
    }
    return 0;
}

/* "populated 0" means that no process is in it or below, zombies apart. */
static bool populated(const char *path)
{
    char file[PATH_MAX];
    CLEANUP_FREE char *content = NULL;
    return join(file, path, "cgroup.events", NULL) == 0 && file_read(file, 4096, &content, NULL, NULL) == 0 &&
           strstr(content, "populated 1") != NULL;
}

static int remove_tree(const char *path)
{
    for (size_t i = 0; i < LEAVES; i++) {
        char leaf[PATH_MAX];
        if (join(leaf, path, leaves[i], NULL) == 0 && rmdir(leaf) < 0 && errno != ENOENT)
            return -errno;
    }
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_remove(const char *path, unsigned timeout_ms, struct error *err)
{
    for (unsigned waited = 0;; waited += POLL_MS) {
        /* EBUSY although nothing is populated: the last process is still on its way out. */
        int result = populated(path) ? -EBUSY : remove_tree(path);
        if (result == 0)
            return 0;
        if (result != -EBUSY)
            return error_errno(err, -result, "remove cgroup %s", path);
        if (waited >= timeout_ms)
            return error_set(err, EBUSY, "remove cgroup %s: processes in it do not end; see %s/*/cgroup.procs", path,
                             path);
        poll(NULL, 0, POLL_MS);
    }
}
