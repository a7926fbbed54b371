/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only one process may have at a time, and another gets when it dies. A child that the dead one had made and that
 * has not come to its exec(3) yet has it for a moment longer, so both calls try again for LOCK_WAIT_MS. They block: for
 * the start of a process.
 */
#pragma once

#include <sys/socket.h>

/* Such a child takes less than a ms; with twenty others at each CPU, as when all tests run, up to some hundred. */
#define LOCK_WAIT_MS 2000

int lock_file(int fd); /* flock(2), for this process alone: 0, -EWOULDBLOCK, -errno */
int lock_name(int fd, const struct sockaddr *address, socklen_t length); /* bind(2): 0, -EADDRINUSE, -errno */
