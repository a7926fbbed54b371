/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state machines: every cell of both tables, and the invariants that the tables must keep. */
#include "model/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const enum zone_state rooted[] = {ZONE_STAGING,  ZONE_STARTING, ZONE_HEALTHY, ZONE_UNHEALTHY, ZONE_LIVE,
                                         ZONE_DRAINING, ZONE_STANDBY,  ZONE_FROZEN,  ZONE_RESTING};

static bool has_kernel_side(enum zone_state state)
{
    for (size_t i = 0; i < sizeof rooted / sizeof *rooted; i++) {
        if (rooted[i] == state)
            return true;
    }
    return false;
}

/* The whole zone table, row by row: what is written here by hand must be what the code has. ! impossible, = stays
 * with no action, else the next state and the actions' letters: p probe-off, d drain-off, a alarm, f freeze,
 * w thaw, r record, b rebuild, P probe-on, D drain-on, t tear-down, q rest. */
/* clang-format off */
static const char *const expected_zones[ZONE_STATES][ZONE_CHANGES] = {
    /* stage, started, pass, fail, break, gain,
       lose, drained, halt, restore, remove, lost,
       freeze, thaw, rest */
    [ZONE_ABSENT] = {
        "staging r", "!", "!", "!", "=", "!",
        "!", "!", "=", "=", "=", "=",
        "!", "!", "=",
    },
    [ZONE_STAGING] = {
        "!", "starting P", "!", "!", "failed prt", "!",
        "!", "!", "absent prt", "!", "absent prt", "failed prt",
        "!", "!", "staging prq",
    },
    [ZONE_STARTING] = {
        "!", "!", "healthy r", "=", "failed prt", "!",
        "!", "!", "absent prt", "!", "absent prt", "failed prt",
        "!", "!", "staging prq",
    },
    [ZONE_HEALTHY] = {
        "!", "!", "=", "unhealthy", "failed prt", "live r",
        "!", "!", "absent prt", "!", "absent prt", "failed part",
        "!", "!", "staging prq",
    },
    [ZONE_UNHEALTHY] = {
        "!", "!", "healthy", "=", "failed prt", "live r",
        "!", "!", "absent prt", "!", "absent prt", "failed part",
        "!", "!", "staging prq",
    },
    [ZONE_LIVE] = {
        "!", "=", "=", "live a", "!", "!",
        "draining rD", "!", "stopped prt", "live parbP", "absent prt", "live parbP",
        "!", "!", "resting prq",
    },
    [ZONE_DRAINING] = {
        "!", "=", "=", "=", "!", "live dr",
        "!", "standby dr", "stopped pdrt", "standby pdarbP", "absent pdrt", "standby pdarbP",
        "!", "!", "resting pdrq",
    },
    [ZONE_STANDBY] = {
        "!", "=", "=", "standby a", "!", "live r",
        "!", "=", "stopped prt", "standby parbP", "absent prt", "standby parbP",
        "frozen pfr", "!", "resting prq",
    },
    [ZONE_FROZEN] = {
        "!", "!", "!", "!", "!", "!",
        "!", "=", "stopped pwrt", "standby parbP", "absent pwrt", "standby parbP",
        "=", "standby wrP", "resting pwrq",
    },
    [ZONE_FAILED] = {
        "staging r", "!", "!", "!", "=", "!",
        "!", "!", "=", "=", "absent r", "=",
        "!", "!", "=",
    },
    [ZONE_STOPPED] = {
        "!", "!", "!", "!", "=", "!",
        "!", "!", "=", "standby rbP", "absent r", "=",
        "!", "!", "resting r",
    },
    [ZONE_RESTING] = {
        "!", "standby rP", "!", "!", "!", "!",
        "!", "=", "stopped prt", "standby rbP", "absent prt", "resting q",
        "!", "!", "resting q",
    },
};
/* clang-format on */

static void describe(enum zone_state state, struct zone_cell cell, char *text)
{
    static const char letters[] = "pdafwrbPDtq";
    if (cell.impossible) {
        strcpy(text, "!");
        return;
    }
    if (cell.next == state && cell.actions == 0) {
        strcpy(text, "=");
        return;
    }
    char *end = stpcpy(text, zone_state_name(cell.next));
    if (cell.actions)
        *end++ = ' ';
    for (unsigned bit = 0; bit < 11; bit++) {
        if (cell.actions & (1u << bit))
            *end++ = letters[bit];
    }
    *end = '\0';
}

static void zone_table_is_as_written(void **state)
{
    (void)state;
    for (int zone = 0; zone < ZONE_STATES; zone++) {
        for (int change = 0; change < ZONE_CHANGES; change++) {
            char text[64];
            describe((enum zone_state)zone, zone_transition((enum zone_state)zone, (enum zone_change)change), text);
            if (strcmp(text, expected_zones[zone][change]) != 0)
                fail_msg("%s, %s: expected \"%s\", is \"%s\"", zone_state_name((enum zone_state)zone),
                         zone_change_name((enum zone_change)change), expected_zones[zone][change], text);
        }
    }
}

static void leaving_the_kernel_tears_down(void **state)
{
    (void)state;
    for (int zone = 0; zone < ZONE_STATES; zone++) {
        for (int change = 0; change < ZONE_CHANGES; change++) {
            struct zone_cell cell = zone_transition((enum zone_state)zone, (enum zone_change)change);
            bool leaves = has_kernel_side((enum zone_state)zone) && !has_kernel_side(cell.next);
            assert_int_equal(leaves, (cell.actions & ACTION_TEAR_DOWN) != 0);
            if (cell.actions & ACTION_TEAR_DOWN)
                assert_true(cell.actions & ACTION_PROBE_OFF);
        }
    }
}

static void only_gain_makes_live_and_only_from_a_running_zone(void **state)
{
    (void)state;
    for (int zone = 0; zone < ZONE_STATES; zone++) {
        for (int change = 0; change < ZONE_CHANGES; change++) {
            struct zone_cell cell = zone_transition((enum zone_state)zone, (enum zone_change)change);
            if (cell.next == ZONE_LIVE && zone != ZONE_LIVE) {
                assert_int_equal(change, CHANGE_GAIN);
                assert_true(has_kernel_side((enum zone_state)zone));
                assert_true(cell.actions & ACTION_RECORD);
            }
        }
    }
}

static void a_live_zone_is_never_given_up_by_a_failure(void **state)
{
    (void)state;
    assert_int_equal(zone_transition(ZONE_LIVE, CHANGE_FAIL).next, ZONE_LIVE);
    assert_int_equal(zone_transition(ZONE_LIVE, CHANGE_LOST).next, ZONE_LIVE);
    assert_true(zone_transition(ZONE_LIVE, CHANGE_BREAK).impossible);
    assert_true(zone_transition(ZONE_LIVE, CHANGE_STAGE).impossible);
}

/* s stay, n next, f fail, r refuse; events in the order done failed good bad expired lost abort. */
static const char *const expected_steps[STEPS] = {
    [STEP_IDLE] = "ssssssr",         [STEP_PARITY] = "nfssfsf",        [STEP_MEMORY] = "nfssfsf",
    [STEP_CLEAR] = "nfssfsf",        [STEP_EXPAND] = "nfssfff",        [STEP_VERIFY] = "nfssfff",
    [STEP_RETIRE] = "nfssfsf",       [STEP_CONTRACT] = "nfssfff",      [STEP_REVERT] = "nfssfff",
    [STEP_BUILD] = "nfssfff",        [STEP_PRE_START] = "nfssfff",     [STEP_START] = "nfssfff",
    [STEP_HEALTH] = "nfnsfff",       [STEP_SEED] = "nfsffff",          [STEP_TEST] = "nfsffff",
    [STEP_GATE] = "nfnffff",         [STEP_FIREWALL] = "nfssfff",      [STEP_PRE_SWITCH] = "nfsffff",
    [STEP_PRE_ROLLBACK] = "nfsffff", [STEP_MEET] = "nfsffff",          [STEP_SWITCH] = "nfssssr",
    [STEP_POST_SWITCH] = "nfssfff",  [STEP_POST_ROLLBACK] = "nnssnnn", [STEP_REHEARSE] = "nnsnnnn",
    [STEP_SWITCH_BACK] = "nfssssr",  [STEP_UNPUBLISH] = "nfssssr",     [STEP_HALT] = "nfssssr",
    [STEP_RESTORE] = "nfnsfff",      [STEP_FORGET] = "nfssssr",        [STEP_ON_FAILURE] = "ffssfff",
    [STEP_SHARE] = "nfssssr",        [STEP_REVIVE] = "nfssfff",        [STEP_HOLD] = "nfssffr",
    [STEP_EMPTY] = "nfssfff",        [STEP_REST] = "nfssfff",          [STEP_BACK_HOLD] = "nnssnsr",
    [STEP_BACK_REST] = "nnssnsr",    [STEP_BACK_START] = "nnssnsr",    [STEP_BACK_HEALTH] = "nnnsnnr",
    [STEP_BACK_SWITCH] = "ffssssr",  [STEP_TAIL] = "nfsffff",          [STEP_BACK_TAIL] = "nnssnnr",
};

static void step_table_is_as_written(void **state)
{
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        assert_int_equal(strlen(expected_steps[step]), STEP_EVENTS);
        for (int event = 0; event < STEP_EVENTS; event++) {
            char is = "snfr"[step_transition((enum step)step, (enum step_event)event)];
            if (is != expected_steps[step][event])
                fail_msg("%s, %s: expected %c, is %c", step_name((enum step)step),
                         step_event_name((enum step_event)event), expected_steps[step][event], is);
        }
    }
}

/* What a failover switches to has just been found healthy; its live release may be gone, so nothing is waited for. */
static void every_plan_ends_and_gates_its_switch(void **state)
{
    (void)state;
    for (int verb = 0; verb < VERBS; verb++) {
        const enum step *plan = plan_of((enum wire_verb)verb);
        bool gated = false;
        if (!plan)
            continue;
        assert_true(verb == VERB_FAILOVER || verb_changes((enum wire_verb)verb));
        for (size_t i = 0; plan[i] != STEP_IDLE; i++) {
            assert_true(i < 16);
            assert_int_not_equal(plan[i], STEP_ON_FAILURE);
            gated = gated || plan[i] == STEP_GATE || plan[i] == STEP_HEALTH || plan[i] == STEP_RESTORE;
            if (plan[i] == STEP_SWITCH)
                assert_true(gated || verb == VERB_FAILOVER);
        }
    }
}

static size_t index_of(const enum step *plan, enum step step)
{
    size_t i = 0;
    while (plan[i] != step && plan[i] != STEP_IDLE)
        i++;
    assert_int_equal(plan[i], step);
    return i;
}

static void expect_next(const struct plan_choice *choice, enum step at, enum step next)
{
    const enum step *plan = plan_of(VERB_DEPLOY);
    assert_int_equal(plan[plan_next(plan, index_of(plan, at), choice)], next);
}

/* Only a group's apps wait for each other, and then right before the switch. */
static void only_a_group_meets(void **state)
{
    static const enum wire_verb verbs[] = {VERB_SWITCH, VERB_ROLLBACK};
    const struct plan_choice alone = {0}, group = {.group = true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const enum step *plan = plan_of(verbs[i]);
        size_t meet = index_of(plan, STEP_MEET);
        assert_int_equal(plan[plan_next(plan, meet - 1, &alone)], STEP_SWITCH);
        assert_int_equal(plan[plan_next(plan, meet - 1, &group)], STEP_MEET);
        assert_int_equal(plan[plan_next(plan, meet, &group)], STEP_SWITCH);
    }
}

static void a_plan_may_be_cut_short(void **state)
{
    const struct plan_choice whole = {0}, no_test = {.no_test = true}, health = {.stop_after = STEP_HEALTH},
                             test = {.stop_after = STEP_TEST}, both = {.no_test = true, .stop_after = STEP_TEST};
    (void)state;
    expect_next(&whole, STEP_FIREWALL, STEP_MEMORY);
    expect_next(&whole, STEP_HEALTH, STEP_SEED);
    expect_next(&whole, STEP_SEED, STEP_TEST);
    expect_next(&whole, STEP_TEST, STEP_PRE_SWITCH);
    expect_next(&whole, STEP_POST_SWITCH, STEP_IDLE);
    expect_next(&no_test, STEP_SEED, STEP_PRE_SWITCH);
    expect_next(&no_test, STEP_START, STEP_HEALTH);
    expect_next(&health, STEP_START, STEP_HEALTH);
    expect_next(&health, STEP_HEALTH, STEP_SEED);
    expect_next(&health, STEP_SEED, STEP_IDLE); /* what is staged is seeded, too */
    expect_next(&test, STEP_SEED, STEP_TEST);
    expect_next(&test, STEP_TEST, STEP_IDLE);
    expect_next(&both, STEP_SEED, STEP_IDLE);
}

/* What was tested and asked is what goes live: nothing comes between, and nothing of it comes behind the switch. */
static void hooks_come_where_they_decide(void **state)
{
    (void)state;
    const enum step *deploy = plan_of(VERB_DEPLOY);
    size_t at = index_of(deploy, STEP_SWITCH);
    assert_true(index_of(deploy, STEP_PRE_START) + 1 == index_of(deploy, STEP_START));
    assert_true(index_of(deploy, STEP_HEALTH) < index_of(deploy, STEP_TEST));
    assert_true(index_of(deploy, STEP_TEST) < at);
    assert_int_equal(deploy[at - 1], STEP_TAIL); /* which asks nobody */
    assert_int_equal(deploy[at - 2], STEP_PRE_SWITCH);
    assert_int_equal(deploy[at + 1], STEP_POST_SWITCH);
    /* a rehearsal comes back, whatever happens */
    for (int event = 0; event < STEP_EVENTS; event++)
        assert_true(step_transition(STEP_REHEARSE, (enum step_event)event) != MOVE_FAIL);
    assert_int_equal(plan_of(VERB_REHEARSE)[index_of(plan_of(VERB_REHEARSE), STEP_REHEARSE) + 1], STEP_BACK_TAIL);
    for (int event = 0; event < STEP_EVENTS; event++)
        assert_true(step_transition(STEP_BACK_TAIL, (enum step_event)event) != MOVE_FAIL);
    assert_int_equal(plan_of(VERB_REHEARSE)[index_of(plan_of(VERB_REHEARSE), STEP_REHEARSE) + 2], STEP_SWITCH_BACK);
    /* what decides nothing cannot fail anything */
    for (int event = 0; event < STEP_EVENTS; event++)
        assert_true(step_transition(STEP_POST_ROLLBACK, (enum step_event)event) != MOVE_FAIL);
}

/* Nobody can end what stands still, and a frozen zone is not live. */
static void what_is_frozen_is_thawed_before_anything_else(void **state)
{
    (void)state;
    for (int change = 0; change < ZONE_CHANGES; change++) {
        struct zone_cell cell = zone_transition(ZONE_FROZEN, (enum zone_change)change);
        if (cell.next == ZONE_FROZEN)
            continue;
        assert_true(cell.actions & (ACTION_THAW | ACTION_REBUILD));
        assert_int_not_equal(cell.next, ZONE_LIVE);
    }
    for (int zone = 0; zone < ZONE_STATES; zone++) {
        for (int change = 0; change < ZONE_CHANGES; change++) {
            struct zone_cell cell = zone_transition((enum zone_state)zone, (enum zone_change)change);
            assert_int_equal((cell.actions & ACTION_FREEZE) != 0, cell.next == ZONE_FROZEN && zone != ZONE_FROZEN);
            if (cell.actions & ACTION_THAW)
                assert_int_equal(zone, ZONE_FROZEN);
        }
    }
}

/* One release stops before the other starts, nobody is asked for his opinion while clients wait, but for the test; and
 * whatever happens between the hold and the switch, there is a way back that nothing stops. */
static bool is_of_way_back(enum step step)
{
    const enum step *plan = plan_of_hold_back();
    while (*plan != step && *plan != STEP_IDLE)
        plan++;
    return *plan == step;
}

static void a_hold_stops_one_before_it_starts_the_other(void **state)
{
    static const enum step first[] = {STEP_PRE_START, STEP_PRE_SWITCH, STEP_PRE_ROLLBACK, STEP_REVIVE, STEP_BUILD};
    (void)state;
    for (int verb = 0; verb < VERBS; verb++) {
        const enum step *plan = plan_of_hold((enum wire_verb)verb);
        if (!plan)
            continue;
        assert_non_null(plan_of((enum wire_verb)verb));
        size_t hold = index_of(plan, STEP_HOLD), start = index_of(plan, STEP_START);
        assert_int_equal(plan[hold + 1], STEP_EMPTY);
        assert_int_equal(plan[hold + 2], STEP_REST);
        assert_int_equal(plan[hold + 3], STEP_START);
        assert_int_equal(plan[start + 1], STEP_HEALTH);
        assert_true(index_of(plan, STEP_SWITCH) == start + (verb == VERB_DEPLOY ? 3 : 2));
        for (size_t i = 0; plan[i] != STEP_IDLE; i++) {
            assert_true(plan[i] != STEP_GATE && plan[i] != STEP_MEMORY && !is_of_way_back(plan[i]));
            for (size_t j = 0; j < sizeof first / sizeof *first; j++)
                assert_true(plan[i] != first[j] || i < hold);
        }
    }
    assert_non_null(plan_of_hold(VERB_DEPLOY));
    assert_non_null(plan_of_hold(VERB_SWITCH));
    assert_non_null(plan_of_hold(VERB_ROLLBACK));
    assert_non_null(plan_of_hold(VERB_FAILOVER));
    assert_null(plan_of_hold(VERB_STAGE));
    assert_null(plan_of_hold(VERB_REHEARSE));
    assert_null(plan_of_hold(VERB_START));
}

static void the_way_back_of_a_hold_goes_on_to_its_end(void **state)
{
    (void)state;
    const enum step *plan = plan_of_hold_back();
    size_t end = index_of(plan, STEP_BACK_SWITCH);
    assert_int_equal(plan[0], STEP_BACK_HOLD);
    assert_true(index_of(plan, STEP_BACK_REST) < index_of(plan, STEP_BACK_START));
    assert_int_equal(plan[end + 1], STEP_IDLE);
    for (size_t i = 0; i < end; i++) {
        for (int event = 0; event < STEP_EVENTS; event++)
            assert_true(step_transition(plan[i], (enum step_event)event) != MOVE_FAIL);
    }
    for (size_t i = 0; i <= end; i++) {
        assert_int_equal(step_transition(plan[i], EVENT_ABORT), MOVE_REFUSE);
    }
    assert_int_equal(step_transition(STEP_BACK_SWITCH, EVENT_DONE), MOVE_FAIL); /* the operation did */
}

/* A refusal must not have cost the standby its place. */
static void expect_verified(const enum step *plan)
{
    bool built = false;
    for (size_t i = 0; plan[i] != STEP_IDLE; i++) {
        built = built || plan[i] == STEP_BUILD;
        if (plan[i] == STEP_EXPAND)
            assert_true(built && plan[i + 1] == STEP_VERIFY);
    }
}

/* An expand is followed by a look at what is live, before anything of the new release runs; a contract by nothing. */
static void schema_plans(void **state)
{
    const enum step *deploy = plan_of(VERB_DEPLOY), *contract = plan_of_schema(WIRE_SCHEMA_CONTRACT);
    assert_null(plan_of(VERB_SCHEMA));
    for (unsigned action = 0; action < WIRE_ACTIONS; action++) {
        const enum step *plan = plan_of_schema((enum wire_action)action);
        bool runs = action == WIRE_SCHEMA_EXPAND || action == WIRE_SCHEMA_CHECK || action == WIRE_SCHEMA_CONTRACT ||
                    action == WIRE_SCHEMA_REVERT;
        assert_true((plan != NULL) == runs);
        if (plan)
            expect_verified(plan);
    }
    expect_verified(deploy);
    expect_verified(plan_of(VERB_STAGE));
    assert_true(index_of(deploy, STEP_VERIFY) < index_of(deploy, STEP_PRE_START));
    assert_int_equal(contract[0], STEP_RETIRE); /* its target is live: nothing is cleared, nothing built */
    assert_int_equal(contract[1], STEP_CONTRACT);
    assert_int_equal(contract[2], STEP_IDLE);
    assert_true(plan_undoes_staging(VERB_SCHEMA));
    assert_true(plan_needs_journal(VERB_SCHEMA));
}

/* In by the gates of a switch; out at once, and nothing can stop it. */
static void canary_plans(void **state)
{
    const enum step *in = plan_of_canary(false), *out = plan_of_canary(true);
    assert_int_equal(in[0], STEP_GATE);
    assert_int_equal(in[1], STEP_FIREWALL);
    assert_int_equal(in[2], STEP_PRE_SWITCH);
    assert_int_equal(in[3], STEP_SHARE);
    assert_int_equal(in[4], STEP_IDLE);
    assert_int_equal(out[0], STEP_SHARE);
    assert_int_equal(out[1], STEP_IDLE);
    assert_int_equal(step_transition(STEP_SHARE, EVENT_ABORT), MOVE_REFUSE);
    assert_int_equal(step_transition(STEP_SHARE, EVENT_DONE), MOVE_NEXT);
    assert_int_equal(step_transition(STEP_SHARE, EVENT_FAILED), MOVE_FAIL);
}

static void looking_comes_before_changing(void **state)
{
    (void)state;
    const enum step *deploy = plan_of(VERB_DEPLOY), *stage = plan_of(VERB_STAGE);
    assert_true(plan_only_looked(deploy, 0));
    assert_int_equal(deploy[1], STEP_MEMORY);
    assert_true(plan_only_looked(deploy, 1));
    assert_int_equal(deploy[2], STEP_PARITY);
    assert_true(plan_only_looked(deploy, 2));
    assert_int_equal(deploy[3], STEP_CLEAR);
    assert_false(plan_only_looked(deploy, 3));
    assert_false(plan_only_looked(deploy, 5));
    assert_int_equal(stage[0], STEP_MEMORY);
    assert_int_equal(stage[1], STEP_PARITY);
    assert_true(plan_only_looked(stage, 1));
    assert_false(plan_only_looked(stage, 2));
    assert_true(plan_only_looked(plan_of(VERB_ROLLBACK), 0));
    assert_false(plan_only_looked(plan_of(VERB_ROLLBACK), 1));
}

static void plans_are_for_operations_only(void **state)
{
    (void)state;
    assert_null(plan_of(VERB_STATUS));
    assert_null(plan_of(VERB_HISTORY));
    assert_null(plan_of(VERB_DRAIN));
    assert_null(plan_of(VERB_ABORT));
    assert_true(plan_undoes_staging(VERB_DEPLOY));
    assert_true(plan_undoes_staging(VERB_STAGE));
    assert_false(plan_undoes_staging(VERB_ROLLBACK));
    assert_false(plan_needs_journal(VERB_ROLLBACK));
    assert_false(plan_needs_journal(VERB_FAILOVER));
    assert_true(plan_needs_journal(VERB_REHEARSE));
    assert_true(plan_needs_journal(VERB_SWITCH));
}

static void description_has_every_state_and_plan(void **state)
{
    (void)state;
    CLEANUP_TEXT struct text text = {0};
    machine_describe(&text);
    assert_false(text.failed);
    for (int zone = 0; zone < ZONE_STATES; zone++)
        assert_non_null(strstr(text.data, zone_state_name((enum zone_state)zone)));
    for (int step = 0; step < STEPS; step++)
        assert_non_null(strstr(text.data, step_name((enum step)step)));
    assert_non_null(strstr(text.data, "| **rollback** | gate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_table_is_as_written),
        cmocka_unit_test(leaving_the_kernel_tears_down),
        cmocka_unit_test(only_gain_makes_live_and_only_from_a_running_zone),
        cmocka_unit_test(a_live_zone_is_never_given_up_by_a_failure),
        cmocka_unit_test(step_table_is_as_written),
        cmocka_unit_test(every_plan_ends_and_gates_its_switch),
        cmocka_unit_test(a_plan_may_be_cut_short),
        cmocka_unit_test(only_a_group_meets),
        cmocka_unit_test(hooks_come_where_they_decide),
        cmocka_unit_test(what_is_frozen_is_thawed_before_anything_else),
        cmocka_unit_test(a_hold_stops_one_before_it_starts_the_other),
        cmocka_unit_test(the_way_back_of_a_hold_goes_on_to_its_end),
        cmocka_unit_test(schema_plans),
        cmocka_unit_test(canary_plans),
        cmocka_unit_test(looking_comes_before_changing),
        cmocka_unit_test(plans_are_for_operations_only),
        cmocka_unit_test(description_has_every_state_and_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
