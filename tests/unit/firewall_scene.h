/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Others' rule sets made by hand, and a packet that walks through them. */
#pragma once

#include "model/service.h"
#include "traffic/firewall_value.h"
#include "traffic/firewall_walk.h"
#include "traffic/firewall_xt.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- rule sets by hand --------------------------------------------------------------------------- */

#define EXPRS_MAX  8
#define RULES_MAX  8
#define CHAINS_MAX 24

/* Everything lies in here; firewall_clear is not for it. */
struct scene {
    struct firewall firewall;
    struct fw_chain chains[CHAINS_MAX];
    struct fw_rule rules[CHAINS_MAX][RULES_MAX];
    struct fw_expr exprs[CHAINS_MAX][RULES_MAX][EXPRS_MAX];
    struct fw_set set;
    struct fw_element elements[300];
    struct fw_packet packet;
};

static char table_name[] = "filter";
static char set_name[] = "set";

static inline struct fw_chain *chain(struct scene *scene, char *name)
{
    struct fw_chain *added = &scene->chains[scene->firewall.chain_count];
    *added = (struct fw_chain){
        .family = NFPROTO_INET, .table = table_name, .name = name, .rules = scene->rules[added - scene->chains]};
    scene->firewall.chains = scene->chains;
    scene->firewall.chain_count++;
    return added;
}

static inline void scene_init(struct scene *scene, bool policy_drop)
{
    memset(scene, 0, sizeof *scene);
    static char forward[] = "forward";
    struct fw_chain *base = chain(scene, forward);
    base->base = true;
    base->hook = NF_INET_FORWARD;
    base->policy_drop = policy_drop;
    scene->set =
        (struct fw_set){.family = NFPROTO_INET, .table = table_name, .name = set_name, .elements = scene->elements};
    scene->firewall.sets = &scene->set;
    scene->firewall.set_count = 1;
    scene->packet = (struct fw_packet){.translated = true, .routed = true, .protocol = PROTOCOL_TCP};
    assert_true(prefix_parse("10.201.0.0/16", &scene->packet.pool));
    strcpy(scene->packet.outside.names[0], "eth0");
    scene->packet.outside.indexes[0] = 2;
    scene->packet.outside.count = 1;
    strcpy(scene->packet.zones.names[0], "bg1");
    strcpy(scene->packet.zones.names[1], "bg2");
    scene->packet.zones.indexes[0] = 8;
    scene->packet.zones.indexes[1] = 9;
    scene->packet.zones.count = 2;
}

static inline struct fw_expr *piece(struct scene *scene, struct fw_chain *to, struct fw_expr expr)
{
    size_t index = (size_t)(to - scene->chains);
    struct fw_rule *rule = &to->rules[to->count - 1];
    rule->exprs = scene->exprs[index][to->count - 1];
    rule->exprs[rule->count] = expr;
    return &rule->exprs[rule->count++];
}

static inline void rule(struct fw_chain *to)
{
    to->rules[to->count++] = (struct fw_rule){0};
}

static inline void verdict(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    piece(scene, to, (struct fw_expr){.kind = FW_VERDICT, .verdict = code, .name = name});
}

/* A rule: load, compare with data, verdict. */
static inline void when(struct scene *scene, struct fw_chain *to, struct fw_expr load, uint32_t op, const void *data,
                        uint8_t length, enum fw_verdict code, char *name)
{
    rule(to);
    piece(scene, to, load);
    struct fw_expr *compare = piece(scene, to, (struct fw_expr){.kind = FW_COMPARE, .op = op, .length = length});
    memcpy(compare->data, data, length);
    verdict(scene, to, code, name);
}

static inline void always(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    rule(to);
    verdict(scene, to, code, name);
}

static inline void maybe(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    rule(to);
    piece(scene, to, (struct fw_expr){.kind = FW_UNKNOWN});
    verdict(scene, to, code, name);
}

static inline struct fw_fate walk(struct scene *scene)
{
    struct fw_fate fate;
    firewall_walk(&scene->firewall, &scene->chains[0], &scene->packet, &fate);
    return fate;
}

static inline bool dropped(struct scene *scene)
{
    return walk(scene).dropped;
}

static const struct fw_expr load_iifname = {.kind = FW_META, .key = NFT_META_IIFNAME};
static const struct fw_expr load_oifname = {.kind = FW_META, .key = NFT_META_OIFNAME};
static const struct fw_expr load_daddr = {
    .kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 16, .length = 4};
static const struct fw_expr load_saddr = {
    .kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 12, .length = 4};
