/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations as messages. Every object of libnftnl lives only while its message is written. */
#include "traffic/nft_build.h"

#include "traffic/nft_expr.h"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* An element takes at most 24 bytes of key and 40 of chain name with 40 of framing; a nested list ends at 64 KiB. */
#define ELEMENTS_PER_MESSAGE 500

/* nft's own numbers for types, which it shows the sets by (include/datatype.h in nftables); the kernel only keeps
 * them. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13, TYPE_IFNAME = 41, TYPE_BITS = 6 };

#define TYPE_PORT_KEY (TYPE_PROTOCOL << TYPE_BITS | TYPE_SERVICE)

struct key_layout {
    uint32_t type, length;
};

static const struct key_layout layouts[KEYS] = {
    [KEY_PORT] = {TYPE_PORT_KEY, 8},
    [KEY_PORT4] = {TYPE_IPV4 << (2 * TYPE_BITS) | TYPE_PORT_KEY, 12},
    [KEY_PORT6] = {TYPE_IPV6 << (2 * TYPE_BITS) | TYPE_PORT_KEY, 24},
    [KEY_LINK] = {TYPE_IFNAME, IFNAMSIZ},
    [KEY_ANSWER] = {TYPE_IFNAME << TYPE_BITS | TYPE_SERVICE, IFNAMSIZ + 4},
    [KEY_PROTOCOL] = {TYPE_PROTOCOL, 1},
};

/* What all builders need. */
struct builder {
    const struct ruleset_batch *ops;
    const struct ruleset_op *op;
    uint32_t owner;
    struct nft_batch *batch;
};

void nft_build_table(struct nft_batch *batch, const char *name, uint32_t flags, uint32_t owner)
{
    struct nlmsghdr *message = nft_batch_add(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, owner);
    struct nftnl_table *table = message ? nftnl_table_alloc() : NULL;
    if (!table) {
        batch->failed = true;
        return;
    }
    batch->failed |= nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) < 0;
    nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
    nftnl_table_nlmsg_build_payload(message, table);
    nftnl_table_free(table);
    nft_batch_done(batch, message);
}

void nft_build_delete_table(struct nft_batch *batch, const char *name, uint32_t owner)
{
    struct nlmsghdr *message = nft_batch_add(batch, NFT_MSG_DELTABLE, 0, owner);
    struct nftnl_table *table = message ? nftnl_table_alloc() : NULL;
    if (!table) {
        batch->failed = true;
        return;
    }
    batch->failed |= nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) < 0;
    nftnl_table_nlmsg_build_payload(message, table);
    nftnl_table_free(table);
    nft_batch_done(batch, message);
}

/* False without memory. A message that lacks a name says something else: a rule to delete without its chain is every
 * rule of the table. */
static bool set_hook(struct nftnl_chain *chain, const struct ruleset_op *op)
{
    static const uint32_t hooks[] = {
        [HOOK_PREROUTING] = NF_INET_PRE_ROUTING,   [HOOK_FORWARD] = NF_INET_FORWARD, [HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
        [HOOK_POSTROUTING] = NF_INET_POST_ROUTING, [HOOK_INPUT] = NF_INET_LOCAL_IN,
    };
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hooks[op->hook]);
    nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, op->priority);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    return nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, op->nat ? "nat" : "filter") == 0;
}

static void build_chain(const struct builder *builder)
{
    bool adding = builder->op->kind == OP_ADD_CHAIN;
    struct nlmsghdr *message = nft_batch_add(builder->batch, adding ? NFT_MSG_NEWCHAIN : NFT_MSG_DELCHAIN,
                                             adding ? NLM_F_CREATE : 0, builder->owner);
    struct nftnl_chain *chain = message ? nftnl_chain_alloc() : NULL;
    if (!chain) {
        builder->batch->failed = true;
        return;
    }
    bool named = nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, builder->op->table) == 0 &&
                 nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, builder->op->name) == 0;
    if (named && adding && builder->op->hook != HOOK_NONE)
        named = set_hook(chain, builder->op);
    builder->batch->failed |= !named;
    nftnl_chain_nlmsg_build_payload(message, chain);
    nftnl_chain_free(chain);
    nft_batch_done(builder->batch, message);
}

/* A rule without handle and position: add appends, delete empties the chain. */
static void build_rule(const struct builder *builder)
{
    const struct ruleset_op *op = builder->op;
    bool adding = op->kind == OP_ADD_RULE;
    struct nlmsghdr *message = nft_batch_add(builder->batch, adding ? NFT_MSG_NEWRULE : NFT_MSG_DELRULE,
                                             adding ? NLM_F_CREATE | NLM_F_APPEND : 0, builder->owner);
    struct nftnl_rule *rule = message ? nftnl_rule_alloc() : NULL;
    if (!rule) {
        builder->batch->failed = true;
        return;
    }
    builder->batch->failed |= nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, op->table) < 0 ||
                              nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, op->name) < 0;
    for (size_t i = 0; adding && i < op->count; i++)
        builder->batch->failed |= nft_expr_add(rule, &builder->ops->pieces[op->first + i]) < 0;
    nftnl_rule_nlmsg_build_payload(message, rule);
    nftnl_rule_free(rule);
    nft_batch_done(builder->batch, message);
}

static struct nftnl_set *name_set(const struct builder *builder)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (!set) {
        builder->batch->failed = true;
        return NULL;
    }
    builder->batch->failed |= nftnl_set_set_str(set, NFTNL_SET_TABLE, builder->op->table) < 0 ||
                              nftnl_set_set_str(set, NFTNL_SET_NAME, builder->op->name) < 0;
    return set;
}

/* Names are as this machine has them: nft would show their bytes the other way round (struct byteorder in nftables). */
static bool describe_names(struct nftnl_set *set)
{
    enum { BYTE_ORDER_OF_HOST = 1, DATA_MAX = 64 };
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(DATA_MAX);
    if (!data)
        return false;
    bool good = nftnl_udata_put_u32(data, NFTNL_UDATA_SET_KEYBYTEORDER, BYTE_ORDER_OF_HOST) &&
                nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data)) == 0;
    nftnl_udata_buf_free(data);
    return good;
}

static void describe_set(struct nftnl_set *set, const struct builder *builder)
{
    const struct ruleset_op *op = builder->op;
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    nftnl_set_set_u32(set, NFTNL_SET_ID, builder->owner + 1); /* unique in the transaction is all it has to be */
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, op->data == DATA_NONE ? 0 : NFT_SET_MAP);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, layouts[op->key].type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, layouts[op->key].length);
    if (op->key == KEY_LINK)
        builder->batch->failed |= !describe_names(set);
    if (op->data == DATA_VERDICT) {
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, 0);
    } else if (op->data == DATA_PORT) {
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, TYPE_SERVICE);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, sizeof(uint16_t));
    }
}

static void build_set(const struct builder *builder)
{
    bool adding = builder->op->kind == OP_ADD_SET;
    struct nlmsghdr *message = nft_batch_add(builder->batch, adding ? NFT_MSG_NEWSET : NFT_MSG_DELSET,
                                             adding ? NLM_F_CREATE : 0, builder->owner);
    struct nftnl_set *set = message ? name_set(builder) : NULL;
    if (!set)
        return;
    if (adding)
        describe_set(set, builder);
    nftnl_set_nlmsg_build_payload(message, set);
    nftnl_set_free(set);
    nft_batch_done(builder->batch, message);
}

static uint32_t write_key(uint8_t *key, enum ruleset_key kind, const struct ruleset_element *element)
{
    uint8_t *end = key;
    uint16_t port = htons(element->port);
    memset(key, 0, layouts[KEY_PORT6].length);
    if (kind == KEY_LINK || kind == KEY_ANSWER) {
        link_name(element->link, (char *)key);
        if (kind == KEY_ANSWER)
            memcpy(key + IFNAMSIZ, &port, sizeof port);
        return layouts[kind].length;
    }
    if (kind == KEY_PROTOCOL) {
        *key = (uint8_t)element->protocol;
        return layouts[kind].length;
    }
    if (kind != KEY_PORT) {
        size_t size = kind == KEY_PORT6 ? 16 : 4;
        memcpy(end, element->address.bytes, size);
        end += size;
    }
    *end = (uint8_t)element->protocol;
    memcpy(end + 4, &port, sizeof port);
    return layouts[kind].length;
}

static bool add_element(struct nftnl_set *set, const struct ruleset_op *op, const struct ruleset_element *element)
{
    struct nftnl_set_elem *built = nftnl_set_elem_alloc();
    if (!built)
        return false;
    nftnl_set_elem_add(set, built); /* owns it from here */
    uint8_t key[24];
    uint32_t length = write_key(key, op->key, element);
    bool good = nftnl_set_elem_set(built, NFTNL_SET_ELEM_KEY, key, length) == 0;
    if (op->kind == OP_DELETE_ELEMENTS || op->data == DATA_NONE)
        return good;
    if (op->data == DATA_PORT) {
        uint16_t target = htons(element->target);
        return nftnl_set_elem_set(built, NFTNL_SET_ELEM_DATA, &target, sizeof target) == 0 && good;
    }
    char chain[RULESET_NAME_MAX + 1];
    ruleset_element_chain(element, chain);
    nftnl_set_elem_set_u32(built, NFTNL_SET_ELEM_VERDICT, (uint32_t)NFT_GOTO);
    return nftnl_set_elem_set_str(built, NFTNL_SET_ELEM_CHAIN, chain) == 0 && good;
}

static void build_elements(const struct builder *builder, size_t first, size_t count)
{
    bool adding = builder->op->kind == OP_ADD_ELEMENTS;
    struct nlmsghdr *message = nft_batch_add(builder->batch, adding ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                                             adding ? NLM_F_CREATE | NLM_F_EXCL : 0, builder->owner);
    struct nftnl_set *set = message ? name_set(builder) : NULL;
    if (!set)
        return;
    for (size_t i = 0; i < count; i++)
        builder->batch->failed |=
            !add_element(set, builder->op, &builder->ops->elements[builder->op->first + first + i]);
    nftnl_set_elems_nlmsg_build_payload(message, set);
    nftnl_set_free(set);
    nft_batch_done(builder->batch, message);
}

static void build_all_elements(const struct builder *builder)
{
    for (size_t done = 0; done < builder->op->count && !builder->batch->failed; done += ELEMENTS_PER_MESSAGE) {
        size_t rest = builder->op->count - done;
        build_elements(builder, done, rest < ELEMENTS_PER_MESSAGE ? rest : ELEMENTS_PER_MESSAGE);
    }
}

static void build_counter(const struct builder *builder)
{
    bool adding = builder->op->kind == OP_ADD_COUNTER;
    struct nlmsghdr *message = nft_batch_add(builder->batch, adding ? NFT_MSG_NEWOBJ : NFT_MSG_DELOBJ,
                                             adding ? NLM_F_CREATE : 0, builder->owner);
    struct nftnl_obj *counter = message ? nftnl_obj_alloc() : NULL;
    if (!counter) {
        builder->batch->failed = true;
        return;
    }
    nftnl_obj_set_str(counter, NFTNL_OBJ_TABLE, builder->op->table); /* tells nothing before libnftnl 1.2.7 */
    nftnl_obj_set_str(counter, NFTNL_OBJ_NAME, builder->op->name);
    bool named = nftnl_obj_get_str(counter, NFTNL_OBJ_TABLE) && nftnl_obj_get_str(counter, NFTNL_OBJ_NAME);
    builder->batch->failed |= !named;
    nftnl_obj_set_u32(counter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
    if (named)
        nftnl_obj_nlmsg_build_payload(message, counter);
    nftnl_obj_free(counter);
    nft_batch_done(builder->batch, message);
}

static void build_replacement(const struct builder *builder, const struct nft_tables *tables)
{
    const char *name = builder->op->table;
    bool keeper = !strcmp(name, RULESET_KEEPER), spare = !strcmp(name, RULESET_SPARE);
    if (keeper ? tables->keeper_there : spare ? tables->spare_there : tables->table_there)
        nft_build_delete_table(builder->batch, name, builder->owner);
    nft_build_table(builder->batch, name, tables->flags, builder->owner);
}

static void build_op(const struct builder *builder, const struct nft_tables *tables)
{
    switch (builder->op->kind) {
    case OP_REPLACE_TABLE: build_replacement(builder, tables); break;
    case OP_ADD_CHAIN:
    case OP_DELETE_CHAIN: build_chain(builder); break;
    case OP_ADD_SET:
    case OP_DELETE_SET: build_set(builder); break;
    case OP_ADD_RULE:
    case OP_FLUSH_CHAIN: build_rule(builder); break;
    case OP_ADD_COUNTER:
    case OP_DELETE_COUNTER: build_counter(builder); break;
    case OP_ADD_ELEMENTS:
    case OP_DELETE_ELEMENTS: build_all_elements(builder); break;
    }
}

void nft_build(const struct ruleset_batch *ops, const struct nft_tables *tables, struct nft_batch *batch)
{
    for (size_t i = 0; i < ops->count && !batch->failed; i++) {
        struct builder builder = {.ops = ops, .op = &ops->ops[i], .owner = (uint32_t)i, .batch = batch};
        build_op(&builder, tables);
    }
}
