/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the attempts of escape.c share: whom they are aimed at, and the ways to say what came of one. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { VICTIM_TERM, VICTIM_STOP, VICTIM_KILL, VICTIMS };

static struct {
    pid_t init;             /* the process to get at: PID 1, which is the shim in a zone */
    pid_t victims[VICTIMS]; /* whom to signal */
    const char *marker;     /* in the command line of a process of the host, and the name of its other things */
    const char *other4, *other6;
    uint16_t other_port, host_port;
    int host_key;
    const char *agent_socket, *host_socket;
    const char *state, *config, *release, *setuid, *filecap;
} aim = {.init = 1, .victims = {1, 1, 1}};

/* Of the attempt that runs; each has a process of its own. */
static char detail[192];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
}

static const char *error_name(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "an unknown error";
}

/* True = escaped: the call did what it says. */
static bool judge(long result, const char *what)
{
    if (result >= 0)
        say("%s: done", what);
    else
        say("%s: %s", what, error_name(errno));
    return result >= 0;
}

/* For calls whose arguments are wrong on purpose, where the kernel looks at the caller's rights first: an error that is
 * about the arguments says that the rights were enough. */
static bool judge_rights(long result, const char *what)
{
    judge(result, what);
    return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    bool done = judge(fd, path);
    if (fd >= 0)
        close(fd);
    return done;
}

/* A byte at least. */
static bool can_read(const char *path)
{
    char byte[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return judge(fd, path);
    ssize_t got = read(fd, byte, sizeof byte);
    close(fd);
    if (got == 0)
        say("%s: empty", path);
    else
        judge(got, path);
    return got > 0;
}

static bool init_can_open(const char *what, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)aim.init, what);
    return can_open(path, flags);
}
