/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies of HTTP, wherever they are cut into pieces, and heads as they are passed on. */
#include "base/text.h"
#include "feed/http.h"
#include "feed_http_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What came of a body that was read in two pieces and then byte by byte. */
struct outcome {
    int result; /* 0 or negative */
    bool done;
    size_t taken;
    struct text content;
    struct error err;
};

/* Reads what is there, until nothing is taken any more. */
static void feed_piece(struct http_body_reader *reader, const char *bytes, size_t length, struct outcome *outcome)
{
    size_t at = 0;
    while (outcome->result == 0 && at < length) {
        struct http_span content;
        ssize_t took = http_body_take(reader, bytes + at, length - at, &content, &outcome->err);
        if (took < 0) {
            outcome->result = (int)took;
            return;
        }
        assert_true((size_t)took <= length - at);
        assert_true(content.length == 0 ||
                    (content.at >= bytes + at && content.at + content.length <= bytes + at + took));
        if (content.length > 0)
            text_add_bytes(&outcome->content, content.at, content.length);
        if (took == 0)
            break;
        at += (size_t)took;
    }
    outcome->taken += at;
    outcome->done = reader->done;
    assert_true(at == length || reader->done);
}

static void read_in_pieces(const struct http_head *head, const char *bytes, size_t length, size_t cut, size_t step,
                           struct outcome *outcome)
{
    struct http_body_reader reader;
    *outcome = (struct outcome){0};
    http_body_begin(&reader, head);
    outcome->done = reader.done;
    feed_piece(&reader, bytes, cut, outcome);
    for (size_t at = cut; at < length && !outcome->done && !outcome->result; at += step)
        feed_piece(&reader, bytes + at, length - at < step ? length - at : step, outcome);
    if (outcome->result < 0) { /* for ever */
        struct http_span content;
        assert_int_equal(http_body_take(&reader, "0\r\n\r\n", 5, &content, NULL), outcome->result);
    }
}

static void check_body(const struct http_head *head, const char *bytes, size_t length, const struct outcome *expected)
{
    for (size_t step = 1; step <= length; step += length > 1 ? length - 1 : 1) {
        for (size_t cut = 0; cut <= length; cut++) {
            struct outcome outcome;
            read_in_pieces(head, bytes, length, cut, step, &outcome);
            assert_int_equal(outcome.result, expected->result);
            assert_int_equal(outcome.done, expected->done);
            if (expected->result == 0) {
                assert_int_equal(outcome.taken, expected->taken);
                assert_string_equal(outcome.content.data ? outcome.content.data : "",
                                    expected->content.data ? expected->content.data : "");
            } else if (!strstr(outcome.err.text, expected->err.text)) {
                fail_msg("'%s': '%s'; expected '%s'", bytes, outcome.err.text, expected->err.text);
            }
            text_clear(&outcome.content);
        }
    }
}

static void test_refused_chunks(void **state)
{
    static const struct http_head head = {.body = HTTP_BODY_CHUNKED};
    (void)state;
    for (size_t i = 0; i < COUNT(refused_chunks); i++) {
        struct outcome expected = {.result = -refused_chunks[i].code};
        text_copy(expected.err.text, sizeof expected.err.text, refused_chunks[i].why);
        check_body(&head, refused_chunks[i].bytes, refused_chunks[i].length, &expected);
    }
}

static void test_chunks(void **state)
{
    static const struct http_head head = {.body = HTTP_BODY_CHUNKED};
    static const struct {
        const char *bytes, *content;
        size_t left; /* of the next message */
        bool open;
    } bodies[] = {
        {"0\r\n\r\n", "", 0, false},
        {"3\r\nabc\r\n0\r\n\r\n", "abc", 0, false},
        {"3\r\nabc\r\n000\r\n\r\nGET /", "abc", 5, false},
        {"a\r\n0123456789\r\nB\r\n0\r\n\r\nGET / \r\n0\r\n\r\n", "01234567890\r\n\r\nGET / ", 0, false},
        {"0000000000000001\r\nx\r\n0\r\n\r\n", "x", 0, false},
        {"3;a\r\nabc\r\n2;b=\"c;d\" ; e\r\nde\r\n0;f\r\n\r\n", "abcde", 0, false},
        {"1\r\nx\r\n0\r\nDigest: y\r\nX-Content-Length: z\r\n\r\n\r\n", "x", 2, false},
        {"1\r\nx\r\n0\r\nTransfer-Encodings:\r\n\r\n", "x", 0, false},
        {"3\r\nab", "ab", 0, true},
        {"3\r\nabc\r\n0\r\n", "abc", 0, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        size_t length = strlen(bodies[i].bytes);
        struct outcome expected = {.done = !bodies[i].open, .taken = length - bodies[i].left};
        text_add(&expected.content, bodies[i].content);
        check_body(&head, bodies[i].bytes, length, &expected);
        text_clear(&expected.content);
    }
}

static void test_lengths(void **state)
{
    static const struct http_head three = {.body = HTTP_BODY_LENGTH, .length = 3};
    static const struct http_head nothing = {.body = HTTP_BODY_NONE, .length = 3}, to_end = {.body = HTTP_BODY_TO_END};
    struct outcome expected = {.done = true, .taken = 3};
    (void)state;
    text_add(&expected.content, "abc");
    check_body(&three, "abcdef", 6, &expected);
    expected.done = false;
    check_body(&to_end, "abc", 3, &expected);
    text_clear(&expected.content);
    expected = (struct outcome){.done = true};
    check_body(&nothing, "abc", 3, &expected);
}

/* --- bounds of what is no content --------------------------------------------------------------------------------- */

static int read_made(const char *before, const char *repeated, size_t times, const char *after)
{
    static const struct http_head head = {.body = HTTP_BODY_CHUNKED};
    CLEANUP_TEXT struct text text = {0};
    struct outcome outcome;
    text_add(&text, before);
    for (size_t i = 0; i < times; i++)
        text_add(&text, repeated);
    text_add(&text, after);
    read_in_pieces(&head, text.data, text.length, text.length, 1, &outcome);
    text_clear(&outcome.content);
    return outcome.result ? outcome.result : outcome.done;
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(read_made("0;", "x", HTTP_CHUNK_LINE_MAX - 1, "\r\n\r\n"), 1);
    assert_int_equal(read_made("0;", "x", HTTP_CHUNK_LINE_MAX, "\r\n\r\n"), -EBADMSG);
    assert_int_equal(read_made("", "1;x234567\r\na\r\n", HTTP_EXTENSIONS_MAX / 8, "0\r\n\r\n"), 1);
    assert_int_equal(read_made("", "1;x234567\r\na\r\n", HTTP_EXTENSIONS_MAX / 7 + 1, "0\r\n\r\n"), -EBADMSG);
    assert_int_equal(read_made("0\r\n", "x: 345678\r\n", HTTP_TRAILERS_MAX / 11, "\r\n"), 1);
    assert_int_equal(read_made("0\r\n", "x: 345678\r\n", HTTP_TRAILERS_MAX / 11 + 1, "\r\n"), -EBADMSG);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void check_request(const char *request, const struct http_rewrite *rewrite, const char *written)
{
    CLEANUP_TEXT struct text out = {0};
    struct http_head head;
    struct error err = {0};
    assert_int_equal(http_parse_request(request, strlen(request), &head, &err), 1);
    http_write_request(&head, rewrite, &out);
    assert_string_equal(out.data, written);
    assert_int_equal(http_parse_request(out.data, out.length, &head, &err), 1);
}

static void check_answer(const char *answer, const char *method, const struct http_rewrite *rewrite,
                         const char *written)
{
    CLEANUP_TEXT struct text out = {0};
    struct http_head head;
    struct http_span span = {method, strlen(method)};
    assert_int_equal(http_parse_response(answer, strlen(answer), span, &head, NULL), 1);
    http_write_response(&head, rewrite, &out);
    assert_string_equal(out.data, written);
    assert_int_equal(http_parse_response(out.data, out.length, span, &head, NULL), 1);
}

static const struct http_rewrite plain;

static void test_requests_are_passed_on(void **state)
{
    static const char *const drop[] = {"idempotency-key", "X-Forwarded-For", NULL};
    struct http_rewrite fed = {
        .has_length = true, .length = 7, .close = true, .drop = drop, .add = "Idempotency-Key: web-1\r\n"};
    (void)state;
    check_request(GET "\r\n", &plain, GET "\r\n");
    check_request("GET / HTTP/1.0\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    check_request("GET http://b/ HTTP/1.0\r\n\r\n", &plain, "GET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n");
    check_request(POST "Content-Length: 007\r\n\r\n", &plain, POST "Content-Length: 7\r\n\r\n");
    check_request(POST "Content-Length: 0\r\n\r\n", &plain, POST "Content-Length: 0\r\n\r\n");
    check_request(POST "Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n", &plain,
                  POST "Transfer-Encoding: chunked\r\n\r\n");
    check_request(POST "Transfer-Encoding: chunked\r\nTE: trailers\r\nX:  y \r\nx_forwarded_for: 1\r\n"
                       "Idempotency-Key: 9\r\n\r\n",
                  &fed, POST "X: y\r\nContent-Length: 7\r\nConnection: close\r\nIdempotency-Key: web-1\r\n\r\n");
    check_request(GET "Connection: X-a, keep-alive\r\nX-A: 1\r\nX_a: 2\r\nKeep-Alive: 3\r\nProxy-Connection: 4\r\n\r\n",
                  &plain, GET "\r\n");
    /* an Upgrade that is left out takes no body with it */
    check_request(POST "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 7\r\n\r\n", &plain,
                  POST "Content-Length: 7\r\n\r\n");
}

static void test_upgrades_are_passed_on(void **state)
{
    struct http_rewrite upgrade = {.upgrade = true};
    (void)state;
    check_request(GET "Connection: keep-alive, Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nHTTP2-Settings: x\r\n"
                      "Sec-WebSocket-Key: k\r\n\r\n",
                  &upgrade, GET "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n\r\n");
    check_answer("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET", &upgrade,
                 "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    check_answer(OK200 "Content-Length: 5\r\n\r\n", "CONNECT", &plain, OK200 "\r\n");
}

static void test_answers_are_passed_on(void **state)
{
    struct http_rewrite chunked = {.chunked = true}, five = {.has_length = true, .length = 5};
    struct http_rewrite to_end = {.to_end = true};
    (void)state;
    check_answer(OK200 "\r\n", "GET", &chunked, OK200 "Transfer-Encoding: chunked\r\n\r\n");
    check_answer(OK200 "\r\n", "GET", &five, OK200 "Content-Length: 5\r\n\r\n");
    check_answer(OK200 "\r\n", "GET", &plain, OK200 "Connection: close\r\n\r\n");
    check_answer(OK200 "Content-Length: 9\r\n\r\n", "GET", &plain, OK200 "Content-Length: 9\r\n\r\n");
    check_answer(OK200 "Transfer-Encoding: chunked\r\n\r\n", "GET", &to_end, OK200 "Connection: close\r\n\r\n");
    check_answer(OK200 "Content-Length: 9\r\n\r\n", "GET", &to_end, OK200 "Connection: close\r\n\r\n");
    check_answer(OK200 "Content-Length: 9\r\n\r\n", "HEAD", &to_end, OK200 "Content-Length: 9\r\n\r\n");
    check_answer(OK200 "Content-Length: 9\r\n\r\n", "GET", &five, OK200 "Content-Length: 5\r\n\r\n");
    check_answer(OK200 "Content-Length: 9\r\n\r\n", "HEAD", &chunked, OK200 "Content-Length: 9\r\n\r\n");
    check_answer("HTTP/1.1 304\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", &chunked, "HTTP/1.1 304 \r\n\r\n");
    check_answer("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "GET", &plain, "HTTP/1.1 204 No\r\n\r\n");
    check_answer("HTTP/1.0 204 No\r\nServer: x\r\n\r\n", "GET", &chunked, "HTTP/1.1 204 No\r\nServer: x\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_chunks),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_requests_are_passed_on),
        cmocka_unit_test(test_upgrades_are_passed_on),
        cmocka_unit_test(test_answers_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
