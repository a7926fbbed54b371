/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the usual firewalls (ufw, Docker, scripts of iptables) write: connection states, protocols, address types. The
 * structures are the kernel's interface to iptables and do not change.
 */
#include "traffic/firewall_xt.h"

#include "model/service.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <stddef.h>
#include <string.h>

static unsigned state_bits(const struct fw_packet *packet)
{
    unsigned bits = XT_CONNTRACK_STATE_BIT(fw_answers(packet) ? IP_CT_ESTABLISHED : IP_CT_NEW);
    return packet->translated ? bits | XT_CONNTRACK_STATE_DNAT : bits;
}

static enum fw_match match_conntrack(const struct fw_expr *match, const struct fw_packet *packet)
{
    uint16_t flags, inverted, states;
    if (match->length < sizeof(struct xt_conntrack_mtinfo1))
        return FW_MAYBE;
    if (match->revision == 1) {
        struct xt_conntrack_mtinfo1 info;
        memcpy(&info, match->data, sizeof info);
        flags = info.match_flags, inverted = info.invert_flags, states = info.state_mask;
    } else if (match->revision <= 3) {
        struct xt_conntrack_mtinfo2 info; /* revision 3 only adds at the end */
        memcpy(&info, match->data, sizeof info);
        flags = info.match_flags, inverted = info.invert_flags, states = info.state_mask;
    } else {
        return FW_MAYBE;
    }
    enum fw_match result = flags & ~XT_CONNTRACK_STATE ? FW_MAYBE : FW_YES;
    if (flags & XT_CONNTRACK_STATE)
        result =
            fw_both(result, fw_invert(states & state_bits(packet) ? FW_YES : FW_NO, inverted & XT_CONNTRACK_STATE));
    return result;
}

/* -m state: one mask of the same bits. */
static enum fw_match match_state(const struct fw_expr *match, const struct fw_packet *packet)
{
    unsigned states;
    if (match->length < sizeof states)
        return FW_MAYBE;
    memcpy(&states, match->data, sizeof states);
    return states & state_bits(packet) ? FW_YES : FW_NO;
}

static enum fw_match match_range(uint16_t port, uint16_t first, uint16_t last)
{
    if (first == 0 && last == UINT16_MAX)
        return FW_YES;
    return !port ? FW_MAYBE : port >= first && port <= last ? FW_YES : FW_NO;
}

static uint16_t destination_port(const struct fw_packet *packet)
{
    return fw_answers(packet) ? 0 : packet->port;
}

/* TCP and UDP begin alike, with ports in the host's order; what is 0 in the rest of the structure asks for nothing. */
static enum fw_match match_ports(const struct fw_expr *match, const struct fw_packet *packet, uint8_t protocol)
{
    size_t size = protocol == PROTOCOL_TCP ? sizeof(struct xt_tcp) : sizeof(struct xt_udp);
    size_t inverted = protocol == PROTOCOL_TCP ? offsetof(struct xt_tcp, invflags) : offsetof(struct xt_udp, invflags);
    static const uint8_t nothing[sizeof(struct xt_tcp)];
    uint8_t info[sizeof(struct xt_tcp)];
    uint16_t ports[4]; /* from and to of the source, of the destination */
    if (packet->protocol != protocol)
        return FW_NO;
    if (match->length < size)
        return FW_MAYBE;
    memcpy(info, match->data, size);
    memcpy(ports, info, sizeof ports);
    enum fw_match result = match_range(destination_port(packet), ports[2], ports[3]);
    result = fw_invert(result, info[inverted] & XT_TCP_INV_DSTPT);
    info[inverted] &= (uint8_t)~XT_TCP_INV_DSTPT;
    bool other = ports[0] != 0 || ports[1] != UINT16_MAX || memcmp(info + sizeof ports, nothing, size - sizeof ports);
    return other ? fw_both(result, FW_MAYBE) : result;
}

/* A list of ports and of ranges, whose first one says so. */
static enum fw_match match_multiport(const struct fw_expr *match, const struct fw_packet *packet)
{
    struct xt_multiport_v1 info;
    uint16_t port = destination_port(packet);
    if (match->revision != 1 || match->length < sizeof info || !port)
        return FW_MAYBE;
    memcpy(&info, match->data, sizeof info);
    if (info.flags != XT_MULTIPORT_DESTINATION || info.count > XT_MULTI_PORTS)
        return FW_MAYBE;
    bool found = false;
    for (unsigned i = 0; i < info.count && !found; i++) {
        bool range = info.pflags[i] && i + 1 < info.count;
        found = port >= info.ports[i] && port <= info.ports[i + range];
        i += range;
    }
    return found != (info.invert != 0) ? FW_YES : FW_NO;
}

static enum fw_match match_addrtype(const struct fw_expr *match, const struct fw_packet *packet)
{
    struct xt_addrtype_info_v1 info;
    if (match->revision != 1 || match->length < sizeof info)
        return FW_MAYBE;
    memcpy(&info, match->data, sizeof info);
    enum fw_match result = info.source ? FW_MAYBE : FW_YES;
    if (!info.dest)
        return result;
    /* Before translation it is an address of the host, afterwards one that is routed; the client's may be anything. */
    if (packet->reply)
        return FW_MAYBE;
    uint16_t type = packet->translated ? XT_ADDRTYPE_UNICAST : XT_ADDRTYPE_LOCAL;
    return fw_both(result, fw_invert(info.dest & type ? FW_YES : FW_NO, info.flags & XT_ADDRTYPE_INVERT_DEST));
}

enum fw_match fw_xt_match(const struct fw_expr *match, const struct fw_packet *packet)
{
    static const char *const other_protocols[] = {"icmp", "icmp6", "sctp", "dccp", "esp", "ah"};
    const char *name = match->name ? match->name : "";
    if (!strcmp(name, "conntrack"))
        return match_conntrack(match, packet);
    if (!strcmp(name, "state"))
        return match_state(match, packet);
    if (!strcmp(name, "tcp"))
        return match_ports(match, packet, PROTOCOL_TCP);
    if (!strcmp(name, "udp"))
        return match_ports(match, packet, PROTOCOL_UDP);
    if (!strcmp(name, "multiport"))
        return match_multiport(match, packet);
    if (!strcmp(name, "addrtype"))
        return match_addrtype(match, packet);
    if (!strcmp(name, "comment"))
        return FW_YES;
    for (size_t i = 0; i < sizeof other_protocols / sizeof *other_protocols; i++)
        if (!strcmp(name, other_protocols[i]))
            return FW_NO;
    return FW_MAYBE;
}

enum fw_xt_end fw_xt_target(const char *name)
{
    /* The packet goes on to the next rule after these. */
    static const char *const harmless[] = {"LOG",       "NFLOG",       "MARK",    "CONNMARK",    "TCPMSS",
                                           "CLASSIFY",  "CHECKSUM",    "DSCP",    "TOS",         "TTL",
                                           "HL",        "SET",         "TRACE",   "AUDIT",       "CT",
                                           "NOTRACK",   "LED",         "TEE",     "HMARK",       "SECMARK",
                                           "IDLETIMER", "CONNSECMARK", "RATEEST", "TCPOPTSTRIP", "ACCOUNT"};
    if (!strcmp(name, "REJECT") || !strcmp(name, "DROP"))
        return FW_XT_DROPS;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (!strcmp(name, harmless[i]))
            return FW_XT_GOES_ON;
    return FW_XT_MAY_PASS;
}
