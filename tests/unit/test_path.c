/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Absolute paths as text. */
#include "model/path.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_normalising(void **state)
{
    static const struct {
        const char *path, *normal;
    } good[] = {{"/", "/"},           {"//", "/"},
                {"/./.", "/"},        {"/a", "/a"},
                {"/a/", "/a"},        {"//a//b/./c/.", "/a/b/c"},
                {"/.a/b.", "/.a/b."}, {"/..a/...", "/..a/..."},
                {"/a/b..", "/a/b.."}, {"/a /b", "/a /b"}};
    static const char *const bad[] = {"", "a", "./a", "..", "/..", "/../a", "/a/..", "/a/../b", "/a/b/../", "//.."};
    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP_FREE char *path = strdup(good[i].path);
        assert_true(path_normalise(path));
        assert_string_equal(path, good[i].normal);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        CLEANUP_FREE char *path = strdup(bad[i]);
        if (path_normalise(path))
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(path, bad[i]);
    }
}

static void test_being_in(void **state)
{
    assert_true(path_is_in("/a", "/a"));
    assert_true(path_is_in("/a/b/c", "/a"));
    assert_true(path_is_in("/a", "/"));
    assert_true(path_is_in("/", "/"));
    assert_false(path_is_in("/ab", "/a"));
    assert_false(path_is_in("/a", "/a/b"));
    assert_false(path_is_in("/", "/a"));
}

static void test_parents(void **state)
{
    assert_int_equal(path_parent_length("/a/b"), 2);
    assert_int_equal(path_parent_length("/a"), 1);
    assert_int_equal(path_parent_length("/"), 1);
    assert_int_equal(path_parent_length("/a/b/cc"), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalising),
        cmocka_unit_test(test_being_in),
        cmocka_unit_test(test_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
