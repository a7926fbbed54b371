/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libbluegreen with agents that refuse, go away, talk nonsense, never end, or are not there. */
#include "library_agent.h"

static void test_error_replies(void **state)
{
    (void)state;
#define ERROR(name, parameters) "{\"error\":\"" name "\",\"parameters\":{" parameters "}}"
    static const struct {
        const char *reply;
        enum bluegreen_error_kind kind;
        int errnum;
        const char *reason;
    } cases[] = {
        {ERROR("io.bluegreen.Agent.Refused", "\"reason\":\"a\\nb\""), BLUEGREEN_REFUSED, EPERM, "a\nb"},
        {ERROR("io.bluegreen.Agent.Busy", "\"reason\":\"r\""), BLUEGREEN_BUSY, EBUSY, "r"},
        {ERROR("io.bluegreen.Agent.Failed", "\"reason\":\"r\""), BLUEGREEN_FAILED, EIO, "r"},
        {ERROR("io.bluegreen.Agent.Failed", ""), BLUEGREEN_FAILED, EIO, "failed"},
        {ERROR("io.bluegreen.Agent.NoSuchApp", "\"reason\":\"r\""), BLUEGREEN_NO_SUCH_APP, ENOENT, "r"},
        {ERROR("io.bluegreen.Agent.NotAllowed", "\"reason\":\"r\""), BLUEGREEN_NOT_ALLOWED, EACCES, "r"},
        {ERROR("io.bluegreen.Agent.Invalid", "\"reason\":\"r\""), BLUEGREEN_INVALID, EINVAL, "r"},
        {ERROR("io.bluegreen.Agent.New", "\"reason\":\"r\""), BLUEGREEN_FAILED, EIO, "io.bluegreen.Agent.New: r"},
        {ERROR("org.varlink.service.InvalidParameter", "\"parameter\":\"app\""), BLUEGREEN_INVALID, EINVAL,
         "the agent does not accept 'app'"},
        {ERROR("org.varlink.service.MethodNotFound", ""), BLUEGREEN_PROTOCOL, EPROTO, NULL},
        {"{\"error\":\"io.bluegreen.Agent.Busy\"}", BLUEGREEN_BUSY, EBUSY, "busy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen_error error = {0};
        struct bluegreen_result *result = NULL;
        struct bluegreen *connection = open_agent(&agent, cases[i].reply, strlen(cases[i].reply) + 1, true);
        assert_int_equal(bluegreen_operate(connection, BLUEGREEN_SWITCH, "web", NULL, 0, NULL, NULL, &result, &error),
                         -cases[i].errnum);
        assert_null(result);
        assert_int_equal(error.kind, cases[i].kind);
        assert_true(strcmp(bluegreen_error_name(error.kind), "ok") != 0);
        if (cases[i].reason)
            assert_string_equal(error.reason, cases[i].reason);
        close_agent(&agent, connection);
    }
}

static void test_no_agents(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        enum bluegreen_error_kind kind;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\0", 27, BLUEGREEN_PROTOCOL},
        {"\0", 1, BLUEGREEN_PROTOCOL},
        {"[]\0", 3, BLUEGREEN_PROTOCOL},
        {"{\"parameters\":\"\xff\"}\0", 19, BLUEGREEN_PROTOCOL},
        {"{\"parameters\":{}}x\0", 19, BLUEGREEN_PROTOCOL},
        {"{\"parameters\":{}", 16, BLUEGREEN_UNREACHABLE}, /* and closes */
        {"", 0, BLUEGREEN_UNREACHABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen_error error = {0};
        struct bluegreen_status *status = NULL;
        struct bluegreen *connection = open_agent(&agent, cases[i].bytes, cases[i].length, false);
        assert_true(bluegreen_status(connection, NULL, &status, &error) < 0);
        assert_int_equal(error.kind, cases[i].kind);
        assert_null(status);
        /* such a connection is of no more use, and says so instead of waiting */
        assert_true(bluegreen_status(connection, NULL, &status, &error) < 0);
        assert_int_equal(error.kind, BLUEGREEN_UNREACHABLE);
        close_agent(&agent, connection);
    }
}

/* A reply without parameters, or with others than expected, is an empty result. */
static void test_bare_replies(void **state)
{
    (void)state;
    static const char *const replies[] = {"{}", "{\"parameters\":null}", "{\"parameters\":{}}",
                                          "{\"parameters\":{\"apps\":{},\"receipt\":[],\"text\":1}}"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct agent agent;
        struct bluegreen_status *status;
        struct bluegreen *connection = open_agent(&agent, replies[i], strlen(replies[i]) + 1, true);
        assert_int_equal(bluegreen_status(connection, NULL, &status, NULL), 0);
        assert_int_equal(status->count, 0);
        bluegreen_status_free(status);
        close_agent(&agent, connection);
        struct bluegreen_result *result;
        connection = open_agent(&agent, replies[i], strlen(replies[i]) + 1, true);
        assert_int_equal(bluegreen_operate(connection, BLUEGREEN_RELOAD, NULL, NULL, 0, NULL, NULL, &result, NULL), 0);
        assert_null(result->receipt);
        assert_null(result->text);
        bluegreen_result_free(result);
        close_agent(&agent, connection);
    }
}

static void test_endless_reply(void **state)
{
    (void)state;
    size_t length = CONNECTION_REPLY_MAX + 4096;
    char *reply = malloc(length);
    memset(reply, ' ', length);
    struct agent agent;
    struct bluegreen_error error = {0};
    struct bluegreen_status *status;
    struct bluegreen *connection = open_agent(&agent, reply, length, true);
    free(reply);
    assert_int_equal(bluegreen_status(connection, NULL, &status, &error), -EPROTO);
    assert_int_equal(error.kind, BLUEGREEN_PROTOCOL);
    close_agent(&agent, connection);
}

static void test_timeout(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_error error = {0};
    struct bluegreen_status *status;
    struct bluegreen *connection = open_agent(&agent, "{\"half\":", 8, true);
    bluegreen_set_timeout(connection, 30);
    assert_int_equal(bluegreen_status(connection, NULL, &status, &error), -ETIMEDOUT);
    assert_int_equal(error.kind, BLUEGREEN_UNREACHABLE);
    close_agent(&agent, connection);
}

static void *interrupt_soon(void *connection)
{
    usleep(20000);
    bluegreen_interrupt(connection);
    return NULL;
}

static void test_interrupt(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_error error = {0};
    pthread_t thread;
    struct bluegreen *connection = open_agent(&agent, "", 0, true);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, connection), 0);
    assert_int_equal(bluegreen_operate(connection, BLUEGREEN_DRAIN, "web", NULL, 0, NULL, NULL, NULL, &error),
                     -ECANCELED);
    assert_int_equal(error.kind, BLUEGREEN_INTERRUPTED);
    pthread_join(thread, NULL);
    close_agent(&agent, connection);
}

static bool stop_at_once(void *context, const struct bluegreen_progress *progress)
{
    (void)progress;
    ++*(unsigned *)context;
    return false;
}

static void test_callback_ends_the_wait(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_error error = {0};
    unsigned seen = 0;
    static const char reply[] = PROGRESS("2") PROGRESS("1");
    struct bluegreen *connection = OPEN(&agent, reply);
    assert_int_equal(bluegreen_operate(connection, BLUEGREEN_DRAIN, "web", NULL, 0, stop_at_once, &seen, NULL, &error),
                     -ECANCELED);
    assert_int_equal(seen, 1);
    assert_int_equal(error.kind, BLUEGREEN_INTERRUPTED);
    close_agent(&agent, connection);
}

static void test_wrong_calls(void **state)
{
    (void)state;
    struct bluegreen_error error = {0};
    assert_int_equal(bluegreen_operate(NULL, (enum bluegreen_verb)99, "web", NULL, 0, NULL, NULL, NULL, &error),
                     -EINVAL);
    assert_int_equal(error.kind, BLUEGREEN_INVALID);
    assert_string_equal(bluegreen_error_name((enum bluegreen_error_kind)99), "failed");
    assert_null(bluegreen_colour_name(BLUEGREEN_NONE));
    assert_int_equal(bluegreen_api_version(), BLUEGREEN_API_VERSION);
    bluegreen_close(NULL);
    bluegreen_history_free(NULL);
    bluegreen_result_free(NULL);
}

/* --- opening --------------------------------------------------------------------------------------------------- */

static void test_unreachable(void **state)
{
    (void)state;
    struct bluegreen *connection = NULL;
    struct bluegreen_error error = {0};
    char long_path[200];
    assert_int_equal(bluegreen_open("/nonexistent/control.sock", &connection, &error), -ENOENT);
    assert_int_equal(error.kind, BLUEGREEN_UNREACHABLE);
    assert_int_equal(error.errnum, ENOENT);
    assert_non_null(strstr(error.reason, "/nonexistent/control.sock"));
    assert_non_null(strstr(error.reason, "systemctl start bluegreend"));
    memset(long_path, 'p', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(bluegreen_open(long_path, &connection, &error), -ENAMETOOLONG);
    assert_int_equal(bluegreen_open(long_path, &connection, NULL), -ENAMETOOLONG);
    setenv("BLUEGREEN_SOCKET", "/nonexistent/by-environment", 1);
    assert_int_equal(bluegreen_open(NULL, &connection, &error), -ENOENT);
    assert_non_null(strstr(error.reason, "/nonexistent/by-environment"));
    setenv("BLUEGREEN_SOCKET", "", 1); /* empty is as good as absent */
    (void)bluegreen_open(NULL, &connection, &error);
    if (connection)
        bluegreen_close(connection);
    else
        assert_non_null(strstr(error.reason, "/run/bluegreen/control.sock"));
    unsetenv("BLUEGREEN_SOCKET");
}

/* The agent turned the connection away and closed before it was asked: its reason counts, not the broken pipe. */
static void test_turned_away(void **state)
{
    (void)state;
    int ends[2];
    static const char reply[] = ERROR("io.bluegreen.Agent.Refused", "\"reason\":\"too many\"");
    struct bluegreen *connection = calloc(1, sizeof *connection);
    struct bluegreen_status *status;
    struct bluegreen_error error = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    connection->fd = ends[0];
    connection->timeout_ms = 1000;
    assert_true(send(ends[1], reply, sizeof reply, 0) > 0);
    close(ends[1]);
    assert_int_equal(bluegreen_status(connection, NULL, &status, &error), -EPERM);
    assert_string_equal(error.reason, "too many");
    bluegreen_close(connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_replies),
        cmocka_unit_test(test_no_agents),
        cmocka_unit_test(test_bare_replies),
        cmocka_unit_test(test_endless_reply),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_callback_ends_the_wait),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
