/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, when its monitor ends and another one comes; and when a zone does. */
#include "feed_client.h"

#include <setjmp.h>
#include <stddef.h>
#include <sys/un.h>

#include <cmocka.h>

static struct monitor monitor;
static struct test_client client;
static struct test_answer answer;
static struct sockaddr_un address;

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return monitor_leave(&monitor, true);
}

/* Where the next monitor finds it. */
static void make_lasting(void)
{
    struct feed_keep keep = {0};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof address;
    address = (struct sockaddr_un){.sun_family = AF_UNIX}; /* the kernel finds a name */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fd, 4), 0);
    send_message(&monitor, FEED_KEEP, &keep.header, sizeof keep, &fd, 1);
    close(fd);
}

static void monitor_dies(void)
{
    shutdown(monitor.process.channel, SHUT_RDWR);
    pthread_join(monitor.reader, NULL);
    close_fd(&monitor.process.channel);
}

static void monitor_connects(void)
{
    monitor.process.channel = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6); /* NUL and five digits: unix(7) */
    assert_int_equal(connect(monitor.process.channel, (struct sockaddr *)&address, length), 0);
    assert_int_equal(fcntl(monitor.process.channel, F_SETFL, O_NONBLOCK), 0);
    memset(&monitor.figures, 0, sizeof monitor.figures);
}

static void monitor_comes(void)
{
    monitor_connects();
    tell_all(&monitor);
}

static void write_one(const char *target)
{
    assert_int_equal(ask(&client, &answer, "POST", target, "", "x"), 200);
}

static void begin(void)
{
    feed_start(&monitor);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
}

static void end(void)
{
    client_end(&client);
    feed_end(&monitor, true);
    monitor.process.pid = 0;
}

static void test_without_a_monitor_it_goes_on(void **state)
{
    (void)state;
    struct test_client other;
    begin();
    make_lasting();
    write_one("/w/1");
    monitor_dies();
    write_one("/w/2");
    assert_true(client_open(&other, monitor.door_ports[BLUE])); /* also for who comes now */
    assert_int_equal(ask(&other, &answer, "POST", "/w/3", "", "x"), 200);
    client_end(&other);
    monitor_comes();
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 3 && figures.applied[GREEN] == 3));
    write_one("/w/4");
    for (int i = 1; i <= 4; i++) {
        char target[8];
        snprintf(target, sizeof target, "/w/%d", i);
        for (int left = 200; zone_count(&monitor.zones[GREEN], target) == 0 && left > 0; left--)
            pause_ms(10);
        assert_int_equal(zone_count(&monitor.zones[BLUE], target), 1);
        assert_int_equal(zone_count(&monitor.zones[GREEN], target), 1);
    }
    end();
}

/* More than the sockets that it had in stock. */
static void test_the_next_monitor_gives_sockets(void **state)
{
    (void)state;
    begin();
    make_lasting();
    monitor_dies();
    monitor_comes();
    for (int i = 0; i < 3; i++) {
        monitor_dies();
        monitor_comes();
    }
    for (int i = 0; i < 100; i++) {
        client_end(&client);
        assert_true(client_open(&client, monitor.door_ports[BLUE]));
        write_one("/w/1");
    }
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 100));
    end();
}

/* Nobody is left to end it: who comes knows nothing of it. */
static void test_a_hold_ends_with_its_monitor(void **state)
{
    (void)state;
    begin();
    make_lasting();
    write_one("/w/1");
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    assert_true(hold(&monitor, GREEN, 60000).ready);
    assert_true(send_text(&client, "POST /w/2 HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\n\r\nx"));
    assert_true(WAIT_FIGURES(&monitor, figures.waiting == 1));
    monitor_dies();
    monitor_comes();
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    end();
}

/* Its transaction had taken place: who waits goes where the next one says, and not to the former live zone first. */
static void test_a_hold_lasts_until_the_next_monitor(void **state)
{
    (void)state;
    begin();
    make_lasting();
    write_one("/w/1");
    assert_true(WAIT_FIGURES(&monitor, figures.applied[GREEN] == 1));
    assert_true(hold(&monitor, GREEN, 60000).ready);
    assert_true(send_text(&client, "POST /w/2 HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\n\r\nx"));
    assert_true(WAIT_FIGURES(&monitor, figures.waiting == 1));
    monitor_dies();
    monitor.live = GREEN;
    monitor_connects();
    pause_ms(100); /* it is busy with its journal, and zones */
    assert_int_equal(zone_count(&monitor.zones[BLUE], "/w/2"), 0);
    tell_all(&monitor);
    assert_true(read_final(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 2 && figures.applied[BLUE] == 2 && figures.lost == 0));
    end();
}

static void test_one_that_nobody_made_lasting_ends(void **state)
{
    (void)state;
    begin();
    client_end(&client);
    assert_int_equal(feed_end(&monitor, false), 0);
    monitor.process.pid = 0;
}

static bool is_refused(uint16_t port)
{
    bool open = client_open(&client, port);
    client_end(&client);
    return !open;
}

/* Else the network namespace of a zone that is gone would be there as long as the role is. */
static void test_doors_end_with_their_zone(void **state)
{
    (void)state;
    begin();
    client_end(&client);
    close(monitor.doors[GREEN]);
    monitor.doors[GREEN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_false(is_refused(monitor.door_ports[GREEN]));
    monitor.there[GREEN].serial = 2;
    tell_zone(&monitor, GREEN);
    for (int left = 500; !is_refused(monitor.door_ports[GREEN]) && left > 0; left--)
        pause_ms(10);
    assert_true(is_refused(monitor.door_ports[GREEN]));
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    end();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_monitor_it_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_next_monitor_gives_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hold_ends_with_its_monitor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hold_lasts_until_the_next_monitor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_nobody_made_lasting_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doors_end_with_their_zone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
