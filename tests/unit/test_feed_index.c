/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of the feed's journal is read to find one transaction: live's clients wait meanwhile, so the size of a
 * segment must not tell. Counted in reads, by a pread of the test's own.
 */
#include "feed_wal_world.h"

#include "feed/wal_index.h"

#include <sys/syscall.h>
#include <unistd.h>

static unsigned reads;

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    reads++;
    return syscall(SYS_pread64, fd, bytes, length, offset);
}

/* --- the marks ---------------------------------------------------------------------------------------------------- */

static struct wal_place place(uint64_t segment, uint64_t offset)
{
    return (struct wal_place){segment, offset};
}

static uint64_t mark_of(const struct wal_index *index, uint64_t segment, uint64_t sequence)
{
    const struct wal_found *mark = wal_index_find(index, segment, sequence);
    return mark ? mark->sequence : 0;
}

static void test_marks(void **state)
{
    struct wal_index index = {0};
    assert_int_equal(mark_of(&index, 1, 1), 0);
    wal_index_forget(&index, 1); /* nothing is there yet, not even memory */
    for (uint64_t i = 100; i < 200; i++)
        wal_index_add(&index, i, place(1, (i - 99) * WAL_INDEX_STEP / 4));
    assert_int_equal(index.count, 25);
    assert_int_equal(mark_of(&index, 1, 99), 0);
    assert_int_equal(mark_of(&index, 1, 100), 100);
    assert_int_equal(mark_of(&index, 1, 103), 100);
    assert_int_equal(mark_of(&index, 1, 104), 104);
    assert_int_equal(mark_of(&index, 1, 1000), 196);
    assert_int_equal(mark_of(&index, 2, 1000), 0); /* that one has to be read from its beginning */
    wal_index_add(&index, 200, place(2, 32));      /* another segment: however near */
    assert_int_equal(mark_of(&index, 2, 1000), 200);
    assert_int_equal(mark_of(&index, 1, 199), 196);
    wal_index_clear(&index);
}

/* What is older is read later, and more than once. */
static void test_marks_in_any_order(void **state)
{
    struct wal_index index = {0};
    for (int again = 0; again < 2; again++) {
        for (uint64_t segment = 9; segment > 0; segment--) {
            for (uint64_t i = 0; i < 8; i++)
                wal_index_add(&index, segment * 8 + i, place(segment, 32 + i * WAL_INDEX_STEP));
        }
        assert_int_equal(index.count, 72);
    }
    for (uint64_t i = 8; i < 80; i++)
        assert_int_equal(mark_of(&index, i / 8, i), i);
    wal_index_forget(&index, 4);
    assert_int_equal(index.count, 48);
    assert_int_equal(mark_of(&index, 3, 31), 0);
    assert_int_equal(mark_of(&index, 4, 32), 32);
    wal_index_forget(&index, UINT64_MAX);
    assert_int_equal(index.count, 0);
    wal_index_clear(&index);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

/* How many reads it takes to find that transaction and to read it. */
static unsigned reads_for(uint64_t sequence)
{
    char expected[32];
    snprintf(expected, sizeof expected, "POST /%06lu", (unsigned long)sequence);
    reads = 0;
    assert_head(sequence, expected);
    return reads;
}

static void write_one(unsigned number)
{
    char text[32];
    snprintf(text, sizeof text, "POST /%06u", number);
    transact(text);
}

static void write_many(unsigned count)
{
    world.options.max = UINT64_C(4) << 30; /* segments of 64 MiB */
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (unsigned i = 1; i <= count; i++)
        write_one(i);
}

/* A BEGIN and a COMMIT are 250 bytes here, two reads each, and one that is found is read again. */
enum { COUNT = 20000, MOST = 2 * (int)(WAL_INDEX_STEP / 100) + 8 };

static void assert_few_reads(uint64_t sequence)
{
    unsigned took = reads_for(sequence);
    if (took > MOST)
        fail_msg("%u reads for transaction %lu", took, (unsigned long)sequence);
}

static void test_any_is_found_by_few_reads(void **state)
{
    static const uint64_t numbers[] = {1, 17000, 3, 9999, 2, 18900, 5000, COUNT};
    write_many(COUNT);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_few_reads(numbers[i]);
}

/* Whoever applies them falls behind what is remembered of the newest. */
static void test_falling_behind(void **state)
{
    write_many(COUNT);
    for (unsigned i = 1; i <= 4 * WAL_KEPT; i++) {
        for (unsigned written = 1; written <= 10; written++)
            write_one(COUNT + (i - 1) * 10 + written);
        assert_few_reads(COUNT - 200 + i);
    }
}

static void test_after_a_restart(void **state)
{
    write_many(COUNT);
    assert_int_equal(world_sync(), 0);
    world_open_again();
    assert_few_reads(COUNT - 2000);
    assert_few_reads(3);
    assert_few_reads(COUNT / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_marks_in_any_order),
        cmocka_unit_test_setup_teardown(test_any_is_found_by_few_reads, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_falling_behind, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_after_a_restart, world_setup, world_teardown),
    };
    return cmocka_run_group_tests_name("feed_index", tests, NULL, NULL);
}
