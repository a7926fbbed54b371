/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for clients in the caller's network namespace, whoever that is, by sock_diag. */
#pragma once

#include "base/error.h"
#include "model/service.h"

struct listener {
    enum protocol protocol;
    struct address at; /* an IPv4-mapped or unspecified one as the kernel has it */
    uint16_t port;
    uint32_t uid;
    uint32_t inode;
    uint64_t cgroup; /* its id, which is the inode of the cgroup's directory; 0 = nobody can tell */
};

bool listener_anywhere(const struct listener *listener); /* at 0.0.0.0 or :: */
bool listener_loopback(const struct listener *listener); /* at 127.0.0.0/8 or ::1 */

struct listeners {
    struct listener *items; /* owned */
    size_t count;
};

void listeners_clear(struct listeners *listeners);
/* TCP sockets that listen, and UDP sockets with a port and no peer. Appends. */
int listeners_list(struct listeners *listeners, struct error *err);
/* Can a connection be ended (CONFIG_INET_DIAG_DESTROY)? 0, or the kernel's negative errno. Ends none. */
int listeners_try_destroy(struct error *err);
