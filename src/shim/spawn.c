/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shim's part of starting a process: it makes it, hears of it until the exec, and tells an exec from an end. What
 * the process does meanwhile is sandbox.c; they are apart because nothing runs here that the app could reach.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXEC_PATIENCE_MS = 4000,      /* below the agent's own patience, so that it learns the reason */
    LOOK_MS = 20,                 /* how long the app can keep us from looking */
    NOT_EXECUTED_YET = 0x00000040 /* PF_FORKNOEXEC of the kernel's include/linux/sched.h */
};

/* --- has it executed? ------------------------------------------------------------------------------ */

/*
 * The channel closes with the exec, but also when the process is killed before it. The kernel marks who has not
 * executed anything since its fork, and keeps the mark on who has ended and was not collected: field 9 of
 * /proc/PID/stat. Where /proc does not show it (hidepid), an end of the channel counts as an exec.
 */
static bool was_killed(int pidfd)
{
    char path[48], content[512];
    unsigned flags;
    pid_t pid = pidfd_pid(pidfd);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CLEANUP_FD int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd < 0 ? -1 : read(fd, content, sizeof content - 1);
    if (got <= 0)
        return false;
    content[got] = '\0';
    const char *name_end = strrchr(content, ')'); /* the name may have spaces */
    return name_end && sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && flags & NOT_EXECUTED_YET;
}

/* --- until the exec -------------------------------------------------------------------------------- */

/* One message: the bytes are a failure, and a descriptor comes with them if it is none. 1, or 0 at the end. */
static int receive(int channel, struct sandbox_failure *failure, int *mounts)
{
    struct iovec part = {.iov_base = failure, .iov_len = sizeof *failure};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof *mounts)) {
        close_fd(mounts);
        memcpy(mounts, CMSG_DATA(header), sizeof *mounts);
    }
    return got == (ssize_t)sizeof *failure;
}

static int give_up(int pidfd, struct sandbox_failure *failure, enum shim_stage stage, int error)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    *failure = (struct sandbox_failure){.stage = stage, .error = (uint32_t)error};
    return -1;
}

/* Shortly before its exec it becomes the app's user's, whose other processes may guess its number and stop it. Nothing
 * else stops a process that early. */
static bool was_stopped(int pidfd)
{
    siginfo_t info = {0};
    return waitid(P_PIDFD, (id_t)pidfd, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid > 0;
}

/* 1: there is something to receive; 0: look again; -1: it took too long. */
static int wait_for_message(int channel, uint64_t until)
{
    struct pollfd ready = {.fd = channel, .events = POLLIN};
    if (poll(&ready, 1, LOOK_MS) > 0)
        return 1;
    return clock_monotonic_ms() < until ? 0 : -1;
}

/* Until the exec closed the channel (0), a step failed, the process was killed or stopped, or nothing came (-1). */
static int wait_for_exec(int channel, int pidfd, struct sandbox_failure *failure, int *mounts)
{
    uint64_t until = clock_monotonic_ms() + EXEC_PATIENCE_MS;
    for (;;) {
        int ready = wait_for_message(channel, until);
        if (ready < 0) /* a file system that hangs: whenever the process comes back, it ends */
            return give_up(pidfd, failure, SHIM_STAGE_TIMEOUT, ETIMEDOUT);
        if (ready == 0 && was_stopped(pidfd))
            return give_up(pidfd, failure, SHIM_STAGE_KILLED, ECANCELED);
        if (ready == 0)
            continue;
        if (!receive(channel, failure, mounts))
            return was_killed(pidfd) ? give_up(pidfd, failure, SHIM_STAGE_KILLED, ECANCELED) : 0;
        if (failure->stage != SHIM_STAGE_NONE)
            return -1;
    }
}

static pid_t clone_process(const struct sandbox_job *job, bool joins, int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | (joins ? 0 : CLONE_NEWNS),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (job->cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)job->cgroup;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static int failed(struct sandbox_failure *failure, enum shim_stage stage)
{
    *failure = (struct sandbox_failure){.stage = stage, .error = (uint32_t)errno};
    return -1;
}

int sandbox_spawn(const struct sandbox_job *job, pid_t *pid, int *pidfd, struct sandbox_failure *failure)
{
    int ends[2];
    bool joins = job->mounts && *job->mounts >= 0;
    if (sethostname(job->start->hostname, strlen(job->start->hostname)) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return failed(failure, SHIM_STAGE_PREPARE);
    CLEANUP_FD int ours = ends[0];
    CLEANUP_FD int theirs = ends[1];
    CLEANUP_FD int process_fd = -1;
    CLEANUP_FD int mounts = -1;
    pid_t process = clone_process(job, joins, &process_fd);
    if (process < 0)
        return failed(failure, SHIM_STAGE_CLONE);
    if (process == 0)
        sandbox_enter(job, joins, theirs);
    close_fd(&theirs);
    if (wait_for_exec(ours, process_fd, failure, &mounts) < 0)
        return -1; /* the shim collects it */
    if (job->mounts && !joins)
        *job->mounts = steal_fd(&mounts);
    *pid = process;
    *pidfd = steal_fd(&process_fd);
    return 0;
}
