/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the shim to the app: a new process in the zone's namespaces gets a view of its own of the system, gives up what
 * root has, and executes. The order matters and is the table below: mounts while it may mount, ids before
 * capabilities, everything that needs a descriptor before they are closed. A step that fails ends the process and
 * tells the shim which step and why.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    EXEC_PATIENCE_MS = 4000, /* below the agent's own patience, so that it learns the reason */
    LOG_PIPE_BYTES = 65536,  /* a new pipe's size, pipe(7) */
};

/* --- steps, in the new process ------------------------------------------------------------------ */

static int separate_session(const struct shim *shim)
{
    (void)shim;
    umask(022);
    return setsid() < 0 ? -1 : 0;
}

/* Rooted where the process is: in its payload cgroup, which is then all it sees. */
static int cgroup_namespace(const struct shim *shim)
{
    (void)shim;
    return unshare(CLONE_NEWCGROUP);
}

/* Ours do not reach the host. The host's do reach us, above all its unmounts: a copy of a mount that outlives the
 * original would keep a device busy. */
static int propagation(const struct shim *shim)
{
    (void)shim;
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

static int mount_proc(const struct shim *shim)
{
    (void)shim;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int mount_tmpfs(const char *target, const char *options)
{
    return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

/*
 * A file that is mounted upon loses the mount when somebody outside replaces it by rename(2). Where /etc/NAME is a link
 * into /run, its owner does just that whenever the network changes (systemd-resolved, resolvconf): there the
 * directory is covered, which nobody replaces.
 */
static int cover_directory(const char *target)
{
    char directory[PATH_MAX];
    text_copy(directory, sizeof directory, target);
    *strrchr(directory, '/') = '\0';
    if (mount_tmpfs(directory, "mode=755,size=64k,nr_inodes=16") < 0)
        return -1;
    CLEANUP_FD int fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : 0;
}

static int lay_over(const char *directory, const char *name, const char *over)
{
    char source[PATH_MAX], target[PATH_MAX];
    if ((size_t)snprintf(source, sizeof source, "%s/%s", directory, name) >= sizeof source) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!realpath(over, target))
        return errno == ENOENT ? 0 : -1; /* a system without that file: nothing to lay anything over */
    if (text_starts_with(target, "/run/") && strchr(target + strlen("/run/"), '/') && cover_directory(target) < 0)
        return -1;
    if (mount(source, target, NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int resolv_conf(const struct shim *shim)
{
    return lay_over(shim->directory, "resolv.conf", "/etc/resolv.conf");
}

static int hosts(const struct shim *shim)
{
    return lay_over(shim->directory, "hosts", "/etc/hosts");
}

/* Gone with the app, and seen by nobody else; but not where the app itself lives in /tmp. */
static int private_tmp(const struct shim *shim)
{
    if (text_starts_with(shim->start.argv[0], "/tmp/") || text_starts_with(shim->start.workdir, "/tmp/"))
        return 0;
    return mount_tmpfs("/tmp", "mode=1777");
}

/* POSIX shared memory belongs to the IPC namespace by rights, but lives in a file system. */
static int private_shm(const struct shim *shim)
{
    (void)shim;
    int result = mount_tmpfs("/dev/shm", "mode=1777");
    return result < 0 && errno == ENOENT ? 0 : result;
}

/* All runs of the app share one open pipe: what a former run set on it must not be the next one's. */
static int stdio(const struct shim *shim)
{
    fcntl(shim->log.pipe_write, F_SETPIPE_SZ, LOG_PIPE_BYTES); /* may be refused above the user's share: fine */
    if (fcntl(shim->log.pipe_write, F_SETFL, O_WRONLY) < 0)
        return -1;
    return dup2(shim->log.pipe_write, STDOUT_FILENO) < 0 || dup2(shim->log.pipe_write, STDERR_FILENO) < 0 ? -1 : 0;
}

/* The shim is hard to kill; the app is not to be. */
static int oom_score(const struct shim *shim)
{
    (void)shim;
    CLEANUP_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "0", 1) < 0 ? -1 : 0;
}

static int bounding_set(const struct shim *shim)
{
    (void)shim;
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
        if (cap_drop_bound(cap) < 0)
            return -1;
    }
    return 0;
}

static int groups(const struct shim *shim)
{
    return setgroups(shim->start.group_count, shim->start.groups);
}

static int group(const struct shim *shim)
{
    return setresgid(shim->start.gid, shim->start.gid, shim->start.gid);
}

static int user(const struct shim *shim)
{
    return setresuid(shim->start.uid, shim->start.uid, shim->start.uid);
}

/* An app that runs as uid 0 would have kept them. */
static int capabilities(const struct shim *shim)
{
    (void)shim;
    cap_t none = cap_init();
    return none ? cap_set_proc(none) : -1; /* never freed: the exec does */
}

static int no_new_privileges(const struct shim *shim)
{
    (void)shim;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* As the user, whose rights decide. A directory outside our root would be shown as "(unreachable)". */
static int working_directory(const struct shim *shim)
{
    char path[PATH_MAX];
    if (chdir(shim->start.workdir) < 0 || !getcwd(path, sizeof path))
        return -1;
    errno = EXDEV;
    return path[0] == '/' ? 0 : -1;
}

static int descriptors(const struct shim *shim)
{
    (void)shim;
    return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int signals(const struct shim *shim)
{
    (void)shim;
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int execute(const struct shim *shim)
{
    return execve(shim->start.argv[0], shim->start.argv, shim->start.environment);
}

static const struct {
    enum shim_stage stage;
    int (*run)(const struct shim *shim); /* -1 with errno */
} steps[] = {
    {SHIM_STAGE_PREPARE, separate_session},
    {SHIM_STAGE_CGROUP_NAMESPACE, cgroup_namespace},
    {SHIM_STAGE_PROPAGATION, propagation},
    {SHIM_STAGE_RESOLV_CONF, resolv_conf},
    {SHIM_STAGE_HOSTS, hosts},
    {SHIM_STAGE_PROC, mount_proc},
    {SHIM_STAGE_TMP, private_tmp},
    {SHIM_STAGE_SHM, private_shm},
    {SHIM_STAGE_STDIO, stdio},
    {SHIM_STAGE_OOM, oom_score},
    {SHIM_STAGE_BOUNDING, bounding_set},
    {SHIM_STAGE_GROUPS, groups},
    {SHIM_STAGE_GID, group},
    {SHIM_STAGE_UID, user},
    {SHIM_STAGE_CAPABILITIES, capabilities},
    {SHIM_STAGE_NO_NEW_PRIVILEGES, no_new_privileges},
    {SHIM_STAGE_WORKDIR, working_directory},
    {SHIM_STAGE_DESCRIPTORS, descriptors},
    {SHIM_STAGE_SIGNALS, signals},
    {SHIM_STAGE_EXEC, execute},
};

static _Noreturn void become_app(const struct shim *shim, int error_pipe)
{
    struct sandbox_failure failure = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].run(shim) < 0) {
            failure = (struct sandbox_failure){.stage = steps[i].stage, .error = (uint32_t)errno};
            break;
        }
    }
    ssize_t put = write(error_pipe, &failure, sizeof failure);
    _exit(put == (ssize_t)sizeof failure ? 127 : 126);
}

/* --- in the shim --------------------------------------------------------------------------------- */

/* Until the exec closed the pipe (0), a step failed, or nothing came (-1). */
static int wait_for_exec(int error_pipe, int pidfd, struct sandbox_failure *failure)
{
    struct pollfd ready = {.fd = error_pipe, .events = POLLIN};
    int count;
    do
        count = poll(&ready, 1, EXEC_PATIENCE_MS);
    while (count < 0 && errno == EINTR);
    if (count <= 0) { /* a file system that hangs: whenever the process comes back, it ends */
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        *failure = (struct sandbox_failure){.stage = SHIM_STAGE_TIMEOUT, .error = ETIMEDOUT};
        return -1;
    }
    return read(error_pipe, failure, sizeof *failure) == (ssize_t)sizeof *failure ? -1 : 0;
}

static pid_t clone_process(int payload, int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_NEWNS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (payload >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)payload;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static int failed(struct sandbox_failure *failure, enum shim_stage stage)
{
    *failure = (struct sandbox_failure){.stage = stage, .error = (uint32_t)errno};
    return -1;
}

int sandbox_spawn(const struct shim *shim, pid_t *pid, int *pidfd, struct sandbox_failure *failure)
{
    int ends[2];
    if (sethostname(shim->start.hostname, strlen(shim->start.hostname)) < 0 ||
        logfile_give(&shim->log, shim->start.uid, shim->start.gid) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return failed(failure, SHIM_STAGE_PREPARE);
    CLEANUP_FD int read_end = ends[0];
    CLEANUP_FD int write_end = ends[1];
    CLEANUP_FD int process_fd = -1;
    pid_t process = clone_process(shim->payload, &process_fd);
    if (process < 0)
        return failed(failure, SHIM_STAGE_CLONE);
    if (process == 0)
        become_app(shim, write_end);
    close_fd(&write_end);
    if (wait_for_exec(read_end, process_fd, failure) < 0)
        return -1; /* app_reap collects it */
    *pid = process;
    *pidfd = steal_fd(&process_fd);
    return 0;
}
