/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone sees as /etc/resolv.conf and /etc/hosts. */
#include "zone/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void expect_resolv(const char *content, unsigned servers, const char *want)
{
    CLEANUP_TEXT struct text out = {0};
    assert_int_equal(servers, hosts_filter_resolv(content, &out));
    assert_string_equal(want, out.data ? out.data : "");
}

static void good_name_servers_stay(void **state)
{
    (void)state;
    expect_resolv("nameserver 192.0.2.1\nsearch example.net\noptions ndots:2\n", 1,
                  "nameserver 192.0.2.1\nsearch example.net\noptions ndots:2\n");
    expect_resolv("nameserver 2001:db8::1\nnameserver\t192.0.2.1", 2,
                  "nameserver 2001:db8::1\nnameserver\t192.0.2.1\n");
    expect_resolv("  nameserver 192.0.2.1  # ours\r\n", 1, "  nameserver 192.0.2.1  # ours\r\n");
    expect_resolv("# nameserver 127.0.0.1\n\n", 0, "# nameserver 127.0.0.1\n\n");
}

static void unreachable_name_servers_go(void **state)
{
    (void)state;
    expect_resolv("nameserver 127.0.0.53\n", 0, "");
    expect_resolv("nameserver 127.255.0.1\nnameserver ::1\nsearch a\n", 0, "search a\n");
    expect_resolv("nameserver ::ffff:127.0.0.1\n", 0, "");
    expect_resolv("nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver febf::1\n", 0, "");
    expect_resolv("nameserver 0.0.0.0\nnameserver ::\n", 0, "");
    expect_resolv("nameserver\nnameserver not-an-address\n", 0, "");
    expect_resolv("nameserver 127.0.0.53\nnameserver 192.0.2.1\n", 1, "nameserver 192.0.2.1\n");
}

static void strange_content_does_no_harm(void **state)
{
    (void)state;
    expect_resolv("", 0, "");
    expect_resolv("nameserverx 127.0.0.1\n", 0, "nameserverx 127.0.0.1\n");
    expect_resolv("\x01\xff nameserver 127.0.0.1\n", 0, "\x01\xff nameserver 127.0.0.1\n");
}

static struct zone_addresses first_zone(void)
{
    struct address_pools pools;
    struct zone_addresses addresses;
    assert_true(prefix_parse("10.201.0.0/16", &pools.ipv4) && prefix_parse("fd00:b9::/48", &pools.ipv6));
    assert_int_equal(0, address_plan(&pools, 1, &addresses, NULL));
    return addresses;
}

static void hosts_name_localhost_and_the_zone(void **state)
{
    (void)state;
    struct zone_addresses addresses = first_zone();
    CLEANUP_TEXT struct text out = {0};
    hosts_build("", "web-blue", &addresses, true, &out);
    assert_string_equal("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
                        "10.201.0.2 web-blue\nfd00:b9::2 web-blue\n10.201.0.1 host.bluegreen\n",
                        out.data);
}

static void hosts_keep_what_is_not_the_host(void **state)
{
    (void)state;
    struct zone_addresses addresses = first_zone();
    CLEANUP_TEXT struct text out = {0};
    hosts_build("127.0.0.1\tlocalhost\n127.0.1.1 myhost\n::1 ip6-localhost\n# a remark\nff02::1 ip6-allnodes\n"
                "\t203.0.113.77   database db # the big one\nnonsense here\n\n203.0.113.78 last",
                "web-blue", &addresses, false, &out);
    assert_string_equal("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.201.0.2 web-blue\n"
                        "10.201.0.1 host.bluegreen\n"
                        "ff02::1 ip6-allnodes\n\t203.0.113.77   database db # the big one\n203.0.113.78 last\n",
                        out.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_name_servers_stay),          cmocka_unit_test(unreachable_name_servers_go),
        cmocka_unit_test(strange_content_does_no_harm),    cmocka_unit_test(hosts_name_localhost_and_the_zone),
        cmocka_unit_test(hosts_keep_what_is_not_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
