/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a role of the agent in a clean process. */
#include "os/process.h"

#include "base/cleanup.h"
#include "os/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int user_find(const char *name, struct user_ids *ids, struct error *err)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return error_set(err, ENOENT, "find user %s: %s; create it with systemd-sysusers or \"useradd --system %s\"",
                         name, errno ? strerror(errno) : "there is no such user", name);
    *ids = (struct user_ids){.uid = entry->pw_uid, .gid = entry->pw_gid};
    return 0;
}

int group_find(const char *name, gid_t *gid, struct error *err)
{
    errno = 0;
    const struct group *entry = getgrnam(name);
    if (!entry)
        return error_set(err, ENOENT, "find group %s: %s; create it with systemd-sysusers or \"groupadd --system %s\"",
                         name, errno ? strerror(errno) : "there is no such group", name);
    *gid = entry->gr_gid;
    return 0;
}

int role_user_find(const char *name, struct user_ids *ids, struct error *err)
{
    int result = user_find(name, ids, err);
    if (result == 0 && ids->uid == 0)
        result = error_set(err, EPERM, "refusing to run as root: %s is root; name an ordinary user", name);
    return result;
}

bool role_channel_is_there(void)
{
    int type = 0;
    socklen_t length = sizeof type;
    return getsockopt(ROLE_CHANNEL, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
           fcntl(ROLE_CHANNEL, F_SETFD, FD_CLOEXEC) == 0;
}

static void reset_signals(void)
{
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* EINVAL for KILL and STOP */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: only async-signal-safe calls. Writes errno into the error pipe if it comes to that. */
static void execute_role(char *const argv[], const char *const environment[], int channel, int error_pipe)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int saved_pipe = fcntl(error_pipe, F_DUPFD_CLOEXEC, 16); /* out of the way of 0 to 3 */
    if (null_fd >= 0 && saved_pipe >= 0 && chdir("/") == 0 && (channel = fcntl(channel, F_DUPFD_CLOEXEC, 16)) >= 0 &&
        dup2(null_fd, 0) >= 0 && dup2(null_fd, 1) >= 0 && dup2(channel, ROLE_CHANNEL) >= 0 &&
        syscall(SYS_close_range, 4u, ~0u, 1u << 2 /* CLOEXEC */) == 0) {
        reset_signals();
        limits_restore_files();
        execve(argv[0], argv, (char *const *)environment);
    }
    int code = errno;
    ssize_t put = write(saved_pipe >= 0 ? saved_pipe : error_pipe, &code, sizeof code);
    (void)put;
    _exit(127);
}

static int wait_for_exec(int error_pipe, pid_t pid, const char *path, struct error *err)
{
    int code = 0;
    ssize_t got;
    do
        got = read(error_pipe, &code, sizeof code);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return 0; /* end of file: the exec closed it */
    waitpid(pid, NULL, 0);
    return error_errno(err, got == (ssize_t)sizeof code ? code : EIO, "execute %s", path);
}

static void role_environment(const char *environment[4])
{
    size_t count = 0;
    static char stream[64];
    environment[count++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    environment[count++] = "LANG=C.UTF-8";
    const char *journal = getenv("JOURNAL_STREAM");
    if (journal && snprintf(stream, sizeof stream, "JOURNAL_STREAM=%s", journal) < (int)sizeof stream)
        environment[count++] = stream;
    environment[count] = NULL;
}

int process_start(char *const argv[], struct process *process, struct error *err)
{
    int pair[2], pipe_fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "start %s", argv[0]);
    CLEANUP_FD int ours = pair[0];
    CLEANUP_FD int theirs = pair[1];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "start %s", argv[0]);
    CLEANUP_FD int read_end = pipe_fds[0];
    CLEANUP_FD int write_end = pipe_fds[1];
    message_refuse_descriptors(ours); /* roles are given some, and give none back */
    const char *environment[4];
    role_environment(environment);

    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "start %s", argv[0]);
    if (pid == 0)
        execute_role(argv, environment, theirs, write_end);
    close_fd(&write_end);
    int result = wait_for_exec(read_end, pid, argv[0], err);
    if (result < 0)
        return result;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || fcntl(pidfd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0) {
        int code = errno;
        close_fd(&pidfd);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return error_errno(err, code, "watch %s", argv[0]);
    }
    *process = (struct process){.pid = pid, .pidfd = pidfd, .channel = steal_fd(&ours)};
    return 0;
}

void process_forget(struct process *process)
{
    close_fd(&process->pidfd);
    close_fd(&process->channel);
    process->pid = 0;
}
