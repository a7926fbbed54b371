/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does one more release fit? The comparison, and its figures. */
#include "model/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static void expect(bool suffices, uint64_t available, uint64_t given_back, uint64_t live, uint64_t limit)
{
    struct memory_balance balance = {.available = available, .given_back = given_back, .live = live, .limit = limit};
    assert_int_equal(memory_suffices(&balance), suffices);
}

static void test_comparison(void **state)
{
    (void)state;
    expect(true, 500 * MIB, 0, 500 * MIB, 0);
    expect(false, 500 * MIB, 0, 500 * MIB + 1, 0);
    expect(true, 500 * MIB, 1, 500 * MIB + 1, 0);          /* what the old standby gives back counts */
    expect(true, 100 * MIB, 0, 500 * MIB, 100 * MIB);      /* it may not have more */
    expect(false, 100 * MIB - 1, 0, 500 * MIB, 100 * MIB); /* but that much */
    expect(false, 100 * MIB, 0, 500 * MIB, 2000 * MIB);    /* a limit above does not help */
    expect(true, 1, 0, 0, 100 * MIB);                      /* nothing live to go by */
    expect(true, 0, 0, 500 * MIB, 0);                      /* nobody can tell */
    expect(true, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0);   /* no wrap */
}

static void test_sizes(void **state)
{
    (void)state;
    char text[MEMORY_SIZE_TEXT_MAX];
    assert_string_equal(memory_size_text(0, text), "0 MiB");
    assert_string_equal(memory_size_text(1, text), "<1 MiB");
    assert_string_equal(memory_size_text(MIB / 2, text), "1 MiB");
    assert_string_equal(memory_size_text(3 * MIB / 2 - 1, text), "1 MiB");
    assert_string_equal(memory_size_text(512 * MIB, text), "512 MiB");
    assert_string_equal(memory_size_text(UINT64_MAX, text), "17592186044416 MiB");
}

static void test_what_it_says(void **state)
{
    (void)state;
    char text[MEMORY_TEXT_MAX];
    struct memory_balance balance = {.available = 312 * MIB, .live = 480 * MIB};
    assert_string_equal(memory_text(&balance, text), "the live release uses 480 MiB; the host has 312 MiB left");
    balance.given_back = 100 * MIB;
    balance.limit = 450 * MIB;
    assert_string_equal(memory_text(&balance, text),
                        "the live release uses 480 MiB, the new one may have 450 MiB; the host has 312 MiB left and "
                        "the release whose place is taken gives back 100 MiB");
    balance = (struct memory_balance){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX - 1};
    assert_true(strlen(memory_text(&balance, text)) < MEMORY_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
