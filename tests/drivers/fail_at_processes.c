/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes, descriptors and users that fail: see fail_at_wrap.h. */
#undef _FORTIFY_SOURCE
#include "fail_at_wrap.h"

#include <linux/fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* --- processes and descriptors ----------------------------------------------------------------------------------- */

CALL(setns, ON_NOTHING, 0, (int fd, int kind), (fd, kind))
CALL(unshare, ON_NOTHING, 0, (int flags), (flags))
CALL(fork, ON_NOTHING, 0, (void), ())
CALL(dup2, ON_NOTHING, 0, (int fd, int to), (fd, to))
CALL(dup3, ON_NOTHING, 0, (int fd, int to, int flags), (fd, to, flags))
CALL(pipe2, ON_NOTHING, 0, (int fds[2], int flags), (fds, flags))
CALL(eventfd, ON_NOTHING, 0, (unsigned value, int flags), (value, flags))
CALL(memfd_create, ON_NOTHING, 0, (const char *name, unsigned flags), (name, flags))
CALL(poll, ON_NOTHING, 0, (void *fds, unsigned long count, int milliseconds), (fds, count, milliseconds))
CALL(epoll_create1, ON_NOTHING, 0, (int flags), (flags))
CALL(epoll_ctl, ON_FD, fd, (int epoll, int operation, int fd, void *event), (epoll, operation, fd, event))
CALL(epoll_wait, ON_NOTHING, 0, (int epoll, void *events, int count, int wait), (epoll, events, count, wait))
CALL(timerfd_create, ON_NOTHING, 0, (int clock, int flags), (clock, flags))
CALL(signalfd, ON_NOTHING, 0, (int fd, const void *mask, int flags), (fd, mask, flags))
CALL(waitid, ON_NOTHING, 0, (int kind, unsigned id, void *info, int options), (kind, id, info, options))
CALL(waitpid, ON_NOTHING, 0, (int pid, int *status, int options), (pid, status, options))
CALL(setrlimit, ON_NOTHING, 0, (int what, const void *limit), (what, limit))
CALL(setresuid, ON_NOTHING, 0, (unsigned a, unsigned b, unsigned c), (a, b, c))
CALL(setresgid, ON_NOTHING, 0, (unsigned a, unsigned b, unsigned c), (a, b, c))
CALL(setgroups, ON_NOTHING, 0, (size_t count, const unsigned *groups), (count, groups))
CALL(setsid, ON_NOTHING, 0, (void), ())
CALL(posix_openpt, ON_NOTHING, 0, (int flags), (flags))
CALL(getifaddrs, ON_NOTHING, 0, (void **list), (list))
CALL(getgrouplist, ON_NOTHING, 0, (const char *user, unsigned group, unsigned *groups, int *count),
     (user, group, groups, count))
POINTER(getpwnam, ON_NOTHING, 0, (const char *name), (name))
POINTER(getgrnam, ON_NOTHING, 0, (const char *name), (name))
POINTER(getpwuid, ON_NOTHING, 0, (unsigned id), (id))
RETURNING(getpwnam_r, (const char *name, void *entry, char *text, size_t size, void **found),
          (name, entry, text, size, found))
RETURNING(getgrnam_r, (const char *name, void *entry, char *text, size_t size, void **found),
          (name, entry, text, size, found))
RETURNING(pthread_create, (unsigned long *thread, const void *how, void *(*run)(void *), void *context),
          (thread, how, run, context))

/* --- those that take any number of arguments: no caller has more than these --------------------------- */

#define TAKE_MORE(count)                   \
    long more[count];                      \
    va_list arguments;                     \
    va_start(arguments, what);             \
    for (int i = 0; i < (count); i++)      \
        more[i] = va_arg(arguments, long); \
    va_end(arguments)

EXPORTED int fcntl(int fd, int what, ...);
EXPORTED int ioctl(int fd, unsigned long what, ...);
EXPORTED int prctl(int what, ...);
EXPORTED long syscall(long what, ...);

int fcntl(int fd, int what, ...)
{
    NEXT(fcntl, int, (int, int, ...));
    TAKE_MORE(1);
    bool makes_one = what == F_DUPFD || what == F_DUPFD_CLOEXEC; /* the others cannot fail */
    int error = makes_one ? fail_now(CALL_fcntl, ON_FD, fd) : 0;
    if (!error)
        return next(fd, what, more[0]);
    errno = error;
    return -1;
}

int ioctl(int fd, unsigned long what, ...)
{
    NEXT(ioctl, int, (int, unsigned long, ...));
    TAKE_MORE(1);
    int error = fail_now(CALL_ioctl, ON_FD, fd);
    if (!error)
        return next(fd, what, more[0]);
    errno = error;
    return -1;
}

int prctl(int what, ...)
{
    NEXT(prctl, int, (int, ...));
    TAKE_MORE(4);
    int error = fail_now(CALL_prctl, ON_NOTHING, 0);
    if (!error)
        return next(what, more[0], more[1], more[2], more[3]);
    errno = error;
    return -1;
}

/* What the agent calls without a function of the C library. */
static int fault_of_syscall(long what, const long more[])
{
    switch (what) {
    case SYS_clone3: return fail_now(CALL_clone3, ON_NOTHING, 0);
    case SYS_pidfd_open: return fail_now(CALL_pidfd_open, ON_NOTHING, 0);
    case SYS_pidfd_send_signal: return fail_now(CALL_pidfd_send_signal, ON_NOTHING, 0);
    case SYS_openat2: return fail_now(CALL_openat2, ON_PATH, more[1]);
    case SYS_close_range: return fail_now(CALL_close_range, ON_NOTHING, 0);
    default: return 0;
    }
}

long syscall(long what, ...)
{
    NEXT(syscall, long, (long, ...));
    TAKE_MORE(6);
    int error = fault_of_syscall(what, more);
    if (!error)
        return next(what, more[0], more[1], more[2], more[3], more[4], more[5]);
    errno = error;
    return -1;
}

/* --- executing --------------------------------------------------------------------------------------------------- */

EXPORTED int execve(const char *path, char *const words[], char *const environment[]);

/* These are walked too. They have little in their environment. */
static bool is_role(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && (strcmp(slash + 1, "bluegreen-api") == 0 || strcmp(slash + 1, "bluegreen-probe") == 0);
}

int execve(const char *path, char *const words[], char *const environment[])
{
    NEXT(execve, int, (const char *, char *const[], char *const[]));
    static const char *const names[] = {"LD_PRELOAD", FAIL_ENVIRONMENT};
    static char more[2][512];
    char *all[32];
    size_t count = 0, added = 0;
    int error = fail_now(CALL_execve, ON_PATH, (intptr_t)path);
    if (error) {
        errno = error;
        return -1;
    }
    if (!is_role(path))
        return next(path, words, environment);
    while (environment[count] && count < 28) {
        all[count] = environment[count];
        count++;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        if (value && strlen(value) < sizeof more[0] - 16) {
            strcpy(stpcpy(stpcpy(more[i], names[i]), "="), value);
            all[count + added++] = more[i];
        }
    }
    all[count + added] = NULL;
    return next(path, words, all);
}
