/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/render: the field names and types that users rely on, written out in full. */
#include "api/render.h"
#include "base/json_ascii.h"
#include "base/text.h"
#include "model/feed_wire.h"
#include "model/verdict.h"
#include "model/wire_answers.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOME_TIME 1763869080123u /* 2025-11-23T03:38:00.123Z */

static void assert_json(struct json_object *object, const char *expected)
{
    assert_non_null(object);
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                        expected);
    json_object_put(object);
}

#define ZONE_ABSENT_JSON                                                                                              \
    "{\"state\":\"absent\",\"release\":null,\"addresses\":[],\"pid\":null,\"shim_pid\":null,"                         \
    "\"connections\":{\"tcp\":0,\"udp\":0},\"restarts\":0,\"last_exit\":null,\"verdict\":\"unknown\",\"detail\":null" \
    ",\"crash_loop\":false,\"kept_until\":null,\"fence\":null,\"refused\":0,\"usage\":null,\"processes\":[]}"

static void test_empty_app(void **state)
{
    (void)state;
    struct wire_status status = {.live = -1, .name = "web"};
    assert_json(render_status(&status),
                "{\"name\":\"web\",\"state\":\"empty\",\"live\":null,\"zones\":{\"blue\":" ZONE_ABSENT_JSON
                ",\"green\":" ZONE_ABSENT_JSON "},\"ports\":[],\"firewall\":null,\"operation\":null,\"bake\":null,"
                "\"drain\":null,\"served\":null,\"lock\":null,"
                "\"schema\":null,\"queued\":0,\"group\":null,\"canary\":null,\"preview\":null,\"feed\":null}");
}

static void fill_blue(struct wire_zone *zone)
{
    *zone = (struct wire_zone){
        .state = ZONE_LIVE,
        .verdict = VERDICT_HEALTHY,
        .restarts = 3,
        .pid = 4711,
        .shim_pid = 4710,
        .tcp = 4000000000u,
        .udp = 2,
        .release = "v1.4.2+b",
        .ipv4 = {.family = 4, .bytes = {10, 201, 0, 2}},
        .ipv6 = {.family = 6, .bytes = {0xfd, 0, 0, 0xb9, [15] = 2}},
        .last_exit = {.known = 1, .signalled = 1, .value = 9, .unix_ms = SOME_TIME},
        .detail = "HTTP 200 OK",
    };
}

static void test_full_app(void **state)
{
    (void)state;
    struct wire_status status = {.name = "web", .state = APP_RUNNING, .live = BLUE, .port_count = 2};
    fill_blue(&status.zones[BLUE]);
    status.zones[GREEN].kept_until_unix_ms = 1500;
    status.zones[BLUE].crash_loop = 1;
    status.zones[BLUE].fence = FENCE_OPEN;
    status.zones[GREEN].fence = FENCE_CLOSED;
    status.zones[GREEN].refused = 17;
    status.zones[BLUE].usage = (struct wire_usage){.known = 1,
                                                   .limits = 1,
                                                   .memory = 5000000000,
                                                   .cpu_permille = 37,
                                                   .cpu_limit = 1500,
                                                   .cpu_us = 7,
                                                   .throttled_us = 8,
                                                   .tasks = 9,
                                                   .tasks_limit = 10,
                                                   .oom_kills = 11};
    status.zones[BLUE].process_count = 2;
    status.zones[BLUE].processes[0] = (struct wire_process){.name = "worker",
                                                            .live_only = 1,
                                                            .state = PROCESS_BACK_OFF,
                                                            .restarts = 3,
                                                            .last_exit = {.known = 1, .value = 7}};
    status.zones[BLUE].processes[1] = (struct wire_process){.state = 99, .pid = 12};
    status.zones[GREEN].last_exit = (struct wire_exit){.known = 1, .value = 0, .unix_ms = 0};
    status.ports[0] = (struct wire_port){
        .name = "http", .listen = "80", .target = 8080, .count = 1, .protocol = PROTOCOL_TCP, .host_connections = 4};
    status.ports[1] =
        (struct wire_port){.name = "dns", .listen = "[::1]:53-60", .target = 53, .count = 8, .protocol = PROTOCOL_UDP};
    status.operation = (struct wire_operation){
        .present = 1, .verb = VERB_DEPLOY, .since_unix_ms = SOME_TIME, .step = "health", .who = "alice (uid 1000)"};
    status.bake = (struct wire_bake){.baking = 1, .until_unix_ms = SOME_TIME, .verdict = "3 of 41 probes failed"};
    status.drain =
        (struct wire_drain){.present = 1, .zone = GREEN, .connections = 12, .most = 40, .nudged = 3, .left_ms = 18000};
    status.lock = (struct wire_lock){
        .locked = 1, .since_unix_ms = SOME_TIME, .who = "bob (uid 1001)", .reason = "moving the host"};
    status.queued = 3;
    status.canary = (struct wire_canary){
        .percent = 10, .sticky = 1, .zone = GREEN, .since_unix_ms = SOME_TIME, .verdict = "0 of 7 probes failed"};
    status.preview = (struct wire_preview){.reached = 1, .zone = GREEN, .clients = 2, .url = "http://host:8081"};
    text_copy(status.firewall, sizeof status.firewall, "table ip filter drops");
    assert_json(render_status(&status),
                "{\"name\":\"web\",\"state\":\"running\",\"live\":\"blue\",\"zones\":{\"blue\":{\"state\":\"live\","
                "\"release\":\"v1.4.2+b\",\"addresses\":[\"10.201.0.2\",\"fd00:b9::2\"],\"pid\":4711,\"shim_pid\":4710,"
                "\"connections\":{\"tcp\":4000000000,\"udp\":2},\"restarts\":3,\"last_exit\":{\"code\":null,"
                "\"signal\":9,\"time\":\"2025-11-23T03:38:00.123Z\"},\"verdict\":\"healthy\","
                "\"detail\":\"HTTP 200 OK\",\"crash_loop\":true,\"kept_until\":null,\"fence\":\"open\",\"refused\":0,"
                "\"usage\":{\"measured\":true,\"limited\":true,\"memory\":5000000000,\"memory_peak\":null,\"memory_"
                "limit\":null,\"cpu_permille\":37,"
                "\"cpu_limit_permille\":1500,\"cpu_us\":7,\"throttled_us\":8,\"tasks\":9,\"tasks_limit\":10,"
                "\"oom_kills\":11},\"processes\":[{\"name\":\"worker\",\"when\":\"live\",\"state\":\"back-off\","
                "\"pid\":null,\"restarts\":3,\"last_exit\":{\"code\":7,\"signal\":null,"
                "\"time\":\"1970-01-01T00:00:00.000Z\"}},{\"name\":\"\",\"when\":\"always\",\"state\":\"unknown\","
                "\"pid\":12,\"restarts\":0,\"last_exit\":null}]},\"green\":{\"state\":\"absent\",\"release\":null,"
                "\"addresses\":[],"
                "\"pid\":null,\"shim_pid\":null,\"connections\":{\"tcp\":0,\"udp\":0},\"restarts\":0,\"last_exit\":{"
                "\"code\":0,\"signal\":null,\"time\":\"1970-01-01T00:00:00.000Z\"},\"verdict\":\"unknown\","
                "\"detail\":null,\"crash_loop\":false,\"kept_until\":\"1970-01-01T00:00:01.500Z\","
                "\"fence\":\"closed\",\"refused\":17,\"usage\":null,"
                "\"processes\":[]}},\"ports\":[{\"name\":\"http\","
                "\"listen\":\"80\",\"target\":8080,\"count\":1,"
                "\"protocol\":\"tcp\",\"host_connections\":4},{\"name\":\"dns\",\"listen\":\"[::1]:53-60\",\"target\":"
                "53,\"count\":8,"
                "\"protocol\":\"udp\",\"host_connections\":0}],\"firewall\":\"table ip filter drops\","
                "\"operation\":{\"verb\":\"deploy\",\"step\":\"health\",\"since\":\"2025-11-23T03:38:00.123Z\","
                "\"who\":\"alice (uid 1000)\"},\"bake\":{\"until\":\"2025-11-23T03:38:00.123Z\","
                "\"verdict\":\"3 of 41 probes failed\"},\"drain\":{\"zone\":\"green\",\"connections\":12,\"most\":40,"
                "\"nudged\":3,\"left_ms\":18000,\"then\":\"cut\"},\"served\":null,"
                "\"lock\":{\"since\":\"2025-11-23T03:38:00.123Z\","
                "\"who\":\"bob (uid 1001)\",\"reason\":\"moving the host\"},\"schema\":null,\"queued\":3,"
                "\"group\":null,\"canary\":{\"percent\":10,\"sticky\":true,\"zone\":\"green\","
                "\"since\":\"2025-11-23T03:38:00.123Z\",\"verdict\":\"0 of 7 probes failed\"},"
                "\"preview\":{\"zone\":\"green\",\"url\":\"http://host:8081\",\"clients\":2},\"feed\":null}");
}

static void test_every_state_has_its_word(void **state)
{
    (void)state;
    static const char *const words[ZONE_STATES] = {"absent",    "staging", "starting", "healthy",
                                                   "unhealthy", "live",    "draining", "standby",
                                                   "frozen",    "failed",  "stopped",  "resting"};
    for (int i = 0; i < ZONE_STATES; i++) {
        struct wire_status status = {.live = -1};
        struct json_object *zones, *blue, *word;
        status.zones[BLUE].state = (uint8_t)i;
        struct json_object *app = render_status(&status);
        assert_true(json_object_object_get_ex(app, "zones", &zones));
        assert_true(json_object_object_get_ex(zones, "blue", &blue));
        assert_true(json_object_object_get_ex(blue, "state", &word));
        assert_string_equal(json_object_get_string(word), words[i]);
        json_object_put(app);
    }
}

static void test_receipt(void **state)
{
    (void)state;
    struct wire_receipt receipt = {.from = BLUE,
                                   .to = GREEN,
                                   .transaction_us = 14,
                                   .generation_before = 41,
                                   .generation_after = 42,
                                   .drained = 12,
                                   .cut = 1,
                                   .duration_ms = 2400,
                                   .release = "v2",
                                   .who = "root (uid 0)"};
    assert_json(render_receipt(&receipt),
                "{\"from\":\"blue\",\"to\":\"green\",\"release\":\"v2\",\"transaction_us\":14,\"generation_before\":41,"
                "\"generation_after\":42,\"drained\":12,\"cut\":1,\"nudged\":0,"
                "\"duration_ms\":2400,\"who\":\"root (uid 0)\"}");
    struct wire_receipt first = {.from = -1, .to = BLUE};
    struct json_object *object = render_receipt(&first), *from = (void *)&first;
    assert_true(json_object_object_get_ex(object, "from", &from));
    assert_null(from);
    json_object_put(object);
}

static void test_connection(void **state)
{
    (void)state;
    struct wire_connection row = {.zone = BLUE,
                                  .protocol = PROTOCOL_TCP,
                                  .state = 8,
                                  .rests = 1,
                                  .idle_known = 1,
                                  .bytes_known = 1,
                                  .peer_port = 51234,
                                  .target = 8080,
                                  .unread = 3,
                                  .unconfirmed = 4,
                                  .age_ms = 7000,
                                  .idle_ms = 6000,
                                  .bytes_in = 5000000000,
                                  .bytes_out = 6,
                                  .port = "http"};
    assert_true(address_parse("2001:db8::7", &row.peer));
    assert_json(render_connection(&row),
                "{\"zone\":\"blue\",\"protocol\":\"tcp\",\"port\":\"http\",\"target\":8080,"
                "\"peer\":\"[2001:db8::7]:51234\",\"state\":\"close-wait\",\"age_ms\":7000,\"age_exact\":false,"
                "\"idle_ms\":6000,\"rests\":true,\"nudged\":false,\"bytes_in\":5000000000,\"bytes_out\":6,"
                "\"unread\":3,\"unconfirmed\":4}");
    /* A flow of UDP, of which little is known. */
    row = (struct wire_connection){.zone = 9, .protocol = PROTOCOL_UDP, .peer_port = 53, .target = 8081, .nudged = 1};
    assert_true(address_parse("192.0.2.7", &row.peer));
    assert_json(render_connection(&row),
                "{\"zone\":null,\"protocol\":\"udp\",\"port\":null,\"target\":8081,\"peer\":\"192.0.2.7:53\","
                "\"state\":\"unreplied\",\"age_ms\":null,\"age_exact\":false,\"idle_ms\":null,\"rests\":false,"
                "\"nudged\":true,\"bytes_in\":null,\"bytes_out\":null,\"unread\":0,\"unconfirmed\":0}");
}

static void test_feed(void **state)
{
    (void)state;
    struct wire_feed feed = {.state = FEED_STATE_IN_STEP,
                             .live = BLUE,
                             .mode = FEED_HTTP,
                             .waiting = 4,
                             .committed = 12041,
                             .applied = {12041, 12040},
                             .behind_ms = 5,
                             .in_doubt = 1,
                             .diverged = 2,
                             .twice = 3,
                             .fed = 12041,
                             .passed = 5000000000,
                             .not_fed = 6,
                             .journal_bytes = 7,
                             .journal_max = 1ull << 30,
                             .applied_per_minute = 8,
                             .connections = {9, 10}};
    assert_json(render_feed(&feed),
                "{\"state\":\"in step\",\"backup\":true,\"text\":\"in step, 12041 transactions\","
                "\"mode\":\"http\",\"live\":\"blue\",\"committed\":12041,"
                "\"applied\":{\"blue\":12041,\"green\":12040},\"behind\":0,\"behind_ms\":5,\"in_doubt\":1,"
                "\"diverged\":2,\"lost\":0,\"twice\":3,\"fed\":12041,\"passed\":5000000000,\"not_fed\":6,"
                "\"journal_bytes\":7,\"journal_max\":1073741824,\"applied_per_minute\":8,\"waiting\":4,"
                "\"connections\":{\"blue\":9,\"green\":10},\"reason\":null}");
    feed = (struct wire_feed){.state = FEED_STATE_BROKEN,
                              .live = -1,
                              .mode = FEED_STREAM,
                              .applied = {UINT64_MAX, 0},
                              .reason = "the journal\x1b is full"};
    assert_json(render_feed(&feed),
                "{\"state\":\"broken\",\"backup\":false,\"text\":\"broken: the journal? is full\","
                "\"mode\":\"stream\",\"live\":null,\"committed\":0,\"applied\":{\"blue\":null,\"green\":0},"
                "\"behind\":0,\"behind_ms\":0,\"in_doubt\":0,\"diverged\":0,\"lost\":0,\"twice\":0,\"fed\":0,"
                "\"passed\":0,\"not_fed\":0,\"journal_bytes\":0,\"journal_max\":0,\"applied_per_minute\":0,"
                "\"waiting\":0,\"connections\":{\"blue\":0,\"green\":0},\"reason\":\"the journal? is full\"}");
    feed = (struct wire_feed){.state = FEED_STATE_OFF};
    assert_null(render_feed(&feed));
}

static void test_feed_item(void **state)
{
    (void)state;
    struct wire_feed_item item = {.kind = FEED_ITEM_DOUBT,
                                  .zone = GREEN,
                                  .status_live = 201,
                                  .sequence = 17,
                                  .unix_ms = SOME_TIME,
                                  .request = "POST /a\n",
                                  .live = "{}"};
    assert_json(render_feed_item(&item),
                "{\"sequence\":17,\"kind\":\"in doubt\",\"zone\":\"green\","
                "\"time\":\"2025-11-23T03:38:00.123Z\",\"request\":\"POST /a\\n\",\"status_live\":201,"
                "\"status_other\":null,\"live\":\"{}\",\"other\":null}");
    item = (struct wire_feed_item){.kind = 99, .zone = -1};
    struct json_object *object = render_feed_item(&item), *kind;
    assert_true(json_object_object_get_ex(object, "kind", &kind));
    assert_string_equal(json_object_get_string(kind), "unknown");
    json_object_put(object);
}

static void test_progress(void **state)
{
    (void)state;
    struct wire_progress progress = {.zone = GREEN, .elapsed_ms = 400, .step = "health", .text = "2 of 2 passes"};
    assert_json(render_progress(&progress), "{\"step\":\"health\",\"zone\":\"green\",\"text\":\"2 of 2 passes\","
                                            "\"connections\":null,\"live_connections\":null,\"nudged\":null,"
                                            "\"elapsed_ms\":400,\"wait_ms\":null,"
                                            "\"waited_ms\":null}");
    progress.wait_ms = 60000;
    progress.has_count = 1;
    progress.live_connections = 9;
    progress.nudged = 2;
    progress.zone = 7; /* no colour */
    assert_json(render_progress(&progress), "{\"step\":\"health\",\"zone\":null,\"text\":\"2 of 2 passes\","
                                            "\"connections\":0,\"live_connections\":9,\"nudged\":2,"
                                            "\"elapsed_ms\":400,\"wait_ms\":60000,"
                                            "\"waited_ms\":0}");
}

static void test_history(void **state)
{
    (void)state;
    struct wire_history entry = {.sequence = 1ull << 40,
                                 .begun_unix_ms = SOME_TIME,
                                 .duration_ms = 90000,
                                 .verb = VERB_ROLLBACK,
                                 .from = GREEN,
                                 .to = BLUE,
                                 .done = 1,
                                 .app = "web",
                                 .release = "v1",
                                 .who = "alice (uid 1000)"};
    assert_json(render_history(&entry, NULL),
                "{\"sequence\":1099511627776,\"time\":\"2025-11-23T03:38:00.123Z\",\"app\":\"web\","
                "\"verb\":\"rollback\",\"from\":\"green\",\"to\":\"blue\",\"release\":\"v1\","
                "\"who\":\"alice (uid 1000)\",\"duration_ms\":90000,\"done\":true,\"reason\":null,"
                "\"incident\":null,\"steps\":[],\"receipt\":null,\"served\":[],\"hooks\":null}");
    entry.done = 0;
    text_copy(entry.reason, sizeof entry.reason, "no");
    struct json_object *object = render_history(&entry, NULL), *done;
    assert_true(json_object_object_get_ex(object, "done", &done));
    assert_true(json_object_is_type(done, json_type_boolean));
    assert_false(json_object_get_boolean(done));
    json_object_put(object);
    entry.incident = INCIDENT_MEMORY;
    entry.to = GREEN;
    entry.who[0] = '\0';
    assert_json(render_history(&entry, NULL),
                "{\"sequence\":1099511627776,\"time\":\"2025-11-23T03:38:00.123Z\",\"app\":\"web\","
                "\"verb\":\"incident\",\"from\":null,\"to\":\"green\",\"release\":\"v1\","
                "\"who\":\"\",\"duration_ms\":90000,\"done\":false,\"reason\":\"no\","
                "\"incident\":\"out-of-memory\",\"steps\":[],\"receipt\":null,\"served\":[],\"hooks\":null}");
}

static void expect_in(struct json_object *object, const char *json)
{
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!strstr(text, json))
        fail_msg("%s is not in %s", json, text);
}

static void test_what_belongs_to_an_entry(void **state)
{
    (void)state;
    struct wire_history entry = {.verb = VERB_DEPLOY,
                                 .switched = 1,
                                 .transaction_us = 340,
                                 .generation_before = 8,
                                 .generation_after = 9,
                                 .steps = "build:12,start:3",
                                 .served = {{.known = 1,
                                             .zone = BLUE,
                                             .since_unix_ms = SOME_TIME - 5000,
                                             .until_unix_ms = SOME_TIME,
                                             .connections = 1204,
                                             .release = "v1"}}};
    struct wire_hook hook = {
        .ended_unix_ms = SOME_TIME, .duration_ms = 20, .ok = 1, .name = "test", .output = "a\nb\x1b"};
    struct json_object *hooks = json_object_new_array(), *object;
    json_object_array_add(hooks, render_hook(&hook));
    object = render_history(&entry, hooks);
    json_object_put(hooks);
    expect_in(object, "\"steps\":[{\"step\":\"build\",\"duration_ms\":12},{\"step\":\"start\",\"duration_ms\":3}]");
    expect_in(object, "\"receipt\":{\"transaction_us\":340,\"generation_before\":8,\"generation_after\":9,"
                      "\"drained\":null,\"cut\":null,\"left\":null,\"drain_ms\":null,\"nudged\":null}");
    expect_in(object, "\"served\":[{\"zone\":\"blue\",\"release\":\"v1\",\"since\":\"2025-11-23T03:37:55.123Z\","
                      "\"until\":\"2025-11-23T03:38:00.123Z\",\"duration_ms\":5000,\"connections\":1204,"
                      "\"datagrams\":0,\"requests\":null}]");
    expect_in(object, "\"hooks\":[{\"hook\":\"test\",\"zone\":\"blue\",\"ended\":\"2025-11-23T03:38:00.123Z\","
                      "\"duration_ms\":20,\"done\":true,\"reason\":null,\"output\":\"a\\nb?\"}]");
    json_object_put(object);
    entry.has_drain = 1;
    entry.cut = 3;
    entry.served[0].requests_known = 1;
    entry.served[0].requests = 7;
    object = render_history(&entry, NULL);
    expect_in(object, "\"drained\":0,\"cut\":3,\"left\":0,\"drain_ms\":0,\"nudged\":0");
    expect_in(object, "\"requests\":7");
    json_object_put(object);
    entry.drained_unknown = 1;
    object = render_history(&entry, NULL);
    expect_in(object, "\"drained\":null,\"cut\":3,\"left\":0,\"drain_ms\":0,\"nudged\":null");
    json_object_put(object);
}

/* Text that was cut within a character, is not terminated, or would steer a terminal still makes valid JSON. */
static void test_text(void **state)
{
    (void)state;
    assert_json(render_text("a\nb", 3), "\"a\\nb\"");
    assert_json(render_text("a\n\n\033[31mb\r\n", 20), "\"a\\n\\n?[31mb?\\n\"");
    assert_json(render_text("caf\xc3\xa9", 6), "\"caf\xc3\xa9\"");
    assert_json(render_text("caf\xc3\xa9", 4), "\"caf?\"");
    assert_json(render_text("\xff\xfe", 2), "\"??\"");
    assert_json(render_text("", 0), "\"\"");
    struct wire_progress progress = {.zone = BLUE};
    memset(progress.step, 's', sizeof progress.step); /* no NUL */
    struct json_object *object = render_progress(&progress), *step;
    assert_true(json_object_object_get_ex(object, "step", &step));
    assert_int_equal(json_object_get_string_len(step), sizeof progress.step);
    json_object_put(object);
}

/* A monitor gone mad is no reason to crash: whatever the bytes, the result is JSON that parses again. */
static void test_any_bytes(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        struct wire_status status;
        unsigned char *bytes = (unsigned char *)&status;
        for (size_t i = 0; i < sizeof status; i++) {
            seed = seed * 1664525u + 1013904223u; /* Numerical Recipes */
            bytes[i] = (unsigned char)(seed >> 24);
        }
        struct json_object *object = render_status(&status);
        const char *json = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
        CLEANUP_TEXT struct text ascii = {0};
        assert_int_equal(json_ascii(json, strlen(json), &ascii), 0);
        struct json_tokener *tokener = json_tokener_new();
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        struct json_object *again = json_tokener_parse_ex(tokener, ascii.data, (int)ascii.length + 1);
        assert_non_null(again);
        json_tokener_free(tokener);
        json_object_put(again);
        json_object_put(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_app),
        cmocka_unit_test(test_full_app),
        cmocka_unit_test(test_every_state_has_its_word),
        cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_feed_item),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_what_belongs_to_an_entry),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
