/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pidfd's process, from its fdinfo: the kernel has no call for it before 6.13. */
#include "os/pidfd.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t pidfd_pid(int pidfd)
{
    char path[48], content[1024];
    ssize_t got;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    do
        got = read(fd, content, sizeof content - 1);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    content[got] = '\0';
    const char *line = strstr(content, "\nPid:");
    long pid = line ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : 0;
}
