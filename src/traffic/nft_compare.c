/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is our table in the kernel as it should be? Each rule that should be there is written as it would be sent, read back
 * by the same library that reads the kernel's, and both are compared as text; of sets and maps the elements are
 * counted. Nothing is changed: whoever looks has a socket of his own.
 */
#include "base/cleanup.h"
#include "traffic/internal.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 5, TOLD_MAX = 8 };

/* The rules of a table in the order of their chains' first appearance: one text for each chain. */
struct content {
    struct words chains; /* names */
    struct text *rules;  /* of the chain of the same index: a line for each rule */
    bool failed;
};

static void content_clear(struct content *content)
{
    for (size_t i = 0; i < content->chains.count; i++)
        text_clear(&content->rules[i]);
    free(content->rules);
    words_clear(&content->chains);
}

static struct text *rules_of(struct content *content, const char *chain, bool make)
{
    for (size_t i = 0; i < content->chains.count; i++) {
        if (!strcmp(content->chains.items[i], chain))
            return &content->rules[i];
    }
    if (!make)
        return NULL;
    struct text *rules = reallocarray(content->rules, content->chains.count + 1, sizeof *rules);
    if (rules)
        content->rules = rules;
    if (!rules || words_add(&content->chains, chain) < 0) {
        content->failed = true;
        return NULL;
    }
    content->rules[content->chains.count - 1] = (struct text){0};
    return &content->rules[content->chains.count - 1];
}

/* --- rules --------------------------------------------------------------------------------------- */

/* What the kernel fills in by itself: the numbers of registers, which have two ways to be counted; the other end of
 * what is only one address or port; flags that follow from these. Nobody changes a rule in nothing else. */
static bool filled_in(const char *word, const char *before)
{
    return !strcmp(before, "reg") || !strcmp(before, "dreg") || !strcmp(before, "flags") || !strcmp(word, "flags") ||
           !strcmp(word, "addr_max") || !strcmp(word, "proto_max") || !strcmp(word, "reg");
}

/* A counter differs all the time, and the name of one goes to the kernel without its end, behind which libnftnl reads
 * on. */
static bool counts(const char *name)
{
    return !strcmp(name, "counter") || !strcmp(name, "objref");
}

static int add_expr(struct nftnl_expr *expr, void *context)
{
    char text[512] = "", before[128] = "";
    const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
    bool lookup = !strcmp(name, "lookup");
    text_addf(context, "[ %s", name);
    if (!counts(name))
        nftnl_expr_snprintf(text, sizeof text, expr, NFTNL_OUTPUT_DEFAULT, 0);
    for (char *rest = text, *word; (word = strtok_r(NULL, " ", &rest));) {
        bool left_out = filled_in(word, before) || (lookup && !strcmp(word, "0x0"));
        if (!left_out)
            text_addf(context, " %s", word);
        text_copy(before, sizeof before, word);
    }
    text_add(context, " ]");
    return 0;
}

static int add_rule(struct content *content, struct nlmsghdr *message)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    int status = rule ? 0 : -ENOMEM;
    if (rule && nftnl_rule_nlmsg_parse(message, rule) == 0 && nftnl_rule_is_set(rule, NFTNL_RULE_CHAIN)) {
        struct text *rules = rules_of(content, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), true);
        if (rules)
            nftnl_expr_foreach(rule, add_expr, rules);
        if (rules)
            text_add(rules, "\n");
        status = rules && !rules->failed ? 0 : -ENOMEM;
    }
    if (rule)
        nftnl_rule_free(rule);
    return status;
}

static int take_rule(void *context, struct nlmsghdr *message)
{
    return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ? add_rule(context, message) : 0;
}

static struct nl_msg *request_of(uint8_t type, int attribute, const char *name)
{
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, type, NLM_F_DUMP, NFPROTO_INET);
    /* The table is the first attribute of every kind of object. */
    if (request && (nla_put_string(request, NFTA_TABLE_NAME, RULESET_TABLE) < 0 ||
                    (name && nla_put_string(request, attribute, name) < 0))) {
        nlmsg_free(request);
        return NULL;
    }
    return request;
}

static int read_rules(struct traffic *traffic, struct content *content)
{
    int status = -EINTR;
    for (int i = 0; i < ATTEMPTS && status == -EINTR; i++) {
        content_clear(content);
        *content = (struct content){0};
        status = nft_request(traffic->nft, request_of(NFT_MSG_GETRULE, 0, NULL), take_rule, content);
    }
    return status;
}

/* What traffic->ops would send. */
static int write_rules(struct traffic *traffic, struct content *content)
{
    const struct nft_tables none = {0};
    nft_batch_begin(traffic->nft, &traffic->messages);
    nft_build(&traffic->ops, &none, &traffic->messages);
    if (traffic->messages.failed)
        return -ENOMEM;
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)traffic->messages.data;
    int rest = (int)traffic->messages.length, status = 0;
    for (; nlmsg_ok(message, rest) && !status; message = nlmsg_next(message, &rest))
        status = take_rule(content, message);
    return status;
}

/* --- what differs -------------------------------------------------------------------------------- */

static int say(struct words *differences, const char *kind, const char *name, const char *what)
{
    char text[160];
    if (differences->count >= TOLD_MAX)
        return 0;
    snprintf(text, sizeof text, "%s %s %s", kind, name, what);
    return words_add(differences, text);
}

static int compare_rules(struct content *wanted, struct content *there, struct words *differences)
{
    int status = 0;
    for (size_t i = 0; i < wanted->chains.count && !status; i++) {
        const char *chain = wanted->chains.items[i];
        const struct text *other = rules_of(there, chain, false);
        if (!other)
            status = say(differences, "chain", chain, "has no rules");
        else if (!text_equal(wanted->rules[i].data, other->data))
            status = say(differences, "chain", chain, "has other rules");
    }
    for (size_t i = 0; i < there->chains.count && !status; i++) {
        if (!rules_of(wanted, there->chains.items[i], false))
            status = say(differences, "chain", there->chains.items[i], "has rules that are not ours");
    }
    return status;
}

static int count_elements(void *context, struct nlmsghdr *message)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elems_iter *elements = NULL;
    if (set && nftnl_set_elems_nlmsg_parse(message, set) == 0)
        elements = nftnl_set_elems_iter_create(set);
    while (elements && nftnl_set_elems_iter_next(elements))
        ++*(size_t *)context;
    if (elements)
        nftnl_set_elems_iter_destroy(elements);
    if (set)
        nftnl_set_free(set);
    return 0;
}

static int compare_set(struct traffic *traffic, const char *name, struct words *differences)
{
    size_t wanted = 0, there = 0;
    for (size_t i = 0; i < traffic->ops.count; i++) {
        const struct ruleset_op *op = &traffic->ops.ops[i];
        if (op->kind == OP_ADD_ELEMENTS && !strcmp(op->name, name))
            wanted += op->count;
    }
    int status = -EINTR;
    for (int i = 0; i < ATTEMPTS && status == -EINTR; i++) {
        there = 0;
        status = nft_request(traffic->nft, request_of(NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_SET, name), count_elements,
                             &there);
    }
    if (status == -ENOENT)
        return say(differences, "map", name, "is gone");
    return status ? status : there == wanted ? 0 : say(differences, "map", name, "has other elements");
}

int traffic_compare(struct traffic *traffic, struct words *differences, struct error *err)
{
    CLEANUP(content_clear) struct content wanted = {0};
    CLEANUP(content_clear) struct content there = {0};
    ruleset_batch_reset(&traffic->ops);
    int status = ruleset_diff(NULL, &traffic->state, &traffic->ops, err);
    if (status)
        return status;
    status = write_rules(traffic, &wanted) ?: read_rules(traffic, &there);
    if (!status)
        status = compare_rules(&wanted, &there, differences);
    for (size_t i = 0; i < traffic->ops.count && !status; i++) {
        if (traffic->ops.ops[i].kind == OP_ADD_SET)
            status = compare_set(traffic, traffic->ops.ops[i].name, differences);
    }
    if (status == -ENOENT)
        status = words_add(differences, "the whole table is gone");
    return status ? error_errno(err, -status, "compare table inet " RULESET_TABLE " with what it should be") : 0;
}

int traffic_view(const struct traffic *of, struct traffic **view, struct error *err)
{
    struct traffic *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_errno(err, ENOMEM, "look at the rule set");
    opened->diag_fd = -1;
    int status = nft_open(&opened->nft, err);
    if (!status && ruleset_state_copy(&opened->state, &of->state))
        status = error_errno(err, ENOMEM, "look at the rule set");
    if (status) {
        traffic_close(opened);
        return status;
    }
    opened->owned = of->owned;
    *view = opened;
    return 0;
}
