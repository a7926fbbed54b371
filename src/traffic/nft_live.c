/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has live for an app, read from its chain: the rule that has no condition, and, where another one asks
 * the set of what is green, that set. */
#include "base/cleanup.h"
#include "traffic/internal.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

struct search {
    const char *app;
    int live;
    bool conditional; /* the rule that is being looked at: a canary's or a preview's, or it asks the set */
    bool by_set;
    bool green; /* the set has elements */
};

static void free_rule(struct nftnl_rule **rule)
{
    if (*rule)
        nftnl_rule_free(*rule);
}

static int look_at_expression(struct nftnl_expr *expression, void *context)
{
    struct search *search = context;
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    search->conditional |= !name || strcmp(name, "immediate") != 0;
    if (text_equal(name, "lookup") && nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_SET)) {
        char set[APP_NAME_MAX + 8];
        snprintf(set, sizeof set, "green.%s", search->app);
        search->by_set |= text_equal(nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET), set);
    }
    if (search->conditional || !nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN))
        return 0;
    const char *chain = nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN);
    for (int colour = 0; colour < COLOURS; colour++) {
        char wanted[APP_NAME_MAX + 16];
        snprintf(wanted, sizeof wanted, "zone.%s.%s", search->app, colour_name((enum colour)colour));
        if (text_equal(chain, wanted))
            search->live = colour;
    }
    return 0;
}

static int look_at_rule(void *context, struct nlmsghdr *message)
{
    CLEANUP(free_rule) struct nftnl_rule *rule = nftnl_rule_alloc();
    if (!rule)
        return -ENOMEM;
    if (message->nlmsg_type == NLMSG_DONE || nftnl_rule_nlmsg_parse(message, rule) < 0)
        return 0;
    ((struct search *)context)->conditional = false;
    nftnl_expr_foreach(rule, look_at_expression, context);
    return 0;
}

static int look_at_elements(void *context, struct nlmsghdr *message)
{
    struct nlattr *list = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
    ((struct search *)context)->green |= message->nlmsg_type != NLMSG_DONE && list && nla_len(list) > 0;
    return 0;
}

static int ask_set(struct traffic *traffic, struct search *search)
{
    char set[APP_NAME_MAX + 8];
    snprintf(set, sizeof set, "green.%s", search->app);
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET);
    if (request && (nla_put_string(request, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE) < 0 ||
                    nla_put_string(request, NFTA_SET_ELEM_LIST_SET, set) < 0)) {
        nlmsg_free(request);
        request = NULL;
    }
    int status = nft_request(traffic->nft, request, look_at_elements, search);
    if (search->green)
        search->live = GREEN;
    return status;
}

int traffic_read_live(struct traffic *traffic, const char *app, int *live, struct error *err)
{
    char chain[APP_NAME_MAX + 8];
    struct search search = {.app = app, .live = -1};
    snprintf(chain, sizeof chain, "app.%s", app);
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_INET);
    if (request && (nla_put_string(request, NFTA_RULE_TABLE, RULESET_TABLE) < 0 ||
                    nla_put_string(request, NFTA_RULE_CHAIN, chain) < 0)) {
        nlmsg_free(request);
        request = NULL;
    }
    int status = nft_request(traffic->nft, request, look_at_rule, &search);
    if (!status && search.by_set)
        status = ask_set(traffic, &search);
    *live = search.live;
    if (status < 0 && status != -ENOENT)
        return error_errno(err, -status, "read chain %s of table inet " RULESET_TABLE, chain);
    return 0;
}
