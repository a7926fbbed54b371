/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's flows of UDP one by one, by connection tracking: the kernel has no sockets for them. Apart from conntrack.c,
 * which forgets flows. */
#include "traffic/internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <string.h>

struct telling {
    each_connection *each;
    void *context;
};

static uint64_t counter(struct nlattr *nest, int type)
{
    struct nlattr *attribute = nest ? nla_find(nla_data(nest), nla_len(nest), type) : NULL;
    uint64_t number = 0;
    if (attribute && nla_len(attribute) == sizeof number)
        memcpy(&number, nla_data(attribute), sizeof number);
    return be64toh(number);
}

/* From the answers' side: they come from the zone's port and go to whom the zone has for its peer. */
static bool read_reply(struct nlattr *reply, struct connection *connection)
{
    struct nlattr *tuple[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *protocol[CTA_PROTO_MAX + 1];
    if (!reply || nla_parse_nested(tuple, CTA_TUPLE_MAX, reply, NULL) < 0 || !tuple[CTA_TUPLE_IP] ||
        !tuple[CTA_TUPLE_PROTO] || nla_parse_nested(ip, CTA_IP_MAX, tuple[CTA_TUPLE_IP], NULL) < 0 ||
        nla_parse_nested(protocol, CTA_PROTO_MAX, tuple[CTA_TUPLE_PROTO], NULL) < 0)
        return false;
    struct nlattr *four = ip[CTA_IP_V4_DST], *six = ip[CTA_IP_V6_DST], *number = protocol[CTA_PROTO_NUM];
    struct nlattr *source = protocol[CTA_PROTO_SRC_PORT], *destination = protocol[CTA_PROTO_DST_PORT];
    bool is_four = four && nla_len(four) == 4, is_six = six && nla_len(six) == 16;
    if ((!is_four && !is_six) || !number || nla_len(number) < 1 || !source || nla_len(source) < 2 || !destination ||
        nla_len(destination) < 2)
        return false;
    connection->protocol = nla_get_u8(number);
    connection->peer.family = is_four ? 4 : 6;
    memcpy(connection->peer.bytes, nla_data(is_four ? four : six), is_four ? 4 : 16);
    connection->peer_port = ntohs(nla_get_u16(destination));
    connection->port = ntohs(nla_get_u16(source));
    return true;
}

static int tell(void *context, struct nlmsghdr *message)
{
    struct telling *telling = context;
    const int header = sizeof(struct nfgenmsg);
    struct connection connection = {0};
    struct nlattr *status = nlmsg_find_attr(message, header, CTA_STATUS);
    struct nlattr *in = nlmsg_find_attr(message, header, CTA_COUNTERS_ORIG);
    struct nlattr *out = nlmsg_find_attr(message, header, CTA_COUNTERS_REPLY);
    struct nlattr *stamp = nlmsg_find_attr(message, header, CTA_TIMESTAMP);
    if (!read_reply(nlmsg_find_attr(message, header, CTA_TUPLE_REPLY), &connection) ||
        connection.protocol != PROTOCOL_UDP)
        return 0;
    connection.state = status && nla_len(status) == 4 && (ntohl(nla_get_u32(status)) & IPS_SEEN_REPLY);
    connection.look.known = in != NULL;
    connection.look.bytes_in = counter(in, CTA_COUNTERS_BYTES);
    connection.look.bytes_out = counter(out, CTA_COUNTERS_BYTES);
    connection.began_unix_ms = counter(stamp, CTA_TIMESTAMP_START) / 1000000;
    return telling->each(telling->context, &connection);
}

int traffic_each_udp(struct traffic *traffic, uint16_t zone_number, each_connection *each, void *context,
                     struct error *err)
{
    struct telling telling = {each, context};
    struct nl_msg *message = nft_message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
    if (message && (nla_put_u32(message, CTA_MARK, htonl((uint32_t)zone_number << RULESET_MARK_SHIFT)) < 0 ||
                    nla_put_u32(message, CTA_MARK_MASK, htonl(RULESET_MARK_ZONE)) < 0)) {
        nlmsg_free(message);
        message = NULL;
    }
    int status = nft_request(traffic->nft, message, tell, &telling);
    if (status == -EINTR) /* the table changed while it was read: it always does */
        status = 0;
    return status ? error_errno(err, -status, "list a zone's UDP flows") : 0;
}
