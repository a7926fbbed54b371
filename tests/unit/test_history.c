/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which entries of the history are wanted, and the words that belong to them. */
#include "model/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct record make(enum record_kind kind)
{
    struct record record;
    record_init(&record, kind, "web");
    record.sequence = 9;
    record.begun_unix_ms = 1000;
    record.unix_ms = 2000;
    record.verb = VERB_DEPLOY;
    record.done = true;
    record.operation = 8;
    strcpy(record.release, "v2");
    return record;
}

static void test_what_is_wanted(void **state)
{
    static const struct {
        struct history_filter filter;
        bool end, incident, served; /* of them the first is a deploy that is done */
    } cases[] = {
        {{.verb = HISTORY_ANY_VERB}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .app = ""}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .app = "web", .release = ""}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .app = "api"}, false, false, false},
        {{.verb = HISTORY_ANY_VERB, .release = "v2"}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .release = "v"}, false, false, false},
        {{.verb = HISTORY_ANY_VERB, .incidents = HISTORY_INCIDENTS}, false, true, false},
        {{.verb = HISTORY_ANY_VERB, .incidents = HISTORY_NO_INCIDENTS}, true, false, false},
        {{.verb = HISTORY_ANY_VERB, .failed = true}, false, true, false},
        {{.verb = HISTORY_ANY_VERB, .sequence = 9}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .sequence = 8}, false, false, false},
        {{.verb = HISTORY_ANY_VERB, .since_unix_ms = 2000}, true, true, false},
        {{.verb = HISTORY_ANY_VERB, .since_unix_ms = 2001}, false, false, false},
        {{.verb = HISTORY_ANY_VERB, .until_unix_ms = 1001}, true, false, false}, /* the one had begun */
        {{.verb = HISTORY_ANY_VERB, .until_unix_ms = 1000}, false, false, false},
        {{.verb = HISTORY_ANY_VERB, .until_unix_ms = 2001}, true, true, false},
        {{.verb = VERB_DEPLOY}, true, false, false},
        {{.verb = VERB_ROLLBACK}, false, false, false},
        {{.verb = HISTORY_SERVED}, false, false, true},
        {{.verb = HISTORY_SERVED, .failed = true}, false, false, false},
        {{.verb = HISTORY_SERVED, .release = "v3"}, false, false, false},
    };
    struct record end = make(RECORD_END), incident = make(RECORD_INCIDENT), served = make(RECORD_SERVED);
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (history_wants(&cases[i].filter, &end) != cases[i].end ||
            history_wants(&cases[i].filter, &incident) != cases[i].incident ||
            history_wants(&cases[i].filter, &served) != cases[i].served)
            fail_msg("case %zu", i);
    }
    const struct history_filter failed = {.verb = HISTORY_ANY_VERB, .failed = true};
    end.done = false;
    assert_true(history_wants(&failed, &end));
}

/* What ends the release that is asked for belongs to its history, too. */
static void test_wanted_for_what_was_served(void **state)
{
    struct history_filter filter = {.verb = HISTORY_ANY_VERB, .app = "web", .release = "v1"};
    struct record end = make(RECORD_END), incident = make(RECORD_INCIDENT), served = make(RECORD_SERVED);
    assert_false(history_wants(&filter, &end));
    assert_true(history_wants_if_served(&filter, &end));
    assert_false(history_wants_if_served(&filter, &incident));
    assert_false(history_is_served(&filter, &served));
    strcpy(served.release, "v1");
    assert_true(history_is_served(&filter, &served));
    assert_false(history_is_served(&filter, &incident));
    filter.failed = true;
    assert_false(history_wants_if_served(&filter, &end));
    filter.failed = false;
    filter.app = "api";
    assert_false(history_wants_if_served(&filter, &end));
    filter.app = "web";
    filter.release = "v2";
    assert_true(history_wants(&filter, &end));
    assert_false(history_wants_if_served(&filter, &end));
    filter.release = "v1";
    end.operation = 0;
    assert_false(history_wants_if_served(&filter, &end));
}

static void test_parts(void **state)
{
    struct history_filter filter = {.verb = HISTORY_ANY_VERB};
    struct record drained = make(RECORD_DRAINED), hook = make(RECORD_HOOK), served = make(RECORD_SERVED);
    assert_true(history_wants_part(&filter, &drained));
    assert_true(history_wants_part(&filter, &served));
    assert_false(history_wants_part(&filter, &hook));
    filter.hooks = true;
    assert_true(history_wants_part(&filter, &hook));
    filter.app = "api";
    assert_false(history_wants_part(&filter, &hook));
    filter.app = "web";
    hook.operation = 0;
    assert_false(history_wants_part(&filter, &hook));
    filter.verb = HISTORY_SERVED;
    assert_false(history_wants_part(&filter, &served));
    assert_false(history_wants(&filter, &drained));
}

static void test_steps(void **state)
{
    char steps[RECORD_STEPS_MAX + 1] = "", name[32];
    const char *rest = steps;
    uint64_t ms;
    assert_false(history_next_step(&rest, name, sizeof name, &ms));
    history_add_step(steps, "build", 12);
    history_add_step(steps, "pre-start", 0);
    history_add_step(steps, "health", UINT64_MAX);
    assert_string_equal(steps, "build:12,pre-start:0,health:18446744073709551615");
    assert_true(history_next_step(&rest, name, sizeof name, &ms));
    assert_string_equal(name, "build");
    assert_int_equal(ms, 12);
    assert_true(history_next_step(&rest, name, sizeof name, &ms));
    assert_true(history_next_step(&rest, name, sizeof name, &ms));
    assert_string_equal(name, "health");
    assert_true(ms == UINT64_MAX);
    assert_false(history_next_step(&rest, name, sizeof name, &ms));
    for (int i = 0; i < 100; i++) /* what does not fit is left out whole */
        history_add_step(steps, "switch", 1);
    assert_true(strlen(steps) <= RECORD_STEPS_MAX);
    size_t count = 0;
    for (rest = steps; history_next_step(&rest, name, sizeof name, &ms); count++)
        ;
    assert_string_equal(rest, "");
    assert_int_equal(count, 3 + (RECORD_STEPS_MAX - 48) / 9);
}

static void test_strange_steps(void **state)
{
    static const char *const strange[] = {"build",
                                          "build:",
                                          ":12",
                                          "build:x",
                                          ",",
                                          "build:12x",
                                          "build:-1",
                                          "a-name-that-is-longer-than-any-step:1",
                                          "b:111111111111111111111111111"};
    for (size_t i = 0; i < COUNT(strange); i++) {
        const char *rest = strange[i];
        char name[24];
        uint64_t ms;
        if (history_next_step(&rest, name, sizeof name, &ms))
            fail_msg("\"%s\" was taken", strange[i]);
    }
}

static void test_requests(void **state)
{
    static const struct {
        const char *output;
        bool found;
        uint64_t requests;
    } cases[] = {
        {"", false, 0},
        {"requests=7", true, 7},
        {"all is well\nrequests=1204\nbye", true, 1204},
        {"requests=1\nrequests=2\n", true, 2}, /* the last one */
        {"requests=18446744073709551615", true, UINT64_MAX},
        {"requests=18446744073709551616", false, 0},
        {"requests=", false, 0},
        {"requests=7 ", false, 0},
        {" requests=7", false, 0},
        {"requests=-7", false, 0},
        {"requests=7x\nrequests=3", true, 3},
        {"requests=3\nrequests=7x", true, 3},
        {"requests", false, 0},
        {"the requests=7", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t requests = 0;
        if (history_find_requests(cases[i].output, &requests) != cases[i].found || requests != cases[i].requests)
            fail_msg("\"%s\" gave %llu", cases[i].output, (unsigned long long)requests);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wanted), cmocka_unit_test(test_wanted_for_what_was_served),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_steps),
        cmocka_unit_test(test_strange_steps),  cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
