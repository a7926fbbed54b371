/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, with more clients than it takes, clients without a word, clients that never read,
 * and an app that never answers. Others are served meanwhile, the clock ends it, and it costs no memory. */
#include "feed_faults.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#include "sanitized.h"

static struct monitor monitor;
static struct faulty *faulty;
static struct test_client client, other;
static struct test_answer answer;
static atomic_bool silent; /* the app does not answer */

static int silent_app(struct zone_client *zone, const struct zone_request *wanted)
{
    (void)zone;
    if (strcmp(wanted->target, "/never") != 0)
        return -1;
    while (silent)
        pause_ms(10);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    faulty = faults_begin(&monitor);
    monitor.zones[BLUE].answers = silent_app;
    silent = true;
    return 0;
}

static void begin(void)
{
    feed_start(&monitor);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_true(client_open(&other, monitor.door_ports[BLUE]));
}

static int setup_silent(void **state)
{
    setup(state);
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_end(&client);
    client_end(&other);
    silent = false;
    return faults_leave(&monitor, faulty);
}

static void reopen(void)
{
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

/* Of the role, in KiB. */
static long resident(void)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", monitor.process.pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld", &kib);
    if (file)
        fclose(file);
    return kib;
}

static bool has_ended(struct test_client *of)
{
    char byte;
    return recv(of->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* --- too many clients --------------------------------------------------------------------------------------------- */

enum { MOST = 16, CROWD = 40 };

static struct test_client crowd[CROWD];

static int setup_crowd(void **state)
{
    setup(state);
    faulty->descriptors = 512 + 4 * MOST;
    begin();
    return 0;
}

static int teardown_crowd(void **state)
{
    for (int i = 0; i < CROWD; i++) {
        if (crowd[i].fd > 0)
            client_end(&crowd[i]);
        crowd[i].fd = 0;
    }
    return teardown(state);
}

static void come(int count, const char *saying)
{
    for (int i = 0; i < count; i++) {
        assert_true(client_open(&crowd[i], monitor.door_ports[BLUE]));
        assert_true(zone_say(crowd[i].fd, saying));
    }
}

static void test_those_who_rest_make_room(void **state)
{
    (void)state;
    assert_int_equal(ask(&other, &answer, "GET", "/r/1", "", ""), 200);
    come(CROWD, "");
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200);
    assert_true(has_ended(&crowd[0]));
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
}

/* Whoever has a request with live stays, however many come. */
static void test_who_waits_for_an_answer_stays(void **state)
{
    (void)state;
    assert_true(send_text(&other, "GET /slow/3500 HTTP/1.1\r\nHost: a\r\n\r\n"));
    pause_ms(200);
    come(CROWD, "");
    assert_true(read_final(&other, &answer, false));
    assert_int_equal(answer.status, 200);
}

static void test_slow_heads_and_bodies_make_room(void **state)
{
    (void)state;
    come(MOST, "POST /w/slow HTTP/1.1\r\nHost: a\r\n");
    for (int i = MOST / 2; i < MOST; i++)
        assert_true(zone_say(crowd[i].fd, "Content-Length: 10\r\n\r\nx"));
    later(faulty, 11000);
    reopen();
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200);
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/slow"), 0);
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 1 && figures.applied[GREEN] == 1));
}

static void test_no_descriptor_for_a_client(void **state)
{
    (void)state;
    assert_int_equal(ask(&other, &answer, "GET", "/r/1", "", ""), 200);
    fault(faulty, FAULTY_ACCEPT, 0, 1 << 30, EMFILE);
    reopen();
    assert_true(send_text(&client, "GET /r/2 HTTP/1.1\r\nHost: a\r\n\r\n"));
    pause_ms(2500);
    assert_in_range(faulty->calls[FAULTY_ACCEPT].seen, 1, 20); /* it does not ask again and again */
    fault(faulty, FAULTY_ACCEPT, 0, 0, 0);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 200);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void test_a_byte_now_and_then_is_too_slow(void **state)
{
    (void)state;
    assert_true(send_text(&client, "POST /w/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx"));
    assert_true(send_text(&other, "POST /w/head HTTP/1.1\r\nHost: a\r\n"));
    later(faulty, 40000);
    zone_say(client.fd, "x");
    zone_say(other.fd, "X: y\r\n");
    later(faulty, 30000);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 408);
    assert_true(read_final(&other, &answer, false));
    assert_int_equal(answer.status, 408);
    assert_int_equal(figures_now(&monitor).committed + figures_now(&monitor).in_doubt, 0);
}

static void test_an_app_that_never_answers(void **state)
{
    (void)state;
    assert_true(send_text(&client, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(send_text(&other, "POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    later(faulty, 200000);
    assert_false(has_ended(&client));
    later(faulty, 101000);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 504);
    assert_true(read_final(&other, &answer, false));
    assert_int_equal(answer.status, 504);
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 1));
    silent = false;
    pause_ms(100);
    assert_int_equal(ask(&other, &answer, "POST", "/w/1", "", ""), 200); /* its lane is free again */
}

static void test_a_silent_tunnel(void **state)
{
    (void)state;
    assert_true(send_text(&client, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"));
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 101);
    later(faulty, 3000000);
    assert_true(zone_say(client.fd, "ping"));
    assert_true(client_more(&client));
    later(faulty, 3000000);
    assert_false(has_ended(&client));
    later(faulty, 601000);
    assert_true(has_ended(&client));
}

static void test_a_kept_answer_that_nobody_reads(void **state)
{
    int small = 4096;
    (void)state;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_true(send_text(&client, "POST /big/30000000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 1));
    pause_ms(500); /* the sockets on the way take what they can */
    later(faulty, 40000);
    assert_int_equal(figures_now(&monitor).connections[BLUE], 2);
    later(faulty, 61000);                                                /* they may have taken a little more */
    assert_true(WAIT_FIGURES(&monitor, figures.connections[BLUE] == 0)); /* the other one has rested for too long */
    reopen();
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", ""), 200);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void test_clients_that_rest_cost_little(void **state)
{
    enum { CLIENTS = 150 };
    static char request[70000];
    static struct test_client resting;
    int fds[CLIENTS];
    (void)state;
    not_sanitized("what was freed stays resident");
    int size = snprintf(request, sizeof request, "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    memset(request + size, 'x', 60000);
    assert_int_equal(ask(&other, &answer, "GET", "/big/60000", "", ""), 200);
    long before = resident();
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(client_open(&resting, monitor.door_ports[BLUE]));
        assert_true(zone_send(resting.fd, request, (size_t)size + 60000));
        assert_true(read_final(&resting, &answer, false));
        assert_int_equal(ask(&resting, &answer, "GET", "/big/60000", "", ""), 200);
        fds[i] = resting.fd;
    }
    long after = resident();
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    assert_true(after - before < CLIENTS * 12);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_those_who_rest_make_room, setup_crowd, teardown_crowd),
        cmocka_unit_test_setup_teardown(test_who_waits_for_an_answer_stays, setup_crowd, teardown_crowd),
        cmocka_unit_test_setup_teardown(test_slow_heads_and_bodies_make_room, setup_crowd, teardown_crowd),
        cmocka_unit_test_setup_teardown(test_no_descriptor_for_a_client, setup_silent, teardown),
        cmocka_unit_test_setup_teardown(test_a_byte_now_and_then_is_too_slow, setup_silent, teardown),
        cmocka_unit_test_setup_teardown(test_an_app_that_never_answers, setup_silent, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_tunnel, setup_silent, teardown),
        cmocka_unit_test_setup_teardown(test_a_kept_answer_that_nobody_reads, setup_silent, teardown),
        cmocka_unit_test_setup_teardown(test_clients_that_rest_cost_little, setup_silent, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
