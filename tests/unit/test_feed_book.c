/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's book: random events, each also told to a naive account that keeps every number apart. */
#include "feed/wal_book.h"

#include "feed/wal_zone.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 20000, EVENTS = 30000, OPEN_MOST = 40 };

/* What a person with a pencil would write down. */
static struct {
    bool got[COLOURS][MOST], lost[COLOURS][MOST], begun[COLOURS][MOST], known[COLOURS];
    uint64_t committed, dropped, removed, twice[COLOURS];
    int live;
    size_t open_count;
    struct {
        uint64_t id, segment;
        int zone;
        bool doubt;
    } open[OPEN_MOST];
    uint64_t needs[MOST];  /* the oldest segment in which something of it stands */
    uint64_t stands[MOST]; /* the newest */
} naive;

static struct wal_state state;
static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static uint64_t naive_position(int zone)
{
    uint64_t at = 0;
    if (!naive.known[zone])
        return WAL_UNKNOWN;
    while (at < naive.committed && naive.got[zone][at + 1])
        at++;
    return at;
}

static uint64_t naive_lost(void)
{
    uint64_t sum = 0;
    for (int zone = 0; zone < COLOURS; zone++) {
        for (uint64_t i = 1; i <= naive.committed; i++)
            sum += naive.lost[zone][i];
    }
    return sum;
}

static uint64_t naive_doubts(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < naive.open_count; i++)
        sum += naive.open[i].doubt;
    return sum;
}

static void compare(void)
{
    const struct wal_book *book = &state.book;
    assert_int_equal(book->live, naive.live);
    assert_int_equal(book->committed, naive.committed);
    assert_int_equal(book->in_doubt, naive_doubts());
    assert_int_equal(book->lost, naive_lost());
    assert_int_equal(book->dropped, naive.dropped);
    assert_int_equal(book->twice, naive.twice[0] + naive.twice[1]);
    for (int zone = 0; zone < COLOURS; zone++)
        assert_int_equal(book->zones[zone].position, naive_position(zone));
}

/* --- telling both ------------------------------------------------------------------------------------------------- */

static int tell(struct wal_entry entry)
{
    const struct wal_row *row = &state.rows[state.row_count - 1];
    struct wal_place place = {row->number, state.end - row->at};
    int result = wal_state_admit(&state, &entry, NULL);
    if (result == 0)
        wal_state_add(&state, &entry, place, 100);
    return result;
}

static uint64_t newest_segment(void)
{
    return state.rows[state.row_count - 1].number;
}

static void forget(int zone)
{
    naive.known[zone] = false;
    memset(naive.got[zone], 0, sizeof naive.got[zone]);
    for (uint64_t i = 1; i <= naive.committed; i++)
        naive.begun[zone][i] = naive.begun[zone][i] && naive.lost[zone][i];
}

static void take_open(size_t at)
{
    memmove(&naive.open[at], &naive.open[at + 1], (--naive.open_count - at) * sizeof naive.open[0]);
}

static void do_begin(void)
{
    uint64_t id = state.next_id;
    if (naive.open_count == OPEN_MOST)
        return;
    int result = tell((struct wal_entry){.kind = WAL_BEGIN, .id = id, .zone = (int8_t)naive.live});
    assert_int_equal(result, naive.live < 0 ? -EINVAL : 0);
    if (result < 0)
        return;
    naive.open[naive.open_count].id = id;
    naive.open[naive.open_count].segment = newest_segment();
    naive.open[naive.open_count].doubt = false;
    naive.open[naive.open_count++].zone = naive.live;
}

static void leave_behind(bool perhaps)
{
    for (int zone = 0; zone < COLOURS; zone++) {
        if (zone == naive.live || !naive.known[zone] || (!perhaps && naive_position(zone) >= naive.removed))
            continue;
        forget(zone);
        naive.dropped = perhaps ? naive.committed : naive.removed;
    }
}

static void naive_number(size_t at)
{
    int doer = naive.open[at].zone, live = naive.live;
    uint64_t sequence = ++naive.committed;
    uint64_t position = naive_position(doer);
    naive.needs[sequence] = naive.open[at].segment;
    naive.got[live][sequence] = true;
    if (doer != live) {
        naive.lost[live][sequence] = true;
        if (naive.known[doer] && sequence - position <= WAL_WINDOW)
            naive.got[doer][sequence] = true;
    }
    if (naive.open[at].segment < state.rows[0].number) {
        naive.removed = sequence;
        leave_behind(false);
    }
    take_open(at);
}

static void do_end(void)
{
    static const enum wal_kind kinds[] = {WAL_COMMIT, WAL_COMMIT, WAL_COMMIT, WAL_ABORT, WAL_DOUBT, WAL_SETTLE};
    size_t at = naive.open_count > 0 ? pick(naive.open_count) : 0;
    enum wal_kind kind = kinds[pick(6)];
    bool apply = pick(2) == 0;
    if (naive.open_count == 0 || naive.committed + 1 == MOST) {
        assert_int_equal(tell((struct wal_entry){.kind = kind, .id = 3}), -ENOENT);
        return;
    }
    struct wal_entry entry = {.kind = kind, .id = naive.open[at].id, .apply = apply, .sequence = naive.committed + 1};
    entry.begin = wal_state_unended(&state, entry.id)->begin;
    bool doubt = naive.open[at].doubt;
    int result = tell(entry);
    assert_int_equal(result, doubt == (kind == WAL_SETTLE) ? 0 : -EINVAL);
    if (result < 0)
        return;
    if (kind == WAL_COMMIT || (kind == WAL_SETTLE && apply))
        naive_number(at);
    else if (kind == WAL_DOUBT)
        naive.open[at].doubt = true;
    else
        take_open(at);
}

static int may_apply(int zone, uint64_t sequence, uint64_t position)
{
    if (sequence == 0 || sequence > naive.committed)
        return -ENOENT;
    if (naive.lost[zone][sequence]) {
        for (uint64_t i = 1; i <= naive.committed; i++) {
            if (i != sequence && naive.lost[zone][i] && naive.begun[zone][i])
                return -EBUSY;
        }
        return 0;
    }
    if (!naive.known[zone] || naive.got[zone][sequence])
        return -EINVAL;
    return sequence - position > WAL_WINDOW ? -EAGAIN : 0;
}

static void do_apply(void)
{
    int zone = (int)pick(10) == 0 ? naive.live : !naive.live;
    if (naive.live < 0)
        return;
    uint64_t position = naive_position(zone), sequence = position + 1 + pick(70);
    if (pick(3) == 0 && naive.committed > 0)
        sequence = pick(naive.committed + 2);
    bool begins = pick(3) == 0, skipped = pick(20) == 0;
    struct wal_entry entry = {
        .kind = begins ? WAL_APPLYING : WAL_APPLIED, .zone = (int8_t)zone, .sequence = sequence, .skipped = skipped};
    int result = tell(entry);
    assert_int_equal(result, may_apply(zone, sequence, position));
    if (result < 0)
        return;
    naive.twice[zone] += begins && naive.begun[zone][sequence] && !naive.lost[zone][sequence];
    naive.begun[zone][sequence] = begins;
    if (begins)
        return;
    naive.got[zone][sequence] = true;
    naive.lost[zone][sequence] = skipped;
}

/* Whoever applied has gone. */
static void naive_interrupted(int zone)
{
    for (uint64_t i = 1; i <= naive.committed; i++) {
        naive.twice[zone] += naive.begun[zone][i];
        naive.begun[zone][i] = false;
    }
}

static void do_live(void)
{
    int zone = (int)pick(2), before = naive.live;
    assert_int_equal(tell((struct wal_entry){.kind = WAL_LIVE, .zone = (int8_t)zone}), 0);
    if (zone == before)
        return;
    if (naive.known[zone])
        naive_interrupted(zone);
    else if (before >= 0)
        forget(before);
    for (uint64_t i = 1; i <= naive.committed; i++) {
        naive.lost[zone][i] |= naive.known[zone] && !naive.got[zone][i];
        naive.got[zone][i] = true;
    }
    naive.known[zone] = true;
    naive.live = zone;
}

static void do_seeded(void)
{
    int zone = (int)pick(2);
    uint64_t sequence = pick(5) == 0 ? WAL_UNKNOWN : pick(naive.committed + 1);
    int result = tell((struct wal_entry){.kind = WAL_SEEDED, .zone = (int8_t)zone, .sequence = sequence});
    assert_int_equal(result, zone == naive.live ? -EINVAL : sequence < naive.removed ? -ENOENT : 0);
    if (result < 0)
        return;
    forget(zone);
    memset(naive.lost[zone], 0, sizeof naive.lost[zone]);
    memset(naive.begun[zone], 0, sizeof naive.begun[zone]);
    naive.twice[zone] = 0;
    naive.known[zone] = sequence != WAL_UNKNOWN;
    for (uint64_t i = 1; naive.known[zone] && i <= sequence; i++)
        naive.got[zone][i] = true;
    if (naive.known[zone])
        naive.dropped = 0;
}

static bool naive_drop_doubts(void)
{
    bool any = false;
    for (size_t i = naive.open_count; i-- > 0;) {
        if (naive.open[i].doubt && naive.open[i].segment < state.rows[0].number) {
            take_open(i);
            any = true;
        }
    }
    return any;
}

static void do_removed(void)
{
    uint64_t segment = state.rows[0].number + 1;
    int result = tell((struct wal_entry){.kind = WAL_REMOVED, .segment = segment});
    assert_int_equal(result, wal_state_row(&state, segment) ? 0 : -EINVAL);
    if (result < 0)
        return;
    for (uint64_t i = 1; i <= naive.committed; i++) {
        if (naive.needs[i] < segment && i > naive.removed)
            naive.removed = i;
    }
    leave_behind(naive_drop_doubts());
    assert_int_equal(state.book.oldest, naive.removed + 1);
}

static void do_opened(void)
{
    assert_int_equal(tell((struct wal_entry){.kind = WAL_OPENED, .id = state.next_id + pick(3)}), 0);
    for (size_t i = 0; i < naive.open_count; i++)
        naive.open[i].doubt = true;
    for (int zone = 0; zone < COLOURS; zone++)
        naive_interrupted(zone);
    leave_behind(naive_drop_doubts());
}

static void do_carried(void)
{
    size_t at = naive.open_count > 0 ? pick(naive.open_count) : 0;
    if (naive.open_count == 0)
        return;
    struct wal_entry entry = {.kind = WAL_BEGIN, .carried = true, .id = naive.open[at].id};
    entry.zone = (int8_t)naive.open[at].zone;
    assert_int_equal(tell(entry), 0);
    naive.open[at].segment = newest_segment();
}

/* A segment begins with what the book comes to; read again that is the same book. */
static void do_rotate(void)
{
    struct text payload = {0}, again = {0};
    struct wal_state read = {0};
    assert_int_equal(wal_state_push(&state, newest_segment() + 1, NULL), 0);
    wal_state_encode(&state, &payload);
    assert_int_equal(wal_state_decode(&read, payload.data, payload.length), 0);
    wal_state_encode(&read, &again);
    assert_int_equal(payload.length, again.length);
    assert_memory_equal(payload.data, again.data, again.length);
    assert_memory_equal(&read.book, &state.book, sizeof state.book);
    if (pick(2) == 0) { /* and it goes on from what was read */
        struct wal_state swap = state;
        state = read;
        read = swap;
    }
    wal_state_clear(&read);
    text_clear(&payload);
    text_clear(&again);
    wal_state_count(&state, state.end + 50);
}

static void run(uint64_t seed, bool new_app)
{
    random_state = seed;
    memset(&naive, 0, sizeof naive);
    naive.live = -1;
    naive.known[BLUE] = naive.known[GREEN] = new_app;
    wal_state_init(&state, new_app, 1000);
    assert_int_equal(wal_state_push(&state, 1, NULL), 0);
    wal_state_count(&state, 50);
    for (int i = 0; i < EVENTS; i++) {
        uint64_t what = pick(1000);
        if (what < 350)
            do_begin();
        else if (what < 700)
            do_end();
        else if (what < 960)
            do_apply();
        else if (what < 965)
            do_live();
        else if (what < 970)
            do_seeded();
        else if (what < 973)
            do_opened();
        else if (what < 977)
            do_removed();
        else if (what < 985)
            do_carried();
        else if (what < 990)
            do_rotate();
        if (i % 7 == 0)
            compare();
    }
    compare();
    wal_state_clear(&state);
}

static void test_random_events(void **test)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        run(seed * 0x9e3779b97f4a7c15u, seed % 2 == 0);
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static int setup(void **test)
{
    wal_state_init(&state, true, 1);
    return wal_state_push(&state, 1, NULL);
}

static int teardown(void **test)
{
    wal_state_clear(&state);
    return 0;
}

static void commit(int count)
{
    for (int i = 0; i < count; i++) {
        struct wal_entry begin = {.kind = WAL_BEGIN, .id = state.next_id, .zone = state.book.live};
        assert_int_equal(tell(begin), 0);
        struct wal_entry entry = {.kind = WAL_COMMIT, .id = begin.id, .sequence = state.book.committed + 1};
        entry.begin = wal_state_unended(&state, begin.id)->begin;
        assert_int_equal(tell(entry), 0);
    }
}

static int apply(enum colour zone, uint64_t sequence)
{
    return tell((struct wal_entry){.kind = WAL_APPLIED, .zone = (int8_t)zone, .sequence = sequence});
}

static void make_live(enum colour zone)
{
    assert_int_equal(tell((struct wal_entry){.kind = WAL_LIVE, .zone = (int8_t)zone}), 0);
}

/* A failover while green lacks 2 and 4 and has 3: these two are lost, and can be made good. */
static void test_lost_are_exact(void **test)
{
    make_live(BLUE);
    commit(4);
    assert_int_equal(apply(GREEN, 1), 0);
    assert_int_equal(apply(GREEN, 3), 0);
    assert_int_equal(state.book.zones[GREEN].position, 1);
    make_live(GREEN);
    assert_int_equal(state.book.lost, 2);
    assert_true(wal_zone_lacks(&state.zones[GREEN], 2));
    assert_false(wal_zone_lacks(&state.zones[GREEN], 3));
    assert_true(wal_zone_lacks(&state.zones[GREEN], 4));
    assert_int_equal(wal_state_needless(&state, WAL_UNKNOWN), 1); /* they are kept */
    assert_int_equal(apply(GREEN, 2), 0);
    assert_int_equal(apply(GREEN, 2), -EINVAL);
    assert_int_equal(apply(GREEN, 4), 0);
    assert_int_equal(state.book.lost, 0);
    assert_int_equal(wal_state_needless(&state, WAL_UNKNOWN), 4);
}

static void test_window(void **test)
{
    make_live(BLUE);
    commit(WAL_WINDOW + 2);
    assert_int_equal(apply(GREEN, WAL_WINDOW + 1), -EAGAIN);
    assert_int_equal(apply(GREEN, WAL_WINDOW), 0);
    for (uint64_t i = 1; i < WAL_WINDOW; i++) {
        assert_int_equal(state.book.zones[GREEN].position, i - 1);
        assert_int_equal(apply(GREEN, i), 0);
    }
    assert_int_equal(state.book.zones[GREEN].position, WAL_WINDOW);
    assert_int_equal(apply(GREEN, WAL_WINDOW + 2), 0); /* the bit of a number that is done is free again */
    assert_int_equal(state.book.zones[GREEN].position, WAL_WINDOW);
    assert_int_equal(apply(GREEN, WAL_WINDOW + 1), 0);
    assert_int_equal(state.book.zones[GREEN].position, WAL_WINDOW + 2);
}

static void test_switch_back_and_forth(void **test)
{
    make_live(BLUE);
    commit(2);
    assert_int_equal(apply(GREEN, 1), 0);
    assert_int_equal(apply(GREEN, 2), 0);
    make_live(GREEN);
    commit(1);
    assert_int_equal(state.book.lost, 0);
    assert_int_equal(state.book.zones[BLUE].position, 2);
    assert_int_equal(apply(GREEN, 3), -EINVAL);
    assert_int_equal(apply(BLUE, 3), 0);
    make_live(BLUE);
    assert_int_equal(state.book.lost, 0);
    assert_int_equal(state.book.zones[GREEN].position, 3);
}

/* Whoever has no known position and serves all the same has what it has: the other is no copy of that. */
static void test_live_of_unknown(void **test)
{
    make_live(BLUE);
    commit(2);
    struct wal_entry unknown = {.kind = WAL_SEEDED, .zone = GREEN, .sequence = WAL_UNKNOWN};
    assert_int_equal(tell(unknown), 0);
    assert_int_equal(apply(GREEN, 1), -EINVAL);
    make_live(GREEN);
    assert_true(state.book.zones[BLUE].position == WAL_UNKNOWN);
    assert_int_equal(state.book.zones[GREEN].position, 2);
    assert_int_equal(state.book.lost, 0);
}

static void test_notes(void **test)
{
    make_live(BLUE);
    commit(WAL_KEPT + 50);
    for (uint64_t i = 1; i <= WAL_KEPT + 50; i++) {
        struct wal_entry entry = {.kind = WAL_APPLIED, .zone = GREEN, .sequence = i, .diverged = true, .noted = true};
        entry.note = (struct wal_note){.kind = WAL_NOTE_DIVERGED, .zone = GREEN, .sequence = i};
        assert_int_equal(tell(entry), 0);
    }
    assert_int_equal(state.book.diverged, WAL_KEPT + 50);
    assert_int_equal(state.note_count, WAL_KEPT);
    assert_non_null(wal_state_note(&state, WAL_NOTE_DIVERGED, GREEN, 1));
    assert_null(wal_state_note(&state, WAL_NOTE_DIVERGED, GREEN, WAL_KEPT + 1));
    struct wal_entry seeded = {.kind = WAL_SEEDED, .zone = GREEN, .sequence = 10};
    assert_int_equal(tell(seeded), 0);
    assert_int_equal(state.book.diverged, 0);
    assert_int_equal(state.note_count, 0);
    assert_int_equal(state.book.zones[GREEN].position, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_events),
        cmocka_unit_test_setup_teardown(test_lost_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switch_back_and_forth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live_of_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notes, setup, teardown),
    };
    return cmocka_run_group_tests_name("feed_book", tests, NULL, NULL);
}
