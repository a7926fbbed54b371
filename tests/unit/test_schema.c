/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema's gates in every state, what the commands make of it, and its words in the journal. */
#include "model/schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BEFORE = 1000, LATER = 2000 };

static struct schema begun(enum schema_command command, uint32_t version, uint32_t expanded, uint32_t contracted)
{
    struct schema schema = {.expanded = expanded, .contracted = contracted, .base = contracted};
    schema_begin(&schema, command, version, "v2", "root", BEFORE);
    return schema;
}

static struct schema broken(enum schema_command command, uint32_t version, uint32_t expanded, uint32_t contracted)
{
    bool verifies = command == SCHEMA_CHECK || command == SCHEMA_VERIFY;
    struct schema schema = begun(verifies ? SCHEMA_EXPAND : command, version, expanded, contracted);
    schema_goes_on(&schema, command);
    schema_failed(&schema, "it\nfailed", LATER);
    return schema;
}

static struct schema done(enum schema_command command, uint32_t version, uint32_t expanded, uint32_t contracted)
{
    struct schema schema = begun(command, version, expanded, contracted);
    schema_done(&schema, "v1", LATER);
    return schema;
}

/* --- what happens ------------------------------------------------------------------------------------ */

static void test_the_whole_way(void **state)
{
    struct schema schema = {0};
    assert_false(schema_known(&schema));
    schema_begin(&schema, SCHEMA_EXPAND, 3, "v2", "root", BEFORE);
    assert_int_equal(schema.state, SCHEMA_EXPANDING);
    assert_true(schema_moving(&schema) && schema_known(&schema));
    assert_int_equal(schema.expanded, 0);
    assert_false(schema_completed_since(&schema, BEFORE));
    schema_goes_on(&schema, SCHEMA_VERIFY);
    schema_done(&schema, "v1", LATER);
    assert_true(schema_completed_since(&schema, LATER));
    assert_false(schema_completed_since(&schema, LATER + 1));
    assert_int_equal(schema.state, SCHEMA_EXPANDED);
    assert_int_equal(schema.expanded, 3);
    assert_string_equal(schema.verified, "v1");
    assert_int_equal(schema.verified_unix_ms, LATER);
    schema_begin(&schema, SCHEMA_CONTRACT, 3, "v2", "root", BEFORE);
    assert_int_equal(schema.state, SCHEMA_CONTRACTING);
    assert_int_equal(schema.contracted, 3); /* from its beginning on */
    assert_int_equal(schema.contracted_unix_ms, BEFORE);
    schema_done(&schema, "", LATER);
    assert_int_equal(schema.state, SCHEMA_CONTRACTED);
    schema_begin(&schema, SCHEMA_EXPAND, 5, "v3", "root", BEFORE);
    assert_int_equal(schema.base, 3);
    schema_done(&schema, "", LATER);
    assert_int_equal(schema.verified_unix_ms, 0);
    schema_begin(&schema, SCHEMA_REVERT, 5, "v3", "root", BEFORE);
    assert_int_equal(schema.state, SCHEMA_REVERTING);
    assert_int_equal(schema.expanded, 3); /* from its beginning on */
    schema_done(&schema, "", LATER);
    assert_int_equal(schema.state, SCHEMA_CONTRACTED);
    assert_int_equal(schema.version, 3);
}

static void test_a_failure_is_tried_again(void **state)
{
    struct schema schema = broken(SCHEMA_EXPAND, 2, 1, 0);
    assert_int_equal(schema.state, SCHEMA_BROKEN);
    assert_false(schema_completed_since(&schema, BEFORE));
    assert_int_equal(schema.expanded, 1);
    assert_string_equal(schema.reason, "it failed");
    schema_begin(&schema, SCHEMA_EXPAND, 2, "v2", "root", BEFORE);
    assert_string_equal(schema.reason, "");
    schema_done(&schema, "v1", LATER);
    assert_int_equal(schema.expanded, 2);
    schema = broken(SCHEMA_CHECK, 2, 1, 0);
    schema_begin(&schema, SCHEMA_CHECK, 2, "v2", "root", BEFORE);
    assert_int_equal(schema.state, SCHEMA_EXPANDING);
    schema_done(&schema, "v1", LATER);
    assert_int_equal(schema.expanded, 2);
    assert_int_equal(schema.base, 1);
    schema = broken(SCHEMA_CONTRACT, 2, 2, 1);
    assert_int_equal(schema.contracted, 2);
    assert_int_equal(schema.base, 1);
    schema_begin(&schema, SCHEMA_CONTRACT, 2, "v2", "root", BEFORE);
    assert_int_equal(schema.base, 1); /* what the command is told is what it was the first time */
    schema = broken(SCHEMA_EXPAND, 1, 0, 0);
    schema_begin(&schema, SCHEMA_REVERT, 1, "v2", "root", BEFORE);
    schema_done(&schema, "", LATER);
    assert_int_equal(schema.state, SCHEMA_NONE);
    assert_true(schema_known(&schema));
}

/* --- gates: every state --------------------------------------------------------------------------------- */

/* Releases v1 to v3 need versions 1 to 3; version 2 is what the change is about, and 1 was there before. */
static const struct {
    const char *name;
    enum { NOTHING, BEGUN, DONE, BROKEN } how;
    enum schema_command command;
    uint32_t version, expanded, contracted;
    const char *run, *release, *expand; /* of v1, v2, v3: y or n */
    char check, contract, revert;       /* with v2 live and nothing beside it; revert: with v1 live */
} cases[] = {
    {"none", NOTHING, SCHEMA_EXPAND, 0, 1, 1, "ynn", "yyy", "nyy", 'y', 'n', 'n'},
    {"expanded", DONE, SCHEMA_EXPAND, 2, 1, 1, "yyn", "yyy", "nny", 'y', 'y', 'y'},
    {"expand failed", BROKEN, SCHEMA_EXPAND, 2, 1, 1, "ynn", "yyn", "nyn", 'y', 'n', 'y'},
    {"check failed", BROKEN, SCHEMA_CHECK, 2, 1, 1, "ynn", "yyn", "nyn", 'y', 'n', 'y'},
    {"verify failed", BROKEN, SCHEMA_VERIFY, 2, 1, 1, "ynn", "yyn", "nyn", 'y', 'n', 'y'},
    {"contracted", DONE, SCHEMA_CONTRACT, 2, 2, 1, "nyn", "nyy", "nny", 'y', 'n', 'n'},
    {"contract failed", BROKEN, SCHEMA_CONTRACT, 2, 2, 1, "nyn", "nyn", "nnn", 'n', 'y', 'n'},
    {"reverted", DONE, SCHEMA_REVERT, 2, 2, 1, "ynn", "yyy", "nyy", 'y', 'n', 'n'},
    {"revert failed", BROKEN, SCHEMA_REVERT, 2, 2, 1, "ynn", "yyn", "nyn", 'n', 'n', 'y'},
};

static struct schema made(size_t i)
{
    if (cases[i].how == NOTHING)
        return (struct schema){.expanded = cases[i].expanded,
                               .contracted = cases[i].contracted,
                               .state = SCHEMA_CONTRACTED,
                               .version = cases[i].expanded,
                               .base = cases[i].contracted};
    return (cases[i].how == DONE ? done
            : cases[i].how == BROKEN
                ? broken
                : begun)(cases[i].command, cases[i].version, cases[i].expanded, cases[i].contracted);
}

static void expect(size_t i, const char *gate, uint32_t needs, char may, int result, const struct error *err)
{
    if ((may == 'y') != (result == 0) || (result != 0 && (result != -EPERM || strlen(err->text) < 20)))
        fail_msg("%s: %s of %u: %s", cases[i].name, gate, needs, result == 0 ? "may" : err->text);
}

static void test_every_gate_in_every_state(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema schema = made(i);
        struct schema_around around = {.app = "web",
                                       .live = {.release = "v2", .colour = "blue", .needs = 2, .there = true}};
        for (uint32_t needs = 1; needs <= 3; needs++) {
            struct error run = {0}, release = {0}, expand = {0};
            char name[] = {'v', (char)('0' + needs), '\0'};
            expect(i, "run", needs, cases[i].run[needs - 1], schema_may_run(&schema, "web", name, needs, &run), &run);
            expect(i, "release", needs, cases[i].release[needs - 1],
                   schema_may_release(&schema, "web", name, needs, true, &release), &release);
            expect(i, "expand", needs, cases[i].expand[needs - 1],
                   schema_may_expand(&schema, "web", name, needs, true, &expand), &expand);
        }
        struct error check = {0}, contract = {0}, revert = {0};
        expect(i, "check", 0, cases[i].check, schema_may_check(&schema, "web", &check), &check);
        expect(i, "contract", 0, cases[i].contract, schema_may_contract(&schema, &around, false, &contract), &contract);
        around.live.needs = 1;
        expect(i, "revert", 0, cases[i].revert, schema_may_revert(&schema, &around, &revert), &revert);
    }
}

static void test_no_command_to_expand_with(void **state)
{
    struct schema schema = done(SCHEMA_EXPAND, 2, 1, 1);
    struct error err = {0};
    assert_int_equal(schema_may_release(&schema, "web", "v2", 2, false, &err), 0); /* needs none */
    assert_int_equal(schema_may_release(&schema, "web", "v3", 3, false, &err), -EPERM);
    assert_non_null(strstr(err.text, "[schema] expand says no command"));
    assert_int_equal(schema_may_expand(&schema, "web", "v3", 3, false, &err), -EPERM);
}

static void test_reasons(void **state)
{
    struct schema schema = done(SCHEMA_CONTRACT, 2, 2, 1);
    struct error err = {0};
    schema.contracted_unix_ms = 1700000000000;
    schema_may_run(&schema, "web", "v1", 1, &err);
    assert_string_equal(err.text,
                        "the schema of web was contracted for version 2 on 2023-11-14 22:13 UTC, and v1 needs version "
                        "1: what it uses may be gone from the database; deploy a release for it, or insist with "
                        "--force-past-contract");
    schema = broken(SCHEMA_CHECK, 2, 1, 1);
    schema_may_expand(&schema, "web", "v3", 3, true, &err);
    assert_string_equal(err.text,
                        "the schema of web is broken: check for version 2 by v2: it failed; \"bluegreen schema "
                        "web check\" confirms it once it is repaired, \"bluegreen schema web revert\" undoes it");
    schema = broken(SCHEMA_CONTRACT, 2, 2, 1);
    schema_may_check(&schema, "web", &err);
    assert_non_null(strstr(err.text, "\"bluegreen schema web contract\" runs it again"));
}

/* It fits into a row and into the status, with what to do, and no word of it is cut. */
static void test_long_reasons(void **state)
{
    struct schema schema = broken(SCHEMA_EXPAND, 2, 1, 1);
    struct error err = {0};
    char text[WIRE_TEXT_MAX + 1], what_to_do[] = "\"bluegreen schema web revert\" undoes it";
    schema.reason[0] = '\0';
    while (strlen(schema.reason) + 7 < sizeof schema.reason)
        strcat(schema.reason, "letter ");
    assert_int_equal(schema_may_expand(&schema, "web", "v3", 3, true, NULL), -EPERM);
    schema_may_expand(&schema, "web", "v3", 3, true, &err);
    assert_true(strlen(err.text) <= WIRE_TEXT_MAX);
    assert_non_null(strstr(err.text, "by v2: letter letter"));
    assert_non_null(strstr(err.text, "letter...; \"bluegreen schema web check\""));
    assert_string_equal(err.text + strlen(err.text) - strlen(what_to_do), what_to_do);
    schema_describe(&schema, text, sizeof text);
    assert_string_equal(text + strlen(text) - strlen(" letter letter..."), " letter letter...");
    memset(schema.release, 'v', RELEASE_NAME_MAX);
    schema.release[RELEASE_NAME_MAX] = '\0';
    schema_may_expand(&schema, "a-name-of-an-app-so-long-as-can", "v3", 3, true, &err);
    assert_non_null(strstr(err.text, "vvv; \"bluegreen schema a-name-of-an-app-so-long-as-can check\" confirms"));
}

/* --- contract and revert, and what is around ---------------------------------------------------------------- */

static const struct schema_around ready = {
    .app = "web", .live = {.release = "v2", .colour = "green", .needs = 2, .there = true}, .other = {.colour = "blue"}};

static void refuses_contract(const struct schema_around *around, bool remove, const char *why)
{
    struct schema schema = done(SCHEMA_EXPAND, 2, 1, 1);
    struct error err = {0};
    int result = schema_may_contract(&schema, around, remove, &err);
    if (result == 0 || !why || !strstr(err.text, why))
        fail_msg("%d: %s", result, err.text);
}

static void test_contract_waits_for_the_old_release(void **state)
{
    struct schema schema = done(SCHEMA_EXPAND, 2, 1, 1);
    struct schema_around around = ready;
    assert_int_equal(schema_may_contract(&schema, &around, false, NULL), 0);
    around.baking = true;
    refuses_contract(&around, true, "in its bake");
    around.baking = false;
    around.bad = true;
    refuses_contract(&around, true, "bad");
    around.bad = false;
    around.other = (struct schema_zone){.release = "v1", .colour = "blue", .needs = 1, .there = true, .was_live = true};
    refuses_contract(&around, false, "v1 stands by in zone blue");
    assert_true(schema_leaves_behind(&schema, &around.other));
    assert_int_equal(schema_may_contract(&schema, &around, true, NULL), 0);
    around.other.connections = 3;
    refuses_contract(&around, true, "3 connections");
    around.other.connections = 0;
    around.other.draining = true;
    refuses_contract(&around, true, "bluegreen drain web");
    around.other.needs = 2; /* it can stay */
    assert_false(schema_leaves_behind(&schema, &around.other));
    assert_int_equal(schema_may_contract(&schema, &around, false, NULL), 0);
    around.live.needs = 1;
    refuses_contract(&around, true, "v2 is live and needs version 1");
    around.live.needs = 3;
    refuses_contract(&around, true, "v2 is live and needs version 3");
    around.live.there = false;
    refuses_contract(&around, true, "no live release");
}

static void test_revert_spares_what_needs_it(void **state)
{
    struct schema schema = done(SCHEMA_EXPAND, 2, 1, 1);
    struct schema_around around = ready;
    struct error err = {0};
    assert_int_equal(schema_may_revert(&schema, &around, &err), -EPERM);
    assert_non_null(strstr(err.text, "v2 in zone green needs version 2"));
    around.live.needs = 1;
    assert_int_equal(schema_may_revert(&schema, &around, &err), 0);
    around.other = (struct schema_zone){.release = "v2", .colour = "blue", .needs = 2, .there = true};
    assert_int_equal(schema_may_revert(&schema, &around, &err), -EPERM);
    assert_non_null(strstr(err.text, "abort it first"));
    around.other.leaving = true; /* it failed a moment ago */
    assert_int_equal(schema_may_revert(&schema, &around, &err), 0);
    around.other.leaving = false;
    around.other.was_live = true;
    schema_may_revert(&schema, &around, &err);
    assert_non_null(strstr(err.text, "in its place"));
    around.other.there = false;
    assert_int_equal(schema_may_revert(&schema, &around, &err), 0);
}

/* --- words ------------------------------------------------------------------------------------------------- */

static void test_the_journals_words(void **state)
{
    for (int one = SCHEMA_NONE; one < SCHEMA_STATES; one++) {
        for (int command = 0; command < SCHEMA_COMMANDS; command++) {
            const struct schema made = {.state = (enum schema_state)one,
                                        .command = (enum schema_command)command,
                                        .version = UINT32_MAX,
                                        .base = 1,
                                        .expanded = 2,
                                        .contracted = 3,
                                        .verified_unix_ms = UINT64_MAX,
                                        .contracted_unix_ms = 4};
            struct schema read = {0};
            struct text text = {0};
            schema_format(&made, &text);
            assert_true(schema_parse(text.data, &read));
            assert_memory_equal(&made, &read, sizeof made);
            text_clear(&text);
        }
    }
}

static void test_words_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "none",
        "none/expand",
        "none/expand/1/2/3/4/5",
        "none/expand/1/2/3/4/5/6/7",
        "none/expand/1/2/3/4/5/6/",
        "some/expand/1/2/3/4/5/6",
        "none/expands/1/2/3/4/5/6",
        "none/expand/4294967296/2/3/4/5/6",
        "none/expand/1/2/3/-4/5/6",
        "none/expand/1/2/3/4/5/18446744073709551616",
        "none//1/2/3/4/5/6",
        "none/expand/"
        "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
        "1111111111/2/3/4/5/6",
    };
    struct schema schema = {.version = 77};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (schema_parse(wrong[i], &schema))
            fail_msg("\"%s\" was taken", wrong[i]);
    }
    assert_int_equal(schema.version, 77);
    assert_true(schema_parse("none/expand/1/2/3/4/5/6", &schema));
}

static void test_dates(void **state)
{
    static const struct {
        uint64_t unix_ms;
        const char *date;
    } dates[] = {
        {1000, "1970-01-01 00:00 UTC"},
        {951782399000, "2000-02-28 23:59 UTC"},
        {951782400000, "2000-02-29 00:00 UTC"},
        {951868800000, "2000-03-01 00:00 UTC"},
        {1709164800000, "2024-02-29 00:00 UTC"},
        {1735689599000, "2024-12-31 23:59 UTC"},
        {1735689600000, "2025-01-01 00:00 UTC"},
        {4107542400000, "2100-03-01 00:00 UTC"},
        {UINT64_MAX, "9999-12-"},
    };
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct schema schema = {.state = SCHEMA_CONTRACTED, .changed_unix_ms = dates[i].unix_ms};
        char text[WIRE_TEXT_MAX + 1];
        schema_describe(&schema, text, sizeof text);
        if (!strstr(text, dates[i].date))
            fail_msg("%s: %s", dates[i].date, text);
    }
}

static void test_descriptions(void **state)
{
    static const char *const words[SCHEMA_STATES] = {
        "never changed", "runs", "v1 was healthy on it", "runs", "contracted for version 2", "runs", "broken: revert"};
    char text[WIRE_TEXT_MAX + 1];
    for (int one = SCHEMA_NONE; one < SCHEMA_STATES; one++) {
        struct schema schema = {.state = (enum schema_state)one,
                                .command = SCHEMA_REVERT,
                                .expanded = 2,
                                .contracted = 2,
                                .release = "v2",
                                .verified = "v1"};
        schema_describe(&schema, text, sizeof text);
        if (!strstr(text, words[one]))
            fail_msg("%s: %s", schema_state_name((enum schema_state)one), text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_way),
        cmocka_unit_test(test_a_failure_is_tried_again),
        cmocka_unit_test(test_every_gate_in_every_state),
        cmocka_unit_test(test_no_command_to_expand_with),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_long_reasons),
        cmocka_unit_test(test_contract_waits_for_the_old_release),
        cmocka_unit_test(test_revert_spares_what_needs_it),
        cmocka_unit_test(test_the_journals_words),
        cmocka_unit_test(test_words_that_are_none),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
