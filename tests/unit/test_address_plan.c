/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address plan: which addresses, how many zones, what is refused. */
#include "model/address_plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static struct address_pools pools(const char *ipv4, const char *ipv6)
{
    struct address_pools both;
    assert_true(prefix_parse(ipv4, &both.ipv4));
    assert_true(prefix_parse(ipv6, &both.ipv6));
    return both;
}

static void expect_address(const char *want, const struct address *got)
{
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(want, address_format(got, text));
}

static void first_zone_has_the_first_four_addresses(void **state)
{
    (void)state;
    struct address_pools both = pools("10.201.0.0/16", "fd00:b9::/48");
    struct zone_addresses a;
    assert_int_equal(0, address_plan(&both, 1, &a, NULL));
    expect_address("10.201.0.1", &a.host4);
    expect_address("10.201.0.2", &a.service4);
    expect_address("10.201.0.3", &a.egress4);
    expect_address("fd00:b9::1", &a.host6);
    expect_address("fd00:b9::2", &a.service6);
    expect_address("fd00:b9::3", &a.egress6);
}

static void addition_carries(void **state)
{
    (void)state;
    struct address_pools both = pools("10.200.0.0/13", "fd00::ffff:0/112");
    struct zone_addresses a;
    assert_int_equal(0, address_plan(&both, 65, &a, NULL)); /* 4 * 64 = 256 */
    expect_address("10.200.1.2", &a.service4);
    expect_address("fd00::ffff:102", &a.service6);
    both = pools("10.200.0.0/13", "fd00:b9::/48");
    assert_int_equal(0, address_plan(&both, 16385, &a, NULL)); /* 65536 */
    expect_address("10.201.0.2", &a.service4);
    expect_address("fd00:b9::1:2", &a.service6);
}

static void last_zone_ends_with_the_pool(void **state)
{
    (void)state;
    struct address_pools both = pools("10.201.0.0/16", "fd00:b9::/48");
    struct zone_addresses a;
    assert_int_equal(16384, address_plan_capacity(&both));
    assert_int_equal(0, address_plan(&both, 16384, &a, NULL));
    expect_address("10.201.255.255", &a.egress4);
    assert_true(prefix_contains(&both.ipv4, &a.egress4));
    assert_int_equal(-ERANGE, address_plan(&both, 16385, &a, NULL));
}

static void smaller_pool_decides(void **state)
{
    (void)state;
    struct address_pools both = pools("10.201.0.0/28", "fd00:b9::/48");
    assert_int_equal(4, address_plan_capacity(&both));
    both = pools("10.0.0.0/8", "fd00::/120");
    assert_int_equal(64, address_plan_capacity(&both));
    both = pools("10.0.0.0/8", "fd00::/16");
    assert_int_equal(ZONE_NUMBER_MAX, address_plan_capacity(&both));
    struct zone_addresses a;
    assert_int_equal(0, address_plan(&both, ZONE_NUMBER_MAX, &a, NULL));
    expect_address("10.1.255.250", &a.service4); /* 4 * 0x7ffe + 2 = 0x1fffa */
}

static void no_two_zones_share_an_address(void **state)
{
    (void)state;
    struct address_pools both = pools("192.168.7.0/24", "fd00::/120");
    uint8_t used[256] = {0};
    uint16_t capacity = address_plan_capacity(&both);
    assert_int_equal(64, capacity);
    for (uint16_t number = 1; number <= capacity; number++) {
        struct zone_addresses a;
        assert_int_equal(0, address_plan(&both, number, &a, NULL));
        const struct address *all[] = {&a.host4, &a.service4, &a.egress4};
        for (size_t i = 0; i < 3; i++) {
            assert_true(prefix_contains(&both.ipv4, all[i]));
            assert_int_equal(0, used[all[i]->bytes[3]]++);
        }
        assert_int_equal(a.service4.bytes[3], a.service6.bytes[15]);
    }
}

static void numbers_outside_are_refused(void **state)
{
    (void)state;
    struct address_pools both = pools("10.201.0.0/28", "fd00:b9::/48");
    struct zone_addresses a;
    struct error err = {0};
    assert_int_equal(-ERANGE, address_plan(&both, 0, &a, &err));
    assert_int_equal(-ERANGE, address_plan(&both, 5, &a, &err));
    assert_non_null(strstr(err.text, "10.201.0.0/28"));
    assert_non_null(strstr(err.text, "1 to 4"));
    assert_int_equal(-ERANGE, address_plan(&both, UINT16_MAX, &a, &err));
}

static void pools_out_of_range_are_refused(void **state)
{
    (void)state;
    struct zone_addresses a;
    struct error err = {0};
    const uint8_t bad[] = {0, 7, 29, 32, 255};
    struct address_pools both = pools("10.201.0.0/16", "fd00:b9::/48");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        both.ipv4.length = bad[i];
        assert_int_equal(-EINVAL, address_plan(&both, 1, &a, &err));
    }
    both = pools("10.201.0.0/16", "fd00:b9::/48");
    both.ipv6.length = 121;
    assert_int_equal(-EINVAL, address_plan(&both, 1, &a, &err));
    both.ipv6.length = 15;
    assert_int_equal(-EINVAL, address_plan(&both, 1, &a, &err));
    both = (struct address_pools){0};
    assert_int_equal(-EINVAL, address_plan(&both, 1, &a, &err));
    struct address_pools swapped = pools("10.201.0.0/16", "fd00:b9::/48");
    struct prefix four = swapped.ipv4;
    swapped.ipv4 = swapped.ipv6;
    swapped.ipv6 = four;
    assert_int_equal(-EINVAL, address_plan(&swapped, 1, &a, &err));
}

static void capacity_of_a_pool_that_holds_none_is_zero(void **state)
{
    (void)state;
    struct address_pools both = pools("10.201.0.0/16", "fd00:b9::/48");
    both.ipv4.length = 31;
    assert_int_equal(0, address_plan_capacity(&both));
    both.ipv4.length = 200;
    assert_int_equal(0, address_plan_capacity(&both));
    both.ipv4.length = 30;
    assert_int_equal(1, address_plan_capacity(&both));
}

static void numbers_of_apps_and_colours(void **state)
{
    (void)state;
    assert_int_equal(1, zone_number(0, BLUE));
    assert_int_equal(2, zone_number(0, GREEN));
    assert_int_equal(3, zone_number(1, BLUE));
    assert_true(zone_number(APP_INDEX_MAX, GREEN) <= ZONE_NUMBER_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_zone_has_the_first_four_addresses),
        cmocka_unit_test(addition_carries),
        cmocka_unit_test(last_zone_ends_with_the_pool),
        cmocka_unit_test(smaller_pool_decides),
        cmocka_unit_test(no_two_zones_share_an_address),
        cmocka_unit_test(numbers_outside_are_refused),
        cmocka_unit_test(pools_out_of_range_are_refused),
        cmocka_unit_test(capacity_of_a_pool_that_holds_none_is_zero),
        cmocka_unit_test(numbers_of_apps_and_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
