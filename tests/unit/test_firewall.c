/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking packets through others' rules: what is sure, what is not, and rules that make no sense. */
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

/* --- values -------------------------------------------------------------------------------------- */

static void test_values(void **unused)
{
    uint8_t value[2], known[2];
    struct fw_bits bits = {value, known};
    fw_bits_unknown(bits, 2);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"ab", 2), FW_MAYBE);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"", 0), FW_YES);
    fw_bits_set(bits, "ab", 2);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"ab", 2), FW_YES);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"ac", 2), FW_NO);
    fw_bits_join(bits, "ac", 2);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"ab", 2), FW_MAYBE);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"bb", 2), FW_NO);
    assert_int_equal(fw_bits_equal(bits, (const uint8_t *)"a", 1), FW_YES);
}

static void test_ranges_of_values(void **unused)
{
    /* 10.x */
    uint8_t value[2] = {10, 0}, known[2] = {0xff, 0};
    struct fw_bits bits = {value, known};
    const uint8_t below[] = {9, 255}, first[] = {10, 0}, middle[] = {10, 7}, last[] = {10, 255}, above[] = {11, 0};
    assert_int_equal(fw_bits_between(bits, first, last, 2), FW_YES);
    assert_int_equal(fw_bits_between(bits, below, above, 2), FW_YES);
    assert_int_equal(fw_bits_between(bits, middle, above, 2), FW_MAYBE);
    assert_int_equal(fw_bits_between(bits, below, middle, 2), FW_MAYBE);
    assert_int_equal(fw_bits_between(bits, above, NULL, 2), FW_NO);
    assert_int_equal(fw_bits_between(bits, NULL, below, 2), FW_NO);
    assert_int_equal(fw_bits_between(bits, NULL, NULL, 2), FW_YES);
    assert_int_equal(fw_bits_between(bits, NULL, NULL, 65), FW_MAYBE);
}

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

static struct fw_chain *chain(struct scene *scene, char *name)
{
    struct fw_chain *added = &scene->chains[scene->firewall.chain_count];
    *added = (struct fw_chain){
        .family = NFPROTO_INET, .table = table_name, .name = name, .rules = scene->rules[added - scene->chains]};
    scene->firewall.chains = scene->chains;
    scene->firewall.chain_count++;
    return added;
}

static void scene_init(struct scene *scene, bool policy_drop)
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

static struct fw_expr *piece(struct scene *scene, struct fw_chain *to, struct fw_expr expr)
{
    size_t index = (size_t)(to - scene->chains);
    struct fw_rule *rule = &to->rules[to->count - 1];
    rule->exprs = scene->exprs[index][to->count - 1];
    rule->exprs[rule->count] = expr;
    return &rule->exprs[rule->count++];
}

static void rule(struct fw_chain *to)
{
    to->rules[to->count++] = (struct fw_rule){0};
}

static void verdict(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    piece(scene, to, (struct fw_expr){.kind = FW_VERDICT, .verdict = code, .name = name});
}

/* A rule: load, compare with data, verdict. */
static void when(struct scene *scene, struct fw_chain *to, struct fw_expr load, uint32_t op, const void *data,
                 uint8_t length, enum fw_verdict code, char *name)
{
    rule(to);
    piece(scene, to, load);
    struct fw_expr *compare = piece(scene, to, (struct fw_expr){.kind = FW_COMPARE, .op = op, .length = length});
    memcpy(compare->data, data, length);
    verdict(scene, to, code, name);
}

static void always(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    rule(to);
    verdict(scene, to, code, name);
}

static void maybe(struct scene *scene, struct fw_chain *to, enum fw_verdict code, char *name)
{
    rule(to);
    piece(scene, to, (struct fw_expr){.kind = FW_UNKNOWN});
    verdict(scene, to, code, name);
}

static struct fw_fate walk(struct scene *scene)
{
    struct fw_fate fate;
    firewall_walk(&scene->firewall, &scene->chains[0], &scene->packet, &fate);
    return fate;
}

static bool dropped(struct scene *scene)
{
    return walk(scene).dropped;
}

static const struct fw_expr load_iifname = {.kind = FW_META, .key = NFT_META_IIFNAME};
static const struct fw_expr load_oifname = {.kind = FW_META, .key = NFT_META_OIFNAME};
static const struct fw_expr load_daddr = {
    .kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 16, .length = 4};
static const struct fw_expr load_saddr = {
    .kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 12, .length = 4};

/* --- chains and verdicts ------------------------------------------------------------------------- */

static void test_policies(void **unused)
{
    struct scene scene;
    scene_init(&scene, false);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    struct fw_fate fate = walk(&scene);
    assert_true(fate.dropped);
    assert_true(fate.by_policy);
}

static void test_verdicts(void **unused)
{
    struct scene scene;
    scene_init(&scene, true);
    always(&scene, &scene.chains[0], FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, false);
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    struct fw_fate fate = walk(&scene);
    assert_true(fate.dropped);
    assert_false(fate.by_policy);
    assert_string_equal(fate.chain, "forward");
    scene_init(&scene, true);
    always(&scene, &scene.chains[0], FW_RETURN, NULL);
    always(&scene, &scene.chains[0], FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, true);
    always(&scene, &scene.chains[0], FW_CONTINUE, NULL);
    always(&scene, &scene.chains[0], FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
}

static void test_what_may_be(void **unused)
{
    struct scene scene;
    scene_init(&scene, true);
    maybe(&scene, &scene.chains[0], FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, false);
    maybe(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    maybe(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, false);
    maybe(&scene, &scene.chains[0], FW_RETURN, NULL);
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_false(dropped(&scene));
}

static void test_jumps(void **unused)
{
    static char more[] = "more", missing[] = "missing";
    struct scene scene;
    /* An empty chain comes back. */
    scene_init(&scene, false);
    chain(&scene, more);
    always(&scene, &scene.chains[0], FW_JUMP, more);
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_true(dropped(&scene));
    /* After a goto nothing comes back: the policy decides. */
    scene_init(&scene, false);
    chain(&scene, more);
    always(&scene, &scene.chains[0], FW_GOTO, more);
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_false(dropped(&scene));
    /* A drop there is one here. */
    scene_init(&scene, false);
    always(&scene, chain(&scene, more), FW_DROP, NULL);
    always(&scene, &scene.chains[0], FW_JUMP, more);
    struct fw_fate fate = walk(&scene);
    assert_true(fate.dropped);
    assert_string_equal(fate.chain, "more");
    /* Perhaps it accepts there. */
    scene_init(&scene, true);
    maybe(&scene, chain(&scene, more), FW_ACCEPT, NULL);
    always(&scene, &scene.chains[0], FW_JUMP, more);
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_false(dropped(&scene));
    /* Perhaps it goes there. */
    scene_init(&scene, false);
    always(&scene, chain(&scene, more), FW_DROP, NULL);
    maybe(&scene, &scene.chains[0], FW_JUMP, more);
    assert_false(dropped(&scene));
    /* Nobody knows. */
    scene_init(&scene, true);
    always(&scene, &scene.chains[0], FW_JUMP, missing);
    assert_false(dropped(&scene));
}

static void test_deep_jumps_end(void **unused)
{
    static char names[CHAINS_MAX][4];
    struct scene scene;
    scene_init(&scene, true);
    for (size_t i = 1; i < CHAINS_MAX; i++) {
        names[i][0] = 'c';
        names[i][1] = (char)('a' + i);
        chain(&scene, names[i]);
        always(&scene, &scene.chains[i - 1], FW_JUMP, names[i]);
    }
    /* The kernel refuses so many levels, so whatever this is, nothing is sure. */
    assert_false(dropped(&scene));
    /* And one that leads to itself. */
    scene_init(&scene, true);
    always(&scene, &scene.chains[0], FW_JUMP, scene.chains[0].name);
    assert_false(dropped(&scene));
}

/* --- conditions ------------------------------------------------------------------------------------ */

static void test_interfaces(void **unused)
{
    struct scene scene;
    const uint32_t eth0 = 2, other = 7;
    const struct fw_expr load_iif = {.kind = FW_META, .key = NFT_META_IIF},
                         load_oif = {.kind = FW_META, .key = NFT_META_OIF};
    const struct {
        struct fw_expr load;
        const void *data;
        uint8_t length;
        bool drops; /* with a policy of drop, where that interface is accepted */
    } cases[] = {
        {load_iifname, "eth0\0\0\0\0\0\0\0\0\0\0\0", 16, false},
        {load_iifname, "eth1\0\0\0\0\0\0\0\0\0\0\0", 16, true},
        {load_iifname, "eth", 3, false},
        {load_iifname, "docker0\0\0\0\0\0\0\0\0", 16, true},
        {load_iifname, "lo\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, true},
        {load_oifname, "bg", 2, false},
        {load_oifname, "bg1\0\0\0\0\0\0\0\0\0\0\0\0", 16, false},
        {load_oifname, "docker", 6, true},
        {load_iif, &eth0, 4, false},
        {load_iif, &other, 4, true},
        {load_oif, &eth0, 4, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene_init(&scene, true);
        when(&scene, &scene.chains[0], cases[i].load, NFT_CMP_EQ, cases[i].data, cases[i].length, FW_ACCEPT, NULL);
        if (dropped(&scene) != cases[i].drops)
            fail_msg("case %zu", i);
    }
    /* Before routing nobody knows where it goes; a reply goes the other way. */
    scene_init(&scene, true);
    scene.packet.routed = false;
    when(&scene, &scene.chains[0], load_oifname, NFT_CMP_EQ, "docker", 6, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    scene.packet.reply = true;
    when(&scene, &scene.chains[0], load_iifname, NFT_CMP_EQ, "bg", 2, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
}

static void test_addresses(void **unused)
{
    const uint8_t zone[] = {10, 201, 3, 2}, other[] = {10, 202, 0, 0};
    struct scene scene;
    scene_init(&scene, true);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, zone, 2, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, other, 4, FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, true);
    when(&scene, &scene.chains[0], load_saddr, NFT_CMP_EQ, other, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, zone, 4, FW_DROP, NULL);
    assert_false(dropped(&scene)); /* one zone's address of many */
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_LT, other, 4, FW_DROP, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_GTE, other, 4, FW_DROP, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_LTE, other, 4, FW_DROP, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_GT, other, 4, FW_DROP, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_NEQ, other, 4, FW_DROP, NULL);
    assert_true(dropped(&scene));
    /* Before the translation its destination is the host's. */
    scene_init(&scene, true);
    scene.packet.translated = false;
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, other, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    /* A reply has the zone's as source. */
    scene_init(&scene, true);
    scene.packet.reply = true;
    when(&scene, &scene.chains[0], load_saddr, NFT_CMP_EQ, other, 4, FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
}

/* What a zone begins: from its address to one that is known, and no answer. */
static void test_what_zones_begin(void **unused)
{
    const uint8_t pool[] = {10, 201}, to[] = {192, 0, 2, 254}, other[] = {192, 0, 2, 253};
    const uint32_t fresh = NF_CT_STATE_BIT(IP_CT_NEW), established = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
    const struct fw_expr state = {.kind = FW_CT, .key = NFT_CT_STATE, .length = 4};
    struct scene scene;
    scene_init(&scene, true);
    struct fw_packet packet = scene.packet;
    packet.reply = packet.begins = true;
    packet.translated = false;
    packet.to = (struct address){4, {192, 0, 2, 254}};
    scene.packet = packet;
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, pool, 2, FW_ACCEPT, NULL);
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, other, 4, FW_ACCEPT, NULL);
    when(&scene, &scene.chains[0], state, NFT_CMP_EQ, &established, 4, FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
    when(&scene, &scene.chains[0], load_daddr, NFT_CMP_EQ, to, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    scene.packet = packet;
    when(&scene, &scene.chains[0], state, NFT_CMP_EQ, &fresh, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    scene.packet = packet;
    when(&scene, &scene.chains[0], load_saddr, NFT_CMP_EQ, pool, 2, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene_init(&scene, true);
    scene.packet = packet;
    when(&scene, &scene.chains[0], load_iifname, NFT_CMP_EQ, "bg", 2, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
}

static void test_ipv6_header(void **unused)
{
    struct scene scene;
    const uint8_t zone[] = {0xfd, 0x00, 0x00, 0xb9}, other[] = {0xfd, 0x00, 0x00, 0xba};
    const uint8_t four = NFPROTO_IPV4, tcp = PROTOCOL_TCP;
    const struct fw_expr daddr = {.kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 24, .length = 16};
    const struct fw_expr next = {.kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 6, .length = 1};
    const struct fw_expr family = {.kind = FW_META, .key = NFT_META_NFPROTO};
    scene_init(&scene, true);
    assert_true(prefix_parse("fd00:b9::/48", &scene.packet.pool));
    when(&scene, &scene.chains[0], family, NFT_CMP_EQ, &four, 1, FW_ACCEPT, NULL);
    when(&scene, &scene.chains[0], daddr, NFT_CMP_EQ, other, sizeof other, FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
    when(&scene, &scene.chains[0], daddr, NFT_CMP_EQ, zone, sizeof zone, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    scene.chains[0].count = 2;
    when(&scene, &scene.chains[0], next, NFT_CMP_EQ, &tcp, 1, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
}

static void test_states(void **unused)
{
    const struct fw_expr load = {.kind = FW_CT, .key = NFT_CT_STATE}, status = {.kind = FW_CT, .key = NFT_CT_STATUS};
    const struct fw_expr mark = {.kind = FW_CT, .key = NFT_CT_MARK};
    const uint32_t zero = 0, five = 5;
    const struct {
        struct fw_expr load;
        uint32_t bits;
        bool reply, translated, drops;
    } cases[] = {
        {load, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), false, true, true},
        {load, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), true, true, false},
        {load, NF_CT_STATE_BIT(IP_CT_NEW), false, true, false},
        {load, NF_CT_STATE_BIT(IP_CT_NEW), true, true, true},
        {status, IPS_DST_NAT, false, true, false},
        {status, IPS_DST_NAT, false, false, true},
        {status, IPS_SRC_NAT, false, true, false}, /* may be */
        {status, IPS_EXPECTED, false, true, true},
    };
    struct scene scene;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene_init(&scene, true);
        scene.packet.reply = cases[i].reply;
        scene.packet.translated = cases[i].translated;
        rule(&scene.chains[0]);
        piece(&scene, &scene.chains[0], cases[i].load);
        struct fw_expr *mask = piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_BITWISE, .length = 4});
        memcpy(mask->data, &cases[i].bits, 4);
        piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_COMPARE, .op = NFT_CMP_NEQ, .length = 4});
        verdict(&scene, &scene.chains[0], FW_ACCEPT, NULL);
        if (dropped(&scene) != cases[i].drops)
            fail_msg("case %zu", i);
    }
    scene_init(&scene, true);
    when(&scene, &scene.chains[0], mark, NFT_CMP_EQ, &five, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    /* What is masked away is known. */
    scene_init(&scene, false);
    rule(&scene.chains[0]);
    piece(&scene, &scene.chains[0], mark);
    piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_BITWISE, .length = 4});
    struct fw_expr *compare =
        piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_COMPARE, .op = NFT_CMP_EQ, .length = 4});
    memcpy(compare->data, &zero, 4);
    verdict(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_true(dropped(&scene));
}

static void test_routes(void **unused)
{
    struct scene scene;
    const uint32_t local = RTN_LOCAL, unicast = RTN_UNICAST;
    struct fw_expr load = {.kind = FW_FIB, .key = NFT_FIB_RESULT_ADDRTYPE, .base = NFTA_FIB_F_DADDR};
    scene_init(&scene, true);
    when(&scene, &scene.chains[0], load, NFT_CMP_EQ, &local, 4, FW_ACCEPT, NULL);
    assert_true(dropped(&scene));
    scene_init(&scene, true);
    scene.packet.translated = false;
    when(&scene, &scene.chains[0], load, NFT_CMP_EQ, &local, 4, FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
    load.base = NFTA_FIB_F_SADDR;
    scene_init(&scene, false);
    when(&scene, &scene.chains[0], load, NFT_CMP_EQ, &unicast, 4, FW_DROP, NULL);
    assert_false(dropped(&scene));
}

static void test_pieces_that_end(void **unused)
{
    static char log[] = "LOG", reject[] = "REJECT", queue[] = "NFQUEUE";
    const struct {
        struct fw_expr expr;
        bool drops_before_accept;
    } cases[] = {
        {{.kind = FW_NEUTRAL}, false},
        {{.kind = FW_REJECT}, true},
        {{.kind = FW_PASS_ON}, false},
        {{.kind = FW_XT_TARGET, .name = log}, false},
        {{.kind = FW_XT_TARGET, .name = reject}, true},
        {{.kind = FW_XT_TARGET, .name = queue}, false},
    };
    struct scene scene;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene_init(&scene, false);
        rule(&scene.chains[0]);
        piece(&scene, &scene.chains[0], cases[i].expr);
        if (dropped(&scene) != cases[i].drops_before_accept)
            fail_msg("case %zu", i);
    }
    /* A log line does not end the chain, a queue does. */
    scene_init(&scene, true);
    rule(&scene.chains[0]);
    piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_XT_TARGET, .name = log});
    assert_true(dropped(&scene));
    rule(&scene.chains[0]);
    piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_XT_TARGET, .name = queue});
    assert_false(dropped(&scene));
}

/* A register that something unknown wrote to is not taken for what it held before. */
static void test_unknown_pieces_forget_registers(void **unused)
{
    struct scene scene;
    scene_init(&scene, true);
    rule(&scene.chains[0]);
    piece(&scene, &scene.chains[0], load_iifname);
    piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_UNKNOWN});
    struct fw_expr *compare =
        piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_COMPARE, .op = NFT_CMP_EQ, .length = 4});
    memcpy(compare->data, "wg0", 4);
    verdict(&scene, &scene.chains[0], FW_ACCEPT, NULL);
    assert_false(dropped(&scene));
}

static void test_offsets_out_of_bounds(void **unused)
{
    const struct fw_expr hostile[] = {
        {.kind = FW_META, .key = NFT_META_IIFNAME, .destination = 56},
        {.kind = FW_META, .key = NFT_META_IIFNAME, .destination = 255},
        {.kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = UINT32_MAX, .length = 16},
        {.kind = FW_PAYLOAD, .base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 50, .length = 255},
        {.kind = FW_PAYLOAD, .destination = 60, .length = 16},
        {.kind = FW_COMPARE, .source = 63, .length = 2},
        {.kind = FW_BITWISE, .source = 0, .destination = 62, .length = 4},
        {.kind = FW_CONSTANT, .destination = 255, .length = 64},
        {.kind = FW_CT, .key = NFT_CT_MARK, .destination = 60},
        {.kind = FW_FIB, .destination = 254},
        {.kind = FW_RANGE, .source = 200, .length = 4},
        {.kind = FW_LOOKUP, .source = 255, .name = set_name, .length = 4},
        {.kind = FW_XT_MATCH},
    };
    struct scene scene;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        scene_init(&scene, true);
        scene.set.count = 1;
        scene.elements[0].length = 64;
        rule(&scene.chains[0]);
        piece(&scene, &scene.chains[0], hostile[i]);
        verdict(&scene, &scene.chains[0], FW_ACCEPT, NULL);
        walk(&scene); /* nothing bad happens; the sanitizers look */
    }
}

/* --- sets ------------------------------------------------------------------------------------------ */

static void element(struct scene *scene, const void *key, uint8_t length, bool end)
{
    struct fw_element *added = &scene->elements[scene->set.count++];
    memcpy(added->key, key, length);
    added->length = length;
    added->end = end;
}

static void look_up(struct scene *scene, struct fw_expr load, bool inverted, enum fw_verdict code)
{
    rule(&scene->chains[0]);
    piece(scene, &scene->chains[0], load);
    piece(scene, &scene->chains[0], (struct fw_expr){.kind = FW_LOOKUP, .name = set_name, .inverted = inverted});
    verdict(scene, &scene->chains[0], code, NULL);
}

static void test_sets(void **unused)
{
    struct scene scene;
    scene_init(&scene, true);
    element(&scene, "docker0\0\0\0\0\0\0\0\0", 16, false);
    element(&scene, "wg0\0\0\0\0\0\0\0\0\0\0\0\0", 16, false);
    look_up(&scene, load_iifname, false, FW_ACCEPT);
    assert_true(dropped(&scene));
    element(&scene, "eth0\0\0\0\0\0\0\0\0\0\0\0", 16, false);
    assert_false(dropped(&scene));
    scene.exprs[0][0][1].inverted = true;
    assert_true(dropped(&scene));
    scene.set.opaque = true;
    assert_false(dropped(&scene));
    scene.set.opaque = false;
    scene.set.count = 1;
    scene.elements[0].opaque = true;
    scene.exprs[0][0][1].inverted = false;
    assert_false(dropped(&scene));
    scene.firewall.set_count = 0;
    assert_false(dropped(&scene));
}

static void test_intervals(void **unused)
{
    const struct {
        uint8_t first[4], end[4];
        bool open, drops;
    } cases[] = {
        {{10, 0, 0, 0}, {11, 0, 0, 0}, false, false},     /* all of the pool */
        {{10, 201, 0, 0}, {10, 202, 0, 0}, false, false}, /* exactly it */
        {{10, 201, 7, 0}, {10, 201, 8, 0}, false, false}, /* part of it: may be */
        {{10, 200, 0, 0}, {10, 201, 0, 0}, false, true},  /* up to it */
        {{10, 202, 0, 0}, {10, 203, 0, 0}, false, true},  /* from its end on */
        {{224, 0, 0, 0}, {0}, true, true},                /* without end */
        {{10, 0, 0, 0}, {0}, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        scene_init(&scene, true);
        scene.set.intervals = true;
        element(&scene, cases[i].first, 4, false);
        if (!cases[i].open)
            element(&scene, cases[i].end, 4, true);
        look_up(&scene, load_daddr, false, FW_ACCEPT);
        if (dropped(&scene) != cases[i].drops)
            fail_msg("case %zu", i);
    }
}

static void test_verdict_maps(void **unused)
{
    static char more[] = "more";
    const struct fw_expr load = {.kind = FW_CT, .key = NFT_CT_STATE};
    const uint32_t established = NF_CT_STATE_BIT(IP_CT_ESTABLISHED), fresh = NF_CT_STATE_BIT(IP_CT_NEW);
    struct scene scene;
    scene_init(&scene, false);
    chain(&scene, more);
    element(&scene, &established, 4, false);
    element(&scene, &fresh, 4, false);
    scene.elements[0].verdict = FW_ACCEPT;
    scene.elements[1].verdict = FW_DROP;
    rule(&scene.chains[0]);
    piece(&scene, &scene.chains[0], load);
    piece(&scene, &scene.chains[0], (struct fw_expr){.kind = FW_LOOKUP, .name = set_name, .by_verdict = true});
    assert_true(dropped(&scene));
    scene.packet.reply = true;
    assert_false(dropped(&scene));
    scene.packet.reply = false;
    /* Through a chain that drops, and one that comes back to a drop. */
    scene.elements[1].verdict = FW_GOTO;
    scene.elements[1].chain = more;
    assert_false(dropped(&scene));
    always(&scene, &scene.chains[1], FW_DROP, NULL);
    assert_true(dropped(&scene));
    scene.chains[1].count = 0;
    scene.elements[1].verdict = FW_JUMP;
    always(&scene, &scene.chains[0], FW_DROP, NULL);
    assert_true(dropped(&scene));
    /* Nothing matches: the next rule. */
    scene.set.count = 1;
    assert_true(dropped(&scene));
    /* More elements than are looked at. */
    scene.set.count = 300;
    assert_false(dropped(&scene));
}

/* --- iptables ---------------------------------------------------------------------------------------- */

static struct fw_expr conntrack(uint32_t revision, uint16_t states, bool inverted, uint16_t flags)
{
    static char name[] = "conntrack";
    struct fw_expr expr = {.kind = FW_XT_MATCH, .name = name, .revision = revision};
    struct xt_conntrack_mtinfo1 one = {
        .match_flags = flags, .invert_flags = inverted ? XT_CONNTRACK_STATE : 0, .state_mask = (uint8_t)states};
    struct xt_conntrack_mtinfo3 three = {
        .match_flags = flags, .invert_flags = inverted ? XT_CONNTRACK_STATE : 0, .state_mask = states};
    expr.length = revision == 1 ? sizeof one : sizeof three;
    memcpy(expr.data, revision == 1 ? (const void *)&one : &three, expr.length);
    return expr;
}

static void test_conntrack_matches(void **unused)
{
    const uint16_t established = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) | XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
    const uint16_t fresh = XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
    struct fw_packet packet = {.translated = true, .protocol = PROTOCOL_TCP};
    for (uint32_t revision = 1; revision <= 3; revision++) {
        struct fw_expr match = conntrack(revision, established, false, XT_CONNTRACK_STATE);
        packet.reply = false;
        assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
        packet.reply = true;
        assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
        match = conntrack(revision, established, true, XT_CONNTRACK_STATE);
        assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
        match = conntrack(revision, XT_CONNTRACK_STATE_DNAT, false, XT_CONNTRACK_STATE);
        assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
        packet.reply = false;
        match = conntrack(revision, fresh, false, XT_CONNTRACK_STATE);
        assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
        match = conntrack(revision, fresh, false, XT_CONNTRACK_STATE | XT_CONNTRACK_ORIGSRC);
        assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
        match = conntrack(revision, established, false, XT_CONNTRACK_STATE | XT_CONNTRACK_ORIGSRC);
        assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
        match.length = 10;
        assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
    }
    struct fw_expr match = conntrack(3, XT_CONNTRACK_STATE_DNAT, false, XT_CONNTRACK_STATE);
    assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
    packet.translated = false;
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    match.revision = 9;
    assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
}

static struct fw_expr named_match(const char *name, const void *info, size_t size)
{
    static char names[16];
    struct fw_expr expr = {.kind = FW_XT_MATCH, .name = names, .length = (uint8_t)size};
    text_copy(names, sizeof names, name);
    if (size)
        memcpy(expr.data, info, size);
    return expr;
}

static void test_other_matches(void **unused)
{
    struct fw_packet packet = {.translated = true, .protocol = PROTOCOL_TCP};
    const struct xt_tcp any = {.spts = {0, 0xffff}, .dpts = {0, 0xffff}},
                        http = {.spts = {0, 0xffff}, .dpts = {80, 80}};
    const struct xt_udp any_udp = {.spts = {0, 0xffff}, .dpts = {0, 0xffff}};
    const unsigned states = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED);
    struct xt_addrtype_info_v1 type = {.dest = XT_ADDRTYPE_LOCAL};
    struct fw_expr match = named_match("tcp", &any, sizeof any);
    assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
    match = named_match("tcp", &http, sizeof http);
    assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
    match = named_match("udp", &any_udp, sizeof any_udp);
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    packet.protocol = PROTOCOL_UDP;
    assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
    match = named_match("state", &states, sizeof states);
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    match = named_match("state", &states, 0);
    assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
    match = named_match("icmp", NULL, 0);
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    match = named_match("comment", NULL, 0);
    assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
    match = named_match("set", NULL, 0);
    assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
    match = named_match("addrtype", &type, sizeof type);
    match.revision = 1;
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    packet.translated = false;
    assert_int_equal(fw_xt_match(&match, &packet), FW_YES);
    type.flags = XT_ADDRTYPE_INVERT_DEST;
    match = named_match("addrtype", &type, sizeof type);
    match.revision = 1;
    assert_int_equal(fw_xt_match(&match, &packet), FW_NO);
    match.revision = 0;
    assert_int_equal(fw_xt_match(&match, &packet), FW_MAYBE);
}

static void test_clear(void **unused)
{
    struct firewall firewall = {0};
    firewall.chains = calloc(1, sizeof *firewall.chains);
    firewall.chain_count = 1;
    firewall.chains[0] =
        (struct fw_chain){.family = NFPROTO_IPV4, .table = strdup("filter"), .name = strdup("FORWARD")};
    firewall.chains[0].rules = calloc(1, sizeof *firewall.chains[0].rules);
    firewall.chains[0].count = 1;
    firewall.chains[0].rules[0].exprs = calloc(1, sizeof *firewall.chains[0].rules[0].exprs);
    firewall.chains[0].rules[0].count = 1;
    firewall.chains[0].rules[0].exprs[0].name = strdup("LOG");
    firewall.sets = calloc(1, sizeof *firewall.sets);
    firewall.set_count = 1;
    firewall.sets[0] = (struct fw_set){.family = NFPROTO_IPV4, .table = strdup("filter"), .name = strdup("set")};
    firewall.sets[0].elements = calloc(1, sizeof *firewall.sets[0].elements);
    firewall.sets[0].count = 1;
    firewall.sets[0].elements[0].chain = strdup("other");
    assert_non_null(firewall_chain(&firewall, NFPROTO_IPV4, "filter", "FORWARD"));
    assert_null(firewall_chain(&firewall, NFPROTO_IPV6, "filter", "FORWARD"));
    assert_null(firewall_chain(&firewall, NFPROTO_IPV4, "nat", "FORWARD"));
    assert_null(firewall_chain(&firewall, NFPROTO_IPV4, "filter", NULL));
    assert_non_null(firewall_set(&firewall, NFPROTO_IPV4, "filter", "set"));
    assert_null(firewall_set(&firewall, NFPROTO_IPV4, "filter", "other"));
    firewall_clear(&firewall);
    assert_null(firewall.chains);
    firewall_clear(&firewall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ranges_of_values),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_what_may_be),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_deep_jumps_end),
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_zones_begin),
        cmocka_unit_test(test_ipv6_header),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_pieces_that_end),
        cmocka_unit_test(test_unknown_pieces_forget_registers),
        cmocka_unit_test(test_offsets_out_of_bounds),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_verdict_maps),
        cmocka_unit_test(test_conntrack_matches),
        cmocka_unit_test(test_other_matches),
        cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
