/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text, word lists, reading of untrusted bytes, errors. */
#include "base/text.h"

#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_text_grows(void **state)
{
    CLEANUP_TEXT struct text text = {0};
    text_add(&text, "a");
    text_addf(&text, "%d-%s", 42, "b");
    text_add_bytes(&text, "c\0d", 3);
    assert_false(text.failed);
    assert_int_equal(text.length, 8);
    assert_memory_equal(text.data, "a42-bc\0d", 9);
    for (int i = 0; i < 1000; i++)
        text_addf(&text, "%s", "0123456789");
    assert_int_equal(text.length, 10008);
    assert_int_equal(strlen(text.data + 7), 10001);
    text_clear(&text);
    assert_null(text.data);
    assert_int_equal(text.length, 0);
}

static void test_words(void **state)
{
    CLEANUP_WORDS struct words words = {0};
    assert_null(words.items);
    assert_int_equal(words_add(&words, "one"), 0);
    assert_int_equal(words_add(&words, ""), 0);
    assert_int_equal(words.count, 2);
    assert_string_equal(words.items[0], "one");
    assert_string_equal(words.items[1], "");
    assert_null(words.items[2]);
}

static void test_comparing(void **state)
{
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("a", "b"));
    assert_false(text_equal("a", NULL));
    assert_false(text_equal(NULL, "a"));
    assert_true(text_equal(NULL, NULL));
    assert_true(text_starts_with("abc", "ab"));
    assert_true(text_starts_with("abc", ""));
    assert_false(text_starts_with("a", "ab"));
}

static void test_copy_and_trim(void **state)
{
    char small[4], blanks[] = " \t a b \r\n", empty[] = " \t\n";
    assert_true(text_copy(small, sizeof small, "abc"));
    assert_string_equal(small, "abc");
    assert_false(text_copy(small, sizeof small, "abcd"));
    assert_string_equal(small, "abc");
    assert_false(text_copy(small, 1, "a"));
    assert_string_equal(small, "");
    assert_string_equal(text_trim(blanks), "a b");
    assert_string_equal(text_trim(empty), "");
}

static void test_shorten(void **state)
{
    static const struct {
        size_t size;
        const char *from, *to;
    } cases[] = {
        {16, "it does not fit", "it does not fit"},
        {15, "it does not fit", "it does not..."}, /* all that is left of it */
        {14, "it does not fit", "it does..."},
        {14, "it failed: it is so", "it failed..."},
        {8, "indivisible", "indi..."},
        {8, "abc\xc3\xbc\xc3\xbc\xc3\xbc", "abc..."},
        {4, "abcd", "..."},
        {4, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char to[32];
        memset(to, 'x', sizeof to);
        text_shorten(to, cases[i].size, cases[i].from);
        assert_string_equal(to, cases[i].to);
    }
}

static void test_numbers(void **state)
{
    uint64_t value = 7;
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "a", "18446744073709551616", "99999999999999999999", "1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_to_u64(bad[i], UINT64_MAX, &value));
    assert_int_equal(value, 7);
    assert_true(text_to_u64("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(text_to_u64("0", 0, &value));
    assert_int_equal(value, 0);
    assert_false(text_to_u64("1", 0, &value));
    assert_true(text_to_u64("007", 7, &value));
    assert_int_equal(value, 7);
    assert_false(text_to_u64("8", 7, &value));
    assert_true(text_to_u64("65535", 65535, &value));
    assert_false(text_to_u64("65536", 65535, &value));
}

static void test_suggestions(void **state)
{
    static const char *const keys[] = {"interval", "timeout", "passes"};
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("abc", ""), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_string_equal(text_nearest("timout", keys, 3), "timeout");
    assert_string_equal(text_nearest("intervall", keys, 3), "interval");
    assert_null(text_nearest("zebra", keys, 3));
    assert_null(text_nearest("timeout", keys, 0));
    char longest[80];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(text_distance(longest, "a"), 64);
}

static void check_sanitised(const char *dirty, const char *clean)
{
    char copy[64];
    assert_true(text_copy(copy, sizeof copy, dirty));
    text_sanitise(copy);
    assert_string_equal(copy, clean);
}

static void test_is_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "plain\n",
                                       "gr\xc3\xbcn",
                                       "\xdf\xa0",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\xff",
                                      "\xc0\xaf",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xed\xa0\x80",
                                      "\xe0\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xc2\x9b",
                                      "a\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_false(text_is_utf8("\xc3\xbc", 1)); /* what follows is not its own */
    assert_true(text_is_utf8("a\0b", 3));
}

static void test_sanitise(void **state)
{
    check_sanitised("plain\ttext", "plain\ttext");
    check_sanitised("\x1b[31mred", "?[31mred");
    check_sanitised("a\nb\rc\x7f", "a?b?c?");
    check_sanitised("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    check_sanitised("\xc3", "?");                /* cut off */
    check_sanitised("\xe2\x82", "??");           /* cut off */
    check_sanitised("\xc0\xaf", "??");           /* overlong '/' */
    check_sanitised("\xe0\x80\xaf", "???");      /* overlong */
    check_sanitised("\xed\xa0\x80", "???");      /* surrogate */
    check_sanitised("\xf4\x90\x80\x80", "????"); /* above U+10FFFF */
    check_sanitised("\xf5\x80\x80\x80", "????");
    check_sanitised("\xc2\x9b"
                    "31m",
                    "??31m"); /* C1 control: CSI */
    check_sanitised("\x80\xff"
                    "a",
                    "??a");
}

/* RFC 3720 B.4 */
static void test_crc32c(void **state)
{
    unsigned char bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x62a8ab43u);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x46dd794eu);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c("", 0), 0);
}

/* In pieces of any length, at any address, as bit by bit. */
static void test_crc32c_in_pieces(void **state)
{
    unsigned char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t from = 0; from < 9; from++) {
        uint32_t slow = 0xffffffffu;
        for (size_t i = from; i < sizeof bytes; i++) {
            slow ^= bytes[i];
            for (int bit = 0; bit < 8; bit++)
                slow = (slow >> 1) ^ (0x82f63b78u & (0u - (slow & 1u)));
        }
        assert_int_equal(crc32c(bytes + from, sizeof bytes - from), ~slow);
        for (size_t cut = from; cut <= sizeof bytes; cut++)
            assert_int_equal(crc32c_add(crc32c(bytes + from, cut - from), bytes + cut, sizeof bytes - cut), ~slow);
    }
    assert_int_equal(crc32c_add(0, NULL, 0), 0);
}

static void test_error_texts(void **state)
{
    struct error err = {0};
    assert_int_equal(error_errno(&err, ENOENT, "open %s", "/x"), -ENOENT);
    assert_string_equal(err.text, "open /x: No such file or directory");
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(error_prefix(&err, "zone %s", "web/blue"), -ENOENT);
    assert_string_equal(err.text, "zone web/blue: open /x: No such file or directory");
    assert_int_equal(error_suffix(&err, "; make it"), -ENOENT);
    assert_string_equal(err.text, "zone web/blue: open /x: No such file or directory; make it");
    assert_int_equal(error_set(&err, EINVAL, "bad %d", 1), -EINVAL);
    assert_string_equal(err.text, "bad 1");
    assert_int_equal(error_set(NULL, EINVAL, "bad"), -EINVAL);
    assert_int_equal(error_errno(NULL, EPERM, "bad"), -EPERM);
    assert_int_equal(error_prefix(NULL, "bad"), -EIO);
    assert_int_equal(error_suffix(NULL, "bad"), -EIO);
}

/* A library that fails and leaves errno 0; a caller that adds to what nobody has set. */
static void test_an_error_is_never_a_success(void **state)
{
    struct error err = {0};
    assert_int_equal(error_errno(&err, 0, "ask"), -EIO);
    assert_int_equal(err.code, EIO);
    assert_string_equal(err.text, "ask: Input/output error");
    assert_int_equal(error_errno(NULL, 0, "ask"), -EIO);
    assert_int_equal(error_set(&err, 0, "no answer"), -EIO);
    assert_int_equal(err.code, EIO);
    assert_int_equal(error_prefix(&(struct error){0}, "before"), -EIO);
    assert_int_equal(error_suffix(&(struct error){0}, "behind"), -EIO);
}

static void test_index(void **state)
{
    static const char *const words[] = {"blue", "green", ""};
    assert_int_equal(text_index("blue", words, 3), 0);
    assert_int_equal(text_index("green", words, 3), 1);
    assert_int_equal(text_index("", words, 3), 2);
    assert_int_equal(text_index("", words, 2), -1);
    assert_int_equal(text_index("Blue", words, 3), -1);
    assert_int_equal(text_index("blu", words, 3), -1);
    assert_int_equal(text_index("blues", words, 3), -1);
    assert_int_equal(text_index("blue", words, 0), -1);
}

static void test_error_texts_are_cut(void **state)
{
    struct error err = {0};
    char longest[2 * ERROR_TEXT_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    error_errno(&err, EIO, "%s", longest);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_prefix(&err, "before");
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_true(text_starts_with(err.text, "before: xxx"));
    error_prefix(&err, "%s", longest);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_suffix(&err, "behind");
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_comparing),
        cmocka_unit_test(test_copy_and_trim),
        cmocka_unit_test(test_shorten),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_is_utf8),
        cmocka_unit_test(test_sanitise),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_crc32c_in_pieces),
        cmocka_unit_test(test_error_texts),
        cmocka_unit_test(test_an_error_is_never_a_success),
        cmocka_unit_test(test_error_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
