/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking after a change of the rule set: forgetting the flows that would go on to the old zone although
 * nothing keeps them there, and counting UDP. Established TCP is never forgotten: client and app would hang.
 *
 * Always after the switch: a flow forgotten before it would be sent to the old zone again by its next packet.
 */
#include "base/cleanup.h"
#include "traffic/internal.h"
#include "traffic/takeover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Value and mask of the status, since Linux 5.17 also for deleting; newer than some headers. */
#define STATUS_MASK_ATTRIBUTE 26 /* CTA_STATUS_MASK */

struct filter {
    uint32_t mark, mark_mask, status_mask; /* status bits in the mask must be clear; 0 = whatever */
    uint8_t family;                        /* only for listing: AF_UNSPEC = both */
    struct address source;                 /* who began it, only for listing IPv4; family 0 = whoever */
};

#define FILTER_SOURCE 1 /* CTA_FILTER_FLAG(CTA_IP_SRC) of nf_internals.h, since Linux 5.8 */

static int put_source(struct nl_msg *message, const struct address *source)
{
    struct nlattr *tuple = nla_nest_start(message, CTA_TUPLE_ORIG | NLA_F_NESTED);
    struct nlattr *ip = tuple ? nla_nest_start(message, CTA_TUPLE_IP | NLA_F_NESTED) : NULL;
    if (!ip || nla_put(message, CTA_IP_V4_SRC, 4, source->bytes) < 0)
        return -ENOMEM;
    nla_nest_end(message, ip);
    nla_nest_end(message, tuple);
    struct nlattr *filter = nla_nest_start(message, CTA_FILTER | NLA_F_NESTED);
    if (!filter || nla_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_SOURCE) < 0 ||
        nla_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0) < 0)
        return -ENOMEM;
    nla_nest_end(message, filter);
    return 0;
}

static struct nl_msg *filtered_message(uint8_t type, uint16_t flags, uint8_t family, const struct filter *filter)
{
    struct nl_msg *message = nft_message(NFNL_SUBSYS_CTNETLINK, type, flags, family);
    if (!message)
        return NULL;
    bool failed = nla_put_u32(message, CTA_MARK, htonl(filter->mark)) < 0 ||
                  nla_put_u32(message, CTA_MARK_MASK, htonl(filter->mark_mask)) < 0;
    if (filter->status_mask)
        failed |= nla_put_u32(message, CTA_STATUS, 0) < 0 ||
                  nla_put_u32(message, STATUS_MASK_ATTRIBUTE, htonl(filter->status_mask)) < 0;
    if (filter->source.family)
        failed |= put_source(message, &filter->source) < 0;
    if (!failed)
        return message;
    nlmsg_free(message);
    return NULL;
}

static int conntrack_error(struct error *err, int status, const char *doing)
{
    if (status == -EINVAL || status == -EOPNOTSUPP)
        return error_errno(err, -status, "%s (does this kernel lack nf_conntrack_netlink?)", doing);
    return status ? error_errno(err, -status, "%s", doing) : 0;
}

/* All at once, both families: the kernel walks its whole table for each request, 5 ms and more of a switch. */
static int forget(struct traffic *traffic, const struct filter *filter)
{
    int status = nft_request(traffic->nft, filtered_message(IPCTNL_MSG_CT_DELETE, 0, AF_UNSPEC, filter), NULL, NULL);
    return status == -ENOENT ? 0 : status; /* nothing matched */
}

/* What is looked at of an entry. */
struct flow {
    uint8_t protocol;
    struct address source, destination; /* as the client sees it */
    uint16_t port;
    struct nlattr *tuple, *zone, *id; /* in the message */
};

static bool parse_address(const struct nlattr *four, const struct nlattr *six, struct address *address)
{
    *address = (struct address){0};
    if (four && nla_len(four) == 4) {
        address->family = 4;
        memcpy(address->bytes, nla_data(four), 4);
    } else if (six && nla_len(six) == 16) {
        address->family = 6;
        memcpy(address->bytes, nla_data(six), 16);
    }
    return address->family;
}

static bool parse_flow(struct nlmsghdr *message, struct flow *flow)
{
    struct nlattr *tuple[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *protocol[CTA_PROTO_MAX + 1];
    *flow = (struct flow){.tuple = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_TUPLE_ORIG),
                          .zone = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_ZONE),
                          .id = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_ID)};
    if (!flow->tuple || nla_parse_nested(tuple, CTA_TUPLE_MAX, flow->tuple, NULL) < 0 || !tuple[CTA_TUPLE_IP] ||
        !tuple[CTA_TUPLE_PROTO] || nla_parse_nested(ip, CTA_IP_MAX, tuple[CTA_TUPLE_IP], NULL) < 0 ||
        nla_parse_nested(protocol, CTA_PROTO_MAX, tuple[CTA_TUPLE_PROTO], NULL) < 0)
        return false;
    struct nlattr *number = protocol[CTA_PROTO_NUM], *port = protocol[CTA_PROTO_DST_PORT];
    if (!number || nla_len(number) < 1 || !parse_address(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST], &flow->destination) ||
        !parse_address(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC], &flow->source))
        return false;
    flow->protocol = nla_get_u8(number);
    flow->port = port && nla_len(port) >= 2 ? ntohs(nla_get_u16(port)) : 0;
    return true;
}

/* Deletions are collected first: the socket is busy with the dump. */
struct doomed {
    bool (*chosen)(const struct flow *flow, const void *what);
    const void *what;
    struct nl_msg **messages;
    size_t count, capacity;
};

static void doomed_clear(struct doomed *doomed)
{
    for (size_t i = 0; i < doomed->count; i++)
        nlmsg_free(doomed->messages[i]);
    free(doomed->messages);
}

/* The entry by its whole name; with its id, a later one of the same name is not hit. */
static struct nl_msg *delete_message(const struct flow *flow)
{
    uint8_t family = flow->destination.family == 6 ? AF_INET6 : AF_INET;
    struct nl_msg *message = nft_message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, 0, family);
    if (!message)
        return NULL;
    bool failed = nla_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, nla_len(flow->tuple), nla_data(flow->tuple)) < 0;
    if (flow->zone)
        failed |= nla_put(message, CTA_ZONE, nla_len(flow->zone), nla_data(flow->zone)) < 0;
    if (flow->id)
        failed |= nla_put(message, CTA_ID, nla_len(flow->id), nla_data(flow->id)) < 0;
    if (!failed)
        return message;
    nlmsg_free(message);
    return NULL;
}

static int collect(void *context, struct nlmsghdr *message)
{
    struct doomed *doomed = context;
    struct flow flow;
    if (!parse_flow(message, &flow) || !doomed->chosen(&flow, doomed->what))
        return 0;
    if (doomed->count == doomed->capacity) {
        size_t capacity = doomed->capacity ? doomed->capacity * 2 : 64;
        struct nl_msg **messages = reallocarray(doomed->messages, capacity, sizeof(struct nl_msg *));
        if (!messages)
            return -ENOMEM;
        doomed->messages = messages;
        doomed->capacity = capacity;
    }
    doomed->messages[doomed->count] = delete_message(&flow);
    return doomed->messages[doomed->count] ? (doomed->count++, 0) : -ENOMEM;
}

/* One by one, for what the kernel cannot choose by itself. */
static int forget_chosen(struct traffic *traffic, const struct filter *filter,
                         bool (*chosen)(const struct flow *flow, const void *what), const void *what)
{
    struct doomed doomed = {.chosen = chosen, .what = what};
    struct nl_msg *list = filtered_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, filter->family, filter);
    int status = nft_request(traffic->nft, list, collect, &doomed);
    /* A table that changes while it is read is the rule, and new entries follow the new rules already. */
    if (status == -EINTR)
        status = 0;
    for (size_t i = 0; i < doomed.count && !status; i++) {
        status = nft_request(traffic->nft, steal_ptr(&doomed.messages[i]), NULL, NULL);
        if (status == -ENOENT) /* ended by itself meanwhile */
            status = 0;
    }
    doomed_clear(&doomed);
    return status;
}

static bool is_tcp(const struct flow *flow, const void *what)
{
    return flow->protocol == PROTOCOL_TCP;
}

static const struct ruleset_zone *zone_with_number(const struct traffic *traffic, uint16_t number)
{
    for (size_t i = 0; i < traffic->state.count; i++)
        for (size_t c = 0; c < COLOURS; c++)
            if (traffic->state.apps[i].zones[c].present && traffic->state.apps[i].zones[c].number == number)
                return &traffic->state.apps[i].zones[c];
    return NULL;
}

static bool has_udp(const struct ruleset_zone *zone, enum udp_policy policy)
{
    for (size_t i = 0; i < zone->port_count; i++)
        if (zone->ports[i].protocol == PROTOCOL_UDP && zone->ports[i].udp == policy)
            return true;
    return false;
}

int traffic_release_flows(struct traffic *traffic, uint16_t zone_number, struct error *err)
{
    const uint32_t mark = (uint32_t)zone_number << RULESET_MARK_SHIFT;
    const struct filter moving = {.mark = mark | RULESET_MARK_MOVES,
                                  .mark_mask = RULESET_MARK_ZONE | RULESET_MARK_MOVES};
    const struct filter unreplied = {.mark = mark, .mark_mask = RULESET_MARK_ZONE, .status_mask = IPS_SEEN_REPLY};
    const struct ruleset_zone *zone = zone_with_number(traffic, zone_number);
    int status = !zone || has_udp(zone, UDP_MOVE) ? forget(traffic, &moving) : 0;
    if (!status)
        /* Deleting cannot choose a protocol (Linux 6.1): UDP that is to stay may never be answered, as in syslog. */
        status = zone && has_udp(zone, UDP_KEEP) ? forget_chosen(traffic, &unreplied, is_tcp, NULL)
                                                 : forget(traffic, &unreplied);
    return conntrack_error(err, status, "forget the flows that must leave the old zone");
}

static bool is_udp(const struct flow *flow, const void *what)
{
    return flow->protocol == PROTOCOL_UDP;
}

int traffic_forget_zone(struct traffic *traffic, uint16_t zone_number, struct error *err)
{
    const struct filter filter = {.mark = (uint32_t)zone_number << RULESET_MARK_SHIFT, .mark_mask = RULESET_MARK_ZONE};
    const struct filter unreplied = {
        .mark = filter.mark, .mark_mask = RULESET_MARK_ZONE, .status_mask = IPS_SEEN_REPLY};
    int status = forget(traffic, &unreplied);
    if (!status)
        status = forget_chosen(traffic, &filter, is_udp, NULL);
    return conntrack_error(err, status, "forget the flows of a zone that goes");
}

struct udp_ports {
    const struct port *ports;
    size_t count;
    const struct ifaddrs *addresses;
    bool served[SERVICE_PORTS_MAX]; /* by a process of the host's, which keeps what it has */
};

static bool has_address(const struct ifaddrs *list, const struct address *address)
{
    if (address->family == 4 && address->bytes[0] == 127)
        return true;
    for (; list; list = list->ifa_next) {
        if (!list->ifa_addr)
            continue;
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)list->ifa_addr;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)list->ifa_addr;
        if (address->family == 4 && list->ifa_addr->sa_family == AF_INET && !memcmp(&four->sin_addr, address->bytes, 4))
            return true;
        if (address->family == 6 && list->ifa_addr->sa_family == AF_INET6 &&
            !memcmp(&six->sin6_addr, address->bytes, 16))
            return true;
    }
    return false;
}

/* A flow to one of the ports at one of this host's addresses; the host's own to others' port 53, say, are not meant. */
static bool is_published(const struct flow *flow, const void *what)
{
    const struct udp_ports *udp = what;
    if (flow->protocol != PROTOCOL_UDP)
        return false;
    for (size_t i = 0; i < udp->count; i++) {
        const struct port *port = &udp->ports[i];
        if (port->protocol != PROTOCOL_UDP || flow->port < port->published ||
            flow->port >= port->published + port_span(port) || (i < SERVICE_PORTS_MAX && udp->served[i]))
            continue;
        if (port->listen.family ? address_equal(&port->listen, &flow->destination)
                                : has_address(udp->addresses, &flow->destination))
            return true;
    }
    return false;
}

int traffic_release_udp_ports(struct traffic *traffic, const struct port *ports, size_t count, struct error *err)
{
    /* Marked flows went to a zone: they know the ports. */
    const struct filter unmarked = {.mark = 0, .mark_mask = RULESET_MARK_ZONE, .status_mask = IPS_DST_NAT};
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= ports[i].protocol == PROTOCOL_UDP;
    if (!any)
        return 0;
    struct ifaddrs *addresses = NULL;
    if (getifaddrs(&addresses) < 0)
        return error_errno(err, errno, "list this host's addresses");
    struct udp_ports what = {.ports = ports, .count = count, .addresses = addresses};
    for (size_t i = 0; i < count && i < SERVICE_PORTS_MAX; i++)
        what.served[i] = ports[i].protocol == PROTOCOL_UDP && ports[i].udp == UDP_KEEP &&
                         host_serves_udp(traffic->diag_fd, &ports[i]);
    int status = forget_chosen(traffic, &unmarked, is_published, &what);
    freeifaddrs(addresses);
    return conntrack_error(err, status, "forget the UDP flows from before the ports were published");
}

struct outgoing {
    const struct address *source;
    const struct reach_rule *allow;
    size_t count;
    uint32_t *forgotten;
};

static bool is_not_allowed(const struct flow *flow, const void *what)
{
    const struct outgoing *outgoing = what;
    if (flow->protocol != PROTOCOL_UDP || !address_equal(&flow->source, outgoing->source) ||
        reach_allows(outgoing->allow, outgoing->count, &flow->destination, flow->protocol, flow->port))
        return false;
    ++*outgoing->forgotten;
    return true;
}

int traffic_forget_outgoing(struct traffic *traffic, const struct address *source, const struct reach_rule *allow,
                            size_t count, uint32_t *forgotten, struct error *err)
{
    /* Linux 6.18 and before list all IPv6 flows but those of the source that was asked for. */
    const struct filter six = {.family = AF_INET6}, four = {.family = AF_INET, .source = *source};
    const struct outgoing what = {.source = source, .allow = allow, .count = count, .forgotten = forgotten};
    *forgotten = 0;
    return conntrack_error(err, forget_chosen(traffic, source->family == 6 ? &six : &four, is_not_allowed, &what),
                           "forget the UDP flows that a zone may not have any more");
}

static int count_udp(void *context, struct nlmsghdr *message)
{
    struct flow flow;
    if (parse_flow(message, &flow) && flow.protocol == PROTOCOL_UDP)
        ++*(uint32_t *)context;
    return 0;
}

int traffic_count_udp(struct traffic *traffic, uint16_t zone_number, uint32_t *count, struct error *err)
{
    const struct filter filter = {.mark = (uint32_t)zone_number << RULESET_MARK_SHIFT, .mark_mask = RULESET_MARK_ZONE};
    *count = 0;
    int status = nft_request(traffic->nft, filtered_message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, &filter),
                             count_udp, count);
    if (status == -EINTR) /* changed while it was read: a count of a moving thing is as good */
        status = 0;
    return conntrack_error(err, status, "count a zone's UDP flows");
}
