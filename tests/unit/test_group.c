/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: the words of a move, which moves are known, and what the fold makes of them. */
#include "model/group.h"
#include "model/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fold fold;

static int setup(void **state)
{
    fold = (struct fold){0};
    return 0;
}

static int teardown(void **state)
{
    fold_clear(&fold);
    return 0;
}

static struct group_move make(const char *name, enum group_phase phase, const char *members)
{
    struct group_move move = {.phase = phase};
    strcpy(move.name, name);
    assert_true(group_parse(members, &move));
    return move;
}

/* --- words ---------------------------------------------------------------------------------------------- */

static void check_words(const char *words)
{
    CLEANUP_TEXT struct text text = {0};
    struct group_move move = make("shop", GROUP_MOVED, words);
    group_format(&move, &text);
    assert_string_equal(text.data, words);
}

static void what_is_written_is_read(void **state)
{
    check_words("web:green");
    check_words("web:green,domain:blue,api:none");
    struct group_move move = make("shop", GROUP_MOVED, "web:green,domain:blue,api:none");
    assert_int_equal(move.count, 3);
    assert_int_equal(group_member_of(&move, "domain")->zone, BLUE);
    assert_int_equal(group_member_of(&move, "api")->zone, -1);
    assert_null(group_member_of(&move, "ap"));
    for (int phase = 0; phase < GROUP_PHASES; phase++) {
        enum group_phase back;
        assert_true(group_phase_parse(group_phase_name((enum group_phase)phase), &back));
        assert_int_equal(back, phase);
    }
}

static void nothing_else_is(void **state)
{
    static const char *const wrong[] = {
        "",
        "web",
        ":",
        "web:",
        ":green",
        "web:red",
        "web:green,",
        ",web:green",
        "web:green,,a:blue",
        "web:green,web:blue",
        "Web:green",
        "web:green:blue",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:green",
        "web: green",
    };
    struct group_move move;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (group_parse(wrong[i], &move))
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

/* The longest names, as many as there may be. */
static void fill_largest(struct group_move *move, size_t count)
{
    CLEANUP_TEXT struct text text = {0};
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%sa%030zu:green", i ? "," : "", i);
    *move = (struct group_move){0};
    assert_int_equal(group_parse(text.data, move), count <= GROUP_APPS_MAX);
}

static void the_largest_group_fits_into_a_record(void **state)
{
    CLEANUP_TEXT struct text line = {0};
    struct record record, back;
    record_init(&record, RECORD_GROUP, "");
    fill_largest(&record.group, GROUP_APPS_MAX);
    memset(record.group.name, 'g', APP_NAME_MAX);
    record.group.phase = GROUP_ABOUT;
    record.sequence = record.unix_ms = UINT64_MAX;
    record_format(&record, &line);
    assert_true(line.length < RECORD_LINE_MAX);
    assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), 0);
    assert_memory_equal(&back, &record, sizeof back);
    fill_largest(&record.group, GROUP_APPS_MAX + 1);
}

static void the_record_is_as_documented(void **state)
{
    CLEANUP_TEXT struct text line = {0};
    struct record record;
    record_init(&record, RECORD_GROUP, "");
    record.sequence = 7;
    record.unix_ms = 1700000000123;
    record.group = make("shop", GROUP_MOVED, "web:green,domain:blue");
    record_format(&record, &line);
    assert_string_equal(line.data + 9, "7 1700000000123 group group=shop phase=moved members=web:green,domain:blue\n");
    assert_false(record_is_history(&record));
}

/* --- moves ------------------------------------------------------------------------------------------------ */

static void add_move(struct group_moves *moves, const char *name, enum group_phase phase, const char *members)
{
    struct group_move move = make(name, phase, members);
    assert_int_equal(group_moves_add(moves, &move), 0);
}

static void the_last_move_of_a_group_is_kept(void **state)
{
    struct group_moves moves = {0};
    add_move(&moves, "shop", GROUP_ABOUT, "web:green,domain:green");
    assert_null(group_moves_find(&moves, "shop", GROUP_KEPT));
    assert_null(group_moves_of(&moves, "web", GREEN));
    add_move(&moves, "shop", GROUP_MOVED, "web:green,domain:green");
    assert_null(group_moves_find(&moves, "shop", GROUP_ABOUT));
    assert_int_equal(moves.count, 1);
    assert_non_null(group_moves_of(&moves, "web", GREEN));
    assert_null(group_moves_of(&moves, "web", BLUE));
    assert_null(group_moves_of(&moves, "web", -1));
    add_move(&moves, "market", GROUP_MOVED, "api:blue");
    add_move(&moves, "shop", GROUP_MOVED, "web:blue");
    assert_int_equal(moves.count, 2);
    assert_int_equal(group_moves_find(&moves, "shop", GROUP_KEPT)->count, 1);
    group_moves_clear(&moves);
}

static void one_with_other_content_is_struck(void **state)
{
    struct group_moves moves = {0};
    add_move(&moves, "shop", GROUP_MOVED, "web:green,domain:green");
    group_moves_strike(&moves, "api");
    group_moves_strike(&moves, "web");
    const struct group_move *move = group_moves_find(&moves, "shop", GROUP_KEPT);
    assert_int_equal(group_member_of(move, "web")->zone, -1);
    assert_int_equal(group_member_of(move, "domain")->zone, GREEN);
    group_moves_strike(&moves, "domain");
    assert_int_equal(moves.count, 0);
    group_moves_clear(&moves);
}

/* What is about to be moved is over when one of them is: the others fail with it. */
static void what_comes_to_nothing_is_forgotten(void **state)
{
    struct group_moves moves = {0};
    add_move(&moves, "shop", GROUP_MOVED, "web:green,domain:green");
    add_move(&moves, "shop", GROUP_ABOUT, "web:blue,domain:blue");
    group_moves_ended(&moves, "api");
    assert_int_equal(moves.count, 2);
    group_moves_ended(&moves, "domain");
    assert_null(group_moves_find(&moves, "shop", GROUP_ABOUT));
    assert_non_null(group_moves_find(&moves, "shop", GROUP_KEPT));
    add_move(&moves, "shop", GROUP_ABOUT, "web:blue,domain:blue");
    group_moves_strike(&moves, "web");
    assert_null(group_moves_find(&moves, "shop", GROUP_ABOUT));
    group_moves_clear(&moves);
}

/* --- the fold ----------------------------------------------------------------------------------------------- */

static int add(struct record *record)
{
    record->sequence = fold.last_sequence + 1;
    return fold_add(&fold, record, NULL);
}

static void add_app(const char *name, uint16_t index)
{
    struct record record;
    record_init(&record, RECORD_APP, name);
    record.index = index;
    assert_int_equal(add(&record), 0);
}

static int add_group(enum group_phase phase, const char *members)
{
    struct record record;
    record_init(&record, RECORD_GROUP, "");
    record.group = make("web", phase, members); /* called like an app, and not to be taken for it */
    return add(&record);
}

static void add_zone(const char *app, enum zone_state zone_state)
{
    struct record record;
    record_init(&record, RECORD_ZONE, app);
    record.zone = BLUE;
    record.state = zone_state;
    assert_int_equal(add(&record), 0);
}

static void add_plain(enum record_kind kind, const char *app)
{
    struct record record;
    record_init(&record, kind, app);
    assert_int_equal(add(&record), 0);
}

static int live_of(const char *app)
{
    return fold_find(&fold, app)->live;
}

static void a_move_is_live_of_each(void **state)
{
    add_app("web", 0);
    add_app("domain", 1);
    assert_int_equal(add_group(GROUP_ABOUT, "web:green,domain:blue"), 0);
    assert_int_equal(live_of("web"), -1);
    assert_int_equal(add_group(GROUP_MOVED, "web:green,domain:blue"), 0);
    assert_int_equal(live_of("web"), GREEN);
    assert_int_equal(live_of("domain"), BLUE);
    assert_int_equal(fold_find(&fold, "domain")->state, APP_RUNNING);
}

static void of_unknown_apps_there_is_no_move(void **state)
{
    add_app("web", 0);
    assert_int_equal(add_group(GROUP_ABOUT, "web:green,domain:blue"), -EPROTO);
    assert_int_equal(add_group(GROUP_MOVED, "web:green,domain:none"), -EPROTO);
    assert_int_equal(add_group(GROUP_MOVED, "web:none"), -EPROTO);
    assert_int_equal(fold.groups.count, 0);
    assert_int_equal(live_of("web"), -1);
    assert_int_equal(add_group(GROUP_KEPT, "web:green,domain:none"), 0);
    assert_int_equal(live_of("web"), -1);
}

static void the_fold_strikes_what_has_other_content(void **state)
{
    add_app("web", 0);
    add_app("domain", 1);
    add_group(GROUP_MOVED, "web:green,domain:green");
    add_zone("web", ZONE_STANDBY);
    assert_non_null(group_moves_of(&fold.groups, "web", GREEN));
    add_zone("web", ZONE_STAGING);
    assert_null(group_moves_of(&fold.groups, "web", GREEN));
    add_plain(RECORD_REMOVED, "domain");
    assert_int_equal(fold.groups.count, 0);
}

static void the_end_of_one_ends_what_was_about_to_be(void **state)
{
    add_app("web", 0);
    add_app("domain", 1);
    add_group(GROUP_ABOUT, "web:green,domain:green");
    add_plain(RECORD_END, "domain");
    assert_int_equal(fold.groups.count, 0);
}

static int refold(void *context, struct record *record)
{
    struct fold *copy = context;
    record->sequence = copy->last_sequence + 1;
    return fold_add(copy, record, NULL);
}

/* In a compacted journal a move is remembered, and does not happen again. */
static void a_snapshot_does_not_move_anything(void **state)
{
    struct fold copy = {0};
    struct record record;
    add_app("web", 0);
    add_app("domain", 1);
    add_group(GROUP_MOVED, "web:green,domain:green");
    record_init(&record, RECORD_LIVE, "web");
    record.zone = BLUE;
    assert_int_equal(add(&record), 0);
    add_zone("domain", ZONE_STAGING);
    assert_int_equal(fold_snapshot(&fold, refold, &copy), 0);
    assert_int_equal(fold_find(&copy, "web")->live, BLUE);
    assert_int_equal(fold_find(&copy, "domain")->live, GREEN);
    assert_int_equal(copy.groups.count, 1);
    assert_memory_equal(copy.groups.items, fold.groups.items, sizeof *copy.groups.items);
    struct fold second = {0};
    assert_int_equal(fold_copy(&second, &copy), 0);
    fold_clear(&copy);
    assert_int_equal(second.groups.items[0].count, 2);
    fold_clear(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(the_largest_group_fits_into_a_record),
        cmocka_unit_test(the_record_is_as_documented),
        cmocka_unit_test(the_last_move_of_a_group_is_kept),
        cmocka_unit_test(one_with_other_content_is_struck),
        cmocka_unit_test(what_comes_to_nothing_is_forgotten),
        cmocka_unit_test_setup_teardown(a_move_is_live_of_each, setup, teardown),
        cmocka_unit_test_setup_teardown(of_unknown_apps_there_is_no_move, setup, teardown),
        cmocka_unit_test_setup_teardown(the_fold_strikes_what_has_other_content, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_one_ends_what_was_about_to_be, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_does_not_move_anything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
