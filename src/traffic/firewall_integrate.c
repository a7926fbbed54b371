/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our accept in others' firewalls, in the chain that each of them has for what its administrator adds. Made by netlink
 * and not by running iptables, ufw or firewall-cmd: it is one transaction that cannot come between two of theirs, needs
 * no program and no child, and none of their files is touched. In tables that iptables-nft keeps, a rule is written as
 * iptables itself would, or iptables would refuse the whole table from then on. What their owner loads anew is lost,
 * and put back when the announcement of the change comes.
 *
 * A rule of ours is known by its comment, which says all of it. It stands last, before a plain RETURN: whatever the
 * administrator refuses there is refused.
 */
#include "traffic/firewall_integrate.h"

#include "base/cleanup.h"
#include "traffic/internal.h"
#include "traffic/nft_expr.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT      "bluegreen: "
#define COMMENT_MAX  80
#define RULES_MAX    4 /* two families, to and from the zones */
#define HANDLES_MAX  16
#define ATTEMPTS     8
#define XT_CONNTRACK 3 /* revision of the match; since Linux 2.6.31 */

static const struct place {
    uint8_t family;
    const char *table, *chain, *owner;
} places[] = {
    {NFPROTO_IPV4, "filter", "ufw-user-forward", "ufw"},
    {NFPROTO_IPV6, "filter", "ufw6-user-forward", "ufw"},
    {NFPROTO_IPV4, "filter", "DOCKER-USER", "Docker"},
    {NFPROTO_IPV6, "filter", "DOCKER-USER", "Docker"},
    {NFPROTO_INET, "firewalld", "filter_FORWARD_POLICIES_pre", "firewalld"},
};

/* Of a connection that our table has sent to a zone, the packets to it or those from it. */
struct accept {
    const struct prefix *pool;
    bool source;
    char comment[COMMENT_MAX];
};

struct wanted {
    struct accept rules[RULES_MAX];
    size_t count;
};

/* What is in a chain. */
struct found {
    uint64_t ours[HANDLES_MAX];
    char comments[HANDLES_MAX][COMMENT_MAX];
    size_t count;
    uint64_t end;   /* the plain RETURN behind which nothing is reached; 0 = none */
    bool misplaced; /* one of ours stands behind that, or before somebody else's rule */
};

static const char *family_name(uint8_t family)
{
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static void want(struct wanted *wanted, const struct place *place, const struct prefix *pool)
{
    char text[ADDRESS_TEXT_MAX + 4];
    bool six = pool->address.family == 6;
    if (place->family == (six ? NFPROTO_IPV4 : NFPROTO_IPV6))
        return;
    for (int source = 0; source < 2; source++) {
        struct accept *accept = &wanted->rules[wanted->count++];
        *accept = (struct accept){.pool = pool, .source = source};
        snprintf(accept->comment, sizeof accept->comment, COMMENT "%s %s", source ? "from" : "to",
                 prefix_format(pool, text));
    }
}

/* --- what is there --------------------------------------------------------------------------------- */

static int take_comment(const struct nftnl_udata *item, void *context)
{
    char *comment = context;
    if (nftnl_udata_type(item) == NFTNL_UDATA_RULE_COMMENT)
        snprintf(comment, COMMENT_MAX, "%.*s", (int)nftnl_udata_len(item), (const char *)nftnl_udata_get(item));
    return 0;
}

static void read_comment(const struct nftnl_rule *rule, char comment[COMMENT_MAX])
{
    uint32_t length;
    const void *data =
        nftnl_rule_is_set(rule, NFTNL_RULE_USERDATA) ? nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length) : NULL;
    comment[0] = '\0';
    if (data)
        nftnl_udata_parse(data, length, take_comment, comment);
}

/* No condition, only counters and RETURN. */
static int look_for_return(struct nftnl_expr *expr, void *context)
{
    bool *plain = context;
    const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
    if (text_equal(name, "immediate") && nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT) &&
        (int)nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT) == NFT_RETURN)
        *plain = true;
    return text_equal(name, "counter") || *plain ? 0 : -1;
}

static bool is_plain_return(struct nftnl_rule *rule)
{
    bool plain = false;
    return nftnl_expr_foreach(rule, look_for_return, &plain) == 0 && plain;
}

static void free_rule(struct nftnl_rule **rule)
{
    if (*rule)
        nftnl_rule_free(*rule);
}

static int take_rule(void *context, struct nlmsghdr *message)
{
    struct found *found = context;
    char comment[COMMENT_MAX];
    CLEANUP(free_rule) struct nftnl_rule *rule = nftnl_rule_alloc();
    if (!rule)
        return -ENOMEM;
    if (message->nlmsg_type == NLMSG_DONE || nftnl_rule_nlmsg_parse(message, rule) < 0)
        return 0;
    uint64_t handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
    read_comment(rule, comment);
    if (text_starts_with(comment, COMMENT) && found->count < HANDLES_MAX) {
        found->misplaced |= found->end != 0;
        text_copy(found->comments[found->count], COMMENT_MAX, comment);
        found->ours[found->count++] = handle;
    } else if (!found->end) {
        if (is_plain_return(rule))
            found->end = handle;
        else
            found->misplaced |= found->count > 0;
    }
    return 0;
}

static struct nl_msg *request_of(const struct place *place, uint8_t type, uint16_t flags, int table, int chain)
{
    struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, type, flags, place->family);
    if (request &&
        (nla_put_string(request, table, place->table) < 0 || nla_put_string(request, chain, place->chain) < 0)) {
        nlmsg_free(request);
        return NULL;
    }
    return request;
}

/* -ENOENT: no such chain. */
static int look_at(struct traffic *traffic, const struct place *place, struct found *found)
{
    *found = (struct found){0};
    int status = nft_request(traffic->nft, request_of(place, NFT_MSG_GETCHAIN, 0, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME),
                             NULL, NULL);
    return status ? status
                  : nft_request(traffic->nft,
                                request_of(place, NFT_MSG_GETRULE, NLM_F_DUMP, NFTA_RULE_TABLE, NFTA_RULE_CHAIN),
                                take_rule, found);
}

static bool as_wanted(const struct found *found, const struct wanted *wanted)
{
    bool same = found->count == wanted->count && !found->misplaced;
    for (size_t i = 0; same && i < wanted->count; i++)
        same = text_equal(found->comments[i], wanted->rules[i].comment);
    return same;
}

/* --- what we write --------------------------------------------------------------------------------- */

static int add_piece(struct nftnl_rule *rule, enum rule_kind kind)
{
    const struct rule_piece piece = {.kind = kind};
    return nft_expr_add(rule, &piece);
}

/* -m conntrack --ctstate DNAT: holds for both directions of such a connection. */
static int add_xt_dnat(struct nftnl_rule *rule)
{
    struct nftnl_expr *expr = nftnl_expr_alloc("match");
    if (!expr)
        return -ENOMEM;
    nftnl_rule_add_expr(rule, expr); /* owns it from here */
    struct xt_conntrack_mtinfo3 *info = calloc(1, XT_ALIGN(sizeof *info));
    if (!info)
        return -ENOMEM;
    info->match_flags = XT_CONNTRACK_STATE;
    info->state_mask = XT_CONNTRACK_STATE_DNAT;
    nftnl_expr_set_u32(expr, NFTNL_EXPR_MT_REV, XT_CONNTRACK);
    if (nftnl_expr_set_str(expr, NFTNL_EXPR_MT_NAME, "conntrack") == 0 &&
        nftnl_expr_set(expr, NFTNL_EXPR_MT_INFO, info, XT_ALIGN(sizeof *info)) == 0)
        return 0; /* NOLINT(clang-analyzer-unix.Malloc): expr owns info from here */
    free(info);
    return -ENOMEM;
}

static int write_pieces(struct nftnl_rule *rule, const struct place *place, const struct accept *accept)
{
    const struct rule_piece prefix = {.kind = accept->source ? RULE_SADDR_IN : RULE_DADDR_IN, .prefix = *accept->pool};
    int status = place->family == NFPROTO_INET
                     ? nft_expr_add(rule, &prefix) ?: add_piece(rule, RULE_CT_DNAT)
                     : nft_expr_add_prefix(rule, accept->pool, accept->source) ?: add_xt_dnat(rule);
    return status ?: add_piece(rule, RULE_COUNTER) ?: add_piece(rule, RULE_ACCEPT);
}

static int write_comment(struct nftnl_rule *rule, const char *comment)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(COMMENT_MAX + 16);
    if (!data)
        return -ENOMEM;
    bool good =
        nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, comment) &&
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data)) == 0;
    nftnl_udata_buf_free(data);
    return good ? 0 : -ENOMEM;
}

/* accept NULL: deletes the rule of that handle; else adds one, before it or, 0, at the end. */
static void write_rule(struct nft_batch *batch, const struct place *place, const struct accept *accept, uint64_t handle)
{
    uint16_t flags = accept ? NLM_F_CREATE | (handle ? 0 : NLM_F_APPEND) : 0;
    struct nlmsghdr *message = nft_batch_add(batch, accept ? NFT_MSG_NEWRULE : NFT_MSG_DELRULE, flags, NFT_OWNER_NONE);
    CLEANUP(free_rule) struct nftnl_rule *rule = message ? nftnl_rule_alloc() : NULL;
    if (!rule) {
        batch->failed = true;
        return;
    }
    ((struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family = place->family;
    batch->failed |= nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, place->table) < 0 ||
                     nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, place->chain) < 0;
    if (handle)
        nftnl_rule_set_u64(rule, accept ? NFTNL_RULE_POSITION : NFTNL_RULE_HANDLE, handle);
    if (accept)
        batch->failed |= write_pieces(rule, place, accept) || write_comment(rule, accept->comment);
    nftnl_rule_nlmsg_build_payload(message, rule);
    nft_batch_done(batch, message);
}

/* 1: changed; 0: nothing to do, or no such chain. */
static int bring(struct traffic *traffic, const struct place *place, const struct wanted *wanted,
                 struct nft_failure *failure)
{
    struct found found;
    struct error err = {0};
    uint32_t microseconds;
    *failure = (struct nft_failure){0};
    /* First the generation, then a look: what changes in between makes the generation stale. */
    int status = nft_generation(traffic->nft, &traffic->generation, &err) ?: look_at(traffic, place, &found);
    if (status == -ENOENT || (!status && as_wanted(&found, wanted)))
        return 0;
    if (status)
        return status;
    nft_batch_begin(traffic->nft, &traffic->messages);
    for (size_t i = 0; i < found.count; i++)
        write_rule(&traffic->messages, place, NULL, found.ours[i]);
    for (size_t i = 0; i < wanted->count; i++)
        write_rule(&traffic->messages, place, &wanted->rules[i], found.end);
    nft_batch_end(&traffic->messages);
    status = nft_commit(traffic->nft, &traffic->messages, traffic->generation, failure, &microseconds);
    traffic->generation = 0;
    return status ? status : 1;
}

static void complain(const struct place *place, bool removing, int status, const struct nft_failure *failure,
                     struct words *problems)
{
    char text[400];
    snprintf(text, sizeof text, "%s our accept %s table %s %s, chain %s (%s): %s%s%s%s", removing ? "remove" : "add",
             removing ? "from" : "to", family_name(place->family), place->table, place->chain, place->owner,
             strerror(-status), failure->detail[0] ? " (" : "", failure->detail, failure->detail[0] ? ")" : "");
    if (status == -EPERM)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "; %s owns its table, so it has to be told itself: \"bluegreen doctor\" has the lines", place->owner);
    words_add(problems, text);
}

int firewall_integrate(struct traffic *traffic, const struct address_pools *pools, struct text *changes,
                       struct words *problems)
{
    int changed = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct place *place = &places[i];
        struct wanted wanted = {0};
        struct nft_failure failure;
        if (pools) {
            want(&wanted, place, &pools->ipv4);
            want(&wanted, place, &pools->ipv6);
        }
        int status = -ERESTART;
        for (int j = 0; j < ATTEMPTS && (status == -ERESTART || status == -EINTR); j++)
            status = bring(traffic, place, &wanted, &failure);
        if (status < 0)
            complain(place, !pools, status, &failure, problems);
        else if (status > 0)
            text_addf(changes, "%stable %s %s, chain %s", changed++ ? "; " : "", family_name(place->family),
                      place->table, place->chain);
    }
    return changed;
}
