/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's journal on the disk: what is written is read again, in order, over restarts and segments and bounds. */
#include "feed_wal_world.h"

/* --- writing and reading ------------------------------------------------------------------------------------------ */

static void test_written_is_read_again(void **state)
{
    struct wal_transaction transaction;
    world_open();
    assert_int_equal(book()->live, -1);
    assert_int_equal(try_begin("POST /", NULL), -EINVAL); /* nobody is live */
    assert_int_equal(wal_live(world.wal, BLUE, NULL), 0);
    uint64_t expected = wal_next_id(world.wal), id = begin("POST /orders HTTP/1.1\r\n\r\n");
    assert_true(id == expected && id > 0);
    assert_int_equal(commit(id), 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(book()->committed, 1);
        assert_int_equal(book()->oldest, 1);
        assert_int_equal(book()->zones[BLUE].position, 1);
        assert_int_equal(book()->zones[GREEN].position, 0);
        assert_int_equal(wal_read(world.wal, 1, &transaction, NULL), 0);
        assert_true(transaction.id == id);
        assert_int_equal(transaction.sequence, 1);
        assert_int_equal(transaction.lane, 7);
        assert_int_equal(transaction.unix_ms, 1700000000000);
        assert_int_equal(transaction.door, 8443);
        assert_int_equal(transaction.mode, 1);
        assert_int_equal(transaction.head_length, 25);
        assert_memory_equal(transaction.bytes, "POST /orders HTTP/1.1\r\n\r\n", 25);
        assert_int_equal(transaction.body_length, 0);
        assert_int_equal(transaction.answer.status, 201);
        assert_string_equal(transaction.answer.sample, "hello");
        wal_transaction_clear(&transaction);
        assert_int_equal(wal_read(world.wal, 2, &transaction, NULL), -ENOENT);
        assert_int_equal(wal_read(world.wal, 0, &transaction, NULL), -ENOENT);
        world_open_again();
    }
    assert_true(begin("POST /") > id);
}

static void test_bodies(void **state)
{
    static char body[200000];
    struct wal_transaction transaction;
    CLEANUP_FD int fd = open(world.path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 256);
    assert_int_equal(write(fd, body, sizeof body), sizeof body);
    world_open();
    wal_live(world.wal, BLUE, NULL);
    struct wal_request request = {.head = "PUT /a", .head_length = 6, .body_length = sizeof body, .body_fd = fd};
    for (int from_file = 0; from_file < 2; from_file++) {
        uint64_t id;
        request.body = from_file ? NULL : body;
        assert_int_equal(wal_begin(world.wal, &request, &id, NULL), 0);
        assert_int_equal(wal_read(world.wal, commit(id), &transaction, NULL), 0);
        assert_int_equal(transaction.head_length, 6);
        assert_int_equal(transaction.body_length, sizeof body);
        assert_memory_equal(transaction.bytes + 6, body, sizeof body);
        wal_transaction_clear(&transaction);
    }
    request.body_length++; /* the file is shorter than that: nothing is begun, nothing is left of it */
    uint64_t bytes = book()->bytes;
    assert_int_equal(wal_begin(world.wal, &request, NULL, NULL), -ENODATA);
    assert_int_equal(book()->bytes, bytes);
    assert_int_equal(transact("POST /b"), 3);
    request.body_length = world.options.max / 2 + (128 << 10);
    assert_int_equal(wal_begin(world.wal, &request, NULL, NULL), -EFBIG);
    world_open_again();
    assert_head(3, "POST /b");
}

/* Commits come in another order than begins. */
static void test_lanes(void **state)
{
    enum { COUNT = 200 };
    uint64_t ids[COUNT];
    char text[32];
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "POST /%d", i);
        ids[i] = begin(text);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(commit(ids[i * 77 % COUNT]), i + 1);
    for (int round = 0; round < 2; round++) {
        for (int i = COUNT; i-- > 0;) { /* and they are read in any order */
            snprintf(text, sizeof text, "POST /%d", i * 77 % COUNT);
            assert_head((uint64_t)i + 1, text);
        }
        world_open_again();
    }
}

static void test_ends(void **state)
{
    world_open();
    wal_live(world.wal, BLUE, NULL);
    uint64_t aborted = begin("POST /1"), doubtful = begin("POST /2"), left_out = begin("POST /3");
    assert_int_equal(wal_abort(world.wal, aborted, NULL), 0);
    assert_int_equal(wal_abort(world.wal, aborted, NULL), -ENOENT);
    assert_int_equal(wal_settle(world.wal, doubtful, true, NULL), -EINVAL);
    assert_int_equal(wal_doubt(world.wal, doubtful, NULL), 0);
    assert_int_equal(wal_doubt(world.wal, left_out, NULL), 0);
    assert_int_equal(book()->in_doubt, 2);
    assert_int_equal(wal_settle(world.wal, left_out, false, NULL), 0);
    assert_int_equal(book()->committed, 0);
    assert_int_equal(wal_settle(world.wal, doubtful, true, NULL), 0);
    assert_int_equal(book()->committed, 1);
    assert_int_equal(book()->in_doubt, 0);
    assert_head(1, "POST /2");
    assert_int_equal(apply(GREEN, 1), 0);
    world_open_again();
    assert_int_equal(book()->in_doubt, 0);
    assert_int_equal(book()->zones[GREEN].position, 1);
}

/* --- what a new process finds ------------------------------------------------------------------------------------- */

struct seen {
    struct wal_note notes[400];
    size_t count;
};

static int see(void *context, const struct wal_note *note)
{
    struct seen *seen = context;
    seen->notes[seen->count++] = *note;
    return 0;
}

static void test_interrupted(void **state)
{
    struct seen seen = {0};
    world_open();
    wal_live(world.wal, BLUE, NULL);
    transact("POST /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    transact("POST /2");
    uint64_t open_one = begin("PUT /\x1b[31m3");
    assert_int_equal(wal_applying(world.wal, GREEN, 1, NULL), 0);
    assert_int_equal(book()->zones[GREEN].applying, 1);
    world_open_again();
    assert_int_equal(book()->in_doubt, 1);
    assert_int_equal(book()->twice, 1);
    assert_int_equal(book()->zones[GREEN].applying, 0);
    assert_int_equal(wal_notes(world.wal, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.notes[0].kind, WAL_NOTE_DOUBT);
    assert_true(seen.notes[0].id == open_one);
    assert_string_equal(seen.notes[0].request, "PUT /?[31m3");
    assert_int_equal(seen.notes[1].kind, WAL_NOTE_TWICE);
    assert_int_equal(seen.notes[1].zone, GREEN);
    assert_int_equal(seen.notes[1].sequence, 1);
    assert_int_equal(seen.notes[1].live.status, 201);
    assert_string_equal(seen.notes[1].request, "POST /1 HTTP/1.1");
    assert_int_equal(apply(GREEN, 1), 0); /* it is applied again, and stays on record */
    world_open_again();
    assert_int_equal(book()->twice, 1);
    assert_int_equal(book()->in_doubt, 1);
    assert_int_equal(book()->zones[GREEN].position, 1);
}

static void test_diverged(void **state)
{
    struct seen seen = {0};
    struct wal_answer answer = {.status = 409, .length = 3, .sample = "no!"};
    world_open();
    wal_live(world.wal, BLUE, NULL);
    transact("POST /1");
    transact("POST /2");
    assert_int_equal(wal_applied(world.wal, GREEN, 1, &answer, false, true, NULL), 0);
    assert_int_equal(wal_applied(world.wal, GREEN, 2, NULL, true, false, NULL), 0);
    world_open_again();
    assert_int_equal(book()->diverged, 1);
    assert_int_equal(book()->lost, 1); /* what is skipped is lacking */
    assert_int_equal(book()->zones[GREEN].position, 2);
    assert_int_equal(wal_notes(world.wal, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.notes[0].kind, WAL_NOTE_DIVERGED);
    assert_int_equal(seen.notes[0].live.status, 201);
    assert_int_equal(seen.notes[0].other.status, 409);
    assert_string_equal(seen.notes[0].other.sample, "no!");
    assert_string_equal(seen.notes[0].request, "POST /1");
    assert_int_equal(seen.notes[1].kind, WAL_NOTE_LOST);
    assert_int_equal(seen.notes[1].sequence, 2);
    assert_string_equal(seen.notes[1].request, "POST /2");
}

/* Live dies: what green had not is lost to it, can be read, and made good. */
static void test_failover(void **state)
{
    struct seen seen = {0};
    char text[32];
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (int i = 1; i <= 150; i++) {
        snprintf(text, sizeof text, "POST /%d", i);
        transact(text);
    }
    uint64_t doubtful = begin("POST /151");
    assert_int_equal(apply(GREEN, 1), 0);
    assert_int_equal(apply(GREEN, 5), 0);
    assert_int_equal(wal_doubt(world.wal, doubtful, NULL), 0);
    assert_int_equal(wal_live(world.wal, GREEN, NULL), 0);
    world_open_again();
    assert_int_equal(book()->live, GREEN);
    assert_int_equal(book()->lost, 148);
    assert_int_equal(wal_notes(world.wal, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 1 + WAL_KEPT);
    assert_int_equal(seen.notes[1].sequence, 2);
    assert_string_equal(seen.notes[1].request, "POST /2");
    assert_int_equal(seen.notes[4].sequence, 6);
    assert_int_equal(wal_settle(world.wal, doubtful, true, NULL), 0); /* blue may have it, green surely has not */
    assert_int_equal(book()->lost, 149);
    assert_int_equal(book()->zones[BLUE].position, 151);
    assert_head(151, "POST /151");
    assert_int_equal(wal_applying(world.wal, GREEN, 151, NULL), 0);
    assert_int_equal(wal_applying(world.wal, GREEN, 2, NULL), -EBUSY);
    assert_int_equal(apply(GREEN, 151), 0);
    assert_int_equal(book()->lost, 148);
    assert_int_equal(transact("POST /152"), 152);
    assert_int_equal(book()->zones[BLUE].position, 151); /* the feed runs the other way round */
    assert_int_equal(apply(BLUE, 152), 0);
}

/* --- segments, and what goes -------------------------------------------------------------------------------------- */

/* So that a segment is 64 KiB. */
static void open_small(void)
{
    world.options.max = 1u << 20;
    world_open();
    wal_live(world.wal, BLUE, NULL);
}

static void fill(uint64_t from, uint64_t to)
{
    static char text[2001];
    for (uint64_t i = from; i <= to; i++) {
        memset(text, 'x', sizeof text - 1);
        text[snprintf(text, 32, "POST /%lu", (unsigned long)i)] = '.';
        assert_int_equal(transact(text), i);
    }
}

static void assert_filled(uint64_t sequence)
{
    char text[4096], expected[32];
    snprintf(expected, sizeof expected, "POST /%lu.", (unsigned long)sequence);
    if (read_head(sequence, text, sizeof text) != 0)
        fail_msg("%lu: %s", (unsigned long)sequence, world.err.text);
    assert_memory_equal(text, expected, strlen(expected));
}

static void test_segments(void **state)
{
    open_small();
    fill(1, 200);
    assert_true(world_has(5));
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 1; i <= 200; i++)
            assert_filled(i);
        for (uint64_t i = 200; i > 0; i -= 3) {
            assert_filled(i);
            if (i < 3)
                break;
        }
        world_open_again();
        assert_int_equal(book()->committed, 200);
        assert_int_equal(book()->zones[GREEN].position, 0);
    }
    for (uint64_t i = 1; i <= 190; i++)
        assert_int_equal(apply(GREEN, i), 0);
    assert_int_equal(world_sync(), 0);
    assert_true(book()->bytes < 200000);
    assert_false(world_has(1));
    assert_false(world_has(2));
    assert_int_equal(read_head(1, NULL, 0), -ENOENT);
    assert_true(book()->oldest > 1);
    assert_filled(book()->oldest);
    uint64_t oldest = book()->oldest;
    world_open_again();
    assert_int_equal(book()->oldest, oldest);
    assert_int_equal(book()->zones[GREEN].position, 190);
    assert_int_equal(book()->dropped, 0);
}

/* More in one segment than places are remembered. */
static void test_far_back(void **state)
{
    char text[32];
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (int i = 1; i <= 3000; i++) {
        snprintf(text, sizeof text, "POST /%d", i);
        transact(text);
    }
    assert_false(world_has(2));
    for (int i = 1; i <= 1500; i++)
        assert_int_equal(read_head((uint64_t)i, NULL, 0), 0);
    assert_head(7, "POST /7");
    assert_head(3000, "POST /3000");
    assert_head(1900, "POST /1900");
    assert_head(8, "POST /8");
}

/* One in doubt does not keep everything that came after it. */
static void test_doubt_is_carried(void **state)
{
    open_small();
    uint64_t doubtful = begin("POST /doubtful"), open_one = begin("POST /open");
    wal_doubt(world.wal, doubtful, NULL);
    fill(1, 200);
    for (uint64_t i = 1; i <= 200; i++)
        assert_int_equal(apply(GREEN, i), 0);
    assert_int_equal(world_sync(), 0);
    assert_false(world_has(1));
    assert_int_equal(wal_settle(world.wal, doubtful, true, NULL), 0);
    assert_int_equal(commit(open_one), 202);
    for (int round = 0; round < 2; round++) {
        assert_head(201, "POST /doubtful");
        assert_head(202, "POST /open");
        world_open_again();
    }
}

static void test_bound(void **state)
{
    open_small();
    for (uint64_t i = 1; i <= 2000; i += 10) {
        fill(i, i + 9);
        assert_true(book()->bytes <= world.options.max);
    }
    assert_int_equal(book()->live, BLUE);
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_true(book()->dropped > 0 && book()->dropped < 2000);
    assert_int_equal(apply(GREEN, 1), -EINVAL);
    assert_int_equal(book()->committed, 2000); /* live does not notice */
    world_open_again();
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_int_equal(wal_seeded(world.wal, GREEN, 1, NULL), -ENOENT);
    assert_int_equal(wal_seeded(world.wal, BLUE, 2000, NULL), -EINVAL);
    assert_int_equal(wal_seeded(world.wal, GREEN, 2000, NULL), 0);
    assert_int_equal(book()->dropped, 0);
    fill(2001, 2001);
    assert_int_equal(apply(GREEN, 2001), 0);
    assert_int_equal(book()->zones[GREEN].position, 2001);
}

/* So much in doubt that it cannot be taken along goes at the bound, and then the other zone is no backup. */
static void test_bound_of_doubts(void **state)
{
    static char text[100001];
    memset(text, 'd', sizeof text - 1);
    open_small();
    uint64_t doubtful = begin(text), open_one = begin(text);
    assert_int_equal(wal_doubt(world.wal, doubtful, NULL), 0);
    fill(1, 100);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(apply(GREEN, i), 0);
    assert_int_equal(book()->in_doubt, 1); /* until then it keeps its segment */
    assert_true(world_has(2));
    for (uint64_t i = 101; i <= 600; i++) {
        fill(i, i);
        if (book()->zones[GREEN].position != WAL_UNKNOWN)
            assert_int_equal(apply(GREEN, i), 0);
    }
    assert_true(book()->bytes <= world.options.max);
    assert_int_equal(book()->in_doubt, 0);
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_true(book()->dropped > 0);
    assert_int_equal(wal_settle(world.wal, doubtful, true, NULL), -ENOENT);
    assert_int_equal(wal_seeded(world.wal, GREEN, 600, NULL), 0);
    assert_int_equal(commit(open_one), 601); /* done by live, and no more to be had: seed again */
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_int_equal(book()->dropped, 601);
    assert_int_equal(read_head(601, NULL, 0), -ENOENT);
    world_open_again();
    assert_int_equal(book()->committed, 601);
    assert_int_equal(book()->dropped, 601);
}

/* Killed after it was on record that a segment goes, and before it went. */
static void test_leftovers_go(void **state)
{
    size_t length;
    open_small();
    fill(1, 100);
    char *bytes = world_file(1, &length);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(apply(GREEN, i), 0);
    world_close();
    assert_false(world_has(1));
    world_put(1, bytes, length);
    free(bytes);
    world_open();
    assert_false(world_has(1));
    assert_int_equal(book()->committed, 100);
}

/* What is lost keeps its place on record when the bound has taken its request. */
static void test_lost_and_gone(void **state)
{
    struct seen seen = {0};
    open_small();
    fill(1, 3);
    wal_live(world.wal, GREEN, NULL);
    fill(4, 700);
    assert_true(book()->oldest > 3);
    world_open_again();
    assert_int_equal(book()->lost, 3);
    assert_int_equal(wal_notes(world.wal, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen.notes[i].kind, WAL_NOTE_LOST);
        assert_int_equal(seen.notes[i].zone, GREEN);
        assert_int_equal(seen.notes[i].sequence, i + 1);
        assert_int_equal(seen.notes[i].live.status, 201);
        assert_memory_equal(seen.notes[i].request, "POST /", 6);
    }
    assert_int_equal(apply(GREEN, 1), 0); /* made good by hand */
    assert_int_equal(book()->lost, 2);
}

/* While the other zone is seeded, what has come since is kept. */
static void test_pin(void **state)
{
    open_small();
    wal_seeded(world.wal, GREEN, WAL_UNKNOWN, NULL);
    fill(1, 150);
    assert_false(book()->oldest == 1); /* nobody needs it */
    uint64_t mark = book()->committed;
    wal_pin(world.wal, mark);
    fill(151, 350);
    assert_int_equal(wal_seeded(world.wal, GREEN, mark, NULL), 0);
    wal_pin(world.wal, WAL_UNKNOWN);
    for (uint64_t i = mark + 1; i <= 350; i++) {
        assert_filled(i);
        assert_int_equal(apply(GREEN, i), 0);
    }
    assert_int_equal(book()->zones[GREEN].position, 350);
}

static void test_not_new(void **state)
{
    world.options.new_app = false;
    world_open();
    assert_int_equal(wal_live(world.wal, BLUE, NULL), 0);
    transact("POST /1");
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_int_equal(apply(GREEN, 1), -EINVAL);
    world.options.new_app = true; /* says nothing of a journal that is there */
    world_open_again();
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
}

/* --- safe --------------------------------------------------------------------------------------------------------- */

static struct {
    int order[10], count;
} called;

static void note_call(void *context, int result)
{
    called.order[called.count++] = result == 0 ? (int)(intptr_t)context : result;
    if (called.count == 4)
        loop_quit(world.loop, 0);
}

static void close_from_inside(void *context, int result)
{
    world_close();
    loop_quit(world.loop, 0);
}

static void test_callbacks(void **state)
{
    for (uint32_t sync_ms = 0; sync_ms <= 50; sync_ms += 50) {
        memset(&called, 0, sizeof called);
        world.options.sync_ms = sync_ms;
        world_open();
        for (int i = 1; i <= 4; i++)
            assert_int_equal(wal_when_safe(world.wal, note_call, (void *)(intptr_t)i, NULL), 0);
        assert_int_equal(called.count, 0); /* never from inside */
        assert_int_equal(loop_run(world.loop), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(called.order[i], i + 1);
        assert_int_equal(wal_when_safe(world.wal, close_from_inside, NULL, NULL), 0);
        assert_int_equal(wal_when_safe(world.wal, note_call, (void *)9, NULL), 0);
        assert_int_equal(loop_run(world.loop), 0);
        assert_int_equal(called.count, 4); /* whoever waited for one that is closed is not called */
    }
}

static uint64_t asked_ns, waited_ns;

static void note_wait(void *context, int result)
{
    assert_int_equal(result, 0);
    waited_ns = clock_monotonic_ns() - asked_ns;
    loop_quit(world.loop, 0);
}

static void wait_along(void *context, int result)
{
    assert_int_equal(wal_applying(world.wal, GREEN, 1, &world.err), 0);
    asked_ns = clock_monotonic_ns();
    assert_int_equal(wal_when_safe_too(world.wal, note_wait, NULL, NULL), 0);
}

/* Who is patient waits for others if there have just been some, but not for ever. */
static void test_patience(void **state)
{
    world.options.sync_ms = 0;
    world_open();
    assert_int_equal(wal_live(world.wal, BLUE, NULL), 0);
    transact("POST / HTTP/1.1\r\n\r\n");
    assert_int_equal(wal_when_safe(world.wal, wait_along, NULL, NULL), 0);
    assert_int_equal(loop_run(world.loop), 0);
    assert_true(waited_ns >= (WAL_PATIENCE_MS - 1) * UINT64_C(1000000)); /* both times are rounded to one */
}

static void test_one_at_a_time(void **state)
{
    struct wal *second = NULL;
    world_open();
    CLEANUP_FD int directory = open(world.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct wal_options options = world.options;
    options.directory = directory;
    assert_int_equal(wal_open(world.loop, &options, &second, &world.err), -EBUSY);
    world_close();
    assert_int_equal(wal_open(world.loop, &options, &second, &world.err), 0);
    wal_close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_is_read_again, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_bodies, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_lanes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_ends, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_diverged, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_failover, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_segments, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_far_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_doubt_is_carried, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_bound, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_bound_of_doubts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_leftovers_go, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_lost_and_gone, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_pin, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_not_new, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_callbacks, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_patience, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, world_setup, world_teardown),
    };
    return cmocka_run_group_tests_name("feed_wal", tests, NULL, NULL);
}
