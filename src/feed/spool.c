/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies in memory or in files without a name. */
#include "feed/spool.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = 4096 };

void spool_init(struct spool *spool)
{
    *spool = (struct spool){.fd = -1};
}

void spool_clear(struct spool *spool)
{
    free(spool->data);
    close_fd(&spool->fd);
    spool_init(spool);
}

static int open_file(int directory)
{
    int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    /* A file system without O_TMPFILE: one process at a time has the directory, so one name is enough. */
    fd = openat(directory, "spool", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        unlinkat(directory, "spool", 0);
    return fd;
}

static int write_all(int fd, const char *bytes, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t wrote = pwrite(fd, bytes, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? -errno : -EIO;
        bytes += wrote;
        length -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return 0;
}

static int move_to_file(struct spool *spool, int directory, struct error *err)
{
    CLEANUP_FD int fd = open_file(directory);
    if (fd < 0)
        return error_errno(err, errno, "make a temporary file for a body");
    int result = write_all(fd, spool->data, (size_t)spool->length, 0);
    if (result < 0)
        return error_errno(err, -result, "write a body to a temporary file");
    free(spool->data);
    spool->data = NULL;
    spool->capacity = 0;
    spool->fd = steal_fd(&fd);
    return 0;
}

static int add_to_memory(struct spool *spool, const void *bytes, size_t length, struct error *err)
{
    size_t needed = (size_t)spool->length + length, size = spool->capacity ? spool->capacity : FIRST;
    while (size < needed)
        size *= 2;
    if (size != spool->capacity) {
        char *data = realloc(spool->data, size);
        if (!data)
            return error_errno(err, ENOMEM, "keep a body of %zu bytes", needed);
        spool->data = data;
        spool->capacity = size;
    }
    memcpy(spool->data + spool->length, bytes, length);
    spool->length = needed;
    return 0;
}

int spool_add(struct spool *spool, int directory, const void *bytes, size_t length, struct error *err)
{
    int result = 0;
    if (length == 0)
        return 0;
    if (spool->fd < 0 && spool->length + length <= SPOOL_MEMORY)
        return add_to_memory(spool, bytes, length, err);
    if (spool->fd < 0)
        result = move_to_file(spool, directory, err);
    if (result == 0) {
        result = write_all(spool->fd, bytes, length, spool->length);
        if (result < 0)
            error_errno(err, -result, "write a body to a temporary file");
    }
    if (result == 0)
        spool->length += length;
    return result;
}

ssize_t spool_read(const struct spool *spool, uint64_t offset, void *bytes, size_t size)
{
    if (offset >= spool->length)
        return 0;
    if (size > spool->length - offset)
        size = (size_t)(spool->length - offset);
    if (spool->fd < 0) {
        memcpy(bytes, spool->data + offset, size);
        return (ssize_t)size;
    }
    ssize_t got;
    do
        got = pread(spool->fd, bytes, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}
