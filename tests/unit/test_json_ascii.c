/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON without bytes beyond ASCII says the same. */
#include "base/json_ascii.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_ascii(const char *json, const char *expected)
{
    CLEANUP_TEXT struct text ascii = {0};
    assert_int_equal(json_ascii(json, strlen(json), &ascii), 0);
    assert_string_equal(ascii.data, expected);
    assert_int_equal(ascii.length, strlen(expected));
}

static void test_characters(void **state)
{
    (void)state;
    assert_ascii("{\"a\":[1,\"b\\n\\\\\"]}", "{\"a\":[1,\"b\\n\\\\\"]}");
    assert_ascii("\"caf\xc3\xa9 34 \xc2\xb5s\"", "\"caf\\u00e9 34 \\u00b5s\"");
    assert_ascii("\xc2\xa0\xdf\xbf", "\\u00a0\\u07ff");
    assert_ascii("\xe0\xa0\x80\xef\xbf\xbf", "\\u0800\\uffff");
    assert_ascii("blue \xe2\x86\x92 green", "blue \\u2192 green");
    assert_ascii("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\\ud800\\udc00\\udbff\\udfff");
    assert_ascii("\xf0\x9f\x94\xb5", "\\ud83d\\udd35");
}

/* What was no JSON does not become some. */
static void test_backslashes(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"\\\xc3\xa9\"", "\"\\\\\\\xc3\xa9\"", "\"\xc3\"",
                                      "\xc0\xaf",       "\xed\xa0\x80",       "\xff"};
    assert_ascii("\"\\\\\xc3\xa9\"", "\"\\\\\\u00e9\"");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CLEANUP_TEXT struct text ascii = {0};
        assert_int_equal(json_ascii(bad[i], strlen(bad[i]), &ascii), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_characters), cmocka_unit_test(test_backslashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
