/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by fork(2) and not by a bare clone: the C library has to know, or threads and locks of the copy would be
 * ours. */
#include "os/copy.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL_FD = 3 };

/* --- in the copy --------------------------------------------------------------------------------- */

static int count_files(void)
{
    CLEANUP_DIR DIR *directory = opendir("/proc/self/fd");
    int count = -4; /* ".", "..", the directory itself, and the channel */
    while (directory && readdir(directory))
        count++;
    return directory ? count : -1;
}

/* Ours would look open for as long as it has them: to clients, to apps, and to the kernel, where one owns our table. */
static void keep_only(int channel)
{
    CLEANUP_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null_fd, fd);
    dup2(channel, CHANNEL_FD);
    syscall(SYS_close_range, CHANNEL_FD + 1u, ~0u, 0u);
    steal_fd(&null_fd); /* closed with the others, if it was none of the first three */
}

static _Noreturn void be_copy(copy_work *work, void *context, int channel, pid_t maker)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* EINVAL for KILL and STOP */
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != maker) /* it died before that */
        _exit(1);
    prctl(PR_SET_NAME, "bluegreen-copy");
    int files = count_files();
    keep_only(channel);
    _exit(work(context, CHANNEL_FD, files));
}

/* --- in ours ------------------------------------------------------------------------------------- */

int copy_start(copy_work *work, void *context, struct copy *copy, struct error *err)
{
    int ends[2];
    *copy = COPY_NONE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(err, errno, "make a channel to a copy of the agent");
    CLEANUP_FD int ours = ends[0];
    CLEANUP_FD int theirs = ends[1];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, errno, "make a channel to a copy of the agent");
    pid_t maker = getpid(), pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "make a copy of the agent");
    if (pid == 0)
        be_copy(work, context, theirs, maker);
    /* It is nobody's until we collect it, so the number is still its own. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int cause = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return error_errno(err, cause, "watch a copy of the agent");
    }
    *copy = (struct copy){.pidfd = pidfd, .channel = steal_fd(&ours)};
    return 0;
}

void copy_kill(const struct copy *copy)
{
    syscall(SYS_pidfd_send_signal, copy->pidfd, SIGKILL, NULL, 0);
}

int copy_collect(struct copy *copy)
{
    siginfo_t info = {0};
    waitid((idtype_t)P_PIDFD, (id_t)copy->pidfd, &info, WEXITED | WNOHANG);
    close_fd(&copy->pidfd);
    close_fd(&copy->channel);
    return info.si_code == CLD_EXITED ? info.si_status : -1;
}
