/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a damaged journal out of the way. Apart from the rest, because it is for when the rest has given up. */
#include "base/cleanup.h"
#include "feed/wal.h"
#include "feed/wal_segment.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>

#define ASIDE ".aside"

static int remove_former(int directory, struct error *err)
{
    CLEANUP_FD int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing)
        return error_errno(err, errno, "open the directory of the feed's journal");
    steal_fd(&fd);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        char name[WAL_NAME_SIZE];
        uint64_t number;
        size_t length = strlen(entry->d_name);
        if (length < sizeof ASIDE || length - (sizeof ASIDE - 1) >= sizeof name ||
            strcmp(entry->d_name + length - (sizeof ASIDE - 1), ASIDE) != 0)
            continue;
        memcpy(name, entry->d_name, length - (sizeof ASIDE - 1));
        name[length - (sizeof ASIDE - 1)] = '\0';
        if (wal_segment_named(name, &number) && unlinkat(directory, entry->d_name, 0) < 0)
            return error_errno(err, errno, "remove %s, a journal that was set aside earlier", entry->d_name);
    }
    return 0;
}

int wal_set_aside(int directory, struct error *err)
{
    CLEANUP_FREE uint64_t *numbers = NULL;
    size_t count;
    int result = wal_segment_list(directory, &numbers, &count, err);
    if (result == 0 && count > 0)
        result = remove_former(directory, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        char from[WAL_NAME_SIZE], to[WAL_NAME_SIZE + sizeof ASIDE];
        wal_segment_name(numbers[i], from);
        snprintf(to, sizeof to, "%s" ASIDE, from);
        if (renameat(directory, from, directory, to) < 0)
            result = error_errno(err, errno, "set %s of the feed's journal aside", from);
    }
    for (uint64_t now = clock_unix_ms(); clock_unix_ms() == now;)
        continue; /* ids of the next one begin with the time */
    if (result == 0 && fsync(directory) < 0)
        result = error_errno(err, errno, "set the feed's journal aside");
    return result;
}
