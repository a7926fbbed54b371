/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feed/request: which requests are fed, and that nothing in a head leads around the journal. */
#include "feed/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct feed posts = {
    .mode = FEED_HTTP, .methods = {"POST", "PUT"}, .method_count = 2, .body_max = 1000}; /* and no other method */
static const struct feed all = {.mode = FEED_HTTP, .all_methods = true, .body_max = 1000};

static struct http_head parsed(const char *line, const char *fields)
{
    static char text[1024]; /* the head points into it */
    struct http_head head;
    struct error err = {0};
    int length = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, fields);
    assert_int_equal(http_parse_request(text, (size_t)length, &head, &err), 1);
    return head;
}

static enum request_way way(const struct feed *feed, const char *line, const char *fields)
{
    struct http_head head = parsed(line, fields);
    return request_way(feed, &head);
}

static void test_by_method(void **state)
{
    (void)state;
    assert_int_equal(way(&posts, "POST /", ""), REQUEST_FED);
    assert_int_equal(way(&posts, "PUT /a", ""), REQUEST_FED);
    assert_int_equal(way(&posts, "GET /", ""), REQUEST_PASSES);
    assert_int_equal(way(&posts, "DELETE /a", ""), REQUEST_PASSES);
    assert_int_equal(way(&all, "GET /", ""), REQUEST_FED);
    assert_int_equal(way(&all, "FROBNICATE-FROBNICAT /", ""), REQUEST_FED); /* FEED_METHOD_MAX characters */
    assert_int_equal(way(&all, "FROBNICATE-FROBNICATE /", ""), REQUEST_NOT_FED);
}

static void test_another_method_in_a_field(void **state)
{
    (void)state;
    assert_int_equal(way(&posts, "GET /", "X-HTTP-Method-Override: DELETE\r\n"), REQUEST_FED);
    assert_int_equal(way(&posts, "GET /", "x_http_method: DELETE\r\n"), REQUEST_FED);
    assert_int_equal(way(&posts, "GET /", "X-Method-Override: DELETE\r\n"), REQUEST_FED);
    assert_int_equal(way(&posts, "GET /", "X-Method: DELETE\r\n"), REQUEST_PASSES);
}

static void test_a_change_of_protocol(void **state)
{
    (void)state;
    static const char upgrade[] = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_int_equal(way(&posts, "GET /", upgrade), REQUEST_NOT_FED);
    assert_int_equal(way(&all, "GET /", upgrade), REQUEST_NOT_FED);
    assert_int_equal(way(&posts, "POST /", upgrade), REQUEST_FED); /* an offer, no way around */
    assert_int_equal(way(&all, "CONNECT a:1", ""), REQUEST_NOT_FED);
}

static void test_by_length(void **state)
{
    (void)state;
    assert_int_equal(way(&posts, "POST /", "Content-Length: 1000\r\n"), REQUEST_FED);
    assert_int_equal(way(&posts, "POST /", "Content-Length: 1001\r\n"), REQUEST_NOT_FED);
    assert_int_equal(way(&posts, "GET /", "Content-Length: 1001\r\n"), REQUEST_PASSES);
    assert_int_equal(way(&posts, "POST /", "Transfer-Encoding: chunked\r\n"), REQUEST_FED); /* nobody knows yet */
}

static void test_what_may_be_asked_twice(void **state)
{
    (void)state;
    static const char *const twice[] = {"GET /", "HEAD /", "OPTIONS *", "PUT /", "DELETE /"};
    static const char *const once[] = {"POST /", "PATCH /", "GETS /", "CONNECT a:1"};
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        struct http_head head = parsed(twice[i], "");
        assert_true(request_is_idempotent(&head));
    }
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        struct http_head head = parsed(once[i], "");
        assert_false(request_is_idempotent(&head));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_method),
        cmocka_unit_test(test_another_method_in_a_field),
        cmocka_unit_test(test_a_change_of_protocol),
        cmocka_unit_test(test_by_length),
        cmocka_unit_test(test_what_may_be_asked_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
