/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, over time: order and lanes, a standby that is slow or dead, kill -9, holds and
 * switches under load, and what an operator does. */
#include "feed_load.h"

#include <dirent.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct monitor monitor;
static struct test_client client;
static struct test_answer answer;
static struct writer writers[WRITERS];
static atomic_bool stop;

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    memset(writers, 0, sizeof writers);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop = true;
    int result = monitor_leave(&monitor, true);
    load_free(writers);
    return result;
}

static void keys(uint8_t lanes)
{
    monitor.rules.lanes = lanes;
    monitor.rules.key_kind = FEED_KEY_HEADER;
    strcpy(monitor.rules.key_name, "X-Key");
}

static void assert_whole(void)
{
    struct tally blue = tally_zone(&monitor.zones[BLUE], writers), green = tally_zone(&monitor.zones[GREEN], writers);
    uint64_t twice = figures_now(&monitor).twice;
    print_message("blue: %zu missing, %zu out of order, %zu again; green: %zu, %zu, %zu; twice perhaps %lu\n",
                  blue.missing, blue.disorder, blue.again, green.missing, green.disorder, green.again, twice);
    assert_int_equal(blue.missing + green.missing, 0);
    assert_int_equal(blue.disorder + green.disorder, 0);
    assert_true(blue.again + green.again <= twice);
}

#define OTHER_HAS_ALL(figures) \
    ((figures).live >= 0 && (figures).committed > 0 && (figures).behind == 0 && (figures).waiting == 0)

static void test_one_lane_is_one_at_a_time(void **state)
{
    (void)state;
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = 2;
    load_begin(&monitor, writers, &stop, 0);
    pause_ms(500);
    assert_int_equal(ask_once(&monitor, &answer, "GET", "/slow/50"), 200); /* a read waits for nobody */
    load_end(writers, &stop);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures)));
    assert_true(monitor.zones[BLUE].most <= 2); /* the read and one write */
    assert_int_equal(monitor.zones[GREEN].most, 1);
    assert_whole();
    /* One lane: all of them in the same order, whatever their key. */
    size_t reads = 0;
    for (size_t i = 0; i < monitor.zones[GREEN].count; i++) {
        reads += strcmp(monitor.zones[BLUE].log[i + reads].method, "GET") == 0;
        assert_string_equal(monitor.zones[BLUE].log[i + reads].target, monitor.zones[GREEN].log[i].target);
    }
}

static void test_lanes_are_beside_one_another(void **state)
{
    (void)state;
    keys(16);
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = monitor.zones[GREEN].delay_ms = 10;
    load_begin(&monitor, writers, &stop, 0);
    pause_ms(500);
    load_end(writers, &stop);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures)));
    assert_true(monitor.zones[BLUE].most > 1);
    assert_true(monitor.zones[GREEN].most > 1);
    assert_whole();
}

static void test_order_is_kept_over_a_change_of_lanes(void **state)
{
    static const uint8_t lanes[] = {2, 16, 1, 8};
    (void)state;
    keys(8);
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = 1;
    monitor.zones[GREEN].delay_ms = 3; /* it is behind when that happens */
    load_begin(&monitor, writers, &stop, 0);
    for (int i = 0; i < 4; i++) {
        pause_ms(100);
        monitor.rules.lanes = lanes[i];
        monitor.rules.key_kind = lanes[i] == 1 ? FEED_KEY_NONE : FEED_KEY_HEADER;
        send_message(&monitor, FEED_RULES, &monitor.rules.header, sizeof monitor.rules, NULL, 0);
    }
    pause_ms(100);
    load_end(writers, &stop);
    monitor.zones[GREEN].delay_ms = 0;
    assert_int_equal(load_sum(writers, offsetof(struct writer, refused)), 0);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures)));
    assert_whole();
}

static void test_a_standby_that_is_dead_costs_live_nothing(void **state)
{
    (void)state;
    keys(4);
    zone_silence(&monitor.zones[GREEN]);
    feed_start(&monitor);
    load_begin(&monitor, writers, &stop, 2);
    pause_ms(400);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BEHIND && figures.behind > 10));
    assert_true(zone_wake(&monitor.zones[GREEN]));
    monitor.zones[GREEN].status = 503;
    pause_ms(300);
    monitor.there[GREEN].frozen = 1;
    tell_zone(&monitor, GREEN);
    monitor.zones[GREEN].status = 0;
    pause_ms(200);
    size_t sum = load_end(writers, &stop);
    assert_true(sum > 50 && load_sum(writers, offsetof(struct writer, refused)) == 0);
    monitor.there[GREEN].frozen = 0;
    tell_zone(&monitor, GREEN);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures) && figures.state == FEED_STATE_IN_STEP));
    struct tally green = tally_zone(&monitor.zones[GREEN], writers);
    assert_int_equal(green.missing + green.disorder, 0);
}

static void kill_at_random(int times)
{
    unsigned seed = 7;
    for (int i = 0; i < times; i++) {
        pause_ms(60 + rand_r(&seed) % 150);
        assert_int_equal(feed_end(&monitor, true), -1);
        pause_ms(10);
        feed_start(&monitor);
    }
    pause_ms(100);
}

static void test_killed_at_random(void **state)
{
    (void)state;
    keys(4);
    monitor.rules.in_doubt = FEED_DOUBT_APPLY;
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = 1;
    load_begin(&monitor, writers, &stop, 0);
    kill_at_random(8);
    size_t sum = load_end(writers, &stop);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures) && figures.in_doubt == 0));
    print_message("%zu acknowledged, %zu broken\n", sum, load_sum(writers, offsetof(struct writer, broken)));
    assert_true(sum > 100);
    assert_true(load_sum(writers, offsetof(struct writer, broken)) > 0);
    assert_whole();
}

static char segment[256]; /* name of the journal's newest */

static void find_newest(void)
{
    DIR *directory = opendir(monitor.directory);
    struct dirent *entry;
    segment[0] = '\0';
    while ((entry = readdir(directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".wal") == 0 && strcmp(entry->d_name, segment) > 0)
            strcpy(segment, entry->d_name);
    }
    closedir(directory);
}

static FILE *open_segment(const char *mode)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", monitor.directory, segment);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

/* The control: a role that acknowledges what is not in the journal yet, played by one whose journal lacks its last
 * 100 ms. It is asked the same question, and this time the answer has to be no. */
static void test_without_writing_ahead_it_is_found_out(void **state)
{
    static char journal[32 << 20];
    (void)state;
    keys(4);
    monitor.rules.in_doubt = FEED_DOUBT_APPLY;
    monitor.zones[GREEN].delay_ms = 20; /* it is behind */
    feed_start(&monitor);
    load_begin(&monitor, writers, &stop, 0);
    pause_ms(300);
    find_newest();
    FILE *file = open_segment("r");
    size_t length = fread(journal, 1, sizeof journal, file);
    fclose(file);
    pause_ms(100);
    feed_end(&monitor, true);
    char then[256], path[400];
    strcpy(then, segment);
    for (find_newest(); strcmp(segment, then) > 0; find_newest()) {
        snprintf(path, sizeof path, "%s/%s", monitor.directory, segment);
        assert_int_equal(unlink(path), 0);
    }
    file = open_segment("w");
    assert_int_equal(fwrite(journal, 1, length, file), length);
    fclose(file);
    feed_start(&monitor);
    pause_ms(100);
    load_end(writers, &stop);
    monitor.zones[GREEN].delay_ms = 0;
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures) && figures.in_doubt == 0));
    assert_true(tally_zone(&monitor.zones[GREEN], writers).missing > 0);
}

static void turn(enum colour target)
{
    struct feed_ready ready = hold(&monitor, target, 5000);
    assert_true(ready.ready);
    tell_live(&monitor, (int8_t)target, true);
    tell_door(&monitor, FEED_DOOR_SHUT, colour_other(target));
    tell_door(&monitor, FEED_DOOR, target);
}

static void test_switches_under_load_lose_nothing(void **state)
{
    (void)state;
    keys(8);
    feed_start(&monitor);
    load_begin(&monitor, writers, &stop, 1);
    for (int i = 0; i < 6; i++) {
        pause_ms(120);
        turn(i % 2 ? BLUE : GREEN);
    }
    pause_ms(120);
    size_t sum = load_end(writers, &stop);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures)));
    print_message("%zu acknowledged\n", sum);
    assert_int_equal(load_sum(writers, offsetof(struct writer, refused)), 0);
    assert_int_equal(load_sum(writers, offsetof(struct writer, broken)), 0);
    assert_int_equal(figures_now(&monitor).lost, 0);
    assert_whole();
}

static void test_switches_and_kills_together(void **state)
{
    (void)state;
    keys(8);
    monitor.rules.in_doubt = FEED_DOUBT_APPLY;
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = monitor.zones[GREEN].delay_ms = 1;
    load_begin(&monitor, writers, &stop, 0);
    for (int i = 0; i < 6; i++) {
        pause_ms(60 + 17 * i);
        turn(i % 2 ? BLUE : GREEN);
        pause_ms(5 + 11 * i);
        assert_int_equal(feed_end(&monitor, true), -1);
        feed_start(&monitor);
    }
    pause_ms(100);
    size_t sum = load_end(writers, &stop);
    assert_true(WAIT_FIGURES(&monitor, OTHER_HAS_ALL(figures) && figures.in_doubt == 0));
    print_message("%zu acknowledged, %zu broken\n", sum, load_sum(writers, offsetof(struct writer, broken)));
    assert_int_equal(figures_now(&monitor).lost, 0);
    assert_whole();
}

static void test_a_hold_that_is_too_late(void **state)
{
    (void)state;
    feed_start(&monitor);
    monitor.zones[GREEN].dead = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/1"), 200);
    load_begin(&monitor, writers, &stop, 1);
    struct feed_ready ready = hold(&monitor, GREEN, 300);
    assert_false(ready.ready);
    assert_true(ready.missing >= 3);
    assert_true(WAIT_FIGURES(&monitor, figures.waiting > 0));
    assert_int_equal(ask_once(&monitor, &answer, "GET", "/r/1"), 200); /* reads go on */
    go(&monitor);
    pause_ms(100);
    load_end(writers, &stop);
    assert_int_equal(load_sum(writers, offsetof(struct writer, refused)), 0);

    /* Whoever insists: what green lacks is on record, and can be applied to it. */
    uint64_t committed = figures_now(&monitor).committed;
    monitor.zones[GREEN].dead = false;
    monitor.there[GREEN].there = 0;
    tell_zone(&monitor, GREEN);
    assert_true(WAIT_FIGURES(&monitor, figures.behind > 0));
    pause_ms(300);
    committed = figures_now(&monitor).committed;
    uint64_t behind = figures_now(&monitor).behind;
    monitor.there[GREEN].there = 1;
    tell_live(&monitor, GREEN, false);
    tell_zone(&monitor, GREEN);
    assert_true(WAIT_FIGURES(&monitor, figures.lost == behind));
    assert_int_equal(order(&monitor, FEED_DIFF, 0, false).result, 0);
    uint64_t lost = 0;
    for (size_t i = 0; i < monitor.item_count; i++) {
        if (monitor.items[i].kind == FEED_ITEM_LOST)
            lost = monitor.items[i].sequence;
    }
    assert_true(lost > 0 && lost <= committed);
    struct feed_done done = order(&monitor, FEED_APPLY, lost, false);
    print_message("%s\n", done.text);
    assert_int_equal(done.result, 0);
    assert_true(WAIT_FIGURES(&monitor, figures.lost == behind - 1));
    /* The feed runs the other way round now. */
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/turned"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[BLUE] == figures.committed));
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/turned"), 1);
}

/* One that was away for long is tried again when a switch waits for it, not when its turn would come. */
static void test_a_hold_does_not_wait_for_a_pause(void **state)
{
    (void)state;
    zone_silence(&monitor.zones[GREEN]);
    feed_start(&monitor);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/1"), 200);
    pause_ms(1900); /* tried after 0.1, 0.3, 0.7, 1.5 s: the next time would be at 3.1 */
    assert_true(zone_wake(&monitor.zones[GREEN]));
    assert_true(hold(&monitor, GREEN, 1000).ready);
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/1"), 1);
}

static void test_failover_in_a_request(void **state)
{
    (void)state;
    feed_start(&monitor);
    monitor.zones[BLUE].delay_ms = 600;
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_true(send_text(&client, "POST /w/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    pause_ms(200);
    tell_live(&monitor, GREEN, false);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 502);
    assert_int_equal(ask(&client, &answer, "POST", "/w/2", "", "x"), 200); /* by the old door, to the new zone */
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/2"), 1);
    assert_true(WAIT_FIGURES(&monitor, figures.in_doubt == 1));
    assert_false(hold(&monitor, BLUE, 2000).ready);
    go(&monitor);
    client_end(&client);
}

/* Its network is gone with it, so nobody who came in by its doors can be answered: they are let go, and what waited is
 * not begun. */
static void test_clients_of_a_zone_that_is_gone(void **state)
{
    (void)state;
    static struct test_client rests, waits;
    feed_start(&monitor);
    assert_true(client_open(&rests, monitor.door_ports[BLUE]));
    assert_int_equal(ask(&rests, &answer, "POST", "/w/1", "", ""), 200);
    monitor.zones[BLUE].delay_ms = 600;
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_true(send_text(&client, "POST /w/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    pause_ms(200);
    assert_true(client_open(&waits, monitor.door_ports[BLUE]));
    assert_true(send_text(&waits, "POST /w/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    pause_ms(100);
    monitor.there[BLUE].serial++;
    tell_zone(&monitor, BLUE);
    uint64_t began = clock_monotonic_ms();
    assert_false(client_more(&rests));
    assert_false(client_more(&waits));
    assert_true(clock_monotonic_ms() - began < 5000);
    tell_door(&monitor, FEED_DOOR, BLUE); /* its doors went, too */
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/4"), 200);
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/3"), 0);
    client_end(&rests);
    client_end(&waits);
    client_end(&client);
}

/* Another role, which knows what is in the directory. */
static void restart(void)
{
    feed_end(&monitor, true);
    monitor.figures = (struct feed_figures){0};
    feed_start(&monitor);
}

static void test_pause_seed_and_skip(void **state)
{
    (void)state;
    feed_start(&monitor);
    assert_int_equal(order(&monitor, FEED_PAUSE, 0, false).result, 0);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/1"), 200);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/2"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_PAUSED && figures.behind == 2));
    assert_int_equal(hold(&monitor, GREEN, 5000).missing, 2);
    go(&monitor);
    restart(); /* it was paused by somebody, who has not changed his mind */
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_PAUSED && figures.behind == 2));
    assert_int_equal(order(&monitor, FEED_RESUME, 0, false).result, 0);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2));
    restart();
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_IN_STEP && figures.applied[GREEN] == 2));

    struct feed_done mark = order(&monitor, FEED_SEED_BEGIN, 0, false);
    assert_int_equal(mark.result, 0);
    assert_int_equal(mark.sequence, 2);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/3"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_SEEDING && figures.committed == 3));
    assert_int_equal(order(&monitor, FEED_SEED_BEGIN, 0, false).result, -EBUSY);
    assert_int_equal(order(&monitor, FEED_SEED_END, mark.sequence, true).result, 0);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BROKEN));
    mark = order(&monitor, FEED_SEED_BEGIN, 0, false);
    assert_int_equal(mark.sequence, 3);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/4"), 200);
    assert_int_equal(order(&monitor, FEED_SEED_END, mark.sequence, false).result, 0);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 4 && figures.state == FEED_STATE_IN_STEP));
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/3"), 0);
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/4"), 1);

    monitor.zones[GREEN].status = 500;
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/5"), 200);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/6"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.behind == 2));
    assert_int_equal(order(&monitor, FEED_SKIP, 5, false).result, 0);
    monitor.zones[GREEN].status = 0;
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 6 && figures.lost == 1));
    struct feed_done verified = order(&monitor, FEED_VERIFY, 0, false);
    assert_int_equal(verified.result, 0);
    print_message("%s\n", verified.text);
}

static void test_a_journal_of_another_life(void **state)
{
    (void)state;
    feed_start(&monitor);
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/1"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    monitor.figures = (struct feed_figures){0};
    assert_int_equal(feed_end(&monitor, false), 0);
    feed_start(&monitor); /* it goes on from where it was */
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/2"), 200);
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 2 && figures.state == FEED_STATE_IN_STEP));
    assert_int_equal(zone_count(&monitor.zones[GREEN], "/w/1"), 1);
    feed_end(&monitor, false);

    /* Damage: never "in step", and live is served all the same. */
    find_newest();
    FILE *file = open_segment("r+");
    fseek(file, 20, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 20, SEEK_SET);
    fputc(byte ^ 0xff, file);
    fclose(file);
    monitor.figures = (struct feed_figures){0};
    feed_start(&monitor);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BROKEN));
    assert_int_equal(ask_once(&monitor, &answer, "POST", "/w/3"), 200);
    struct feed_done mark = order(&monitor, FEED_SEED_BEGIN, 0, false);
    assert_int_equal(order(&monitor, FEED_SEED_END, mark.sequence, false).result, 0);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_IN_STEP));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_lane_is_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lanes_are_beside_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_is_kept_over_a_change_of_lanes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_standby_that_is_dead_costs_live_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_writing_ahead_it_is_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switches_under_load_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switches_and_kills_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hold_that_is_too_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hold_does_not_wait_for_a_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failover_in_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clients_of_a_zone_that_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause_seed_and_skip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_journal_of_another_life, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
