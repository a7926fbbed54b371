/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two agents must not share: a network namespace, whose rules both would write, and /run/netns, where each would
 * take the other's names away (unlinking a mount point detaches it in every mount namespace). Both claims end with
 * the process.
 */
#include "agent/claims.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* An abstract name belongs to the network namespace that it was bound in. */
static int claim_network(int *claim, struct error *err)
{
    static const char name[] = "\0io.bluegreen.Agent";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, sizeof name - 1);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof name - 1);
    if (fd < 0)
        return error_errno(err, errno, "claim the network namespace");
    int result = lock_name(fd, (const struct sockaddr *)&address, length);
    if (result < 0)
        return result == -EADDRINUSE
                   ? error_set(err, EBUSY,
                               "another agent works in this network namespace; stop it first, or give this "
                               "one a network namespace of its own")
                   : error_errno(err, -result, "claim the network namespace");
    *claim = steal_fd(&fd);
    return 0;
}

/* The lock is beside /run/netns, not in it or on it: ip-netns(8) lists what is in it and locks the directory itself. */
static int claim_names(int *claim, struct error *err)
{
    struct stat names;
    char path[96];
    if (mkdir("/run/netns", 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make /run/netns");
    if (stat("/run/netns", &names) < 0)
        return error_errno(err, errno, "look at /run/netns");
    snprintf(path, sizeof path, "/run/bluegreen-netns-%llx-%llx.lock", (unsigned long long)names.st_dev,
             (unsigned long long)names.st_ino);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, errno, "open %s", path);
    int result = lock_file(fd);
    if (result == 0) {
        *claim = steal_fd(&fd);
        return 0;
    }
    if (result != -EWOULDBLOCK)
        return error_errno(err, -result, "lock %s", path);
    return error_set(err, EBUSY,
                     "another agent keeps the names of its zones in this /run/netns; stop it first, or mount a tmpfs "
                     "on /run/netns in this agent's mount namespace");
}

int claims_take(struct agent *agent, struct error *err)
{
    int result = claim_network(&agent->network_claim, err);
    return result < 0 ? result : claim_names(&agent->names_claim, err);
}

void claims_release(struct agent *agent)
{
    close_fd(&agent->network_claim);
    close_fd(&agent->names_claim);
}
