/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-zone APP.COLOUR DIRECTORY: setting up, and the loop. Started by the agent in the zone's namespaces, with
 * a listening socket and the log's directory as descriptors (model/shim_protocol.h). The first argument is for ps.
 */
#include "shim/shim.h"

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
    CAP_SYS_ADMIN,             /* mount and cgroup namespaces, mounts, host name */
    CAP_SETUID,    CAP_SETGID, /* the app's user */
    CAP_SETPCAP,               /* the app's bounding set */
    CAP_KILL,                  /* ending it */
    CAP_CHOWN,                 /* its pipe */
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

static int watch(const struct shim *shim, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(shim->epoll, EPOLL_CTL_ADD, fd, &event);
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

static int set_up(struct shim *shim)
{
    umask(027);
    be_spared_by_oom();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || keep_needed_capabilities() < 0 || chdir("/") < 0)
        return -1;
    shim->signals = open_signals();
    shim->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (shim->signals < 0 || shim->epoll < 0)
        return -1;
    if (fcntl(shim->listener, F_SETFD, FD_CLOEXEC) < 0 || fcntl(SHIM_FD_LOG_DIRECTORY, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(shim->listener, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    if (control_open(shim) < 0 || logfile_open(&shim->log, SHIM_FD_LOG_DIRECTORY) < 0)
        return -1;
    return watch(shim, shim->signals) < 0 || watch(shim, shim->listener) < 0 || watch(shim, shim->log.pipe_read) < 0
               ? -1
               : 0;
}

static void on_signals(struct shim *shim)
{
    struct signalfd_siginfo info;
    while (read(shim->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        /* From outside the zone only, where the sender has no pid that we could see: the system goes down, or somebody
         * stops the scope. An app that runs as root could send it too. */
        if (info.ssi_signo == SIGTERM && info.ssi_pid == 0) {
            shim->leaving = true;
            app_stop(shim);
        }
    }
    app_reap(shim);
}

static void on_event(struct shim *shim, const struct epoll_event *event)
{
    int fd = event->data.fd;
    if (fd == shim->signals) {
        on_signals(shim);
    } else if (fd == shim->listener) {
        control_accept(shim);
    } else if (fd == shim->log.pipe_read) {
        logfile_move(&shim->log);
    } else if (fd == shim->agent) {
        if (event->events & EPOLLOUT)
            control_writable(shim);
        if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            control_receive(shim);
    }
}

static void run(struct shim *shim)
{
    while (!(shim->leaving && shim->state.phase == SHIM_IDLE)) {
        /* One at a time: what an event closes cannot have another one waiting in an array. */
        struct epoll_event event;
        int count = epoll_wait(shim->epoll, &event, 1, app_patience(shim));
        if (count > 0)
            on_event(shim, &event);
        app_tick(shim);
    }
    while (logfile_move(&shim->log))
        ;
}

int main(int argument_count, char *arguments[])
{
    static struct shim shim = {.listener = SHIM_FD_LISTEN, .agent = -1, .payload = -1, .app_pidfd = -1};
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
