/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for a table. Apart from traffic.c because this is about what the kernel has, whoever made it. */
#include "traffic/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>

static int read_table(void *context, struct nlmsghdr *message)
{
    struct table_now *now = context;
    struct nlattr *flags = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_TABLE_FLAGS);
    struct nlattr *owner = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_TABLE_OWNER);
    now->there = true;
    if (flags && nla_len(flags) >= (int)sizeof(uint32_t))
        now->flags = ntohl(nla_get_u32(flags));
    if (owner && nla_len(owner) >= (int)sizeof(uint32_t))
        now->owner = ntohl(nla_get_u32(owner));
    return 0;
}

int table_find(struct nft *nft, const char *name, struct table_now *now, struct error *err)
{
    *now = (struct table_now){0};
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, 0, NFPROTO_INET);
    if (request && nla_put_string(request, NFTA_TABLE_NAME, name) < 0) {
        nlmsg_free(request);
        request = NULL;
    }
    int status = nft_request(nft, request, read_table, now);
    if (status == -EPERM)
        return error_errno(err, EPERM, "look for table inet %s (needs root, or the capability NET_ADMIN)", name);
    if (status == -EINVAL) /* nfnetlink's word for a subsystem that is not there */
        return error_set(err, EPROTONOSUPPORT,
                         "this kernel has no nf_tables for family inet: \"modprobe nf_tables\", or one that has it");
    if (status && status != -ENOENT)
        return error_errno(err, -status, "look for table inet %s", name);
    if (now->owner && now->owner != nft_port(nft))
        return error_set(
            err, EBUSY,
            "table inet %s belongs to another running process (netlink port %u): is another bluegreend at work in "
            "this network namespace?",
            name, now->owner);
    return 0;
}
