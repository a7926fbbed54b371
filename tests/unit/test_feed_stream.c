/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, in mode stream: a line protocol whose server answers each line. */
#include "feed_client.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define LINES_MAX 1048576

/* Keeps all that came, in its order, and answers "ok" for each line. */
struct line_server {
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t mutex;
    char *bytes;
    size_t length;
    atomic_int open, ended;
    atomic_bool dead;
};

struct line_client {
    struct line_server *server;
    int fd;
};

static struct monitor monitor;
static struct line_server servers[COLOURS];
static struct test_client client;

static void *serve_lines(void *context)
{
    struct line_client *here = context;
    struct line_server *server = here->server;
    char bytes[4096];
    ssize_t got;
    while ((got = recv(here->fd, bytes, sizeof bytes, 0)) > 0 && !server->dead) {
        pthread_mutex_lock(&server->mutex);
        memcpy(server->bytes + server->length, bytes, (size_t)got);
        server->length += (size_t)got;
        server->bytes[server->length] = '\0';
        pthread_mutex_unlock(&server->mutex);
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n')
                zone_say(here->fd, "ok\n");
        }
    }
    if (got == 0)
        zone_say(here->fd, "bye\n");
    close(here->fd);
    free(here);
    server->open--;
    server->ended++;
    return NULL;
}

static void *accept_lines(void *context)
{
    struct line_server *server = context;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        struct line_client *here = malloc(sizeof *here);
        pthread_t thread;
        *here = (struct line_client){server, fd};
        server->open++;
        pthread_create(&thread, NULL, serve_lines, here);
        pthread_detach(thread);
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    monitor.rules.mode = FEED_STREAM;
    for (int i = 0; i < COLOURS; i++) {
        zone_silence(&monitor.zones[i]);
        servers[i] = (struct line_server){.bytes = calloc(1, LINES_MAX)};
        pthread_mutex_init(&servers[i].mutex, NULL);
        servers[i].listener = listen_at(&servers[i].port);
        monitor.zones[i].port = servers[i].port;
        pthread_create(&servers[i].thread, NULL, accept_lines, &servers[i]);
    }
    feed_start(&monitor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < COLOURS; i++) {
        shutdown(servers[i].listener, SHUT_RDWR);
        pthread_join(servers[i].thread, NULL);
        close(servers[i].listener);
        assert_true(zone_wake(&monitor.zones[i])); /* which monitor_end expects */
    }
    int result = monitor_leave(&monitor, true);
    free(servers[BLUE].bytes);
    free(servers[GREEN].bytes);
    return result;
}

static void expect(const char *text)
{
    while (client.length < strlen(text))
        assert_true(client_more(&client));
    assert_memory_equal(client.bytes, text, strlen(text));
    client_take(&client, NULL, strlen(text));
}

static void test_lines_reach_both(void **state)
{
    (void)state;
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    char line[64];
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "set %d\n", i);
        assert_true(zone_say(client.fd, line));
        expect("ok\n");
    }
    shutdown(client.fd, SHUT_WR);
    expect("bye\n");
    assert_false(client_more(&client));
    client_end(&client);
    assert_true(WAIT_FIGURES(&monitor, figures.committed > 200 && figures.behind == 0));
    assert_true(WAIT_FIGURES(&monitor, servers[GREEN].ended == 1 && figures.connections[BLUE] == 0));
    assert_string_equal(servers[BLUE].bytes, servers[GREEN].bytes);
    assert_int_equal(servers[BLUE].length, 10 * 6 + 90 * 7 + 100 * 8);
}

/* Both zones hear who the client is, before it has said a word. */
static void test_proxy_line(void **state)
{
    char want[128];
    struct sockaddr_in here;
    socklen_t length = sizeof here;
    (void)state;
    monitor.rules.client = FEED_CLIENT_PROXY;
    send_message(&monitor, FEED_RULES, &monitor.rules.header, sizeof monitor.rules, NULL, 0);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_int_equal(getsockname(client.fd, (struct sockaddr *)&here, &length), 0);
    expect("ok\n");
    assert_true(zone_say(client.fd, "one\n"));
    expect("ok\n");
    client_end(&client);
    snprintf(want, sizeof want, "PROXY TCP4 127.0.0.1 127.0.0.1 %u %u\r\none\n", ntohs(here.sin_port),
             servers[BLUE].port);
    assert_true(WAIT_FIGURES(&monitor, figures.behind == 0 && servers[GREEN].ended == 1));
    assert_string_equal(servers[BLUE].bytes, want);
    assert_string_equal(servers[GREEN].bytes, want);
}

static void test_a_large_stream_and_a_standby_that_comes_later(void **state)
{
    static char piece[10000];
    (void)state;
    monitor.there[GREEN].there = 0;
    tell_zone(&monitor, GREEN);
    memset(piece, 'x', sizeof piece - 1);
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    for (int i = 0; i < 50; i++)
        assert_true(zone_say(client.fd, piece));
    assert_true(zone_say(client.fd, "\n"));
    expect("ok\n");
    client_end(&client);
    assert_true(WAIT_FIGURES(&monitor, figures.state == FEED_STATE_BEHIND && servers[BLUE].open == 0));
    monitor.there[GREEN].there = 1;
    tell_zone(&monitor, GREEN);
    assert_true(WAIT_FIGURES(&monitor, figures.behind == 0 && servers[GREEN].ended == 1));
    assert_int_equal(servers[GREEN].length, 50 * 9999 + 1);
    assert_memory_equal(servers[GREEN].bytes, servers[BLUE].bytes, servers[BLUE].length);
}

static void test_a_switch_ends_connections(void **state)
{
    (void)state;
    assert_true(client_open(&client, monitor.door_ports[BLUE]));
    assert_true(zone_say(client.fd, "one\n"));
    expect("ok\n");
    assert_true(hold(&monitor, GREEN, 5000).ready);
    assert_true(zone_say(client.fd, "two\n")); /* waits */
    pause_ms(100);
    assert_int_equal(servers[BLUE].length, 4);
    go(&monitor);
    expect("ok\n");
    assert_true(hold(&monitor, GREEN, 5000).ready);
    assert_true(WAIT_FIGURES(&monitor, figures.behind == 0 && servers[GREEN].length == 8)); /* it has read them */
    tell_live(&monitor, GREEN, true);
    assert_false(client_more(&client));
    client_end(&client);
    assert_true(client_open(&client, monitor.door_ports[GREEN]));
    assert_true(zone_say(client.fd, "three\n"));
    expect("ok\n");
    client_end(&client);
    assert_true(WAIT_FIGURES(&monitor, figures.live == GREEN && figures.behind == 0 && servers[BLUE].length == 14));
    assert_string_equal(servers[BLUE].bytes, "one\ntwo\nthree\n");
    assert_string_equal(servers[GREEN].bytes, "one\ntwo\nthree\n");
    assert_int_equal(figures_now(&monitor).lost, 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_reach_both, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proxy_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_large_stream_and_a_standby_that_comes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_switch_ends_connections, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
