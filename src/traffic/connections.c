/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's client connections one by one, with what the kernel knows of each. Apart from sockets.c, which counts and
 * ends them, and where that would cost too much. */
#include "traffic/connections.h"

#include "traffic/sockets.h"
#include "traffic/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { RECEIVE_SHUT = 1 }; /* net/sock.h: RCV_SHUTDOWN */

/* A socket that listens on :: has IPv4 clients by mapped addresses. */
static struct address address_of(uint8_t family, const uint32_t words[4])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct address address = {.family = family == AF_INET ? 4 : 6};
    memcpy(address.bytes, words, family == AF_INET ? 4 : 16);
    if (address.family == 6 && memcmp(words, mapped, sizeof mapped) == 0) {
        address = (struct address){.family = 4};
        memcpy(address.bytes, &words[3], 4);
    }
    return address;
}

static void take_attribute(struct connection *connection, const struct nlattr *attribute)
{
    const uint8_t *value = (const uint8_t *)(attribute + 1);
    size_t size = attribute->nla_len - sizeof *attribute;
    if (attribute->nla_type == INET_DIAG_INFO)
        connection_look_read(&connection->look, value, size);
    else if (attribute->nla_type == INET_DIAG_SHUTDOWN && size >= 1)
        connection->reading_ended = *value & RECEIVE_SHUT;
}

void connection_read(const struct inet_diag_msg *socket, size_t length, struct connection *connection)
{
    *connection = (struct connection){
        .protocol = PROTOCOL_TCP,
        .state = socket->idiag_state,
        .peer = address_of(socket->idiag_family, socket->id.idiag_dst),
        .peer_port = ntohs(socket->id.idiag_dport),
        .port = ntohs(socket->id.idiag_sport),
        .received = socket->idiag_rqueue,
        .queued = socket->idiag_wqueue,
        .inode = socket->idiag_inode,
        .cookie = socket->id.idiag_cookie[0] | (uint64_t)socket->id.idiag_cookie[1] << 32,
    };
    const uint8_t *at = (const uint8_t *)(socket + 1);
    size_t rest = length > sizeof *socket ? length - sizeof *socket : 0;
    while (rest >= sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)at;
        if (attribute->nla_len < sizeof *attribute || attribute->nla_len > rest)
            return;
        take_attribute(connection, attribute);
        size_t step = NLA_ALIGN(attribute->nla_len);
        rest = step < rest ? rest - step : 0;
        at += step;
    }
}

struct telling {
    each_connection *each;
    void *context;
};

/* The listing has seen to it that the message is whole; its length stands in front of the socket. */
static int tell(void *context, const struct inet_diag_msg *socket)
{
    const struct telling *telling = context;
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)((const uint8_t *)socket - NLMSG_LENGTH(0));
    struct connection connection;
    connection_read(socket, message->nlmsg_len - NLMSG_LENGTH(0), &connection);
    return telling->each(telling->context, &connection);
}

int connections_each(int diag_fd, const struct port *ports, size_t count, each_connection *each, void *context,
                     struct error *err)
{
    struct telling telling = {each, context};
    const struct socket_query query = {
        .ports = ports, .count = count, .states = SOCKET_STATES_COUNTED, .attributes = 1u << (INET_DIAG_INFO - 1)};
    int status = count ? sockets_list(diag_fd, &query, tell, &telling) : 0;
    return status ? error_errno(err, -status, "list a zone's connections") : 0;
}
