/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between monitor and probe role: what is good, and every way in which one is not. */
#include "model/check_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct check_request http_request(void)
{
    struct check_request request;
    memset(&request, 0, sizeof request);
    request.version = CHECK_VERSION;
    request.id = 7;
    request.target = (struct address){.family = 4, .bytes = {10, 201, 0, 2}};
    request.health.kind = HEALTH_HTTP;
    request.health.port = 8080;
    request.health.timeout_ms = 5000;
    strcpy(request.health.path, "/healthz?deep=1");
    strcpy(request.health.host, "www.example.org:8080");
    return request;
}

static bool valid(const struct check_request *request)
{
    return check_request_valid(request, sizeof *request);
}

static void test_good_requests(void **state)
{
    (void)state;
    struct check_request request = http_request();
    assert_true(valid(&request));
    request.health.host[0] = '\0';
    request.target.family = 6;
    assert_true(valid(&request));
    request.health.follow_redirects = true;
    request.health.status_count = STATUS_RANGES_MAX;
    for (int i = 0; i < STATUS_RANGES_MAX; i++)
        request.health.status[i] = (struct status_range){100, 599};
    assert_true(valid(&request));
    request.health.timeout_ms = 10;
    assert_true(valid(&request));
    request.health.timeout_ms = 600000;
    assert_true(valid(&request));
}

static void test_tcp_needs_no_path(void **state)
{
    (void)state;
    struct check_request request = http_request();
    memset(request.health.path, 'x', sizeof request.health.path);
    memset(request.health.host, 'x', sizeof request.health.host);
    assert_false(valid(&request));
    request.health.kind = HEALTH_TCP;
    assert_true(valid(&request));
}

static void test_wrong_length(void **state)
{
    (void)state;
    struct check_request request = http_request();
    assert_false(check_request_valid(&request, 0));
    assert_false(check_request_valid(&request, sizeof request - 1));
    assert_false(check_request_valid(&request, sizeof request + 1));
}

#define REFUSES(change)                                \
    do {                                               \
        struct check_request request = http_request(); \
        change;                                        \
        assert_false(valid(&request));                 \
    } while (0)

static void test_bad_heads(void **state)
{
    (void)state;
    REFUSES(request.version = 0);
    REFUSES(request.version = CHECK_VERSION + 1);
    REFUSES(request.reserved = 1);
    REFUSES(request.id = 0);
    REFUSES(request.target.family = 0);
    REFUSES(request.target.family = 5);
    REFUSES(request.target.family = 255);
}

static void test_bad_checks(void **state)
{
    (void)state;
    REFUSES(request.health.kind = HEALTH_ALIVE);
    REFUSES(request.health.kind = (enum health_kind)99);
    REFUSES(request.health.port = 0);
    REFUSES(request.health.timeout_ms = 0);
    REFUSES(request.health.timeout_ms = 9);
    REFUSES(request.health.timeout_ms = 600001);
    /* A bool with a third value; the compiler would fold it if it knew. */
    REFUSES(memset(&request.health.follow_redirects, 2, 1));
}

static void test_bad_strings(void **state)
{
    (void)state;
    REFUSES(request.health.path[0] = '\0');
    REFUSES(request.health.path[0] = 'h');
    REFUSES(memset(request.health.path, '/', sizeof request.health.path));
    REFUSES(strcpy(request.health.path, "/a b"));
    REFUSES(strcpy(request.health.path, "/a HTTP/1.1\r\nHost: evil"));
    REFUSES(strcpy(request.health.path, "/a\x7f"));
    REFUSES(strcpy(request.health.path, "/\xc3\xa9"));
    REFUSES(memset(request.health.host, 'h', sizeof request.health.host));
    REFUSES(strcpy(request.health.host, "a\r\nX-Injected: 1"));
    REFUSES(strcpy(request.health.host, "a b"));
    REFUSES(memset(request.contains, 'c', sizeof request.contains));
}

static void test_bad_status_ranges(void **state)
{
    (void)state;
    REFUSES(request.health.status_count = STATUS_RANGES_MAX + 1);
    REFUSES(request.health.status_count = 255);
    REFUSES(request.health.status_count = 1); /* 0-0 */
    REFUSES(request.health.status_count = 1; request.health.status[0] = ((struct status_range){99, 200}));
    REFUSES(request.health.status_count = 1; request.health.status[0] = ((struct status_range){200, 600}));
    REFUSES(request.health.status_count = 1; request.health.status[0] = ((struct status_range){300, 200}));
}

static struct check_result good_result(void)
{
    struct check_result result;
    memset(&result, 0, sizeof result);
    result.version = CHECK_VERSION;
    result.id = 7;
    result.result.outcome = PROBE_STATUS;
    result.result.status = 503;
    result.result.duration_us = 1234;
    strcpy(result.result.detail, "HTTP 503 Service Unavailable");
    return result;
}

#define RESULT(expected, change)                                                \
    do {                                                                        \
        struct check_result result = good_result();                             \
        change;                                                                 \
        assert_int_equal(check_result_valid(&result, sizeof result), expected); \
    } while (0)

static void test_results(void **state)
{
    (void)state;
    RESULT(true, (void)0);
    RESULT(true, result.result.outcome = PROBE_PASS; result.result.status = 0);
    RESULT(true, result.result.outcome = PROBE_INTERNAL; result.result.status = 0);
    RESULT(true, strcpy(result.result.detail, "caf\xc3\xa9\tau lait"));
    RESULT(true, result.result.detail[0] = '\0');
    /* What stands behind the end of the text is nobody's business. */
    RESULT(true, memset(result.result.detail + 40, '\n', 20));

    RESULT(false, result.version = CHECK_VERSION + 1);
    RESULT(false, result.reserved = 1);
    RESULT(false, result.id = 0);
    RESULT(false, result.result.outcome = PROBE_OUTCOMES);
    RESULT(false, result.result.outcome = (enum probe_outcome) - 1);
    RESULT(false, result.result.status = 0); /* PROBE_STATUS without one */
    RESULT(false, result.result.status = 99);
    RESULT(false, result.result.status = 600);
    RESULT(false, memset(result.result.detail, 'a', sizeof result.result.detail));
    RESULT(false, strcpy(result.result.detail, "two\nlines"));
    RESULT(false, strcpy(result.result.detail, "\x1b[31mred"));
    RESULT(false, strcpy(result.result.detail, "\xff\xfe"));
    RESULT(false, strcpy(result.result.detail, "\xc0\xaf")); /* an overlong '/' */
}

static void test_result_length(void **state)
{
    (void)state;
    struct check_result result = good_result();
    assert_false(check_result_valid(&result, 0));
    assert_false(check_result_valid(&result, sizeof result - 1));
    assert_false(check_result_valid(&result, sizeof result + 1));
}

static void test_messages_have_no_holes_that_matter(void **state)
{
    (void)state;
    /* Both ends are built from this header, but may be of different releases for a moment. */
    assert_int_equal(offsetof(struct check_request, id), 8);
    assert_int_equal(offsetof(struct check_result, id), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),     cmocka_unit_test(test_tcp_needs_no_path),
        cmocka_unit_test(test_wrong_length),      cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_bad_checks),        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_bad_status_ranges), cmocka_unit_test(test_results),
        cmocka_unit_test(test_result_length),     cmocka_unit_test(test_messages_have_no_holes_that_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
