/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel really says when a call fails that is right in itself: for each call, and for some by its object. */
#pragma once

#include "fail_at.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { ERRORS_MAX = 6 };

static const char *const fail_names[] = {
#define FAIL_NAME(name) #name,
    FAIL_CALLS(FAIL_NAME)
#undef FAIL_NAME
};

/* The first row that fits is taken. `on` is the beginning of the object. */
static const struct possible_errors {
    enum fail_call call;
    const char *on;
    int errors[ERRORS_MAX]; /* ended by 0 */
} possible_errors[] = {
    {CALL_malloc, "", {ENOMEM}},
    {CALL_calloc, "", {ENOMEM}},
    {CALL_realloc, "", {ENOMEM}},
    {CALL_open, "/sys/fs/cgroup", {EMFILE, ENOMEM, EACCES}},
    {CALL_open, "/proc", {EMFILE, ENOMEM, EPERM}},
    {CALL_open, "", {EMFILE, ENOSPC, EROFS, EIO}},
    {CALL_openat, "/sys/fs/cgroup", {EMFILE, ENOMEM, EACCES}},
    {CALL_openat, "", {EMFILE, ENOSPC, EROFS, EIO}},
    {CALL_openat2, "", {EMFILE, ENOMEM, EIO}},
    {CALL_fopen, "", {EMFILE, ENOMEM, EIO}},
    {CALL_opendir, "", {EMFILE, ENOMEM}},
    {CALL_fdopendir, "", {ENOMEM}},
    {CALL_readdir, "", {EIO}},
    {CALL_fts_open, "", {EMFILE, ENOMEM}},
    {CALL_fts_read, "", {ENOMEM}},
    {CALL_realpath, "", {ENOMEM}},
    {CALL_read, "/proc", {ENOMEM}},
    {CALL_read, "/sys/fs/cgroup", {ENOMEM, ENODEV}},
    {CALL_read, "/", {EIO}},
    {CALL_read, "pipe", {EINTR}},
    {CALL_read, "", {EINTR}},
    {CALL_pread, "/proc", {ENOMEM}},
    {CALL_pread, "/sys/fs/cgroup", {ENOMEM, ENODEV}},
    {CALL_pread, "", {EIO}},
    {CALL_write, "/sys/fs/cgroup", {EBUSY, ENOMEM, EINVAL}},
    {CALL_write, "/proc", {EPERM, ENOMEM, EINVAL}},
    {CALL_write, "/", {ENOSPC, EIO, EINTR, EDQUOT, FAIL_SHORT}},
    {CALL_write, "pipe", {EAGAIN, EPIPE, EINTR}},
    {CALL_write, "", {EAGAIN, EINTR}},
    {CALL_pwrite, "", {ENOSPC, EIO, FAIL_SHORT}},
    {CALL_fsync, "", {EIO, ENOSPC}},
    {CALL_fdatasync, "", {EIO, ENOSPC}},
    {CALL_syncfs, "", {EIO}},
    {CALL_ftruncate, "", {EIO, ENOSPC}},
    {CALL_rename, "", {ENOSPC, EROFS, EIO}},
    {CALL_renameat2, "", {ENOSPC, EROFS, EIO}},
    {CALL_mkdir, "/sys/fs/cgroup", {EAGAIN, ENOMEM, EBUSY}},
    {CALL_mkdir, "", {ENOSPC, EROFS, EIO}},
    {CALL_mkdirat, "/sys/fs/cgroup", {EAGAIN, ENOMEM, EBUSY}},
    {CALL_mkdirat, "", {ENOSPC, EROFS, EIO}},
    {CALL_rmdir, "", {EBUSY, EIO}},
    {CALL_unlink, "", {EROFS, EIO}},
    {CALL_unlinkat, "", {EROFS, EIO}},
    {CALL_chmod, "", {EROFS, EIO}},
    {CALL_fchmod, "", {EROFS, EIO}},
    {CALL_fchown, "", {EROFS, EDQUOT}},
    {CALL_lchown, "", {EROFS, EDQUOT}},
    {CALL_futimens, "", {EROFS}},
    {CALL_stat, "", {ENOMEM, EIO}},
    {CALL_lstat, "", {ENOMEM, EIO}},
    {CALL_fstatat, "", {ENOMEM, EIO}},
    {CALL_statfs, "", {ENOMEM}},
    {CALL_statvfs, "", {EIO}},
    {CALL_access, "", {ENOMEM, EIO}},
    {CALL_readlink, "", {ENOMEM}},
    {CALL_readlinkat, "", {ENOMEM}},
    {CALL_getxattr, "", {ENOMEM, EOPNOTSUPP}},
    {CALL_flock, "", {ENOLCK}},
    {CALL_mount, "", {ENOMEM, ENOSPC, EPERM}},
    {CALL_umount2, "", {ENOMEM}}, /* with MNT_DETACH never EBUSY */
    {CALL_chdir, "", {ENOMEM, EACCES}},
    {CALL_setns, "", {ENOMEM, EPERM}},
    {CALL_unshare, "", {ENOMEM, ENOSPC, EPERM}},
    {CALL_fork, "", {EAGAIN, ENOMEM}},
    {CALL_clone3, "", {EAGAIN, ENOMEM, ENOSPC}},
    {CALL_execve, "", {ENOMEM, EACCES}},
    {CALL_pidfd_open, "", {EMFILE, ENOMEM}},
    {CALL_close_range, "", {ENOMEM}},
    {CALL_dup2, "", {EINTR}},
    {CALL_dup3, "", {EINTR}},
    {CALL_fcntl, "", {EMFILE}},
    {CALL_ioctl, "", {ENOMEM, EIO}},
    {CALL_pipe2, "", {EMFILE, ENFILE}},
    {CALL_eventfd, "", {EMFILE, ENOMEM}},
    {CALL_memfd_create, "", {EMFILE, ENOMEM}},
    {CALL_poll, "", {EINTR}},
    {CALL_epoll_create1, "", {EMFILE, ENOMEM}},
    {CALL_epoll_ctl, "", {ENOMEM, ENOSPC}},
    {CALL_epoll_wait, "", {EINTR}},
    {CALL_timerfd_create, "", {EMFILE, ENOMEM}},
    {CALL_signalfd, "", {EMFILE, ENOMEM}},
    {CALL_waitpid, "", {EINTR}},
    {CALL_prctl, "", {EPERM}},
    {CALL_setrlimit, "", {EPERM}},
    {CALL_setresuid, "", {EAGAIN}},
    {CALL_setresgid, "", {EAGAIN}},
    {CALL_setgroups, "", {ENOMEM}},
    {CALL_setsid, "", {EPERM}},
    {CALL_getpwnam, "", {EMFILE, EIO}},
    {CALL_getgrnam, "", {EMFILE, EIO}},
    {CALL_getpwuid, "", {EMFILE, EIO}},
    {CALL_getpwnam_r, "", {EMFILE, EIO}},
    {CALL_getgrnam_r, "", {EMFILE, EIO}},
    {CALL_getgrouplist, "", {ENOMEM}},
    {CALL_getifaddrs, "", {EMFILE, ENOMEM}},
    {CALL_posix_openpt, "", {ENOSPC, EMFILE}},
    {CALL_pthread_create, "", {EAGAIN}},
    {CALL_socket, "", {EMFILE, ENOBUFS, ENOMEM}},
    {CALL_socketpair, "", {EMFILE, ENOBUFS}},
    {CALL_bind, "netlink", {ENOMEM, EADDRINUSE}},
    {CALL_bind, "", {EADDRINUSE, ENOSPC}},
    {CALL_listen, "", {EADDRINUSE}},
    {CALL_connect, "unix", {EAGAIN, ENOMEM}}, /* ECONNREFUSED: only if nobody is there */
    {CALL_connect, "", {EAGAIN, ECONNREFUSED, EADDRNOTAVAIL}},
    {CALL_accept4, "", {EMFILE, ENOBUFS, ECONNABORTED}},
    {CALL_send, "", {EAGAIN, ENOBUFS}},
    {CALL_sendto, "netlink", {ENOBUFS, EINTR, FAIL_REFUSED + EBUSY, FAIL_REFUSED + EPERM, FAIL_REFUSED + ENOMEM}},
    {CALL_sendto, "", {EAGAIN, ENOBUFS, EINTR}},
    {CALL_sendmsg, "netlink", {ENOBUFS, EINTR, FAIL_REFUSED + EBUSY, FAIL_REFUSED + EPERM, FAIL_REFUSED + ENOMEM}},
    {CALL_sendmsg, "", {EAGAIN, ENOBUFS, EINTR}},
    {CALL_recv, "", {EINTR}},
    {CALL_recvfrom, "netlink", {ENOBUFS, EINTR, ENOMEM}},
    {CALL_recvfrom, "", {EINTR}},
    {CALL_recvmsg, "netlink", {ENOBUFS, EINTR, ENOMEM}},
    {CALL_recvmsg, "", {EINTR, ECONNRESET}},
    {CALL_shutdown, "", {ENOTCONN}},
    {CALL_setsockopt, "netlink", {ENOMEM, EPERM}},
    {CALL_setsockopt, "", {ENOMEM, ENOPROTOOPT, EPERM}},
};

static const int lasting_errors[] = {ENOSPC, EROFS, 0};

/* Libraries that end the program where memory fails: iniparser 4.1 and 4.2 in three of their allocations, libseccomp
 * 2.5.4 in several. src/conf/ini.c and src/os/filter.c see to it that there is memory. */
static bool is_hopeless(const struct fail_point *point)
{
    return (point->call == CALL_calloc && strncmp(point->library, "libiniparser", 12) == 0) ||
           ((point->call == CALL_calloc || point->call == CALL_realloc) &&
            strncmp(point->library, "libseccomp", 10) == 0);
}

/* json-c goes on as if it had memory: half a text comes out, and what it read is not there. Nobody can say why. */
static bool is_untold(const struct fail_point *point)
{
    return strncmp(point->library, "libjson-c", 9) == 0;
}

/* The kernel never refuses PR_SET_NO_NEW_PRIVS, which is what libseccomp calls it for. */
static bool is_sure(const struct fail_point *point)
{
    return point->call == CALL_prctl && strncmp(point->library, "libseccomp", 10) == 0;
}

static const int *errors_of(const struct fail_point *point)
{
    static const int none[1] = {0};
    if (is_hopeless(point) || is_sure(point))
        return none;
    for (size_t i = 0; i < sizeof possible_errors / sizeof *possible_errors; i++) {
        const struct possible_errors *row = &possible_errors[i];
        if (row->call == point->call && strncmp(point->object, row->on, strlen(row->on)) == 0)
            return row->errors;
    }
    return none;
}

static int plain_error(int error)
{
    return error > FAIL_REFUSED ? error - FAIL_REFUSED : error == FAIL_SHORT ? ENOSPC : error;
}

static const char *error_name(int error, char text[64])
{
    const char *name = strerrorname_np(plain_error(error));
    snprintf(text, 64, "%s%s", error > FAIL_REFUSED ? "refused:" : "",
             error == FAIL_SHORT ? "short"
             : name              ? name
                                 : "?");
    return text;
}

/* By what a person would call it: rows of the table. */
static const char *fail_group(const struct fail_point *point)
{
    switch (point->call) {
    case CALL_malloc:
    case CALL_calloc:
    case CALL_realloc: return "memory";
    case CALL_mount:
    case CALL_umount2:
    case CALL_setns:
    case CALL_unshare: return "mounts, namespaces";
    case CALL_fork:
    case CALL_clone3:
    case CALL_execve:
    case CALL_waitid:
    case CALL_waitpid:
    case CALL_pidfd_open:
    case CALL_pidfd_send_signal:
    case CALL_prctl:
    case CALL_setsid:
    case CALL_setresuid:
    case CALL_setresgid:
    case CALL_setgroups:
    case CALL_setrlimit: return "processes";
    case CALL_epoll_create1:
    case CALL_epoll_ctl:
    case CALL_epoll_wait:
    case CALL_poll:
    case CALL_timerfd_create:
    case CALL_signalfd:
    case CALL_eventfd: return "events";
    case CALL_fsync:
    case CALL_fdatasync:
    case CALL_syncfs: return "to disk";
    default: break;
    }
    if (strncmp(point->object, "netlink", 7) == 0)
        return "netlink";
    if (point->call >= CALL_socket && point->call <= CALL_getsockopt)
        return "sockets";
    if (strncmp(point->object, "/sys/fs/cgroup", 14) == 0)
        return "cgroups";
    return strncmp(point->object, "/", 1) == 0 ? "files" : "descriptors, users";
}
