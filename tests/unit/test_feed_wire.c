/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between monitor and feed role: good ones pass, and one wrong field is enough to refuse them. */
#include "model/feed_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEADER(number) .header = {FEED_VERSION, number}

static struct feed_rules good_rules = {HEADER(FEED_RULES),   .app = "web",        .mode = FEED_HTTP,
                                       .method_count = 1,    .methods = {"POST"}, .ignore_count = 1,
                                       .ignore = {"Date"},   .lanes = 4,          .key_kind = FEED_KEY_HEADER,
                                       .key_name = "X-User", .sync_ms = 100,      .journal_max = 1 << 30,
                                       .body_max = 1 << 24};
static struct feed_door good_door = {HEADER(FEED_DOOR), .zone = GREEN,  .index = 15,
                                     .port = 80,        .target = 8080, .protocol = PROTOCOL_TCP};
static struct feed_zone good_zone = {HEADER(FEED_ZONE), .zone = BLUE, .there = 1, .release = "v1",
                                     .service4 = {.family = 4}};
static struct feed_sockets good_sockets = {HEADER(FEED_SOCKETS), .zone = BLUE, .protocol = PROTOCOL_TCP, .count = 8};
static struct feed_live good_live = {HEADER(FEED_LIVE), .zone = -1};
static struct feed_hold good_hold = {HEADER(FEED_HOLD), .target = GREEN, .wait_ms = 5000};
static struct feed_order good_order = {HEADER(FEED_ORDER), .token = 1, .action = FEED_VERIFY};
static struct feed_ready good_ready = {HEADER(FEED_READY), .ready = 0, .missing = 3};
static struct feed_figures good_figures = {HEADER(FEED_FIGURES), .state = FEED_STATE_BEHIND, .live = GREEN,
                                           .reason = "why"};
static struct feed_item good_item = {HEADER(FEED_ITEM), .token = 1,         .kind = FEED_ITEM_LOST,
                                     .zone = BLUE,      .status_live = 200, .request = "POST /orders"};
static struct feed_done good_done = {HEADER(FEED_DONE), .token = 1, .result = -11, .text = "later"};

/* Whether the message, with this field set so, is still good. */
#define WITH(message, field, ...)                                                      \
    ({                                                                                 \
        __typeof__(message) changed = message;                                         \
        __typeof__(changed.field) value = __VA_ARGS__;                                 \
        memcpy(&changed.field, &value, sizeof value);                                  \
        feed_message_valid(&changed, sizeof changed, changed.header.kind < FEED_WANT); \
    })

#define FILL(message, field)                                                           \
    ({                                                                                 \
        __typeof__(message) changed = message;                                         \
        memset(changed.field, 'a', sizeof changed.field);                              \
        feed_message_valid(&changed, sizeof changed, changed.header.kind < FEED_WANT); \
    })

static void check(const void *message, size_t size, bool from_monitor)
{
    _Alignas(8) char copy[FEED_MESSAGE_MAX + 8];
    memcpy(copy, message, size);
    assert_true(feed_message_valid(copy, size, from_monitor));
    assert_false(feed_message_valid(copy, size, !from_monitor));
    assert_false(feed_message_valid(copy, size - 1, from_monitor));
    assert_false(feed_message_valid(copy, size + 1, from_monitor));
    assert_false(feed_message_valid(copy, 7, from_monitor));
    ((struct feed_header *)copy)->version++;
    assert_false(feed_message_valid(copy, size, from_monitor));
    *(struct feed_header *)copy = (struct feed_header){FEED_VERSION, 99};
    assert_false(feed_message_valid(copy, size, from_monitor));
}

static void test_good_ones_pass_from_their_side(void **state)
{
    (void)state;
    check(&good_rules, sizeof good_rules, true);
    check(&good_door, sizeof good_door, true);
    check(&good_zone, sizeof good_zone, true);
    check(&good_sockets, sizeof good_sockets, true);
    check(&good_live, sizeof good_live, true);
    check(&good_hold, sizeof good_hold, true);
    check(&good_order, sizeof good_order, true);
    check(&good_ready, sizeof good_ready, false);
    check(&good_figures, sizeof good_figures, false);
    check(&good_item, sizeof good_item, false);
    check(&good_done, sizeof good_done, false);
}

static void test_rules(void **state)
{
    (void)state;
    assert_false(WITH(good_rules, app[0], '/'));
    assert_false(FILL(good_rules, app));
    assert_false(WITH(good_rules, mode, FEED_OFF));
    assert_false(WITH(good_rules, mode, FEED_DATAGRAM + 1));
    assert_false(WITH(good_rules, compare, 3));
    assert_false(WITH(good_rules, client, 3));
    assert_false(WITH(good_rules, in_doubt, 3));
    assert_false(WITH(good_rules, all_methods, 2));
    assert_false(WITH(good_rules, new_app, 2));
    assert_false(WITH(good_rules, lanes, 0));
    assert_false(WITH(good_rules, lanes, FEED_LANES_MAX + 1));
    assert_false(WITH(good_rules, method_count, FEED_METHODS_MAX + 1));
    assert_false(WITH(good_rules, method_count, 2)); /* the second is empty */
    assert_false(WITH(good_rules, methods[0][1], ' '));
    assert_false(WITH(good_rules, methods[0][1], '\n'));
    assert_false(FILL(good_rules, methods[0]));
    assert_false(WITH(good_rules, ignore_count, FEED_IGNORE_MAX + 1));
    assert_false(WITH(good_rules, ignore[0][0], ':'));
    assert_false(WITH(good_rules, key_kind, FEED_KEY_CLIENT + 1));
    assert_true(WITH(good_rules, key_kind, FEED_KEY_CLIENT));
    assert_false(WITH(good_rules, key_kind, FEED_KEY_PATH)); /* part 0 */
    assert_false(WITH(good_rules, key_name[0], '\0'));
    assert_false(FILL(good_rules, key_name));
    assert_false(WITH(good_rules, sync_ms, 60001));
    assert_false(WITH(good_rules, journal_max, 0));
    assert_false(WITH(good_rules, body_max, UINT64_MAX));
}

static void test_what_the_monitor_says(void **state)
{
    (void)state;
    assert_false(WITH(good_door, zone, COLOURS));
    assert_false(WITH(good_door, index, FEED_DOORS_MAX));
    assert_false(WITH(good_door, port, 0));
    assert_false(WITH(good_door, target, 0));
    assert_false(WITH(good_door, protocol, 1));
    assert_false(WITH(good_zone, zone, COLOURS));
    assert_false(WITH(good_zone, there, 2));
    assert_false(WITH(good_zone, frozen, 2));
    assert_false(WITH(good_zone, service4.family, 6));
    assert_false(WITH(good_zone, service6.family, 4));
    assert_false(WITH(good_zone, release[0], '-'));
    assert_false(FILL(good_zone, release));
    assert_false(WITH(good_sockets, zone, COLOURS));
    assert_false(WITH(good_sockets, protocol, 0));
    assert_false(WITH(good_sockets, count, 0));
    assert_false(WITH(good_sockets, count, FEED_SOCKETS_MAX + 1));
    assert_false(WITH(good_live, zone, COLOURS));
    assert_false(WITH(good_live, zone, -2));
    assert_false(WITH(good_live, planned, 2));
    assert_false(WITH(good_hold, target, COLOURS));
    assert_false(WITH(good_hold, wait_ms, 3600001));
    assert_true(WITH(good_hold, header.kind, FEED_GO));
    assert_false(WITH(good_order, token, 0));
    assert_false(WITH(good_order, action, FEED_ACTIONS));
    assert_false(WITH(good_order, failed, 2));
}

static void test_what_the_role_says(void **state)
{
    (void)state;
    struct feed_sockets want = good_sockets;
    want.header.kind = FEED_WANT;
    want.count = 500;
    assert_true(feed_message_valid(&want, sizeof want, false));
    assert_false(WITH(want, zone, COLOURS));
    assert_false(WITH(want, count, 0));
    assert_false(WITH(good_ready, ready, 2));
    assert_false(WITH(good_ready, ready, 1)); /* and something is missing */
    assert_false(WITH(good_figures, state, FEED_STATE_OFF));
    assert_false(WITH(good_figures, state, FEED_STATES));
    assert_false(WITH(good_figures, live, 2));
    assert_false(WITH(good_figures, reason[0], '\033'));
    assert_false(FILL(good_figures, reason));
    assert_false(WITH(good_item, token, 0));
    assert_false(WITH(good_item, kind, FEED_ITEM_TWICE + 1));
    assert_false(WITH(good_item, zone, 2));
    assert_false(WITH(good_item, status_live, 99));
    assert_false(WITH(good_item, status_other, 600));
    assert_false(WITH(good_item, request[0], '\n'));
    assert_false(WITH(good_item, live[0], '\033'));
    assert_false(FILL(good_item, other));
    assert_false(WITH(good_done, token, 0));
    assert_false(WITH(good_done, result, 1));
    assert_false(WITH(good_done, result, -4096));
    assert_false(WITH(good_done, text[0], '\r'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones_pass_from_their_side),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_the_monitor_says),
        cmocka_unit_test(test_what_the_role_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
