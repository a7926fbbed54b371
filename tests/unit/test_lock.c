/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locks and names that another process has, for a moment or for good. */
#include "os/lock.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/bluegreen-test-lock-XXXXXX";

static int setup(void **state)
{
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    return unlink(path);
}

static int open_file(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static socklen_t name_of_test(struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "bluegreen-test-lock-%d", getpid());
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* As between clone and exec: whatever the parent has the child has, too. */
static pid_t make_child(void)
{
    static const struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        nanosleep(&moment, NULL);
        _exit(0);
    }
    return child;
}

static void expect_ended(pid_t child)
{
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_a_child_has_the_file_for_a_moment(void **state)
{
    int first = open_file();
    assert_int_equal(lock_file(first), 0);
    pid_t child = make_child();
    close(first);
    CLEANUP_FD int second = open_file();
    assert_true(flock(second, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
    assert_int_equal(lock_file(second), 0);
    expect_ended(child);
}

static void test_a_child_has_the_name_for_a_moment(void **state)
{
    struct sockaddr_un address;
    socklen_t length = name_of_test(&address);
    int first = new_socket();
    assert_int_equal(lock_name(first, (struct sockaddr *)&address, length), 0);
    pid_t child = make_child();
    close(first);
    CLEANUP_FD int second = new_socket();
    assert_true(bind(second, (struct sockaddr *)&address, length) < 0 && errno == EADDRINUSE);
    assert_int_equal(lock_name(second, (struct sockaddr *)&address, length), 0);
    expect_ended(child);
}

static void test_what_somebody_keeps_is_refused(void **state)
{
    struct sockaddr_un address;
    socklen_t length = name_of_test(&address);
    CLEANUP_FD int file = open_file(), other_file = open_file(), name = new_socket(), other_name = new_socket();
    assert_int_equal(lock_file(file), 0);
    assert_int_equal(lock_file(other_file), -EWOULDBLOCK);
    assert_int_equal(lock_name(name, (struct sockaddr *)&address, length), 0);
    assert_int_equal(lock_name(other_name, (struct sockaddr *)&address, length), -EADDRINUSE);
}

static void test_other_failures_are_not_waited_for(void **state)
{
    struct sockaddr_un address;
    socklen_t length = name_of_test(&address);
    assert_int_equal(lock_file(-1), -EBADF);
    assert_int_equal(lock_name(-1, (struct sockaddr *)&address, length), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_has_the_file_for_a_moment),
        cmocka_unit_test(test_a_child_has_the_name_for_a_moment),
        cmocka_unit_test(test_what_somebody_keeps_is_refused),
        cmocka_unit_test(test_other_failures_are_not_waited_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
