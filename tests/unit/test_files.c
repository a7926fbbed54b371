/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, and messages with descriptors. */
#include "base/cleanup.h"
#include "os/files.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/bluegreen-test.XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove(directory, NULL);
}

static void in(char *path, const char *name)
{
    snprintf(path, 128, "%s/%s", directory, name);
}

static void atomic_write_is_read_back_and_replaces(void **state)
{
    char path[128];
    CLEANUP_FREE char *content = NULL;
    size_t length = 0;
    struct error err = {0};
    (void)state;
    in(path, "file");
    assert_int_equal(file_write_atomic(path, 0600, "one", 3, &err), 0);
    assert_int_equal(file_write_atomic(path, 0640, "three", 5, &err), 0);
    assert_int_equal(file_read(path, 100, &content, &length, &err), 0);
    assert_int_equal(length, 5);
    assert_string_equal(content, "three");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void reading_names_file_and_cause(void **state)
{
    char path[128];
    char *content = NULL;
    struct error err = {0};
    (void)state;
    in(path, "missing");
    assert_int_equal(file_read(path, 100, &content, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file"));
    in(path, "long");
    assert_int_equal(file_write_atomic(path, 0600, "0123456789", 10, &err), 0);
    assert_int_equal(file_read(path, 9, &content, NULL, &err), -EFBIG);
    assert_null(content);
}

static void a_failed_atomic_write_leaves_the_old_file(void **state)
{
    char path[128], blocker[128];
    CLEANUP_FREE char *content = NULL;
    struct error err = {0};
    (void)state;
    in(path, "kept");
    in(blocker, "kept.new");
    assert_int_equal(file_write_atomic(path, 0600, "old", 3, &err), 0);
    assert_int_equal(mkdir(blocker, 0700), 0); /* the temporary file cannot be made */
    assert_true(file_write_atomic(path, 0600, "new", 3, &err) < 0);
    assert_int_equal(file_read(path, 100, &content, NULL, &err), 0);
    assert_string_equal(content, "old");
}

static void trees_are_made_and_removed_without_following_links(void **state)
{
    char path[128], link[128], outside[128];
    struct error err = {0};
    (void)state;
    in(path, "a/b/c");
    in(outside, "outside");
    assert_int_equal(directory_make(path, 0700, &err), 0);
    assert_int_equal(directory_make(path, 0700, &err), 0);
    assert_int_equal(file_write_atomic(outside, 0600, "x", 1, &err), 0);
    in(link, "a/b/link");
    assert_int_equal(symlink("../../outside", link), 0);
    in(path, "a");
    assert_int_equal(directory_remove(path, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(outside, F_OK), 0);
    assert_int_equal(directory_remove(path, &err), 0);
    assert_int_equal(directory_make(outside, 0700, &err), -ENOTDIR);
}

static void a_tail_is_the_last_lines_made_safe(void **state)
{
    char path[128], tail[64];
    struct error err = {0};
    (void)state;
    in(path, "log");
    const char text[] = "first\nsecond\x1b[31m\nthi\0rd\xff\n\n";
    assert_int_equal(file_write_atomic(path, 0600, text, sizeof text - 1, &err), 0);
    assert_int_equal(file_tail(path, 0, 2, tail, sizeof tail), 0);
    assert_string_equal(tail, "second?[31m\nthi?rd?");
    assert_int_equal(file_tail(path, 0, 1, tail, sizeof tail), 0);
    assert_string_equal(tail, "thi?rd?");
    assert_int_equal(file_tail(path, 0, 9, tail, 16), 0); /* cut in the middle of a line: that line is left out */
    assert_string_equal(tail, "thi?rd?");
    assert_int_equal(file_tail(path, 6, 9, tail, sizeof tail), 0); /* without what stood there before */
    assert_string_equal(tail, "second?[31m\nthi?rd?");
    assert_int_equal(file_tail(path, sizeof text - 1, 9, tail, sizeof tail), 0);
    assert_string_equal(tail, "");
    assert_int_equal(file_tail(path, sizeof text, 9, tail, sizeof tail), 0); /* rotated meanwhile: all is new */
    assert_string_equal(tail, "first\nsecond?[31m\nthi?rd?");
    in(path, "nothing");
    assert_int_equal(file_tail(path, 0, 3, tail, sizeof tail), 0);
    assert_string_equal(tail, "");
}

static void messages_carry_descriptors(void **state)
{
    int pair[2], fds[MESSAGE_FDS_MAX];
    size_t count = 9;
    char buffer[16];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    CLEANUP_FD int null = open("/dev/null", O_RDWR);
    assert_int_equal(message_send(pair[0], "hello", 5, (int[]){null, null}, 2), 0);
    assert_int_equal(message_receive(pair[1], buffer, sizeof buffer, fds, &count), 5);
    assert_int_equal(count, 2);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(message_receive(pair[1], buffer, sizeof buffer, fds, &count), -EAGAIN);
    close(pair[0]);
    assert_int_equal(message_receive(pair[1], buffer, sizeof buffer, fds, &count), 0);
    assert_int_equal(message_send(pair[1], "x", 1, NULL, 0), -EPIPE);
    close(pair[1]);
}

static void a_message_too_long_is_dropped_with_its_descriptors(void **state)
{
    int pair[2], fds[MESSAGE_FDS_MAX];
    size_t count = 9;
    char buffer[4];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    CLEANUP_FD int null = open("/dev/null", O_RDWR);
    int next = dup(null);
    close(next);
    assert_int_equal(message_send(pair[0], "too long", 8, &null, 1), 0);
    assert_int_equal(message_receive(pair[1], buffer, sizeof buffer, fds, &count), -EMSGSIZE);
    assert_int_equal(count, 0);
    int again = dup(null);
    assert_int_equal(again, next); /* nothing stayed open */
    close(again);
    close(pair[0]);
    close(pair[1]);
}

static void the_last_words_of_a_peer_that_did_not_listen_are_read(void **state)
{
    int pair[2];
    char buffer[8];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(message_send(pair[0], "unread", 6, NULL, 0), 0);
    assert_int_equal(message_send(pair[1], "last", 4, NULL, 0), 0);
    close(pair[1]);
    assert_int_equal(message_receive(pair[0], buffer, sizeof buffer, NULL, NULL), 4);
    assert_memory_equal(buffer, "last", 4);
    assert_int_equal(message_receive(pair[0], buffer, sizeof buffer, NULL, NULL), 0);
    close(pair[0]);
}

static void starting_what_is_not_there_says_so(void **state)
{
    struct process process;
    struct error err = {0};
    char path[] = "/nonexistent/program";
    (void)state;
    assert_int_equal(process_start((char *[]){path, NULL}, &process, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
}

static void a_role_has_its_channel_as_descriptor_3_and_nothing_else(void **state)
{
    struct process process;
    struct error err = {0};
    char buffer[64];
    char shell[] = "/bin/sh", flag[] = "-c";
    char script[] =
        "exec 4</dev/null; cd /proc/self/fd; echo * >&3"; /* the shell's own: 4 was opened here, * opens one more */
    (void)state;
    CLEANUP_FD int leaked = open("/dev/null", O_RDONLY); /* on purpose without close-on-exec */
    assert_true(leaked > 2);
    assert_int_equal(process_start((char *[]){shell, flag, script, NULL}, &process, &err), 0);
    ssize_t got;
    while ((got = message_receive(process.channel, buffer, sizeof buffer - 1, NULL, NULL)) == -EAGAIN)
        usleep(1000);
    assert_true(got > 0);
    buffer[got] = '\0';
    assert_true(strncmp(buffer, "0 1 2 3 4", 9) == 0);
    assert_true(strlen(buffer) <= sizeof "0 1 2 3 4 5\n");
    process_forget(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(atomic_write_is_read_back_and_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_names_file_and_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_atomic_write_leaves_the_old_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trees_are_made_and_removed_without_following_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tail_is_the_last_lines_made_safe, set_up, tear_down),
        cmocka_unit_test(messages_carry_descriptors),
        cmocka_unit_test(a_message_too_long_is_dropped_with_its_descriptors),
        cmocka_unit_test(the_last_words_of_a_peer_that_did_not_listen_are_read),
        cmocka_unit_test(starting_what_is_not_there_says_so),
        cmocka_unit_test(a_role_has_its_channel_as_descriptor_3_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
