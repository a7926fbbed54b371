/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role, the real program, in mode datagram: packets in their order, answers to whom they belong. */
#include "feed_client.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES_MAX 262144

/* Keeps all that came, in its order, and answers each packet with "ok " and the same. */
struct packet_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t mutex;
    char bytes[BYTES_MAX];
    size_t length;
    atomic_bool stop;
};

static struct monitor monitor;
static struct packet_server servers[COLOURS];

static int bind_at(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct timeval wait = {.tv_sec = 3};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void *serve(void *context)
{
    struct packet_server *server = context;
    while (!server->stop) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        char packet[2048] = "ok ";
        ssize_t got = recvfrom(server->fd, packet + 3, sizeof packet - 3, 0, (struct sockaddr *)&peer, &length);
        if (got <= 0)
            continue;
        pthread_mutex_lock(&server->mutex);
        memcpy(server->bytes + server->length, packet + 3, (size_t)got);
        server->length += (size_t)got;
        pthread_mutex_unlock(&server->mutex);
        sendto(server->fd, packet, (size_t)got + 3, 0, (struct sockaddr *)&peer, length);
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    monitor_begin(&monitor);
    monitor.rules.mode = FEED_DATAGRAM;
    for (int i = 0; i < COLOURS; i++) {
        memset(&servers[i], 0, sizeof servers[i]);
        pthread_mutex_init(&servers[i].mutex, NULL);
        servers[i].fd = bind_at(&servers[i].port);
        pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
        close(monitor.doors[i]);
        monitor.doors[i] = bind_at(&monitor.door_ports[i]);
        monitor.zones[i].port = servers[i].port;
    }
    feed_start(&monitor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < COLOURS; i++) {
        servers[i].stop = true;
        shutdown(servers[i].fd, SHUT_RDWR);
        pthread_join(servers[i].thread, NULL);
        close(servers[i].fd);
    }
    return monitor_leave(&monitor, true);
}

static int client_at(uint16_t port)
{
    uint16_t own;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = bind_at(&own);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask_packet(int fd, const char *text)
{
    char answer[64] = "", wanted[64];
    snprintf(wanted, sizeof wanted, "ok %s", text);
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    assert_true(recv(fd, answer, sizeof answer - 1, 0) > 0);
    assert_string_equal(answer, wanted);
}

static void test_packets_reach_both(void **state)
{
    char text[32];
    (void)state;
    int one = client_at(monitor.door_ports[BLUE]), two = client_at(monitor.door_ports[BLUE]);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "packet %d\n", i);
        ask_packet(i % 3 ? one : two, text);
    }
    assert_true(WAIT_FIGURES(&monitor, figures.committed == 100 && figures.behind == 0));
    assert_int_equal(figures_now(&monitor).connections[BLUE], 2);
    assert_true(WAIT_FIGURES(&monitor, servers[GREEN].length == servers[BLUE].length));
    assert_string_equal(servers[BLUE].bytes, servers[GREEN].bytes);
    close(one);
    close(two);
}

static void test_a_switch_takes_flows_along(void **state)
{
    char answer[64] = "";
    (void)state;
    int client = client_at(monitor.door_ports[BLUE]);
    ask_packet(client, "one\n");
    assert_true(hold(&monitor, GREEN, 5000).ready);
    assert_int_equal(send(client, "two\n", 4, 0), 4); /* waits */
    pause_ms(100);
    assert_int_equal(servers[BLUE].length, 4);
    tell_live(&monitor, GREEN, true);
    assert_true(recv(client, answer, sizeof answer - 1, 0) > 0);
    assert_string_equal(answer, "ok two\n");
    assert_true(WAIT_FIGURES(&monitor, figures.live == GREEN && figures.committed == 2 && figures.behind == 0));
    assert_true(WAIT_FIGURES(&monitor, servers[BLUE].length == 8));
    assert_string_equal(servers[BLUE].bytes, "one\ntwo\n");
    assert_string_equal(servers[GREEN].bytes, "one\ntwo\n");
    close(client);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packets_reach_both, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_switch_takes_flows_along, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
