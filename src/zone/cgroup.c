/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of the cgroup v2 tree. */
#include "zone/cgroup.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/files.h"

#include <dirent.h>
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
enum {
    LEAVES = sizeof leaves / sizeof *leaves,
    POLL_MS = 2,
    PROCS_MAX = 1 << 20, /* bytes of cgroup.procs */
    DEPTH_MAX = 32,      /* an app that may write there makes directories as it likes */
};

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

bool cgroup_join(char path[PATH_MAX], const char *directory, const char *name)
{
    return (size_t)snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

static int join(char path[PATH_MAX], const char *directory, const char *name, struct error *err)
{
    return cgroup_join(path, directory, name) ? 0 : error_errno(err, ENAMETOOLONG, "cgroup %s", directory);
}

/* --- attributes --------------------------------------------------------------------------------- */

bool cgroup_read(const char *path, const char *attribute, char *content, size_t size)
{
    char file[PATH_MAX];
    content[0] = '\0';
    if (!cgroup_join(file, path, attribute))
        return false;
    CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, content, size - 1);
    content[got > 0 ? got : 0] = '\0';
    return got >= 0;
}

bool cgroup_number(const char *path, const char *attribute, uint64_t *number)
{
    char content[32];
    if (!cgroup_read(path, attribute, content, sizeof content))
        return false;
    content[strcspn(content, "\n")] = '\0';
    *number = UINT64_MAX;
    return strcmp(content, "max") == 0 || text_to_u64(content, UINT64_MAX, number);
}

bool cgroup_keyed(const char *content, const char *key, uint64_t *number)
{
    size_t length = strlen(key);
    for (const char *line = content; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            *number = strtoull(line + length + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

int cgroup_write(const char *path, const char *attribute, const char *value)
{
    char file[PATH_MAX];
    return cgroup_join(file, path, attribute) ? file_poke(file, value, NULL) : -ENAMETOOLONG;
}

/* --- walking ------------------------------------------------------------------------------------- */

static int walk(const char *path, unsigned depth, int (*visit)(const char *path, void *context), void *context)
{
    CLEANUP_DIR DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char below[PATH_MAX];
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (depth == DEPTH_MAX || !cgroup_join(below, path, entry->d_name))
            return -ELOOP;
        int result = walk(below, depth + 1, visit, context);
        if (result != 0)
            return result;
    }
    return visit(path, context);
}

int cgroup_walk(const char *path, int (*visit)(const char *path, void *context), void *context)
{
    return walk(path, 0, visit, context);
}

struct pid_list {
    pid_t *items;
    size_t count, capacity;
};

static int add_pid(struct pid_list *list, pid_t pid)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        pid_t *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = pid;
    return 0;
}

static int add_processes(const char *path, void *context)
{
    char file[PATH_MAX];
    CLEANUP_FREE char *content = NULL;
    int result = cgroup_join(file, path, "cgroup.procs") ? file_read(file, PROCS_MAX, &content, NULL, NULL) : 0;
    if (result < 0)
        return result == -ENOENT || result == -ENODEV ? 0 : result;
    for (char *line = content, *rest; line && *line; line = rest) {
        long pid = strtol(line, &rest, 10);
        if (rest == line)
            break;
        if (pid > 0 && (result = add_pid(context, (pid_t)pid)) < 0) /* 0: of a pid namespace that we do not see */
            return result;
        rest += strspn(rest, "\n");
    }
    return 0;
}

int cgroup_processes(const char *path, pid_t **pids, size_t *count)
{
    struct pid_list list = {0};
    int result = cgroup_walk(path, add_processes, &list);
    if (result < 0) {
        free(list.items);
        return result;
    }
    *pids = list.items;
    *count = list.count;
    return 0;
}

/* --- making -------------------------------------------------------------------------------------- */

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

int cgroup_open(const char *path, int *fd, struct error *err)
{
    int result = directory_make(path, 0755, err);
    if (result < 0)
        return result;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? error_errno(err, errno, "open cgroup %s", path) : 0;
}

int cgroup_move(const char *path, const char *name, pid_t pid, struct error *err)
{
    char leaf[PATH_MAX], file[PATH_MAX], number[16];
    int result = join(leaf, path, name, err);
    if (result == 0)
        result = join(file, leaf, "cgroup.procs", err);
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

/* For kernels without cgroup.kill (before 5.14): process by process. */
static int kill_each(const char *path)
{
    CLEANUP_FREE pid_t *pids = NULL;
    size_t count = 0;
    int result = cgroup_processes(path, &pids, &count);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    return result;
}

int cgroup_kill(const char *path, struct error *err)
{
    if (access(path, F_OK) < 0)
        return 0;
    int result = cgroup_write(path, "cgroup.kill", "1");
    if (result == -ENOENT && access(path, F_OK) == 0)
        result = kill_each(path);
    return result == 0 || result == -ENOENT || result == -ENODEV
               ? 0
               : error_errno(err, -result, "end what is in cgroup %s", path);
}

/* "populated 0" means that no process is in it or below, zombies apart. */
static bool populated(const char *path)
{
    char content[256];
    return cgroup_read(path, "cgroup.events", content, sizeof content) && strstr(content, "populated 1") != NULL;
}

static int remove_one(const char *path, void *context)
{
    (void)context;
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_remove(const char *path, unsigned timeout_ms, struct error *err)
{
    for (unsigned waited = 0;; waited += POLL_MS) {
        /* EBUSY although nothing is populated: the last process is still on its way out. */
        int result = populated(path) ? -EBUSY : cgroup_walk(path, remove_one, NULL);
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
