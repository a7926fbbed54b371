/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text in a body, wherever the body is cut into pieces. */
#include "probe/search.c" /* the probe's own files are in no library */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool found_in_pieces(const char *body, size_t length, const char *wanted, size_t piece)
{
    struct search search;
    search_begin(&search, wanted);
    for (size_t at = 0; at < length; at += piece)
        search_add(&search, body + at, length - at < piece ? length - at : piece);
    return search.found;
}

static void test_nothing_is_found_at_once(void **state)
{
    struct search search;
    (void)state;
    search_begin(&search, "");
    assert_true(search.found);
    search_begin(&search, "x");
    assert_false(search.found);
}

static void test_every_cut(void **state)
{
    static const char body[] = "<p>Sign\0 up</p><p>SigSign in</p>";
    (void)state;
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        assert_true(found_in_pieces(body, sizeof body - 1, "Sign in", piece));
        assert_true(found_in_pieces(body, sizeof body - 1, "<", piece));
        assert_true(found_in_pieces(body, sizeof body - 1, "</p>", piece));
        assert_false(found_in_pieces(body, sizeof body - 1, "sign in", piece));
        assert_false(found_in_pieces(body, sizeof body - 1, "Sign up", piece));
        assert_false(found_in_pieces(body, sizeof body - 1, "Sign in</p>.", piece));
    }
}

static void test_the_longest(void **state)
{
    char wanted[TEST_CONTAINS_MAX + 1], body[1000];
    (void)state;
    memset(wanted, 'a', TEST_CONTAINS_MAX);
    wanted[TEST_CONTAINS_MAX] = '\0';
    memset(body, 'a', sizeof body);
    for (size_t i = TEST_CONTAINS_MAX - 1; i < sizeof body; i += TEST_CONTAINS_MAX)
        body[i] = 'b';
    for (size_t piece = 1; piece < 300; piece++)
        assert_false(found_in_pieces(body, sizeof body, wanted, piece));
    body[TEST_CONTAINS_MAX - 1] = 'a';
    for (size_t piece = 1; piece < 300; piece++)
        assert_true(found_in_pieces(body, sizeof body, wanted, piece));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_found_at_once),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
