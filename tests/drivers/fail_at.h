/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests/drivers/fault_walk.c and the code that it has preloaded into the agent (fail_at.c) tell each other, in a
 * file that both have mapped: which calls there are, told apart by what is called, on what, and from where, and which
 * one is to fail once. The agent goes on running from one fault to the next.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define FAIL_ENVIRONMENT "FAIL_AT"

/* Whatever of the C library may fail in the agent, for a reason that is the kernel's. What is not here cannot (close of
 * a descriptor that is open, clock_gettime), or only takes apart what was there. tests/world/fault_walk.sh compares it
 * with what the agent is linked to. */
/* clang-format off */
#define FAIL_CALLS(_) \
    _(malloc) _(calloc) _(realloc) _(open) _(openat) _(fopen) _(opendir) _(fdopendir) _(readdir) _(fts_open) \
    _(fts_read) _(read) _(pread) _(write) _(pwrite) _(fsync) _(fdatasync) _(syncfs) _(ftruncate) _(rename) \
    _(renameat2) _(mkdir) _(mkdirat) _(rmdir) _(unlink) _(unlinkat) _(chmod) _(fchmod) _(fchown) _(lchown) \
    _(futimens) _(stat) _(lstat) _(fstatat) _(statfs) _(fstatfs) _(statvfs) _(access) _(readlink) _(readlinkat) \
    _(realpath) _(getxattr) _(flock) _(mount) _(umount2) _(setns) _(unshare) _(fork) _(execve) _(socket) \
    _(socketpair) _(bind) _(listen) _(connect) _(accept4) _(send) _(sendto) _(sendmsg) _(recv) _(recvfrom) \
    _(recvmsg) _(shutdown) _(setsockopt) _(getsockopt) _(ioctl) _(fcntl) _(dup2) _(dup3) _(pipe2) _(eventfd) \
    _(memfd_create) _(poll) _(epoll_create1) _(epoll_ctl) _(epoll_wait) _(timerfd_create) _(signalfd) _(waitid) \
    _(waitpid) _(chdir) _(prctl) _(setrlimit) _(getpwnam) _(getgrnam) _(getpwuid) _(getpwnam_r) _(getgrnam_r) \
    _(getgrouplist) _(getifaddrs) _(posix_openpt) _(pthread_create) _(setresuid) _(setresgid) _(setgroups) \
    _(setsid) _(clone3) _(pidfd_open) _(pidfd_send_signal) _(openat2) _(close_range)
/* clang-format on */

enum fail_call {
#define FAIL_CALL(name) CALL_##name,
    FAIL_CALLS(FAIL_CALL)
#undef FAIL_CALL
        CALLS
};

/* FAIL_LASTING: from that call on, whatever needs room below one directory, as on a disk that is full, or was made
 * read-only because it is damaged. */
enum fail_mode { FAIL_OFF, FAIL_RECORD, FAIL_ONCE, FAIL_LASTING };

/* In the place of an errno. */
enum {
    FAIL_SHORT = 1000,   /* half of it is written, and no error told */
    FAIL_REFUSED = 2000, /* + errno: the kernel takes the message and answers with this error, having done nothing */
};

enum { FAIL_POINTS = 8192, FAIL_FRAMES = 10, FAIL_OBJECT = 80, FAIL_LIBRARY = 24 };

/* A call that came. Two are the same if they are of the same kind, on the same thing (numbers and the zone's colour
 * aside), from the same place in the program. */
struct fail_point {
    uint64_t place; /* a hash of all that */
    uint32_t call;
    uint32_t times;
    uint32_t caller; /* a mark of the return address, 0: it is in the C library */
    uint32_t frame_count;
    uint32_t frames[FAIL_FRAMES]; /* return addresses, from the start of the program; the innermost first */
    char program[FAIL_LIBRARY];   /* bluegreend, bluegreen-api or bluegreen-probe */
    char library[FAIL_LIBRARY];   /* that calls, "" if it is the program */
    char object[FAIL_OBJECT];     /* a path, or what a descriptor is; "" for a call without one */
};

static inline int fail_needs_room(uint32_t call)
{
    return call == CALL_write || call == CALL_pwrite || call == CALL_mkdir || call == CALL_mkdirat;
}

struct fail_control {
    _Atomic uint32_t mode, lock;
    _Atomic uint32_t count; /* of points */
    /* What is to fail: */
    uint64_t place;
    uint32_t call, caller; /* of that place: no other needs to be looked at */
    uint32_t which;        /* 1: the first call from there since it was asked for */
    int32_t error;
    _Atomic uint32_t seen, done;
    int32_t pid;            /* where it was done */
    char full[FAIL_OBJECT]; /* the directory, for FAIL_LASTING */
    struct fail_point points[FAIL_POINTS];
};
