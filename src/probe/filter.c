/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe role's system call filter: an allow-list by libseccomp. */
#include "probe/filter.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const int allowed[] = {
    /* the loop and its channel */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    /* checks over sockets that exist: libcurl and tcp.c */
    SCMP_SYS(connect),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(shutdown),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    /* memory, time, chance */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    /* signals and the end */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* What somebody who got in would try first gets a plain "no"; anything else does not exist
 * (ENOSYS), so that a library that probes for a newer call falls back. */
static const int forbidden[] = {
    SCMP_SYS(open),   SCMP_SYS(openat),   SCMP_SYS(openat2), SCMP_SYS(socket), SCMP_SYS(socketpair),
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(bind),    SCMP_SYS(listen), SCMP_SYS(ptrace),
};

static const unsigned fcntl_commands[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD};

static void release_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static int add_plain(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
    return result;
}

static int add_with_arguments(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; i < sizeof fcntl_commands / sizeof *fcntl_commands && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, fcntl_commands[i]));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO));
    if (result == 0) /* TCP_NODELAY; nothing of SOL_SOCKET, such as binding to a device */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 1, SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP));
    if (result == 0) /* memory, but no new code */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (result == 0)
        result =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return result;
}

int filter_install(struct error *err)
{
    CLEANUP(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return error_errno(err, ENOMEM, "make the system call filter");
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = add_plain(filter);
    if (result == 0)
        result = add_with_arguments(filter);
    if (result < 0)
        return error_errno(err, -result, "make the system call filter");
    result = seccomp_load(filter);
    if (result < 0)
        return error_errno(err, -result, "load the system call filter (does this kernel have CONFIG_SECCOMP_FILTER?)");
    return 0;
}
