/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/client: a connection from call to call, with clients that are slow, hostile, or gone. */
#include "client_stage.h"

/* --- pipelining ------------------------------------------------------------------------------------------------ */

static void test_pipelined_calls_are_answered_in_order(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, INFO "\0" STATUS "\0" INFO "\0" STATUS);
    assert_int_equal(stage.asked_count, 1); /* one at a time */
    assert_true(reply_contains(&stage, "vendor"));
    tell_end(&stage, RESULT_DONE, "");
    assert_int_equal(stage.asked_count, 2);
    struct text replies = read_replies(&stage);
    assert_string_equal(replies.data, "{\"parameters\":{\"apps\":[]}}");
    assert_non_null(strstr(replies.data + strlen(replies.data) + 1, "vendor"));
    text_clear(&replies);
    close_stage(&stage);
}

/* While a call is in flight no more than one buffer of others is taken, and all of them are done in the end. */
static void test_pipelined_calls_are_bounded(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, STATUS);
    size_t sent = 0, replies_seen = 0;
    while (sent < 500 && send(stage.peer, STATUS, sizeof STATUS, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof STATUS)
        sent++;
    run_for(&stage, HALF_MS * 3 / 2); /* a buffer cut within a message is ours, not a client that is slow */
    assert_null(stage.gone);
    assert_int_equal(stage.asked_count, 1);
    while (stage.asked_count <= sent) {
        tell_end(&stage, RESULT_DONE, "");
        turn(&stage);
    }
    tell_end(&stage, RESULT_DONE, "");
    for (int round = 0; round < 3; round++) { /* the socket may have been full */
        struct text replies = read_replies(&stage);
        for (size_t i = 0; i < replies.length; i++)
            replies_seen += replies.data[i] == '\0';
        text_clear(&replies);
        turn(&stage);
    }
    assert_int_equal(replies_seen, sent + 1);
    assert_null(stage.gone);
    close_stage(&stage);
}

/* --- hostile and broken clients -------------------------------------------------------------------------------- */

static void test_garbage(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\0", 1},
        {"\0\0\0\0", 4},
        {"GET / HTTP/1.1\r\n\r\n\0", 19},
        {"\xff\xfe\xfd\0", 4},
        {"{\"method\":\"a\xff.B\"}\0", 19},
        {"{}\0" STATUS, 3 + sizeof STATUS},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\0", 50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage stage;
        open_stage(&stage);
        send_bytes(&stage, cases[i].bytes, cases[i].length);
        assert_gone(&stage, "it sent what is no varlink call");
        assert_true(reply_contains(&stage, "{\"error\":\"io.bluegreen.Agent.Invalid\""));
        assert_int_equal(stage.asked_count, 0); /* nothing after the garbage is listened to */
        close_stage(&stage);
    }
}

static void test_endless_message(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    char part[4096];
    memset(part, 'a', sizeof part);
    size_t sent = 0;
    while (!stage.gone && sent < (1u << 20)) { /* a megabyte */
        ssize_t n = send(stage.peer, part, sizeof part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        turn(&stage);
    }
    assert_gone(&stage, "it sent what is no varlink call");
    assert_true(sent < 300000); /* what the socket took, at most; we took 16384 */
    assert_true(reply_contains(&stage, "too long"));
    close_stage(&stage);
}

static void test_half_message(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    send_bytes(&stage, STATUS, 10);
    run_for(&stage, HALF_MS / 2);
    assert_null(stage.gone);
    send_bytes(&stage, STATUS, 10); /* a byte now and then does not help */
    run_for(&stage, HALF_MS);
    assert_gone(&stage, "it did not finish its message");
    close_stage(&stage);
}

static void test_half_message_behind_a_whole_one(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    send_bytes(&stage, STATUS "\0{\"meth", sizeof STATUS + 6);
    run_for(&stage, HALF_MS * 3 / 2);
    assert_gone(&stage, "it did not finish its message");
    close_stage(&stage);
}

/* A message in time stops the clock, and the next half one has its full time again. */
static void test_finished_in_time(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    for (int i = 0; i < 3; i++) {
        send_bytes(&stage, INFO, 10);
        run_for(&stage, HALF_MS / 2);
        assert_null(stage.gone);
        send_bytes(&stage, &INFO[10], sizeof INFO - 10);
        assert_true(reply_contains(&stage, "vendor"));
    }
    close_stage(&stage);
}

/* The same where the end of one message comes together with the beginning of the next. */
static void test_always_half_but_moving(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    send_bytes(&stage, INFO, 10);
    for (int i = 0; i < 4; i++) {
        char part[sizeof INFO];
        memcpy(part, &INFO[10], sizeof INFO - 10);
        memcpy(part + sizeof INFO - 10, INFO, 10);
        run_for(&stage, HALF_MS / 2);
        assert_null(stage.gone);
        send_bytes(&stage, part, sizeof part);
        assert_true(reply_contains(&stage, "vendor"));
    }
    close_stage(&stage);
}

static void test_idle_clients_stay(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    run_for(&stage, STALL_MS * 3 / 2);
    assert_null(stage.gone);
    SEND(&stage, DEPLOY ",\"more\":true}");
    run_for(&stage, STALL_MS * 3 / 2); /* waiting for a long operation */
    assert_null(stage.gone);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{}}");
    run_for(&stage, STALL_MS * 3 / 2);
    assert_null(stage.gone);
    close_stage(&stage);
}

static void test_slow_reader_is_dropped(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"more\":true}");
    char text[200];
    memset(text, 'p', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    size_t most = 0;
    for (int i = 0; i < 100000 && stage.client; i++) {
        tell_progress(&stage, text);
        if (stage.client && client_backlog(stage.client) > most)
            most = client_backlog(stage.client);
    }
    assert_gone(&stage, "it does not read its replies");
    assert_true(most <= CLIENT_BACKLOG_MAX);
    assert_true(most > CLIENT_BACKLOG_MAX / 2);
    close_stage(&stage);
}

static void test_stalled_reader_is_dropped(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"more\":true}");
    for (int i = 0; client_backlog(stage.client) == 0 && i < 100000; i++)
        tell_progress(&stage, "x");
    assert_true(client_backlog(stage.client) > 0);
    run_for(&stage, STALL_MS / 2);
    assert_null(stage.gone);
    run_for(&stage, STALL_MS);
    assert_gone(&stage, "it does not read its replies");
    close_stage(&stage);
}

/* One that reads slowly but reads is kept, and gets every byte. */
static void test_slow_but_steady_reader(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"more\":true}");
    size_t told = 0, seen = 0;
    for (; client_backlog(stage.client) < 100000; told++)
        tell_progress(&stage, "x");
    tell_end(&stage, RESULT_DONE, "");
    for (int i = 0; i < 200 && seen < told + 1; i++) {
        char part[40000];
        ssize_t got = recv(stage.peer, part, sizeof part, MSG_DONTWAIT);
        for (ssize_t k = 0; k < got; k++)
            seen += part[k] == '\0';
        run_for(&stage, STALL_MS / 50);
        assert_null(stage.gone);
    }
    assert_int_equal(seen, told + 1);
    assert_int_equal(client_backlog(stage.client), 0);
    close_stage(&stage);
}

static void test_a_status_too_long(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, STATUS);
    for (int i = 0; i < 100000 && stage.client; i++)
        tell_status(&stage, "web");
    assert_gone(&stage, "its reply would be too long: ask for one app");
    close_stage(&stage);
}

/* --- ends ------------------------------------------------------------------------------------------------------ */

static void test_close(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    close(stage.peer);
    stage.peer = -1;
    turn(&stage);
    assert_gone(&stage, "it closed");
    close_stage(&stage);
}

static void test_close_in_a_message(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    send_bytes(&stage, STATUS, 10);
    close(stage.peer);
    stage.peer = -1;
    turn(&stage);
    assert_gone(&stage, "it closed");
    assert_int_equal(stage.asked_count, 0);
    close_stage(&stage);
}

static void test_close_during_a_call(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"more\":true}");
    close(stage.peer);
    stage.peer = -1;
    turn(&stage);
    assert_gone(&stage, "it closed");
    close_stage(&stage);
}

/* An order that was sent is carried out although nobody waits for the answer. */
static void test_send_and_close(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    assert_true(send(stage.peer, DEPLOY ",\"oneway\":true}", sizeof DEPLOY ",\"oneway\":true}", 0) > 0);
    close(stage.peer);
    stage.peer = -1;
    turn(&stage);
    assert_gone(&stage, "it closed");
    assert_int_equal(stage.asked_count, 1);
    close_stage(&stage);
}

/* One that has said all and only listens (nc -N) gets all its answers. */
static void test_half_close(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    assert_true(send(stage.peer, STATUS "\0" INFO, sizeof STATUS + sizeof INFO, 0) > 0);
    shutdown(stage.peer, SHUT_WR);
    turn(&stage);
    assert_null(stage.gone);
    assert_int_equal(stage.asked_count, 1);
    tell_end(&stage, RESULT_DONE, "");
    assert_gone(&stage, "it closed");
    assert_true(reply_contains(&stage, "apps"));
    close_stage(&stage);
}

static void test_no_monitor(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    stage.ask_result = -EPIPE;
    SEND(&stage, STATUS);
    assert_gone(&stage, "the agent does not take its request");
    close_stage(&stage);
}

static void test_drop(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    client_drop(stage.client, "so it is wished");
    assert_gone(&stage, "so it is wished");
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined_calls_are_answered_in_order),
        cmocka_unit_test(test_pipelined_calls_are_bounded),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_endless_message),
        cmocka_unit_test(test_half_message),
        cmocka_unit_test(test_half_message_behind_a_whole_one),
        cmocka_unit_test(test_finished_in_time),
        cmocka_unit_test(test_always_half_but_moving),
        cmocka_unit_test(test_idle_clients_stay),
        cmocka_unit_test(test_slow_reader_is_dropped),
        cmocka_unit_test(test_stalled_reader_is_dropped),
        cmocka_unit_test(test_slow_but_steady_reader),
        cmocka_unit_test(test_a_status_too_long),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_in_a_message),
        cmocka_unit_test(test_close_during_a_call),
        cmocka_unit_test(test_send_and_close),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_no_monitor),
        cmocka_unit_test(test_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
