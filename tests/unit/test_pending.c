/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/pending: what the monitor says about a call, and what its client gets of that, descriptors too. */
#include "client_stage.h"

#include <dlfcn.h>

static bool no_memory; /* for another row of a list */

int json_object_array_add(struct json_object *list, struct json_object *value)
{
    int (*add)(struct json_object *, struct json_object *);
    *(void **)&add = dlsym(RTLD_NEXT, "json_object_array_add");
    return no_memory ? -1 : add(list, value);
}

static void test_results(void **state)
{
    (void)state;
    static const char *const names[RESULTS] = {
        [RESULT_FAILED] = "Failed",         [RESULT_REFUSED] = "Refused",        [RESULT_BUSY] = "Busy",
        [RESULT_NO_SUCH_APP] = "NoSuchApp", [RESULT_NOT_ALLOWED] = "NotAllowed", [RESULT_INVALID] = "Invalid",
    };
    struct stage stage;
    open_stage(&stage);
    for (int result = RESULT_DONE + 1; result <= RESULTS; result++) { /* and one that does not exist */
        char expected[256];
        SEND(&stage, STATUS);
        tell_end(&stage, (enum wire_result)result, "because\nof that");
        snprintf(expected, sizeof expected,
                 "{\"error\":\"io.bluegreen.Agent.%s\",\"parameters\":{\"reason\":\"because\\nof that\"}}",
                 result < RESULTS ? names[result] : "Failed");
        assert_reply(&stage, expected);
    }
    SEND(&stage, AGENT "Version\"}");
    tell_end(&stage, RESULT_DONE, "9.9");
    assert_reply(&stage, "{\"parameters\":{\"version\":\"9.9\"}}");
    close_stage(&stage);
}

static void test_status_of_several(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, STATUS);
    tell_status(&stage, "api");
    tell_status(&stage, "web");
    assert_silent(&stage); /* one reply, not one an app */
    tell_end(&stage, RESULT_DONE, "");
    struct text reply = read_replies(&stage);
    struct json_object *object = json_tokener_parse(reply.data), *parameters, *apps, *name;
    assert_true(json_object_object_get_ex(object, "parameters", &parameters));
    assert_true(json_object_object_get_ex(parameters, "apps", &apps));
    assert_int_equal(json_object_array_length(apps), 2);
    assert_true(json_object_object_get_ex(json_object_array_get_idx(apps, 1), "name", &name));
    assert_string_equal(json_object_get_string(name), "web");
    json_object_put(object);
    text_clear(&reply);
    close_stage(&stage);
}

static void test_more_streams(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"more\":true}");
    tell_progress(&stage, "1 of 2");
    assert_reply(&stage, "{\"parameters\":{\"progress\":{\"step\":\"health\",\"zone\":\"blue\",\"text\":\"1 of 2\","
                         "\"connections\":null,\"live_connections\":null,\"nudged\":null,\"elapsed_ms\":0,"
                         "\"wait_ms\":null,\"waited_ms\":null}},\"continues\":true}");
    struct wire_receipt receipt = {.header = head(&stage, WIRE_RECEIPT, sizeof receipt), .from = -1, .to = GREEN};
    client_deliver(stage.client, &receipt.header, NULL, 0);
    client_deliver(stage.client, &receipt.header, NULL, 0); /* the second replaces the first */
    assert_silent(&stage);
    tell_end(&stage, RESULT_DONE, "note");
    assert_reply(&stage, "{\"parameters\":{\"receipt\":{\"from\":null,\"to\":\"green\",\"release\":null,"
                         "\"transaction_us\":0,\"generation_before\":0,\"generation_after\":0,\"drained\":0,\"cut\":0,"
                         "\"nudged\":0,\"duration_ms\":0,\"who\":\"\"},\"text\":\"note\"}}");
    close_stage(&stage);
}

/* A feed is asked about and answers with how it stands and its transactions. */
static void test_feed(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, AGENT "Feed\",\"parameters\":{\"app\":\"web\",\"action\":\"apply\",\"sequence\":17}}");
    assert_int_equal(stage.asked[0].verb, VERB_FEED);
    assert_int_equal(stage.asked[0].action, WIRE_FEED_APPLY);
    assert_int_equal(stage.asked[0].sequence, 17);
    tell_end(&stage, RESULT_DONE, "applied");
    assert_reply(&stage, "{\"parameters\":{\"text\":\"applied\"}}");
    SEND(&stage, AGENT "Feed\",\"parameters\":{\"app\":\"web\",\"action\":\"verify\"}}");
    struct wire_feed_item item = {.header = head(&stage, WIRE_FEED_ITEM, sizeof item), .sequence = 4, .zone = -1};
    struct wire_feed_told told = {.header = head(&stage, WIRE_FEED, sizeof told),
                                  .feed = {.state = FEED_STATE_PAUSED, .live = -1}};
    client_deliver(stage.client, &item.header, NULL, 0);
    client_deliver(stage.client, &told.header, NULL, 0);
    tell_end(&stage, RESULT_DONE, "");
    struct text reply = read_replies(&stage);
    assert_true(text_starts_with(reply.data, "{\"parameters\":{\"feed\":{\"state\":\"paused\",\"backup\":false,"));
    assert_non_null(strstr(reply.data, "},\"transactions\":[{\"sequence\":4,\"kind\":\"in doubt\",\"zone\":null,"));
    text_clear(&reply);
    SEND(&stage, AGENT "Feed\",\"parameters\":{\"app\":\"web\",\"action\":\"diff\"}}");
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{\"transactions\":[]}}"); /* a list, though there is nothing to say */
    SEND(&stage, AGENT "Feed\",\"parameters\":{\"app\":\"web\",\"action\":\"explode\"}}");
    assert_true(reply_contains(&stage, "feed has no such action"));
    SEND(&stage, AGENT "Switch\",\"parameters\":{\"app\":\"web\",\"lose\":5000000000}}");
    assert_true(stage.asked[3].verb == VERB_SWITCH && stage.asked[3].lose == 5000000000);
    close_stage(&stage);
}

static void test_a_list_too_long(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, AGENT "Release\",\"parameters\":{\"app\":\"web\",\"action\":\"list\"}}");
    struct wire_item item = {.header = head(&stage, WIRE_ITEM, sizeof item), .name = "v1"};
    for (int i = 0; i < 10000; i++)
        client_deliver(stage.client, &item.header, NULL, 0);
    assert_null(stage.gone);
    client_deliver(stage.client, &item.header, NULL, 0);
    assert_gone(&stage, "its reply would be too long");
    close_stage(&stage);
}

static void test_a_list_without_memory(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, AGENT "Release\",\"parameters\":{\"app\":\"web\",\"action\":\"list\"}}");
    struct wire_item item = {.header = head(&stage, WIRE_ITEM, sizeof item), .name = "v1"};
    client_deliver(stage.client, &item.header, NULL, 0);
    no_memory = true;
    client_deliver(stage.client, &item.header, NULL, 0);
    no_memory = false;
    assert_gone(&stage, "there is no memory for its reply"); /* and not answered with one row of two */
    close_stage(&stage);
}

static void test_without_more_only_the_end(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY "}");
    tell_progress(&stage, "1 of 2");
    assert_silent(&stage);
    tell_end(&stage, RESULT_FAILED, "no");
    assert_reply(&stage, "{\"error\":\"io.bluegreen.Agent.Failed\",\"parameters\":{\"reason\":\"no\"}}");
    close_stage(&stage);
}

static void test_oneway_is_not_answered(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, DEPLOY ",\"oneway\":true}");
    SEND(&stage, AGENT "Nothing\",\"oneway\":true}");
    SEND(&stage, "{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}");
    SEND(&stage, STATUS);
    assert_int_equal(stage.asked_count, 1);
    assert_int_equal(stage.asked[0].verb, VERB_DEPLOY);
    tell_progress(&stage, "1 of 2");
    tell_end(&stage, RESULT_DONE, "done");
    assert_int_equal(stage.asked_count, 2); /* and on to the next */
    assert_silent(&stage);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{\"apps\":[]}}");
    close_stage(&stage);
}

/* Late or foreign messages of the monitor change nothing. */
static void test_stale_messages(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, STATUS);
    struct wire_end stale = {.header = head(&stage, WIRE_END, sizeof stale)};
    tell_end(&stage, RESULT_DONE, "");
    struct text replies = read_replies(&stage);
    text_clear(&replies);
    client_deliver(stage.client, &stale.header, NULL, 0);
    assert_silent(&stage);
    SEND(&stage, STATUS);
    client_deliver(stage.client, &stale.header, NULL, 0);
    assert_silent(&stage);
    close_stage(&stage);
}

/* --- descriptors ------------------------------------------------------------------------------------------------ */

#define EXEC                                                                                                   \
    "{\"method\":\"io.bluegreen.Agent.Exec\",\"parameters\":{\"app\":\"web\",\"zone\":\"green\",\"command\":[" \
    "\"ls\",\"-l\",\"\"],\"terminal\":\"xterm\",\"rows\":24,\"columns\":80},\"more\":true}"
#define LOGS "{\"method\":\"io.bluegreen.Agent.Logs\",\"parameters\":{\"app\":\"web\"}}"

/* The read end of one, whose write end is in *keep. */
static int new_pipe(int *keep)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *keep = ends[1];
    return ends[0];
}

/* Nobody has the other end any more. */
static bool is_abandoned(int pipe)
{
    struct pollfd wait = {.fd = pipe, .events = POLLOUT};
    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLERR);
}

static void test_exec(void **state)
{
    (void)state;
    struct stage stage;
    int keep[3];
    open_stage_for(&stage, true);
    SEND(&stage, EXEC);
    assert_int_equal(stage.asked_count, 1);
    assert_string_equal(stage.command.app, "web");
    assert_int_equal(stage.command.zone, GREEN);
    assert_int_equal(stage.command.terminal, 1);
    assert_string_equal(stage.command.term, "xterm");
    assert_int_equal(stage.command.argument_count, 3);
    assert_memory_equal(stage.command.arguments, "ls\0-l\0", 7);
    assert_int_equal(stage.command.rows, 24);
    assert_int_equal(stage.command.columns, 80);
    assert_int_equal(stage.command.merge, 0);
    int given[2], received[MESSAGE_FDS_MAX];
    size_t count = 0;
    char reply[256], byte = 'x';
    for (int i = 0; i < 2; i++)
        given[i] = new_pipe(&keep[i]);
    struct wire_stdio stdio = {.header = head(&stage, WIRE_STDIO, sizeof stdio),
                               .count = 2,
                               .kinds = {WIRE_STREAM_TERMINAL, WIRE_STREAM_STDERR}};
    client_deliver(stage.client, &stdio.header, given, 2);
    assert_true(message_receive(stage.peer, reply, sizeof reply, received, &count) > 0);
    assert_string_equal(reply, "{\"parameters\":{\"streams\":[\"terminal\",\"stderr\"]},\"continues\":true}");
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) { /* they are the client's, in their order, and the role keeps none */
        assert_int_equal(write(keep[i], &byte, 1), 1);
        assert_int_equal(read(received[i], &byte, 1), 1);
        close(received[i]);
        assert_true(is_abandoned(keep[i]));
        close(keep[i]);
    }
    struct wire_exited exited = {.header = head(&stage, WIRE_EXIT, sizeof exited),
                                 .exit = {.known = 1, .signalled = 1, .value = 9, .unix_ms = 1763869080123u}};
    client_deliver(stage.client, &exited.header, NULL, 0);
    assert_silent(&stage);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{\"code\":null,\"signal\":9,\"time\":\"2025-11-23T03:38:00.123Z\"}}");
    close_stage(&stage);
}

static void test_exec_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\"app\":\"web\"",
        "\"app\":\"web\",\"command\":\"ls\"",
        "\"app\":\"web\",\"command\":[]",
        "\"app\":\"web\",\"command\":[1]",
        "\"app\":\"web\",\"command\":[\"\"]",
        "\"app\":\"web\",\"command\":[null]",
        "\"app\":\"web\",\"command\":[\"a\\u0000b\"]",
        "\"app\":\"../x\",\"command\":[\"ls\"]",
        "\"command\":[\"ls\"]",
        "\"app\":\"web\",\"command\":[\"ls\"],\"zone\":\"red\"",
        "\"app\":\"web\",\"command\":[\"ls\"],\"zone\":1",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":true",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":\"\"",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":\"x y\"",
        "\"app\":\"web\",\"command\":[\"ls\"],\"force\":true",
        "\"app\":\"web\",\"command\":[\"ls\"],\"rows\":24",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":\"xterm\",\"rows\":-1",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":\"xterm\",\"rows\":65536",
        "\"app\":\"web\",\"command\":[\"ls\"],\"terminal\":\"xterm\",\"columns\":\"80\"",
        "\"app\":\"web\",\"command\":[\"ls\"],\"merge\":1",
    };
    struct stage stage;
    open_stage_for(&stage, true);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char call[256];
        int length = snprintf(call, sizeof call,
                              "{\"method\":\"io.bluegreen.Agent.Exec\",\"parameters\":{%s},\"more\":true}", wrong[i]);
        send_bytes(&stage, call, (size_t)length + 1);
        assert_true(reply_contains(&stage, "\"error\":"));
    }
    assert_int_equal(stage.asked_count, 0);
    close_stage(&stage);
}

/* Nobody's, whoever he is: what comes is as if it had never been sent. */
static void test_descriptors_are_not_taken(void **state)
{
    (void)state;
    struct stage stage;
    int keep[3];
    for (int may_operate = 0; may_operate < 2; may_operate++) {
        open_stage_for(&stage, may_operate);
        int fds[3] = {new_pipe(&keep[0]), new_pipe(&keep[1]), new_pipe(&keep[2])};
        assert_int_equal(message_send(stage.peer, EXEC, sizeof EXEC, fds, 3), 0);
        for (int i = 0; i < 3; i++)
            close(fds[i]);
        turn(&stage);
        assert_int_equal(stage.asked_count, 1);
        for (int i = 0; i < 3; i++) {
            assert_true(is_abandoned(keep[i]));
            close(keep[i]);
        }
        tell_end(&stage, RESULT_NOT_ALLOWED, "no");
        assert_true(reply_contains(&stage, "NotAllowed"));
        close_stage(&stage);
    }
}

/* For another call, or not as many as are said to come. */
static void test_stdio_out_of_place(void **state)
{
    (void)state;
    struct stage stage;
    int keep;
    open_stage_for(&stage, true);
    SEND(&stage, "{\"method\":\"io.bluegreen.Agent.Exec\",\"parameters\":{\"app\":\"web\",\"command\":[\"ls\"]}}");
    assert_reply(&stage, "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}");
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            SEND(&stage, LOGS);
        else
            SEND(&stage, EXEC);
        struct wire_stdio stdio = {.header = head(&stage, WIRE_STDIO, sizeof stdio), .count = (uint8_t)(1 + i)};
        int given = new_pipe(&keep);
        client_deliver(stage.client, &stdio.header, &given, 1);
        assert_silent(&stage);
        assert_true(given >= 0); /* it left it to us */
        close(given);
        close(keep);
        tell_end(&stage, RESULT_FAILED, "no");
        assert_true(reply_contains(&stage, "Failed"));
    }
    close_stage(&stage);
}

static void test_logs(void **state)
{
    (void)state;
    struct stage stage;
    int ends[2], given[2], received[MESSAGE_FDS_MAX];
    size_t count = 0;
    char reply[256], byte = 'x';
    open_stage_for(&stage, true);
    SEND(&stage, LOGS);
    assert_int_equal(stage.asked[0].verb, VERB_LOGS);
    assert_int_equal(stage.asked[0].zone, 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    given[0] = ends[0];
    given[1] = dup(ends[0]);
    struct wire_files files = {.header = head(&stage, WIRE_FILES, sizeof files),
                               .zone = GREEN,
                               .count = 2,
                               .kinds = {WIRE_FILE_LOG, WIRE_FILE_INDEX},
                               .release = "v1"};
    client_deliver(stage.client, &files.header, given, 2);
    assert_int_equal(given[0], -1); /* it took them */
    assert_int_equal(given[1], -1);
    tell_end(&stage, RESULT_DONE, "");
    ssize_t got = message_receive(stage.peer, reply, sizeof reply, received, &count);
    assert_true(got > 0);
    assert_string_equal(reply,
                        "{\"parameters\":{\"zone\":\"green\",\"release\":\"v1\",\"files\":[\"log\",\"index\"]}}");
    assert_int_equal(count, 2);
    assert_int_equal(write(ends[1], &byte, 1), 1);
    assert_int_equal(read(received[0], &byte, 1), 1);
    close(received[0]);
    close(received[1]);
    assert_true(is_abandoned(ends[1]));
    close(ends[1]);
    /* a refusal brings none, and what came before it is closed */
    SEND(&stage, "{\"method\":\"io.bluegreen.Agent.Logs\",\"parameters\":{\"app\":\"web\",\"zone\":\"green\"}}");
    assert_int_equal(stage.asked[1].zone, GREEN + 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    files.header = head(&stage, WIRE_FILES, sizeof files);
    files.count = 1;
    client_deliver(stage.client, &files.header, ends, 1);
    tell_end(&stage, RESULT_FAILED, "no");
    assert_true(reply_contains(&stage, "Failed"));
    assert_true(is_abandoned(ends[1]));
    close(ends[1]);
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_status_of_several),
        cmocka_unit_test(test_more_streams),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_a_list_too_long),
        cmocka_unit_test(test_a_list_without_memory),
        cmocka_unit_test(test_without_more_only_the_end),
        cmocka_unit_test(test_oneway_is_not_answered),
        cmocka_unit_test(test_stale_messages),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_wrong),
        cmocka_unit_test(test_descriptors_are_not_taken),
        cmocka_unit_test(test_stdio_out_of_place),
        cmocka_unit_test(test_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
