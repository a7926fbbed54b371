/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol between agent and shim: round trips, other versions, hostile bytes. */
#include "base/text.h"
#include "model/shim_protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { WORDS = SHIM_MESSAGE_MAX / sizeof(uint32_t) };

static uint32_t buffer[WORDS + 4];
static uint8_t *const bytes = (uint8_t *)buffer;

static char *arguments[] = {(char[]){"/srv/web/bin/server"}, (char[]){"--port"}, (char[]){""}, NULL};
static char *variables[] = {(char[]){"A=1"}, (char[]){"EMPTY="}, NULL};
static const uint32_t some_groups[] = {33, 44, 4000000000u};

static struct shim_start sample(void)
{
    return (struct shim_start){
        .argv = arguments,
        .argument_count = 3,
        .environment = variables,
        .variable_count = 2,
        .workdir = "/srv/web",
        .hostname = "web-blue",
        .uid = 1001,
        .gid = 1002,
        .groups = some_groups,
        .group_count = 3,
        .stop_timeout_ms = 10000,
        .restart_delay_ms = 200,
    };
}

static struct view_step some_steps[] = {
    {.kind = VIEW_SEAL, .flags = VIEW_READ_ONLY, .source = "", .target = "/"},
    {.kind = VIEW_BIND, .flags = VIEW_OPTIONAL | VIEW_NO_EXEC, .source = "/srv/a b", .target = "/srv/b"},
    {.kind = VIEW_HIDE, .flags = 0, .source = "", .target = "/etc/shadow"},
};
static const uint64_t some_filter[] = {1, 2, UINT64_MAX};
static const struct shim_rlimit some_limits[] = {{.resource = 7, .soft = 1024, .hard = UINT64_MAX},
                                                 {.resource = 4, .soft = 0, .hard = 0}};

/* Everything that a START can say. */
static struct shim_start full_sample(void)
{
    struct shim_start start = sample();
    start.process = "worker-1";
    start.stop_signal = 3;
    start.restart = SHIM_RESTART_ON_FAILURE;
    start.restart_max_ms = 45000;
    start.view = (struct view){.steps = some_steps, .count = 3};
    start.filter = some_filter;
    start.filter_count = 3;
    start.rlimits = some_limits;
    start.rlimit_count = 2;
    start.oom_score = 500;
    start.notify = true;
    start.watchdog_ms = 5000;
    start.deadline_ms = 2500;
    start.stdio = start.terminal = true;
    return start;
}

static size_t encode_full_sample(void)
{
    struct shim_start start = full_sample();
    size_t length = shim_encode_start(&start, 7, buffer, sizeof buffer);
    assert_true(length > 0);
    return length;
}

static size_t encode_sample(void)
{
    struct shim_start start = sample();
    size_t length = shim_encode_start(&start, 7, buffer, sizeof buffer);
    assert_true(length > 0);
    return length;
}

/* Adds a field by hand to the message in the buffer, and mends its header. */
static size_t add_field(size_t length, uint16_t tag, const void *value, uint32_t value_length)
{
    struct shim_field field = {.tag = tag, .length = value_length};
    memcpy(bytes + length, &field, sizeof field);
    memcpy(bytes + length + sizeof field, value, value_length);
    size_t padding = (4 - value_length % 4) % 4;
    memset(bytes + length + sizeof field + value_length, 0, padding);
    length += sizeof field + value_length + padding;
    ((struct shim_header *)buffer)->length = (uint32_t)length;
    return length;
}

static size_t bare(uint16_t type)
{
    struct shim_header header = {
        .magic = SHIM_MAGIC, .version = SHIM_VERSION, .type = type, .length = sizeof header, .serial = 1};
    memcpy(buffer, &header, sizeof header);
    return sizeof header;
}

static int decode_start(size_t length, uint32_t *unknown)
{
    struct shim_header header;
    struct shim_start start = {0};
    int result = shim_check(buffer, length, &header);
    if (result == 0)
        result = shim_decode_start(buffer, length, &start, unknown);
    if (result == 0)
        shim_start_clear(&start);
    else
        assert_null(start.argv);
    return result;
}

static void start_survives_the_round_trip(void **state)
{
    (void)state;
    size_t length = encode_sample();
    struct shim_header header;
    struct shim_start start;
    uint32_t unknown = 1;
    assert_int_equal(0, shim_check(buffer, length, &header));
    assert_int_equal(SHIM_START, header.type);
    assert_int_equal(7, header.serial);
    assert_int_equal(SHIM_VERSION, header.version);
    assert_int_equal(0, shim_decode_start(buffer, length, &start, &unknown));
    assert_int_equal(0, unknown);
    assert_int_equal(3, start.argument_count);
    assert_string_equal("/srv/web/bin/server", start.argv[0]);
    assert_string_equal("", start.argv[2]);
    assert_null(start.argv[3]);
    assert_int_equal(2, start.variable_count);
    assert_string_equal("EMPTY=", start.environment[1]);
    assert_null(start.environment[2]);
    assert_string_equal("/srv/web", start.workdir);
    assert_string_equal("web-blue", start.hostname);
    assert_int_equal(1001, start.uid);
    assert_int_equal(1002, start.gid);
    assert_int_equal(3, start.group_count);
    assert_memory_equal(some_groups, start.groups, sizeof some_groups);
    assert_int_equal(10000, start.stop_timeout_ms);
    assert_int_equal(200, start.restart_delay_ms);
    shim_start_clear(&start);
    assert_null(start.argv);
}

static void everything_new_survives_the_round_trip(void **state)
{
    (void)state;
    size_t length = encode_full_sample();
    struct shim_header header;
    struct shim_start start;
    uint32_t unknown;
    assert_int_equal(0, shim_check(buffer, length, &header));
    assert_int_equal(0, shim_decode_start(buffer, length, &start, &unknown));
    assert_string_equal("worker-1", start.process);
    assert_int_equal(3, start.stop_signal);
    assert_int_equal(SHIM_RESTART_ON_FAILURE, start.restart);
    assert_int_equal(45000, start.restart_max_ms);
    assert_int_equal(3, start.view.count);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(some_steps[i].kind, start.view.steps[i].kind);
        assert_int_equal(some_steps[i].flags, start.view.steps[i].flags);
        assert_string_equal(some_steps[i].source, start.view.steps[i].source);
        assert_string_equal(some_steps[i].target, start.view.steps[i].target);
    }
    assert_int_equal(3, start.filter_count);
    assert_memory_equal(some_filter, start.filter, sizeof some_filter);
    assert_int_equal(0, (uintptr_t)start.filter % 4);
    assert_int_equal(2, start.rlimit_count);
    assert_memory_equal(some_limits, start.rlimits, sizeof some_limits);
    assert_int_equal(500, start.oom_score);
    assert_true(start.notify && start.stdio && start.terminal);
    assert_int_equal(5000, start.watchdog_ms);
    assert_int_equal(2500, start.deadline_ms);
    shim_start_clear(&start);
    assert_null(start.view.steps);
    assert_null(start.rlimits);
}

static void notify_without_a_watchdog_and_stdio_without_a_terminal(void **state)
{
    (void)state;
    struct shim_start sent = full_sample(), start;
    uint32_t unknown;
    sent.watchdog_ms = 0;
    sent.terminal = false;
    size_t length = shim_encode_start(&sent, 7, buffer, sizeof buffer);
    assert_int_equal(0, shim_decode_start(buffer, length, &start, &unknown));
    assert_true(start.notify && start.stdio && !start.terminal);
    assert_int_equal(0, start.watchdog_ms);
    shim_start_clear(&start);
}

/* The tags of version 1's first shims end at RESTART_DELAY. */
static void what_uses_nothing_new_is_as_it_always_was(void **state)
{
    (void)state;
    static uint8_t plain[SHIM_MESSAGE_MAX];
    size_t plain_length = encode_sample();
    memcpy(plain, buffer, plain_length);
    for (size_t at = sizeof(struct shim_header); at < plain_length;) {
        struct shim_field field;
        memcpy(&field, plain + at, sizeof field);
        assert_in_range(field.tag, SHIM_TAG_ARGUMENT, SHIM_TAG_RESTART_DELAY);
        at += sizeof field + (field.length + 3) / 4 * 4;
    }
    struct shim_start usual = sample();
    usual.stop_signal = 15;
    usual.restart = SHIM_RESTART_ALWAYS;
    usual.restart_max_ms = 30000;
    assert_int_equal(plain_length, shim_encode_start(&usual, 7, buffer, sizeof buffer));
    assert_memory_equal(plain, buffer, plain_length);
    assert_int_equal(sizeof(struct shim_header), shim_encode_stop(NULL, 1, buffer, sizeof buffer));
}

static void stop_names_a_process_or_none(void **state)
{
    (void)state;
    const char *process = "untouched";
    uint32_t unknown;
    struct shim_header header;
    size_t length = shim_encode_stop("worker-1", 5, buffer, sizeof buffer);
    assert_int_equal(0, shim_check(buffer, length, &header));
    assert_int_equal(SHIM_STOP, header.type);
    assert_int_equal(5, header.serial);
    assert_int_equal(0, shim_decode_stop(buffer, length, &process, &unknown));
    assert_string_equal("worker-1", process);
    assert_int_equal(-EBADMSG,
                     shim_decode_stop(buffer, add_field(length, SHIM_TAG_PROCESS, "two", 4), &process, &unknown));
    assert_null(process);
    length = shim_encode_stop(NULL, 5, buffer, sizeof buffer);
    assert_int_equal(0, shim_decode_stop(buffer, length, &process, &unknown));
    assert_null(process);
    length = add_field(length, SHIM_TAG_CRITICAL | 99, "", 0);
    assert_int_equal(-EOPNOTSUPP, shim_decode_stop(buffer, length, &process, &unknown));
    assert_int_equal(SHIM_TAG_CRITICAL | 99, unknown);
}

static void set_says_what_it_sets(void **state)
{
    (void)state;
    const struct shim_set sent[] = {
        {.has_frozen = true, .frozen = true},
        {.has_frozen = true, .frozen = false},
        {.has_oom_score = true, .oom_score = 0},
        {.has_oom_score = true, .oom_score = 1000, .has_frozen = true, .frozen = true},
        {0},
    };
    struct shim_set got;
    uint32_t unknown;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct shim_header header;
        size_t length = shim_encode_set(&sent[i], 3, buffer, sizeof buffer);
        assert_int_equal(0, shim_check(buffer, length, &header));
        assert_int_equal(SHIM_SET, header.type);
        assert_int_equal(0, shim_decode_set(buffer, length, &got, &unknown));
        assert_int_equal(sent[i].has_frozen, got.has_frozen);
        assert_int_equal(sent[i].frozen, got.frozen);
        assert_int_equal(sent[i].has_oom_score, got.has_oom_score);
        assert_int_equal(sent[i].oom_score, got.oom_score);
    }
    const uint32_t wrong = 1001, two = 2;
    assert_int_equal(-EBADMSG,
                     shim_decode_set(buffer, add_field(bare(SHIM_SET), SHIM_TAG_OOM_SCORE, &wrong, 4), &got, &unknown));
    assert_int_equal(-EBADMSG,
                     shim_decode_set(buffer, add_field(bare(SHIM_SET), SHIM_TAG_FROZEN, &two, 4), &got, &unknown));
    assert_int_equal(-EOPNOTSUPP, shim_decode_set(buffer, add_field(bare(SHIM_SET), SHIM_TAG_CRITICAL | 77, &two, 4),
                                                  &got, &unknown));
}

static void a_nudge_names_sockets(void **state)
{
    (void)state;
    static struct shim_socket sockets[SHIM_SOCKETS_MAX + 1] = {{{0x11223344, 5}, 4711, 0}, {{9, 0}, 4712, 1}};
    struct shim_nudge sent = {.sockets = sockets, .count = 2, .idle_ms = 500}, got;
    struct shim_header header;
    uint32_t unknown, one = 1;
    size_t length = shim_encode_nudge(&sent, 3, buffer, sizeof buffer);
    assert_int_equal(0, shim_check(buffer, length, &header));
    assert_int_equal(SHIM_NUDGE, header.type);
    assert_int_equal(0, shim_decode_nudge(buffer, length, &got, &unknown));
    assert_int_equal(2, got.count);
    assert_int_equal(500, got.idle_ms);
    assert_memory_equal(sockets, got.sockets, 2 * sizeof *sockets);
    sent.count = SHIM_SOCKETS_MAX;
    length = shim_encode_nudge(&sent, 3, buffer, sizeof buffer);
    assert_int_equal(0, shim_decode_nudge(buffer, length, &got, &unknown));
    sent.count = SHIM_SOCKETS_MAX + 1;
    length = shim_encode_nudge(&sent, 3, buffer, sizeof buffer);
    assert_int_equal(-EBADMSG, shim_decode_nudge(buffer, length, &got, &unknown));
    sent.count = 0;
    length = shim_encode_nudge(&sent, 3, buffer, sizeof buffer);
    assert_int_equal(-EBADMSG, shim_decode_nudge(buffer, length, &got, &unknown));
    /* Without a time everything would rest. */
    length = add_field(bare(SHIM_NUDGE), SHIM_TAG_SOCKETS, sockets, sizeof *sockets);
    assert_int_equal(-EBADMSG, shim_decode_nudge(buffer, length, &got, &unknown));
    length = add_field(bare(SHIM_NUDGE), SHIM_TAG_SOCKETS, sockets, sizeof *sockets - 4);
    length = add_field(length, SHIM_TAG_IDLE, &one, sizeof one);
    assert_int_equal(-EBADMSG, shim_decode_nudge(buffer, length, &got, &unknown));
    length = add_field(bare(SHIM_NUDGE), SHIM_TAG_CRITICAL | 77, &one, 4);
    assert_int_equal(-EOPNOTSUPP, shim_decode_nudge(buffer, length, &got, &unknown));
    const struct shim_state answer = {.count = 17};
    struct shim_state said;
    length = shim_encode_state(SHIM_NUDGED, &answer, 3, buffer, sizeof buffer);
    assert_int_equal(0, shim_decode_state(buffer, length, &said, &unknown));
    assert_int_equal(17, said.count);
}

static void start_without_environment_and_groups(void **state)
{
    (void)state;
    struct shim_start sent = sample(), start;
    uint32_t unknown;
    sent.variable_count = sent.group_count = 0;
    sent.environment = NULL;
    sent.groups = NULL;
    size_t length = shim_encode_start(&sent, 1, buffer, sizeof buffer);
    assert_int_equal(0, shim_decode_start(buffer, length, &start, &unknown));
    assert_int_equal(0, start.variable_count);
    assert_non_null(start.environment);
    assert_null(start.environment[0]);
    assert_int_equal(0, start.group_count);
    shim_start_clear(&start);
}

static void state_survives_the_round_trip(void **state)
{
    (void)state;
    static const uint32_t ages[SHIM_EXITS_MAX] = {0, 1, UINT32_MAX};
    const struct shim_state sent[] = {
        {.phase = SHIM_ALIVE, .restarts = 3},
        {.phase = SHIM_BACK_OFF, .exited = true, .exit_value = 0, .exit_unix_ms = UINT64_C(1795406991897)},
        {.phase = SHIM_IDLE, .exited = true, .signalled = true, .exit_value = 9, .exit_unix_ms = UINT64_MAX},
        {.phase = SHIM_IDLE, .stage = SHIM_STAGE_EXEC, .error = ENOENT},
        {.phase = SHIM_STOPPING, .error = EOPNOTSUPP, .tag = SHIM_TAG_CRITICAL | 77},
        {.phase = SHIM_ALIVE, .process = "worker", .ready = true, .frozen = true, .watchdog_hits = 7},
        {.phase = SHIM_IDLE, .stage = SHIM_STAGE_SOURCE, .error = ENOENT, .object = "/srv/web/data"},
        {.phase = SHIM_OVER, .process = "check", .output = "caf\xc3\xa9: no\tway", .exited = true, .exit_value = 2},
        {.phase = SHIM_BACK_OFF, .exit_ages = ages, .exit_count = 3},
    };
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct shim_state got;
        struct shim_header header;
        uint32_t unknown;
        size_t length = shim_encode_state(SHIM_EXITED, &sent[i], 0, buffer, SHIM_ANSWER_MAX);
        assert_int_equal(0, shim_check(buffer, length, &header));
        assert_int_equal(0, shim_decode_state(buffer, length, &got, &unknown));
        assert_int_equal(sent[i].phase, got.phase);
        assert_int_equal(sent[i].restarts, got.restarts);
        assert_int_equal(sent[i].exited, got.exited);
        assert_int_equal(sent[i].signalled, got.signalled);
        assert_int_equal(sent[i].exit_value, got.exit_value);
        assert_true(sent[i].exit_unix_ms == got.exit_unix_ms);
        assert_int_equal(sent[i].stage, got.stage);
        assert_int_equal(sent[i].error, got.error);
        assert_int_equal(sent[i].tag, got.tag);
        assert_int_equal(sent[i].ready, got.ready);
        assert_int_equal(sent[i].frozen, got.frozen);
        assert_int_equal(sent[i].watchdog_hits, got.watchdog_hits);
        assert_true(text_equal(sent[i].process, got.process));
        assert_true(text_equal(sent[i].object, got.object));
        assert_true(text_equal(sent[i].output, got.output));
        assert_int_equal(sent[i].exit_count, got.exit_count);
        assert_memory_equal(sent[i].exit_count ? ages : (const uint32_t *)buffer,
                            got.exit_count ? got.exit_ages : buffer, sent[i].exit_count * sizeof *ages);
    }
}

static void ages_of_exits_are_bounded(void **state)
{
    (void)state;
    static const uint32_t ages[SHIM_EXITS_MAX + 1];
    struct shim_state got;
    uint32_t unknown;
    assert_int_equal(0, shim_decode_state(buffer, add_field(bare(SHIM_HELLO), SHIM_TAG_EXIT_AGES, ages, 4 * 16), &got,
                                          &unknown));
    assert_int_equal(16, got.exit_count);
    assert_int_equal(-EBADMSG, shim_decode_state(buffer, add_field(bare(SHIM_HELLO), SHIM_TAG_EXIT_AGES, ages, 4 * 17),
                                                 &got, &unknown));
    assert_int_equal(-EBADMSG, shim_decode_state(buffer, add_field(bare(SHIM_HELLO), SHIM_TAG_EXIT_AGES, ages, 6), &got,
                                                 &unknown));
}

static void the_largest_state_fits_an_answer(void **state)
{
    (void)state;
    char process[PROCESS_NAME_MAX + 2], object[SHIM_OBJECT_MAX + 2], output[SHIM_OUTPUT_MAX + 2];
    memset(process, 'p', sizeof process);
    memset(object, 'o', sizeof object);
    memset(output, 'q', sizeof output);
    process[PROCESS_NAME_MAX] = object[SHIM_OBJECT_MAX] = output[SHIM_OUTPUT_MAX] = '\0';
    struct shim_state got, all = {.phase = ~0u,
                                  .restarts = ~0u,
                                  .exited = true,
                                  .signalled = true,
                                  .exit_value = ~0u,
                                  .exit_unix_ms = UINT64_MAX,
                                  .stage = ~0u,
                                  .error = ~0u,
                                  .tag = ~0u,
                                  .ready = true,
                                  .frozen = true,
                                  .watchdog_hits = ~0u,
                                  .process = process,
                                  .object = object,
                                  .output = output,
                                  .exit_ages = (const uint32_t[SHIM_EXITS_MAX]){0},
                                  .exit_count = SHIM_EXITS_MAX};
    uint32_t unknown;
    size_t length = shim_encode_state(SHIM_REFUSED, &all, ~0u, buffer, SHIM_ANSWER_MAX);
    assert_true(length > 0);
    assert_int_equal(0, shim_decode_state(buffer, length, &got, &unknown));
    assert_string_equal(output, got.output);
    output[SHIM_OUTPUT_MAX] = 'q'; /* one byte too long */
    output[SHIM_OUTPUT_MAX + 1] = '\0';
    assert_int_equal(0, shim_encode_state(SHIM_REFUSED, &all, ~0u, buffer, sizeof buffer));
}

static void what_does_not_fit_is_not_encoded(void **state)
{
    (void)state;
    struct shim_start start = sample();
    size_t length = shim_encode_start(&start, 1, buffer, sizeof buffer);
    for (size_t size = 0; size < length; size++)
        assert_int_equal(0, shim_encode_start(&start, 1, buffer, size));
    assert_int_equal(length, shim_encode_start(&start, 1, buffer, length));
    assert_int_equal(0, shim_encode_stop(NULL, 1, buffer, sizeof(struct shim_header) - 1));

    char *large = malloc(SHIM_MESSAGE_MAX);
    assert_non_null(large);
    memset(large, 'x', SHIM_MESSAGE_MAX - 1);
    large[SHIM_MESSAGE_MAX - 1] = '\0';
    start.workdir = large;
    assert_int_equal(0, shim_encode_start(&start, 1, buffer, sizeof buffer));
    free(large);
}

static void frames_that_are_refused(void **state)
{
    (void)state;
    struct shim_header header, *sent = (struct shim_header *)buffer;
    size_t length = encode_sample();
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(-EBADMSG, shim_check(buffer, cut, &header));
    for (size_t cut = sizeof header; cut < length; cut += 4) { /* cut, with a header that agrees */
        uint32_t unknown;
        encode_sample();
        sent->length = (uint32_t)cut;
        assert_true(decode_start(cut, &unknown) < 0);
    }
    length = encode_sample();
    sent->magic++;
    assert_int_equal(-EBADMSG, shim_check(buffer, length, &header));
    length = encode_sample();
    sent->version = 0;
    assert_int_equal(-EBADMSG, shim_check(buffer, length, &header));
    length = encode_sample();
    sent->length += 4;
    assert_int_equal(-EBADMSG, shim_check(buffer, length, &header));
    assert_int_equal(-EBADMSG, shim_check(buffer, SHIM_MESSAGE_MAX + 4, &header));
}

static void field_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    const uint32_t lies[] = {5, 8, 100, SHIM_MESSAGE_MAX, 0x7fffffff, 0x80000000u, 0xfffffffcu, 0xffffffffu};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct shim_header header;
        size_t length = add_field(bare(SHIM_STOP), 99, "abcd", 4);
        assert_int_equal(0, shim_check(buffer, length, &header));
        ((struct shim_field *)(void *)(bytes + sizeof header))->length = lies[i];
        assert_int_equal(-EBADMSG, shim_check(buffer, length, &header));
    }
    struct shim_header header;
    size_t length = add_field(bare(SHIM_STOP), 99, "abcd", 4);
    ((struct shim_field *)(void *)(bytes + sizeof header))->zero = 1;
    assert_int_equal(-EBADMSG, shim_check(buffer, length, &header));
}

static void a_newer_sender_is_understood(void **state)
{
    (void)state;
    uint32_t unknown;
    struct shim_header header;
    size_t length = add_field(encode_sample(), 1234, "news", 4);
    ((struct shim_header *)buffer)->version = 99;
    assert_int_equal(0, decode_start(length, &unknown));

    const struct shim_state sent = {.phase = 17, .restarts = 1};
    struct shim_state got;
    length = shim_encode_state(99, &sent, 0, buffer, sizeof buffer);
    length = add_field(length, 1234, "more news", 9);
    assert_int_equal(0, shim_check(buffer, length, &header));
    assert_int_equal(0, shim_decode_state(buffer, length, &got, &unknown));
    assert_int_equal(17, got.phase);
    assert_int_equal(1, got.restarts);
}

static void an_unknown_critical_field_is_named(void **state)
{
    (void)state;
    uint32_t unknown;
    struct shim_state got;
    size_t length = add_field(encode_sample(), SHIM_TAG_CRITICAL | 1234, "must", 4);
    assert_int_equal(-EOPNOTSUPP, decode_start(length, &unknown));
    assert_int_equal(SHIM_TAG_CRITICAL | 1234, unknown);
    length = add_field(bare(SHIM_HELLO), SHIM_TAG_CRITICAL | 5, "must", 4);
    assert_int_equal(-EOPNOTSUPP, shim_decode_state(buffer, length, &got, &unknown));
    assert_int_equal(SHIM_TAG_CRITICAL | 5, unknown);
}

/* A START without the field, or with `value` in its place. */
static int start_with(uint16_t tag, const void *value, uint32_t length)
{
    static const uint32_t one = 1;
    const struct {
        uint16_t tag;
        const void *value;
        uint32_t length;
    } whole[] = {
        {SHIM_TAG_ARGUMENT, "/bin/true", 10},
        {SHIM_TAG_WORKDIR, "/", 2},
        {SHIM_TAG_HOSTNAME, "h", 2},
        {SHIM_TAG_UID, &one, 4},
        {SHIM_TAG_GID, &one, 4},
        {SHIM_TAG_GROUPS, &one, 4},
        {SHIM_TAG_STOP_TIMEOUT, &one, 4},
        {SHIM_TAG_RESTART_DELAY, &one, 4},
    };
    uint32_t unknown;
    size_t used = bare(SHIM_START);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (whole[i].tag != tag)
            used = add_field(used, whole[i].tag, whole[i].value, whole[i].length);
        else if (value)
            used = add_field(used, tag, value, length);
    }
    return decode_start(used, &unknown);
}

static void every_field_of_a_start_is_needed(void **state)
{
    (void)state;
    const uint16_t tags[] = {SHIM_TAG_ARGUMENT, SHIM_TAG_WORKDIR, SHIM_TAG_HOSTNAME,     SHIM_TAG_UID,
                             SHIM_TAG_GID,      SHIM_TAG_GROUPS,  SHIM_TAG_STOP_TIMEOUT, SHIM_TAG_RESTART_DELAY};
    assert_int_equal(0, start_with(0, NULL, 0));
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        assert_int_equal(-EBADMSG, start_with(tags[i], NULL, 0));
}

static void values_that_are_refused(void **state)
{
    (void)state;
    const uint32_t none = UINT32_MAX, one = 1;
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_UID, &none, 4)); /* "no change" for setresuid(2) */
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_GID, &none, 4));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_UID, &one, 2));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_UID, "12345678", 8));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_GROUPS, "12345", 5));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_WORKDIR, "relative", 9));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_WORKDIR, "", 0));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_WORKDIR, "/no end", 7));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_WORKDIR, "/in\0side", 9));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_ARGUMENT, "bin/true", 9));
    assert_int_equal(-EBADMSG, start_with(SHIM_TAG_STOP_TIMEOUT, "", 0));
}

/* One field more behind a whole START that names a process. */
static int start_and(uint16_t tag, const void *value, uint32_t length)
{
    uint32_t unknown;
    size_t used = encode_sample();
    if (tag != SHIM_TAG_PROCESS)
        used = add_field(used, SHIM_TAG_PROCESS, "worker", 7);
    int result = decode_start(add_field(used, tag, value, length), &unknown);
    if (result == -EOPNOTSUPP)
        assert_int_equal(tag, unknown);
    return result;
}

static int start_and_u32(uint16_t tag, uint32_t value)
{
    return start_and(tag, &value, sizeof value);
}

static void numbers_have_their_range(void **state)
{
    (void)state;
    const struct {
        uint16_t tag;
        uint32_t good[2], bad[2];
    } cases[] = {
        {SHIM_TAG_STOP_SIGNAL, {1, 64}, {0, 65}},
        {SHIM_TAG_RESTART, {SHIM_RESTART_ALWAYS, SHIM_RESTART_NO}, {SHIM_RESTART_NO + 1, UINT32_MAX}},
        {SHIM_TAG_RESTART_MAX, {1, UINT32_MAX}, {0, 0}},
        {SHIM_TAG_OOM_SCORE, {0, 1000}, {1001, UINT32_MAX}},
        {SHIM_TAG_DEADLINE, {1, UINT32_MAX}, {0, 0}},
        {SHIM_TAG_STDIO, {0, 1}, {2, UINT32_MAX}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(0, start_and_u32(cases[i].tag, cases[i].good[k]));
            assert_int_equal(-EBADMSG, start_and_u32(cases[i].tag, cases[i].bad[k]));
        }
        assert_int_equal(-EBADMSG, start_and(cases[i].tag, "\1\0\0", 3));
    }
    assert_int_equal(0, start_and_u32(SHIM_TAG_WATCHDOG, 0));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_WATCHDOG, "", 0));
}

static void names_of_processes_are_such(void **state)
{
    (void)state;
    static const char *const good[] = {"w", "worker-1", "exec.12", "abcdefghijklmnopqrstuvwxyz12345"};
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      ".hidden",
                                      "a/b",
                                      "a b",
                                      "main",
                                      "a\n",
                                      "a\x7f",
                                      "caf\xc3\xa9",
                                      "abcdefghijklmnopqrstuvwxyz123456"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(0, start_and(SHIM_TAG_PROCESS, good[i], (uint32_t)strlen(good[i]) + 1));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(-EBADMSG, start_and(SHIM_TAG_PROCESS, bad[i], (uint32_t)strlen(bad[i]) + 1));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_PROCESS, "noend", 5));
}

static void what_runs_once_is_not_the_app(void **state)
{
    (void)state;
    const uint32_t one = 1;
    uint32_t unknown;
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_DEADLINE, &one, 4), &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_STDIO, &one, 4), &unknown));
}

static int listen_with(uint32_t protocol, uint32_t port, const char *name, size_t length)
{
    uint8_t value[64] = {0};
    const struct shim_listen_field fixed = {.protocol = protocol, .port = port};
    memcpy(value, &fixed, sizeof fixed);
    memcpy(value + sizeof fixed, name, length);
    uint32_t unknown;
    return decode_start(add_field(encode_sample(), SHIM_TAG_LISTEN, value, (uint32_t)(sizeof fixed + length)),
                        &unknown);
}

/* Their names are put into a variable behind one another. */
static void sockets_to_listen_on(void **state)
{
    (void)state;
    uint32_t unknown;
    struct shim_start sent = sample(), got;
    sent.listens[sent.listen_count++] = (struct shim_listen){.name = "http", .protocol = 6, .port = 8080};
    sent.listens[sent.listen_count++] = (struct shim_listen){.name = "dns", .protocol = 17, .port = 65535};
    size_t length = shim_encode_start(&sent, 7, buffer, sizeof buffer);
    assert_true(length > 0);
    assert_int_equal(0, shim_decode_start(buffer, length, &got, &unknown));
    assert_int_equal(2, got.listen_count);
    assert_string_equal("http", got.listens[0].name);
    assert_int_equal(6, got.listens[0].protocol);
    assert_int_equal(8080, got.listens[0].port);
    assert_string_equal("dns", got.listens[1].name);
    assert_int_equal(17, got.listens[1].protocol);
    assert_int_equal(65535, got.listens[1].port);
    shim_start_clear(&got);
    assert_int_equal(0, listen_with(6, 1, "a", 2));
    assert_int_equal(-EBADMSG, listen_with(6, 0, "a", 2));
    assert_int_equal(-EBADMSG, listen_with(6, 65536, "a", 2));
    assert_int_equal(-EBADMSG, listen_with(1, 80, "a", 2));
    assert_int_equal(-EBADMSG, listen_with(6, 80, "", 1));
    assert_int_equal(-EBADMSG, listen_with(6, 80, "a", 1));
    assert_int_equal(-EBADMSG, listen_with(6, 80, "a:b", 4));
    assert_int_equal(-EBADMSG, listen_with(6, 80, "a b", 4));
    assert_int_equal(-EBADMSG, listen_with(6, 80, "", 0));
    /* only the app itself gets any */
    sent.process = "worker";
    length = shim_encode_start(&sent, 7, buffer, sizeof buffer);
    assert_int_equal(-EBADMSG, decode_start(length, &unknown));
    /* and no more than there is room for */
    length = encode_sample();
    for (int i = 0; i < SHIM_LISTENS_MAX; i++)
        length = add_field(length, SHIM_TAG_LISTEN, "\x06\0\0\0\x50\0\0\0a", 10);
    assert_int_equal(0, decode_start(length, &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(length, SHIM_TAG_LISTEN, "\x06\0\0\0\x50\0\0\0a", 10), &unknown));
}

static void filters_are_whole_programs(void **state)
{
    (void)state;
    static const uint8_t program[8 * 4097];
    assert_int_equal(0, start_and(SHIM_TAG_FILTER, program, 8));
    assert_int_equal(0, start_and(SHIM_TAG_FILTER, program, 8 * 4096));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_FILTER, program, 8 * 4097));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_FILTER, program, 0));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_FILTER, program, 12));
}

static void rlimits_that_are_refused(void **state)
{
    (void)state;
    const struct shim_rlimit good = {.resource = 15, .soft = 5, .hard = 5}, no_such = {.resource = 16},
                             not_zero = {.resource = 1, .zero = 1}, upside_down = {.resource = 1, .soft = 6, .hard = 5};
    uint32_t unknown;
    assert_int_equal(0, start_and(SHIM_TAG_RLIMIT, &good, sizeof good));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_RLIMIT, &good, sizeof good - 4));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_RLIMIT, &no_such, sizeof no_such));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_RLIMIT, &not_zero, sizeof not_zero));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_RLIMIT, &upside_down, sizeof upside_down));
    size_t length = add_field(encode_sample(), SHIM_TAG_RLIMIT, &good, sizeof good);
    assert_int_equal(-EBADMSG, decode_start(add_field(length, SHIM_TAG_RLIMIT, &good, sizeof good), &unknown));
}

static int step_with(uint32_t kind, uint32_t flags, const char *texts, size_t length)
{
    uint8_t value[64];
    const struct shim_view_field fixed = {.kind = kind, .flags = flags};
    memcpy(value, &fixed, sizeof fixed);
    memcpy(value + sizeof fixed, texts, length);
    return start_and(SHIM_TAG_VIEW, value, (uint32_t)(sizeof fixed + length));
}

static void steps_of_the_view_that_are_refused(void **state)
{
    (void)state;
    assert_int_equal(0, step_with(VIEW_BIND, 0, "/a\0/b", 6));
    assert_int_equal(0, step_with(VIEW_HIDE, VIEW_OPTIONAL, "\0/b", 4));
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "/a\0/b", 5)); /* the end is missing */
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "/a\0/b\0x", 8));
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "/a", 3)); /* one text only */
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "", 0));
    assert_int_equal(-EBADMSG, start_and(SHIM_TAG_VIEW, "1234567", 7));
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "a\0/b", 5));
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "/a\0b", 5));
    assert_int_equal(-EBADMSG, step_with(VIEW_BIND, 0, "\0/b", 4));    /* of what? */
    assert_int_equal(-EBADMSG, step_with(VIEW_TMPFS, 0, "/a\0/b", 6)); /* nothing is shown there */
    /* From an agent that knows more than we do. */
    assert_int_equal(-EOPNOTSUPP, step_with(VIEW_KINDS, 0, "\0/b", 4));
    assert_int_equal(-EOPNOTSUPP, step_with(0, 0, "\0/b", 4));
    assert_int_equal(-EOPNOTSUPP, step_with(VIEW_HIDE, VIEW_FLAGS_END, "\0/b", 4));
}

static int state_with(uint16_t tag, const void *value, uint32_t length)
{
    uint32_t unknown;
    struct shim_state got;
    return shim_decode_state(buffer, add_field(bare(SHIM_ENDED), tag, value, length), &got, &unknown);
}

/* A shim may lie about its zone, but not to a terminal. */
static void what_a_shim_says_is_looked_at(void **state)
{
    (void)state;
    const uint32_t two = 2;
    char longest[SHIM_OBJECT_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[SHIM_OBJECT_MAX + 1] = '\0';
    assert_int_equal(0, state_with(SHIM_TAG_OUTPUT, "fine", 5));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_OUTPUT, "\x1b[2J", 5));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_OUTPUT, "two\nlines", 10));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_OUTPUT, "\xff\xfe", 3));
    assert_int_equal(-EBADMSG,
                     state_with(SHIM_TAG_OUTPUT, longest + SHIM_OBJECT_MAX - SHIM_OUTPUT_MAX, SHIM_OUTPUT_MAX + 2));
    assert_int_equal(0, state_with(SHIM_TAG_OBJECT, longest + 1, SHIM_OBJECT_MAX + 1));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_OBJECT, longest, SHIM_OBJECT_MAX + 2));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_PROCESS, "../x", 5));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_READY, &two, 4));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_FROZEN, &two, 4));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_WATCHDOG_HITS, &two, 2));
    assert_int_equal(-EBADMSG, state_with(SHIM_TAG_EXIT_TIME, &two, 4));
}

static void variables_need_a_name_and_an_equals_sign(void **state)
{
    (void)state;
    uint32_t unknown;
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_VARIABLE, "NOEQUALS", 9), &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_VARIABLE, "=x", 3), &unknown));
    assert_int_equal(0, decode_start(add_field(encode_sample(), SHIM_TAG_VARIABLE, "X=", 3), &unknown));
}

static void doubled_fields_are_refused(void **state)
{
    (void)state;
    const uint32_t root = 0;
    uint32_t unknown;
    struct shim_state got;
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_UID, &root, 4), &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_sample(), SHIM_TAG_WORKDIR, "/", 2), &unknown));
    const struct {
        uint16_t tag;
        uint32_t value;
    } more[] = {{SHIM_TAG_STOP_SIGNAL, 3}, {SHIM_TAG_RESTART, 1},  {SHIM_TAG_RESTART_MAX, 9}, {SHIM_TAG_OOM_SCORE, 9},
                {SHIM_TAG_WATCHDOG, 9},    {SHIM_TAG_DEADLINE, 9}, {SHIM_TAG_STDIO, 1}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        assert_int_equal(-EBADMSG,
                         decode_start(add_field(encode_full_sample(), more[i].tag, &more[i].value, 4), &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_full_sample(), SHIM_TAG_PROCESS, "b", 2), &unknown));
    assert_int_equal(-EBADMSG, decode_start(add_field(encode_full_sample(), SHIM_TAG_FILTER, "12345678", 8), &unknown));
    size_t length = add_field(bare(SHIM_EXITED), SHIM_TAG_EXIT_CODE, &root, 4);
    length = add_field(length, SHIM_TAG_EXIT_SIGNAL, &root, 4);
    assert_int_equal(-EBADMSG, shim_decode_state(buffer, length, &got, &unknown));
}

/* A fixed generator: the same bytes in every run. */
static uint32_t random_word(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void damaged_messages_do_no_harm(void **state)
{
    (void)state;
    uint32_t seed = 2463534242u, accepted = 0;
    for (unsigned round = 0; round < 200000; round++) {
        size_t length = encode_full_sample();
        for (unsigned flips = 1 + random_word(&seed) % 4; flips > 0; flips--)
            bytes[sizeof(struct shim_header) + random_word(&seed) % (length - sizeof(struct shim_header))] ^=
                (uint8_t)(1u << random_word(&seed) % 8);
        /* In memory of its own and of its very size, where a sanitizer sees the first byte too many. */
        uint32_t *copy = malloc(length), unknown;
        assert_non_null(copy);
        memcpy(copy, buffer, length);
        struct shim_header header;
        struct shim_start start;
        struct shim_state got;
        if (shim_check(copy, length, &header) == 0) {
            if (shim_decode_start(copy, length, &start, &unknown) == 0) {
                assert_int_equal('/', start.argv[0][0]);
                shim_start_clear(&start);
                accepted++;
            }
            const char *process;
            struct shim_set set;
            shim_decode_state(copy, length, &got, &unknown);
            shim_decode_stop(copy, length, &process, &unknown);
            shim_decode_set(copy, length, &set, &unknown);
        }
        free(copy);
    }
    assert_true(accepted > 0);
}

static void every_stage_has_a_text(void **state)
{
    (void)state;
    for (uint32_t stage = 0; stage < SHIM_STAGES; stage++) {
        assert_non_null(shim_stage_text(stage));
        assert_null(strstr(shim_stage_text(stage), "does not know"));
    }
    assert_non_null(strstr(shim_stage_text(SHIM_STAGES), "does not know"));
    assert_non_null(strstr(shim_stage_text(UINT32_MAX), "does not know"));
    for (uint32_t step = 0; step < SHIM_SETUPS; step++) {
        assert_non_null(shim_setup_text(step));
        assert_null(strstr(shim_setup_text(step), "does not know"));
    }
    assert_non_null(strstr(shim_setup_text(SHIM_SETUPS), "does not know"));
}

static void expect_description(uint32_t stage, const char *object, const char *want)
{
    char text[SHIM_STAGE_TEXT_MAX];
    shim_stage_describe(stage, object, text);
    assert_string_equal(text, want);
}

static void stages_and_objects_make_sentences(void **state)
{
    char text[SHIM_STAGE_TEXT_MAX], longest[SHIM_OBJECT_MAX + 20];
    (void)state;
    expect_description(SHIM_STAGE_EXEC, "/srv/app", "execute /srv/app");
    expect_description(SHIM_STAGE_KILLED, "/srv/app", "execute /srv/app");
    expect_description(SHIM_STAGE_WORKDIR, "/srv", "change to the working directory /srv");
    expect_description(SHIM_STAGE_SOURCE, "/srv", "open what is to be shown to the app: /srv");
    expect_description(SHIM_STAGE_VIEW, "/dev", "lay out the app's files: /dev");
    expect_description(SHIM_STAGE_STDIO, "stdin", "connect stdin, stdout and stderr: stdin");
    expect_description(SHIM_STAGE_RLIMITS, "open files", "set the resource limits: open files");
    expect_description(SHIM_STAGE_UID, "", "set the user");
    expect_description(SHIM_STAGE_GID, NULL, "set the group");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (uint32_t stage = 0; stage <= SHIM_STAGES; stage++) { /* an object that is too long is cut, the stage is not */
        shim_stage_describe(stage, longest, text);
        assert_memory_equal(text, shim_stage_text(stage), strlen(shim_stage_text(stage)));
        assert_int_equal(strspn(strchr(text, 'x') ? strstr(text, "xxx") : "", "x"), SHIM_OBJECT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_survives_the_round_trip),
        cmocka_unit_test(everything_new_survives_the_round_trip),
        cmocka_unit_test(notify_without_a_watchdog_and_stdio_without_a_terminal),
        cmocka_unit_test(what_uses_nothing_new_is_as_it_always_was),
        cmocka_unit_test(stop_names_a_process_or_none),
        cmocka_unit_test(set_says_what_it_sets),
        cmocka_unit_test(a_nudge_names_sockets),
        cmocka_unit_test(start_without_environment_and_groups),
        cmocka_unit_test(state_survives_the_round_trip),
        cmocka_unit_test(ages_of_exits_are_bounded),
        cmocka_unit_test(the_largest_state_fits_an_answer),
        cmocka_unit_test(what_does_not_fit_is_not_encoded),
        cmocka_unit_test(frames_that_are_refused),
        cmocka_unit_test(field_lengths_that_lie_are_refused),
        cmocka_unit_test(a_newer_sender_is_understood),
        cmocka_unit_test(an_unknown_critical_field_is_named),
        cmocka_unit_test(every_field_of_a_start_is_needed),
        cmocka_unit_test(values_that_are_refused),
        cmocka_unit_test(numbers_have_their_range),
        cmocka_unit_test(names_of_processes_are_such),
        cmocka_unit_test(what_runs_once_is_not_the_app),
        cmocka_unit_test(sockets_to_listen_on),
        cmocka_unit_test(filters_are_whole_programs),
        cmocka_unit_test(rlimits_that_are_refused),
        cmocka_unit_test(steps_of_the_view_that_are_refused),
        cmocka_unit_test(what_a_shim_says_is_looked_at),
        cmocka_unit_test(variables_need_a_name_and_an_equals_sign),
        cmocka_unit_test(doubled_fields_are_refused),
        cmocka_unit_test(damaged_messages_do_no_harm),
        cmocka_unit_test(every_stage_has_a_text),
        cmocka_unit_test(stages_and_objects_make_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
