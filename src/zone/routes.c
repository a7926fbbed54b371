/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dump of the routing tables; zones' own links (bg<number>, group of the rule set) are left out. */
#include "zone/routes.h"

#include "base/text.h"
#include "model/ruleset.h"
#include "zone/link_requests.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <string.h>
#include <sys/socket.h>

struct comparison {
    const struct address_pools *pools;
    struct nl_cache *links;
    bool found;
    struct route_overlap overlap;
};

static bool route_prefix(struct rtnl_route *route, struct prefix *prefix)
{
    struct nl_addr *destination = rtnl_route_get_dst(route);
    int family = destination ? nl_addr_get_family(destination) : AF_UNSPEC;
    unsigned length = destination ? nl_addr_get_prefixlen(destination) : 0;
    if ((family != AF_INET && family != AF_INET6) || length == 0)
        return false;
    *prefix = (struct prefix){.address.family = family == AF_INET ? 4 : 6, .length = (uint8_t)length};
    memcpy(prefix->address.bytes, nl_addr_get_binary_addr(destination), nl_addr_get_len(destination));
    return true;
}

static bool is_zone_link(struct comparison *comparison, int index)
{
    struct rtnl_link *link = rtnl_link_get(comparison->links, index);
    bool ours = link && rtnl_link_get_group(link) == RULESET_LINK_GROUP;
    if (link) {
        text_copy(comparison->overlap.device, sizeof comparison->overlap.device, rtnl_link_get_name(link));
        rtnl_link_put(link);
    }
    return ours;
}

static void compare(struct nl_object *object, void *context)
{
    struct comparison *comparison = context;
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct prefix prefix;
    if (comparison->found || !route_prefix(route, &prefix))
        return;
    const struct prefix *pool = prefix.address.family == 4 ? &comparison->pools->ipv4 : &comparison->pools->ipv6;
    if (!prefix_overlaps(&prefix, pool))
        return;
    struct rtnl_nexthop *hop = rtnl_route_get_nnexthops(route) > 0 ? rtnl_route_nexthop_n(route, 0) : NULL;
    if (hop && is_zone_link(comparison, rtnl_route_nh_get_ifindex(hop)))
        return;
    comparison->found = true;
    comparison->overlap.route = prefix;
}

static int report(const struct address_pools *pools, const struct route_overlap *overlap, struct error *err)
{
    char pool[ADDRESS_TEXT_MAX + 4], route[ADDRESS_TEXT_MAX + 4];
    bool four = overlap->route.address.family == 4;
    return error_set(
        err, EADDRINUSE,
        "the address pool %s overlaps the host's route %s (device %s); choose another pool: bluegreen.conf, "
        "[network] %s",
        prefix_format(four ? &pools->ipv4 : &pools->ipv6, pool), prefix_format(&overlap->route, route),
        overlap->device[0] ? overlap->device : "?", four ? "ipv4" : "ipv6");
}

/* rtnl_link_alloc_cache() would wait for ever for the answer to what could not be sent. */
static int read_links(struct nl_sock *sock, struct nl_cache **links)
{
    enum { TRIES = 5 }; /* links come and go while they are listed */
    int result = nl_cache_alloc_name("route/link", links), tried = 0;
    if (result < 0)
        return result;
    do {
        result = nl_rtgen_request(sock, RTM_GETLINK, AF_UNSPEC, NLM_F_DUMP);
        if (result >= 0)
            result = nl_cache_pickup(sock, *links);
    } while (result == -NLE_DUMP_INTR && ++tried < TRIES);
    return result;
}

int routes_find_overlap(const struct address_pools *pools, struct route_overlap *overlap, struct error *err)
{
    struct comparison comparison = {.pools = pools};
    struct nl_cache *routes = NULL;
    struct nl_sock *sock = rtnl_open(err);
    if (!sock)
        return error_prefix(err, "read the host's routes");
    int result = read_links(sock, &comparison.links);
    if (result == 0)
        result = rtnl_route_alloc_cache(sock, AF_UNSPEC, 0, &routes);
    if (result == 0)
        nl_cache_foreach(routes, compare, &comparison);
    if (routes)
        nl_cache_free(routes);
    if (comparison.links)
        nl_cache_free(comparison.links);
    rtnl_close(sock);
    if (result < 0)
        return error_set(err, EIO, "read the host's routes: %s", nl_geterror(result));
    *overlap = comparison.overlap;
    return comparison.found ? report(pools, overlap, err) : 0;
}

int routes_check_pools(const struct address_pools *pools, struct error *err)
{
    struct route_overlap overlap;
    return routes_find_overlap(pools, &overlap, err);
}

/* --- ways out ------------------------------------------------------------------------------------- */

struct search {
    routes_default *each;
    void *context;
};

static void look_at_route(struct nl_object *object, void *context)
{
    const struct search *search = context;
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct nl_addr *destination = rtnl_route_get_dst(route);
    char name[IF_NAMESIZE];
    if (rtnl_route_get_type(route) != RTN_UNICAST || (destination && nl_addr_get_prefixlen(destination) > 0))
        return;
    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
        struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);
        if (if_indextoname((unsigned)rtnl_route_nh_get_ifindex(hop), name))
            search->each(search->context, rtnl_route_get_family(route) == AF_INET ? 4 : 6, name);
    }
}

int routes_each_default(routes_default *each, void *context, struct error *err)
{
    struct search search = {each, context};
    struct nl_cache *routes = NULL;
    struct nl_sock *sock = nl_socket_alloc();
    int result = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;
    if (result == 0)
        result = rtnl_route_alloc_cache(sock, AF_UNSPEC, 0, &routes);
    if (result == 0)
        nl_cache_foreach(routes, look_at_route, &search);
    if (routes)
        nl_cache_free(routes);
    nl_socket_free(sock);
    return result < 0 ? error_set(err, EIO, "read the host's routes: %s", nl_geterror(result)) : 0;
}
