/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The marking rules by libnftnl, and the kernel's announcements of group NFNLGRP_NFTRACE. */
#include "traffic/nft_trace.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/ruleset.h"
#include "traffic/nft.h"
#include "traffic/nft_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/trace.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    MARK_PRIORITY = -500, /* before every chain that others have: raw before defragmentation is -450 */
    ATTEMPTS = 8,         /* each fails only if somebody changes the rule set at that moment */
    RECEIVE_SIZE = 64 << 10,
    EVENTS_SIZE = 4 << 20, /* an event takes 1 to 2 KB, and firewalld's rules make hundreds of them of one connection */
    PACKETS_MAX = 64,      /* that are followed at once; a probe has a handful */
};

static const char chain_name[] = "mark";

/* A packet, by the kernel's id of it. */
struct packet {
    uint32_t id;
    bool answer;
    char table[TRACE_NAME_MAX + 1], base[TRACE_NAME_MAX + 1]; /* the table that it is in, and how it came there */
};

struct trace {
    struct nft *nft;
    struct nl_sock *events;
    struct address client4, client6;
    struct packet packets[PACKETS_MAX];
    size_t packet_count;
    struct nft_batch batch;
    unsigned char message[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* --- the table ----------------------------------------------------------------------------------- */

static struct nftnl_expr *add_expr(struct nftnl_rule *rule, const char *name)
{
    struct nftnl_expr *expr = nftnl_expr_alloc(name);
    if (expr)
        nftnl_rule_add_expr(rule, expr); /* owns it from here */
    return expr;
}

static bool load_meta(struct nftnl_rule *rule, enum nft_meta_keys key)
{
    struct nftnl_expr *expr = add_expr(rule, "meta");
    if (!expr)
        return false;
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, NFT_REG_1);
    return true;
}

static bool must_be(struct nftnl_rule *rule, const void *data, size_t size)
{
    struct nftnl_expr *expr = add_expr(rule, "cmp");
    if (!expr)
        return false;
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    return nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, (uint32_t)size) == 0;
}

static bool is_for(struct nftnl_rule *rule, const struct address *address)
{
    uint8_t family = address->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    if (!load_meta(rule, NFT_META_NFPROTO) || !must_be(rule, &family, sizeof family))
        return false;
    struct nftnl_expr *expr = add_expr(rule, "payload");
    if (!expr)
        return false;
    bool four = address->family == 4;
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET,
                       four ? offsetof(struct iphdr, daddr) : offsetof(struct ipv6hdr, daddr));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, four ? 4 : 16);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    return must_be(rule, address->bytes, four ? 4 : 16);
}

static bool mark(struct nftnl_rule *rule)
{
    const uint8_t one = 1;
    struct nftnl_expr *value = add_expr(rule, "immediate"), *meta = value ? add_expr(rule, "meta") : NULL;
    if (!meta)
        return false;
    nftnl_expr_set_u32(value, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_SREG, NFT_REG_1);
    return nftnl_expr_set(value, NFTNL_EXPR_IMM_DATA, &one, sizeof one) == 0;
}

static void build_chain(struct nft_batch *batch)
{
    struct nlmsghdr *message = nft_batch_add(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFT_OWNER_NONE);
    struct nftnl_chain *chain = message ? nftnl_chain_alloc() : NULL;
    if (!chain) {
        batch->failed = true;
        return;
    }
    batch->failed |= nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, TRACE_TABLE) < 0 ||
                     nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, chain_name) < 0 ||
                     nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter") < 0;
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, NF_INET_PRE_ROUTING);
    nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, MARK_PRIORITY);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    nftnl_chain_nlmsg_build_payload(message, chain);
    nftnl_chain_free(chain);
    nft_batch_done(batch, message);
}

/* Marks what comes in through the link, or, without one, what is for this address. */
static void build_rule(struct nft_batch *batch, const char *link, const struct address *address)
{
    struct nlmsghdr *message = nft_batch_add(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFT_OWNER_NONE);
    struct nftnl_rule *rule = message ? nftnl_rule_alloc() : NULL;
    if (!rule) {
        batch->failed = true;
        return;
    }
    char name[IFNAMSIZ] = "";
    text_copy(name, sizeof name, link ? link : "");
    batch->failed |= nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, TRACE_TABLE) < 0 ||
                     nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain_name) < 0;
    bool good =
        link ? load_meta(rule, NFT_META_IIFNAME) && must_be(rule, name, sizeof name) : address && is_for(rule, address);
    batch->failed |= !good || !mark(rule);
    nftnl_rule_nlmsg_build_payload(message, rule);
    nftnl_rule_free(rule);
    nft_batch_done(batch, message);
}

/* One transaction; who else changes the rule set at the moment makes it begin again. */
static int commit(struct trace *trace, struct error *err)
{
    struct nft_failure failure;
    uint32_t generation;
    nft_batch_end(&trace->batch);
    int status = -ERESTART;
    for (int i = 0; i < ATTEMPTS && status == -ERESTART; i++) {
        if (nft_generation(trace->nft, &generation, err) < 0)
            return -EIO;
        status = nft_commit(trace->nft, &trace->batch, generation, &failure, NULL);
    }
    return status;
}

static int remove_table(struct trace *trace, struct error *err)
{
    nft_batch_begin(trace->nft, &trace->batch);
    nft_build_delete_table(&trace->batch, TRACE_TABLE, NFT_OWNER_NONE);
    int status = commit(trace, err);
    return status == -ENOENT ? 0 : status;
}

static int make_table(struct trace *trace, const char *link, uint32_t flags, struct error *err)
{
    nft_batch_begin(trace->nft, &trace->batch);
    nft_build_table(&trace->batch, TRACE_TABLE, flags, NFT_OWNER_NONE);
    build_chain(&trace->batch);
    build_rule(&trace->batch, link, NULL);
    if (trace->client4.family)
        build_rule(&trace->batch, NULL, &trace->client4);
    if (trace->client6.family)
        build_rule(&trace->batch, NULL, &trace->client6);
    return commit(trace, err);
}

/* --- opening ------------------------------------------------------------------------------------- */

static int listen_to_events(struct trace *trace)
{
    trace->events = nl_socket_alloc();
    if (!trace->events)
        return -ENOMEM;
    nl_socket_disable_seq_check(trace->events);
    if (nl_connect(trace->events, NETLINK_NETFILTER) < 0)
        return -(errno ?: EPROTONOSUPPORT);
    /* What does not fit is lost, perhaps where the packet came to our table. libnl makes it 32 KB. */
    const int size = EVENTS_SIZE;
    setsockopt(nl_socket_get_fd(trace->events), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    return nl_socket_add_membership(trace->events, NFNLGRP_NFTRACE) < 0 ? -(errno ?: EPROTONOSUPPORT) : 0;
}

int trace_open(struct trace **trace, const char *link, const struct address *client4, const struct address *client6,
               struct error *err)
{
    struct trace *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_errno(err, ENOMEM, "trace packets");
    opened->client4 = *client4;
    opened->client6 = *client6;
    int status = nft_open(&opened->nft, err);
    if (!status)
        status = listen_to_events(opened);
    if (!status)
        status = remove_table(opened, err);
    if (!status)
        status = make_table(opened, link, NFT_OWNER, err);
    if (status == -EOPNOTSUPP || status == -EINVAL) /* before 5.12 */
        status = make_table(opened, link, 0, err);
    if (status) {
        trace_close(opened);
        return error_errno(err, -status, "trace packets with table inet " TRACE_TABLE);
    }
    *trace = opened;
    return 0;
}

void trace_close(struct trace *trace)
{
    if (!trace)
        return;
    if (trace->nft && trace->events)
        remove_table(trace, NULL);
    nl_socket_free(trace->events);
    nft_close(trace->nft);
    nft_batch_clear(&trace->batch);
    free(trace);
}

/* --- reading ------------------------------------------------------------------------------------- */

static ssize_t next_message(struct trace *trace)
{
    ssize_t length;
    do
        length = recv(nl_socket_get_fd(trace->events), trace->message, sizeof trace->message, MSG_DONTWAIT);
    while (length < 0 && (errno == EINTR || errno == ENOBUFS));
    return length;
}

void trace_forget(struct trace *trace)
{
    while (next_message(trace) > 0)
        ;
    trace->packet_count = 0;
}

static struct packet *packet_of(struct trace *trace, uint32_t id)
{
    for (size_t i = 0; i < trace->packet_count; i++) {
        if (trace->packets[i].id == id)
            return &trace->packets[i];
    }
    struct packet *packet =
        &trace->packets[trace->packet_count < PACKETS_MAX ? trace->packet_count++ : PACKETS_MAX - 1];
    *packet = (struct packet){.id = id};
    return packet;
}

/* Only the first event of a packet in a hook has its headers. */
static void look_at_header(const struct trace *trace, const struct nftnl_trace *event, struct packet *packet)
{
    uint32_t length = 0;
    if (!nftnl_trace_is_set(event, NFTNL_TRACE_NETWORK_HEADER))
        return;
    const uint8_t *header = nftnl_trace_get_data(event, NFTNL_TRACE_NETWORK_HEADER, &length);
    const struct address *client = length > 0 && header[0] >> 4 == 6 ? &trace->client6 : &trace->client4;
    size_t offset = client == &trace->client6 ? offsetof(struct ipv6hdr, daddr) : offsetof(struct iphdr, daddr);
    size_t size = client == &trace->client6 ? 16 : 4;
    packet->answer = client->family && length >= offset + size && !memcmp(header + offset, client->bytes, size);
}

static const char *text_of(const struct nftnl_trace *event, uint16_t attribute)
{
    return nftnl_trace_is_set(event, attribute) ? nftnl_trace_get_str(event, attribute) : "";
}

/* The first event of a table is one of its base chain. */
static void follow(struct packet *packet, const struct nftnl_trace *event)
{
    const char *table = text_of(event, NFTNL_TRACE_TABLE), *chain = text_of(event, NFTNL_TRACE_CHAIN);
    bool headed = nftnl_trace_is_set(event, NFTNL_TRACE_NETWORK_HEADER);
    if (!headed && !strncmp(packet->table, table, sizeof packet->table - 1))
        return;
    text_copy(packet->table, sizeof packet->table, table);
    text_copy(packet->base, sizeof packet->base, chain);
}

static bool drops(const struct nftnl_trace *event, uint64_t *handle)
{
    uint32_t type = nftnl_trace_is_set(event, NFTNL_TRACE_TYPE) ? nftnl_trace_get_u32(event, NFTNL_TRACE_TYPE) : 0;
    *handle = 0;
    if (type == NFT_TRACETYPE_POLICY)
        return nftnl_trace_is_set(event, NFTNL_TRACE_POLICY) &&
               nftnl_trace_get_u32(event, NFTNL_TRACE_POLICY) == NF_DROP;
    if (type != NFT_TRACETYPE_RULE || !nftnl_trace_is_set(event, NFTNL_TRACE_VERDICT) ||
        nftnl_trace_get_u32(event, NFTNL_TRACE_VERDICT) != NF_DROP)
        return false;
    *handle = nftnl_trace_get_u64(event, NFTNL_TRACE_RULE_HANDLE);
    return true;
}

static void note_zone(const struct nftnl_trace *event, char zone[TRACE_NAME_MAX + 1])
{
    const char *chain = text_of(event, NFTNL_TRACE_CHAIN);
    if (!strcmp(text_of(event, NFTNL_TRACE_TABLE), RULESET_TABLE) && text_starts_with(chain, "zone."))
        text_copy(zone, TRACE_NAME_MAX + 1, chain);
}

/* True if this one drops. */
static bool take(struct trace *trace, const struct nlmsghdr *message, struct trace_drop *drop,
                 char zone[TRACE_NAME_MAX + 1])
{
    struct nftnl_trace *event = nftnl_trace_alloc();
    bool dropped = false;
    if (event && nftnl_trace_nlmsg_parse(message, event) == 0 && nftnl_trace_is_set(event, NFTNL_TRACE_ID)) {
        struct packet *packet = packet_of(trace, nftnl_trace_get_u32(event, NFTNL_TRACE_ID));
        uint64_t handle;
        look_at_header(trace, event, packet);
        follow(packet, event);
        note_zone(event, zone);
        dropped = drops(event, &handle);
        if (dropped) {
            *drop = (struct trace_drop){.answer = packet->answer, .handle = handle};
            drop->family = (uint8_t)nftnl_trace_get_u32(event, NFTNL_TRACE_FAMILY);
            text_copy(drop->table, sizeof drop->table, text_of(event, NFTNL_TRACE_TABLE));
            text_copy(drop->chain, sizeof drop->chain, text_of(event, NFTNL_TRACE_CHAIN));
            text_copy(drop->base, sizeof drop->base, packet->base);
        }
    }
    if (event)
        nftnl_trace_free(event);
    return dropped;
}

bool trace_find_drop(struct trace *trace, struct trace_drop *drop, char zone[TRACE_NAME_MAX + 1])
{
    bool found = false;
    ssize_t length;
    while ((length = next_message(trace)) > 0) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)trace->message;
        for (size_t rest = (size_t)length; NLMSG_OK(message, rest); message = NLMSG_NEXT(message, rest))
            found |= take(trace, message, drop, zone);
    }
    return found;
}
