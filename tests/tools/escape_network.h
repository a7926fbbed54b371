/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attempts of escape.c on the network: the host's and the other zone's services, its own namespace's settings. */
#pragma once

#include "escape.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CONNECT_PATIENCE_MS = 1500 };

static bool connects(const struct sockaddr *to, socklen_t length, const char *what)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return judge(fd, "socket");
    int result = connect(fd, to, length);
    if (result < 0 && errno == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof errno;
        if (poll(&ready, 1, CONNECT_PATIENCE_MS) == 0) {
            say("%s: no answer", what);
            return false;
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &size);
        result = errno ? -1 : 0;
    }
    close(fd);
    return judge(result, what);
}

static bool connects4(const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    return inet_pton(AF_INET, address, &to.sin_addr) == 1 && connects((struct sockaddr *)&to, sizeof to, address);
}

static bool connects6(const char *address, uint16_t port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    return inet_pton(AF_INET6, address, &to.sin6_addr) == 1 && connects((struct sockaddr *)&to, sizeof to, address);
}

static bool try_other_zone4(void)
{
    return connects4(aim.other4, aim.other_port);
}

static bool try_other_zone6(void)
{
    return connects6(aim.other6, aim.other_port);
}

static bool try_host_loopback4(void)
{
    return connects4("127.0.0.1", aim.host_port);
}

static bool try_host_loopback6(void)
{
    return connects6("::1", aim.host_port);
}

static bool connects_unix(const char *path, bool abstract)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length + 2 > sizeof to.sun_path)
        return false;
    memcpy(to.sun_path + abstract, path, length);
    return connects((struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + length),
                    path);
}

static bool try_agent_socket(void)
{
    return connects_unix(aim.agent_socket, false);
}

static bool try_host_socket(void)
{
    return connects_unix(aim.host_socket, false);
}

static bool try_abstract_socket(void)
{
    return connects_unix(aim.marker, true);
}

static bool try_host_links(void)
{
    return judge(if_nametoindex("lan0") ? 0 : -1, "lan0");
}

/* --- kinds of sockets ------------------------------------------------------------------------------ */

static bool socket_of(int family, int type, int protocol, const char *what)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    bool done = judge(fd, what);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool try_algorithm_socket(void)
{
    return socket_of(AF_ALG, SOCK_SEQPACKET, 0, "AF_ALG");
}

static bool try_machine_socket(void)
{
    return socket_of(AF_VSOCK, SOCK_STREAM, 0, "AF_VSOCK");
}

static bool try_packet_socket(void)
{
    return socket_of(AF_PACKET, SOCK_RAW, 0, "AF_PACKET");
}

static bool try_raw_socket(void)
{
    return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP, "SOCK_RAW");
}

static bool try_raw_socket6(void)
{
    return socket_of(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "SOCK_RAW");
}

static bool try_forced_buffer(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 1 << 20;
    return judge(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), "SO_RCVBUFFORCE");
}

static bool try_transparent_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    return judge(setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof on), "IP_TRANSPARENT");
}

/* --- its own namespace's settings ------------------------------------------------------------------ */

struct request {
    struct nlmsghdr head;
    union {
        struct ifaddrmsg address;
        struct rtmsg route;
        struct ifinfomsg link;
        char bytes[128];
    };
};

static void add_attribute(struct nlmsghdr *head, uint16_t type, const void *value, size_t length)
{
    struct rtattr *attribute = (struct rtattr *)(void *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));
    *attribute = (struct rtattr){.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(length)};
    memcpy(RTA_DATA(attribute), value, length);
    head->nlmsg_len = (uint32_t)(NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

/* Sends and reads the first answer. */
static bool netlink(int protocol, const void *messages, size_t length, const char *what)
{
    char answer[4096] __attribute__((aligned(4)));
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    struct timeval patience = {.tv_sec = 2};
    if (fd < 0)
        return judge(fd, "AF_NETLINK");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t got = send(fd, messages, length, 0) < 0 ? -1 : recv(fd, answer, sizeof answer, 0);
    close(fd);
    if (got < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return judge(-1, "talk to the kernel by netlink");
    const struct nlmsgerr *result = NLMSG_DATA((struct nlmsghdr *)(void *)answer);
    errno = -result->error;
    return judge(result->error ? -1 : 0, what);
}

/* Makes it, and takes it away again. */
static bool netlink_twice(struct request *request, uint16_t make, uint16_t remove, const char *what)
{
    request->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    request->head.nlmsg_type = make;
    if (!netlink(NETLINK_ROUTE, request, request->head.nlmsg_len, what))
        return false;
    request->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request->head.nlmsg_type = remove;
    netlink(NETLINK_ROUTE, request, request->head.nlmsg_len, what);
    return true;
}

static bool try_add_address(void)
{
    struct request request = {.head.nlmsg_len = NLMSG_LENGTH(sizeof request.address),
                              .address = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1}};
    uint32_t address = htonl(0xc000024d); /* 192.0.2.77, of the documentation's range */
    add_attribute(&request.head, IFA_LOCAL, &address, sizeof address);
    return netlink_twice(&request, RTM_NEWADDR, RTM_DELADDR, "add an address");
}

static bool try_add_route(void)
{
    struct request request = {.head.nlmsg_len = NLMSG_LENGTH(sizeof request.route),
                              .route = {.rtm_family = AF_INET,
                                        .rtm_dst_len = 24,
                                        .rtm_table = RT_TABLE_MAIN,
                                        .rtm_protocol = RTPROT_STATIC,
                                        .rtm_scope = RT_SCOPE_LINK,
                                        .rtm_type = RTN_UNICAST}};
    uint32_t network = htonl(0xc0000200), index = 1;
    add_attribute(&request.head, RTA_DST, &network, sizeof network);
    add_attribute(&request.head, RTA_OIF, &index, sizeof index);
    return netlink_twice(&request, RTM_NEWROUTE, RTM_DELROUTE, "add a route");
}

static bool try_change_link(void)
{
    struct request request = {.head = {.nlmsg_len = NLMSG_LENGTH(sizeof request.link),
                                       .nlmsg_type = RTM_SETLINK,
                                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
                              .link = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
    return netlink(NETLINK_ROUTE, &request, request.head.nlmsg_len, "change a link");
}

static struct nlmsghdr *nft_message(char *at, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
    struct nlmsghdr *head = (struct nlmsghdr *)(void *)at;
    const struct nfgenmsg about = {.nfgen_family = family, .res_id = htons(resource)};
    *head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof about),
                              .nlmsg_type = type,
                              .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                              .nlmsg_seq = 1};
    memcpy(NLMSG_DATA(head), &about, sizeof about);
    return head;
}

/* A table that lasts as long as this batch. */
static bool try_firewall(void)
{
    static const uint16_t types[] = {NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE};
    char batch[512] __attribute__((aligned(4))) = "";
    size_t length = nft_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
    for (size_t i = 0; i < 2; i++) {
        struct nlmsghdr *head =
            nft_message(batch + length, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | types[i]), NLM_F_ACK, AF_INET, 0);
        add_attribute(head, NFTA_TABLE_NAME, "bluegreen-escape", sizeof "bluegreen-escape");
        length += NLMSG_ALIGN(head->nlmsg_len);
    }
    length += nft_message(batch + length, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
    return netlink(NETLINK_NETFILTER, batch, length, "make a table of nf_tables");
}
