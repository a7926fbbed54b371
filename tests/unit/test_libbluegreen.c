/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libbluegreen: what is asked, and what comes back as structures. */
#include "library_agent.h"

#define ZONE                                                                                                           \
    "{\"state\":\"live\",\"release\":\"v1\",\"addresses\":[\"10.0.0.2\",7,\"fd00::2\"],\"pid\":12,\"shim_pid\":11,"    \
    "\"connections\":{\"tcp\":3,\"udp\":4},\"restarts\":5,\"last_exit\":{\"code\":null,\"signal\":9,\"time\":\"T\"},"  \
    "\"verdict\":\"healthy\",\"detail\":\"HTTP "                                                                       \
    "200\",\"crash_loop\":true,\"fence\":\"closed\",\"refused\":17,"                                                   \
    "\"usage\":{\"measured\":true,\"memory\":5000000000,"                                                              \
    "\"memory_limit\":null,\"cpu_limit_permille\":1500,\"tasks\":9,\"oom_kills\":2,\"cpu_us\":-1},\"processes\":[{"    \
    "\"name\":\"worker\",\"when\":\"live\",\"state\":\"running\",\"pid\":13,\"restarts\":1,\"last_exit\":{\"code\":7}" \
    "},7]}"

#define FEED                                                                                                           \
    "{\"state\":\"behind\",\"backup\":true,\"text\":\"behind 34 (2.1 "                                                 \
    "s)\",\"mode\":\"http\",\"live\":\"green\",\"committed\":9,\"applied\":{\"blue\":null,\"green\":9},\"behind\":34," \
    "\"behind_ms\":2100,\"lost\":5000000000,\"connections\":{\"blue\":1,\"green\":2},\"reason\":null}"

static void expect_feed(const struct bluegreen_feed *feed)
{
    assert_string_equal(feed->state, "behind");
    assert_string_equal(feed->text, "behind 34 (2.1 s)");
    assert_string_equal(feed->mode, "http");
    assert_true(feed->backup && !feed->reason && feed->live == BLUEGREEN_GREEN && feed->committed == 9);
    assert_true(feed->applied[BLUEGREEN_BLUE] == -1 && feed->applied[BLUEGREEN_GREEN] == 9);
    assert_true(feed->behind == 34 && feed->behind_ms == 2100 && feed->lost == 5000000000 && feed->in_doubt == 0);
    assert_true(feed->connections[0] == 1 && feed->connections[1] == 2);
}

static void test_status(void **state)
{
    (void)state;
    static const char reply[] =
        "{\"parameters\":{\"apps\":[{\"name\":\"web\",\"state\":\"running\",\"live\":\"green\",\"zones\":{"
        "\"blue\":" ZONE ",\"green\":{}},\"ports\":[{\"name\":\"http\",\"listen\":\"80\",\"target\":8080,\"protocol\":"
        "\"tcp\",\"host_connections\":4}],"
        "\"firewall\":\"F\",\"operation\":{\"verb\":\"deploy\",\"step\":\"health\",\"since\":\"S\",\"who\":\"W\"},"
        "\"feed\":" FEED ",\"future\":[1]},"
        "{\"name\":\"api\",\"live\":null,"
        "\"schema\":{\"state\":\"expanded\",\"expanded\":3,\"contracted\":2,\"text\":\"T\"},"
        "\"canary\":{\"percent\":10,\"sticky\":true,\"zone\":\"green\",\"since\":\"S\",\"verdict\":\"W\"},"
        "\"preview\":{\"zone\":\"green\",\"url\":null,\"clients\":2},"
        "\"bake\":{\"until\":\"U\",\"verdict\":\"V\"}}]}}";
    struct agent agent;
    struct bluegreen *connection = OPEN(&agent, reply);
    struct bluegreen_status *status;
    assert_int_equal(bluegreen_status(connection, NULL, &status, NULL), 0);
    close_agent(&agent, connection); /* the status does not need it */
    assert_int_equal(status->count, 2);
    const struct bluegreen_app *web = status->apps[0], *api = status->apps[1];
    assert_string_equal(web->name, "web");
    assert_int_equal(web->live, BLUEGREEN_GREEN);
    const struct bluegreen_zone *blue = &web->zones[BLUEGREEN_BLUE];
    assert_string_equal(blue->state, "live");
    assert_string_equal(blue->release, "v1");
    assert_string_equal(blue->addresses[0], "10.0.0.2");
    assert_string_equal(blue->addresses[1], "fd00::2"); /* what is no string is passed over */
    assert_null(blue->addresses[2]);
    assert_int_equal(blue->pid, 12);
    assert_int_equal(blue->shim_pid, 11);
    assert_int_equal(blue->tcp, 3);
    assert_int_equal(blue->udp, 4);
    assert_int_equal(blue->restarts, 5);
    assert_int_equal(blue->last_exit->code, -1);
    assert_int_equal(blue->last_exit->signal, 9);
    assert_string_equal(blue->last_exit->time, "T");
    assert_string_equal(blue->detail, "HTTP 200");
    const struct bluegreen_workload *workload = web->workload[BLUEGREEN_BLUE];
    assert_true(workload->crash_loop);
    assert_string_equal(workload->fence, "closed");
    assert_int_equal(workload->refused, 17);
    assert_true(workload->usage->measured);
    assert_false(workload->usage->limited); /* not said */
    assert_int_equal(workload->usage->memory, 5000000000);
    assert_int_equal(workload->usage->memory_limit, 0);
    assert_int_equal(workload->usage->cpu_limit, 1500);
    assert_int_equal(workload->usage->cpu_us, 0);
    assert_int_equal(workload->usage->oom_kills, 2);
    assert_string_equal(workload->processes[0]->name, "worker");
    assert_int_equal(workload->processes[0]->pid, 13);
    assert_int_equal(workload->processes[0]->last_exit->code, 7);
    assert_string_equal(workload->processes[1]->name, ""); /* what is no process says nothing */
    assert_null(workload->processes[2]);
    assert_null(api->workload[BLUEGREEN_GREEN]->usage); /* an older agent says none of it */
    assert_null(api->workload[BLUEGREEN_GREEN]->processes[0]);
    assert_int_equal(web->port_count, 1);
    assert_int_equal(web->ports[0].target, 8080);
    assert_int_equal(web->published[0].count, 1); /* an older agent does not say */
    assert_int_equal(web->published[0].host_connections, 4);
    assert_string_equal(web->firewall, "F");
    assert_null(api->firewall);
    expect_feed(web->feed);
    assert_null(api->feed);
    assert_string_equal(web->operation->step, "health");
    assert_non_null(strstr(web->json, "\"future\":[1]")); /* the raw JSON has all of it */
    assert_string_equal(api->state, "");
    assert_int_equal(api->live, BLUEGREEN_NONE);
    assert_null(api->operation);
    assert_null(web->bake);
    assert_null(web->schema);
    assert_string_equal(api->schema->state, "expanded");
    assert_int_equal(api->schema->expanded, 3);
    assert_int_equal(api->schema->contracted, 2);
    assert_string_equal(api->schema->text, "T");
    assert_null(web->canary);
    assert_null(web->preview);
    assert_int_equal(api->canary->percent, 10);
    assert_true(api->canary->sticky);
    assert_int_equal(api->canary->zone, BLUEGREEN_GREEN);
    assert_string_equal(api->canary->verdict, "W");
    assert_int_equal(api->preview->zone, BLUEGREEN_GREEN);
    assert_null(api->preview->url);
    assert_int_equal(api->preview->clients, 2);
    assert_string_equal(api->bake->until, "U");
    assert_string_equal(api->bake->verdict, "V");
    assert_null(api->zones[BLUEGREEN_GREEN].release);
    assert_null(api->zones[BLUEGREEN_GREEN].addresses[0]);
    assert_null(api->zones[BLUEGREEN_GREEN].last_exit);
    bluegreen_status_free(status);
    bluegreen_status_free(NULL);
}

static void test_history(void **state)
{
    (void)state;
    static const char reply[] =
        "{\"parameters\":{\"entries\":[{\"sequence\":7,\"time\":\"T\",\"app\":\"web\",\"verb\":\"deploy\",\"from\":"
        "null,"
        "\"to\":\"blue\",\"release\":\"v1\",\"who\":\"W\",\"duration_ms\":12,\"done\":false,\"reason\":\"R\"}]}}";
    struct agent agent;
    struct bluegreen *connection = OPEN(&agent, reply);
    struct bluegreen_history *history;
    assert_int_equal(bluegreen_history(connection, "web", 3, &history, NULL), 0);
    assert_int_equal(history->count, 1);
    const struct bluegreen_entry *entry = history->entries[0];
    assert_int_equal(entry->sequence, 7);
    assert_int_equal(entry->from, BLUEGREEN_NONE);
    assert_int_equal(entry->to, BLUEGREEN_BLUE);
    assert_int_equal(entry->duration_ms, 12);
    assert_false(entry->done);
    assert_string_equal(entry->reason, "R");
    bluegreen_history_free(history);
    close_agent(&agent, connection);
}

static void test_history_whole(void **state)
{
    (void)state;
    static const char reply[] =
        "{\"parameters\":{\"entries\":[{\"sequence\":7,\"verb\":\"deploy\",\"steps\":[{\"step\":\"build\","
        "\"duration_ms\":12},{\"step\":\"start\",\"duration_ms\":3}],\"receipt\":{\"transaction_us\":340,"
        "\"generation_before\":8,\"generation_after\":9,\"drained\":5,\"cut\":1,\"left\":0,\"drain_ms\":30},"
        "\"served\":[{\"zone\":\"blue\",\"release\":\"v1\",\"since\":\"S\",\"until\":\"U\",\"duration_ms\":9,"
        "\"connections\":1204,\"datagrams\":2,\"requests\":null}],\"hooks\":[{\"hook\":\"test\",\"done\":false,"
        "\"reason\":\"R\",\"output\":\"O\"}]},{\"sequence\":8,\"steps\":5,\"receipt\":null},"
        "{\"sequence\":9,\"receipt\":{\"drained\":null,\"cut\":2,\"left\":0,\"drain_ms\":40,\"nudged\":null}}]}}";
    struct agent agent;
    struct bluegreen *connection = OPEN(&agent, reply);
    struct bluegreen_history_filter filter = {.app = "web", .verb = "deploy", .hooks = 1, .incidents = -1};
    struct bluegreen_history *history;
    assert_int_equal(bluegreen_history_of(connection, &filter, &history, NULL), 0);
    assert_int_equal(history->count, 3);
    const struct bluegreen_entry *entry = history->entries[0];
    assert_int_equal(entry->step_count, 2);
    assert_string_equal(entry->steps[1].name, "start");
    assert_int_equal(entry->steps[1].duration_ms, 3);
    assert_int_equal(entry->switched->transaction_us, 340);
    assert_true(entry->switched->drain_known && entry->switched->drain_ended);
    assert_int_equal(entry->switched->cut, 1);
    assert_int_equal(entry->served_count, 1);
    assert_int_equal(entry->served[0].connections, 1204);
    assert_false(entry->served[0].requests_known);
    assert_int_equal(entry->hook_count, 1);
    assert_string_equal(entry->hooks[0].output, "O");
    entry = history->entries[1]; /* an older agent, or a strange one */
    assert_int_equal(entry->step_count + entry->served_count + entry->hook_count, 0);
    assert_null(entry->switched);
    entry = history->entries[2]; /* another agent had begun the drain */
    assert_true(entry->switched->drain_ended && !entry->switched->drain_known);
    assert_int_equal(entry->switched->drain_ms, 40);
    bluegreen_history_free(history);
    close_agent(&agent, connection);
}

static bool count_progress(void *context, const struct bluegreen_progress *progress)
{
    assert_string_equal(progress->step, "drain");
    assert_int_equal(progress->zone, BLUEGREEN_BLUE);
    assert_true(progress->has_connections);
    ++*(unsigned *)context;
    assert_int_equal(progress->connections, 3 - *(unsigned *)context);
    assert_int_equal(progress->elapsed_ms, 1500);
    return true;
}

static void test_operation(void **state)
{
    (void)state;
    static const char reply[] = PROGRESS("2")
        PROGRESS("1") "{\"parameters\":{\"receipt\":{\"from\":\"blue\",\"to\":\"green\",\"release\":\"v2\","
                      "\"transaction_us\":14,\"generation_before\":41,\"generation_after\":42,"
                      "\"drained\":3,\"cut\":1,\"duration_ms\":99,\"who\":\"W\"},\"text\":\"note\"}}";
    struct agent agent;
    struct bluegreen *connection = OPEN(&agent, reply);
    struct bluegreen_result *result;
    unsigned seen = 0;
    assert_int_equal(bluegreen_operate(connection, BLUEGREEN_DEPLOY, "web", "v2", BLUEGREEN_FORCE, count_progress,
                                       &seen, &result, NULL),
                     0);
    assert_int_equal(seen, 2);
    assert_int_equal(result->receipt->from, BLUEGREEN_BLUE);
    assert_int_equal(result->receipt->to, BLUEGREEN_GREEN);
    assert_int_equal(result->receipt->transaction_us, 14);
    assert_int_equal(result->receipt->generation_after, 42);
    assert_int_equal(result->receipt->drained, 3);
    assert_int_equal(result->receipt->cut, 1);
    assert_string_equal(result->text, "note");
    assert_int_equal(strncmp(result->receipt->json, "{\"from\"", 7), 0);
    bluegreen_result_free(result);
    close_agent(&agent, connection);
}

/* What a verb and flags become on the wire: the call without its NUL, which the agent below sends back as a text. */
static void assert_call_losing(enum bluegreen_verb verb, unsigned flags, uint64_t lose, const char *expected)
{
    int ends[2];
    char call[512] = "";
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct bluegreen connection = {.fd = ends[0]};
    bluegreen_set_lose(&connection, lose);
    static const char reply[] = "{\"parameters\":{}}";
    assert_int_equal(send(ends[1], reply, sizeof reply, 0), sizeof reply);
    assert_int_equal(bluegreen_operate(&connection, verb, "web", NULL, flags, NULL, NULL, NULL, NULL), 0);
    assert_true(recv(ends[1], call, sizeof call - 1, 0) > 0);
    assert_string_equal(call, expected);
    free(connection.input);
    close(ends[0]);
    close(ends[1]);
}

static void assert_call(enum bluegreen_verb verb, unsigned flags, const char *expected)
{
    assert_call_losing(verb, flags, 0, expected);
}

static void test_calls(void **state)
{
    (void)state;
#define CALL(method, rest) "{\"method\":\"io.bluegreen.Agent." method "\",\"parameters\":{\"app\":\"web\"" rest "}}"
    assert_call(BLUEGREEN_REMOVE, 0, CALL("Remove", ""));
    assert_call(BLUEGREEN_TEST, BLUEGREEN_FORCE, CALL("Test", ",\"force\":true"));
    assert_call(BLUEGREEN_FINISH, 0, CALL("Finish", ""));
    assert_call(BLUEGREEN_ATTACH, 0, CALL("Attach", ""));
    assert_call(BLUEGREEN_REHEARSE, 0, CALL("Rehearse", ""));
    assert_call(BLUEGREEN_DEPLOY, BLUEGREEN_NO_TEST | BLUEGREEN_STOP_AFTER_HEALTH,
                CALL("Deploy", ",\"no_test\":true,\"stop_after\":\"health\""));
    assert_call(BLUEGREEN_DEPLOY, BLUEGREEN_STOP_AFTER_TEST, CALL("Deploy", ",\"stop_after\":\"test\""));
    assert_call_losing(BLUEGREEN_ROLLBACK, 0, 5, CALL("Rollback", ",\"lose\":5"));
    assert_call_losing(BLUEGREEN_STOP, 0, 5, CALL("Stop", ""));
}

struct seen {
    unsigned ticks, waits;
    bool stop;
};

static bool on_tick(void *context, const struct bluegreen_progress *progress)
{
    struct seen *seen = context;
    if (!progress)
        return !(seen->stop && ++seen->ticks == 3) && (seen->stop || ++seen->ticks);
    assert_int_equal(progress->wait_ms, 30000);
    assert_int_equal(progress->waited_ms, 1000);
    seen->waits++;
    return true;
}

#define WAIT                                                                                   \
    "{\"parameters\":{\"progress\":{\"step\":\"bake\",\"wait_ms\":30000,\"waited_ms\":1000}}," \
    "\"continues\":true}\0"

/* Ticks come while nothing else does, never between what is there already, and may end the wait. */
static void test_ticks(void **state)
{
    (void)state;
    struct agent agent;
    struct seen seen = {0};
    struct bluegreen_error error = {0};
    static const char at_once[] = WAIT WAIT "{\"parameters\":{}}", half[] = WAIT;
    struct bluegreen *connection = OPEN(&agent, at_once);
    bluegreen_set_tick(connection, 20000);
    assert_int_equal(bluegreen_operate(connection, BLUEGREEN_ATTACH, "web", NULL, 0, on_tick, &seen, NULL, NULL), 0);
    assert_int_equal(seen.waits, 2);
    assert_int_equal(seen.ticks, 0);
    close_agent(&agent, connection);
    connection = open_agent(&agent, half, sizeof half - 1, true);
    bluegreen_set_tick(connection, 10);
    seen = (struct seen){.stop = true};
    assert_int_equal(bluegreen_operate(connection, BLUEGREEN_ATTACH, "web", NULL, 0, on_tick, &seen, NULL, &error),
                     -ECANCELED);
    assert_int_equal(error.kind, BLUEGREEN_INTERRUPTED);
    assert_int_equal(seen.waits, 1);
    assert_int_equal(seen.ticks, 3);
    close_agent(&agent, connection);
}

static void test_connections(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_connections *connections;
    struct bluegreen *connection =
        OPEN(&agent, "{\"parameters\":{\"connections\":[{\"zone\":\"green\",\"protocol\":\"tcp\",\"port\":\"http\","
                     "\"target\":8080,\"peer\":\"192.0.2.7:51234\",\"state\":\"established\",\"age_ms\":7000,"
                     "\"age_exact\":true,\"idle_ms\":6000,\"rests\":true,\"nudged\":true,\"bytes_in\":5000000000,"
                     "\"bytes_out\":6,\"unread\":3,\"unconfirmed\":4},{\"age_ms\":null,\"port\":null}],"
                     "\"text\":\"7 more\"}}");
    assert_int_equal(bluegreen_connections(connection, "web", BLUEGREEN_GREEN, 2, &connections, NULL), 0);
    assert_int_equal(connections->count, 2);
    assert_string_equal(connections->text, "7 more");
    const struct bluegreen_connection *row = connections->connections[0];
    assert_int_equal(row->zone, BLUEGREEN_GREEN);
    assert_string_equal(row->protocol, "tcp");
    assert_string_equal(row->port, "http");
    assert_int_equal(row->target, 8080);
    assert_string_equal(row->peer, "192.0.2.7:51234");
    assert_string_equal(row->state, "established");
    assert_true(row->age_ms == 7000 && row->age_exact && row->idle_ms == 6000 && row->rests && row->nudged);
    assert_true(row->bytes_in == 5000000000 && row->bytes_out == 6 && row->unread == 3 && row->unconfirmed == 4);
    assert_non_null(strstr(row->json, "\"age_ms\":7000"));
    row = connections->connections[1];
    assert_true(row->zone == BLUEGREEN_NONE && !row->port && row->age_ms == -1 && row->idle_ms == -1 &&
                row->bytes_in == -1 && row->peer[0] == '\0');
    bluegreen_connections_free(connections);
    close_agent(&agent, connection);
    connection = OPEN(&agent, "{\"parameters\":{\"connections\":[]}}");
    assert_int_equal(bluegreen_connections(connection, "web", BLUEGREEN_NONE, 0, &connections, NULL), 0);
    assert_true(connections->count == 0 && !connections->text);
    bluegreen_connections_free(connections);
    close_agent(&agent, connection);
}

static void test_feed(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_feed_answer *answer;
    struct bluegreen *connection =
        OPEN(&agent, "{\"parameters\":{\"feed\":" FEED ",\"transactions\":[{\"sequence\":17,\"kind\":\"diverged\","
                     "\"zone\":\"blue\",\"time\":\"T\",\"request\":\"POST /a\",\"status_live\":201,"
                     "\"status_other\":null,\"live\":\"L\",\"other\":null},{}],\"text\":\"well\"}}");
    assert_int_equal(bluegreen_feed(connection, "web", "verify", 0, NULL, NULL, &answer, NULL), 0);
    expect_feed(answer->feed);
    assert_string_equal(answer->text, "well");
    assert_int_equal(answer->count, 2);
    const struct bluegreen_transaction *row = answer->transactions[0];
    assert_true(row->sequence == 17 && row->zone == BLUEGREEN_BLUE && row->status_live == 201 && !row->status_other);
    assert_string_equal(row->kind, "diverged");
    assert_string_equal(row->request, "POST /a");
    assert_string_equal(row->live, "L");
    assert_null(row->other);
    row = answer->transactions[1];
    assert_true(row->zone == BLUEGREEN_NONE && row->kind[0] == '\0' && row->request[0] == '\0');
    bluegreen_feed_free(answer);
    close_agent(&agent, connection);
    connection = OPEN(&agent, "{\"parameters\":{}}");
    assert_int_equal(bluegreen_feed(connection, "web", "pause", 0, NULL, NULL, &answer, NULL), 0);
    assert_true(!answer->feed && answer->count == 0 && !answer->text);
    bluegreen_feed_free(answer);
    bluegreen_feed_free(NULL);
    close_agent(&agent, connection);
}

static void test_version_is_cut(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen *connection = OPEN(&agent, "{\"parameters\":{\"version\":\"1.2.3-long\"}}");
    char version[6];
    assert_int_equal(bluegreen_version(connection, version, sizeof version, NULL), 0);
    assert_string_equal(version, "1.2.3");
    close_agent(&agent, connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status), cmocka_unit_test(test_history),       cmocka_unit_test(test_connections),
        cmocka_unit_test(test_feed),   cmocka_unit_test(test_history_whole), cmocka_unit_test(test_operation),
        cmocka_unit_test(test_calls),  cmocka_unit_test(test_ticks),         cmocka_unit_test(test_version_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
