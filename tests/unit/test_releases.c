/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Releases on the disk: names, the lines that tell of them, and which of them go. */
#include "model/releases.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LONGEST "a123456789b123456789c123456789d123456789e123456789f123456789g123"

static void expect_name(const char *name, int kind, const char *release)
{
    enum release_kind found = RELEASE_KINDS;
    char of[RELEASE_NAME_MAX + 1] = "", again[RELEASE_ENTRY_MAX];
    bool is = release_entry_parse(name, &found, of);
    if (is != (kind >= 0))
        fail_msg("\"%s\" was %s", name, is ? "taken" : "not taken");
    if (kind < 0)
        return;
    assert_int_equal(found, kind);
    assert_string_equal(of, release);
    assert_string_equal(release_entry_name(found, of, again), name);
}

static void test_names(void **state)
{
    (void)state;
    expect_name("v1", RELEASE_WHOLE, "v1");
    expect_name("v1.new", RELEASE_WHOLE, "v1.new");
    expect_name(".v1.new", RELEASE_NEW, "v1");
    expect_name(".v1.old", RELEASE_OLD, "v1");
    expect_name(".v1.old.new", RELEASE_NEW, "v1.old");
    expect_name("." LONGEST ".new", RELEASE_NEW, LONGEST);
    expect_name(LONGEST, RELEASE_WHOLE, LONGEST);
    expect_name(LONGEST "4", -1, NULL);
    expect_name("." LONGEST "4.old", -1, NULL);
    static const char *const others[] = {"",        ".",        "..",   ".new",     "..new",    ".old",
                                         ".hidden", ".v1.new~", ".v1",  "-v1",      "..v1.new", ".-.new",
                                         "v 1",     "v/1",      "v1\n", ".v/1.new", ".v1new",   ".v1.New"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect_name(others[i], -1, NULL);
}

static void parse(const char *text, struct release_list *list)
{
    struct error err = {0};
    if (releases_parse(text, strlen(text), list, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static void test_lines(void **state)
{
    (void)state;
    CLEANUP_RELEASES struct release_list list = {0};
    CLEANUP_TEXT struct text text = {0};
    struct release_entry entries[] = {{.kind = RELEASE_WHOLE, .name = "v1", .unix_ms = 1000},
                                      {.kind = RELEASE_OLD, .name = LONGEST, .unix_ms = RELEASE_UNIX_MS_MAX},
                                      {.kind = RELEASE_NEW, .name = "v1", .unix_ms = 0}};
    for (size_t i = 0; i < 3; i++)
        releases_format(&entries[i], &text);
    parse(text.data, &list);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, LONGEST);
    assert_int_equal(list.items[0].kind, RELEASE_OLD);
    assert_true(list.items[0].unix_ms == RELEASE_UNIX_MS_MAX);
    assert_int_equal(list.items[1].kind, RELEASE_WHOLE);
    assert_true(list.items[1].unix_ms == 1000);
    assert_int_equal(list.items[2].kind, RELEASE_NEW);
    parse("", &list);
    assert_int_equal(list.count, 0);
}

static void test_other_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {"whole 1 v1",
                                      "whole 1 v1\nwhole 2",
                                      "whole 1\n",
                                      "\n",
                                      "half 1 v1\n",
                                      "whole x v1\n",
                                      "whole -1 v1\n",
                                      "whole 1 ../v1\n",
                                      "whole 1 .v1\n",
                                      "whole 1 v1 v2\n",
                                      "whole 253402300799001 v\n",
                                      "whole  1 v1\n",
                                      "whole 1 " LONGEST "4\n",
                                      " whole 1 v1\n",
                                      "whole 1 v1\r\n"};
    CLEANUP_RELEASES struct release_list list = {0};
    parse("whole 1 kept\n", &list);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        if (releases_parse(bad[i], strlen(bad[i]), &list, &err) != -EPROTO)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(list.items[0].name, "kept");
    }
    struct error err = {0};
    assert_int_equal(releases_parse("whole 1 v\0"
                                    "1\n",
                                    12, &list, &err),
                     -EPROTO);
    CLEANUP_TEXT struct text many = {0};
    for (int i = 0; i <= RELEASES_MAX; i++)
        text_addf(&many, "whole %d v%d\n", i, i);
    assert_int_equal(releases_parse(many.data, many.length, &list, &err), -EPROTO);
}

/* What goes, in its order, with a blank behind each. */
static void expect_gone(const char *text, size_t keep, const char *held, const char *gone)
{
    CLEANUP_RELEASES struct release_list list = {0};
    CLEANUP_WORDS struct words words = {0};
    char copy[128], found[256] = "";
    snprintf(copy, sizeof copy, "%s", held);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        words_add(&words, word);
    parse(text, &list);
    size_t count = releases_choose(&list, keep, &words), marked = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (!list.items[i].goes)
            continue;
        marked++;
        strcat(strcat(found, list.items[i].name), " ");
    }
    assert_string_equal(found, gone);
    assert_int_equal(count, marked);
}

static void test_choice(void **state)
{
    (void)state;
    static const char five[] = "whole 3 v3\nwhole 1 v1\nwhole 5 v5\nwhole 2 v2\nwhole 4 v4\n";
    expect_gone(five, 5, "", "");
    expect_gone(five, 9, "", "");
    expect_gone(five, 2, "", "v3 v2 v1 ");
    expect_gone(five, 2, "v1", "v3 v2 ");    /* what is held stays, however old */
    expect_gone(five, 2, "v5", "v3 v2 v1 "); /* and takes its place among the newest */
    expect_gone(five, 1, "v1 v2 v3 v4 v5 other", "");
    expect_gone(five, 1, "v", "v4 v3 v2 v1 ");                       /* a name, not the beginning of one */
    expect_gone("whole 7 b\nwhole 7 a\nwhole 7 c\n", 1, "", "b a "); /* of one moment: by name */
    /* what is no release is not counted, and does not go this way */
    expect_gone("new 9 v9\nold 8 v8\nwhole 1 v1\nwhole 2 v2\n", 1, "", "v1 ");
    expect_gone("", 1, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_other_lines),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
