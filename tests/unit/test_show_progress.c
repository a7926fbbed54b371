/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of an operation: added one by one, or written again on a terminal. */
#include "cli/show_progress.c"
#include "cli/terminal.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The library's, which is not linked here. */
const char *bluegreen_colour_name(enum bluegreen_colour colour)
{
    return colour == BLUEGREEN_BLUE ? "blue" : colour == BLUEGREEN_GREEN ? "green" : NULL;
}

/* What a view prints, by way of stdout. */
struct stage {
    struct cli cli;
    struct progress_view view;
    FILE *before;
    char *output;
    size_t length;
};

static void open_stage(struct stage *stage, struct terminal terminal)
{
    *stage = (struct stage){.cli = {.terminal = terminal}, .before = stdout};
    stage->view = (struct progress_view){.cli = &stage->cli, .zone = BLUEGREEN_NONE};
    stdout = open_memstream(&stage->output, &stage->length);
    assert_non_null(stdout);
}

static const char *output(struct stage *stage)
{
    fflush(stdout);
    return stage->output;
}

static void close_stage(struct stage *stage)
{
    fclose(stdout);
    stdout = stage->before;
    free(stage->output);
}

static void step(struct stage *stage, const char *name, const char *text, uint64_t elapsed_ms, uint64_t wait_ms)
{
    struct bluegreen_progress progress = {.step = name,
                                          .zone = BLUEGREEN_GREEN,
                                          .text = text,
                                          .elapsed_ms = elapsed_ms,
                                          .wait_ms = wait_ms,
                                          .waited_ms = wait_ms / 2,
                                          .json = "{}"};
    assert_true(progress_show(&stage->view, &progress));
}

static const struct terminal pipe_end = {.width = 80}, xterm = {.live = true, .colour = true, .width = 80},
                             no_colour = {.live = true, .width = 80};

static void test_bar(void **state)
{
    static const struct {
        uint64_t done, whole;
        const char *text;
        size_t filled;
    } cases[] = {
        {0, 100, "----------", 0},
        {50, 100, "#####-----", 5},
        {99, 100, "#########-", 9},
        {100, 100, "##########", 10},
        {700, 100, "##########", 10},
        {5, 0, "----------", 0},
        {604800000, 604800000, "##########", 10},
    };
    char text[64];
    size_t filled;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(progress_bar(false, 10, cases[i].done, cases[i].whole, text, sizeof text, &filled),
                            cases[i].text);
        assert_int_equal(filled, cases[i].filled);
    }
    assert_int_equal(terminal_columns(progress_bar(true, 10, 1, 2, text, sizeof text, &filled)), 10);
    assert_int_equal(filled, strlen(text) / 2);
    assert_string_equal(progress_bar(true, 10, 1, 2, text, 8, &filled), "\u2501\u2501"); /* no half characters */
}

static void test_left(void **state)
{
    static const struct {
        uint64_t milliseconds;
        const char *text;
    } cases[] = {
        {0, "0s left"},           {1, "1s left"},
        {9000, "9s left"},        {59999, "1m00s left"},
        {725000, "12m05s left"},  {3599000, "59m59s left"},
        {3600000, "1h00m left"},  {86399000, "23h59m left"},
        {86400000, "1d00h left"}, {604800000, "7d00h left"},
    };
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(progress_left(cases[i].milliseconds, text, sizeof text), cases[i].text);
        assert_true(strlen(text) < TIME_WIDTH);
    }
}

/* Elsewhere than on a terminal, and on one without colours: only lines, each once. */
static void test_lines(void **state)
{
    const struct terminal *terminals[] = {&pipe_end, &no_colour};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct stage stage;
        open_stage(&stage, *terminals[i]);
        assert_false(progress_moves(&stage.cli));
        step(&stage, "build", "zone made", 2, 0);
        step(&stage, "health", "1 of 2 passes", 400, 0);
        step(&stage, "health", "1 of 2 passes", 600, 0);
        step(&stage, "health", "2 of 2 passes", 1400, 0);
        assert_true(progress_show(&stage.view, NULL));
        progress_end(&stage.view);
        assert_string_equal(output(&stage),
                            "  build         green  zone made                                           2 ms\n"
                            "  health        green  1 of 2 passes                                      0.4 s\n"
                            "  health        green  2 of 2 passes                                      1.4 s\n");
        close_stage(&stage);
    }
}

static size_t count_of(const char *text, char c)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == c;
    return count;
}

/* A week's bake is no hundred thousand lines, and what was left out is still said in the end. */
static void test_lines_of_a_long_wait(void **state)
{
    struct stage stage;
    char text[64];
    (void)state;
    open_stage(&stage, pipe_end);
    for (uint64_t second = 0; second <= 990; second++) {
        snprintf(text, sizeof text, "0 of %d probes failed", (int)second);
        step(&stage, "bake", text, second * 1000, 1000000);
    }
    assert_null(strstr(output(&stage), "0 of 990 "));
    progress_end(&stage.view);
    assert_non_null(strstr(output(&stage), "0 of 990 "));
    assert_int_equal(count_of(output(&stage), '\n'), 21);
    close_stage(&stage);
    open_stage(&stage, pipe_end);
    step(&stage, "drain", "9 connections open", 0, 30000);
    step(&stage, "drain", "8 connections open", 10, 30000);
    step(&stage, "bake", "well", 20, 30000); /* the next step says how the one before ended */
    assert_int_equal(count_of(output(&stage), '\n'), 3);
    assert_non_null(strstr(output(&stage), "8 connections open"));
    close_stage(&stage);
}

static void test_line_is_written_again(void **state)
{
    struct stage stage;
    (void)state;
    open_stage(&stage, xterm);
    assert_true(progress_moves(&stage.cli));
    step(&stage, "start", "v2 runs", 10, 0);
    step(&stage, "drain", "9 connections open", 60000, 40000);
    step(&stage, "drain", "3 connections open", 60500, 40000);
    assert_int_equal(count_of(output(&stage), '\n'), 1); /* of start */
    assert_non_null(strstr(output(&stage), "\033[32;1m#######\033[0m\033[2m-------\033[0m"));
    assert_non_null(strstr(output(&stage), "20s left\033[K"));
    size_t length = stage.length;
    assert_true(progress_show(&stage.view, NULL)); /* a tick */
    fflush(stdout);
    assert_true(stage.length > length);
    assert_int_equal(stage.output[length], '\r');
    progress_end(&stage.view);
    progress_end(&stage.view);
    assert_int_equal(count_of(output(&stage), '\n'), 2);
    const char *last = strrchr(output(&stage), '\r');
    assert_null(strstr(last, "left")); /* what stays is no bar */
    assert_non_null(strstr(last, "3 connections open"));
    assert_non_null(strstr(last, "1 min 00 s\n"));
    assert_true(progress_show(&stage.view, NULL)); /* nothing is open any more */
    assert_int_equal(count_of(output(&stage), '\n'), 2);
    close_stage(&stage);
}

/* What the eye sees of the last line: everything but what steers the terminal. */
static int visible_columns(const char *output)
{
    const char *line = strrchr(output, '\r');
    int columns = 0;
    for (const char *c = line ? line + 1 : output; *c; c++) {
        if (*c == '\033')
            c += strcspn(c, "mK");
        else
            columns += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return columns;
}

static void test_line_never_wraps(void **state)
{
    char text[300];
    (void)state;
    for (int i = 0; i < 140; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 3);
    for (int width = 40; width <= 200; width++) {
        struct stage stage;
        struct terminal terminal = xterm;
        terminal.width = width;
        terminal.utf8 = width % 2;
        open_stage(&stage, terminal);
        step(&stage, "post-rollback", text, 100, width % 3 ? 604800000 : 0);
        if (visible_columns(output(&stage)) >= width)
            fail_msg("%d columns on a terminal of %d", visible_columns(output(&stage)), width);
        close_stage(&stage);
    }
}

static void test_text_does_not_steer_the_terminal(void **state)
{
    struct stage stage;
    (void)state;
    open_stage(&stage, pipe_end);
    step(&stage, "test", "\033[2Jno\r\xc2\x9b", 1, 0);
    assert_null(strchr(output(&stage), '\033'));
    assert_null(strchr(output(&stage), '\r'));
    assert_non_null(strstr(output(&stage), "?[2Jno??"));
    close_stage(&stage);
}

static void test_json(void **state)
{
    struct stage stage;
    (void)state;
    open_stage(&stage, xterm);
    stage.cli.json = true;
    assert_false(progress_moves(&stage.cli));
    step(&stage, "bake", "well", 1, 1000);
    step(&stage, "bake", "well", 1, 1000);
    assert_true(progress_show(&stage.view, NULL));
    progress_end(&stage.view);
    assert_string_equal(output(&stage), "{}\n{}\n");
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_of_a_long_wait),
        cmocka_unit_test(test_line_is_written_again),
        cmocka_unit_test(test_line_never_wraps),
        cmocka_unit_test(test_text_does_not_steer_the_terminal),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
