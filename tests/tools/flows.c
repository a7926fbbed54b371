/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills connection tracking with flows that nobody has: for tests of what a full table costs.
 *
 *   flows MARK tcp|udp|waiting COUNT CLIENT PORT
 *
 * COUNT flows from addresses from CLIENT (IPv4) on to 203.0.113.10, PORT, with this connection mark: established TCP,
 * answered UDP, or TCP that waits for its first answer. They end after ten minutes. Prints nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH             (64u << 10)
#define FLOW_MAX          512u /* bytes of the message for one; they are 200 */
#define LIFE_S            600
#define PORTS_OF_A_CLIENT 50000u

static struct {
    unsigned char bytes[BATCH] __attribute__((aligned(4)));
    size_t length;
    struct nlmsghdr *message;
    uint32_t sequence;
} out;

static void die(const char *what)
{
    fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct nlattr *put(uint16_t type, const void *data, size_t size)
{
    struct nlattr *attribute = (struct nlattr *)(void *)(out.bytes + out.length);
    *attribute = (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
    memset(attribute + 1, 0, NLA_ALIGN(size));
    if (data)
        memcpy(attribute + 1, data, size);
    out.length += NLA_ALIGN(attribute->nla_len);
    return attribute;
}

static struct nlattr *nest(uint16_t type)
{
    return put(type | NLA_F_NESTED, NULL, 0);
}

static void close_nest(struct nlattr *attribute)
{
    attribute->nla_len = (uint16_t)(out.bytes + out.length - (unsigned char *)attribute);
}

static void put_u32(uint16_t type, uint32_t value)
{
    value = htonl(value);
    put(type, &value, sizeof value);
}

struct end {
    uint32_t address;
    uint16_t port;
};

static void put_tuple(uint16_t type, uint8_t protocol, struct end from, struct end to)
{
    const uint32_t source = htonl(from.address), destination = htonl(to.address);
    const uint16_t source_port = htons(from.port), destination_port = htons(to.port);
    struct nlattr *tuple = nest(type), *ip = nest(CTA_TUPLE_IP);
    put(CTA_IP_V4_SRC, &source, sizeof source);
    put(CTA_IP_V4_DST, &destination, sizeof destination);
    close_nest(ip);
    struct nlattr *ports = nest(CTA_TUPLE_PROTO);
    put(CTA_PROTO_NUM, &protocol, sizeof protocol);
    put(CTA_PROTO_SRC_PORT, &source_port, sizeof source_port);
    put(CTA_PROTO_DST_PORT, &destination_port, sizeof destination_port);
    close_nest(ports);
    close_nest(tuple);
}

static void put_tcp_state(uint8_t state)
{
    struct nlattr *info = nest(CTA_PROTOINFO), *tcp = nest(CTA_PROTOINFO_TCP);
    put(CTA_PROTOINFO_TCP_STATE, &state, sizeof state);
    close_nest(tcp);
    close_nest(info);
}

static void add_flow(const char *kind, uint32_t mark, struct end client, struct end server)
{
    const struct nfgenmsg family = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
    const bool waiting = !strcmp(kind, "waiting");
    uint8_t protocol = strcmp(kind, "udp") ? IPPROTO_TCP : IPPROTO_UDP;
    out.message = (struct nlmsghdr *)(void *)(out.bytes + out.length);
    *out.message = (struct nlmsghdr){.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
                                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
                                     .nlmsg_seq = ++out.sequence};
    memcpy(NLMSG_DATA(out.message), &family, sizeof family);
    out.length += NLMSG_LENGTH(sizeof family);
    put_tuple(CTA_TUPLE_ORIG, protocol, client, server);
    put_tuple(CTA_TUPLE_REPLY, protocol, server, client);
    put_u32(CTA_STATUS, waiting ? IPS_CONFIRMED : IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
    put_u32(CTA_TIMEOUT, LIFE_S);
    put_u32(CTA_MARK, mark);
    if (protocol == IPPROTO_TCP)
        put_tcp_state(waiting ? TCP_CONNTRACK_SYN_SENT : TCP_CONNTRACK_ESTABLISHED);
    out.message->nlmsg_len = (uint32_t)(out.bytes + out.length - (unsigned char *)out.message);
}

/* An error would be answered; what is good is not. The kernel has done all of it when the send returns. */
static void send_batch(int fd)
{
    unsigned char reply[4096] __attribute__((aligned(4)));
    if (out.length && send(fd, out.bytes, out.length, 0) < 0)
        die("send");
    out.length = 0;
    if (recv(fd, reply, sizeof reply, MSG_DONTWAIT) < 0)
        return;
    const struct nlmsgerr *answer = NLMSG_DATA((struct nlmsghdr *)(void *)reply);
    errno = -answer->error;
    die("add a flow");
}

int main(int argc, char **argv)
{
    struct in_addr first, host;
    if (argc != 6 || inet_pton(AF_INET, argv[4], &first) != 1 || inet_pton(AF_INET, "203.0.113.10", &host) != 1) {
        fprintf(stderr, "usage: flows MARK tcp|udp|waiting COUNT CLIENT PORT\n");
        return 2;
    }
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        die("open a netlink socket");
    const struct end server = {ntohl(host.s_addr), (uint16_t)atoi(argv[5])};
    uint32_t mark = (uint32_t)strtoul(argv[1], NULL, 0), count = (uint32_t)strtoul(argv[3], NULL, 10);
    for (uint32_t i = 0; i < count; i++) {
        const struct end client = {ntohl(first.s_addr) + i / PORTS_OF_A_CLIENT,
                                   (uint16_t)(1024 + i % PORTS_OF_A_CLIENT)};
        add_flow(argv[2], mark, client, server);
        if (out.length + FLOW_MAX > BATCH)
            send_batch(fd);
    }
    send_batch(fd);
    return 0;
}
