/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule is read as nft and iptables-nft write it: the port is compared, or a match of iptables has it, and something
 * that translates follows. */
#include "traffic/nft_translations.h"

#include "base/cleanup.h"
#include "model/ruleset.h"
#include "traffic/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 5, DESTINATION_PORT = 2 /* in the headers of TCP and UDP */ };

/* How far a rule has been read. */
struct reading {
    struct translation found;
    bool at_port, at_protocol; /* what the next comparison is about */
    bool has_port, translates;
};

void translations_clear(struct translations *translations)
{
    free(translations->items);
    *translations = (struct translations){0};
}

/* --- one rule ------------------------------------------------------------------------------------ */

static bool is_named(const struct nftnl_expr *expr, const char *name)
{
    return !strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), name);
}

static void read_load(struct reading *reading, const struct nftnl_expr *expr)
{
    reading->at_port = reading->at_protocol = false;
    if (is_named(expr, "payload")) {
        reading->at_port = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_TRANSPORT_HEADER &&
                           nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET) == DESTINATION_PORT &&
                           nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN) == sizeof(uint16_t);
        reading->at_protocol = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER &&
                               nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET) == 9 && /* struct iphdr */
                               nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN) == 1;
    } else if (is_named(expr, "meta")) {
        reading->at_protocol = nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY) == NFT_META_L4PROTO;
    }
}

static uint16_t port_in(const struct nftnl_expr *expr, uint16_t attribute)
{
    uint16_t port = 0;
    uint32_t length = 0;
    const void *data = nftnl_expr_get(expr, attribute, &length);
    if (data && length >= sizeof port)
        memcpy(&port, data, sizeof port);
    return ntohs(port);
}

static void read_compare(struct reading *reading, const struct nftnl_expr *expr)
{
    uint32_t length = 0, op = nftnl_expr_get_u32(expr, NFTNL_EXPR_CMP_OP);
    const uint8_t *data = nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &length);
    if (!data)
        return;
    if (reading->at_protocol && op == NFT_CMP_EQ && length >= 1)
        reading->found.protocol = (enum protocol)data[0];
    if (!reading->at_port || length < sizeof(uint16_t))
        return;
    uint16_t port = port_in(expr, NFTNL_EXPR_CMP_DATA);
    if (op == NFT_CMP_EQ || op == NFT_CMP_GTE)
        reading->found.first = port;
    if (op == NFT_CMP_EQ || op == NFT_CMP_LTE)
        reading->found.last = port;
    reading->has_port |= op == NFT_CMP_EQ || op == NFT_CMP_GTE || op == NFT_CMP_LTE;
}

static void read_range(struct reading *reading, const struct nftnl_expr *expr)
{
    if (!reading->at_port || nftnl_expr_get_u32(expr, NFTNL_EXPR_RANGE_OP) != NFT_RANGE_EQ)
        return;
    reading->found.first = port_in(expr, NFTNL_EXPR_RANGE_FROM_DATA);
    reading->found.last = port_in(expr, NFTNL_EXPR_RANGE_TO_DATA);
    reading->has_port = true;
}

/* struct xt_tcp and struct xt_udp begin alike: source ports, destination ports. */
static void read_match(struct reading *reading, const struct nftnl_expr *expr)
{
    const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_MT_NAME);
    bool tcp = name && !strcmp(name, "tcp"), udp = name && !strcmp(name, "udp");
    uint32_t length = 0;
    const uint8_t *info = nftnl_expr_get(expr, NFTNL_EXPR_MT_INFO, &length);
    if ((!tcp && !udp) || !info || length < sizeof(struct xt_udp))
        return;
    uint16_t ports[2];
    memcpy(ports, info + offsetof(struct xt_udp, dpts), sizeof ports);
    reading->found.protocol = tcp ? PROTOCOL_TCP : PROTOCOL_UDP;
    reading->found.first = ports[0];
    reading->found.last = ports[1];
    reading->has_port = ports[0] != 0 || ports[1] != UINT16_MAX;
}

static int read_expr(struct nftnl_expr *expr, void *context)
{
    struct reading *reading = context;
    if (is_named(expr, "payload") || is_named(expr, "meta"))
        read_load(reading, expr);
    else if (is_named(expr, "cmp"))
        read_compare(reading, expr);
    else if (is_named(expr, "range"))
        read_range(reading, expr);
    else if (is_named(expr, "match"))
        read_match(reading, expr);
    else if (is_named(expr, "nat"))
        reading->translates |= nftnl_expr_get_u32(expr, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT;
    else if (is_named(expr, "redir"))
        reading->translates = true;
    else if (is_named(expr, "target")) {
        const char *target = nftnl_expr_get_str(expr, NFTNL_EXPR_TG_NAME);
        reading->translates |= target && (!strcmp(target, "DNAT") || !strcmp(target, "REDIRECT"));
    }
    return 0;
}

/* --- all of them --------------------------------------------------------------------------------- */

static bool is_ours(uint8_t family, const char *table)
{
    return family == NFPROTO_INET && !strncmp(table, RULESET_TABLE, strlen(RULESET_TABLE));
}

static int keep(struct translations *translations, const struct translation *found)
{
    struct translation *items = reallocarray(translations->items, translations->count + 1, sizeof *translations->items);
    if (!items)
        return -ENOMEM;
    translations->items = items;
    items[translations->count++] = *found;
    return 0;
}

static int take_rule(void *context, struct nlmsghdr *message)
{
    struct reading reading = {.found.last = UINT16_MAX};
    struct nftnl_rule *rule = nftnl_rule_alloc();
    int status = rule ? 0 : -ENOMEM;
    if (rule && nftnl_rule_nlmsg_parse(message, rule) == 0 && nftnl_rule_is_set(rule, NFTNL_RULE_CHAIN)) {
        struct translation *found = &reading.found;
        found->family = ((struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
        found->handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
        text_copy(found->table, sizeof found->table, nftnl_rule_get_str(rule, NFTNL_RULE_TABLE));
        text_copy(found->chain, sizeof found->chain, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
        if (!is_ours(found->family, found->table))
            nftnl_expr_foreach(rule, read_expr, &reading);
        if (reading.has_port && reading.translates)
            status = keep(context, found);
    }
    if (rule)
        nftnl_rule_free(rule);
    return status;
}

int translations_list(struct translations *translations, struct error *err)
{
    struct nft *nft;
    size_t before = translations->count;
    int status = nft_open(&nft, err);
    if (status)
        return status;
    status = -EINTR; /* somebody is changing what we read */
    for (int i = 0; i < ATTEMPTS && status == -EINTR; i++) {
        translations->count = before;
        status = nft_request(nft, nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_UNSPEC),
                             take_rule, translations);
    }
    nft_close(nft);
    return status ? error_errno(err, -status, "read the rules that translate addresses") : 0;
}
