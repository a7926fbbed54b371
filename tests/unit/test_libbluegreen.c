/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libbluegreen against an agent that says whatever the test wants it to. */
#include "client/bluegreen.c"
#include "client/connection.c"
#include "client/decode.c"
#include "client/decode_connections.c"
#include "client/decode_feed.c"
#include "client/decode_history.c"
#include "client/decode_rows.c"
#include "client/decode_status.c"
#include "client/decode_zone.c"
#include "client/descriptors.c"
#include "client/errors.c"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

/* An agent of one connection in a child: reads one call, writes what it is told to, and then waits for the client to
 * close, or closes itself. */
struct agent {
    pid_t pid;
    char path[64];
};

static void serve(int listener, const char *reply, size_t length, bool stay)
{
    char byte = 'x';
    int fd = accept(listener, NULL, NULL);
    while (fd >= 0 && byte && recv(fd, &byte, 1, 0) == 1)
        ;
    if (length > 0)
        (void)!send(fd, reply, length, MSG_NOSIGNAL);
    while (stay && recv(fd, &byte, 1, 0) == 1)
        ;
    _exit(0);
}

static struct bluegreen *open_agent(struct agent *agent, const char *reply, size_t length, bool stay)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct bluegreen *connection = NULL;
    snprintf(agent->path, sizeof agent->path, "/tmp/test_libbluegreen.%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", agent->path);
    unlink(agent->path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    fflush(NULL);
    agent->pid = fork();
    if (agent->pid == 0)
        serve(listener, reply, length, stay);
    assert_true(agent->pid > 0);
    close(listener);
    struct bluegreen_error error;
    assert_int_equal(bluegreen_open(agent->path, &connection, &error), 0);
    return connection;
}

static void close_agent(struct agent *agent, struct bluegreen *connection)
{
    bluegreen_close(connection);
    assert_int_equal(waitpid(agent->pid, NULL, 0), agent->pid);
    unlink(agent->path);
}

#define OPEN(agent, reply) open_agent(agent, reply, sizeof(reply), true)

/* --- replies ------------------------------------------------------------------------------------------------ */

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

#define PROGRESS(connections)                                                                                         \
    "{\"parameters\":{\"progress\":{\"step\":\"drain\",\"zone\":\"blue\",\"text\":\"t\",\"connections\":" connections \
    ",\"elapsed_ms\":1500}},\"continues\":true}\0"

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

/* --- errors ------------------------------------------------------------------------------------------------- */

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

/* --- commands and logs ------------------------------------------------------------------------------------------ */

/* As os/process.c has it, which is not the library's. */
static void send_with(int socket, const char *bytes, size_t length, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } space = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = &space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
    }
    sendmsg(socket, &header, MSG_NOSIGNAL);
}

/* An agent that takes a call and replies, with as many descriptors of its own and what else there is to reply later.
 * The last of them is a file with the call in it. */
static struct bluegreen *open_passing_agent(struct agent *agent, const char *reply, size_t give, const char *later)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct bluegreen *connection = NULL;
    snprintf(agent->path, sizeof agent->path, "/tmp/test_libbluegreen.%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", agent->path);
    unlink(agent->path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    fflush(NULL);
    agent->pid = fork();
    if (agent->pid == 0) {
        char call[4096];
        int own[DESCRIPTORS_MAX];
        int fd = accept(listener, NULL, NULL);
        ssize_t got = recv(fd, call, sizeof call, 0);
        for (size_t i = 0; i < give; i++) {
            own[i] = memfd_create("given", MFD_CLOEXEC);
            dprintf(own[i], "file %zu", i);
            if (later && i + 1 == give)
                dprintf(own[i], "%.*s", (int)got, call);
        }
        send_with(fd, reply, strlen(reply) + 1, own, give);
        if (later)
            send_with(fd, later, strlen(later) + 1, NULL, 0);
        while (recv(fd, call, 1, 0) == 1)
            ;
        _exit(0);
    }
    close(listener);
    assert_int_equal(bluegreen_open(agent->path, &connection, NULL), 0);
    return connection;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void assert_content(int fd, const char *content)
{
    char got[512] = "";
    assert_true(pread(fd, got, sizeof got - 1, 0) > 0);
    assert_string_equal(got, content);
    close(fd);
}

#define ENDED "{\"parameters\":{\"code\":3,\"signal\":null,\"time\":\"T\"}}"

static void test_exec(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", "-l", "\xc3\xa4 b", NULL};
    struct agent agent;
    struct bluegreen_error error;
    int code, number, descriptors[3];
    int before = open_descriptors();
    struct bluegreen *connection =
        open_passing_agent(&agent, "{\"parameters\":{\"streams\":[\"stderr\",\"terminal\"]},\"continues\":true}", 2,
                           ENDED);
    struct bluegreen_command command = {
        .app = "web", .zone = BLUEGREEN_GREEN, .arguments = words, .terminal = "xterm", .rows = 24, .columns = 80};
    assert_int_equal(bluegreen_exec_wait(connection, &code, &number, &error), -EINVAL); /* nothing was asked for */
    assert_int_equal(bluegreen_exec(connection, &command, descriptors, &error), 0);
    assert_int_equal(bluegreen_status(connection, NULL, NULL, &error), -EBUSY);
    assert_int_equal(descriptors[1], -1);
    assert_content(descriptors[2], "file 0");
    assert_content(descriptors[0],
                   "file 1{\"method\":\"io.bluegreen.Agent.Exec\",\"parameters\":{\"app\":\"web\",\"zone\":"
                   "\"green\",\"command\":[\"ls\",\"-l\",\"\xc3\xa4 b\"],\"terminal\":\"xterm\",\"rows\":24,"
                   "\"columns\":80},\"more\":true}");
    assert_int_equal(bluegreen_exec_wait(connection, &code, &number, &error), 0);
    assert_int_equal(code, 3);
    assert_int_equal(number, 0);
    close_agent(&agent, connection);
    assert_int_equal(open_descriptors(), before);
}

/* Pipes; with one for both, two. */
static void test_exec_pipes(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", NULL};
    for (int merge = 0; merge < 2; merge++) {
        struct agent agent;
        int descriptors[3];
        struct bluegreen_command command = {.app = "web", .zone = BLUEGREEN_NONE, .arguments = words, .merge = merge};
        struct bluegreen *connection =
            open_passing_agent(&agent,
                               merge ? "{\"parameters\":{\"streams\":[\"stdin\",\"stdout\"]},\"continues\":true}"
                                     : "{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]},"
                                       "\"continues\":true}",
                               merge ? 2 : 3, NULL);
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), 0);
        assert_content(descriptors[0], "file 0");
        assert_content(descriptors[1], "file 1");
        if (merge)
            assert_int_equal(descriptors[2], -1);
        else
            assert_content(descriptors[2], "file 2");
        close_agent(&agent, connection);
    }
}

/* First replies that are refusals, or what no agent says. Whatever came with them is closed. */
static void test_exec_refused(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        size_t give;
        int result;
    } cases[] = {
        {"{\"error\":\"io.bluegreen.Agent.Busy\",\"parameters\":{\"reason\":\"R\"}}", 0, -EBUSY},
        {"{\"parameters\":{\"code\":0}}", 0, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]}}", 3, -EPROTO}, /* and no end to follow */
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"terminal\",\"stderr\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[1,null,{}]},\"continues\":true}", 3, -EPROTO},
        {"{\"parameters\":{},\"continues\":true}", 4, -EPROTO},
    };
    static const char *const words[] = {"ls", NULL};
    static const char *const wrong[] = {"ls", "\xff", NULL};
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen *connection = open_passing_agent(&agent, cases[i].reply, cases[i].give, NULL);
        int code, number, descriptors[3];
        struct bluegreen_command command = {.app = "web", .zone = BLUEGREEN_NONE, .arguments = wrong};
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), -EILSEQ);
        command.arguments = words;
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), cases[i].result);
        assert_int_equal(bluegreen_exec_wait(connection, &code, &number, NULL), -EINVAL);
        close_agent(&agent, connection);
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_exec_ends(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        int result, code, number;
    } cases[] = {
        {"{\"parameters\":{\"code\":null,\"signal\":9}}", 0, -1, 9},
        {"{\"parameters\":{\"code\":0,\"signal\":null}}", 0, 0, 0},
        {"{\"parameters\":{}}", -EPROTO, 0, 0},
        {"{\"parameters\":{\"code\":1,\"signal\":1}}", -EPROTO, 0, 0},
        {"{\"parameters\":{\"code\":256}}", -EPROTO, 0, 0},
        {"{\"error\":\"io.bluegreen.Agent.Failed\",\"parameters\":{\"reason\":\"R\"}}", -EIO, 0, 0},
    };
    static const char *const words[] = {"ls", NULL};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen *connection =
            open_passing_agent(&agent, "{\"parameters\":{\"streams\":[\"terminal\"]},\"continues\":true}", 1,
                               cases[i].reply);
        int code = 0, number = 0, descriptors[3];
        struct bluegreen_command command = {
            .app = "web", .zone = BLUEGREEN_NONE, .arguments = words, .terminal = "dumb", .merge = 1};
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), 0);
        close(descriptors[0]);
        assert_int_equal(bluegreen_exec_wait(connection, &code, &number, NULL), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(code, cases[i].code);
            assert_int_equal(number, cases[i].number);
        }
        close_agent(&agent, connection);
    }
}

static void test_logs(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_logs *logs;
    char content[16] = "";
    int before = open_descriptors();
    struct bluegreen *connection = open_passing_agent(
        &agent, "{\"parameters\":{\"zone\":\"green\",\"release\":\"v1\",\"files\":[\"index\",\"log\",\"future\"]}}", 4,
        NULL);
    assert_int_equal(bluegreen_logs(connection, "web", BLUEGREEN_NONE, &logs, NULL), 0);
    assert_int_equal(logs->zone, BLUEGREEN_GREEN);
    assert_string_equal(logs->release, "v1");
    assert_int_equal(pread(logs->index, content, sizeof content - 1, 0), 6);
    assert_string_equal(content, "file 0");
    assert_int_equal(pread(logs->log, content, sizeof content - 1, 0), 6);
    assert_string_equal(content, "file 1");
    assert_int_equal(logs->old_log, -1);
    assert_int_equal(logs->old_index, -1);
    close_agent(&agent, connection);
    bluegreen_logs_free(logs);
    bluegreen_logs_free(NULL);
    assert_int_equal(open_descriptors(), before); /* what nobody knows, or was not named, is closed too */
    connection = open_passing_agent(&agent, "{\"error\":\"io.bluegreen.Agent.Refused\"}", 2, NULL);
    assert_int_equal(bluegreen_logs(connection, "web", BLUEGREEN_BLUE, &logs, NULL), -EPERM);
    close_agent(&agent, connection);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),         cmocka_unit_test(test_history),
        cmocka_unit_test(test_connections),    cmocka_unit_test(test_feed),
        cmocka_unit_test(test_history_whole),  cmocka_unit_test(test_operation),
        cmocka_unit_test(test_calls),          cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_version_is_cut), cmocka_unit_test(test_error_replies),
        cmocka_unit_test(test_no_agents),      cmocka_unit_test(test_bare_replies),
        cmocka_unit_test(test_endless_reply),  cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_interrupt),      cmocka_unit_test(test_callback_ends_the_wait),
        cmocka_unit_test(test_wrong_calls),    cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_turned_away),    cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_pipes),     cmocka_unit_test(test_exec_refused),
        cmocka_unit_test(test_exec_ends),      cmocka_unit_test(test_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
