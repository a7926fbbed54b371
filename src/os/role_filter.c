/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allow-list of a role: what all of them may, and what one of them may besides. */
#include "os/role_filter.h"

#include "base/cleanup.h"
#include "os/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct filter_rule common[] = {
    /* the loop */
    {"epoll_wait", FILTER_ALLOW},
    {"epoll_pwait", FILTER_ALLOW},
    {"epoll_ctl", FILTER_ALLOW},
    {"timerfd_settime", FILTER_ALLOW},
    /* channel, clients, checks: over sockets that it was given */
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
    /* memory, but no new code; time, chance */
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
    {"bind", FILTER_REFUSE},
    {"listen", FILTER_REFUSE},
    {"execve", FILTER_REFUSE},
    {"execveat", FILTER_REFUSE},
    {"ptrace", FILTER_REFUSE},
};

enum { COMMON = sizeof common / sizeof *common };

static bool has_call(const struct filter_rule rules[], size_t count, const char *call)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].call, call) == 0)
            return true;
    }
    return false;
}

int role_filter_load(const struct filter_rule own[], size_t count, struct error *err)
{
    CLEANUP_FREE struct filter_rule *rules = calloc(COMMON + count, sizeof *rules);
    if (!rules)
        return error_errno(err, ENOMEM, "make a system call filter");
    size_t kept = 0;
    for (size_t i = 0; i < COMMON; i++) {
        if (!has_call(own, count, common[i].call))
            rules[kept++] = common[i];
    }
    memcpy(rules + kept, own, count * sizeof *own);
    const struct filter_spec spec = {
        .otherwise = FILTER_UNKNOWN, .foreign = FILTER_KILL, .rules = rules, .count = kept + count};
    return filter_load(&spec, err);
}
