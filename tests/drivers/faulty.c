/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faulty.so, preloaded into bluegreen-feed: a disk and a network that fail when a test says so, and a clock that goes
 * ahead. FAULTY names the file with struct faulty; it is mapped before the program gives away its view of the files.
 */
#include "faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct faulty *faulty;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("FAULTY");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        abort();
    faulty = mmap(NULL, sizeof *faulty, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (faulty == MAP_FAILED)
        abort();
}

/* True: errno is set, and the call is not made. */
static bool fails(enum faulty_call call)
{
    if (atomic_load(&faulty->calls[call].left) <= 0)
        return false;
    if (atomic_fetch_sub(&faulty->calls[call].skip, 1) > 0)
        return false;
    atomic_fetch_sub(&faulty->calls[call].left, 1);
    atomic_fetch_add(&faulty->calls[call].seen, 1);
    if (atomic_load(&faulty->calls[call].code) > 0)
        errno = atomic_load(&faulty->calls[call].code);
    return true;
}

#pragma GCC visibility push(default)

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_MONOTONIC)
        now->tv_sec += atomic_load(&faulty->ahead_ms) / 1000;
    return result;
}

/* A time that the program took from the clock is a later one to the kernel. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
    struct itimerspec real = *new;
    time_t ahead = atomic_load(&faulty->ahead_ms) / 1000;
    if (flags & TFD_TIMER_ABSTIME && real.it_value.tv_sec > ahead)
        real.it_value.tv_sec -= ahead;
    return (int)syscall(SYS_timerfd_settime, fd, flags, &real, old);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    int result = (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
    int wanted = resource == RLIMIT_NOFILE ? atomic_load(&faulty->descriptors) : 0;
    if (wanted > 0)
        limit->rlim_cur = limit->rlim_max = (rlim_t)wanted;
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (fails(FAULTY_WRITE))
        return -1;
    return syscall(SYS_pwrite64, fd, bytes, length > 1 && fails(FAULTY_SHORT) ? length / 2 : length, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (fails(FAULTY_WRITE))
        return -1;
    if (count > 0 && parts->iov_len > 1 && fails(FAULTY_SHORT))
        return syscall(SYS_pwrite64, fd, parts->iov_base, parts->iov_len / 2, offset);
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    return fails(FAULTY_READ) ? -1 : syscall(SYS_pread64, fd, bytes, length, offset);
}

int fdatasync(int fd)
{
    return fails(FAULTY_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails(FAULTY_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int openat(int directory, const char *path, int flags, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? __builtin_va_arg(arguments, mode_t) : 0;
    __builtin_va_end(arguments);
    return fails(FAULTY_OPEN) ? -1 : (int)syscall(SYS_openat, directory, path, flags, mode);
}

int ftruncate(int fd, off_t length)
{
    return fails(FAULTY_CUT) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails(FAULTY_ROOM) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return fails(FAULTY_SEND) ? -1 : syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

/* Not of the channel to the agent. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM && fails(FAULTY_SEND))
        return -1;
    return syscall(SYS_sendmsg, fd, message, flags);
}

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *length, int flags)
{
    return fails(FAULTY_ACCEPT) ? -1 : (int)syscall(SYS_accept4, fd, peer, length, flags);
}

#pragma GCC visibility pop
