/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the traffic module: TCP sockets of a network namespace, by its sock_diag socket. */
#pragma once

#include "model/service.h"

#include <linux/inet_diag.h>

#define SOCKET_STATE(name)  (1u << (name))
#define SOCKET_NEW_SYN_RECV 12 /* net/tcp_states.h; how handshakes are listed since 4.4 */
/* What an app may still be answering, see sockets.c. */
#define SOCKET_STATES_COUNTED                                                                         \
    (SOCKET_STATE(TCP_ESTABLISHED) | SOCKET_STATE(TCP_SYN_RECV) | SOCKET_STATE(SOCKET_NEW_SYN_RECV) | \
     SOCKET_STATE(TCP_FIN_WAIT1) | SOCKET_STATE(TCP_CLOSE_WAIT) | SOCKET_STATE(TCP_LAST_ACK) |        \
     SOCKET_STATE(TCP_CLOSING))

struct socket_query {
    const struct port *ports; /* local ports are the targets of the TCP ones; NULL = whatever port */
    size_t count;
    uint32_t states;
    uint8_t attributes; /* bits of INET_DIAG_INFO and its like: what else is to be told of each */
    bool with_itself;   /* those whose ends have one address as well */
    bool udp;           /* sockets of UDP instead; ports are named as those of TCP all the same */
};

/* Called for each; a result other than 0 ends the listing. */
typedef int each_socket(void *context, const struct inet_diag_msg *socket);
/* 0 or a negative errno without text. */
int sockets_list(int diag_fd, const struct socket_query *query, each_socket *each, void *context);

/* Ends those that are chosen (NULL: all that are listed) with a RST; *ended is how many. As above. */
typedef bool choose_socket(const void *context, const struct inet_diag_msg *socket);
int sockets_end(int diag_fd, const struct socket_query *query, choose_socket *chosen, const void *context,
                uint32_t *ended);
