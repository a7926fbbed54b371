/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands on the host, each in a pid namespace of its own. */
#include "os/command.h"

#include "base/cleanup.h"
#include "os/limits.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STATUS_FD = 3, /* in the new processes */
    OUT_OF_THE_WAY = 16,
};

/* How far it came. Sent over the status pipe, in one piece. */
enum stage { ENDED, DESCRIPTORS, MOUNTS, PRIVILEGES, SESSION, WORKDIR, EXEC, STAGES };

static const char *const stage_texts[STAGES] = {
    [DESCRIPTORS] = "arrange its descriptors",     [MOUNTS] = "give it a /proc of its own",
    [PRIVILEGES] = "become the app's user",        [SESSION] = "make its processes",
    [WORKDIR] = "change to its working directory", [EXEC] = "execute it",
};

struct report {
    int stage;
    int value; /* ENDED: its wait status; else errno */
};

/* --- in the new processes: nothing that could wait for a lock -------------------------------------- */

static _Noreturn void leave(int fd, int stage, int value)
{
    const struct report report = {.stage = stage, .value = value};
    ssize_t put = write(fd, &report, sizeof report);
    _exit(put == (ssize_t)sizeof report ? 0 : 1);
}

/* PID 1 stays as it is and executes nothing: what it does not need it must not keep. */
static int arrange_descriptors(int output, int status)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    output = fcntl(output, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    status = fcntl(status, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (null_fd < 0 || output < 0 || status < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0 || dup3(status, STATUS_FD, O_CLOEXEC) < 0)
        return -1;
    return (int)syscall(SYS_close_range, STATUS_FD + 1u, ~0u, 0u);
}

/* The kernel should take it before the agent when memory runs out. May be refused: fine. */
static void be_ordinary(void)
{
    CLEANUP_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t put = fd < 0 ? -1 : write(fd, "0", 1);
    (void)put;
    limits_restore_files();
    prctl(PR_SET_NAME, "bluegreen-hook");
}

/* Ours do not reach the host. */
static int arrange_mounts(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* Ids that change make the kernel forget the signal, so this comes behind them. Who died before it was set is known by
 * nobody reading the pipe any more. */
static void die_with_the_agent(void)
{
    struct pollfd status = {.fd = STATUS_FD};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&status, 1, 0) > 0 && status.revents & POLLERR)
        _exit(1);
}

static _Noreturn void execute(const struct command_spec *spec)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* EINVAL for KILL and STOP */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (setsid() < 0)
        leave(STATUS_FD, SESSION, errno);
    if (chdir(spec->workdir) < 0)
        leave(STATUS_FD, WORKDIR, errno);
    if (spec->work)
        _exit(spec->work(spec->context));
    execve(spec->argv[0], spec->argv, spec->environment);
    leave(STATUS_FD, EXEC, errno);
}

static pid_t clone_plainly(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* PID 1: collects whoever ends, until the command itself has. Our own end is that of all the others. */
static _Noreturn void wait_for(pid_t command)
{
    int status = 0;
    pid_t ended;
    do
        ended = waitpid(-1, &status, __WALL);
    while (ended != command && (ended > 0 || errno == EINTR));
    leave(STATUS_FD, ENDED, status);
}

static _Noreturn void be_first(const struct command_spec *spec, int status)
{
    const struct user_ids ids = {.uid = spec->uid, .gid = spec->gid};
    struct error err = {0};
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    setsid();
    be_ordinary();
    if (arrange_descriptors(spec->output, status) < 0)
        leave(status, DESCRIPTORS, errno);
    if (arrange_mounts() < 0)
        leave(STATUS_FD, MOUNTS, errno);
    if (privileges_drop_with(&ids, spec->groups, spec->group_count, &err) < 0)
        leave(STATUS_FD, PRIVILEGES, err.code);
    die_with_the_agent();
    pid_t command = clone_plainly();
    if (command < 0)
        leave(STATUS_FD, SESSION, errno);
    if (command == 0)
        execute(spec);
    wait_for(command);
}

/* --- in ours ------------------------------------------------------------------------------------- */

int command_start(const struct command_spec *spec, struct host_command *command, struct error *err)
{
    int ends[2], pidfd = -1;
    const char *name = spec->work ? "a process with the app's user's rights" : spec->argv[0];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "start %s", name);
    CLEANUP_FD int read_end = ends[0];
    CLEANUP_FD int write_end = ends[1];
    if (fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, errno, "start %s", name);
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    pid_t first = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (first < 0)
        return error_errno(err, errno, "start %s in a pid namespace of its own", name);
    if (first == 0) {
        close(read_end); /* or nobody would notice that the agent has died */
        be_first(spec, write_end);
    }
    *command = (struct host_command){.pidfd = pidfd, .status = steal_fd(&read_end)};
    return 0;
}

void command_kill(const struct host_command *command)
{
    syscall(SYS_pidfd_send_signal, command->pidfd, SIGKILL, NULL, 0);
}

void command_collect(struct host_command *command, struct command_end *end)
{
    struct report report;
    siginfo_t info = {0};
    waitid((idtype_t)P_PIDFD, (id_t)command->pidfd, &info, WEXITED | WNOHANG | __WALL);
    *end = (struct command_end){.signalled = true, .value = SIGKILL}; /* killed from outside, so it had no say */
    if (read(command->status, &report, sizeof report) == (ssize_t)sizeof report) {
        bool known = report.stage > ENDED && report.stage < STAGES;
        end->signalled = report.stage == ENDED && WIFSIGNALED(report.value);
        end->value = end->signalled ? WTERMSIG(report.value) : WEXITSTATUS(report.value);
        end->failed = known ? stage_texts[report.stage] : NULL;
        end->error = known ? report.value : 0;
    }
    command_forget(command);
}

void command_forget(struct host_command *command)
{
    close_fd(&command->pidfd);
    close_fd(&command->status);
}
