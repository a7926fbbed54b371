/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, with apps that are broken or hostile: answers without an end, connections that are
 * reset, answers that are none. Others are served meanwhile, and no half answer is passed on as a whole one. */
#include "feed_faults.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct monitor monitor;
static struct faulty *faulty;
static struct test_client client, other;
static struct test_answer answer;
static atomic_bool floods; /* the app goes on with what it should not do */

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    faulty = faults_begin(&monitor);
    return 0;
}

static void begin(void)
{
    feed_start(&monitor);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_true(client_open(&other, monitor.door_ports[BLUE]));
}

static int teardown(void **state)
{
    (void)state;
    client_end(&client);
    client_end(&other);
    floods = false;
    return faults_leave(&monitor, faulty);
}

static void reopen(void)
{
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

/* Of the role, in ms. */
static long cpu_ms(void)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", monitor.process.pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file)
        fclose(file);
    const char *at = strrchr(text, ')');
    assert_int_equal(at ? sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) : 0, 2);
    return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* --- apps --------------------------------------------------------------------------------------------------------- */

static char much[1 << 20];

/* As much as the sockets on the way take, and then nothing for a while. */
static void fill(int fd)
{
    zone_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        while (send(fd, much, sizeof much, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            continue;
        pause_ms(20);
    }
}

static void flood(int fd)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n";
    static char bytes[(sizeof interim - 1) * 30000];
    for (size_t i = 0; i < sizeof bytes; i += sizeof interim - 1)
        memcpy(bytes + i, interim, sizeof interim - 1);
    while (floods && zone_send(fd, bytes, sizeof bytes))
        continue;
}

static int hostile_app(struct zone_client *zone, const struct zone_request *wanted)
{
    const char *target = wanted->target;
    if (strcmp(target, "/reset") == 0) {
        zone_say(zone->fd, "HTTP/1.1 200 OK\r\n\r\nnot all of it");
        pause_ms(200);
        reset(zone->fd);
        return 0;
    }
    if (strcmp(target, "/big-reset") == 0) {
        fill(zone->fd);
        reset(zone->fd);
        return 0;
    }
    if (strcmp(target, "/interim") == 0) {
        flood(zone->fd);
        return 0;
    }
    if (strcmp(target, "/farewell") == 0 && zone->served > 0) {
        zone_say(zone->fd, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return 0;
    }
    if (strcmp(target, "/early") == 0) {
        zone_say(zone->fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
        pause_ms(200);
        return 0;
    }
    return -1;
}

static int setup_hostile(void **state)
{
    setup(state);
    floods = true;
    monitor.zones[BLUE].answers = hostile_app;
    begin();
    return 0;
}

/* Chunks have an end of their own, which must not be written for an answer that was broken off. */
static void test_an_answer_that_is_reset_is_not_whole(void **state)
{
    (void)state;
    assert_int_equal(ask(&client, &answer, "GET", "/reset", "", ""), 0);
    assert_string_equal(answer.head + 9, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    reopen();
    assert_int_equal(ask(&client, &answer, "POST", "/reset", "", ""), 502);
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 1));
}

/* What the kernel says of an app that has gone must not be asked for again and again while its client reads nothing. */
static void test_a_client_that_does_not_read_costs_nothing(void **state)
{
    int small = 4096;
    (void)state;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_true(send_text(&client, "GET /big-reset HTTP/1.1\r\nHost: a\r\n\r\n"));
    pause_ms(1000);
    long before = cpu_ms();
    pause_ms(1000);
    assert_true(cpu_ms() - before < 200);
    assert_int_equal(ask(&other, &answer, "GET", "/r/1", "", ""), 200);
}

static void test_interim_answers_without_end(void **state)
{
    static const char *const requests[] = {"POST /interim HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                                           "GET /interim HTTP/1.0\r\n\r\n", "GET /interim HTTP/1.1\r\nHost: a\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(zone_say(client.fd, requests[i]));
        pause_ms(100);
        for (int j = 0; j < 5; j++)
            assert_int_equal(ask(&other, &answer, "GET", "/r/1", "", ""), 200);
        floods = false;
        pause_ms(100);
        floods = true;
        reopen();
    }
    floods = false;
}

/* "You have said nothing for long" is no answer to what was said since. */
static void test_a_farewell_is_no_answer(void **state)
{
    static const char *const methods[] = {"GET", "POST"};
    struct zone_request wanted;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask(&client, &answer, methods[i], "/w/first", "", ""), 200);
        assert_int_equal(ask(&client, &answer, methods[i], "/farewell", "", ""), 200);
    }
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/farewell"), 4);
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 2 && figures.applied[GREEN] == 2));
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/farewell"), 1);
    assert_true(zone_find(&monitor.zones[GREEN], "/farewell", &wanted));
    assert_int_equal(figures_now(&monitor).in_doubt, 0);
}

/* Nothing of it has gone out, so that is no reason to send the client away. */
static void test_a_kept_connection_that_is_broken(void **state)
{
    (void)state;
    assert_int_equal(ask(&client, &answer, "POST", "/w/first", "", ""), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    fault(faulty, FAULTY_SEND, 0, 1, ECONNRESET);
    assert_int_equal(ask(&client, &answer, "POST", "/w/next", "", "x"), 200);
    assert_int_equal(faulty->calls[FAULTY_SEND].seen, 1);
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/next"), 1);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2 && figures.in_doubt == 0));
}

static void test_an_answer_before_the_body(void **state)
{
    (void)state;
    assert_true(send_text(&client, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nsome"));
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 413);
    assert_true(has_field(&answer, "Connection: close"));
    send_text(&client, "POST /w/evil HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_false(client_more(&client));
    assert_int_equal(ask(&other, &answer, "POST", "/w/1", "", ""), 200);
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/evil"), 0);
}

/* Each byte in a chunk of its own must not be written to a file by itself. */
static void test_chunks_of_one_byte(void **state)
{
    enum { CHUNKS = 1 << 20 };
    static char bytes[CHUNKS * 6 + 5];
    struct zone_request wanted;
    (void)state;
    for (size_t i = 0; i < CHUNKS; i++)
        memcpy(bytes + i * 6, "1\r\nx\r\n", 6);
    memcpy(bytes + CHUNKS * 6, "0\r\n\r\n", 5);
    long before = cpu_ms();
    assert_true(send_text(&client, "POST /w/chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert_true(zone_send(client.fd, bytes, sizeof bytes));
    assert_true(read_final(&client, &answer, false));
    long spent = cpu_ms() - before;
    assert_int_equal(answer.status, 200);
    assert_true(zone_find(&monitor.zones[BLUE], "/w/chunks", &wanted));
    assert_int_equal(wanted.body, CHUNKS);
    print_message("%ld ms\n", spent);
    assert_true(spent < 500);
}

/* --- a standby that is broken ------------------------------------------------------------------------------------- */

/* The first time it has done it and says nothing. */
static int forgetful_app(struct zone_client *zone, const struct zone_request *wanted)
{
    static atomic_int times;
    (void)zone;
    if (strcmp(wanted->target, "/w/forget") == 0)
        return ++times < 3 ? 0 : -1;
    return -1;
}

static void test_a_standby_that_forgets_to_answer(void **state)
{
    (void)state;
    monitor.zones[GREEN].answers = forgetful_app;
    assert_int_equal(ask(&client, &answer, "POST", "/w/1", "", "x"), 200);
    assert_int_equal(ask(&client, &answer, "POST", "/w/forget", "", "x"), 200);
    assert_int_equal(ask(&client, &answer, "POST", "/w/2", "", "x"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 3));
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/forget"), 3);
    assert_int_equal(figures_now(&monitor).twice, 1); /* one transaction, however often */
    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, 0);
    assert_int_equal(monitor.item_count, 1);
    assert_int_equal(monitor.items[0].kind, FEED_ITEM_TWICE);
    assert_string_equal(monitor.items[0].request, "POST /w/forget");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_reset_is_not_whole, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_a_client_that_does_not_read_costs_nothing, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_interim_answers_without_end, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_a_farewell_is_no_answer, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_a_kept_connection_that_is_broken, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_before_the_body, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_chunks_of_one_byte, setup_hostile, teardown),
        cmocka_unit_test_setup_teardown(test_a_standby_that_forgets_to_answer, setup_hostile, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
