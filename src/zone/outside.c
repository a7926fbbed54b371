/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cable of zone/link.h the other way round: the client is inside, and the host looks at it as at a stranger. */
#include "zone/outside.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "zone/link_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UP_MS = 3000 };

static const uint8_t host_mac[MAC_LENGTH] = {0x02, 'b', 'g', 'd', 0, 1};
static const uint8_t client_mac[MAC_LENGTH] = {0x02, 'b', 'g', 'd', 0, 2};

void outside_plan(struct outside *outside, bool ipv6)
{
    *outside = (struct outside){.host = -1};
    address_parse("192.0.2.253", &outside->host4);
    address_parse("192.0.2.254", &outside->client4);
    if (!ipv6)
        return;
    address_parse("2001:db8:ffff:ffff::1", &outside->host6);
    address_parse("2001:db8:ffff:ffff::2", &outside->client6);
}

/* One family at one end: its address, and the way to the other end. */
static int connect_family(const struct end *end, const struct address *mine, const struct address *other,
                          const uint8_t mac[MAC_LENGTH], bool client, struct error *err)
{
    const struct route_plan route = {.to = other, .family = mine->family};
    const struct route_plan outward = {.gateway = other, .family = mine->family};
    int result = rtnl_add_address(end, mine, ADDRESS_NORMAL, err);
    if (result == 0)
        result = rtnl_add_route(end, &route, err);
    if (result == 0)
        result = rtnl_add_neighbour(end, other, mac, err);
    return result == 0 && client ? rtnl_add_route(end, &outward, err) : result;
}

static int connect_client(struct nl_sock *sock, const struct outside *outside, struct error *err)
{
    const struct end end = {.sock = sock, .index = outside->link, .name = "the probe's eth0"};
    int result = rtnl_set_link(&end, IFF_UP, 0, err);
    if (result == 0)
        result = connect_family(&end, &outside->client4, &outside->host4, host_mac, true, err);
    if (result == 0 && outside->client6.family)
        result = connect_family(&end, &outside->client6, &outside->host6, host_mac, true, err);
    return result;
}

/* A new link has what is set for new links, which may be less than what the real ones have by now. */
static int prepare_host_end(bool forwards, bool ipv6, struct error *err)
{
    static const char conf4[] = "/proc/sys/net/ipv4/conf/" OUTSIDE_LINK,
                      conf6[] = "/proc/sys/net/ipv6/conf/" OUTSIDE_LINK;
    char path[128];
    snprintf(path, sizeof path, "%s/forwarding", conf4);
    int result = file_poke(path, forwards ? "1" : "0", err);
    snprintf(path, sizeof path, "%s/disable_ipv6", conf6);
    if (result == 0 && ipv6)
        result = file_poke(path, "0", err);
    snprintf(path, sizeof path, "%s/accept_ra", conf6);
    return result == 0 && ipv6 ? file_poke(path, "0", err) : result;
}

static int connect_host(struct nl_sock *sock, const struct outside *outside, bool forwards, struct error *err)
{
    struct end end = {.sock = sock, .name = OUTSIDE_LINK};
    int result = rtnl_find(sock, OUTSIDE_LINK, &end.index, err);
    if (result == 0)
        result = prepare_host_end(forwards, outside->host6.family != 0, err);
    if (result == 0)
        result = rtnl_set_link(&end, IFF_UP, 0, err);
    if (result == 0)
        result = connect_family(&end, &outside->host4, &outside->client4, client_mac, false, err);
    if (result == 0 && outside->host6.family)
        result = connect_family(&end, &outside->host6, &outside->client6, client_mac, false, err);
    return result;
}

/* Both settings and /proc/sys follow the namespace that one is in. */
static int move_to(int netns, struct error *err)
{
    return setns(netns, CLONE_NEWNET) < 0 ? error_errno(err, errno, "go back to the host's network") : 0;
}

/* The kernel tells a link that its other end is up a moment later, and drops what is sent before. */
static int wait_for_cable(int client, int host, struct error *err)
{
    for (unsigned i = 0; i < UP_MS; i++) {
        struct ifreq inner = {.ifr_name = "eth0"}, outer = {.ifr_name = OUTSIDE_LINK};
        if (ioctl(client, SIOCGIFFLAGS, &inner) == 0 && inner.ifr_flags & IFF_RUNNING &&
            ioctl(host, SIOCGIFFLAGS, &outer) == 0 && outer.ifr_flags & IFF_RUNNING)
            return 0;
        usleep(1000);
    }
    return error_set(err, ETIMEDOUT, "wait for the cable of a client outside: it did not come up");
}

int outside_enter(struct outside *outside, bool forwards, struct error *err)
{
    struct link_end inner = {.name = "eth0"}, outer = {.name = OUTSIDE_LINK};
    memcpy(inner.mac, client_mac, sizeof client_mac);
    memcpy(outer.mac, host_mac, sizeof host_mac);
    outside->host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CLEANUP_RTNL struct nl_sock *host = outside->host < 0 ? NULL : rtnl_open(err);
    if (!host)
        return error_errno(err, errno ?: EIO, "make a client outside");
    CLEANUP_FD int host_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, errno, "make a network namespace for a client outside");
    CLEANUP_FD int own_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CLEANUP_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CLEANUP_RTNL struct nl_sock *sock = own < 0 ? NULL : rtnl_open(err);
    if (!sock)
        return error_errno(err, errno ?: EIO, "make a client outside");
    int result = rtnl_add_pair(sock, &inner, &outer, outside->host, err);
    if (result == 0)
        result = rtnl_find(sock, inner.name, &outside->link, err);
    if (result == 0)
        result = move_to(outside->host, err);
    if (result == 0)
        result = connect_host(host, outside, forwards, err);
    if (result == 0)
        result = move_to(own, err);
    if (result == 0)
        result = connect_client(sock, outside, err);
    return result == 0 ? wait_for_cable(own_socket, host_socket, err) : result;
}

void outside_leave(struct outside *outside)
{
    struct error ignored;
    CLEANUP_RTNL struct nl_sock *sock = outside->link > 0 ? rtnl_open(&ignored) : NULL;
    if (sock)
        rtnl_delete(sock, outside->link, "eth0", &ignored);
    close_fd(&outside->host);
}
