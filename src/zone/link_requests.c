/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink requests by libnl-route. */
#include "zone/link_requests.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

/* --- libnl ---------------------------------------------------------------------------------------- */

static void cleanup_link(struct rtnl_link **link)
{
    rtnl_link_put(*link);
}

static void cleanup_addr(struct nl_addr **addr)
{
    nl_addr_put(*addr);
}

static void cleanup_message(struct nl_msg **message)
{
    nlmsg_free(*message);
}

static void cleanup_rtnl_addr(struct rtnl_addr **addr)
{
    rtnl_addr_put(*addr);
}

static void cleanup_route(struct rtnl_route **route)
{
    rtnl_route_put(*route);
}

static void cleanup_neigh(struct rtnl_neigh **neigh)
{
    rtnl_neigh_put(*neigh);
}

/* libnl maps the kernel's errno to fewer codes of its own: take it before that. */
static int keep_errno(struct sockaddr_nl *from, struct nlmsgerr *message, void *context)
{
    (void)from;
    *(int *)context = -message->error;
    return NL_STOP;
}

static int libnl_errno(int code)
{
    switch (-code) {
    case NLE_NOMEM: return ENOMEM;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND: return ENODEV;
    default: return EIO;
    }
}

/* Sends the message, whose builder returned `built`, frees it, and waits for the kernel's answer. */
static int request(struct nl_sock *sock, struct nl_msg *built_message, int built, struct error *err, const char *what)
{
    CLEANUP(cleanup_message) struct nl_msg *message = built < 0 ? NULL : built_message;
    int kernel_error = 0;
    if (built < 0)
        return error_set(err, libnl_errno(built), "%s: build the message: %s", what, nl_geterror(built));
    nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, keep_errno, &kernel_error);
    int result = nl_send_auto(sock, message);
    if (result >= 0)
        result = nl_wait_for_ack(sock);
    nl_socket_modify_err_cb(sock, NL_CB_DEFAULT, NULL, NULL);
    if (kernel_error)
        return error_errno(err, kernel_error, "%s", what);
    return result < 0 ? error_set(err, libnl_errno(result), "%s: %s", what, nl_geterror(result)) : 0;
}

struct nl_sock *rtnl_open(struct error *err)
{
    struct nl_sock *sock = nl_socket_alloc();
    if (!sock || nl_connect(sock, NETLINK_ROUTE) < 0) {
        error_errno(err, errno ? errno : ENOMEM, "open a rtnetlink socket");
        nl_socket_free(sock);
        return NULL;
    }
    return sock;
}

/* A libnl socket around a descriptor that was opened in another namespace. Takes *fd. */
struct nl_sock *rtnl_wrap(int *fd, struct error *err)
{
    struct nl_sock *sock = nl_socket_alloc();
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    if (!sock || bind(*fd, (struct sockaddr *)&any, sizeof any) < 0 || nl_socket_set_fd(sock, NETLINK_ROUTE, *fd) < 0) {
        error_errno(err, errno ? errno : ENOMEM, "use the zone's rtnetlink socket");
        nl_socket_free(sock);
        close_fd(fd);
        return NULL;
    }
    *fd = -1;
    return sock;
}

static struct nl_addr *nl_addr_of(const struct address *address)
{
    bool ipv4 = address->family == 4;
    struct nl_addr *addr = nl_addr_build(ipv4 ? AF_INET : AF_INET6, address->bytes, ipv4 ? 4 : 16);
    if (addr)
        nl_addr_set_prefixlen(addr, ipv4 ? 32 : 128);
    return addr;
}

void rtnl_close(struct nl_sock *sock)
{
    nl_socket_free(sock);
}

/* --- addresses, routes, neighbours ---------------------------------------------------------------- */

int rtnl_add_address(const struct end *end, const struct address *address, enum address_use use, struct error *err)
{
    char what[128], text[ADDRESS_TEXT_MAX];
    snprintf(what, sizeof what, "add address %s to %s", address_format(address, text), end->name);
    CLEANUP(cleanup_rtnl_addr) struct rtnl_addr *addr = rtnl_addr_alloc();
    CLEANUP(cleanup_addr) struct nl_addr *local = nl_addr_of(address);
    if (!addr || !local || rtnl_addr_set_local(addr, local) < 0)
        return error_errno(err, ENOMEM, "%s", what);
    rtnl_addr_set_ifindex(addr, end->index);
    if (address->family == 6)
        rtnl_addr_set_flags(addr, IFA_F_NODAD); /* or it cannot be used for a second */
    if (address->family == 6 && use == ADDRESS_SECOND_CHOICE) {
        /* Deprecated: taken as source only when asked for. IPv4 takes the first address by itself. */
        rtnl_addr_set_valid_lifetime(addr, UINT32_MAX);
        rtnl_addr_set_preferred_lifetime(addr, 0);
    }
    struct nl_msg *message = NULL;
    int built = rtnl_addr_build_add_request(addr, NLM_F_CREATE | NLM_F_EXCL, &message);
    return request(end->sock, message, built, err, what);
}

static int fill_route(struct rtnl_route *route, const struct route_plan *plan, int index)
{
    int family = plan->family == 4 ? AF_INET : AF_INET6;
    const uint8_t zeros[16] = {0};
    CLEANUP(cleanup_addr)
    struct nl_addr *to = plan->to ? nl_addr_of(plan->to) : nl_addr_build(family, zeros, plan->family == 4 ? 4 : 16);
    CLEANUP(cleanup_addr) struct nl_addr *gateway = plan->gateway ? nl_addr_of(plan->gateway) : NULL;
    CLEANUP(cleanup_addr) struct nl_addr *source = plan->source ? nl_addr_of(plan->source) : NULL;
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    if (!to || !hop || (plan->gateway && !gateway) || (plan->source && !source)) {
        if (hop)
            rtnl_route_nh_free(hop);
        return -NLE_NOMEM;
    }
    if (!plan->to)
        nl_addr_set_prefixlen(to, 0);
    rtnl_route_nh_set_ifindex(hop, index);
    if (gateway) {
        rtnl_route_nh_set_gateway(hop, gateway);
        rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
    }
    rtnl_route_add_nexthop(route, hop); /* takes it */
    rtnl_route_set_family(route, (uint8_t)family);
    rtnl_route_set_table(route, RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_set_scope(route, gateway || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
    int result = rtnl_route_set_dst(route, to);
    if (result == 0 && source)
        result = rtnl_route_set_pref_src(route, source);
    return result;
}

static int put_route(const struct end *end, const struct route_plan *plan, int flags, struct error *err)
{
    char what[128], text[ADDRESS_TEXT_MAX];
    snprintf(what, sizeof what, "%s the route to %s on %s", flags & NLM_F_REPLACE ? "change" : "add",
             plan->to ? address_format(plan->to, text) : "everything", end->name);
    CLEANUP(cleanup_route) struct rtnl_route *route = rtnl_route_alloc();
    struct nl_msg *message = NULL;
    int built = route ? fill_route(route, plan, end->index) : -NLE_NOMEM;
    if (built == 0)
        built = rtnl_route_build_add_request(route, flags, &message);
    return request(end->sock, message, built, err, what);
}

int rtnl_add_route(const struct end *end, const struct route_plan *plan, struct error *err)
{
    return put_route(end, plan, NLM_F_CREATE | NLM_F_EXCL, err);
}

int rtnl_replace_route(const struct end *end, const struct route_plan *plan, struct error *err)
{
    return put_route(end, plan, NLM_F_CREATE | NLM_F_REPLACE, err);
}

int rtnl_add_neighbour(const struct end *end, const struct address *at, const uint8_t mac[MAC_LENGTH],
                       struct error *err)
{
    char what[128], text[ADDRESS_TEXT_MAX];
    snprintf(what, sizeof what, "add the neighbour %s on %s", address_format(at, text), end->name);
    CLEANUP(cleanup_neigh) struct rtnl_neigh *neigh = rtnl_neigh_alloc();
    CLEANUP(cleanup_addr) struct nl_addr *to = nl_addr_of(at);
    CLEANUP(cleanup_addr) struct nl_addr *link_layer = nl_addr_build(AF_LLC, mac, MAC_LENGTH);
    if (!neigh || !to || !link_layer || rtnl_neigh_set_dst(neigh, to) < 0)
        return error_errno(err, ENOMEM, "%s", what);
    rtnl_neigh_set_ifindex(neigh, end->index);
    rtnl_neigh_set_lladdr(neigh, link_layer);
    rtnl_neigh_set_state(neigh, NUD_PERMANENT);
    struct nl_msg *message = NULL;
    int built = rtnl_neigh_build_add_request(neigh, NLM_F_CREATE | NLM_F_REPLACE, &message);
    return request(end->sock, message, built, err, what);
}

int rtnl_delete_neighbour(const struct end *end, const struct address *at, struct error *err)
{
    char what[128], text[ADDRESS_TEXT_MAX];
    snprintf(what, sizeof what, "remove the neighbour %s from %s", address_format(at, text), end->name);
    CLEANUP(cleanup_neigh) struct rtnl_neigh *neigh = rtnl_neigh_alloc();
    CLEANUP(cleanup_addr) struct nl_addr *to = nl_addr_of(at);
    if (!neigh || !to || rtnl_neigh_set_dst(neigh, to) < 0)
        return error_errno(err, ENOMEM, "%s", what);
    rtnl_neigh_set_ifindex(neigh, end->index);
    struct nl_msg *message = NULL;
    int built = rtnl_neigh_build_delete_request(neigh, 0, &message);
    int result = request(end->sock, message, built, err, what);
    return result == -ENOENT ? 0 : result;
}

static int take_neighbour(struct nl_msg *message, void *context)
{
    const struct nlmsghdr *header = nlmsg_hdr(message);
    if (header->nlmsg_type == RTM_NEWNEIGH)
        *(bool *)context = ((const struct ndmsg *)nlmsg_data(header))->ndm_state & NUD_PERMANENT;
    return NL_OK;
}

/* The kernel is asked for this one: libnl would read all that it has, for each zone. */
int rtnl_inspect_neighbour(const struct end *end, const struct address *at, bool *fixed, struct error *err)
{
    char what[128], text[ADDRESS_TEXT_MAX];
    snprintf(what, sizeof what, "look for the neighbour %s on %s", address_format(at, text), end->name);
    bool ipv4 = at->family == 4;
    const struct ndmsg neighbour = {.ndm_family = ipv4 ? AF_INET : AF_INET6, .ndm_ifindex = end->index};
    struct nl_msg *message = nlmsg_alloc_simple(RTM_GETNEIGH, 0);
    *fixed = false;
    if (!message)
        return error_errno(err, ENOMEM, "%s", what);
    int built = nlmsg_append(message, (void *)(uintptr_t)&neighbour, sizeof neighbour, NLMSG_ALIGNTO);
    if (built == 0)
        built = nla_put(message, NDA_DST, ipv4 ? 4 : 16, at->bytes);
    if (built < 0) {
        nlmsg_free(message);
        return error_errno(err, ENOMEM, "%s", what);
    }
    nl_socket_modify_cb(end->sock, NL_CB_VALID, NL_CB_CUSTOM, take_neighbour, fixed);
    int result = request(end->sock, message, 0, err, what);
    if (result == 0) /* that was the neighbour; the acknowledgement comes behind it */
        nl_wait_for_ack(end->sock);
    nl_socket_modify_cb(end->sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
    return result == -ENOENT ? 0 : result;
}

/* --- links ---------------------------------------------------------------------------------------- */

/* Up, and what cannot be set while the link is made (the kernel refuses IFF_UP in a veth's creation). */
int rtnl_set_link(const struct end *end, unsigned flags, int group, struct error *err)
{
    char what[64];
    snprintf(what, sizeof what, "set %s up", end->name);
    CLEANUP(cleanup_link) struct rtnl_link *as_is = rtnl_link_alloc();
    CLEANUP(cleanup_link) struct rtnl_link *changes = rtnl_link_alloc();
    if (!as_is || !changes)
        return error_errno(err, ENOMEM, "%s", what);
    rtnl_link_set_ifindex(as_is, end->index);
    rtnl_link_set_ifindex(changes, end->index);
    rtnl_link_set_flags(changes, flags);
    if (group)
        rtnl_link_set_group(changes, group);
    struct nl_msg *message = NULL;
    int built = rtnl_link_build_change_request(as_is, changes, 0, &message);
    return request(end->sock, message, built, err, what);
}

int rtnl_find(struct nl_sock *sock, const char *name, int *index, struct error *err)
{
    CLEANUP(cleanup_link) struct rtnl_link *link = NULL;
    int result = rtnl_link_get_kernel(sock, 0, name, &link);
    if (result < 0)
        return error_set(err, libnl_errno(result), "find the link %s: %s", name, nl_geterror(result));
    *index = rtnl_link_get_ifindex(link);
    return 0;
}

static int set_identity(struct rtnl_link *link, const struct link_end *end)
{
    CLEANUP(cleanup_addr) struct nl_addr *mac = nl_addr_build(AF_LLC, end->mac, MAC_LENGTH);
    if (!mac)
        return -NLE_NOMEM;
    rtnl_link_set_name(link, end->name);
    rtnl_link_set_addr(link, mac);
    return 0;
}

int rtnl_add_pair(struct nl_sock *sock, const struct link_end *host, const struct link_end *zone, int netns,
                  struct error *err)
{
    char what[96];
    snprintf(what, sizeof what, "make the link %s and its peer in the zone", host->name);
    CLEANUP(cleanup_link) struct rtnl_link *link = rtnl_link_veth_alloc();
    CLEANUP(cleanup_link) struct rtnl_link *peer = link ? rtnl_link_veth_get_peer(link) : NULL;
    int built = peer ? set_identity(link, host) : -NLE_NOMEM;
    if (built == 0)
        built = set_identity(peer, zone);
    struct nl_msg *message = NULL;
    if (built == 0) {
        rtnl_link_set_ns_fd(peer, netns);
        built = rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &message);
    }
    return request(sock, message, built, err, what);
}

static bool is_this(struct rtnl_link *link, const struct link_end *end)
{
    struct nl_addr *addr = rtnl_link_get_addr(link);
    const char *type = rtnl_link_get_type(link);
    return type && strcmp(type, "veth") == 0 && addr && nl_addr_get_len(addr) == MAC_LENGTH &&
           memcmp(nl_addr_get_binary_addr(addr), end->mac, MAC_LENGTH) == 0;
}

int rtnl_inspect(struct nl_sock *sock, const struct link_end *end, int *index, bool *ours, struct error *err)
{
    CLEANUP(cleanup_link) struct rtnl_link *link = NULL;
    int result = rtnl_link_get_kernel(sock, 0, end->name, &link);
    if (result < 0)
        return error_set(err, libnl_errno(result), "find the link %s: %s", end->name, nl_geterror(result));
    *index = rtnl_link_get_ifindex(link);
    *ours = is_this(link, end);
    return 0;
}

int rtnl_delete(struct nl_sock *sock, int index, const char *name, struct error *err)
{
    char what[64];
    snprintf(what, sizeof what, "remove the link %s", name);
    CLEANUP(cleanup_link) struct rtnl_link *link = rtnl_link_alloc();
    struct nl_msg *message = NULL;
    if (!link)
        return error_errno(err, ENOMEM, "%s", what);
    rtnl_link_set_ifindex(link, index);
    int built = rtnl_link_build_delete_request(link, &message);
    return request(sock, message, built, err, what);
}
