/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `bluegreen logs` reads of times and logs: since.c and log_range.c. */
#include "cli/log_range.c"
#include "cli/since.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#define NOW 1763869080123u /* 2025-11-23T03:38:00.123Z */

static void test_since(void **state)
{
    static const struct {
        const char *text;
        uint64_t unix_ms; /* 0: is no time */
    } cases[] = {
        {"10m", NOW - 600000},
        {"90s", NOW - 90000},
        {"1h30m", NOW - 5400000},
        {"2d", NOW - 172800000},
        {"1w", NOW - 604800000},
        {"0s", NOW},
        {"@1763869000", 1763869000000},
        {"@1763869000.5", 1763869000500},
        {"@1763869000.1239", 1763869000123},
        {"2025-11-23", 1763856000000},
        {"2025-11-23 03:00", 1763866800000},
        {"2025-11-23 03:00:05", 1763866805000},
        {"2025-11-23T03:00:05Z", 1763866805000},
        {"2025-11-23T03:38:00.123Z", NOW},
        {"03:00", 1763866800000},
        {"03:00:05", 1763866805000},
        {"", 0},
        {"10", 0},
        {"m", 0},
        {"10x", 0},
        {"-10m", 0},
        {"10m ", 0},
        {"1000000w", 0}, /* before 1970 */
        {"99999999999999999999s", 0},
        {"@", 0},
        {"@-1", 0},
        {"@1.", 0},
        {"@1x", 0},
        {"2025-13-23", 0},
        {"2025-11-23 3", 0},
        {"2025-11-23 03:00 CET", 0},
        {"2025-11-23T03:00:05.", 0},
        {"1960-01-01", 0},
        {"yesterday", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t read = 0;
        bool valid = since_parse(cases[i].text, NOW, &read);
        if (valid != (cases[i].unix_ms != 0) || (valid && read != cases[i].unix_ms))
            fail_msg("\"%s\" is %s, %llu", cases[i].text, valid ? "a time" : "none", (unsigned long long)read);
    }
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t milliseconds; /* 0: none */
    } cases[] = {
        {"1s", 1000}, {"90s", 90000}, {"1h30m", 5400000}, {"1d", 86400000}, {"2w1s", 1209601000},
        {"0s", 0},    {"", 0},        {"10", 0},          {"s", 0},         {"1s ", 0},
        {"-1s", 0},   {"1.5s", 0},    {"5x", 0},          {"1s2", 0},       {"99999999999999s", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t read = 0;
        bool valid = duration_parse(cases[i].text, &read);
        if (valid != (cases[i].milliseconds != 0) || (valid && read != cases[i].milliseconds))
            fail_msg("\"%s\" is %s, %llu", cases[i].text, valid ? "a time" : "none", (unsigned long long)read);
    }
}

static void test_since_is_local(void **state)
{
    uint64_t read;
    (void)state;
    setenv("TZ", "CET-1", 1);
    tzset();
    assert_true(since_parse("2025-11-23 04:00", NOW, &read));
    assert_int_equal(read, 1763866800000);
    assert_true(since_parse("2025-11-23T03:00:00Z", NOW, &read));
    assert_int_equal(read, 1763866800000);
    setenv("TZ", "UTC", 1);
    tzset();
}

/* --- ranges --------------------------------------------------------------------------------------------------- */

static int memory_file(const void *bytes, size_t length)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    return fd;
}

static int index_of(int log, const struct bluegreen_log_mark *marks, size_t count)
{
    struct bluegreen_log_head head = {.magic = "BGINDEX1", .span_ms = 1000};
    struct stat status;
    assert_int_equal(fstat(log, &status), 0);
    head.inode = status.st_ino;
    int fd = memory_file(&head, sizeof head);
    assert_int_equal(write(fd, marks, count * sizeof *marks), count * sizeof *marks);
    return fd;
}

static struct bluegreen_logs logs_of(const char *old, const char *now)
{
    return (struct bluegreen_logs){.old_log = old ? memory_file(old, strlen(old)) : -1,
                                   .log = now ? memory_file(now, strlen(now)) : -1,
                                   .old_index = -1,
                                   .index = -1};
}

static void free_logs(const struct bluegreen_logs *logs)
{
    close(logs->old_log);
    close(logs->log);
    close(logs->old_index);
    close(logs->index);
}

static void assert_last(const char *old, const char *now, uint64_t lines, const char *expected)
{
    struct bluegreen_logs logs = logs_of(old, now);
    struct log_range range;
    char shown[256] = "";
    assert_true(log_range_open(&range, &logs));
    log_range_last(&range, lines);
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(shown);
        ssize_t got = range.files[i].fd < 0
                          ? 0
                          : pread(range.files[i].fd, shown + length, sizeof shown - 1 - length, (off_t)range.from[i]);
        shown[length + (size_t)(got > 0 ? got : 0)] = '\0';
    }
    if (strcmp(shown, expected) != 0)
        fail_msg("the last %llu of \"%s\" + \"%s\" are \"%s\", not \"%s\"", (unsigned long long)lines, old ? old : "",
                 now ? now : "", shown, expected);
    log_range_close(&range);
    free_logs(&logs);
}

static void test_last_lines(void **state)
{
    (void)state;
    assert_last(NULL, "a\nb\nc\n", 2, "b\nc\n");
    assert_last(NULL, "a\nb\nc", 2, "b\nc"); /* the last one is not ended yet */
    assert_last(NULL, "a\nb\nc\n", 3, "a\nb\nc\n");
    assert_last(NULL, "a\nb\nc\n", 9, "a\nb\nc\n");
    assert_last(NULL, "a\nb\nc\n", 0, "");
    assert_last(NULL, "\n\n\n", 2, "\n\n");
    assert_last(NULL, "", 2, "");
    assert_last(NULL, NULL, 2, "");
    assert_last("a\nb\n", "c\nd\n", 1, "d\n");
    assert_last("a\nb\n", "c\nd\n", 2, "c\nd\n");
    assert_last("a\nb\n", "c\nd\n", 3, "b\nc\nd\n");
    assert_last("a\nb\n", "c\nd\n", 4, "a\nb\nc\nd\n");
    assert_last("a\nb", "c\nd\n", 2, "bc\nd\n"); /* rotated in the middle of a line */
    assert_last("a\nb", "c\nd\n", 3, "a\nbc\nd\n");
    assert_last("a\nb\n", "", 1, "b\n");
    assert_last("a\nb\n", NULL, 1, "b\n");
}

static void test_since_in_logs(void **state)
{
    static const struct bluegreen_log_mark old_marks[] = {{10000, 0}, {20000, 3}}, marks[] = {{30000, 0}, {40000, 3}};
    static const struct {
        uint64_t since, old_from, from;
    } cases[] = {
        {0, 0, 0},     {11000, 0, 0}, {11001, 4, 0}, {21000, 4, 0}, {21001, 6, 0},
        {31000, 6, 0}, {31001, 6, 4}, {41000, 6, 4}, {41001, 6, 6},
    };
    (void)state;
    struct bluegreen_logs logs = logs_of("a\nb\nc\n", "d\ne\nf\n"); /* a mark in the middle of a line: the next one */
    logs.index = index_of(logs.old_log, old_marks, 2); /* renamed between the two opens: told apart by the inode */
    logs.old_index = index_of(logs.log, marks, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_range range;
        assert_true(log_range_open(&range, &logs));
        log_range_since(&range, cases[i].since);
        assert_false(range.times_unknown);
        assert_int_equal(range.from[LOG_OLD], cases[i].old_from);
        assert_int_equal(range.from[LOG_NOW], cases[i].from);
        log_range_close(&range);
    }
    free_logs(&logs);
}

static void test_times(void **state)
{
    static const struct bluegreen_log_mark marks[] = {{10000, 5}, {20000, 7}, {30000, 9}};
    const struct log_file file = {.marks = (struct bluegreen_log_mark *)(uintptr_t)marks, .count = 3};
    static const uint64_t times[] = {0, 0, 0, 0, 0, 10000, 10000, 20000, 20000, 30000, 30000};
    static const uint64_t untils[] = {5, 5, 5, 5, 5, 7, 7, 9, 9, UINT64_MAX, UINT64_MAX};
    (void)state;
    for (uint64_t offset = 0; offset < 11; offset++) {
        uint64_t until;
        assert_int_equal(log_time_at(&file, offset, &until), times[offset]);
        assert_int_equal(until, untils[offset]);
    }
}

/* An index of another log, of another form, cut off: as if there were none. */
static void test_no_index(void **state)
{
    static const struct bluegreen_log_mark marks[] = {{10000, 0}};
    struct log_range range;
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct bluegreen_logs logs = logs_of(NULL, "a\nb\n");
        int other = memory_file("x", 1);
        logs.index = i == 0 ? index_of(other, marks, 1) : i == 1 ? memory_file("nonsense", 8) : -1;
        close(other);
        assert_true(log_range_open(&range, &logs));
        log_range_since(&range, 50000);
        assert_true(range.times_unknown);
        assert_int_equal(range.from[LOG_NOW], 0);
        log_range_close(&range);
        free_logs(&logs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_since),      cmocka_unit_test(test_durations),     cmocka_unit_test(test_since_is_local),
        cmocka_unit_test(test_last_lines), cmocka_unit_test(test_since_in_logs), cmocka_unit_test(test_times),
        cmocka_unit_test(test_no_index),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
