/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What iptables' matches of ports say of a packet whose destination port is known, and of one whose is not. */
#include "traffic/firewall_xt.h"

#include "model/service.h"

#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum fw_match ask(const char *name, const void *info, size_t size, uint16_t port, bool reply)
{
    char text[16];
    const struct fw_packet packet = {.translated = true, .reply = reply, .protocol = PROTOCOL_TCP, .port = port};
    struct fw_expr match = {.kind = FW_XT_MATCH, .name = text, .length = (uint8_t)size, .revision = *name == 'm'};
    strcpy(text, name);
    memcpy(match.data, info, size);
    return fw_xt_match(&match, &packet);
}

static enum fw_match ask_tcp(struct xt_tcp info, uint16_t port)
{
    return ask("tcp", &info, sizeof info, port, false);
}

static void test_range(void **unused)
{
    struct xt_tcp info = {.spts = {0, 0xffff}, .dpts = {80, 90}};
    assert_int_equal(ask_tcp(info, 0), FW_MAYBE);
    assert_int_equal(ask_tcp(info, 79), FW_NO);
    assert_int_equal(ask_tcp(info, 80), FW_YES);
    assert_int_equal(ask_tcp(info, 90), FW_YES);
    assert_int_equal(ask_tcp(info, 91), FW_NO);
    assert_int_equal(ask("tcp", &info, sizeof info, 80, true), FW_MAYBE); /* an answer goes to the client's port */
    info.invflags = XT_TCP_INV_DSTPT;
    assert_int_equal(ask_tcp(info, 0), FW_MAYBE);
    assert_int_equal(ask_tcp(info, 80), FW_NO);
    assert_int_equal(ask_tcp(info, 91), FW_YES);
}

static void test_what_else_is_asked(void **unused)
{
    struct xt_tcp info = {.spts = {0, 0xffff}, .dpts = {80, 80}, .flg_mask = 2, .flg_cmp = 2};
    assert_int_equal(ask_tcp(info, 80), FW_MAYBE);
    assert_int_equal(ask_tcp(info, 81), FW_NO);
    info = (struct xt_tcp){.spts = {1024, 0xffff}, .dpts = {80, 80}};
    assert_int_equal(ask_tcp(info, 80), FW_MAYBE);
    assert_int_equal(ask_tcp(info, 81), FW_NO);
}

static void test_list(void **unused)
{
    struct xt_multiport_v1 info = {
        .flags = XT_MULTIPORT_DESTINATION, .count = 4, .ports = {22, 443, 8000, 8100}, .pflags = {0, 0, 1, 0}};
    assert_int_equal(ask("multiport", &info, sizeof info, 0, false), FW_MAYBE);
    assert_int_equal(ask("multiport", &info, sizeof info, 443, false), FW_YES);
    assert_int_equal(ask("multiport", &info, sizeof info, 444, false), FW_NO);
    assert_int_equal(ask("multiport", &info, sizeof info, 8000, false), FW_YES);
    assert_int_equal(ask("multiport", &info, sizeof info, 8100, false), FW_YES);
    assert_int_equal(ask("multiport", &info, sizeof info, 8101, false), FW_NO);
    info.invert = 1;
    assert_int_equal(ask("multiport", &info, sizeof info, 443, false), FW_NO);
    assert_int_equal(ask("multiport", &info, sizeof info, 444, false), FW_YES);
    info.flags = XT_MULTIPORT_SOURCE;
    assert_int_equal(ask("multiport", &info, sizeof info, 443, false), FW_MAYBE);
    info.flags = XT_MULTIPORT_DESTINATION;
    info.count = 200; /* nothing that the kernel would take */
    assert_int_equal(ask("multiport", &info, sizeof info, 443, false), FW_MAYBE);
    assert_int_equal(ask("multiport", &info, sizeof info - 1, 443, false), FW_MAYBE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_what_else_is_asked),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
