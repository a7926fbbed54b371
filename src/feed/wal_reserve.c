/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A piece of the disk that is kept free for what has to be written when the disk is full: how those transactions end
 * that live has got already, and what the other zone has applied, without which nothing could ever be removed. New
 * transactions are refused meanwhile.
 */
#include "base/cleanup.h"
#include "feed/wal_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char name[] = "reserve";
enum { SIZE = 1 << 20 /* some thousand entries without a request */ };

int wal_reserve_hold(struct wal *wal, struct error *err)
{
    if (wal->reserve != RESERVE_NONE)
        return 0;
    CLEANUP_FD int fd = openat(wal->directory, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd >= 0 && fallocate(fd, 0, 0, SIZE) == 0) {
        wal->reserve = RESERVE_HELD;
        return 0;
    }
    int failure = errno;
    if (fd >= 0)
        unlinkat(wal->directory, name, 0); /* what it has got of it */
    if (failure == ENOSPC || failure == EDQUOT)
        return error_errno(err, failure, "keep room for the ends of what the feed's journal has");
    wal->reserve = RESERVE_UNABLE;
    return 0;
}

bool wal_reserve_release(struct wal *wal)
{
    if (wal->reserve != RESERVE_HELD)
        return false;
    wal->reserve = RESERVE_NONE;
    return unlinkat(wal->directory, name, 0) == 0;
}
