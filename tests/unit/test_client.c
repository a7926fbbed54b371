/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/client: one client over a socket pair, with the monitor played by the test. */
#include "api/client.h"
#include "api/varlink.h"
#include "base/text.h"
#include "model/machine.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STATUS               "{\"method\":\"io.bluegreen.Agent.Status\"}"
#define INFO                 "{\"method\":\"org.varlink.service.GetInfo\"}"
#define SEND(stage, literal) send_bytes(stage, literal, sizeof(literal)) /* with its NUL */

/* Long enough for a busy machine to be late by some tens of milliseconds. */
enum { HALF_MS = 160, STALL_MS = 160, ASKED_MAX = 600 };

struct stage {
    struct loop *loop;
    struct loop_timer *timer;
    struct client_host host;
    struct client *client;                /* NULL once gone */
    int peer;                             /* the client program's end */
    struct wire_request asked[ASKED_MAX]; /* of a command the header only */
    size_t asked_count;
    struct wire_command command; /* the last one */
    const char *gone;            /* why */
    int ask_result;
};

static int on_ask(void *context, const struct wire_header *message)
{
    struct stage *stage = context;
    const void *bytes = message;
    assert_true(stage->asked_count < ASKED_MAX);
    struct wire_request *asked = &stage->asked[stage->asked_count++];
    *asked = (struct wire_request){.header = *message};
    if (message->type == WIRE_COMMAND) {
        memcpy(&stage->command, bytes, sizeof stage->command);
        assert_true(wire_command_valid(&stage->command, message->length, NULL));
        return stage->ask_result;
    }
    assert_true(wire_request_valid(bytes, message->length, NULL));
    memcpy(asked, bytes, sizeof *asked);
    return stage->ask_result;
}

static void on_gone(void *context, struct client *client, const char *reason)
{
    struct stage *stage = context;
    assert_ptr_equal(client, stage->client);
    assert_null(stage->gone);
    stage->gone = reason;
    stage->client = NULL;
    client_free(client);
}

static void on_turn(void *context)
{
    struct stage *stage = context;
    loop_quit(stage->loop, 0);
}

/* Lets the loop do what there is to do for so long. */
static void run_for(struct stage *stage, uint64_t milliseconds)
{
    loop_timer_arm(stage->timer, milliseconds);
    assert_int_equal(loop_run(stage->loop), 0);
}

static void turn(struct stage *stage)
{
    for (int i = 0; i < 4; i++)
        run_for(stage, 0);
}

static void open_stage_for(struct stage *stage, bool may_operate)
{
    *stage = (struct stage){0};
    int ends[2];
    struct wire_client who = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof who, .client = 77},
        .uid = 1000,
        .may_operate = may_operate};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    stage->peer = ends[0];
    assert_int_equal(loop_new(&stage->loop, NULL), 0);
    stage->timer = loop_timer_new(stage->loop, on_turn, stage);
    stage->host = (struct client_host){.loop = stage->loop,
                                       .half_message_ms = HALF_MS,
                                       .stall_ms = STALL_MS,
                                       .ask = on_ask,
                                       .gone = on_gone,
                                       .context = stage};
    assert_int_equal(client_new(&stage->host, &who, ends[1], &stage->client, NULL), 0);
}

static void open_stage(struct stage *stage)
{
    open_stage_for(stage, false);
}

static void close_stage(struct stage *stage)
{
    client_free(stage->client);
    loop_timer_free(stage->timer);
    loop_free(stage->loop);
    if (stage->peer >= 0)
        close(stage->peer);
}

static void send_bytes(struct stage *stage, const void *bytes, size_t length)
{
    assert_int_equal(send(stage->peer, bytes, length, MSG_NOSIGNAL), length);
    turn(stage);
}

/* What the client program can read now, with its NULs. The caller's. */
static struct text read_replies(struct stage *stage)
{
    struct text replies = {0};
    char part[4096];
    ssize_t got;
    while ((got = recv(stage->peer, part, sizeof part, MSG_DONTWAIT)) > 0)
        text_add_bytes(&replies, part, (size_t)got);
    return replies;
}

static void assert_reply(struct stage *stage, const char *expected)
{
    struct text replies = read_replies(stage);
    assert_non_null(replies.data);
    assert_string_equal(replies.data, expected);
    assert_int_equal(replies.length, strlen(expected) + 1); /* one message, and no more */
    text_clear(&replies);
}

static void assert_silent(struct stage *stage)
{
    char byte;
    assert_int_equal(recv(stage->peer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static bool reply_contains(struct stage *stage, const char *part)
{
    struct text replies = read_replies(stage);
    bool found = replies.data && strstr(replies.data, part);
    text_clear(&replies);
    return found;
}

/* --- the monitor's side ----------------------------------------------------------------------------------- */

static struct wire_header head(const struct stage *stage, enum wire_type type, size_t length)
{
    const struct wire_request *request = &stage->asked[stage->asked_count - 1];
    return (struct wire_header){.type = (uint16_t)type,
                                .version = WIRE_VERSION,
                                .length = (uint32_t)length,
                                .client = request->header.client,
                                .request = request->header.request};
}

static void tell_end(struct stage *stage, enum wire_result result, const char *text)
{
    struct wire_end end = {.header = head(stage, WIRE_END, sizeof end), .result = result};
    text_copy(end.text, sizeof end.text, text);
    client_deliver(stage->client, &end.header, NULL, 0);
}

static void tell_progress(struct stage *stage, const char *text)
{
    struct wire_progress progress = {.header = head(stage, WIRE_PROGRESS, sizeof progress), .step = "health"};
    text_copy(progress.text, sizeof progress.text, text);
    client_deliver(stage->client, &progress.header, NULL, 0);
}

static void tell_status(struct stage *stage, const char *name)
{
    struct wire_status status = {.header = head(stage, WIRE_STATUS, sizeof status), .live = -1};
    text_copy(status.name, sizeof status.name, name);
    client_deliver(stage->client, &status.header, NULL, 0);
}

/* --- calls --------------------------------------------------------------------------------------------------- */

static void test_local_answers(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage);
    SEND(&stage, INFO);
    assert_reply(&stage,
                 "{\"parameters\":{\"vendor\":\"bluegreen\",\"product\":\"bluegreend\",\"version\":\"" BLUEGREEN_VERSION
                 "\",\"url\":\"\",\"interfaces\":[\"org.varlink.service\",\"io.bluegreen.Agent\"]}}");
    SEND(&stage, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
                 "{\"interface\":\"io.bluegreen.Agent\"}}");
    assert_true(reply_contains(&stage, "\\ninterface io.bluegreen.Agent\\n"));
    SEND(&stage, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"a.b\"}}");
    assert_reply(&stage,
                 "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}");
    assert_int_equal(stage.asked_count, 0);
    close_stage(&stage);
}

/* Each call is answered at once, with this, and the connection goes on. */
static void test_wrong_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *call, *reply;
    } cases[] = {
#define AGENT       "{\"method\":\"io.bluegreen.Agent."
#define WRONG(name) "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"" name "\"}}"
        {AGENT "Nothing\"}", "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io."
                             "bluegreen.Agent.Nothing\"}}"},
        {"{\"method\":\"com.other.Thing\"}",
         "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"com.other\"}}"},
        {"{\"method\":\"\"}",
         "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"\"}}"},
        {"{\"method\":\"io.bluegreen.AgentX.Status\"}", "{\"error\":\"org.varlink.service.InterfaceNotFound\","
                                                        "\"parameters\":{\"interface\":\"io.bluegreen.AgentX\"}}"},
        {AGENT "Deploy\"}", WRONG("app")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\"}}", WRONG("release")},
        {AGENT "Deploy\",\"parameters\":{\"release\":\"v1\"}}", WRONG("app")},
        {AGENT "Deploy\",\"parameters\":{\"app\":null,\"release\":\"v1\"}}", WRONG("app")},
        {AGENT "Deploy\",\"parameters\":{\"app\":7,\"release\":\"v1\"}}", WRONG("app")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\\u0000x\",\"release\":\"v1\"}}", WRONG("app")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"force\":1}}", WRONG("force")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"forse\":true}}", WRONG("forse")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"no_test\":\"yes\"}}", WRONG("no_test")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"stop_after\":true}}",
         WRONG("stop_after")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"stop_after\":\"\"}}",
         WRONG("stop_after")},
        {AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"stop_after\":\"idle\"}}",
         WRONG("stop_after")},
        {AGENT "Stage\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"no_test\":true}}", WRONG("no_test")},
        {AGENT "Attach\",\"parameters\":{\"app\":\"web\",\"force\":true}}", WRONG("force")},
        {AGENT "Finish\",\"parameters\":{}}", WRONG("app")},
        {AGENT "Rehearse\",\"parameters\":{\"app\":null}}", WRONG("app")},
        {AGENT "Failover\",\"parameters\":{\"app\":\"web\"}}",
         "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.bluegreen.Agent."
         "Failover\"}}"},
        {AGENT "Switch\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\"}}", WRONG("release")},
        {AGENT "Reload\",\"parameters\":{\"app\":\"web\"}}", WRONG("app")},
        {AGENT "Status\",\"parameters\":{\"limit\":1}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"limit\":0}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"limit\":-1}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"limit\":1001}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"limit\":4294967297}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"limit\":1.5}}", WRONG("limit")},
        {AGENT "History\",\"parameters\":{\"verb\":\"explode\"}}", WRONG("verb")},
        {AGENT "History\",\"parameters\":{\"since\":-1}}", WRONG("since")},
        {AGENT "History\",\"parameters\":{\"until\":\"today\"}}", WRONG("until")},
        {AGENT "History\",\"parameters\":{\"sequence\":1.5}}", WRONG("sequence")},
        {AGENT "History\",\"parameters\":{\"failed\":1}}", WRONG("failed")},
        {AGENT "History\",\"parameters\":{\"hooks\":\"yes\"}}", WRONG("hooks")},
        {AGENT "History\",\"parameters\":{\"incidents\":0}}", WRONG("incidents")},
        {AGENT "Status\",\"parameters\":{\"failed\":true}}", WRONG("failed")},
        {AGENT "Feed\",\"parameters\":{\"app\":\"web\"}}", WRONG("action")},
        {AGENT "Feed\",\"parameters\":{\"app\":\"web\",\"action\":\"skip\",\"sequence\":-1}}", WRONG("sequence")},
        {AGENT "Rollback\",\"parameters\":{\"app\":\"web\",\"lose\":-1}}", WRONG("lose")},
        {AGENT "Stage\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"lose\":1}}", WRONG("lose")},
        {AGENT "Status\",\"upgrade\":true}", WRONG("upgrade")},
    };
    struct stage stage;
    open_stage(&stage);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        send_bytes(&stage, cases[i].call, strlen(cases[i].call) + 1);
        assert_reply(&stage, cases[i].reply);
        assert_null(stage.gone);
    }
    assert_int_equal(stage.asked_count, 0);
    close_stage(&stage);
}

static void test_wrong_names(void **state)
{
    (void)state;
    static const char *const names[] = {"",    "Web",    "../etc",
                                        "a b", "web\\n", "0123456789012345678901234567890123456789"};
    struct stage stage;
    open_stage(&stage);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char call[256];
        int length = snprintf(call, sizeof call,
                              "{\"method\":\"io.bluegreen.Agent.Status\",\"parameters\":{\"app\":\"%s\"}}", names[i]);
        send_bytes(&stage, call, (size_t)length + 1);
        assert_true(reply_contains(&stage, "\"io.bluegreen.Agent.Invalid\",\"parameters\":{\"reason\":"));
    }
    SEND(&stage, AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"../../etc\"}}");
    assert_true(reply_contains(&stage, "\"io.bluegreen.Agent.Invalid\""));
    assert_int_equal(stage.asked_count, 0);
    assert_null(stage.gone);
    close_stage(&stage);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        enum wire_verb verb;
    } cases[] = {
        {"Switch", VERB_SWITCH}, {"Rollback", VERB_ROLLBACK}, {"Abort", VERB_ABORT},   {"Drain", VERB_DRAIN},
        {"Stop", VERB_STOP},     {"Start", VERB_START},       {"Remove", VERB_REMOVE}, {"Test", VERB_TEST},
    };
    struct stage stage;
    open_stage(&stage);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char call[256];
        int length = snprintf(call, sizeof call, AGENT "%s\",\"parameters\":{\"app\":\"web\",\"force\":%s}}",
                              cases[i].method, i % 2 ? "true" : "null");
        send_bytes(&stage, call, (size_t)length + 1);
        assert_int_equal(stage.asked_count, i + 1);
        const struct wire_request *request = &stage.asked[i];
        assert_int_equal(request->verb, cases[i].verb);
        assert_int_equal(request->flags, i % 2 ? WIRE_FORCE : 0);
        assert_string_equal(request->app, "web");
        assert_int_equal(request->header.client, 77);
        assert_int_equal(request->header.request, i + 1);
        assert_silent(&stage);
        tell_end(&stage, RESULT_DONE, "");
        assert_reply(&stage, "{\"parameters\":{}}");
    }
    SEND(&stage, AGENT "Stage\",\"parameters\":{\"app\":\"web\",\"release\":\"v1.4\"}}");
    assert_int_equal(stage.asked[stage.asked_count - 1].verb, VERB_STAGE);
    assert_string_equal(stage.asked[stage.asked_count - 1].release, "v1.4");
    tell_end(&stage, RESULT_DONE, "staged");
    assert_reply(&stage, "{\"parameters\":{\"text\":\"staged\"}}");
    SEND(&stage, AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"no_test\":true,"
                       "\"stop_after\":\"health\"}}");
    assert_int_equal(stage.asked[stage.asked_count - 1].flags, WIRE_NO_TEST);
    assert_int_equal(stage.asked[stage.asked_count - 1].stop_after, STEP_HEALTH);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{}}");
    SEND(&stage, AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"no_test\":null,"
                       "\"stop_after\":\"test\"}}");
    assert_int_equal(stage.asked[stage.asked_count - 1].flags, 0);
    assert_int_equal(stage.asked[stage.asked_count - 1].stop_after, STEP_TEST);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{}}");
    static const enum wire_verb plain[] = {VERB_FINISH, VERB_ATTACH, VERB_REHEARSE};
    static const char *const names[] = {"Finish", "Attach", "Rehearse"};
    for (size_t i = 0; i < 3; i++) {
        char call[128];
        int length = snprintf(call, sizeof call, AGENT "%s\",\"parameters\":{\"app\":\"web\"}}", names[i]);
        send_bytes(&stage, call, (size_t)length + 1);
        assert_int_equal(stage.asked[stage.asked_count - 1].verb, plain[i]);
        tell_end(&stage, RESULT_DONE, "");
        assert_reply(&stage, "{\"parameters\":{}}");
    }
    SEND(&stage, AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v1\",\"stop_after\":\"switch\"}}");
    assert_true(reply_contains(&stage, "health or test"));
    SEND(&stage, AGENT "History\",\"parameters\":{\"app\":null,\"limit\":1000}}");
    assert_int_equal(stage.asked[stage.asked_count - 1].limit, 1000);
    tell_end(&stage, RESULT_DONE, "");
    assert_reply(&stage, "{\"parameters\":{\"entries\":[]}}");
    close_stage(&stage);
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

#define DEPLOY AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v2\"}"

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

static void assert_gone(struct stage *stage, const char *why)
{
    assert_non_null(stage->gone);
    assert_string_equal(stage->gone, why);
    assert_null(stage->client);
}

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
        cmocka_unit_test(test_local_answers),
        cmocka_unit_test(test_wrong_parameters),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_status_of_several),
        cmocka_unit_test(test_more_streams),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_without_more_only_the_end),
        cmocka_unit_test(test_oneway_is_not_answered),
        cmocka_unit_test(test_stale_messages),
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
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_wrong),
        cmocka_unit_test(test_descriptors_are_not_taken),
        cmocka_unit_test(test_stdio_out_of_place),
        cmocka_unit_test(test_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
