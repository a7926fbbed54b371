/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains first, which tells the tables that matter; then their rules, sets and elements. */
#include "traffic/nft_dump.h"

#include "model/ruleset.h"
#include "traffic/nft_dump_expr.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS     5     /* somebody may be changing what we read */
#define ELEMENTS_MAX 20000 /* lists of addresses to block have more; whether we are in one is not ours to say */

static void *append(void *array, size_t *count, size_t size)
{
    void **items = array;
    /* Doubled at powers of two. */
    if (!(*count & (*count - 1))) {
        void *grown = reallocarray(*items, *count ? *count * 2 : 1, size);
        if (!grown)
            return NULL;
        *items = grown;
    }
    return memset((char *)*items + (*count)++ * size, 0, size);
}

static bool ours(uint8_t family, const char *table)
{
    return family == NFPROTO_INET &&
           (!strcmp(table, RULESET_TABLE) || !strcmp(table, RULESET_KEEPER) || !strcmp(table, RULESET_SPARE));
}

static bool for_ip(uint8_t family)
{
    return family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6;
}

static int fill_chain(struct fw_chain *to, const struct nftnl_chain *chain, uint8_t family)
{
    to->family = family;
    to->table = strdup(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE));
    to->name = strdup(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
    if (!to->table || !to->name)
        return -ENOMEM;
    to->base = nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);
    if (!to->base)
        return 0;
    strncpy(to->type, nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE) ?: "", sizeof to->type - 1);
    to->hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
    to->priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO);
    to->policy_drop =
        nftnl_chain_is_set(chain, NFTNL_CHAIN_POLICY) && nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP;
    return 0;
}

static int take_chain(void *context, struct nlmsghdr *message)
{
    struct firewall *firewall = context;
    uint8_t family = ((struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
    struct nftnl_chain *chain = nftnl_chain_alloc();
    if (!chain)
        return -ENOMEM;
    int status = 0;
    if (nftnl_chain_nlmsg_parse(message, chain) < 0 || !nftnl_chain_is_set(chain, NFTNL_CHAIN_TABLE) ||
        !nftnl_chain_is_set(chain, NFTNL_CHAIN_NAME))
        status = -EPROTO;
    else if (for_ip(family) && !ours(family, nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE))) {
        struct fw_chain *to = append(&firewall->chains, &firewall->chain_count, sizeof *to);
        status = to ? fill_chain(to, chain, family) : -ENOMEM;
    }
    nftnl_chain_free(chain);
    return status;
}

static bool on_the_way(const struct fw_chain *chain)
{
    return chain->base && !strcmp(chain->type, "filter") &&
           (chain->hook == NF_INET_PRE_ROUTING || chain->hook == NF_INET_FORWARD ||
            chain->hook == NF_INET_POST_ROUTING);
}

/* Is this the first such chain of its table? */
static bool first_of_table(const struct firewall *firewall, size_t index)
{
    const struct fw_chain *chain = &firewall->chains[index];
    for (size_t i = 0; i < index; i++) {
        const struct fw_chain *other = &firewall->chains[i];
        if (on_the_way(other) && other->family == chain->family && !strcmp(other->table, chain->table))
            return false;
    }
    return on_the_way(chain);
}

static int fill_rule(struct fw_rule *to, struct nftnl_rule *rule)
{
    struct nftnl_expr_iter *exprs = nftnl_expr_iter_create(rule);
    if (!exprs)
        return -ENOMEM;
    int status = 0;
    struct nftnl_expr *expr;
    while (!status && (expr = nftnl_expr_iter_next(exprs))) {
        struct fw_expr *piece = append(&to->exprs, &to->count, sizeof *piece);
        status = piece ? nft_dump_expr(expr, piece) : -ENOMEM;
    }
    nftnl_expr_iter_destroy(exprs);
    return status;
}

static int take_rule(void *context, struct nlmsghdr *message)
{
    struct firewall *firewall = context;
    uint8_t family = ((struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
    struct nftnl_rule *rule = nftnl_rule_alloc();
    if (!rule)
        return -ENOMEM;
    int status = -EPROTO;
    if (nftnl_rule_nlmsg_parse(message, rule) == 0 && nftnl_rule_is_set(rule, NFTNL_RULE_TABLE)) {
        struct fw_chain *chain = firewall_chain(firewall, family, nftnl_rule_get_str(rule, NFTNL_RULE_TABLE),
                                                nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
        struct fw_rule *to = chain ? append(&chain->rules, &chain->count, sizeof *to) : NULL;
        /* A rule in a chain that was not there a moment ago: what we read has changed. */
        status = to ? fill_rule(to, rule) : chain ? -ENOMEM : -EINTR;
    }
    nftnl_rule_free(rule);
    return status;
}

static int take_set(void *context, struct nlmsghdr *message)
{
    struct firewall *firewall = context;
    struct nftnl_set *set = nftnl_set_alloc();
    if (!set)
        return -ENOMEM;
    int status = -EPROTO;
    if (nftnl_set_nlmsg_parse(message, set) == 0 && nftnl_set_is_set(set, NFTNL_SET_TABLE)) {
        struct fw_set *to = append(&firewall->sets, &firewall->set_count, sizeof *to);
        if (to) {
            to->family = ((struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
            to->table = strdup(nftnl_set_get_str(set, NFTNL_SET_TABLE));
            to->name = strdup(nftnl_set_get_str(set, NFTNL_SET_NAME));
            to->intervals =
                nftnl_set_is_set(set, NFTNL_SET_FLAGS) && nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_INTERVAL;
        }
        status = to && to->table && to->name ? 0 : -ENOMEM;
    }
    nftnl_set_free(set);
    return status;
}

static int fill_element(struct fw_element *to, struct nftnl_set_elem *element)
{
    uint32_t length = 0;
    const void *key = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_KEY)
                          ? nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length)
                          : NULL;
    to->opaque = !key || length > sizeof to->key || nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_KEY_END) ||
                 nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPR) ||
                 nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPRESSIONS);
    if (key && length <= sizeof to->key) {
        memcpy(to->key, key, length);
        to->length = (uint8_t)length;
    }
    to->end = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS) &&
              nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
    if (!nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_VERDICT))
        return 0;
    to->verdict = nft_dump_verdict(nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_VERDICT));
    if (!nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN))
        return 0;
    to->chain = strdup(nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN));
    return to->chain ? 0 : -ENOMEM;
}

static int take_elements(void *context, struct nlmsghdr *message)
{
    struct fw_set *set = context;
    struct nftnl_set *parsed = nftnl_set_alloc();
    struct nftnl_set_elems_iter *elements = NULL;
    int status = parsed ? 0 : -ENOMEM;
    if (!status && nftnl_set_elems_nlmsg_parse(message, parsed) < 0)
        status = -EPROTO;
    if (!status && !(elements = nftnl_set_elems_iter_create(parsed)))
        status = -ENOMEM;
    struct nftnl_set_elem *element;
    while (!status && !set->opaque && (element = nftnl_set_elems_iter_next(elements))) {
        struct fw_element *to = append(&set->elements, &set->count, sizeof *to);
        status = to ? fill_element(to, element) : -ENOMEM;
        set->opaque = set->count >= ELEMENTS_MAX;
    }
    if (elements)
        nftnl_set_elems_iter_destroy(elements);
    if (parsed)
        nftnl_set_free(parsed);
    return status;
}

/* Of two equal keys the end comes first: where one interval ends, the next one begins. */
static int compare_elements(const void *a, const void *b)
{
    const struct fw_element *x = a, *y = b;
    int order = memcmp(x->key, y->key, sizeof x->key);
    return order ? order : y->end - x->end;
}

static struct nl_msg *request_of(uint8_t type, uint8_t family, const char *table, int set_attribute, const char *set)
{
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, type, NLM_F_DUMP, family);
    /* The table is the first attribute of every kind of object. */
    if (request && ((table && nla_put_string(request, NFTA_TABLE_NAME, table) < 0) ||
                    (set && nla_put_string(request, set_attribute, set) < 0))) {
        nlmsg_free(request);
        return NULL;
    }
    return request;
}

static int dump_elements(struct nft *nft, struct fw_set *set)
{
    int status =
        nft_request(nft, request_of(NFT_MSG_GETSETELEM, set->family, set->table, NFTA_SET_ELEM_LIST_SET, set->name),
                    take_elements, set);
    if (set->intervals)
        qsort(set->elements, set->count, sizeof *set->elements, compare_elements);
    return status;
}

static int dump_table(struct nft *nft, struct firewall *firewall, const struct fw_chain *chain)
{
    size_t first = firewall->set_count;
    int status =
        nft_request(nft, request_of(NFT_MSG_GETRULE, chain->family, chain->table, 0, NULL), take_rule, firewall);
    if (!status)
        status = nft_request(nft, request_of(NFT_MSG_GETSET, chain->family, chain->table, 0, NULL), take_set, firewall);
    for (size_t i = first; i < firewall->set_count && !status; i++)
        status = dump_elements(nft, &firewall->sets[i]);
    return status;
}

static int dump_once(struct nft *nft, struct firewall *firewall)
{
    firewall_clear(firewall);
    int status = nft_request(nft, request_of(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NULL, 0, NULL), take_chain, firewall);
    for (size_t i = 0; i < firewall->chain_count && !status; i++)
        if (first_of_table(firewall, i))
            status = dump_table(nft, firewall, &firewall->chains[i]);
    return status;
}

int nft_dump(struct nft *nft, struct firewall *firewall, struct error *err)
{
    int status = -EINTR;
    /* ENOENT: a table went away between two of the requests. */
    for (int i = 0; i < ATTEMPTS && (status == -EINTR || status == -ENOENT); i++)
        status = dump_once(nft, firewall);
    return status ? error_errno(err, -status, "read the host's firewall rules") : 0;
}
