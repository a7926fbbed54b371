/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: whole reads with a bound, atomic writes, directories, sysctls. */
#include "os/files.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t max, char **content, size_t *length, struct error *err)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        if (used + 1 >= capacity) { /* /proc and pipes tell no size: grow as it comes */
            capacity = capacity ? capacity * 2 : 4096;
            char *more = realloc(bytes, capacity);
            if (!more)
                return error_errno(err, ENOMEM, "read %s", path);
            bytes = more;
        }
        ssize_t got = read(fd, bytes + used, capacity - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read %s", path);
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > max)
            return error_set(err, EFBIG, "read %s: more than %zu bytes", path, max);
    }
    bytes[used] = '\0';
    *content = steal_ptr(&bytes);
    if (length)
        *length = used;
    return 0;
}

int file_read(const char *path, size_t max, char **content, size_t *length, struct error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, errno, "open %s", path);
    return read_all(fd, path, max, content, length, err);
}

int file_read_untrusted(const char *path, size_t max, char **content, size_t *length, struct error *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = RESOLVE_NO_SYMLINKS};
    CLEANUP_FD int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, ELOOP,
                         "open %s: a symbolic link is on the way, and could lead anywhere; name the real path", path);
    if (fd < 0)
        return error_errno(err, errno, "open %s", path);
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return error_set(err, EINVAL, "open %s: it is no regular file", path);
    return read_all(fd, path, max, content, length, err);
}

int file_write_all(int fd, const void *bytes, size_t length)
{
    const char *rest = bytes;
    while (length > 0) {
        ssize_t put = write(fd, rest, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        rest += put;
        length -= (size_t)put;
    }
    return 0;
}

static int fsync_parent(const char *path)
{
    char parent[PATH_MAX];
    if (!text_copy(parent, sizeof parent, path))
        return -ENAMETOOLONG;
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    CLEANUP_FD int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, mode_t mode, const void *content, size_t length, struct error *err)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return error_errno(err, ENAMETOOLONG, "write %s", path);
    CLEANUP_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, errno, "create %s", temporary);
    int result = file_write_all(fd, content, length);
    if (result == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        result = -errno;
    if (result == 0 && rename(temporary, path) < 0)
        result = -errno;
    if (result < 0) {
        unlink(temporary);
        return error_errno(err, -result, "write %s", path);
    }
    result = fsync_parent(path);
    return result < 0 ? error_errno(err, -result, "sync the directory of %s", path) : 0;
}

int file_poke(const char *path, const char *value, struct error *err)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open %s", path);
    if (write(fd, value, strlen(value)) < 0)
        return error_errno(err, errno, "write \"%s\" to %s", value, path);
    return 0;
}

int file_peek(const char *path, char *value, size_t size, struct error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open %s", path);
    ssize_t got = read(fd, value, size - 1);
    if (got < 0)
        return error_errno(err, errno, "read %s", path);
    value[got] = '\0';
    value[strcspn(value, "\n")] = '\0';
    return 0;
}

int directory_make(const char *path, mode_t mode, struct error *err)
{
    char partial[PATH_MAX];
    if (!text_copy(partial, sizeof partial, path))
        return error_errno(err, ENAMETOOLONG, "make directory %s", path);
    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(partial, slash ? 0755 : mode) < 0 && errno != EEXIST)
            return error_errno(err, errno, "make directory %s", partial);
        if (!slash)
            break;
        *slash = '/';
    }
    struct stat status;
    if (stat(path, &status) < 0)
        return error_errno(err, errno, "make directory %s", path);
    return S_ISDIR(status.st_mode) ? 0 : error_errno(err, ENOTDIR, "make directory %s", path);
}

static int remove_entries(int directory_fd, unsigned depth);

static int remove_entry(int parent, const char *name, unsigned depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    CLEANUP_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = remove_entries(fd, depth + 1);
    if (result < 0)
        return result;
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_entries(int directory_fd, unsigned depth)
{
    if (depth > 64) /* ours are three deep */
        return -ELOOP;
    int copy = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int result = -errno;
        close_fd(&copy);
        return result;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int result = remove_entry(directory_fd, entry->d_name, depth);
        if (result < 0)
            return result;
    }
    return 0;
}

int directory_remove(const char *path, struct error *err)
{
    int result = remove_entry(AT_FDCWD, path, 0);
    return result < 0 ? error_errno(err, -result, "remove %s", path) : 0;
}

int file_tail(const char *path, uint64_t skip, unsigned lines, char *tail, size_t size)
{
    tail[0] = '\0';
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t begin = end < (off_t)skip ? 0 : (off_t)skip;
    off_t from = end - begin > (off_t)size - 1 ? end - ((off_t)size - 1) : begin;
    ssize_t got = pread(fd, tail, size - 1, from);
    if (got < 0)
        return -errno;
    for (ssize_t i = 0; i < got; i++) /* an app may log NULs: they would end the text early */
        tail[i] = tail[i] ? tail[i] : '?';
    tail[got] = '\0';
    while (got > 0 && tail[got - 1] == '\n')
        tail[--got] = '\0';
    char *start = tail + got;
    for (unsigned seen = 0; start > tail; start--) {
        if (start[-1] == '\n' && ++seen == lines)
            break;
    }
    if (start == tail && from > begin) { /* the first line was cut off at the front: drop what is left of it */
        char *newline = strchr(tail, '\n');
        start = newline ? newline + 1 : start;
    }
    memmove(tail, start, strlen(start) + 1);
    for (char *line = tail; line;) {
        char *newline = strchr(line, '\n');
        if (newline)
            *newline = '\0';
        text_sanitise(line);
        if (newline)
            *newline++ = '\n';
        line = newline;
    }
    return 0;
}
