/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the feed's journal asks of its thread (feed/wal_sync.h), played without one: the disk has nothing but what
 * played_sync_now() brings there, and files that nobody needs any more stay until then. No fallocate(2) either: it
 * would take longer than all the rest.
 */
#pragma once

#include "feed/wal_segment.h"
#include "feed/wal_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PLAYED_REMOVALS = 64 };

struct wal_sync {
    int directory, event;
    uint64_t wanted, done;
    bool lazy; /* until played_sync_now(); else all that is wanted is done at once */
    struct {
        uint64_t number, at;
    } removals[PLAYED_REMOVALS];
    size_t removal_count;
};

static struct wal_sync played = {.event = -1};

static void played_remove(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < played.removal_count; i++) {
        char name[WAL_NAME_SIZE];
        wal_segment_name(played.removals[i].number, name);
        if (played.removals[i].at > played.done)
            played.removals[kept++] = played.removals[i];
        else
            unlinkat(played.directory, name, 0);
    }
    played.removal_count = kept;
}

static void played_sync_now(void)
{
    uint64_t one = 1;
    played.done = played.wanted;
    played_remove();
    if (write(played.event, &one, sizeof one) < 0)
        abort();
}

int wal_sync_new(int directory, uint64_t done, struct wal_sync **sync, struct error *err)
{
    (void)err;
    if (played.event < 0 && (played.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        abort();
    played.directory = directory;
    played.wanted = played.done = done;
    played.removal_count = 0;
    *sync = &played;
    return 0;
}

void wal_sync_flush(struct wal_sync *sync)
{
    if (!sync->lazy)
        played_sync_now();
}

void wal_sync_free(struct wal_sync *sync)
{
    if (sync)
        wal_sync_flush(sync);
}

int wal_sync_event(const struct wal_sync *sync)
{
    return sync->event;
}

int wal_sync_file(struct wal_sync *sync, int fd, bool made, struct error *err)
{
    (void)sync, (void)fd, (void)made, (void)err;
    return 0;
}

void wal_sync_want(struct wal_sync *sync, uint64_t at)
{
    if (at > sync->wanted)
        sync->wanted = at;
    if (!sync->lazy)
        played_sync_now();
}

void wal_sync_remove(struct wal_sync *sync, uint64_t number, uint64_t at)
{
    if (sync->removal_count < PLAYED_REMOVALS) {
        sync->removals[sync->removal_count].number = number;
        sync->removals[sync->removal_count++].at = at;
    }
    played_remove();
}

uint64_t wal_sync_done(struct wal_sync *sync, int *failure)
{
    *failure = 0;
    return sync->done;
}

/* As on a file system that cannot. */
int fallocate(int fd, int mode, off_t offset, off_t length)
{
    (void)fd, (void)mode, (void)offset, (void)length;
    errno = EOPNOTSUPP;
    return -1;
}
