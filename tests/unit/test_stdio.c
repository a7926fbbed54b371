/* SPDX-License-Identifier: GPL-2.0-or-later */
/* os/stdio: pipes and terminals for a process, and whether all of them are closed again. */
#include "os/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void assert_connected(int from, int to)
{
    char got[8] = "";
    assert_int_equal(write(from, "word\n", 5), 5);
    assert_int_equal(read(to, got, sizeof got - 1), 5);
    assert_string_equal(got, "word\n");
}

static struct stdio_wish wish(void)
{
    return (struct stdio_wish){.uid = getuid(), .gid = getgid()};
}

static void assert_close_on_exec(const struct stdio *stdio)
{
    for (int i = 0; i < STDIO_STREAMS; i++) {
        assert_int_equal(fcntl(stdio->far[i], F_GETFD), FD_CLOEXEC);
        assert_true(stdio->near[i] < 0 || fcntl(stdio->near[i], F_GETFD) == FD_CLOEXEC);
    }
}

static void test_pipes(void **state)
{
    (void)state;
    for (int merge = 0; merge < 2; merge++) {
        int before = open_descriptors();
        struct stdio stdio;
        struct stdio_wish wished = wish();
        wished.merge = merge;
        assert_int_equal(stdio_open(&wished, &stdio, NULL), 0);
        assert_close_on_exec(&stdio);
        assert_connected(stdio.near[0], stdio.far[0]);
        assert_connected(stdio.far[1], stdio.near[1]);
        if (merge) {
            assert_int_equal(stdio.near[2], -1);
            assert_connected(stdio.far[2], stdio.near[1]);
        } else {
            assert_connected(stdio.far[2], stdio.near[2]);
        }
        stdio_close(&stdio);
        assert_int_equal(open_descriptors(), before);
        stdio_close(&stdio); /* once more does no harm */
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_terminal(void **state)
{
    (void)state;
    for (int merge = 0; merge < 2; merge++) {
        int before = open_descriptors();
        struct stdio stdio;
        struct winsize size;
        struct termios modes;
        struct stdio_wish wished = wish();
        wished.terminal = true;
        wished.merge = merge;
        wished.rows = 33;
        wished.columns = 99;
        assert_int_equal(stdio_open(&wished, &stdio, NULL), 0);
        assert_close_on_exec(&stdio);
        assert_true(isatty(stdio.far[0]) && isatty(stdio.far[1]) && isatty(stdio.far[2]) == merge);
        assert_int_equal(ioctl(stdio.far[0], TIOCGWINSZ, &size), 0);
        assert_int_equal(size.ws_row, 33);
        assert_int_equal(size.ws_col, 99);
        assert_int_equal(tcgetattr(stdio.far[0], &modes), 0);
        assert_true(modes.c_iflag & IUTF8);
        assert_true(modes.c_lflag & ECHO);
        assert_connected(stdio.near[0], stdio.far[0]);
        assert_int_equal(stdio.near[1], -1);
        if (!merge)
            assert_connected(stdio.far[2], stdio.near[2]);
        stdio_close(&stdio);
        assert_int_equal(open_descriptors(), before);
    }
}

/* Whose they are; who is not root cannot give them away, and keeps nothing. */
static void test_owner(void **state)
{
    (void)state;
    int before = open_descriptors();
    struct stdio stdio;
    struct stat status;
    struct stdio_wish wished = {.uid = 4321, .gid = 4322, .terminal = true};
    int result = stdio_open(&wished, &stdio, NULL);
    if (result == 0) {
        for (int i = 0; i < STDIO_STREAMS; i++) {
            assert_int_equal(fstat(stdio.far[i], &status), 0);
            assert_int_equal(status.st_uid, 4321);
            assert_int_equal(status.st_gid, 4322);
        }
        stdio_close(&stdio);
    } else {
        assert_int_equal(result, -EPERM);
    }
    assert_int_equal(open_descriptors(), before);
}

/* With ever fewer descriptors to be had. */
static void test_no_descriptors(void **state)
{
    (void)state;
    struct rlimit former, limit;
    int before = open_descriptors(), first = dup(0), failures = 0;
    close(first);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    for (int more = 0; more < 6; more++) {
        for (int terminal = 0; terminal < 2; terminal++) {
            struct stdio stdio;
            struct error err = {0};
            struct stdio_wish wished = wish();
            wished.terminal = terminal;
            limit = (struct rlimit){.rlim_cur = (rlim_t)(first + more), .rlim_max = former.rlim_max};
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
            int result = stdio_open(&wished, &stdio, &err);
            if (result == 0)
                stdio_close(&stdio);
            else
                assert_non_null(strstr(err.text, terminal ? "terminal" : "pipes"));
            failures += result < 0;
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
            assert_int_equal(open_descriptors(), before);
        }
    }
    assert_true(failures >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
