/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending what a zone has open to outside and may not have any more. Apart from sockets.c, which is about connections
 * that come in. */
#include "base/cleanup.h"
#include "traffic/internal.h"
#include "traffic/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A connection is the zone's own unless somebody in it listens on its port. */
struct outgoing_sockets {
    const struct reach_rule *allow;
    size_t count;
    uint8_t listening[(UINT16_MAX + 1) / 8]; /* a bit for each port */
};

static int note_listener(void *context, const struct inet_diag_msg *socket)
{
    struct outgoing_sockets *outgoing = context;
    uint16_t port = ntohs(socket->id.idiag_sport);
    outgoing->listening[port / 8] |= (uint8_t)(1 << port % 8);
    return 0;
}

/* The other end, an IPv4 address in IPv6 form as what it is. */
static struct address other_end(const struct inet_diag_msg *socket)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *bytes = (const uint8_t *)socket->id.idiag_dst;
    bool six = socket->idiag_family == AF_INET6, four_in_six = six && memcmp(bytes, mapped, sizeof mapped) == 0;
    struct address address = {.family = six && !four_in_six ? 6 : 4};
    memcpy(address.bytes, four_in_six ? bytes + sizeof mapped : bytes, address.family == 6 ? 16 : 4);
    return address;
}

/* A connection of the zone with itself does not leave it. */
static bool is_inside(const struct inet_diag_msg *socket, const struct address *to)
{
    static const struct address loopback = {.family = 6, .bytes = {[15] = 1}};
    return (to->family == 4 && to->bytes[0] == 127) || address_equal(to, &loopback) ||
           memcmp(socket->id.idiag_src, socket->id.idiag_dst, socket->idiag_family == AF_INET6 ? 16 : 4) == 0;
}

static bool may_not_be(const void *context, const struct inet_diag_msg *socket)
{
    const struct outgoing_sockets *outgoing = context;
    uint16_t port = ntohs(socket->id.idiag_sport);
    struct address to = other_end(socket);
    return !(outgoing->listening[port / 8] & 1 << port % 8) && !is_inside(socket, &to) &&
           !reach_allows(outgoing->allow, outgoing->count, &to, PROTOCOL_TCP, ntohs(socket->id.idiag_dport));
}

int sockets_destroy_outgoing(int diag_fd, const struct reach_rule *allow, size_t count, uint32_t *destroyed,
                             struct error *err)
{
    CLEANUP_FREE struct outgoing_sockets *outgoing = calloc(1, sizeof *outgoing);
    const struct socket_query listeners = {.states = SOCKET_STATE(TCP_LISTEN), .with_itself = true};
    const struct socket_query open = {.states = SOCKET_STATES_COUNTED | SOCKET_STATE(TCP_SYN_SENT)};
    *destroyed = 0;
    if (!outgoing)
        return error_errno(err, ENOMEM, "look for a zone's connections to outside");
    outgoing->allow = allow;
    outgoing->count = count;
    int status = sockets_list(diag_fd, &listeners, note_listener, outgoing);
    if (!status)
        status = sockets_end(diag_fd, &open, may_not_be, outgoing, destroyed);
    return status ? error_errno(err, -status, "end a zone's connections to outside") : 0;
}
