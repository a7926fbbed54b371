/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, on a disk that fails: what is acknowledged is in the journal and reaches the other
 * zone, what is refused reaches nobody, the state says what is wrong, and a disk that works again is enough. */
#include "feed_faults.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct monitor monitor;
static struct faulty *faulty;
static struct test_client client;
static struct test_answer answer;

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    faulty = faults_begin(&monitor);
    monitor.rules.sync_ms = 0;
    monitor.rules.in_doubt = FEED_DOUBT_APPLY;
    feed_start(&monitor);
    return client_open(&client, monitor.door_ports[BLUE]) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    client_end(&client);
    return faults_leave(&monitor, faulty);
}

static size_t seen(enum colour zone, const char *target)
{
    return zone_count(&monitor.zones[zone], target);
}

static int post(const char *target)
{
    client_end(&client);
    return client_open(&client, monitor.door_ports[BLUE]) ? ask(&client, &answer, "POST", target, "", "x") : -1;
}

static bool works(void)
{
    return WAIT_FIGURES(&monitor, figures.state != FEED_STATE_BROKEN && figures.in_doubt == 0 && figures.behind == 0);
}

/* What live has done the other zone gets as well. */
static bool arrives(const char *target)
{
    for (int i = 0; i < 500 && seen(GREEN, target) < seen(BLUE, target); i++)
        pause_ms(10);
    return seen(GREEN, target) >= seen(BLUE, target);
}

static void test_a_sync_that_fails_before_live_is_asked(void **state)
{
    (void)state;
    fault(faulty, FAULTY_SYNC, 0, 1, EIO);
    assert_int_equal(post("/w/refused"), 503);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BROKEN &&
                                           strstr(figures.reason, "Input/output error") != NULL));
    assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200);
    assert_true(works());
    assert_int_equal(post("/w/next"), 200);
    assert_true(arrives("/w/next"));
    assert_int_equal(seen(BLUE, "/w/refused") + seen(GREEN, "/w/refused"), 0);
    assert_int_equal(seen(GREEN, "/w/next"), 1);
}

/* Live has done it: the client is not told that all is well, and the other zone gets it. */
static void test_a_sync_that_fails_behind_live(void **state)
{
    (void)state;
    assert_int_equal(post("/w/before"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    pause_ms(200);
    fault(faulty, FAULTY_SYNC, 1, 1, EIO);
    assert_int_equal(post("/w/done"), 502);
    assert_true(works());
    assert_int_equal(seen(BLUE, "/w/done"), 1);
    assert_true(arrives("/w/done"));
}

/* As long as the disk is broken, nothing is taken; everything else goes on. */
static void test_a_disk_that_stays_broken(void **state)
{
    (void)state;
    assert_int_equal(post("/w/before"), 200);
    assert_true(works() && arrives("/w/before"));
    fault(faulty, FAULTY_SYNC, 0, 1 << 30, EIO);
    fault(faulty, FAULTY_WRITE, 0, 1 << 30, EIO);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(post("/w/refused"), 503);
        assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200);
        pause_ms(700);
    }
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BROKEN && figures.committed == 1));
    fault(faulty, FAULTY_SYNC, 0, 0, 0);
    fault(faulty, FAULTY_WRITE, 0, 0, 0);
    for (int i = 0; i < 100 && post("/w/after") != 200; i++)
        pause_ms(100);
    assert_true(arrives("/w/before") && arrives("/w/after"));
    assert_int_equal(seen(GREEN, "/w/before") + seen(GREEN, "/w/after"), 2);
    assert_int_equal(seen(BLUE, "/w/refused") + seen(GREEN, "/w/refused"), 0);
}

static void test_writes_that_are_short(void **state)
{
    static char body[200001];
    char target[32];
    (void)state;
    memset(body, 'x', sizeof body - 1);
    fault(faulty, FAULTY_SHORT, 0, 1 << 30, 0);
    for (int i = 0; i < 20; i++) {
        snprintf(target, sizeof target, "/w/%d", i);
        assert_int_equal(post(target), 200);
    }
    assert_true(send_text(&client, "POST /w/long HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizeof body - 1));
    assert_true(zone_send(client.fd, body, sizeof body - 1));
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_true(faulty->calls[FAULTY_SHORT].seen > 40);
    assert_true(works());
    feed_end(&monitor, true);
    feed_start(&monitor);
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 21 && figures.applied[GREEN] == 21));
    assert_int_equal(order(&monitor, FEED_VERIFY, 0, false).result, 0);
}

/* The n-th call of each kind fails, once, anywhere on the way of a request. */
static void test_every_call_once(void **state)
{
    static const struct {
        enum faulty_call call;
        int code, most;
    } faults[] = {{FAULTY_WRITE, EIO, 6},
                  {FAULTY_WRITE, ENOSPC, 6},
                  {FAULTY_SYNC, EIO, 5},
                  {FAULTY_OPEN, EMFILE, 2},
                  {FAULTY_READ, EIO, 3}};
    char target[32];
    int failed = 0, number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int n = 0; n < faults[i].most; n++) {
            snprintf(target, sizeof target, "/w/%d", number++);
            fault(faulty, faults[i].call, n, 1, faults[i].code);
            int status = post(target);
            pause_ms(50);
            failed += faulty->calls[faults[i].call].seen;
            fault(faulty, faults[i].call, 0, 0, 0);
            for (int j = 0; j < 50 && post("/w/well") != 200; j++)
                pause_ms(100);
            assert_true(works() && arrives(target));
            size_t blue = seen(BLUE, target), green = seen(GREEN, target);
            print_message("%s: %d, errno %d at %d: %d; live %zu, other %zu\n", target, faults[i].call, faults[i].code,
                          n, status, blue, green);
            assert_true(status == 200 || status == 502 || status == 503);
            assert_int_equal(blue, status == 503 ? 0 : 1);
            assert_in_range(green, blue, blue * 2);
            assert_true(green < 2 || figures_now(&monitor).twice > 0);
        }
    }
    assert_true(failed > 10);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_sync_that_fails_before_live_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sync_that_fails_behind_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_disk_that_stays_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_that_are_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_call_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
