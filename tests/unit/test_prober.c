/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's side of the probe role. The role is this program again, executed with the name of a
 * way to behave or misbehave; the real one is tested by tests/drivers/probe_driver.c.
 */
#include "health/prober.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* --- the role that is played ------------------------------------------------------------------ */

static bool read_request(struct check_request *request, size_t *sockets)
{
    int fds[MESSAGE_FDS_MAX];
    ssize_t length;
    do {
        poll(&(struct pollfd){.fd = 3, .events = POLLIN}, 1, -1);
        length = message_receive(3, request, sizeof *request, fds, sockets);
    } while (length == -EAGAIN);
    if (length != (ssize_t)sizeof *request)
        return false;
    for (size_t i = 0; i < *sockets; i++)
        close(fds[i]);
    return check_request_valid(request, sizeof *request);
}

static void send_result(uint64_t id, const char *detail)
{
    struct check_result result = {.version = CHECK_VERSION, .id = id};
    result.result.outcome = PROBE_PASS;
    text_copy(result.result.detail, sizeof result.result.detail, detail);
    while (message_send(3, &result, sizeof result, NULL, 0) == -EAGAIN)
        poll(&(struct pollfd){.fd = 3, .events = POLLOUT}, 1, -1);
}

static int echo(void)
{
    struct check_request request;
    size_t sockets;
    char detail[32];
    while (read_request(&request, &sockets)) {
        snprintf(detail, sizeof detail, "port %u, %zu sockets", request.health.port, sockets);
        send_result(request.id, detail);
    }
    return 0;
}

static int play(const char *role)
{
    struct check_request request;
    size_t sockets;
    if (text_equal(role, "slow"))
        usleep(100000); /* the channel fills up meanwhile */
    if (text_equal(role, "echo") || text_equal(role, "slow"))
        return echo();
    if (text_equal(role, "exit"))
        return 5;
    if (!read_request(&request, &sockets))
        return 1;
    if (text_equal(role, "garbage"))
        send(3, "what?", 5, 0);
    else if (text_equal(role, "stranger"))
        send_result(request.id + 1000, "for nobody");
    else if (text_equal(role, "escape"))
        send_result(request.id, "\x1b[2J");
    else if (text_equal(role, "twice")) {
        send_result(request.id, "once");
        send_result(request.id, "and again");
    } else if (text_equal(role, "half")) {
        send_result(request.id, "answered before it died");
        return 5;
    } else if (text_equal(role, "die"))
        return 5;
    pause();
    return 0;
}

/* --- the test's side -------------------------------------------------------------------------- */

enum { RESULTS_MAX = 512 };

static struct {
    struct loop *loop;
    struct prober *prober;
    struct loop_timer *guard;
    struct probe_result results[RESULTS_MAX];
    size_t count, wanted;
    bool in_check, late;
} test;

static char self[256];

static void on_result(void *context, const struct probe_result *result)
{
    (void)context;
    assert_false(test.in_check);
    assert_true(test.count < RESULTS_MAX);
    test.results[test.count++] = *result;
    if (test.count == test.wanted)
        loop_quit(test.loop, 0);
}

static void on_guard(void *context)
{
    (void)context;
    test.late = true;
    loop_quit(test.loop, 0);
}

static void open_prober(const char *role)
{
    struct error err = {0};
    memset(&test, 0, sizeof test);
    assert_int_equal(loop_new(&test.loop, &err), 0);
    test.guard = loop_timer_new(test.loop, on_guard, NULL);
    if (prober_new(test.loop, self, role, &test.prober, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(prober_pid(test.prober) > 0);
}

static void close_prober(void)
{
    prober_free(test.prober);
    loop_timer_free(test.guard);
    loop_free(test.loop);
}

static size_t open_descriptors(void)
{
    CLEANUP_DIR DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    return count;
}

static const struct address target = {.family = 4, .bytes = {192, 0, 2, 1}};

static int try_check(enum health_kind kind, uint16_t port, size_t socket_count, uint64_t *id)
{
    struct health health = {.kind = kind, .port = port, .timeout_ms = 1000, .path = "/"};
    int sockets[MESSAGE_FDS_MAX];
    struct error err = {0};
    for (size_t i = 0; i < socket_count; i++)
        sockets[i] = open("/dev/null", O_RDWR | O_CLOEXEC); /* the played roles only count them */
    test.in_check = true;
    int result = prober_check(test.prober, &health, &target, sockets, socket_count, on_result, NULL, id, &err);
    test.in_check = false;
    if (result < 0)
        assert_true(err.text[0] != '\0');
    return result;
}

static uint64_t check(uint16_t port)
{
    uint64_t id = 0;
    assert_int_equal(try_check(HEALTH_TCP, port, 2, &id), 0);
    assert_int_not_equal(id, 0);
    return id;
}

/* Runs the loop until so many results have come in all; false after 3 s. */
static bool wait_results(size_t wanted)
{
    test.wanted = wanted;
    test.late = false;
    loop_timer_arm(test.guard, 3000);
    if (test.count < wanted)
        loop_run(test.loop);
    loop_timer_disarm(test.guard);
    return !test.late;
}

static void run_for(uint64_t milliseconds)
{
    test.wanted = SIZE_MAX;
    loop_timer_arm(test.guard, milliseconds);
    loop_run(test.loop);
}

/* Waits for a role that is not the one with this pid. */
static void wait_restart(pid_t old)
{
    uint64_t until = clock_monotonic_ms() + 3000;
    while ((prober_pid(test.prober) == 0 || prober_pid(test.prober) == old) && clock_monotonic_ms() < until)
        run_for(10);
    assert_int_not_equal(prober_pid(test.prober), 0);
    assert_int_not_equal(prober_pid(test.prober), old);
}

static void test_results_come_back(void **state)
{
    (void)state;
    size_t before;
    open_prober("echo");
    before = open_descriptors();
    check(80);
    assert_int_equal(test.count, 0); /* never from inside */
    assert_true(wait_results(1));
    assert_int_equal(test.results[0].outcome, PROBE_PASS);
    assert_string_equal(test.results[0].detail, "port 80, 2 sockets");
    assert_int_equal(open_descriptors(), before);
    close_prober();
}

static void test_more_than_the_channel_holds(void **state)
{
    (void)state;
    open_prober("slow");
    size_t before = open_descriptors();
    for (uint16_t i = 0; i < 300; i++)
        check((uint16_t)(1000 + i));
    assert_true(wait_results(300));
    for (size_t i = 0; i < 300; i++) {
        char detail[64];
        snprintf(detail, sizeof detail, "port %zu, 2 sockets", 1000 + i);
        assert_string_equal(test.results[i].detail, detail);
    }
    assert_int_equal(open_descriptors(), before);
    close_prober();
}

static void test_cancelled_checks_stay_silent(void **state)
{
    (void)state;
    open_prober("slow");
    uint64_t ids[100];
    for (uint16_t i = 0; i < 100; i++)
        ids[i] = check((uint16_t)(1000 + i));
    for (int i = 0; i < 100; i += 2) /* some sent, some still waiting */
        prober_cancel(test.prober, ids[i]);
    prober_cancel(test.prober, ids[0]);
    prober_cancel(test.prober, 0);
    prober_cancel(test.prober, UINT64_MAX);
    assert_true(wait_results(50));
    run_for(50);
    assert_int_equal(test.count, 50);
    assert_string_equal(test.results[49].detail, "port 1099, 2 sockets");
    close_prober();
}

static void test_refuses_what_no_probe_can_do(void **state)
{
    (void)state;
    uint64_t id;
    open_prober("echo");
    size_t before = open_descriptors();
    assert_int_equal(try_check(HEALTH_TCP, 80, 0, &id), -EINVAL);
    assert_int_equal(try_check(HEALTH_TCP, 80, CHECK_SOCKETS_MAX + 1, &id), -EINVAL);
    assert_int_equal(try_check(HEALTH_ALIVE, 80, 1, &id), -EINVAL);
    assert_int_equal(try_check(HEALTH_TCP, 0, 1, &id), -EINVAL);
    assert_int_equal(open_descriptors(), before); /* taken in any case */
    int bad = -1;
    struct health health = {.kind = HEALTH_TCP, .port = 80, .timeout_ms = 1000};
    assert_int_equal(prober_check(test.prober, &health, &target, &bad, 1, on_result, NULL, &id, NULL), -EBADF);
    check(80); /* and the channel is as before */
    assert_true(wait_results(1));
    close_prober();
}

/* A role of this kind loses its checks, is started again, and nothing of ours is left over. */
static void loses_its_checks(const char *role, const char *detail)
{
    open_prober(role);
    size_t before = open_descriptors();
    pid_t old = prober_pid(test.prober);
    for (int i = 0; i < 40; i++)
        check(80);
    assert_true(wait_results(40));
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(test.results[i].outcome, PROBE_INTERNAL);
        if (!strstr(test.results[i].detail, detail))
            fail_msg("\"%s\" does not say \"%s\"", test.results[i].detail, detail);
    }
    assert_int_equal(prober_pid(test.prober), 0);
    uint64_t id;
    assert_int_equal(try_check(HEALTH_TCP, 80, 1, &id), -ENOTCONN);
    wait_restart(old);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(kill(old, 0), -1); /* reaped */
    close_prober();
}

static void test_role_dies(void **state)
{
    (void)state;
    loses_its_checks("die", "the probe role ");
}

static void test_role_sends_garbage(void **state)
{
    (void)state;
    loses_its_checks("garbage", "not valid");
}

static void test_role_answers_for_nobody(void **state)
{
    (void)state;
    loses_its_checks("stranger", "not valid");
}

static void test_role_sends_escape_codes(void **state)
{
    (void)state;
    loses_its_checks("escape", "not valid");
}

static void test_role_answers_twice(void **state)
{
    (void)state;
    open_prober("twice");
    check(80);
    check(81);
    assert_true(wait_results(2));
    assert_string_equal(test.results[0].detail, "once");
    assert_int_equal(test.results[1].outcome, PROBE_INTERNAL);
    close_prober();
}

static void test_last_words_count(void **state)
{
    (void)state;
    open_prober("half");
    check(80);
    check(81);
    usleep(50000); /* answer and death are both there when the loop looks */
    assert_true(wait_results(2));
    assert_string_equal(test.results[0].detail, "answered before it died");
    assert_int_equal(test.results[1].outcome, PROBE_INTERNAL);
    close_prober();
}

static void test_killed_role_comes_back_later_each_time(void **state)
{
    (void)state;
    open_prober("echo");
    uint64_t began = clock_monotonic_ms();
    for (int i = 0; i < 3; i++) {
        pid_t old = prober_pid(test.prober);
        kill(old, SIGKILL);
        wait_restart(old);
    }
    assert_true(clock_monotonic_ms() - began >= 100 + 200 + 400);
    check(80);
    assert_true(wait_results(1));
    assert_int_equal(test.results[0].outcome, PROBE_PASS);
    close_prober();
}

static void test_role_that_ends_at_once(void **state)
{
    (void)state;
    uint64_t id;
    open_prober("exit");
    if (try_check(HEALTH_TCP, 80, 1, &id) == 0) { /* its death is not known yet */
        assert_true(wait_results(1));
        assert_int_equal(test.results[0].outcome, PROBE_INTERNAL);
    }
    run_for(150); /* it ended a second time, or is about to */
    for (int i = 0; i < 100 && prober_pid(test.prober) != 0; i++)
        run_for(20);
    assert_int_equal(prober_pid(test.prober), 0);
    assert_int_equal(try_check(HEALTH_TCP, 80, 1, &id), -ENOTCONN);
    close_prober();
}

static void check_again(void *context, const struct probe_result *result)
{
    uint64_t *ids = context;
    on_result(NULL, result);
    if (test.count < 20) {
        prober_cancel(test.prober, ids[1]);
        try_check(HEALTH_TCP, 80, 1, &ids[0]); /* on_result */
    }
}

static void test_callbacks_may_check_and_cancel(void **state)
{
    (void)state;
    for (int dies = 0; dies < 2; dies++) {
        struct health health = {.kind = HEALTH_TCP, .port = 80, .timeout_ms = 1000};
        uint64_t ids[2];
        open_prober(dies ? "die" : "echo");
        for (int i = 0; i < 2; i++) {
            int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
            assert_int_equal(prober_check(test.prober, &health, &target, &fd, 1, check_again, ids, &ids[i], NULL), 0);
        }
        /* The first cancels the second; its successor is refused if the role has died. */
        assert_true(wait_results(dies ? 1 : 2));
        run_for(20);
        assert_int_equal(test.count, dies ? 1 : 2);
        close_prober();
    }
}

static void test_free_with_open_checks(void **state)
{
    (void)state;
    open_prober("slow");
    pid_t pid = prober_pid(test.prober);
    for (int i = 0; i < 100; i++)
        check(80);
    close_prober();
    assert_int_equal(test.count, 0);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    prober_free(NULL);
}

static void test_missing_executable(void **state)
{
    (void)state;
    struct error err = {0};
    struct prober *prober = NULL;
    struct loop *loop;
    size_t before = open_descriptors();
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(prober_new(loop, "/nonexistent/probe", NULL, &prober, &err), -ENOENT);
    assert_null(prober);
    assert_non_null(strstr(err.text, "/nonexistent/probe"));
    loop_free(loop);
    assert_int_equal(open_descriptors(), before);
}

int main(int argc, char *argv[])
{
    if (argc == 2)
        return play(argv[1]);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return 1;
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_come_back),
        cmocka_unit_test(test_more_than_the_channel_holds),
        cmocka_unit_test(test_cancelled_checks_stay_silent),
        cmocka_unit_test(test_refuses_what_no_probe_can_do),
        cmocka_unit_test(test_role_dies),
        cmocka_unit_test(test_role_sends_garbage),
        cmocka_unit_test(test_role_answers_for_nobody),
        cmocka_unit_test(test_role_sends_escape_codes),
        cmocka_unit_test(test_role_answers_twice),
        cmocka_unit_test(test_last_words_count),
        cmocka_unit_test(test_killed_role_comes_back_later_each_time),
        cmocka_unit_test(test_role_that_ends_at_once),
        cmocka_unit_test(test_callbacks_may_check_and_cancel),
        cmocka_unit_test(test_free_with_open_checks),
        cmocka_unit_test(test_missing_executable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
