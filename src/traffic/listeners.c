/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dump for each protocol and family; what the kernel says of a socket beyond its address is in attributes. */
#include "traffic/listeners.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DIAG_CGROUP_ID 21 /* INET_DIAG_CGROUP_ID, Linux 5.9 */

bool listener_anywhere(const struct listener *listener)
{
    static const uint8_t zeros[16];
    return !memcmp(listener->at.bytes, zeros, listener->at.family == 4 ? 4 : 16);
}

bool listener_loopback(const struct listener *listener)
{
    static const uint8_t one[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    if (listener->at.family == 4)
        return listener->at.bytes[0] == 127;
    return !memcmp(listener->at.bytes, one, sizeof one) || !memcmp(listener->at.bytes, mapped, sizeof mapped);
}

void listeners_clear(struct listeners *listeners)
{
    free(listeners->items);
    *listeners = (struct listeners){0};
}

struct listing {
    struct listeners *listeners;
    enum protocol protocol;
    int error; /* 0, or what the kernel or memory said: negative */
};

static int add(struct listeners *listeners, const struct listener *listener)
{
    /* Doubled at powers of two. */
    if (!(listeners->count & (listeners->count - 1))) {
        size_t capacity = listeners->count ? listeners->count * 2 : 1;
        struct listener *items = reallocarray(listeners->items, capacity, sizeof *items);
        if (!items)
            return -ENOMEM;
        listeners->items = items;
    }
    listeners->items[listeners->count++] = *listener;
    return 0;
}

static int on_socket(struct nl_msg *message, void *context)
{
    struct listing *listing = context;
    struct nlmsghdr *header = nlmsg_hdr(message);
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return NL_SKIP;
    const struct inet_diag_msg *socket = nlmsg_data(header);
    struct nlattr *cgroup = nlmsg_find_attr(header, sizeof *socket, DIAG_CGROUP_ID);
    struct listener listener = {.protocol = listing->protocol,
                                .at.family = socket->idiag_family == AF_INET ? 4 : 6,
                                .port = ntohs(socket->id.idiag_sport),
                                .uid = socket->idiag_uid,
                                .inode = socket->idiag_inode,
                                .cgroup = cgroup && nla_len(cgroup) == sizeof(uint64_t) ? nla_get_u64(cgroup) : 0};
    memcpy(listener.at.bytes, socket->id.idiag_src, sizeof listener.at.bytes);
    if (!listing->error)
        listing->error = add(listing->listeners, &listener);
    return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *message, void *context)
{
    (void)from;
    ((struct listing *)context)->error = message->error;
    return NL_STOP;
}

static struct nl_sock *open_diag(struct listing *listing)
{
    struct nl_sock *sock = nl_socket_alloc();
    if (!sock || nl_connect(sock, NETLINK_SOCK_DIAG) < 0) {
        nl_socket_free(sock);
        return NULL;
    }
    nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_socket, listing);
    nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error, listing);
    return sock;
}

/* 0 or negative. */
static int ask(struct nl_sock *sock, int type, int flags, struct inet_diag_req_v2 *request, struct listing *listing)
{
    int status = nl_send_simple(sock, type, flags, request, sizeof *request);
    if (status >= 0)
        status = flags & NLM_F_DUMP ? nl_recvmsgs_default(sock) : nl_wait_for_ack(sock);
    return listing->error ?: status < 0 ? -EIO : 0;
}

int listeners_list(struct listeners *listeners, struct error *err)
{
    static const struct {
        enum protocol protocol;
        uint8_t family;
        uint32_t states; /* a UDP socket without a peer is as closed as a TCP one (inet_diag.c) */
    } kinds[] = {{PROTOCOL_TCP, AF_INET, 1u << TCP_LISTEN},
                 {PROTOCOL_TCP, AF_INET6, 1u << TCP_LISTEN},
                 {PROTOCOL_UDP, AF_INET, 1u << TCP_CLOSE},
                 {PROTOCOL_UDP, AF_INET6, 1u << TCP_CLOSE}};
    struct listing listing = {.listeners = listeners};
    struct nl_sock *sock = open_diag(&listing);
    if (!sock)
        return error_errno(err, errno ?: ENOMEM, "list the sockets that listen");
    int status = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !status; i++) {
        struct inet_diag_req_v2 request = {.sdiag_family = kinds[i].family,
                                           .sdiag_protocol = (uint8_t)kinds[i].protocol,
                                           .idiag_states = kinds[i].states};
        listing.protocol = kinds[i].protocol;
        status = ask(sock, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, &listing);
        if (status == -ENOENT && kinds[i].protocol == PROTOCOL_UDP) /* a kernel without udp_diag */
            status = listing.error = 0;
    }
    nl_socket_free(sock);
    return status ? error_errno(err, -status, "list the sockets that listen") : 0;
}

/* Asked to end what is not there, a kernel that can says that it is not there. */
int listeners_try_destroy(struct error *err)
{
    struct listing listing = {0};
    struct nl_sock *sock = open_diag(&listing);
    if (!sock)
        return error_errno(err, errno ?: ENOMEM, "try to end a connection");
    struct inet_diag_req_v2 request = {
        .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_ESTABLISHED};
    request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    int status = ask(sock, SOCK_DESTROY, NLM_F_ACK, &request, &listing);
    nl_socket_free(sock);
    return status == -ENOENT ? 0 : status ? error_errno(err, -status, "try to end a connection") : 0;
}
