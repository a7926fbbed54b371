/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of bluegreen-digest: what the monitor takes, the order of paths, and names that nobody can show. */
#include "model/digest_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct digest_message good(void)
{
    struct digest_message message = {.kind = DIGEST_FILE, .type = 'f', .mode = 0755, .size = 3};
    strcpy(message.path, "bin/web");
    return message;
}

static void test_valid(void **state)
{
    struct digest_message message = good();
    assert_true(digest_message_valid(&message, sizeof message));
    message.error = EACCES;
    assert_true(digest_message_valid(&message, sizeof message));
    message = (struct digest_message){.kind = DIGEST_END};
    assert_true(digest_message_valid(&message, sizeof message));
    message.kind = DIGEST_PROGRESS;
    assert_true(digest_message_valid(&message, sizeof message));
}

static void expect_invalid(struct digest_message message)
{
    assert_false(digest_message_valid(&message, sizeof message));
}

static void test_invalid(void **state)
{
    struct digest_message message = good();
    assert_false(digest_message_valid(&message, sizeof message - 1));
    message.kind = 0;
    expect_invalid(message);
    message.kind = DIGEST_END + 1;
    expect_invalid(message);
    message = good();
    message.type = 'x';
    expect_invalid(message);
    message.type = 0;
    expect_invalid(message);
    message = good();
    message.mode = 010000;
    expect_invalid(message);
    message = good();
    message.error = -1;
    expect_invalid(message);
    message = good();
    message.path[0] = '\0';
    expect_invalid(message);
    strcpy(message.path, "a\nb");
    expect_invalid(message);
    strcpy(message.path, "a\xff");
    expect_invalid(message);
    strcpy(message.path, "a\xc2\x9b"); /* CSI */
    expect_invalid(message);
    memset(message.path, 'a', sizeof message.path); /* without its end */
    expect_invalid(message);
}

/* The order in which a directory's sorted names are walked, depth first. */
static void test_order(void **state)
{
    static const char *const sorted[] = {"a", "a/b", "a/b/c", "a/c", "a b", "a.b", "a0", "aa", "b", "b\xc3\xa4"};
    enum { COUNT = sizeof sorted / sizeof *sorted };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            int order = digest_order(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void expect_encoded(const char *name, const char *encoded)
{
    char path[64] = "x/";
    assert_true(digest_encode(name, path, sizeof path));
    assert_string_equal(path + 2, encoded);
}

static void test_encode(void **state)
{
    expect_encoded("web", "web");
    expect_encoded("a b", "a b");
    expect_encoded("line\nfeed", "line\\x0afeed");
    expect_encoded("back\\slash", "back\\x5cslash");
    expect_encoded("caf\xc3\xa9", "caf\xc3\xa9");
    expect_encoded("caf\xe9", "caf\\xe9");
    expect_encoded("\x1b[2J", "\\x1b[2J");
}

static void test_encode_too_long(void **state)
{
    char path[8] = "abc";
    assert_true(digest_encode("defg", path, sizeof path));
    assert_string_equal(path, "abcdefg");
    assert_false(digest_encode("h", path, sizeof path));
    assert_string_equal(path, "abcdefg");
    strcpy(path, "abc");
    assert_false(digest_encode("d\n", path, sizeof path));
    assert_string_equal(path, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),  cmocka_unit_test(test_invalid),         cmocka_unit_test(test_order),
        cmocka_unit_test(test_encode), cmocka_unit_test(test_encode_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
