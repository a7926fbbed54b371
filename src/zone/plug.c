/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plug, by rtnetlink: neighbours at the host's end, source addresses at the zone's. */
#include "zone/plug.h"

#include "zone/link.h"
#include "zone/link_requests.h"
#include "zone/netns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

struct family {
    const struct address *host, *service, *egress;
};

static size_t families_of(const struct plug *plug, struct family families[2])
{
    const struct zone_addresses *a = plug->addresses;
    families[0] = (struct family){&a->host4, &a->service4, &a->egress4};
    families[1] = (struct family){&a->host6, &a->service6, &a->egress6};
    return plug->ipv6 ? 2 : 1;
}

/* --- the zone's end ------------------------------------------------------------------------------- */

static int set_source(const struct end *end, const struct family *family, const struct address *source,
                      struct error *err)
{
    const struct route_plan to_host = {.to = family->host, .source = source, .family = source->family};
    const struct route_plan outside = {.gateway = family->host, .source = source, .family = source->family};
    int result = rtnl_replace_route(end, &to_host, err);
    return result == 0 ? rtnl_replace_route(end, &outside, err) : result;
}

/* What the zone's processes begin comes from its service address, or from the other one. */
static int set_sources(const struct plug *plug, bool plugged, struct error *err)
{
    struct family families[2];
    size_t count = families_of(plug, families);
    int fd = netns_socket(plug->netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, err);
    if (fd < 0)
        return fd;
    CLEANUP_RTNL struct nl_sock *sock = rtnl_wrap(&fd, err);
    if (!sock)
        return err ? -err->code : -EIO;
    struct end end = {.sock = sock, .name = "the zone's eth0"};
    int result = rtnl_find(sock, link_in_zone, &end.index, err);
    for (size_t i = 0; i < count && result == 0; i++)
        result = set_source(&end, &families[i], plugged ? families[i].egress : families[i].service, err);
    return result;
}

/* --- the host's end ------------------------------------------------------------------------------- */

static int find_host_end(const struct plug *plug, struct nl_sock *sock, char name[LINK_NAME_MAX + 1], struct end *end,
                         struct error *err)
{
    link_name(plug->number, name);
    *end = (struct end){.sock = sock, .name = name};
    return rtnl_find(sock, name, &end->index, err);
}

/* Where clients wait already, nothing is removed: the kernel would tell each of them that the host is unreachable. */
static int remove_neighbour(const struct end *end, const struct address *service, struct error *err)
{
    bool fixed = false;
    int result = rtnl_inspect_neighbour(end, service, &fixed, err);
    return result == 0 && fixed ? rtnl_delete_neighbour(end, service, err) : result;
}

static int set_neighbours(const struct plug *plug, bool plugged, struct error *err)
{
    struct family families[2];
    size_t count = families_of(plug, families);
    char name[LINK_NAME_MAX + 1];
    uint8_t mac[MAC_LENGTH];
    struct end end;
    CLEANUP_RTNL struct nl_sock *sock = rtnl_open(err);
    if (!sock)
        return err ? -err->code : -EIO;
    link_zone_mac(plug->number, mac);
    int result = find_host_end(plug, sock, name, &end, err);
    for (size_t i = 0; i < count && result == 0; i++)
        result = plugged ? remove_neighbour(&end, families[i].service, err)
                         : rtnl_add_neighbour(&end, families[i].service, mac, err);
    return result;
}

/* --- both ------------------------------------------------------------------------------------------- */

int plug_in(const struct plug *plug, struct error *err)
{
    int result = set_sources(plug, true, err);
    if (result == 0)
        result = set_neighbours(plug, true, err);
    if (result == 0)
        return 0;
    struct error unused;
    plug_out(plug, &unused);
    return error_prefix(err, "let clients of zone number %u wait", plug->number);
}

/* The source first: an answer to a datagram that waited must come from where that was sent to. Whatever happens, the
 * clients get in. */
int plug_out(const struct plug *plug, struct error *err)
{
    int result = set_sources(plug, false, err);
    struct error unused = {0};
    int neighbours = set_neighbours(plug, false, result < 0 ? &unused : err);
    result = result < 0 ? result : neighbours;
    return result < 0 ? error_prefix(err, "let the waiting clients of zone number %u in", plug->number) : 0;
}

int plug_look(const struct plug *plug, bool *is_in, struct error *err)
{
    struct family families[2];
    size_t count = families_of(plug, families);
    char name[LINK_NAME_MAX + 1];
    struct end end;
    *is_in = false;
    CLEANUP_RTNL struct nl_sock *sock = rtnl_open(err);
    if (!sock)
        return err ? -err->code : -EIO;
    int result = find_host_end(plug, sock, name, &end, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        bool fixed = false;
        result = rtnl_inspect_neighbour(&end, families[i].service, &fixed, err);
        *is_in = *is_in || (result == 0 && !fixed);
    }
    return result;
}
