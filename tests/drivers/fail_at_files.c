/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and files that fail: see fail_at_wrap.h. */
#undef _FORTIFY_SOURCE
#include "fail_at_wrap.h"

/* --- memory: dlsym() may ask for some, so by the names that the C library has besides --------------------------- */

#define MEMORY(name, parameters, arguments)               \
    void *__libc_##name parameters;                       \
    EXPORTED void *name parameters;                       \
    void *name parameters                                 \
    {                                                     \
        int error = fail_now(CALL_##name, ON_NOTHING, 0); \
        if (!error)                                       \
            return __libc_##name arguments;               \
        errno = error;                                    \
        return NULL;                                      \
    }

MEMORY(malloc, (size_t size), (size))
MEMORY(calloc, (size_t count, size_t size), (count, size))
MEMORY(realloc, (void *old, size_t size), (old, size))

/* --- files ------------------------------------------------------------------------------------------------------- */

EXPORTED int open(const char *path, int flags, ...);
EXPORTED int openat(int directory, const char *path, int flags, ...);

int open(const char *path, int flags, ...)
{
    NEXT(open, int, (const char *, int, ...));
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = va_arg(arguments, unsigned); /* whatever that is, where there is none */
    va_end(arguments);
    int error = fail_now(CALL_open, ON_PATH, (intptr_t)path);
    if (!error)
        return next(path, flags, mode);
    errno = error;
    return -1;
}

int openat(int directory, const char *path, int flags, ...)
{
    NEXT(openat, int, (int, const char *, int, ...));
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = va_arg(arguments, unsigned);
    va_end(arguments);
    int error = fail_now(CALL_openat, ON_PATH, (intptr_t)path);
    if (!error)
        return next(directory, path, flags, mode);
    errno = error;
    return -1;
}

POINTER(fopen, ON_PATH, path, (const char *path, const char *mode), (path, mode))
POINTER(opendir, ON_PATH, path, (const char *path), (path))
POINTER(fdopendir, ON_FD, fd, (int fd), (fd))
POINTER(readdir, ON_NOTHING, 0, (void *directory), (directory))
POINTER(fts_open, ON_PATH, *paths, (char *const *paths, int options, void *compare), (paths, options, compare))
POINTER(fts_read, ON_NOTHING, 0, (void *tree), (tree))
POINTER(realpath, ON_PATH, path, (const char *path, char *to), (path, to))
BYTES(read, ON_FD, fd, (int fd, void *data, size_t size), (fd, data, size))
BYTES(pread, ON_FD, fd, (int fd, void *data, size_t size, long at), (fd, data, size, at))
WRITING(write, (int fd, const void *data, size_t size), (fd, data, size), (fd, data, size / 2))
WRITING(pwrite, (int fd, const void *data, size_t size, long at), (fd, data, size, at), (fd, data, size / 2, at))
CALL(fsync, ON_FD, fd, (int fd), (fd))
CALL(fdatasync, ON_FD, fd, (int fd), (fd))
CALL(syncfs, ON_FD, fd, (int fd), (fd))
CALL(ftruncate, ON_FD, fd, (int fd, long size), (fd, size))
CALL(rename, ON_PATH, to, (const char *from, const char *to), (from, to))
CALL(renameat2, ON_PATH, to, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
CALL(mkdir, ON_PATH, path, (const char *path, unsigned mode), (path, mode))
CALL(mkdirat, ON_PATH, path, (int directory, const char *path, unsigned mode), (directory, path, mode))
CALL(rmdir, ON_PATH, path, (const char *path), (path))
CALL(unlink, ON_PATH, path, (const char *path), (path))
CALL(unlinkat, ON_PATH, path, (int directory, const char *path, int flags), (directory, path, flags))
CALL(chmod, ON_PATH, path, (const char *path, unsigned mode), (path, mode))
CALL(fchmod, ON_FD, fd, (int fd, unsigned mode), (fd, mode))
CALL(fchown, ON_FD, fd, (int fd, unsigned user, unsigned group), (fd, user, group))
CALL(lchown, ON_PATH, path, (const char *path, unsigned user, unsigned group), (path, user, group))
CALL(futimens, ON_FD, fd, (int fd, const void *times), (fd, times))
CALL(stat, ON_PATH, path, (const char *path, void *status), (path, status))
CALL(lstat, ON_PATH, path, (const char *path, void *status), (path, status))
CALL(fstatat, ON_PATH, path, (int directory, const char *path, void *status, int flags),
     (directory, path, status, flags))
CALL(statfs, ON_PATH, path, (const char *path, void *status), (path, status))
CALL(fstatfs, ON_FD, fd, (int fd, void *status), (fd, status))
CALL(statvfs, ON_PATH, path, (const char *path, void *status), (path, status))
CALL(access, ON_PATH, path, (const char *path, int mode), (path, mode))
BYTES(readlink, ON_PATH, path, (const char *path, char *to, size_t size), (path, to, size))
BYTES(readlinkat, ON_PATH, path, (int directory, const char *path, char *to, size_t size), (directory, path, to, size))
BYTES(getxattr, ON_PATH, path, (const char *path, const char *name, void *to, size_t size), (path, name, to, size))
CALL(flock, ON_FD, fd, (int fd, int operation), (fd, operation))
CALL(mount, ON_PATH, to, (const char *from, const char *to, const char *type, unsigned long flags, const void *data),
     (from, to, type, flags, data))
CALL(umount2, ON_PATH, path, (const char *path, int flags), (path, flags))
CALL(chdir, ON_PATH, path, (const char *path), (path))
