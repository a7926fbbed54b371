/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a connection rests, and what is read of the kernel's answers. */
#include "model/connection.h"
#include "model/service.h"
#include "traffic/connections.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* As was seen of a real one: a request, its answer 2 ms later, confirmed 40 ms after that; then nothing for 3 s. */
static struct connection_look resting(void)
{
    return (struct connection_look){
        .known = true,
        .established = true,
        .sent_ms = 3040,
        .received_ms = 3044,
        .acked_ms = 3000,
        .segments_in = 6,
        .segments_out = 9,
        .bytes_in = 400,
        .bytes_out = 9000,
    };
}

static void test_who_rests(void **state)
{
    (void)state;
    struct connection_look look = resting();
    assert_true(connection_rests(&look, 3000));
    assert_true(connection_rests(&look, 3040));
    assert_false(connection_rests(&look, 3041));
    assert_int_equal(3040, connection_idle_ms(&look));
    look.received_ms = look.sent_ms; /* within one tick, and confirmed later */
    assert_true(connection_rests(&look, 3000));
}

/* Whatever could be a request that waits for its answer. */
static void test_who_does_not_rest(void **state)
{
    (void)state;
    struct connection_look look = resting();
    look.received_ms = look.acked_ms = 3000; /* the next request came and was not answered */
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.sent_ms = look.received_ms = look.acked_ms = 3000; /* an answer, and maybe the next request right behind it */
    assert_false(connection_rests(&look, 1));
    look.segments_in = 1; /* but there was only ever one */
    assert_true(connection_rests(&look, 1));
    look = resting();
    look.unacknowledged = 1;
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.unsent = 1;
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.segments_in = 0; /* the server greets first, or the client has only connected */
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.segments_out = 0;
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.established = false;
    assert_false(connection_rests(&look, 1));
    look = resting();
    look.known = false;
    assert_false(connection_rests(&look, 1));
}

static struct tcp_info sample_info(void)
{
    return (struct tcp_info){
        .tcpi_state = 1,
        .tcpi_unacked = 2,
        .tcpi_last_data_sent = 100,
        .tcpi_last_data_recv = 200,
        .tcpi_last_ack_recv = 50,
        .tcpi_bytes_acked = 5000000000,
        .tcpi_bytes_received = 7,
        .tcpi_notsent_bytes = 3,
        .tcpi_data_segs_in = 11,
        .tcpi_data_segs_out = 12,
    };
}

static void expect_sample(const struct connection_look *look)
{
    assert_true(look->known);
    assert_true(look->established);
    assert_int_equal(2, look->unacknowledged);
    assert_int_equal(3, look->unsent);
    assert_int_equal(100, look->sent_ms);
    assert_int_equal(200, look->received_ms);
    assert_int_equal(50, look->acked_ms);
    assert_int_equal(11, look->segments_in);
    assert_int_equal(12, look->segments_out);
    assert_true(look->bytes_in == 7 && look->bytes_out == 5000000000);
}

static void test_reading_tcp_info(void **state)
{
    (void)state;
    struct tcp_info info = sample_info();
    struct connection_look look;
    char newer[sizeof info + 64] = "";
    connection_look_read(&look, &info, sizeof info);
    expect_sample(&look);
    memcpy(newer, &info, sizeof info);
    connection_look_read(&look, newer, sizeof newer);
    expect_sample(&look);
    /* An older kernel ends before the numbers of segments: then nothing is known for sure. */
    connection_look_read(&look, &info, offsetof(struct tcp_info, tcpi_data_segs_in));
    assert_false(look.known);
    assert_int_equal(200, look.received_ms);
    connection_look_read(&look, &info, 0);
    assert_false(look.known);
}

struct message {
    struct inet_diag_msg socket;
    uint8_t attributes[512];
    size_t length;
};

static void add(struct message *message, uint16_t type, const void *value, size_t size)
{
    struct nlattr attribute = {.nla_len = (uint16_t)(sizeof attribute + size), .nla_type = type};
    uint8_t *at = message->attributes + message->length;
    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + sizeof attribute, value, size);
    message->length += NLA_ALIGN(attribute.nla_len);
}

static struct message sample(void)
{
    struct message message = {.socket = {.idiag_family = AF_INET6,
                                         .idiag_state = 8,
                                         .id = {.idiag_sport = htons(8080),
                                                .idiag_dport = htons(51234),
                                                .idiag_dst = {0, 0, htonl(0xffff), htonl(0xcb007102)},
                                                .idiag_cookie = {0x11223344, 0x55}},
                                         .idiag_rqueue = 10,
                                         .idiag_wqueue = 20,
                                         .idiag_inode = 4711}};
    return message;
}

static void test_reading_a_socket(void **state)
{
    (void)state;
    struct message message = sample();
    const struct tcp_info info = sample_info();
    const uint8_t both = 3, none = 0;
    struct connection connection;
    char text[ADDRESS_TEXT_MAX];
    add(&message, INET_DIAG_SHUTDOWN, &both, 1);
    add(&message, 99, "something new", 13);
    add(&message, INET_DIAG_INFO, &info, sizeof info);
    connection_read(&message.socket, sizeof message.socket + message.length, &connection);
    expect_sample(&connection.look);
    assert_true(connection.reading_ended);
    assert_int_equal(PROTOCOL_TCP, connection.protocol);
    assert_string_equal("close-wait", connection_state_name(connection.protocol, connection.state));
    assert_string_equal("203.0.113.2", address_format(&connection.peer, text));
    assert_int_equal(51234, connection.peer_port);
    assert_int_equal(8080, connection.port);
    assert_int_equal(10, connection.received);
    assert_int_equal(20, connection.queued);
    assert_int_equal(4711, connection.inode);
    assert_true(connection.cookie == 0x5511223344);
    message = sample();
    message.socket.id.idiag_dst[0] = htonl(0x20010db8);
    add(&message, INET_DIAG_SHUTDOWN, &none, 1);
    connection_read(&message.socket, sizeof message.socket + message.length, &connection);
    assert_string_equal("2001:db8::ffff:cb00:7102", address_format(&connection.peer, text));
    assert_false(connection.reading_ended || connection.look.known);
}

/* However the message ends, nothing behind it is read. */
static void test_reading_half_a_socket(void **state)
{
    (void)state;
    struct message message = sample();
    const struct tcp_info info = sample_info();
    struct connection connection;
    add(&message, INET_DIAG_INFO, &info, sizeof info);
    size_t whole = sizeof message.socket + message.length;
    for (size_t length = sizeof message.socket; length < whole; length++) {
        connection_read(&message.socket, length, &connection);
        assert_false(connection.look.known);
    }
    const struct nlattr too_small = {.nla_len = 2, .nla_type = INET_DIAG_INFO};
    memcpy(message.attributes, &too_small, sizeof too_small);
    connection_read(&message.socket, whole, &connection);
    assert_false(connection.look.known);
}

static void test_names_of_states(void **state)
{
    (void)state;
    assert_string_equal("established", connection_state_name(PROTOCOL_TCP, 1));
    assert_string_equal("unknown", connection_state_name(PROTOCOL_TCP, 0));
    assert_string_equal("unknown", connection_state_name(PROTOCOL_TCP, 200));
    assert_string_equal("replied", connection_state_name(PROTOCOL_UDP, 1));
    assert_string_equal("unreplied", connection_state_name(PROTOCOL_UDP, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_rests),
        cmocka_unit_test(test_who_does_not_rest),
        cmocka_unit_test(test_reading_tcp_info),
        cmocka_unit_test(test_reading_a_socket),
        cmocka_unit_test(test_reading_half_a_socket),
        cmocka_unit_test(test_names_of_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
