/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking packets through others' rules: values, sets, and the matches of iptables. */
#include "firewall_scene.h"

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
        cmocka_unit_test(test_values),        cmocka_unit_test(test_ranges_of_values),
        cmocka_unit_test(test_sets),          cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_verdict_maps),  cmocka_unit_test(test_conntrack_matches),
        cmocka_unit_test(test_other_matches), cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
