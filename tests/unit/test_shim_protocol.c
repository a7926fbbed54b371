/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol between agent and shim: round trips, other versions, and the words for what a shim tells. */
#include "shim_messages.h"

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
        cmocka_unit_test(a_newer_sender_is_understood),
        cmocka_unit_test(an_unknown_critical_field_is_named),
        cmocka_unit_test(every_stage_has_a_text),
        cmocka_unit_test(stages_and_objects_make_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
