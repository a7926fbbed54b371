/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's veth pair by rtnetlink, and the sysctls of its host end. */
#include "zone/link.h"

#include "os/files.h"
#include "zone/link_requests.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

enum {
    LINK_GROUP = 4802, /* what the rule set matches (model/ruleset.h); an integer compare in the data path */
    HOST_END = 0,      /* in the MAC address */
    ZONE_END = 1,
};

const char link_in_zone[] = "eth0";

/*
 * MAC addresses are ours to choose (locally administered, "bg" and the zone's number), so neighbours are known before
 * the link exists, udev keeps its hands off, and a link that we made can be told from a namesake.
 */
static void link_mac(uint16_t number, unsigned end, uint8_t mac[MAC_LENGTH])
{
    const uint8_t bytes[MAC_LENGTH] = {0x02, 'b', 'g', (uint8_t)end, (uint8_t)(number >> 8), (uint8_t)number};
    memcpy(mac, bytes, MAC_LENGTH);
}

void link_zone_mac(uint16_t number, uint8_t mac[MAC_LENGTH])
{
    link_mac(number, ZONE_END, mac);
}

/* --- both ends ------------------------------------------------------------------------------------ */

/* Of the host's end. */
static const struct {
    bool ipv6;
    const char *path; /* %s is the link */
    const char *value;
} host_sysctls[] = {
    {false, "ipv4/conf/%s/route_localnet", "1"}, /* clients at 127.0.0.1; the rule set guards the other direction */
    {false, "ipv4/conf/%s/forwarding", "1"},
    {false, "ipv4/conf/%s/rp_filter", "1"}, /* a zone sends from its own addresses only */
    {false, "ipv4/conf/%s/accept_redirects", "0"},
    {false, "ipv4/conf/%s/send_redirects", "0"},
    {false, "ipv4/neigh/%s/mcast_solicit", "600"},         /* a plugged address queues this many seconds, not two */
    {false, "ipv4/neigh/%s/unres_qlen_bytes", "16777216"}, /* 20 000 small packets while plugged */
    {true, "ipv6/conf/%s/disable_ipv6", "0"},
    {true, "ipv6/conf/%s/forwarding", "1"},
    {true, "ipv6/conf/%s/accept_ra", "0"},
    {true, "ipv6/conf/%s/accept_redirects", "0"},
    {true, "ipv6/neigh/%s/mcast_solicit", "600"},
    {true, "ipv6/neigh/%s/unres_qlen_bytes", "16777216"},
};

static int set_host_sysctls(const char *name, bool ipv6, struct error *err)
{
    for (size_t i = 0; i < sizeof host_sysctls / sizeof *host_sysctls; i++) {
        char path[128] = "/proc/sys/net/";
        const char *pattern = host_sysctls[i].path, *at = strstr(pattern, "%s");
        if (host_sysctls[i].ipv6 && !ipv6)
            continue;
        snprintf(path, sizeof path, "/proc/sys/net/%.*s%s%s", (int)(at - pattern), pattern, name, at + 2);
        int result = file_poke(path, host_sysctls[i].value, err);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Addresses, routes and neighbours of one family at the host's end. */
static int configure_host_family(const struct end *end, const struct address *host, const struct address *service,
                                 const struct address *egress, const uint8_t mac[MAC_LENGTH], struct error *err)
{
    const struct address *const zone[] = {service, egress};
    int result = rtnl_add_address(end, host, ADDRESS_NORMAL, err);
    for (size_t i = 0; i < 2 && result == 0; i++) {
        const struct route_plan route = {.to = zone[i], .family = host->family};
        result = rtnl_add_route(end, &route, err);
        if (result == 0)
            result = rtnl_add_neighbour(end, zone[i], mac, err);
    }
    return result;
}

static int configure_host(struct nl_sock *sock, const struct link_plan *plan, const char *name, struct error *err)
{
    struct end end = {.sock = sock, .name = name};
    const struct zone_addresses *a = plan->addresses;
    uint8_t mac[MAC_LENGTH]; /* of the other end */
    link_mac(plan->number, ZONE_END, mac);
    int result = rtnl_find(sock, name, &end.index, err);
    if (result == 0)
        result = set_host_sysctls(name, plan->ipv6, err); /* before it is up: no router solicitation leaves */
    if (result == 0)
        result = rtnl_set_link(&end, IFF_UP, LINK_GROUP, err);
    if (result == 0)
        result = configure_host_family(&end, &a->host4, &a->service4, &a->egress4, mac, err);
    if (result == 0 && plan->ipv6)
        result = configure_host_family(&end, &a->host6, &a->service6, &a->egress6, mac, err);
    return result;
}

static int configure_zone_family(const struct end *end, const struct address *host, const struct address *service,
                                 const struct address *egress, const uint8_t mac[MAC_LENGTH], struct error *err)
{
    const struct route_plan to_host = {.to = host, .source = service, .family = host->family};
    const struct route_plan outside = {.gateway = host, .source = service, .family = host->family};
    int result = rtnl_add_address(end, service, ADDRESS_NORMAL, err); /* first: it is the primary one */
    if (result == 0)
        result = rtnl_add_address(end, egress, ADDRESS_SECOND_CHOICE, err);
    if (result == 0)
        result = rtnl_add_neighbour(end, host, mac, err);
    if (result == 0)
        result = rtnl_add_route(end, &to_host, err);
    return result == 0 ? rtnl_add_route(end, &outside, err) : result;
}

static int configure_zone(struct nl_sock *sock, const struct link_plan *plan, struct error *err)
{
    struct end loopback = {.sock = sock, .index = 1, .name = "the zone's lo"}; /* LOOPBACK_IFINDEX */
    struct end end = {.sock = sock, .name = "the zone's eth0"};
    const struct zone_addresses *a = plan->addresses;
    uint8_t mac[MAC_LENGTH]; /* of the other end */
    link_mac(plan->number, HOST_END, mac);
    int result = rtnl_set_link(&loopback, IFF_UP, 0, err);
    if (result == 0)
        result = rtnl_find(sock, link_in_zone, &end.index, err);
    if (result == 0)
        result = rtnl_set_link(&end, IFF_UP | IFF_NOARP, 0, err); /* it asks nobody and answers nobody: see the plug */
    if (result == 0)
        result = configure_zone_family(&end, &a->host4, &a->service4, &a->egress4, mac, err);
    if (result == 0 && plan->ipv6)
        result = configure_zone_family(&end, &a->host6, &a->service6, &a->egress6, mac, err);
    return result;
}

int link_create(struct link_plan *plan, struct error *err)
{
    char name[LINK_NAME_MAX + 1];
    link_name(plan->number, name);
    struct link_end host_end = {.name = name}, zone_end = {.name = link_in_zone};
    link_mac(plan->number, HOST_END, host_end.mac);
    link_mac(plan->number, ZONE_END, zone_end.mac);
    CLEANUP_RTNL struct nl_sock *zone = rtnl_wrap(&plan->route_fd, err);
    CLEANUP_RTNL struct nl_sock *host = zone ? rtnl_open(err) : NULL;
    if (!host)
        return err ? -err->code : -EIO;
    int result = rtnl_add_pair(host, &host_end, &zone_end, plan->netns, err);
    if (result < 0)
        return result;
    result = configure_zone(zone, plan, err);
    if (result == 0)
        result = configure_host(host, plan, name, err);
    if (result < 0)
        link_remove(plan->number, NULL);
    return result;
}

int link_remove(uint16_t number, struct error *err)
{
    char name[LINK_NAME_MAX + 1];
    struct link_end end = {.name = name};
    int index;
    bool ours;
    link_name(number, name);
    link_mac(number, HOST_END, end.mac);
    if (!if_nametoindex(name))
        return 0;
    CLEANUP_RTNL struct nl_sock *sock = rtnl_open(err);
    if (!sock)
        return err ? -err->code : -EIO;
    int result = rtnl_inspect(sock, &end, &index, &ours, err);
    if (result == 0 && !ours)
        return error_set(
            err, EPERM,
            "remove the link %s: somebody else made it; rename it (ip link set %s name NEW) or remove it by hand", name,
            name);
    if (result == 0)
        result = rtnl_delete(sock, index, name, err);
    return result == -ENODEV ? 0 : result; /* gone meanwhile, with its namespace */
}

int link_look(uint16_t number, struct error *err)
{
    char name[LINK_NAME_MAX + 1];
    link_name(number, name);
    if (if_nametoindex(name) != 0)
        return 0;
    return errno == ENODEV || errno == ENXIO ? error_set(err, ENOENT, "its link %s is gone", name)
                                             : error_errno(err, errno, "look for its link %s", name);
}
