/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of those who wait for their turn. */
#include "model/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct turns turns;

static int setup(void **state)
{
    turns = (struct turns){0};
    return 0;
}

static uint64_t add(const char *name, uint64_t client)
{
    struct turn *turn = turns_add(&turns, name, false, client, &turns);
    return turn ? turn->ticket : 0;
}

/* The tickets that may be tried now, one after another, as the agent tries them. */
static void check_round(const char *expected)
{
    char found[512] = "";
    struct turn *turn;
    uint64_t ticket = 0;
    while ((turn = turns_next(&turns, ticket))) {
        ticket = turn->ticket;
        snprintf(found + strlen(found), sizeof found - strlen(found), " %s%llu", turn->name,
                 (unsigned long long)ticket);
    }
    assert_string_equal(found, expected);
}

static void test_first_come_first_served(void **state)
{
    check_round("");
    assert_int_equal(add("web", 1), 1);
    assert_int_equal(add("api", 2), 2);
    assert_int_equal(add("web", 3), 3);
    check_round(" web1 api2");
    turns_remove(&turns, turns_find(&turns, 1));
    check_round(" api2 web3");
    assert_null(turns_find(&turns, 1));
    assert_int_equal(add("web", 4), 4); /* behind those who wait already */
    check_round(" api2 web3");
    turns_remove(&turns, turns_find(&turns, 3));
    turns_remove(&turns, turns_find(&turns, 2));
    check_round(" web4");
}

/* One that is found busy again stays where it is, and nobody of its app is tried before it. */
static void test_a_turn_that_goes_while_the_round_goes_on(void **state)
{
    add("web", 1);
    add("web", 2);
    add("api", 3);
    struct turn *turn = turns_next(&turns, 0);
    assert_int_equal(turn->ticket, 1);
    turns_remove(&turns, turn); /* it began */
    assert_int_equal(turns_next(&turns, 1)->ticket, 2);
    assert_int_equal(turns_next(&turns, 2)->ticket, 3);
    assert_null(turns_next(&turns, 3));
}

static void test_a_group_is_no_app_of_its_name(void **state)
{
    assert_non_null(turns_add(&turns, "web", true, 1, &turns));
    add("web", 2);
    check_round(" web1 web2");
    assert_int_equal(turns_waiting(&turns, "web", true), 1);
    assert_int_equal(turns_waiting(&turns, "web", false), 1);
    assert_int_equal(turns_waiting(&turns, "api", false), 0);
}

static void test_bounds(void **state)
{
    char name[APP_NAME_MAX + 1];
    for (int i = 0; i < TURNS_MAX; i++) {
        snprintf(name, sizeof name, "a%d", i / TURNS_PER_APP);
        assert_int_not_equal(add(name, 1), 0);
        if (i == TURNS_PER_APP - 1)
            assert_int_equal(add("a0", 1), 0);
    }
    assert_int_equal(add("other", 1), 0);
    turns_remove(&turns, turns_find(&turns, turns.items[3].ticket));
    assert_int_equal(turns.count, TURNS_MAX - 1);
    assert_int_not_equal(add("other", 1), 0);
    assert_string_equal(turns.items[TURNS_MAX - 1].name, "other");
}

static void test_clients_that_go(void **state)
{
    add("web", 5);
    add("api", 6);
    add("web", 5);
    assert_null(turns_of_client(&turns, 7));
    struct turn *turn;
    while ((turn = turns_of_client(&turns, 5)))
        turns_remove(&turns, turn);
    check_round(" api2");
    assert_int_equal(turns_of_client(&turns, 0)->client, 6);
    turns_remove(&turns, turns_of_client(&turns, 0));
    assert_null(turns_of_client(&turns, 0));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_come_first_served),
        TEST(test_a_turn_that_goes_while_the_round_goes_on),
        TEST(test_a_group_is_no_app_of_its_name),
        TEST(test_bounds),
        TEST(test_clients_that_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
