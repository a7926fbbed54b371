/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role's system call filter: an allow-list. It makes no socket, and opens what is below its root only. */
#include "feed/filter.h"

#include "os/role_filter.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

static const struct filter_rule own[] = {
    /* clients and zones, over sockets that exist */
    {"accept4", FILTER_ALLOW},
    {"connect", FILTER_ALLOW},
    {"getsockname", FILTER_ALLOW},
    {"getpeername", FILTER_ALLOW},
    {"getsockopt", FILTER_ALLOW},
    {"setsockopt", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, IPPROTO_TCP, 0}}},
    {"setsockopt", FILTER_ALLOW, 2, {{1, FILTER_EQUAL, SOL_SOCKET, 0}, {2, FILTER_EQUAL, SO_KEEPALIVE, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFL, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFL, 0}}},
    /* the journal and bodies: the root is its directory, where nothing else is */
    {"openat", FILTER_ALLOW},
    {"flock", FILTER_ALLOW},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETLK, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_OFD_SETLK, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_DUPFD_CLOEXEC, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFD, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFD, 0}}},
    {"pread64", FILTER_ALLOW},
    {"pwrite64", FILTER_ALLOW},
    {"readv", FILTER_ALLOW},
    {"writev", FILTER_ALLOW},
    {"pwritev", FILTER_ALLOW},
    {"pwritev2", FILTER_ALLOW},
    {"lseek", FILTER_ALLOW},
    {"fstat", FILTER_ALLOW},
    {"newfstatat", FILTER_ALLOW},
    {"fstatat64", FILTER_ALLOW},
    {"statx", FILTER_ALLOW},
    {"getdents64", FILTER_ALLOW},
    {"fdatasync", FILTER_ALLOW},
    {"fsync", FILTER_ALLOW},
    {"sync_file_range", FILTER_ALLOW},
    {"ftruncate", FILTER_ALLOW},
    {"fallocate", FILTER_ALLOW},
    {"fadvise64", FILTER_ALLOW},
    {"unlinkat", FILTER_ALLOW},
    {"unlink", FILTER_ALLOW},
    {"renameat", FILTER_ALLOW},
    {"renameat2", FILTER_ALLOW},
    {"rename", FILTER_ALLOW},
    {"copy_file_range", FILTER_ALLOW},
    {"sendfile", FILTER_ALLOW},
    /* the journal's thread; a process is no thread */
    {"clone", FILTER_ALLOW, 1, {{0, FILTER_MASKED, CLONE_THREAD, CLONE_THREAD}}},
    {"set_robust_list", FILTER_ALLOW},
    {"rseq", FILTER_ALLOW},
    {"sched_getaffinity", FILTER_ALLOW},
    {"sched_yield", FILTER_ALLOW},
    {"clock_nanosleep", FILTER_ALLOW},
    {"eventfd2", FILTER_ALLOW},
    {"prlimit64", FILTER_ALLOW, 2, {{0, FILTER_EQUAL, 0, 0}, {2, FILTER_EQUAL, 0, 0}}}, /* reads its own */
};

int feed_filter_load(struct error *err)
{
    return role_filter_load(own, sizeof own / sizeof *own, err);
}
