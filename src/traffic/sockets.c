/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone's client connections, by sock_diag inside its network namespace: what a drain waits for, and what ends at
 * its deadline.
 *
 * Not counted: LISTEN; TIME_WAIT, which is over; FIN_WAIT2, where the app has closed and the client has confirmed every
 * byte, so nothing of the answer can be lost any more and only the client's own end is missing. FIN_WAIT1, CLOSING
 * and LAST_ACK do count: the last bytes of an answer may still be on their way. So does CLOSE_WAIT: the app may still
 * be answering.
 *
 * A socket that listens on :: takes IPv4 clients as well; such a connection is listed as IPv6 with mapped addresses,
 * so asking for both families lists every connection once.
 */
#include "traffic/sockets.h"
#include "traffic/traffic.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One range of ports is two comparisons of two operations and a jump, as struct inet_diag_bc_op of 4 bytes. */
#define OPS_PER_PORT 5
#define OPS_MAX      (OPS_PER_PORT * SERVICE_PORTS_MAX)

struct query {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
    struct nlattr attribute;
    struct inet_diag_bc_op ops[OPS_MAX];
};

/*
 * "Its port is in one of these ranges", for the kernel. Offsets are in bytes from the operation itself; arriving
 * exactly at the end accepts, beyond it (end + 4) refuses. Returns the number of operations.
 */
static size_t write_filter(struct inet_diag_bc_op *ops, const struct port *ports, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (ports[i].protocol == PROTOCOL_TCP && used + OPS_PER_PORT <= OPS_MAX) {
            ops[used] = (struct inet_diag_bc_op){.code = INET_DIAG_BC_S_GE, .yes = 8, .no = 20};
            ops[used + 1] = (struct inet_diag_bc_op){.no = ports[i].target};
            ops[used + 2] = (struct inet_diag_bc_op){.code = INET_DIAG_BC_S_LE, .yes = 8, .no = 12};
            ops[used + 3] = (struct inet_diag_bc_op){.no = (uint16_t)(ports[i].target + port_span(&ports[i]) - 1)};
            used += OPS_PER_PORT;
        }
    for (size_t i = OPS_PER_PORT - 1; i < used; i += OPS_PER_PORT)
        ops[i] = (struct inet_diag_bc_op){.code = INET_DIAG_BC_JMP, .yes = 4, .no = (unsigned short)(4 * (used - i))};
    if (used) {
        /* The last has nobody to hand on to. */
        ops[used - 5].no = 20 + 4;
        ops[used - 3].no = 12 + 4;
    }
    return used;
}

struct listing {
    int fd;
    bool with_itself;
    uint32_t sequence;
    unsigned char reply[32u << 10]
        __attribute__((aligned(NLMSG_ALIGNTO))); /* af_netlink.c: a dump's piece is at most this */
};

/* The next datagram's length. The kernel answers inside the send and each receive: there is nothing to wait for. */
static ssize_t receive(struct listing *listing)
{
    for (;;) {
        ssize_t length = recv(listing->fd, listing->reply, sizeof listing->reply, MSG_DONTWAIT | MSG_TRUNC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -errno;
        return (size_t)length > sizeof listing->reply ? -EMSGSIZE : length;
    }
}

/* What an earlier call left unread would be taken for this one's, and a dump half read refuses the next. */
static void drop_leftovers(struct listing *listing)
{
    ssize_t length;
    do
        length = receive(listing);
    while (length >= 0 || length == -EMSGSIZE || length == -ENOBUFS);
}

/* A connection of the zone with itself: our probes, whose sockets are made inside the zone. */
static bool with_itself(const struct inet_diag_msg *socket)
{
    return !memcmp(socket->id.idiag_src, socket->id.idiag_dst, socket->idiag_family == AF_INET ? 4 : 16);
}

/* 1: go on, 0: complete, negative: failed. */
static int take(const struct nlmsghdr *message, const struct listing *listing, each_socket *each, void *context)
{
    if (message->nlmsg_seq != listing->sequence)
        return 1;
    if (message->nlmsg_type == NLMSG_DONE)
        return 0;
    if (message->nlmsg_type == NLMSG_ERROR)
        return message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))
                   ? -EPROTO
                   : ((struct nlmsgerr *)NLMSG_DATA(message))->error;
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return -EPROTO;
    const struct inet_diag_msg *socket = NLMSG_DATA(message);
    int status = with_itself(socket) && !listing->with_itself ? 0 : each(context, socket);
    return status ?: 1;
}

static int read_sockets(struct listing *listing, each_socket *each, void *context)
{
    int status = 1;
    while (status == 1) {
        ssize_t length = receive(listing);
        if (length < 0)
            return (int)length;
        const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)listing->reply;
        for (size_t rest = (size_t)length; status == 1 && NLMSG_OK(message, rest); message = NLMSG_NEXT(message, rest))
            status = take(message, listing, each, context);
    }
    return status;
}

static int list_family(struct listing *listing, uint8_t family, const struct socket_query *what, each_socket *each,
                       void *context)
{
    struct query query = {.request = {.sdiag_family = family,
                                      .sdiag_protocol = what->udp ? IPPROTO_UDP : IPPROTO_TCP,
                                      .idiag_ext = what->attributes,
                                      .idiag_states = what->states}};
    size_t length = offsetof(struct query, attribute);
    if (what->ports) {
        size_t filter = write_filter(query.ops, what->ports, what->count) * sizeof *query.ops;
        if (!filter)
            return 0;
        query.attribute.nla_type = INET_DIAG_REQ_BYTECODE;
        query.attribute.nla_len = (uint16_t)(sizeof query.attribute + filter);
        length = offsetof(struct query, ops) + filter;
    }
    query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    query.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    query.header.nlmsg_seq = ++listing->sequence;
    query.header.nlmsg_len = (uint32_t)length;
    if (send(listing->fd, &query, query.header.nlmsg_len, 0) < 0)
        return -errno;
    return read_sockets(listing, each, context);
}

int sockets_list(int diag_fd, const struct socket_query *query, each_socket *each, void *context)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    CLEANUP_FREE struct listing *listing = calloc(1, sizeof *listing);
    if (!listing)
        return -ENOMEM;
    listing->fd = diag_fd;
    listing->with_itself = query->with_itself;
    drop_leftovers(listing);
    int status = 0;
    for (size_t i = 0; i < sizeof families && !status; i++)
        status = list_family(listing, families[i], query, each, context);
    return status;
}

static int count_socket(void *context, const struct inet_diag_msg *socket)
{
    ++*(uint32_t *)context;
    return 0;
}

int sockets_count(int diag_fd, const struct port *ports, size_t count, uint32_t *connections, struct error *err)
{
    *connections = 0;
    const struct socket_query query = {.ports = ports, .count = count, .states = SOCKET_STATES_COUNTED};
    int status = count ? sockets_list(diag_fd, &query, count_socket, connections) : 0;
    return status ? error_errno(err, -status, "count a zone's connections") : 0;
}

/* Found while listing, ended afterwards: the socket is busy with the listing. */
struct found {
    choose_socket *chosen; /* NULL: all */
    const void *context;
    struct inet_diag_req_v2 *sockets;
    size_t count, capacity;
};

static int remember_socket(void *context, const struct inet_diag_msg *socket)
{
    struct found *found = context;
    if (found->chosen && !found->chosen(found->context, socket))
        return 0;
    if (found->count == found->capacity) {
        size_t capacity = found->capacity ? found->capacity * 2 : 64;
        struct inet_diag_req_v2 *sockets = reallocarray(found->sockets, capacity, sizeof *sockets);
        if (!sockets)
            return -ENOMEM;
        found->sockets = sockets;
        found->capacity = capacity;
    }
    found->sockets[found->count++] = (struct inet_diag_req_v2){.sdiag_family = socket->idiag_family,
                                                               .sdiag_protocol = IPPROTO_TCP,
                                                               .idiag_states = SOCKET_STATES_COUNTED,
                                                               .id = socket->id};
    return 0;
}

static int destroy_socket(struct listing *listing, const struct inet_diag_req_v2 *socket)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {.header = {.nlmsg_len = sizeof message,
                            .nlmsg_type = SOCK_DESTROY,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                            .nlmsg_seq = ++listing->sequence},
                 .request = *socket};
    if (send(listing->fd, &message, sizeof message, 0) < 0)
        return -errno;
    return read_sockets(listing, NULL, NULL);
}

static int destroy_all(int diag_fd, const struct found *found, uint32_t *destroyed)
{
    CLEANUP_FREE struct listing *listing = calloc(1, sizeof *listing);
    if (!listing)
        return -ENOMEM;
    listing->fd = diag_fd;
    drop_leftovers(listing);
    for (size_t i = 0; i < found->count; i++) {
        int status = destroy_socket(listing, &found->sockets[i]);
        if (!status)
            ++*destroyed;
        else if (status != -ENOENT) /* it ended by itself meanwhile */
            return status;
    }
    return 0;
}

int sockets_end(int diag_fd, const struct socket_query *query, choose_socket *chosen, const void *context,
                uint32_t *ended)
{
    struct found found = {.chosen = chosen, .context = context};
    *ended = 0;
    int status = sockets_list(diag_fd, query, remember_socket, &found);
    if (!status)
        status = destroy_all(diag_fd, &found, ended);
    free(found.sockets);
    return status;
}

int sockets_destroy(int diag_fd, const struct port *ports, size_t count, uint32_t *destroyed, struct error *err)
{
    *destroyed = 0;
    const struct socket_query query = {.ports = ports, .count = count, .states = SOCKET_STATES_COUNTED};
    int status = count ? sockets_end(diag_fd, &query, NULL, NULL, destroyed) : 0;
    if (status == -EOPNOTSUPP)
        return error_errno(err, -status, "end a zone's connections: this kernel cannot (CONFIG_INET_DIAG_DESTROY)");
    return status ? error_errno(err, -status, "end a zone's connections") : 0;
}
