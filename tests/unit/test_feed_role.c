/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program: what it feeds, what it lets pass, what it refuses, and how a live that dies is
 * told. */
#include "feed_client.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct monitor monitor;
static struct test_client client;
static struct test_answer answer;
static struct zone_request request;

#define FEED_ZONE_OF(colour) (&monitor.zones[colour])

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return monitor_leave(&monitor, true);
}

static void begin(void)
{
    feed_start(&monitor);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

static void end(void)
{
    client_end(&client);
    assert_int_equal(feed_end(&monitor, false), 0);
    monitor.process.pid = 0;
}

static void reopen(void)
{
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

static void test_a_write_reaches_both_zones(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "Content-Type: text/plain\r\n", "hello"), 200);
    assert_string_equal(answer.body, "done");
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/1", &request));
    assert_int_equal(request.body, 5);
    assert_false(request.copy);
    assert_true(request.forwarded);
    char key[64];
    memcpy(key, request.key, sizeof key);
    assert_int_equal(strncmp(key, "web-", 4), 0);
    assert_true(zone_find(FEED_ZONE_OF(GREEN), "/w/1", &request));
    assert_true(request.copy);
    assert_string_equal(request.key, key);
    assert_int_equal(request.body, 5);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_IN_STEP && figures.fed == 1));
    end();
}

static void test_a_read_passes_to_live_alone(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200);
    assert_int_equal(ask(&client, &answer, "HEAD", "/r/2", "", ""), 200);
    assert_int_equal(ask(&client, &answer, "GET", "/chunked", "", ""), 200);
    assert_string_equal(answer.body, "piece by");
    assert_int_equal(ask(&client, &answer, "GET", "/to-end", "", ""), 200);
    assert_string_equal(answer.body, "until it ends");
    assert_int_equal(ask(&client, &answer, "GET", "/hint", "", ""), 200);
    assert_int_equal(ask(&client, &answer, "GET", "/big/200000", "", ""), 200);
    assert_int_equal(answer.length, 200000);
    assert_int_equal(ask(&client, &answer, "GET", "/r/3", "", "a body"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.passed == 7));
    assert_int_equal(figures_now(&monitor).committed, 0);
    assert_int_equal(monitor.zones[GREEN].count, 0);
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/r/3", &request));
    assert_int_equal(request.body, 6);
    assert_string_equal(request.key, "");
    end();
}

static void test_answers_of_every_framing_come_back(void **state)
{
    (void)state;
    static const char *const targets[] = {"/chunked", "/to-end", "/hint", "/big/200000", "/big/3", "/status/204"};
    static const size_t lengths[] = {8, 13, 4, 200000, 3, 0};
    begin();
    for (size_t i = 0; i < 6; i++) {
        assert_true(ask(&client, &answer, "POST", targets[i], "", "x") >= 200);
        assert_int_equal(answer.length, i == 5 ? answer.length : lengths[i]);
    }
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 6));
    assert_int_equal(figures_now(&monitor).diverged, 0);
    end();
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    begin();
    assert_true(send_text(&client, "POST /slow/80 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                                   "GET /status/201 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "POST /status/202 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                                   "GET /status/203 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    for (int status = 200; status <= 203; status++) {
        assert_true(read_final(&client, &answer, false));
        assert_int_equal(answer.status, status);
    }
    assert_true(has_field(&answer, "Connection: close"));
    assert_false(client_more(&client));
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2));
    assert_true(zone_find(FEED_ZONE_OF(GREEN), "/status/202", &request));
    assert_int_equal(request.body, 5);
    end();
}

static void send_body(size_t length, bool chunked)
{
    char piece[5000], line[32];
    memset(piece, 'x', sizeof piece);
    while (length > 0) {
        size_t here = length < sizeof piece ? length : sizeof piece;
        snprintf(line, sizeof line, "%zx\r\n", here);
        assert_true(!chunked || zone_say(client.fd, line));
        assert_true(zone_send(client.fd, piece, here));
        assert_true(!chunked || zone_say(client.fd, "\r\n"));
        length -= here;
    }
    assert_true(!chunked || zone_say(client.fd, "0\r\n\r\n"));
}

static void test_bodies_go_by_the_disk_or_pass(void **state)
{
    (void)state;
    begin();
    assert_true(send_text(&client, "POST /w/fed HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n"));
    send_body(700000, false);
    assert_true(read_final(&client, &answer, false));
    assert_true(send_text(&client, "POST /w/fed-chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    send_body(600000, true);
    assert_true(read_final(&client, &answer, false));
    assert_true(send_text(&client, "POST /w/large HTTP/1.1\r\nHost: a\r\nContent-Length: 1500000\r\n\r\n"));
    send_body(1500000, false);
    assert_true(read_final(&client, &answer, false));
    assert_true(send_text(&client, "POST /w/endless HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    send_body(1600000, true);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2 && figures.not_fed == 2));
    struct zone_request other = {0};
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/fed", &request) && zone_find(FEED_ZONE_OF(GREEN), "/w/fed", &other));
    assert_true(request.body == 700000 && other.body == 700000 && request.sum == other.sum);
    assert_true(zone_find(FEED_ZONE_OF(GREEN), "/w/fed-chunked", &other) && other.body == 600000);
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/large", &request) && request.body == 1500000);
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/endless", &request) && request.body == 1600000);
    assert_int_equal(zone_count(FEED_ZONE_OF(GREEN), "/w/large") + zone_count(FEED_ZONE_OF(GREEN), "/w/endless"), 0);
    end();
}

static void test_100_continue_and_own_key(void **state)
{
    (void)state;
    begin();
    assert_true(send_text(&client, "PUT /w/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nIdempotency-Key: mine\r\n"
                                   "Bluegreen-Feed: copy\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
                                   "Content-Length: 3\r\n\r\n"));
    assert_true(read_one(&client, &answer, false));
    assert_int_equal(answer.status, 100);
    assert_true(zone_say(client.fd, "abc"));
    assert_true(read_one(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/1", &request));
    assert_string_equal(request.key, "mine");
    assert_false(request.copy); /* nobody but the feed says so */
    assert_true(zone_find(FEED_ZONE_OF(GREEN), "/w/1", &request));
    assert_string_equal(request.key, "mine");
    assert_true(request.copy);
    end();
}

static void test_an_upgrade_is_a_tunnel(void **state)
{
    (void)state;
    begin();
    assert_true(send_text(&client, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"
                                   "early"));
    assert_true(read_one(&client, &answer, false));
    assert_int_equal(answer.status, 101);
    assert_true(has_field(&answer, "Upgrade: test"));
    assert_true(zone_say(client.fd, " and late"));
    while (client.length < 14)
        assert_true(client_more(&client));
    assert_string_equal(client.bytes, "early and late");
    shutdown(client.fd, SHUT_WR);
    assert_false(client_more(&client));
    assert_true(WAIT_FIGURES(&monitor, figures.not_fed == 1));
    end();
}

static void test_what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "POST /w/1 HTTP/1.1\r\nHost: a\rX: b\r\nContent-Length: 0\r\n\r\n",
        "POST /w/1 HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
        "GET /r/1 HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "GET /r/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(zone_say(client.fd, bad[i]));
        assert_true(read_final(&client, &answer, false));
        assert_true(answer.status == 400 || answer.status == 501);
        assert_true(has_field(&answer, "Connection: close"));
        assert_non_null(strstr(answer.body, "bluegreen feed: "));
        assert_false(client_more(&client));
        reopen();
    }
    assert_int_equal(ask(&client, &answer, "POST", "/w/2", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    assert_int_equal(figures_now(&monitor).committed, 1);
    assert_int_equal(monitor.zones[BLUE].count, 1);
    end();
}

static void test_long_heads(void **state)
{
    (void)state;
    static char field[70000];
    begin();
    memset(field, 'f', sizeof field - 1);
    assert_true(zone_say(client.fd, "POST /w/1 HTTP/1.1\r\nHost: a\r\nX: "));
    zone_say(client.fd, field);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 431);
    end();
}

static void test_live_dies_in_a_request(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(&client, &answer, "POST", "/die-before", "", "x"), 502);
    assert_int_equal(ask(&client, &answer, "POST", "/die-middle", "", "x"), 502);
    assert_non_null(strstr(answer.body, "in doubt"));
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 2 && figures.state == FEED_STATE_DOUBT));
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200); /* the lane goes on */
    assert_int_equal(ask(&client, &answer, "GET", "/die-before", "", ""), 502);
    zone_silence(FEED_ZONE_OF(BLUE));
    pause_ms(1200); /* what is kept has gone */
    assert_int_equal(ask(&client, &answer, "POST", "/w/2", "", "x"), 503);
    assert_int_equal(ask(&client, &answer, "GET", "/r/2", "", ""), 503);
    assert_true(zone_wake(FEED_ZONE_OF(BLUE)));
    assert_int_equal(ask(&client, &answer, "POST", "/w/3", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2));
    assert_int_equal(figures_now(&monitor).in_doubt, 2);
    assert_int_equal(zone_count(FEED_ZONE_OF(GREEN), "/w/2") + zone_count(FEED_ZONE_OF(GREEN), "/die-middle"), 0);

    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, 0);
    assert_int_equal(monitor.item_count, 2);
    assert_int_equal(monitor.items[1].kind, FEED_ITEM_DOUBT);
    assert_int_equal(order(&monitor, FEED_SKIP, monitor.items[0].sequence, false).result, 0);
    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, 0);
    assert_int_equal(monitor.item_count, 1);
    monitor.zones[GREEN].status = 202;
    assert_int_equal(order(&monitor, FEED_APPLY, 999999, false).result, -ENOENT);
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 1));
    end();
}

static void test_answers_that_differ(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(&client, &answer, "POST", "/colour", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.diverged == 1 && figures.state == FEED_STATE_DIVERGED));
    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, 0);
    assert_int_equal(monitor.item_count, 1);
    assert_int_equal(monitor.items[0].kind, FEED_ITEM_DIVERGED);
    assert_int_equal(monitor.items[0].status_live, 200);
    assert_int_equal(monitor.items[0].status_other, 201);
    assert_string_equal(monitor.items[0].live, "blue");
    assert_string_equal(monitor.items[0].other, "green");
    assert_string_equal(monitor.items[0].request, "POST /colour");
    end();
}

static void test_the_client_by_a_proxy_line(void **state)
{
    (void)state;
    monitor.rules.client = FEED_CLIENT_PROXY;
    begin();
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(&client, &answer, "POST", i ? "/w/2" : "/w/1", "", "x"), 200);
    assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2));
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/w/2", &request) && request.proxied && !request.forwarded);
    assert_true(zone_find(FEED_ZONE_OF(BLUE), "/r/1", &request) && request.proxied);
    assert_true(zone_find(FEED_ZONE_OF(GREEN), "/w/2", &request) && request.proxied && request.copy);
    end();
}

/* On the disk before anybody hears of it: the same, slower. */
static void test_sync_each(void **state)
{
    (void)state;
    monitor.rules.sync_ms = 0;
    begin();
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 20 && figures.state == FEED_STATE_IN_STEP));
    end();
}

static void test_a_directory_that_cannot_be_written(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(monitor.directory, 0500), 0);
    begin();
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BROKEN && figures.reason[0]));
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 503); /* it would be acknowledged and nowhere */
    assert_true(has_field(&answer, "Connection: close"));
    reopen();
    assert_int_equal(ask(&client, &answer, "GET", "/r/1", "", ""), 200);
    assert_int_equal(zone_count(FEED_ZONE_OF(BLUE), "/w/1"), 0);
    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, -EAGAIN);
    assert_int_equal(chmod(monitor.directory, 0700), 0);
    end();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_write_reaches_both_zones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_read_passes_to_live_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_of_every_framing_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_requests_are_answered_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_go_by_the_disk_or_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_100_continue_and_own_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_upgrade_is_a_tunnel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_can_be_read_in_two_ways_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live_dies_in_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_client_by_a_proxy_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_cannot_be_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
