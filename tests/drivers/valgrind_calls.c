/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into the agent under valgrind (tests/sanitize/valgrind.sh), which does not know all system calls: clone3 in
 * no version, the calls on processes by descriptor and openat2 in Debian 12's. Each is made of calls that it knows, as
 * far as the agent uses it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED long syscall(long what, ...);
EXPORTED pid_t fork(void);

enum { WORDS = 6 };
typedef long system_call(long what, ...);

/* Of the child that was forked last: who forks asks for it at once. */
static struct {
    pid_t pid;
    int fd;
} forked = {.fd = -1};

static system_call *real(void)
{
    static system_call *function;
    if (!function)
        *(void **)&function = dlsym(RTLD_NEXT, "syscall");
    return function;
}

static long refuse(int error)
{
    errno = error;
    return -1;
}

static pid_t clone_with_descriptor(unsigned long flags, int *pidfd)
{
    return (pid_t)real()(SYS_clone, flags | CLONE_PIDFD, 0L, pidfd, 0L, 0L);
}

/* What is not inherited in the kernel's clone(2) a child does to itself. */
static void be_child(const struct clone_args *arguments)
{
    if (arguments->flags & CLONE_CLEAR_SIGHAND)
        for (int number = 1; number < NSIG; number++)
            sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* EINVAL for KILL and STOP */
    if (!(arguments->flags & CLONE_INTO_CGROUP))
        return;
    int processes = openat((int)arguments->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (processes < 0 || write(processes, "0", 1) != 1)
        _exit(125);
    close(processes);
}

static long clone3(const struct clone_args *arguments)
{
    unsigned long flags = arguments->flags & ~(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | CLONE_PIDFD);
    int fd = -1;
    pid_t pid = clone_with_descriptor(flags | arguments->exit_signal, &fd);
    if (pid == 0)
        be_child(arguments);
    else if (pid > 0 && (arguments->flags & CLONE_PIDFD))
        *(int *)(uintptr_t)arguments->pidfd = fd;
    else if (pid > 0)
        close(fd);
    return pid;
}

pid_t fork(void)
{
    int fd = -1;
    pid_t pid = clone_with_descriptor(SIGCHLD, &fd);
    if (forked.fd >= 0)
        close(forked.fd);
    forked.pid = pid;
    forked.fd = pid > 0 ? fd : -1;
    return pid;
}

static long pidfd_open(pid_t pid)
{
    if (forked.fd < 0 || forked.pid != pid)
        return refuse(ENOSYS);
    int fd = forked.fd;
    forked.fd = -1;
    return fd;
}

static long pidfd_send_signal(int fd, int number)
{
    char path[64], line[128];
    pid_t pid = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *about = fopen(path, "re");
    while (about && fgets(line, sizeof line, about))
        if (sscanf(line, "Pid: %d", &pid) == 1)
            break;
    if (about)
        fclose(about);
    return pid > 0 ? kill(pid, number) : refuse(pid < 0 ? ESRCH : EBADF);
}

/* Who is on the way is not looked at: no test under valgrind is about that. */
static long openat2(int directory, const char *path, const struct open_how *how)
{
    return openat(directory, path, (int)how->flags, (mode_t)how->mode);
}

/* libseccomp asks what there is before it makes a filter, and loads one. */
static long seccomp(long operation, const void *argument)
{
    if (operation == SECCOMP_GET_ACTION_AVAIL)
        return 0;
    if (operation != SECCOMP_SET_MODE_FILTER || !argument)
        return refuse(EINVAL);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, argument);
}

long syscall(long what, ...)
{
    long words[WORDS];
    va_list more;
    va_start(more, what);
    for (int i = 0; i < WORDS; i++)
        words[i] = va_arg(more, long);
    va_end(more);
    switch (what) {
    case SYS_clone3: return clone3((const void *)words[0]);
    case SYS_pidfd_open: return pidfd_open((pid_t)words[0]);
    case SYS_pidfd_send_signal: return pidfd_send_signal((int)words[0], (int)words[1]);
    case SYS_openat2: return openat2((int)words[0], (const void *)words[1], (const void *)words[2]);
    case SYS_seccomp: return seccomp(words[0], (const void *)words[2]);
    default: return real()(what, words[0], words[1], words[2], words[3], words[4], words[5]);
    }
}
