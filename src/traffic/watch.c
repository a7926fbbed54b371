/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every change of anybody's is announced to the group of nf_tables, with the changer's port id. The kernel drops what
 * we changed ourselves before it wakes us. A message that was lost counts as a change of ours: repairing what is whole
 * costs one transaction and harms nothing.
 */
#include "traffic/watch.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_SIZE  (64u << 10) /* announcements are sent in pages */
#define SOCKET_BUFFER (4 << 20)   /* a reload of somebody's with ten thousand rules */

struct watch {
    struct nl_sock *socket;
    uint32_t own_port;
    bool others;                    /* somebody changed something since this was asked last */
    char by[WATCH_PROGRAM_MAX + 1]; /* the last of them */
    unsigned char message[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* One transaction's announcements come in messages of one sender. */
static void leave_out_own(int fd, uint32_t own_port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 0,
                 1), /* it is loaded as a number of the network's order */
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    /* Without it we wake up for nothing. */
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int watch_open(struct watch **watch, uint32_t own_port, struct error *err)
{
    CLEANUP_FREE struct watch *opened = calloc(1, sizeof *opened);
    if (opened)
        opened->socket = nl_socket_alloc();
    if (!opened || !opened->socket)
        return error_errno(err, ENOMEM, "watch the rule set");
    opened->own_port = own_port;
    nl_socket_disable_seq_check(opened->socket);
    errno = 0;
    if (nl_connect(opened->socket, NETLINK_NETFILTER) < 0 ||
        nl_socket_add_membership(opened->socket, NFNLGRP_NFTABLES) < 0) {
        int cause = errno ? errno : EPROTO;
        nl_socket_free(opened->socket);
        return error_errno(err, cause, "watch the rule set");
    }
    int size = SOCKET_BUFFER;
    setsockopt(nl_socket_get_fd(opened->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    leave_out_own(nl_socket_get_fd(opened->socket), own_port);
    *watch = steal_ptr(&opened);
    return 0;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    nl_socket_free(watch->socket);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return nl_socket_get_fd(watch->socket);
}

static bool touches(struct watch *watch, struct nlmsghdr *message)
{
    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || message->nlmsg_pid == watch->own_port)
        return false;
    watch->others = true;
    if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
        struct nlattr *program = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);
        if (program)
            nla_strlcpy(watch->by, program, sizeof watch->by);
        text_sanitise(watch->by);
        return false;
    }
    /* The table's name is the first attribute of every kind of object: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ... */
    struct nlattr *table = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
    return table && (!nla_strcmp(table, RULESET_TABLE) || !nla_strcmp(table, RULESET_KEEPER));
}

bool watch_touched(struct watch *watch)
{
    bool touched = false;
    for (;;) {
        ssize_t length = recv(watch_fd(watch), watch->message, sizeof watch->message, MSG_DONTWAIT | MSG_TRUNC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return touched;
        if (length < 0 && errno != ENOBUFS)
            return true;
        if (length < 0 || (size_t)length > sizeof watch->message) {
            touched = watch->others = true;
            continue;
        }
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)watch->message;
        for (int rest = (int)length; nlmsg_ok(message, rest); message = nlmsg_next(message, &rest))
            touched |= touches(watch, message);
    }
}

bool watch_others(struct watch *watch, char by[WATCH_PROGRAM_MAX + 1])
{
    bool others = watch->others;
    text_copy(by, WATCH_PROGRAM_MAX + 1, watch->by);
    watch->others = false;
    return others;
}
