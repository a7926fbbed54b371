/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which requests stay in order: whatever an app may take for the same key is the same lane. */
#include "feed/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t key_of(const struct feed_key *key, const char *target, const char *fields)
{
    char request[1024];
    struct http_head head;
    struct error err = {0};
    snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    if (http_parse_request(request, strlen(request), &head, &err) != 1)
        fail_msg("'%s': %s", request, err.text);
    return lane_key(key, &head, NULL);
}

static void same(const struct feed_key *key, const char *fields, const char *others)
{
    uint64_t number = key_of(key, "/", fields);
    assert_true(number != 0);
    assert_true(number == key_of(key, "/", others));
}

static void none(const struct feed_key *key, const char *fields)
{
    assert_true(key_of(key, "/", fields) == 0);
}

static void test_headers(void **state)
{
    static const struct feed_key key = {.kind = FEED_KEY_HEADER, .name = "X-Account"};
    (void)state;
    same(&key, "X-Account: 17\r\n", "x-account:\t17 \r\n");
    same(&key, "X-Account: 17\r\n", "X_Account: 17\r\n"); /* one variable of CGI */
    same(&key, "X-Account: 17\r\n", "X-Account: 17\r\nX-Account: 17\r\n");
    assert_true(key_of(&key, "/", "X-Account: 17\r\n") != key_of(&key, "/", "X-Account: 18\r\n"));
    assert_true(key_of(&key, "/", "X-Account: a\r\n") != key_of(&key, "/", "X-Account: A\r\n"));
    none(&key, "");
    none(&key, "X-Account:\r\n");
    none(&key, "X-Accounts: 17\r\n");
    none(&key, "X-Account: 17\r\nX-Account: 18\r\n");
    none(&key, "X-Account: 17\r\nX_Account: 18\r\n");
    none(&key, "X-Account: 17\r\nX-Account:\r\n");
    none(&key, "X-Account:\r\nX-Account: 17\r\n");
}

static void test_cookies(void **state)
{
    static const struct feed_key key = {.kind = FEED_KEY_COOKIE, .name = "sid"};
    (void)state;
    same(&key, "Cookie: sid=17\r\n", "Cookie: a=b; sid=17; c=d\r\n");
    same(&key, "Cookie: sid=17\r\n", "Cookie: a=b;sid=17\r\n");
    same(&key, "Cookie: sid=17\r\n", "Cookie: a=b\r\nCookie: sid = 17 ;\r\n");
    same(&key, "Cookie: sid=17\r\n", "Cookie: sid=\"17\"\r\n");
    same(&key, "Cookie: sid=17\r\n", "Cookie: sid=17; sid=17\r\n");
    same(&key, "Cookie: sid=1=7\r\n", "Cookie: ;;sid=1=7;\r\n");
    assert_true(key_of(&key, "/", "Cookie: sid=17\r\n") != key_of(&key, "/", "Cookie: sid=1\r\n"));
    none(&key, "");
    none(&key, "Cookie: a=b\r\n");
    none(&key, "Cookie: sid\r\n");
    none(&key, "Cookie: sid=\r\n");
    none(&key, "Cookie: SID=17\r\n");
    none(&key, "Cookie: xsid=17\r\n");
    none(&key, "Cookie: a=sid=17\r\n");
    none(&key, "Cookie: sid=17; sid=18\r\n");
    none(&key, "Cookie: sid=17\r\nCookie: sid=18\r\n");
    none(&key, "Cookie: =17\r\n");
    none(&key, "Cookie2: sid=17\r\n");
}

static void test_paths(void **state)
{
    static const struct feed_key first = {.kind = FEED_KEY_PATH, .part = 1},
                                 second = {.kind = FEED_KEY_PATH, .part = 2};
    static const char *const alike[] = {"/b/17",         "/b/17/",    "/b/17?x=/../y", "/b/17/c/d", "/b/%31%37",
                                        "http://a/b/17", "/other/17", "/b/17//c",      "/b/17/..."};
    static const char *const nothing[] = {"/",
                                          "/b",
                                          "/b/",
                                          "/b/?17",
                                          "//17",
                                          "//b/17",
                                          "/b//17",
                                          "/./17",
                                          "/b/../17",
                                          "/b/17/../18",
                                          "/b/17/./",
                                          "/b/17/%2e%2E",
                                          "/b/17%",
                                          "/b/17%2",
                                          "/b/17%zz",
                                          "/b/1%2f7",
                                          "/b/1%5C7",
                                          "/b/1\\7",
                                          "/b/17%00",
                                          "/b/17/c%2f..%2f..%2f18",
                                          "http://a?/b/17"};
    uint64_t seventeen = key_of(&second, "/b/17", "");
    (void)state;
    assert_true(seventeen != 0 && seventeen != key_of(&second, "/b/18", ""));
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        if (key_of(&second, alike[i], "") != seventeen)
            fail_msg("%s is another", alike[i]);
    }
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        if (key_of(&second, nothing[i], "") != 0)
            fail_msg("%s has a key", nothing[i]);
    }
    assert_true(key_of(&first, "/17", "") == seventeen);
    assert_true(key_of(&first, "/b/17", "") == key_of(&first, "/b", ""));
}

static uint64_t client_key(const char *text)
{
    static const struct feed_key key = {.kind = FEED_KEY_CLIENT};
    static const struct http_head head;
    struct address address;
    assert_true(address_parse(text, &address));
    return lane_key(&key, &head, &address);
}

static void test_clients(void **state)
{
    static const struct feed_key key = {.kind = FEED_KEY_CLIENT};
    (void)state;
    assert_true(client_key("192.0.2.1") != 0);
    assert_true(client_key("192.0.2.1") == client_key("::ffff:192.0.2.1"));
    assert_true(client_key("192.0.2.1") != client_key("192.0.2.2"));
    assert_true(client_key("2001:db8::1") != client_key("2001:db8::2"));
    assert_true(key_of(&key, "/", "") == 0); /* nobody knows the client */
}

/* The number is in journals: another one would put transactions of one key into two lanes after an upgrade. */
static void test_keys_stay(void **state)
{
    static const struct feed_key key = {.kind = FEED_KEY_HEADER, .name = "X-Account"};
    static const struct feed_key cookie = {.kind = FEED_KEY_COOKIE, .name = "X-Account"};
    static const struct feed_key no_key = {.kind = FEED_KEY_NONE};
    (void)state;
    assert_true(key_of(&key, "/", "X-Account: 17\r\n") ==
                UINT64_C(0xee05b6e7864619f6)); /* printf '\\001%s' 17 | sha256sum */
    assert_true(key_of(&cookie, "/", "Cookie: X-Account=17\r\n") != key_of(&key, "/", "X-Account: 17\r\n"));
    none(&no_key, "X-Account: 17\r\n");
}

static void test_numbers(void **state)
{
    static const struct feed_key key = {.kind = FEED_KEY_HEADER, .name = "X-Account"};
    unsigned used[FEED_LANES_MAX] = {0};
    (void)state;
    assert_int_equal(lane_number(0, FEED_LANES_MAX), 0);
    assert_int_equal(lane_number(UINT64_MAX, 1), 0);
    assert_int_equal(lane_number(UINT64_MAX, 0), 0);
    for (unsigned i = 0; i < 64 * FEED_LANES_MAX; i++) {
        char field[32];
        snprintf(field, sizeof field, "X-Account: %u\r\n", i);
        size_t lane = lane_number(key_of(&key, "/", field), FEED_LANES_MAX);
        assert_in_range(lane, 0, FEED_LANES_MAX - 1);
        used[lane]++;
    }
    for (size_t i = 0; i < FEED_LANES_MAX; i++)
        assert_in_range(used[i], 30, 110); /* 64 each, if they spread */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers), cmocka_unit_test(test_cookies),   cmocka_unit_test(test_paths),
        cmocka_unit_test(test_clients), cmocka_unit_test(test_keys_stay), cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
