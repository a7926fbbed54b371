/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink, one object a request: each is sent and answered before the function returns. */
#pragma once

#include "base/error.h"
#include "model/types.h"

#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

#define MAC_LENGTH 6

/* A socket in the caller's namespace. NULL with err. */
struct nl_sock *rtnl_open(struct error *err);
/* The same around a NETLINK_ROUTE descriptor that was opened in another namespace. Takes *fd. */
struct nl_sock *rtnl_wrap(int *fd, struct error *err);
void rtnl_close(struct nl_sock *sock);
static inline void rtnl_cleanup_(struct nl_sock **sock)
{
    rtnl_close(*sock);
}
#define CLEANUP_RTNL __attribute__((cleanup(rtnl_cleanup_)))

struct link_end {
    const char *name;
    uint8_t mac[MAC_LENGTH];
};

/* A veth pair, the peer made in the namespace. */
int rtnl_add_pair(struct nl_sock *sock, const struct link_end *host, const struct link_end *zone, int netns,
                  struct error *err);
int rtnl_find(struct nl_sock *sock, const char *name, int *index, struct error *err);
/* *ours: it is a veth with this MAC address. -ENODEV if there is none of that name. */
int rtnl_inspect(struct nl_sock *sock, const struct link_end *end, int *index, bool *ours, struct error *err);
int rtnl_delete(struct nl_sock *sock, int index, const char *name, struct error *err);

/* One end of the cable, being configured. */
struct end {
    struct nl_sock *sock;
    int index;
    const char *name; /* for messages */
};

/* Sets these flags (IFF_UP ...) and, if not 0, the group. */
int rtnl_set_link(const struct end *end, unsigned flags, int group, struct error *err);

enum address_use { ADDRESS_NORMAL, ADDRESS_SECOND_CHOICE };

int rtnl_add_address(const struct end *end, const struct address *address, enum address_use use, struct error *err);

struct route_plan {
    const struct address *to;      /* NULL: everything */
    const struct address *gateway; /* or NULL */
    const struct address *source;  /* or NULL */
    uint8_t family;                /* 4 or 6 */
};

int rtnl_add_route(const struct end *end, const struct route_plan *plan, struct error *err);
/* The same in place of one with the same destination. */
int rtnl_replace_route(const struct end *end, const struct route_plan *plan, struct error *err);
/* `at` is reached at this MAC address for ever. */
int rtnl_add_neighbour(const struct end *end, const struct address *at, const uint8_t mac[MAC_LENGTH],
                       struct error *err);
/* Nobody knows any more where `at` is. A missing one is fine. */
int rtnl_delete_neighbour(const struct end *end, const struct address *at, struct error *err);
/* *fixed: `at` is a neighbour for ever. */
int rtnl_inspect_neighbour(const struct end *end, const struct address *at, bool *fixed, struct error *err);
