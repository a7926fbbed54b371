/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names, colours, states, addresses and pools. */
#include "model/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_colours(void **state)
{
    enum colour colour = GREEN;
    assert_string_equal(colour_name(BLUE), "blue");
    assert_string_equal(colour_name(GREEN), "green");
    assert_string_equal(colour_name((enum colour)7), "unknown");
    assert_true(colour_parse("blue", &colour));
    assert_int_equal(colour, BLUE);
    assert_true(colour_parse("green", &colour));
    assert_int_equal(colour, GREEN);
    assert_false(colour_parse("Blue", &colour));
    assert_false(colour_parse("", &colour));
    assert_false(colour_parse("blue ", &colour));
    assert_int_equal(colour, GREEN);
    assert_int_equal(colour_other(BLUE), GREEN);
    assert_int_equal(colour_other(GREEN), BLUE);
}

/* The contract of `status --json` names them. */
static void test_zone_states(void **state)
{
    static const char *const names[] = {"absent",   "staging", "starting", "healthy", "unhealthy", "live",
                                        "draining", "standby", "frozen",   "failed",  "stopped",   "resting"};
    assert_int_equal(sizeof names / sizeof *names, ZONE_STATES);
    for (unsigned i = 0; i < ZONE_STATES; i++) {
        enum zone_state parsed = ZONE_STATES;
        assert_string_equal(zone_state_name((enum zone_state)i), names[i]);
        assert_true(zone_state_parse(names[i], &parsed));
        assert_int_equal(parsed, i);
    }
    enum zone_state untouched = ZONE_LIVE;
    assert_string_equal(zone_state_name(ZONE_STATES), "unknown");
    assert_false(zone_state_parse("unknown", &untouched));
    assert_false(zone_state_parse("", &untouched));
    assert_int_equal(untouched, ZONE_LIVE);
}

static void test_app_names(void **state)
{
    static const char *const good[] = {"a", "web", "web-2", "a-", "abcdefghijklmnopqrstuvwxyz01234"};
    static const char *const bad[] = {
        "",     "2web",  "-web",          "Web",  "wEb",      "we_b",     "we.b",
        "we b", "web\n", "w\xc3\xa9\x62", "../x", "web/blue", "web.blue", "abcdefghijklmnopqrstuvwxyz012345", /* 32 */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(app_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(app_name_valid(bad[i]));
}

static void test_release_names(void **state)
{
    static const char *const good[] = {"1", "v1.4.2", "2024-05-01_12", "A+b", "_x", "+x"};
    static const char *const bad[] = {"",    ".",   "..",   ".v1",       "-v1", "a/b",
                                      "a b", "a%b", "a\tb", "v\xc3\xa9", "a:b", "a=b"};
    char longest[RELEASE_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(release_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(release_name_valid(bad[i]));
    memset(longest, 'r', sizeof longest);
    longest[RELEASE_NAME_MAX] = '\0';
    assert_true(release_name_valid(longest));
    longest[RELEASE_NAME_MAX] = 'r';
    longest[RELEASE_NAME_MAX + 1] = '\0';
    assert_false(release_name_valid(longest));
}

static void test_addresses(void **state)
{
    struct address address = {0};
    char text[ADDRESS_TEXT_MAX];
    assert_true(address_parse("192.0.2.1", &address));
    assert_int_equal(address.family, 4);
    assert_memory_equal(address.bytes, "\xc0\x00\x02\x01", 4);
    assert_string_equal(address_format(&address, text), "192.0.2.1");
    assert_true(address_parse("2001:DB8:0::7", &address));
    assert_int_equal(address.family, 6);
    assert_string_equal(address_format(&address, text), "2001:db8::7");
    assert_true(address_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &address));
    assert_string_equal(address_format(&address, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

    struct address before = address;
    static const char *const bad[] = {"",         "1.2.3",    "1.2.3.4.5",  "256.1.1.1", "1.2.3.4 ",
                                      " 1.2.3.4", "[::1]",    "fe80::1%lo", "1.2.3.4/8", ":::",
                                      "host",     "01.2.3.4", "0x7f.1",     "12345::"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(address_parse(bad[i], &address));
    assert_memory_equal(&address, &before, sizeof before);

    struct address none = {0};
    assert_string_equal(address_format(&none, text), "");
}

static void test_address_equality(void **state)
{
    struct address four, same, six, none = {0}, other_none = {0};
    assert_true(address_parse("10.0.0.1", &four));
    assert_true(address_parse("10.0.0.1", &same));
    assert_true(address_parse("a00:1::", &six)); /* the same first four bytes */
    same.bytes[9] = 1;                           /* beyond an IPv4 address: no part of it */
    other_none.bytes[0] = 1;
    assert_true(address_equal(&four, &same));
    assert_false(address_equal(&four, &six));
    assert_true(address_equal(&none, &other_none));
    assert_false(address_equal(&none, &four));
    same.bytes[3] = 2;
    assert_false(address_equal(&four, &same));
}

static struct prefix prefix(const char *text)
{
    struct prefix parsed;
    assert_true(prefix_parse(text, &parsed));
    return parsed;
}

static void test_prefixes(void **state)
{
    char text[ADDRESS_TEXT_MAX + 4];
    static const char *const good[] = {"10.201.0.0/16", "0.0.0.0/0",    "10.201.3.128/25",
                                       "192.0.2.1/32",  "fd00:b9::/48", "2001:db8::1/128",
                                       "::/0",          "fe00::/7"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct prefix parsed = prefix(good[i]);
        assert_string_equal(prefix_format(&parsed, text), good[i]);
    }
    struct prefix untouched = prefix("10.0.0.0/8");
    static const char *const bad[] = {
        "",
        "10.0.0.0",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "10.0.0.1/8",
        "10.201.0.1/16",
        "fd00::1/48",
        "fd00:b9::/129",
        "10.0.0.128/24",
        "10.0.0.0/0x8",
        "fd00::/48/1",
        "10.0.0.0/999999999999999999999",
        "fe01::/7",
        "ff00::/7",
        "10.201.192.0/17",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(prefix_parse(bad[i], &untouched));
    assert_string_equal(prefix_format(&untouched, text), "10.0.0.0/8");
}

static void test_overlap(void **state)
{
    struct prefix pool = prefix("10.201.0.0/16"), inside = prefix("10.201.7.0/24"), above = prefix("10.0.0.0/8"),
                  beside = prefix("10.202.0.0/16"), all = prefix("0.0.0.0/0"), six = prefix("::/0"),
                  odd = prefix("10.201.128.0/17"), none = {0};
    assert_true(prefix_overlaps(&pool, &pool));
    assert_true(prefix_overlaps(&pool, &inside));
    assert_true(prefix_overlaps(&inside, &pool));
    assert_true(prefix_overlaps(&above, &pool));
    assert_true(prefix_overlaps(&all, &pool));
    assert_true(prefix_overlaps(&odd, &pool));
    assert_false(prefix_overlaps(&odd, &inside));
    assert_false(prefix_overlaps(&pool, &beside));
    assert_false(prefix_overlaps(&six, &all));
    assert_false(prefix_overlaps(&none, &none));
}

static void test_containment(void **state)
{
    struct prefix pool = prefix("10.201.128.0/17"), six = prefix("fd00:b9::/47"), all = prefix("0.0.0.0/0");
    struct address address;
    assert_true(address_parse("10.201.128.0", &address));
    assert_true(prefix_contains(&pool, &address));
    assert_true(prefix_contains(&all, &address));
    assert_false(prefix_contains(&six, &address));
    assert_true(address_parse("10.201.255.255", &address));
    assert_true(prefix_contains(&pool, &address));
    assert_true(address_parse("10.201.127.255", &address));
    assert_false(prefix_contains(&pool, &address));
    assert_true(address_parse("fd00:b9:1::1", &address));
    assert_true(prefix_contains(&six, &address));
    assert_true(address_parse("fd00:b9:2::1", &address));
    assert_false(prefix_contains(&six, &address));
}

static void test_incidents(void **state)
{
    static const char *const names[] = {"none", "out-of-memory", "crash-loop", "watchdog", "bake-breach",
                                        "hook", "removed",       "firewall",   "fenced"};
    enum incident parsed = INCIDENT_NONE;
    assert_int_equal(sizeof names / sizeof *names, INCIDENTS);
    for (unsigned i = INCIDENT_NONE; i < INCIDENTS; i++) {
        assert_string_equal(incident_name((enum incident)i), names[i]);
        assert_int_equal(incident_parse(names[i], &parsed), i != INCIDENT_NONE); /* nothing is no incident */
        assert_int_equal(parsed, i);
    }
    assert_false(incident_parse("unknown", &parsed));
    assert_string_equal(incident_name(INCIDENTS), "unknown");
}

static void test_marks(void **state)
{
    static const char *const names[] = {"none", "bad", "left"};
    enum zone_mark parsed = MARK_NONE;
    assert_int_equal(sizeof names / sizeof *names, ZONE_MARKS);
    for (unsigned i = MARK_NONE; i < ZONE_MARKS; i++) {
        assert_string_equal(zone_mark_name((enum zone_mark)i), names[i]);
        assert_true(zone_mark_parse(names[i], &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(zone_mark_parse("worse", &parsed));
    assert_string_equal(zone_mark_name(ZONE_MARKS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incidents),   cmocka_unit_test(test_marks),
        cmocka_unit_test(test_colours),     cmocka_unit_test(test_zone_states),
        cmocka_unit_test(test_app_names),   cmocka_unit_test(test_release_names),
        cmocka_unit_test(test_addresses),   cmocka_unit_test(test_address_equality),
        cmocka_unit_test(test_prefixes),    cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_containment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
