/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's network. */
#include "zone/network.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "zone/link.h"
#include "zone/netns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* What the thread in the new namespace does. */
struct inside {
    bool ipv6;
    int route, diag;
};

static int prepare(void *context, struct error *err)
{
    struct inside *inside = context;
    inside->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    inside->diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (inside->route < 0 || inside->diag < 0)
        return error_errno(err, errno, "open netlink sockets in the zone");
    /* Port 80 without a capability. /proc/sys/net shows the namespace of whoever opens it. */
    int result = file_poke("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", err);
    /* Who waits at a fed port's door is not reset where one of two that have it dies (Linux 5.14). */
    (void)file_poke("/proc/sys/net/ipv4/tcp_migrate_req", "1", NULL);
    /* Of the links to come: there is no router on the cable. */
    if (result == 0 && inside->ipv6)
        result = file_poke("/proc/sys/net/ipv6/conf/default/accept_ra", "0", err);
    if (result == 0 && inside->ipv6)
        result = file_poke("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0", err);
    return result;
}

int network_make(const char *name, uint16_t number, const struct zone_addresses *addresses, bool ipv6,
                 struct network *network, struct error *err)
{
    struct inside inside = {.ipv6 = ipv6, .route = -1, .diag = -1};
    *network = (struct network){.netns = -1, .diag = -1};
    int result = netns_create(name, prepare, &inside, &network->netns, err);
    network->diag = inside.diag;
    struct link_plan plan = {
        .number = number, .addresses = addresses, .ipv6 = ipv6, .netns = network->netns, .route_fd = inside.route};
    if (result == 0)
        result = link_create(&plan, err);
    close_fd(&plan.route_fd);
    return result;
}

int network_open(const char *name, struct network *network, struct error *err)
{
    *network = (struct network){.netns = -1, .diag = -1};
    int result = netns_open(name, &network->netns, err);
    if (result < 0)
        return result;
    network->diag = netns_socket(network->netns, AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG, err);
    return network->diag < 0 ? network->diag : 0;
}

/* Only an address of its own can be bound to. */
int network_look(const struct network *network, const struct zone_addresses *addresses, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    CLEANUP_FD int fd = netns_socket(network->netns, AF_INET, SOCK_DGRAM, 0, err);
    if (fd < 0)
        return fd;
    memcpy(&address.sin_addr, addresses->service4.bytes, sizeof address.sin_addr);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    return errno == EADDRNOTAVAIL
               ? error_set(err, ENOENT, "its addresses are not those of the configured pools any more")
               : error_errno(err, errno, "look for its addresses");
}

void network_close(struct network *network)
{
    close_fd(&network->netns);
    close_fd(&network->diag);
}
