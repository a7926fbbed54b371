/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol between agent and shim, when the other one lies, or its bytes are damaged. */
#include "shim_messages.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_are_refused),
        cmocka_unit_test(field_lengths_that_lie_are_refused),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
