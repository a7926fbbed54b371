/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the app says of itself, as sd_notify(3) has it: datagrams to a socket whose name is in NOTIFY_SOCKET. The name
 * is abstract, so it is the zone's network namespace that decides who can reach it, whatever the app's root looks
 * like; each process that has one has its own, so it is known whom a message is about. These bytes are the only ones
 * that the shim reads of an app, apart from the output of checks: everything else in them is passed over.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "bluegreen-notify"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

enum {
    MESSAGE_MAX = 4096, /* as systemd: longer ones are not looked at */
    RIGHTS_MAX = 253,   /* SCM_MAX_FD of the kernel's include/net/scm.h */
    DRAIN_MAX = 1024,   /* above net.unix.max_dgram_qlen of any distribution */
    TURN_MS = 100,
    TURN_MAX = 100, /* messages in a turn; who sends more waits for the next one */
};

/* --- the socket --------------------------------------------------------------------------------- */

/* "NOTIFY_SOCKET=@bluegreen-notify", or with "/NAME" behind it. */
static void name_socket(struct child *child)
{
    snprintf(child->socket_variable, sizeof child->socket_variable, "NOTIFY_SOCKET=@" NAME "%s%s",
             child->name[0] ? "/" : "", child->name);
}

static int open_socket(struct shim *shim, struct child *child)
{
    static const int on = 1, off = 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* sun_path[0] stays 0: abstract */
    const char *name = strchr(child->socket_variable, '@') + 1;
    text_copy(address.sun_path + 1, sizeof address.sun_path - 1, name);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || watch_fd(shim, fd) < 0)
        return -1;
    child->notify_bare = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
    child->notify = steal_fd(&fd);
    return 0;
}

/* The environment that was asked for, with ours instead of what it says of the same names. */
static int add_variables(struct child *child)
{
    struct shim_start *start = &child->start;
    size_t kept = 0;
    char **environment = calloc(start->variable_count + 3, sizeof *environment);
    if (!environment)
        return -1;
    for (size_t i = 0; i < start->variable_count; i++) {
        if (!text_starts_with(start->environment[i], "NOTIFY_SOCKET=") &&
            !text_starts_with(start->environment[i], "WATCHDOG_"))
            environment[kept++] = start->environment[i];
    }
    environment[kept++] = child->socket_variable;
    if (start->watchdog_ms > 0) {
        snprintf(child->watchdog_variable, sizeof child->watchdog_variable, "WATCHDOG_USEC=%llu",
                 (unsigned long long)start->watchdog_ms * 1000);
        environment[kept++] = child->watchdog_variable;
    }
    free(start->environment);
    start->environment = environment;
    start->variable_count = kept;
    return 0;
}

int notify_open(struct shim *shim, struct child *child)
{
    if (!child->start.notify || child->notify >= 0)
        return 0;
    name_socket(child);
    return open_socket(shim, child) < 0 || add_variables(child) < 0 ? -1 : 0;
}

/* --- descriptors that nobody asked for --------------------------------------------------------------
 *
 * Whoever closes the last descriptor of a file may wait for it: for the other end of a TCP connection with SO_LINGER as
 * long as the app has set, for a file server as long as that likes. So none may be closed by the shim, neither when it
 * passes over a message with some nor when it closes a socket where such a message waits. Linux 6.16 does not accept
 * them in the first place (SO_PASSRIGHTS). On older kernels a process of its own takes them with it when it ends: an
 * ending process does not linger, and if something else holds it up, the shim does not wait for that.
 */

static pid_t another(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static void take_along(int fd)
{
    char text[1];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * RIGHTS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = sizeof text};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    (void)recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

/* Waits until the message is taken, but not for its end; nor where an app of root's stops it. */
static void leave_to_another(int fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    CLEANUP_FD int waits = ends[0];
    CLEANUP_FD int tells = ends[1];
    pid_t process = another();
    if (process == 0) {
        take_along(fd);
        ssize_t put = write(tells, "", 1);
        _exit(put != 1);
    }
    close_fd(&tells);
    struct pollfd taken = {.fd = waits, .events = POLLIN};
    if (process > 0) {
        poll(&taken, 1, TURN_MS);
        kill(process, SIGKILL);
    }
}

/* The new process has the socket until ours is closed, so it is the last that has it. */
static void close_elsewhere(struct shim *shim, int *fd)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    CLEANUP_FD int waits = ends[0];
    CLEANUP_FD int tells = ends[1];
    if (another() == 0) {
        close_fd(&tells);
        ssize_t got = read(waits, &byte, sizeof byte);
        _exit(got != 0);
    }
    unwatch_fd(shim, fd);
}

/* --- messages ----------------------------------------------------------------------------------- */

static void take_line(struct shim *shim, struct child *child, const char *line)
{
    if (text_equal(line, "READY=1"))
        child_ready(shim, child, true);
    else if (text_equal(line, "RELOADING=1") || text_equal(line, "STOPPING=1"))
        child_ready(shim, child, false);
    else if (text_equal(line, "WATCHDOG=1"))
        child_watchdog(shim, child, true);
    else if (text_equal(line, "WATCHDOG=trigger"))
        child_watchdog(shim, child, false);
}

static void take_lines(struct shim *shim, struct child *child, char *text)
{
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        take_line(shim, child, line);
        line = end ? end + 1 : NULL;
    }
}

/* Whoever shares the network namespace but not the pid namespace has no number here: it came from the host. */
static bool is_of_zone(struct msghdr *header)
{
    struct cmsghdr *first = CMSG_FIRSTHDR(header);
    struct ucred sender;
    if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_CREDENTIALS ||
        first->cmsg_len != CMSG_LEN(sizeof sender))
        return false;
    memcpy(&sender, CMSG_DATA(first), sizeof sender);
    return sender.pid > 0;
}

static void listen_again(struct shim *shim, struct child *child, bool listening)
{
    struct epoll_event event = {.events = listening ? EPOLLIN : 0, .data.fd = child->notify};
    epoll_ctl(shim->epoll, EPOLL_CTL_MOD, child->notify, &event);
}

/* False: there is none. *fits: it is one that may be looked at; *rights: descriptors are with it. */
static bool look(int fd, char text[MESSAGE_MAX + 1], int flags, bool *fits, bool *rights)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = MESSAGE_MAX};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t got = recvmsg(fd, &header, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return false;
    text[got] = '\0'; /* what is behind a NUL of the sender's is not looked at */
    *rights = header.msg_flags & MSG_CTRUNC;
    *fits = !(header.msg_flags & MSG_TRUNC) && is_of_zone(&header);
    return true;
}

static bool receive(struct shim *shim, struct child *child)
{
    char text[MESSAGE_MAX + 1];
    bool fits, rights = false;
    if (!child->notify_bare && look(child->notify, text, MSG_PEEK, &fits, &rights) && rights) {
        leave_to_another(child->notify);
        return true;
    }
    if (!look(child->notify, text, 0, &fits, &rights))
        return false;
    if (fits)
        take_lines(shim, child, text);
    return true;
}

/* Below the most of a turn, and the socket is still there: a message may have ended the process. */
static bool may_go_on(struct shim *shim, struct child *child)
{
    uint64_t now = clock_monotonic_ms();
    if (child->notify < 0)
        return false;
    if (now - child->turn_ms >= TURN_MS) {
        child->turn_ms = now;
        child->turn_count = 0;
    }
    if (child->turn_count++ < TURN_MAX)
        return true;
    listen_again(shim, child, false);
    child->deaf_until_ms = child->turn_ms + TURN_MS;
    return false;
}

void notify_receive(struct shim *shim, struct child *child)
{
    if (may_go_on(shim, child))
        receive(shim, child);
}

void notify_drain(struct shim *shim, struct child *child)
{
    for (unsigned i = 0; i < DRAIN_MAX && child->notify >= 0 && receive(shim, child); i++)
        ;
}

void notify_tick(struct shim *shim, struct child *child, uint64_t now)
{
    if (child->deaf_until_ms == 0 || now < child->deaf_until_ms)
        return;
    child->deaf_until_ms = 0;
    if (child->notify >= 0)
        listen_again(shim, child, true);
}

void notify_close(struct shim *shim, struct child *child)
{
    if (child->notify >= 0 && !child->notify_bare)
        close_elsewhere(shim, &child->notify);
    unwatch_fd(shim, &child->notify);
    child->deaf_until_ms = 0;
}
