/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe role's system call filter: an allow-list. */
#include "probe/filter.h"

#include "os/role_filter.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

static const struct filter_rule own[] = {
    /* checks over sockets that exist: libcurl and tcp.c */
    {"connect", FILTER_ALLOW},
    {"getsockname", FILTER_ALLOW},
    {"getpeername", FILTER_ALLOW},
    {"getsockopt", FILTER_ALLOW},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFL, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFL, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFD, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFD, 0}}},
    {"ioctl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, FIONBIO, 0}}},
    /* TCP_NODELAY; nothing of SOL_SOCKET, such as binding to a device */
    {"setsockopt", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, IPPROTO_TCP, 0}}},
};

int probe_filter_load(struct error *err)
{
    return role_filter_load(own, sizeof own / sizeof *own, err);
}
