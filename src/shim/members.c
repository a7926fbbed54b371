/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process and all that it started. Its cgroup knows them, however they forked; without cgroups its process group
 * does, as long as they stay in it, and in a zone with one process everybody is its. Apart from child.c   because this
 * is about what the kernel tells, not about what follows from it.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PIECE = 2048,
    KILL_ROUNDS = 3, /* the second finds who was just being born, the third nobody */
};

/* --- without a cgroup --------------------------------------------------------------------------- */

static bool is_alone(const struct shim *shim, const struct child *child)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        const struct child *other = &shim->children[i];
        if (other != child && other->used && other->group > 0)
            return false;
    }
    return true;
}

/* The kernel spares us in kill(-1): we are PID 1. */
static void signal_group(const struct shim *shim, const struct child *child, int number)
{
    if (is_alone(shim, child))
        kill(-1, number);
    else if (child->group > 0)
        kill(-child->group, number);
}

static bool group_gone(const struct shim *shim, const struct child *child)
{
    siginfo_t info;
    if (is_alone(shim, child))
        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD;
    return child->group == 0 || (kill(-child->group, 0) < 0 && errno == ESRCH);
}

/* --- with one ------------------------------------------------------------------------------------- */

/* The file may be missing (an old kernel), and the directory gone. */
static void put(const struct child *child, const char *file, const char *value)
{
    CLEANUP_FD int fd = openat(child->cgroup, file, O_WRONLY | O_CLOEXEC);
    ssize_t written = fd < 0 ? -1 : write(fd, value, strlen(value));
    (void)written;
}

/* The list has the numbers of our pid namespace, one a line; 0 is somebody of another one. */
static unsigned signal_piece(const char *piece, size_t length, pid_t *number, int signal_number)
{
    unsigned sent = 0;
    for (size_t i = 0; i < length; i++) {
        if (piece[i] >= '0' && piece[i] <= '9') {
            *number = *number * 10 + (piece[i] - '0');
            continue;
        }
        if (*number > 1 && kill(*number, signal_number) == 0)
            sent++;
        *number = 0;
    }
    return sent;
}

static unsigned signal_members(const struct child *child, int number)
{
    char piece[PIECE];
    pid_t member = 0;
    unsigned sent = 0;
    ssize_t got;
    CLEANUP_FD int fd = openat(child->cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0)
        sent += signal_piece(piece, (size_t)got, &member, number);
    return sent;
}

static bool is_populated(const struct child *child)
{
    char content[256] = "";
    CLEANUP_FD int fd = openat(child->cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
    /* A directory that has been removed has nobody in it. */
    return fd >= 0 && read(fd, content, sizeof content - 1) > 0 && strstr(content, "populated 1");
}

/* --- either --------------------------------------------------------------------------------------- */

void members_signal(const struct shim *shim, const struct child *child, int number)
{
    if (child->cgroup >= 0)
        signal_members(child, number);
    else
        signal_group(shim, child, number);
}

void members_kill(const struct shim *shim, const struct child *child)
{
    if (child->cgroup < 0) {
        signal_group(shim, child, SIGKILL);
        return;
    }
    /* Not cgroup.kill: on Linux 6.18 a directory that has seen one kills, for good, whoever is cloned into it. Who is
     * frozen cannot fork away from us. */
    put(child, "cgroup.freeze", "1");
    for (unsigned round = 0; round < KILL_ROUNDS && signal_members(child, SIGKILL) > 0; round++)
        ;
    put(child, "cgroup.freeze", "0");
}

bool members_gone(const struct shim *shim, const struct child *child)
{
    return child->cgroup >= 0 ? !is_populated(child) : group_gone(shim, child);
}

void members_thaw(const struct child *child)
{
    /* The agent freezes the directory above, with all processes of the app in it. */
    if (child->cgroup >= 0)
        put(child, "../cgroup.freeze", "0");
}
