/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking packets through others' rules: what is sure, what is not, and rules that make no sense. */
#include "firewall_scene.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
