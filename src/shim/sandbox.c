/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the shim to a process of the app: a new process in the zone's namespaces gets its view of the files, gives up
 * what root has, and executes. The order matters and is the table below: mounts while it may mount, ids before
 * capabilities, everything that needs a descriptor before they are closed, what takes time before the user's id, and
 * the filter last, for it forbids most of the rest. A step that fails ends the process and tells the shim which step,
 * why, and about what.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "shim/view.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 65536,               /* a new pipe's size, pipe(7) */
    LISTEN_FIRST = STDERR_FILENO + 1, /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
};

struct context {
    const struct sandbox_job *job;
    const struct shim_start *start;
    struct view_work view;
    bool joins;         /* another process has laid out the files */
    int channel;        /* to the shim; closed by the exec */
    const char *object; /* what a step is about */
    char text[32];      /* for object */
};

/* --- steps, in the new process: -1 with errno ----------------------------------------------------- */

static int session(struct context *context)
{
    (void)context;
    umask(022);
    return setsid() < 0 ? -1 : 0;
}

/* Rooted where the process is: in its cgroup, which is then all it sees. */
static int cgroup_namespace(struct context *context)
{
    (void)context;
    return unshare(CLONE_NEWCGROUP);
}

/*
 * Our mounts do not reach the host. The host's do reach us, above all its unmounts: a copy of a mount that outlives the
 * original would keep a device busy. What the host mounts while the app runs appears in it as the host mounted it, not
 * sealed; but not where the host's directories are covered.
 */
static int propagation(struct context *context)
{
    return context->joins ? 0 : mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

static int sources(struct context *context)
{
    if (context->joins)
        return 0;
    int result = view_open(&context->view, &context->start->view, context->start->uid, context->start->gid);
    context->object = context->view.object;
    return result;
}

/* The shim may not look at its namespace, but may be given it. */
static int offer_mounts(const struct context *context)
{
    struct sandbox_failure none = {0};
    struct iovec part = {.iov_base = &none, .iov_len = sizeof none};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    CLEANUP_FD int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    control.header =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(context->channel, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int view(struct context *context)
{
    if (context->joins)
        return setns(*context->job->mounts, CLONE_NEWNS);
    int result = view_lay_out(&context->view);
    context->object = context->view.object;
    if (result < 0)
        return -1;
    context->object = NULL;
    return context->job->mounts ? offer_mounts(context) : 0;
}

/* A directory would be a way around the view: "..". All runs of the app share one open pipe: what a former run set on
 * it must not be the next one's. */
static int give_descriptor(const struct context *context, int number)
{
    struct stat status;
    int fd = context->job->stdio[number];
    if (fd < 0) {
        CLEANUP_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return null_fd < 0 || dup2(null_fd, number) < 0 ? -1 : 0;
    }
    if (fstat(fd, &status) < 0)
        return -1;
    errno = EISDIR;
    if (S_ISDIR(status.st_mode))
        return -1;
    if (!context->start->stdio && S_ISFIFO(status.st_mode)) {
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* may be refused above the user's share: fine */
        if (fcntl(fd, F_SETFL, number == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0)
            return -1;
    }
    return dup2(fd, number) < 0 ? -1 : 0;
}

static int stdio(struct context *context)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) {
        context->object = names[number];
        if (give_descriptor(context, number) < 0)
            return -1;
    }
    return 0;
}

/* First out of the way whatever is where they belong. */
static int listening_sockets(struct context *context)
{
    const struct sandbox_job *job = context->job;
    int behind = LISTEN_FIRST + (int)job->listener_count, copies[SHIM_LISTENS_MAX];
    if (job->listener_count == 0)
        return 0;
    context->object = "hand them over";
    int channel = fcntl(context->channel, F_DUPFD_CLOEXEC, behind);
    if (channel < 0)
        return -1;
    context->channel = channel;
    for (size_t i = 0; i < job->listener_count; i++) {
        copies[i] = fcntl(job->listeners[i].fd, F_DUPFD_CLOEXEC, behind);
        if (copies[i] < 0)
            return -1;
    }
    for (size_t i = 0; i < job->listener_count; i++) {
        if (dup2(copies[i], LISTEN_FIRST + (int)i) < 0)
            return -1;
    }
    return 0;
}

static int terminal(struct context *context)
{
    return context->start->terminal ? ioctl(STDIN_FILENO, TIOCSCTTY, 0) : 0;
}

/* The shim is hard to kill; the app is not to be. */
static int oom_score(struct context *context)
{
    char text[12];
    int length = snprintf(text, sizeof text, "%u", (unsigned)context->start->oom_score);
    CLEANUP_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, (size_t)length) < 0 ? -1 : 0;
}

static int resource_limits(struct context *context)
{
    for (size_t i = 0; i < context->start->rlimit_count; i++) {
        const struct shim_rlimit *limit = &context->start->rlimits[i];
        const struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        snprintf(context->text, sizeof context->text, "RLIMIT %u", (unsigned)limit->resource);
        context->object = limit->resource == RLIMIT_NOFILE ? "open files" : context->text;
        if (setrlimit((__rlimit_resource_t)limit->resource, &value) < 0)
            return -1;
    }
    return 0;
}

/* The kernel's list ends where it answers EINVAL; another error must not leave the rest. */
static int bounding_set(struct context *context)
{
    (void)context;
    cap_value_t cap = 0;
    for (; cap_get_bound(cap) >= 0; cap++) {
        if (cap_drop_bound(cap) < 0)
            return -1;
    }
    return errno == EINVAL && cap > 0 ? 0 : -1;
}

static int groups(struct context *context)
{
    return setgroups(context->start->group_count, context->start->groups);
}

static int group(struct context *context)
{
    return setresgid(context->start->gid, context->start->gid, context->start->gid);
}

static int user(struct context *context)
{
    return setresuid(context->start->uid, context->start->uid, context->start->uid);
}

/* An app that runs as uid 0 would have kept them. */
static int capabilities(struct context *context)
{
    (void)context;
    cap_t none = cap_init();
    return none ? cap_set_proc(none) : -1; /* never freed: the exec does */
}

static int no_new_privileges(struct context *context)
{
    (void)context;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* As the user, whose rights decide, but not yet at the mercy of his signals. A directory outside our root would be
 * shown as "(unreachable)". */
static int working_directory(struct context *context)
{
    char path[PATH_MAX];
    context->object = context->start->workdir;
    if (setresuid((uid_t)-1, context->start->uid, (uid_t)-1) < 0 || chdir(context->start->workdir) < 0 ||
        !getcwd(path, sizeof path) || setresuid((uid_t)-1, 0, (uid_t)-1) < 0)
        return -1;
    errno = EXDEV;
    return path[0] == '/' ? 0 : -1;
}

static int descriptors(struct context *context)
{
    return close_range(LISTEN_FIRST + (unsigned)context->job->listener_count, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int signals(struct context *context)
{
    (void)context;
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int filter(struct context *context)
{
    const struct shim_start *start = context->start;
    if (start->filter_count == 0)
        return 0;
    errno = EINVAL;
    if (start->filter_count > BPF_MAXINSNS)
        return -1;
    const struct sock_fprog program = {.len = (unsigned short)start->filter_count,
                                       .filter = (struct sock_filter *)(uintptr_t)start->filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int execute(struct context *context)
{
    const struct sandbox_job *job = context->job;
    context->object = context->start->argv[0];
    if (job->listen_pid) /* our own copy: the process was forked */
        snprintf(job->listen_pid, SHIM_LISTEN_PID_SIZE, "LISTEN_PID=%d", (int)getpid());
    return execve(context->start->argv[0], context->start->argv,
                  job->environment ? job->environment : context->start->environment);
}

static const struct {
    enum shim_stage stage;
    int (*run)(struct context *context);
} steps[] = {
    {SHIM_STAGE_PREPARE, session},
    {SHIM_STAGE_CGROUP_NAMESPACE, cgroup_namespace},
    {SHIM_STAGE_PROPAGATION, propagation},
    {SHIM_STAGE_SOURCE, sources},
    {SHIM_STAGE_VIEW, view},
    {SHIM_STAGE_STDIO, stdio},
    {SHIM_STAGE_TERMINAL, terminal},
    {SHIM_STAGE_LISTEN, listening_sockets}, /* before the number of descriptors is limited, behind what needs others */
    {SHIM_STAGE_OOM, oom_score},
    {SHIM_STAGE_RLIMITS, resource_limits},
    {SHIM_STAGE_BOUNDING, bounding_set},
    {SHIM_STAGE_GROUPS, groups},
    {SHIM_STAGE_GID, group},
    {SHIM_STAGE_WORKDIR, working_directory},
    {SHIM_STAGE_DESCRIPTORS, descriptors},
    {SHIM_STAGE_SIGNALS, signals},
    {SHIM_STAGE_NO_NEW_PRIVILEGES, no_new_privileges},
    /* As late as can be: from here on it can be signalled by what else runs as the app's user. */
    {SHIM_STAGE_UID, user},
    {SHIM_STAGE_CAPABILITIES, capabilities},
    {SHIM_STAGE_FILTER, filter},
    {SHIM_STAGE_EXEC, execute},
};

/* All that the shim learns of a step before the exec: that it failed. */
_Noreturn void sandbox_enter(const struct sandbox_job *job, bool joins, int channel)
{
    struct sandbox_failure failure = {0};
    struct context entering = {.job = job, .start = job->start, .joins = joins, .channel = channel};
    struct context *context = &entering;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        context->object = NULL;
        if (steps[i].run(context) < 0) {
            failure.stage = steps[i].stage;
            failure.error = (uint32_t)errno;
            text_copy(failure.object, sizeof failure.object, context->object ? context->object : "");
            break;
        }
    }
    ssize_t put = write(context->channel, &failure, sizeof failure);
    _exit(put == (ssize_t)sizeof failure ? 127 : 126);
}
