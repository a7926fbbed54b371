/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feed roles outlive the agent, as zones do: clients go on being served, and the next agent takes the role over. Each
 * listens at RUN/feed/APP.sock, which the agent has made and only root can reach; beside it APP.pid says which process
 * it is.
 */
#include "agent/feeding_role.h"

#include "agent/feeding.h"
#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { END_MS = 1000 };

static void path_of(const struct agent *agent, const char *app, const char *kind, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/feed%s%s%s", agent->options.run_dir, app[0] ? "/" : "", app, kind);
}

static int address_of(const struct agent *agent, const char *app, struct sockaddr_un *address)
{
    char path[PATH_MAX];
    path_of(agent, app, ".sock", path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return text_copy(address->sun_path, sizeof address->sun_path, path) ? 0 : -ENAMETOOLONG;
}

/* The socket, or a negative errno. */
static int listen_for_next(const struct feeding *feeding, struct error *err)
{
    const struct app *app = feeding->app;
    char path[PATH_MAX];
    struct sockaddr_un address;
    path_of(app->agent, "", "", path);
    int result = directory_make(path, 0700, err);
    if (result == 0)
        result = address_of(app->agent, app->name, &address);
    if (result < 0)
        return result;
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0)
        return fd;
    result = error_errno(err, errno, "listen at %s", address.sun_path);
    if (fd >= 0)
        close(fd);
    return result;
}

void feeding_make_lasting(struct feeding *feeding)
{
    char path[PATH_MAX], pid[16];
    struct error err = {0};
    struct feed_keep message = {0};
    CLEANUP_FD int fd = listen_for_next(feeding, &err);
    int length = snprintf(pid, sizeof pid, "%d\n", (int)feeding->process.pid);
    path_of(feeding->app->agent, feeding->app->name, ".pid", path);
    if (fd >= 0 && file_write_atomic(path, 0600, pid, (size_t)length, &err) == 0)
        feeding_send(feeding, FEED_KEEP, &message.header, sizeof message, &fd, 1);
    else
        log_warning("%s: its feed will end with this agent: %s", feeding->app->name, err.text);
}

/* A descriptor of the process that the file names, if it is a feed of this app; or -1. */
static int find_process(const struct agent *agent, const char *app, pid_t *pid)
{
    char path[PATH_MAX], line[PATH_MAX];
    CLEANUP_FREE char *command = NULL;
    size_t length = 0;
    path_of(agent, app, ".pid", path);
    if (file_peek(path, line, sizeof line, NULL) < 0 || (*pid = (pid_t)atoi(line)) <= 1)
        return -1;
    int pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)*pid);
    snprintf(line, sizeof line, "%s/feed/%s", agent->options.state_dir, app);
    bool ours = pidfd >= 0 && file_read(path, sizeof line, &command, &length, NULL) == 0;
    for (size_t at = 0; ours && at < length; at += strlen(command + at) + 1) {
        if (strcmp(command + at, line) == 0)
            return pidfd;
    }
    close_fd(&pidfd);
    return -1;
}

bool feeding_is_left(const struct agent *agent, const char *app)
{
    pid_t pid;
    CLEANUP_FD int pidfd = find_process(agent, app, &pid);
    return pidfd >= 0;
}

int feeding_connect(struct feeding *feeding)
{
    const struct app *app = feeding->app;
    struct sockaddr_un address;
    pid_t pid;
    CLEANUP_FD int pidfd = find_process(app->agent, app->name, &pid);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (pidfd < 0 || fd < 0 || address_of(app->agent, app->name, &address) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -ENOENT;
    message_refuse_descriptors(fd);
    feeding->process = (struct process){.pid = pid, .pidfd = steal_fd(&pidfd), .channel = steal_fd(&fd)};
    log_info("%s: its feed is adopted, pid %d", app->name, (int)pid);
    return 0;
}

void feeding_end_stray(struct agent *agent, const char *app)
{
    char path[PATH_MAX];
    pid_t pid;
    CLEANUP_FD int pidfd = find_process(agent, app, &pid);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0)
        poll(&ended, 1, END_MS);
    path_of(agent, app, ".pid", path);
    unlink(path);
    path_of(agent, app, ".sock", path);
    unlink(path);
}
