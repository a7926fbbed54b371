/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The freezer of cgroup v2. */
#include "zone/freezer.h"

#include "base/cleanup.h"
#include "os/clock.h"
#include "zone/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000 };

/* A change of cgroup.events makes the descriptor on which it was read ready (POLLPRI). */
static int wait_until(const char *path, bool frozen, struct error *err)
{
    char file[PATH_MAX], content[256];
    if (!cgroup_join(file, path, "cgroup.events"))
        return error_errno(err, ENAMETOOLONG, "cgroup %s", path);
    CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open %s", file);
    uint64_t until = clock_monotonic_ms() + TIMEOUT_MS, state;
    for (;;) {
        ssize_t got = pread(fd, content, sizeof content - 1, 0);
        if (got < 0)
            return error_errno(err, errno, "read %s", file);
        content[got] = '\0';
        if (cgroup_keyed(content, "frozen", &state) && (state == 1) == frozen)
            return 0;
        uint64_t now = clock_monotonic_ms();
        if (now >= until)
            return error_set(err, ETIMEDOUT, "%s %s: not done after %d ms; a process in it hangs in the kernel",
                             frozen ? "freeze" : "thaw", path, TIMEOUT_MS);
        struct pollfd changed = {.fd = fd, .events = POLLPRI};
        poll(&changed, 1, (int)(until - now));
    }
}

int freezer_set(const char *path, bool frozen, struct error *err)
{
    int result = cgroup_write(path, "cgroup.freeze", frozen ? "1" : "0");
    if (result == -ENOENT)
        return error_set(err, EOPNOTSUPP, "freeze %s: this kernel cannot (Linux 5.2 and newer can)", path);
    if (result < 0)
        return error_errno(err, -result, "%s %s", frozen ? "freeze" : "thaw", path);
    result = wait_until(path, frozen, err);
    if (result < 0 && frozen)
        cgroup_write(path, "cgroup.freeze", "0");
    return result;
}

bool freezer_get(const char *path)
{
    uint64_t frozen;
    return cgroup_number(path, "cgroup.freeze", &frozen) && frozen == 1;
}
