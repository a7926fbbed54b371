/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol between agent and shim: round trips, other versions, hostile bytes. */
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
    const struct shim_state sent[] = {
        {.phase = SHIM_ALIVE, .restarts = 3},
        {.phase = SHIM_BACK_OFF, .exited = true, .exit_value = 0, .exit_unix_ms = UINT64_C(1795406991897)},
        {.phase = SHIM_IDLE, .exited = true, .signalled = true, .exit_value = 9, .exit_unix_ms = UINT64_MAX},
        {.phase = SHIM_IDLE, .stage = SHIM_STAGE_EXEC, .error = ENOENT},
        {.phase = SHIM_STOPPING, .error = EOPNOTSUPP, .tag = SHIM_TAG_CRITICAL | 77},
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
    }
}

static void the_largest_state_fits_an_answer(void **state)
{
    (void)state;
    const struct shim_state all = {.phase = ~0u,
                                   .restarts = ~0u,
                                   .exited = true,
                                   .signalled = true,
                                   .exit_value = ~0u,
                                   .exit_unix_ms = UINT64_MAX,
                                   .stage = ~0u,
                                   .error = ~0u,
                                   .tag = ~0u};
    assert_true(shim_encode_state(SHIM_REFUSED, &all, ~0u, buffer, SHIM_ANSWER_MAX) > 0);
}

static void what_does_not_fit_is_not_encoded(void **state)
{
    (void)state;
    struct shim_start start = sample();
    size_t length = shim_encode_start(&start, 1, buffer, sizeof buffer);
    for (size_t size = 0; size < length; size++)
        assert_int_equal(0, shim_encode_start(&start, 1, buffer, size));
    assert_int_equal(length, shim_encode_start(&start, 1, buffer, length));
    assert_int_equal(0, shim_encode_stop(1, buffer, sizeof(struct shim_header) - 1));

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
        size_t length = encode_sample();
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
            shim_decode_state(copy, length, &got, &unknown);
        }
        free(copy);
    }
    assert_true(accepted > 0);
}

static void every_stage_has_a_text(void **state)
{
    (void)state;
    for (uint32_t stage = 0; stage < SHIM_STAGES; stage++)
        assert_non_null(shim_stage_text(stage));
    assert_non_null(strstr(shim_stage_text(SHIM_STAGES), "does not know"));
    assert_non_null(strstr(shim_stage_text(UINT32_MAX), "does not know"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_survives_the_round_trip),
        cmocka_unit_test(start_without_environment_and_groups),
        cmocka_unit_test(state_survives_the_round_trip),
        cmocka_unit_test(the_largest_state_fits_an_answer),
        cmocka_unit_test(what_does_not_fit_is_not_encoded),
        cmocka_unit_test(frames_that_are_refused),
        cmocka_unit_test(field_lengths_that_lie_are_refused),
        cmocka_unit_test(a_newer_sender_is_understood),
        cmocka_unit_test(an_unknown_critical_field_is_named),
        cmocka_unit_test(every_field_of_a_start_is_needed),
        cmocka_unit_test(values_that_are_refused),
        cmocka_unit_test(variables_need_a_name_and_an_equals_sign),
        cmocka_unit_test(doubled_fields_are_refused),
        cmocka_unit_test(damaged_messages_do_no_harm),
        cmocka_unit_test(every_stage_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
