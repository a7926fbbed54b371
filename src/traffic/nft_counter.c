/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone's fence has refused: the named counter of its chain. */
#include "traffic/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/object.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>

static int read_counter(void *context, struct nlmsghdr *message)
{
    struct nftnl_obj *counter = nftnl_obj_alloc();
    if (!counter)
        return -ENOMEM;
    if (message->nlmsg_type != NLMSG_DONE && nftnl_obj_nlmsg_parse(message, counter) == 0)
        *(uint64_t *)context = nftnl_obj_get_u64(counter, NFTNL_OBJ_CTR_PKTS);
    nftnl_obj_free(counter);
    return 0;
}

int traffic_read_fenced(struct traffic *traffic, const char *app, enum colour colour, uint64_t *refused,
                        struct error *err)
{
    char name[RULESET_NAME_MAX + 1];
    snprintf(name, sizeof name, "fenced.%s.%s", app, colour_name(colour));
    *refused = 0;
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETOBJ, 0, NFPROTO_INET);
    if (request && (nla_put_string(request, NFTA_OBJ_TABLE, RULESET_TABLE) < 0 ||
                    nla_put_string(request, NFTA_OBJ_NAME, name) < 0 ||
                    nla_put_u32(request, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER)) < 0)) {
        nlmsg_free(request);
        request = NULL;
    }
    int status = nft_request(traffic->nft, request, read_counter, refused);
    return status && status != -ENOENT ? error_errno(err, -status, "read counter %s of table inet " RULESET_TABLE, name)
                                       : 0;
}
