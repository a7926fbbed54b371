/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, between clients and an app that both want the other's messages misread. */
#include "feed_client.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct monitor monitor;
static struct test_client client;
static struct test_answer answer;
static struct zone_request request;

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    feed_start(&monitor);
    return client_open(&client, monitor.door_ports[BLUE]) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    client_end(&client);
    int status = feed_end(&monitor, false);
    bool wrong = monitor.wrong;
    monitor_end(&monitor);
    return wrong || status != 0;
}

static void reopen(void)
{
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

static size_t seen(enum colour zone, const char *target)
{
    return zone_count(&monitor.zones[zone], target);
}

/* --- an app that is hostile, or broken ---------------------------------------------------------------------------- */

static void test_bytes_behind_an_answer_are_nobodys(void **state)
{
    static const char *const methods[] = {"GET", "POST"};
    (void)state;
    monitor.zones[BLUE].raw = "HTTP/1.1 200 OK\r\nBluegreen-Feed: own answer\r\nContent-Length: 2\r\n\r\nok"
                              "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask(&client, &answer, methods[i], "/raw", "", ""), 200);
        assert_string_equal(answer.body, "ok");
        assert_null(strcasestr(answer.head, "bluegreen-feed"));
        assert_int_equal(ask(&client, &answer, methods[i], "/next", "", ""), 200);
        assert_string_equal(answer.body, "done");
    }
}

/* To a client there is no answer, or one of ours; the write is in doubt. */
static void test_answers_that_cannot_be_read(void **state)
{
    static const char *const raw[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    };
    size_t count = sizeof raw / sizeof *raw;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        monitor.zones[BLUE].raw = raw[i];
        assert_int_equal(ask(&client, &answer, "GET", "/raw", "", ""), 502);
        assert_int_equal(ask(&client, &answer, "POST", "/raw", "", "x"), 502);
        assert_true(has_field(&answer, "Bluegreen-Feed: own answer"));
    }
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == count && figures.applied[GREEN] == 1));
    assert_int_equal(seen(GREEN, "/raw"), 0);
}

static void test_answers_that_end_in_the_middle(void **state)
{
    static const char *const raw[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nContent-Length: 3\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
        monitor.zones[BLUE].raw = raw[i];
        assert_int_equal(ask(&client, &answer, "POST", "/raw", "", "x"), 502);
        /* Where it has begun to go out, it must not look whole. */
        assert_int_equal(ask(&client, &answer, "GET", "/raw", "", ""), 0);
        reopen();
    }
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 4));
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

static void test_nothing_behind_a_refused_request_is_read(void **state)
{
    static const char *const first[] = {
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /r/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        send_text(&client, "%sPOST /evil HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", first[i]);
        assert_true(read_final(&client, &answer, false));
        assert_int_equal(answer.status, 400);
        assert_false(client_more(&client));
        reopen();
    }
    assert_int_equal(ask(&client, &answer, "POST", "/w/2", "", ""), 200);
    assert_int_equal(seen(BLUE, "/evil") + seen(BLUE, "/w/1"), 0);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1 && figures.committed == 1));
}

static void test_requests_in_single_bytes(void **state)
{
    static const char bytes[] = "\r\nPOST /w/slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\nPUT /w/next HTTP/1.1\r\nHost: a\r\n"
                                "Content-Length: 2\r\n\r\nde";
    (void)state;
    assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200); /* it reads, from here on byte by byte */
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_true(zone_send(client.fd, bytes + i, 1));
        pause_ms(1);
    }
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2));
    assert_true(zone_find(&monitor.zones[GREEN], "/w/slow", &request) && request.body == 3);
    assert_true(zone_find(&monitor.zones[GREEN], "/w/next", &request) && request.body == 2);
}

/* An answer's body would be taken for the next answer. */
static void test_a_refused_head_has_no_body(void **state)
{
    (void)state;
    zone_silence(&monitor.zones[BLUE]);
    pause_ms(1200); /* what is kept has gone */
    assert_int_equal(ask(&client, &answer, "HEAD", "/r/1", "", ""), 503);
    assert_true(zone_wake(&monitor.zones[BLUE]));
    assert_int_equal(ask(&client, &answer, "GET", "/r/2", "", ""), 200);
    assert_string_equal(answer.body, "done");
}

static void test_http_1_0(void **state)
{
    static const char *const targets[] = {"/chunked", "/to-end"}, *const bodies[] = {"piece by", "until it ends"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(send_text(&client, "GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", targets[i]));
        assert_true(read_final(&client, &answer, false));
        assert_string_equal(answer.body, bodies[i]);
        assert_null(strcasestr(answer.head, "transfer-encoding"));
        assert_true(has_field(&answer, "Connection: close"));
        assert_false(client_more(&client));
        reopen();
    }
    assert_true(send_text(&client, "POST /w/1 HTTP/1.0\r\nContent-Length: 2\r\n\r\nab"));
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_false(client_more(&client));
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
}

/* What an app may take for a write is fed, and what would take its key away is not believed. */
static void test_ways_past_the_journal(void **state)
{
    (void)state;
    assert_int_equal(ask(&client, &answer, "GET", "/w/1", "X-HTTP-Method-Override: DELETE\r\n", ""), 200);
    assert_int_equal(
        ask(&client, &answer, "POST", "/w/2", "Connection: Idempotency-Key\r\nIdempotency-Key: mine\r\n", ""), 200);
    assert_int_equal(ask(&client, &answer, "POST", "/w/3", "Connection: Upgrade\r\nUpgrade: test\r\n", "x"), 200);
    assert_int_equal(ask(&client, &answer, "GET", "/r/4", "Connection: Upgrade\r\nUpgrade: h2c\r\n", ""), 200);
    assert_true(send_text(&client, "post /w/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    assert_true(read_final(&client, &answer, false) && answer.status == 400);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 3));
    assert_true(zone_find(&monitor.zones[GREEN], "/w/2", &request));
    assert_int_equal(strncmp(request.key, "web-", 4), 0);
    assert_int_equal(seen(GREEN, "/w/1") + seen(GREEN, "/w/3"), 2);
    assert_int_equal(figures_now(&monitor).not_fed, 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_behind_an_answer_are_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_end_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_behind_a_refused_request_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_in_single_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_1_0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ways_past_the_journal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
