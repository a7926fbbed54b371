/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-zone APP.COLOUR DIRECTORY: setting up, and the loop. Started by the agent in the zone's namespaces, with
 * a listening socket and the log's directory as descriptors (model/shim_protocol.h). The first argument is for ps.
 */
#include "shim/shim.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    EXIT_SETUP = 3,
};

/* What starting, ending and listening to an app takes. */
static const cap_value_t needed[] = {
    CAP_SYS_ADMIN,                /* mount and cgroup namespaces, mounts, host name */
    CAP_SETUID,       CAP_SETGID, /* the app's user */
    CAP_SETPCAP,                  /* the app's bounding set */
    CAP_KILL,                     /* ending it */
    CAP_CHOWN,                    /* its pipe */
    CAP_DAC_OVERRIDE,             /* files to show from directories that only their owners enter */
    CAP_SYS_CHROOT,               /* a process that joins what the others see */
    CAP_SYS_RESOURCE,             /* more open files than the agent may have */
    CAP_SYS_PTRACE,               /* sockets of the app's, to nudge */
    CAP_NET_ADMIN,                /* keeping out what comes on them then; not all kernels ask for it */
};

static int keep_needed_capabilities(void)
{
    cap_t now = cap_get_proc(), kept = cap_init();
    if (!now || !kept)
        return -1;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        cap_flag_value_t have = CAP_CLEAR;
        cap_get_flag(now, needed[i], CAP_PERMITTED, &have);
        cap_set_flag(kept, CAP_PERMITTED, 1, &needed[i], have);
        cap_set_flag(kept, CAP_EFFECTIVE, 1, &needed[i], have);
    }
    int result = cap_set_proc(kept);
    cap_free(now);
    cap_free(kept);
    return result;
}

/* The kernel should take anybody before the shim. Not everybody may ask for that: then it stays as it is. */
static void be_spared_by_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t put = write(fd, "-900", 4);
    (void)put;
    close(fd);
}

int watch_fd(struct shim *shim, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(shim->epoll, EPOLL_CTL_ADD, fd, &event);
}

void unwatch_fd(struct shim *shim, int *fd)
{
    if (*fd >= 0)
        epoll_ctl(shim->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close_fd(fd);
}

/* From what functions return here to what the kernel's calls do. */
static int or_errno(int result)
{
    if (result >= 0)
        return 0;
    errno = -result;
    return -1;
}

/* Every signal is blocked: as PID 1 we would miss those without a handler anyway, and none is to interrupt us. */
static int open_signals(void)
{
    sigset_t all, ours;
    sigfillset(&all);
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    return sigprocmask(SIG_BLOCK, &all, NULL) < 0 ? -1 : signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- setting up: -1 with errno --------------------------------------------------------------------- */

static int hide_memory(struct shim *shim)
{
    (void)shim;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int drop_capabilities(struct shim *shim)
{
    (void)shim;
    return keep_needed_capabilities();
}

static int go_to_root(struct shim *shim)
{
    (void)shim;
    return chdir("/");
}

static int listen_to_signals(struct shim *shim)
{
    shim->signals = open_signals();
    return shim->signals;
}

static int arrange_descriptors(struct shim *shim)
{
    return fcntl(shim->listener, F_SETFD, FD_CLOEXEC) < 0 || fcntl(SHIM_FD_LOG_DIRECTORY, F_SETFD, FD_CLOEXEC) < 0
               ? -1
               : fcntl(shim->listener, F_SETFL, O_NONBLOCK);
}

static int listen_to_agent(struct shim *shim)
{
    return or_errno(control_open(shim));
}

static int open_log(struct shim *shim)
{
    return or_errno(logfile_open(&shim->log, SHIM_FD_LOG_DIRECTORY, strrchr(shim->directory, '/') + 1));
}

static int watch_all(struct shim *shim)
{
    shim->epoll = epoll_create1(EPOLL_CLOEXEC);
    return shim->epoll < 0 || watch_fd(shim, shim->signals) < 0 || watch_fd(shim, shim->listener) < 0
               ? -1
               : watch_fd(shim, shim->log.events);
}

static const struct {
    enum shim_setup step;
    int (*run)(struct shim *shim);
} steps[] = {
    {SHIM_SETUP_DUMPABLE, hide_memory},
    {SHIM_SETUP_CAPABILITIES, drop_capabilities},
    {SHIM_SETUP_DIRECTORY, go_to_root},
    {SHIM_SETUP_SIGNALS, listen_to_signals},
    {SHIM_SETUP_DESCRIPTORS, arrange_descriptors},
    {SHIM_SETUP_SOCKET, listen_to_agent},
    {SHIM_SETUP_LOG, open_log},
    {SHIM_SETUP_EVENTS, watch_all},
};

/* What goes wrong here is told through the pipe, for nobody is connected yet. */
static int set_up(struct shim *shim)
{
    /* An older agent gives none: the number may be anybody's in a moment. */
    CLEANUP_FD int report = fcntl(SHIM_FD_REPORT, F_SETFD, FD_CLOEXEC) < 0 ? -1 : SHIM_FD_REPORT;
    umask(027);
    child_table(shim);
    be_spared_by_oom();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].run(shim) >= 0)
            continue;
        const struct shim_report what = {.step = steps[i].step, .error = (uint32_t)errno};
        ssize_t put = report < 0 ? -1 : write(report, &what, sizeof what);
        (void)put;
        return -1;
    }
    return 0;
}

/* --- the loop -------------------------------------------------------------------------------------- */

/* Who is frozen could not end gracefully. */
static void leave(struct shim *shim)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX && shim->frozen; i++)
        members_thaw(&shim->children[i]);
    shim->frozen = false;
    shim->leaving = true;
    child_stop(shim, NULL);
}

static void on_signals(struct shim *shim)
{
    struct signalfd_siginfo info;
    while (read(shim->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        /* From outside the zone only, where the sender has no pid that we could see: the system goes down, or somebody
         * stops the scope. An app that runs as root could send it too. */
        if (info.ssi_signo == SIGTERM && info.ssi_pid == 0)
            leave(shim);
    }
    child_reap(shim);
}

static void on_process_event(struct shim *shim, int fd)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        struct child *child = &shim->children[i];
        if (!child->used)
            continue;
        if (fd == child->notify)
            notify_receive(shim, child);
        else if (fd == child->capture)
            output_read(shim, child);
    }
}

static void on_event(struct shim *shim, const struct epoll_event *event)
{
    int fd = event->data.fd;
    if (fd == shim->signals) {
        on_signals(shim);
    } else if (fd == shim->listener) {
        control_accept(shim);
    } else if (fd == shim->log.events) {
        logfile_serve(&shim->log);
    } else if (fd == shim->agent) {
        if (event->events & EPOLLOUT)
            control_writable(shim);
        if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            control_receive(shim);
    } else {
        on_process_event(shim, fd);
    }
}

static void run(struct shim *shim)
{
    while (!shim->leaving || shim->stopping) {
        /* One at a time: what an event closes cannot have another one waiting in an array. */
        struct epoll_event event;
        int count = epoll_wait(shim->epoll, &event, 1, child_patience(shim));
        if (count > 0)
            on_event(shim, &event);
        child_tick(shim);
    }
    while (logfile_move(&shim->log))
        ;
}

int main(int argument_count, char *arguments[])
{
    static struct shim shim = {.listener = SHIM_FD_LISTEN, .agent = -1, .mounts = -1};
    static const char usage[] = "bluegreen-zone is started by bluegreend, one for each zone, and not by hand\n";
    if (argument_count != 3 || arguments[2][0] != '/' || getpid() != 1) {
        ssize_t put = write(STDERR_FILENO, usage, sizeof usage - 1);
        (void)put;
        return EXIT_USAGE;
    }
    shim.directory = arguments[2];
    if (set_up(&shim) < 0)
        return EXIT_SETUP;
    run(&shim);
    return 0;
}
