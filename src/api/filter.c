/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The api role's system call filter: an allow-list. */
#include "api/filter.h"

#include "os/filter.h"

#include <sys/mman.h>

static const struct filter_rule rules[] = {
    /* the loop */
    {"epoll_wait", FILTER_ALLOW},
    {"epoll_pwait", FILTER_ALLOW},
    {"epoll_ctl", FILTER_ALLOW},
    {"timerfd_settime", FILTER_ALLOW},
    /* its channel and its clients, over sockets that it was given; messages may carry descriptors */
    {"sendmsg", FILTER_ALLOW},
    {"recvmsg", FILTER_ALLOW},
    {"sendto", FILTER_ALLOW},
    {"recvfrom", FILTER_ALLOW},
    {"shutdown", FILTER_ALLOW},
    {"poll", FILTER_ALLOW},
    {"ppoll", FILTER_ALLOW},
    {"read", FILTER_ALLOW},
    {"write", FILTER_ALLOW},
    {"close", FILTER_ALLOW},
    /* memory, but no new code; time, and what json-c seeds its tables with */
    {"mmap", FILTER_ALLOW, 1, {{2, FILTER_MASKED, 0, PROT_EXEC}}},
    {"mprotect", FILTER_ALLOW, 1, {{2, FILTER_MASKED, 0, PROT_EXEC}}},
    {"brk", FILTER_ALLOW},
    {"munmap", FILTER_ALLOW},
    {"mremap", FILTER_ALLOW},
    {"madvise", FILTER_ALLOW},
    {"futex", FILTER_ALLOW},
    {"clock_gettime", FILTER_ALLOW},
    {"gettimeofday", FILTER_ALLOW},
    {"getrandom", FILTER_ALLOW},
    {"getpid", FILTER_ALLOW},
    {"gettid", FILTER_ALLOW},
    /* signals and the end */
    {"rt_sigaction", FILTER_ALLOW},
    {"rt_sigprocmask", FILTER_ALLOW},
    {"rt_sigreturn", FILTER_ALLOW},
    {"restart_syscall", FILTER_ALLOW},
    {"exit", FILTER_ALLOW},
    {"exit_group", FILTER_ALLOW},
    /* What somebody who got in would try first gets a plain "no"; anything else does not exist (ENOSYS), so that a
     * library that probes for a newer call falls back. */
    {"open", FILTER_REFUSE},
    {"openat", FILTER_REFUSE},
    {"openat2", FILTER_REFUSE},
    {"socket", FILTER_REFUSE},
    {"socketpair", FILTER_REFUSE},
    {"connect", FILTER_REFUSE},
    {"bind", FILTER_REFUSE},
    {"listen", FILTER_REFUSE},
    {"execve", FILTER_REFUSE},
    {"execveat", FILTER_REFUSE},
    {"ptrace", FILTER_REFUSE},
};

int api_filter_load(struct error *err)
{
    const struct filter_spec spec = {
        .otherwise = FILTER_UNKNOWN,
        .foreign = FILTER_KILL,
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
    };
    return filter_load(&spec, err);
}
