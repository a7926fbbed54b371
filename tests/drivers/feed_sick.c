/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-feed on a disk that fails: while a file "sick" is in its directory, no sync comes to a good end. Linked
 * around the feed (the Makefile wraps the call), for a test of what it tells then and how it goes on afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
    int sick = open("/sick", O_RDONLY | O_CLOEXEC);
    if (sick < 0)
        return __real_fdatasync(fd);
    close(sick);
    errno = EIO;
    return -1;
}
