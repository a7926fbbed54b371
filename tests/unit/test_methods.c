/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/methods: from a call to the request that the monitor gets, or to an answer on the spot. */
#include "client_stage.h"

#include "model/machine.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_answers),
        cmocka_unit_test(test_wrong_parameters),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
