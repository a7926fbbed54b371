/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of a hook's output: its end, in whole lines that a terminal can be shown. */
#include "agent/hook.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct hook_output output;
    int writer;
    char text[HOOK_OUTPUT_MAX + 1];
};

static void open_output(struct fixture *fixture)
{
    struct error err = {0};
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(loop_new(&fixture->loop, &err), 0);
    assert_int_equal(hook_output_open(&fixture->output, fixture->loop, getuid(), getgid(), &fixture->writer, &err), 0);
}

static const char *close_output(struct fixture *fixture)
{
    close(fixture->writer);
    hook_output_close(&fixture->output);
    hook_output_text(&fixture->output, fixture->text);
    loop_free(fixture->loop);
    return fixture->text;
}

static const char *shown(struct fixture *fixture, const char *bytes, size_t length)
{
    open_output(fixture);
    assert_int_equal(write(fixture->writer, bytes, length), (ssize_t)length);
    return close_output(fixture);
}

#define SHOWN(literal) shown(&fixture, literal, sizeof(literal) - 1)

static void test_lines(void **state)
{
    struct fixture fixture;
    (void)state;
    assert_string_equal(SHOWN(""), "");
    assert_string_equal(SHOWN("\n\n"), "");
    assert_string_equal(SHOWN("one"), "one");
    assert_string_equal(SHOWN("one\ntwo\n"), "one\ntwo");
    assert_string_equal(SHOWN("\n\none\n\n\ntwo\r\nthree\n\n"), "one\ntwo\nthree");
    assert_string_equal(SHOWN("10%\r20%\r30%"), "10%\n20%\n30%");
    assert_string_equal(hook_last_line("one\ntwo"), "two");
    assert_string_equal(hook_last_line("one"), "one");
    assert_string_equal(hook_last_line(""), "");
}

static void test_hostile_bytes(void **state)
{
    struct fixture fixture;
    (void)state;
    assert_string_equal(SHOWN("a\x1b[31mb\nc\0d\n\xff\xc3\xa9\x7f"), "a?[31mb\nc?d\n?\xc3\xa9?");
}

static void test_only_the_end_is_kept(void **state)
{
    struct fixture fixture;
    char line[32];
    (void)state;
    open_output(&fixture);
    for (int i = 0; i < 4000; i++) { /* 48 kB: what a pipe holds */
        int length = snprintf(line, sizeof line, "line %06d\n", i);
        assert_int_equal(write(fixture.writer, line, (size_t)length), length);
    }
    const char *text = close_output(&fixture);
    assert_true(strlen(text) <= HOOK_OUTPUT_MAX);
    assert_true(strlen(text) > HOOK_OUTPUT_MAX - 20);
    assert_memory_equal(text, "line ", 5); /* no half line in front */
    assert_string_equal(hook_last_line(text), "line 003999");
}

static void test_one_line_longer_than_that(void **state)
{
    static char bytes[HOOK_OUTPUT_MAX * 2];
    struct fixture fixture;
    (void)state;
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(strlen(shown(&fixture, bytes, sizeof bytes)), HOOK_OUTPUT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_only_the_end_is_kept),
        cmocka_unit_test(test_one_line_longer_than_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
