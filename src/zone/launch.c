/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a zone's shim. */
#include "zone/launch.h"

#include "base/cleanup.h"
#include "model/shim_protocol.h"
#include "os/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { END_PATIENCE_MS = 100 };

enum step { STEP_NETNS, STEP_DESCRIPTORS, STEP_SESSION, STEP_EXEC, STEPS };

static const char *const step_texts[STEPS] = {
    [STEP_NETNS] = "enter its network namespace",
    [STEP_DESCRIPTORS] = "arrange its descriptors",
    [STEP_SESSION] = "make a session of its own",
    [STEP_EXEC] = "execute ",
};

struct failure {
    uint32_t step;
    int32_t error;
};

/* In the child, which shares nothing but descriptions of files: only async-signal-safe calls. */
static int arrange_descriptors(const struct shim_launch *launch, int report, int *error_pipe)
{
    /* Out of the way of the final numbers first. */
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int listener = fcntl(launch->listener, F_DUPFD_CLOEXEC, 16);
    int log_directory = fcntl(launch->log_directory, F_DUPFD_CLOEXEC, 16);
    int moved_pipe = fcntl(*error_pipe, F_DUPFD_CLOEXEC, 16);
    int moved_report = fcntl(report, F_DUPFD_CLOEXEC, 16);
    if (null_fd < 0 || listener < 0 || log_directory < 0 || moved_pipe < 0 || moved_report < 0)
        return -1;
    *error_pipe = moved_pipe;
    if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0)
        return -1;
    if (dup2(listener, SHIM_FD_LISTEN) < 0 || dup2(log_directory, SHIM_FD_LOG_DIRECTORY) < 0 ||
        dup2(moved_report, SHIM_FD_REPORT) < 0)
        return -1;
    return close_range(SHIM_FD_REPORT + 1, ~0u, CLOSE_RANGE_CLOEXEC);
}

/* CLEAR_SIGHAND leaves what is ignored: SIGPIPE is by the agent, others may be by whoever started it (nohup). glibc
 * would not touch the two signals that it keeps for itself, so the kernel is asked. */
static int reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    const unsigned long default_action[4] = {0}; /* struct kernel_sigaction: handler SIG_DFL, nothing else */
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, default_action, NULL, (size_t)(_NSIG / 8)); /* EINVAL for KILL and STOP */
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_shim(const struct shim_launch *launch, int report, int error_pipe)
{
    struct failure failure = {.step = STEP_NETNS};
    char *const arguments[] = {(char *)(uintptr_t)launch->executable, (char *)(uintptr_t)launch->name,
                               (char *)(uintptr_t)launch->directory, NULL};
    char *const environment[] = {NULL};
    if (setns(launch->netns, CLONE_NEWNET) == 0) {
        failure.step = STEP_DESCRIPTORS;
        if (arrange_descriptors(launch, report, &error_pipe) == 0) {
            failure.step = STEP_SESSION;
            limits_restore_files();
            if (setsid() >= 0 && reset_signals() == 0) {
                failure.step = STEP_EXEC;
                execve(launch->executable, arguments, environment);
            }
        }
    }
    failure.error = errno;
    ssize_t put = write(error_pipe, &failure, sizeof failure);
    _exit(put == (ssize_t)sizeof failure ? 127 : 126);
}

static int wait_for_exec(const struct shim_launch *launch, int error_pipe, pid_t pid, struct error *err)
{
    struct failure failure;
    ssize_t got;
    do
        got = read(error_pipe, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return 0; /* the exec closed it */
    waitpid(pid, NULL, 0);
    if (got != (ssize_t)sizeof failure || failure.step >= STEPS)
        return error_errno(err, EIO, "start the zone's shim");
    return error_errno(err, failure.error, "start the zone's shim: %s%s", step_texts[failure.step],
                       failure.step == STEP_EXEC ? launch->executable : "");
}

/* No new mount namespace: the shim sees the host's files, each process of the app gets its own view. No new cgroup
 * namespace either: from inside one, the shim could not put the app beside itself. */
static pid_t clone_shim(const struct shim_launch *launch, int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (launch->cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)launch->cgroup;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

int shim_launch(const struct shim_launch *launch, struct shim_launched *launched, struct error *err)
{
    int ends[2], reports[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe for the start of the zone's shim");
    CLEANUP_FD int read_end = ends[0];
    CLEANUP_FD int write_end = ends[1];
    if (pipe2(reports, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_errno(err, errno, "make a pipe for the start of the zone's shim");
    CLEANUP_FD int report = reports[0];
    CLEANUP_FD int report_end = reports[1];
    CLEANUP_FD int process_fd = -1;
    pid_t process = clone_shim(launch, &process_fd);
    if (process < 0)
        return error_errno(err, errno, "start the zone's shim in namespaces of its own");
    if (process == 0)
        become_shim(launch, report_end, write_end);
    close_fd(&write_end);
    int result = wait_for_exec(launch, read_end, process, err);
    if (result < 0)
        return result;
    *launched = (struct shim_launched){.pid = process, .pidfd = steal_fd(&process_fd), .report = steal_fd(&report)};
    return 0;
}

int shim_explain(const struct shim_launched *launched, struct error *err)
{
    struct shim_report report;
    struct pollfd ended = {.fd = launched->pidfd, .events = POLLIN};
    siginfo_t info = {0};
    int result = err ? -err->code : -EIO;
    if (read(launched->report, &report, sizeof report) == (ssize_t)sizeof report)
        return error_errno(err, (int)report.error, "set up the zone's shim: %s", shim_setup_text(report.step));
    /* Its descriptors close a little before it has ended. */
    if (poll(&ended, 1, END_PATIENCE_MS) == 1 &&
        waitid(P_PIDFD, (id_t)launched->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0)
        error_suffix(err, "; the shim %s %d", info.si_code == CLD_EXITED ? "exited with code" : "was ended by signal",
                     info.si_status);
    return result;
}
