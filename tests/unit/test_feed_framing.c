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
    return monitor_leave(&monitor, false);
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

/* Whatever is refused is answered with a status of its own, ends the connection, and nobody else hears of it. */
static void test_refused_on_the_wire(void **state)
{
#define EVIL "POST /evil HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define HEAD "POST /evil HTTP/1.1\r\nHost: a\r\n"
    static const struct {
        const char *bytes;
        size_t length;
        int status;
    } refused[] = {
#define CASE(bytes, status) {bytes EVIL, sizeof(bytes EVIL) - 1, status}
        CASE(HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: 5, 5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: +5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: 0x5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: 5 5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: -1\r\n\r\n", 400),
        CASE(HEAD "Content-Length: 18446744073709551621\r\n\r\nabcde", 400),
        CASE(HEAD "Content_Length: 5\r\n\r\nabcde", 400),
        CASE(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501),
        CASE(HEAD "Transfer-Encoding: identity\r\n\r\n", 501),
        CASE(HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        CASE(HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding:\x0b"
                  "chunked\r\n\r\n0\r\n\r\n",
             400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdef\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nabcde\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n5;x=\ny\r\nabcde\r\n0\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n", 400),
        CASE(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n X: y\r\n\r\n", 400),
        CASE(HEAD "X: y\r\n z\r\nContent-Length: 0\r\n\r\n", 400),
        CASE(HEAD "X: y\nContent-Length: 0\r\n\r\n", 400),
        CASE(HEAD "X: y\rContent-Length: 5\r\n\r\nabcde", 400),
        CASE(HEAD "X: \0y\r\nContent-Length: 0\r\n\r\n", 400),
        CASE(HEAD "Connection: content-length\r\nContent-Length: 5\r\n\r\nabcde", 400),
        CASE(HEAD "Connection: host\r\nContent-Length: 0\r\n\r\n", 400),
        CASE("POST http://b/evil HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400),
        CASE("POST /evil HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", 400),
        CASE("POST /evil HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        CASE("GET /evil\r\n", 400),
        CASE("POST /evil HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        CASE("\x16\x03\x01\x02", 400),
        CASE("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 400),
#undef CASE
    };
#undef EVIL
#undef HEAD
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        for (int kept = 0; kept < 2; kept++) { /* the first one of a connection, and one behind others */
            if (kept)
                assert_true(send_text(&client, "GET /r/1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /w/1 HTTP/1.1\r\nHost: a\r\n"
                                               "Content-Length: 1\r\n\r\nx"));
            assert_true(zone_send(client.fd, refused[i].bytes, refused[i].length));
            for (int j = 0; j < 2 * kept; j++)
                assert_true(read_final(&client, &answer, false) && answer.status == 200);
            assert_true(read_final(&client, &answer, false));
            if (answer.status != refused[i].status)
                print_message("case %zu\n", i);
            assert_int_equal(answer.status, refused[i].status);
            assert_true(has_field(&answer, "Connection: close") && has_field(&answer, "Bluegreen-Feed: own answer"));
            assert_false(client_more(&client));
            reopen();
        }
    }
    assert_true(WAIT_FIGURES(&monitor, figures.committed == sizeof refused / sizeof *refused && figures.behind == 0));
    assert_int_equal(seen(BLUE, "/evil") + seen(GREEN, "/evil"), 0);
    assert_int_equal(figures_now(&monitor).in_doubt + figures_now(&monitor).not_fed, 0);
}

/* Heads that are larger than what is read, and answers of an app that are. */
static void test_heads_that_are_too_large(void **state)
{
    static char text[80000], raw[80000];
    int size;
    (void)state;
    size = snprintf(text, sizeof text, "GET /%017000d HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    assert_true(zone_send(client.fd, text, (size_t)size));
    assert_true(read_final(&client, &answer, false) && answer.status == 414);
    reopen();
    size = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %066000d\r\n\r\n", 1);
    assert_true(zone_send(client.fd, text, (size_t)size));
    assert_true(read_final(&client, &answer, false) && answer.status == 431);
    reopen();
    size = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 200; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, "X-%d: y\r\n", i);
    assert_true(zone_send(client.fd, text, (size_t)size));
    assert_true(read_final(&client, &answer, false) && answer.status == 431);
    reopen();
    snprintf(raw, sizeof raw, "HTTP/1.1 200 OK\r\nX: %066000d\r\nContent-Length: 0\r\n\r\n", 1);
    monitor.zones[BLUE].raw = raw;
    assert_int_equal(ask(&client, &answer, "GET", "/raw", "", ""), 502);
    assert_int_equal(ask(&client, &answer, "POST", "/raw", "", ""), 502);
}

/* Fed and not, with and without a body, all sent before the first answer, and then the client's side is closed. */
static void test_pipelined_and_half_closed(void **state)
{
    (void)state;
    assert_true(send_text(&client,
                          "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                          "GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n"
                          "HEAD /r/2 HTTP/1.1\r\nHost: a\r\n\r\n"
                          "PUT /status/204 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
                          "GET /hint HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                          "POST /status/304 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
                          "GET /to-end HTTP/1.1\r\nHost: a\r\n\r\n"
                          "DELETE /w/last HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(client.fd, SHUT_WR);
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_true(read_final(&client, &answer, false));
    assert_string_equal(answer.body, "piece by");
    assert_true(read_final(&client, &answer, true) && answer.status == 200);
    assert_true(read_final(&client, &answer, false) && answer.status == 204);
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_true(read_final(&client, &answer, false) && answer.status == 304);
    assert_true(read_final(&client, &answer, false));
    assert_string_equal(answer.body, "until it ends");
    assert_true(read_final(&client, &answer, false) && answer.status == 200);
    assert_false(client_more(&client));
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 4 && figures.applied[GREEN] == 4));
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
    assert_int_equal(ask(&client, &answer, "GET", "/w/6", "X_Http_Method_Override: DELETE\r\n", ""), 200); /* by CGI */
    assert_int_equal(
        ask(&client, &answer, "POST", "/w/2", "Connection: Idempotency-Key\r\nIdempotency-Key: mine\r\n", ""), 200);
    assert_int_equal(ask(&client, &answer, "POST", "/w/3", "Connection: Upgrade\r\nUpgrade: test\r\n", "x"), 200);
    assert_int_equal(ask(&client, &answer, "GET", "/r/4", "Connection: Upgrade\r\nUpgrade: h2c\r\n", ""), 200);
    assert_true(send_text(&client, "post /w/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    assert_true(read_final(&client, &answer, false) && answer.status == 400);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 4));
    assert_true(zone_find(&monitor.zones[GREEN], "/w/2", &request));
    assert_int_equal(strncmp(request.key, "web-", 4), 0);
    assert_int_equal(seen(GREEN, "/w/1") + seen(GREEN, "/w/3") + seen(GREEN, "/w/6"), 3);
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
        cmocka_unit_test_setup_teardown(test_refused_on_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heads_that_are_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_and_half_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_in_single_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_1_0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ways_past_the_journal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
