/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP of the feed: what is refused and why, what is understood, in however many pieces it comes. */
#include "base/text.h"
#include "feed/http.h"
#include "feed_http_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct http_span get = {"GET", 3}, head_method = {"HEAD", 4}, connect_method = {"CONNECT", 7};

/* Parses just these bytes, so that one too far is seen by who looks for it. */
static int parse(const char *bytes, size_t length, const struct http_span *answer_to, struct http_head *head,
                 struct error *err)
{
    *err = (struct error){0};
    return answer_to ? http_parse_response(bytes, length, *answer_to, head, err)
                     : http_parse_request(bytes, length, head, err);
}

static void check_refused(const struct refused *refused, const struct http_span *answer_to)
{
    struct http_head head;
    struct error err, first = {0};
    int result = parse(refused->bytes, refused->length, answer_to, &head, &err);
    if (result != -refused->code || err.code != refused->code || !strstr(err.text, refused->why))
        fail_msg("'%s': %d, '%s'; expected %d, '%s'", refused->bytes, result, err.text, -refused->code, refused->why);
    assert_true(http_refusal_status(result) >= 400);
    for (size_t cut = 0; cut <= refused->length; cut++) {
        char *piece = malloc(cut ? cut : 1);
        assert_non_null(piece);
        memcpy(piece, refused->bytes, cut);
        result = parse(piece, cut, answer_to, &head, &err);
        free(piece);
        if (result != 0 || first.code) {
            assert_int_equal(result, -refused->code); /* and stays so */
            first = first.code ? first : err;
            assert_string_equal(err.text, first.text);
        }
    }
}

static void test_refused_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused_requests); i++)
        check_refused(&refused_requests[i], NULL);
    assert_true(COUNT(refused_requests) >= 140);
}

static void test_refused_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused_answers); i++)
        check_refused(&refused_answers[i], &get);
}

static void test_refusals_have_a_status(void **state)
{
    (void)state;
    assert_int_equal(http_refusal_status(-EBADMSG), 400);
    assert_int_equal(http_refusal_status(-ENAMETOOLONG), 414);
    assert_int_equal(http_refusal_status(-EMSGSIZE), 431);
    assert_int_equal(http_refusal_status(-ENOSYS), 501);
    assert_int_equal(http_refusal_status(-EPROTONOSUPPORT), 505);
}

/* --- what is understood ------------------------------------------------------------------------------------------- */

/* As told here: METHOD or STATUS, body, and what is set of close, upgrade, expects, has_length. */
struct understood {
    const char *bytes;
    const char *told;
};

static const char *tell(const struct http_head *head, char *out, size_t size)
{
    static const char *const bodies[] = {"none", "length", "chunked", "to-end"};
    char start[HTTP_METHOD_MAX + 1] = "";
    if (head->status)
        snprintf(start, sizeof start, "%u", head->status);
    else
        snprintf(start, sizeof start, "%.*s", (int)head->method.length, head->method.at);
    snprintf(out, size, "%s %s %llu%s%s%s%s", start, bodies[head->body], (unsigned long long)head->length,
             head->close ? " close" : "", head->upgrade ? " upgrade" : "", head->expects ? " expects" : "",
             head->has_length ? " has" : "");
    return out;
}

static void check_understood(const struct understood *one, const struct http_span *answer_to)
{
    size_t length = strlen(one->bytes);
    char told[128];
    for (size_t cut = 0; cut <= length; cut++) {
        struct http_head head;
        struct error err;
        char *piece = malloc(cut + 1);
        assert_non_null(piece);
        memcpy(piece, one->bytes, cut);
        int result = parse(piece, cut, answer_to, &head, &err);
        if (result < 0)
            fail_msg("'%s': %s", one->bytes, err.text);
        const char *end = strstr(one->bytes, "\r\n\r\n");
        size_t size = (size_t)(end - one->bytes) + 4;
        assert_int_equal(result, cut >= size);
        if (result) {
            assert_int_equal(head.size, size);
            assert_string_equal(tell(&head, told, sizeof told), one->told);
        }
        free(piece);
    }
}

static const struct understood requests[] = {
    {GET "\r\n", "GET none 0"},
    {GET "\r\nGET /2", "GET none 0"},
    {"GET /a?b=c&d={x}|[y] HTTP/1.1\r\nHost: a\r\n\r\n", "GET none 0"},
    {"GET http://A:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET none 0"},
    {"GET HTTPS://a?x HTTP/1.1\r\nhost:a\r\n\r\n", "GET none 0"},
    {"GET http://[::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET none 0"},
    {"GET http://a/ HTTP/1.0\r\n\r\n", "GET none 0 close"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET none 0"},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET none 0"},
    {"GET / HTTP/1.1\r\nHost: ex%41mple.org:8080\r\n\r\n", "GET none 0"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET none 0"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET none 0 close"},
    {GET "Connection: , CLOSE ,\r\n\r\n", "GET none 0 close"},
    {GET "Connection: keep-alive\r\nConnection: x,close\r\n\r\n", "GET none 0 close"},
    {GET "Connection:\r\n\r\n", "GET none 0"},
    {GET "X:\r\nY: \t \r\nZ:a\tb \xc3\xa9\r\n\r\n", "GET none 0"},
    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET none 0 upgrade"},
    {GET "Upgrade: websocket\r\n\r\n", "GET none 0"},
    {GET "Connection: upgrade\r\n\r\n", "GET none 0"},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "GET none 0 close"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS none 0"},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "CONNECT none 0 upgrade"},
    {"M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH none 0"},
    {POST "Content-Length: 3\r\n\r\nabc", "POST length 3 has"},
    {POST "content-length:0\r\n\r\n", "POST none 0 has"},
    {POST "Content-Length: \t00012 \r\n\r\n", "POST length 12 has"},
    {POST "Content-Length: 9223372036854775807\r\n\r\n", "POST length 9223372036854775807 has"},
    {POST "Transfer-Encoding: Chunked\r\n\r\n", "POST chunked 0"},
    {POST "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n", "POST chunked 0 expects"},
    {POST "Expect: else\r\n\r\n", "POST none 0"},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "POST length 1 close has"},
    {POST "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n", "POST length 1 upgrade has"},
    {GET "Connection: Upgrade\r\nUpgrade: H2C\r\n\r\n", "GET none 0"},
    {GET "Connection: Upgrade\r\nUpgrade: x\r\nUpgrade: y, h2c\r\n\r\n", "GET none 0"},
};

static const struct understood answers[] = {
    {"HTTP/1.1 200 OK\r\n\r\n", "200 to-end 0 close"},
    {"HTTP/1.1 200 \r\n\r\n", "200 to-end 0 close"},
    {"HTTP/1.1 200\r\n\r\n", "200 to-end 0 close"},
    {"HTTP/1.1 404 Nicht gefunden \xc3\xa4\r\nContent-Length: 5\r\n\r\n", "404 length 5 has"},
    {OK200 "Content-Length: 0\r\n\r\n", "200 none 0 has"},
    {OK200 "Transfer-Encoding: chunked\r\n\r\n", "200 chunked 0"},
    {OK200 "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "200 chunked 0 close"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "200 length 5 close has"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", "200 length 5 has"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "100 none 0"},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", "103 none 0"},
    {"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "101 none 0 upgrade"},
    {"HTTP/1.1 204 No\r\n\r\n", "204 none 0"},
    {"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "204 none 0 has"},
    {"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", "304 none 5 has"},
    {"HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", "304 none 0"},
    {"HTTP/1.1 599 x\r\nContent-Length: 1\r\n\r\n", "599 length 1 has"},
};

static void test_understood(void **state)
{
    static const struct understood to_head = {OK200 "Content-Length: 5\r\n\r\n", "200 none 5 has"};
    static const struct understood to_head_chunked = {OK200 "Transfer-Encoding: chunked\r\n\r\n", "200 none 0"};
    static const struct understood tunnel = {OK200 "Content-Length: 5\r\n\r\n", "200 none 5 upgrade has"};
    static const struct understood no_tunnel = {"HTTP/1.1 502 No\r\nContent-Length: 5\r\n\r\n", "502 length 5 has"};
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++)
        check_understood(&requests[i], NULL);
    for (size_t i = 0; i < COUNT(answers); i++)
        check_understood(&answers[i], &get);
    check_understood(&to_head, &head_method);
    check_understood(&to_head_chunked, &head_method);
    check_understood(&tunnel, &connect_method);
    check_understood(&no_tunnel, &connect_method);
}

static void test_fields(void **state)
{
    static const char bytes[] = "PUT /a/b?c HTTP/1.1\r\nHost: a\r\nX-One:  a b \t\r\nx-one:\r\nKeep-Alive: 5\r\n"
                                "X_Two: 2\r\nConnection: X-two\r\n\r\n";
    struct http_head head;
    (void)state;
    assert_int_equal(http_parse_request(bytes, sizeof bytes - 1, &head, NULL), 1);
    const struct http_field *one = http_field_find(&head, "X-ONE", NULL);
    assert_non_null(one);
    assert_true(http_span_is(one->value, "a b") && http_span_is_word(one->name, "x-one"));
    assert_false(http_field_is_hop(&head, one));
    const struct http_field *again = http_field_find(&head, "X-One", one);
    assert_true(again == one + 1 && again->value.length == 0);
    assert_null(http_field_find(&head, "X-One", again));
    assert_null(http_field_find(&head, "X-Two", NULL));
    assert_true(http_field_is_hop(&head, http_field_find(&head, "x_two", NULL))); /* Connection may mean it */
    assert_true(http_field_is_hop(&head, http_field_find(&head, "keep-alive", NULL)));
    assert_true(http_span_is(http_target_path(&head), "/a/b"));
    assert_true(http_span_is(head.method, "PUT") && !http_span_is(head.method, "PU"));
}

static void check_path(const char *request, const char *path)
{
    struct http_head head;
    assert_int_equal(http_parse_request(request, strlen(request), &head, NULL), 1);
    assert_true(http_span_is(http_target_path(&head), path));
}

static void test_paths(void **state)
{
    (void)state;
    check_path("GET / HTTP/1.0\r\n\r\n", "/");
    check_path("GET /?a/b HTTP/1.0\r\n\r\n", "/");
    check_path("GET //a/b HTTP/1.0\r\n\r\n", "//a/b");
    check_path("GET http://a/b?c HTTP/1.0\r\n\r\n", "/b");
    check_path("GET http://a?c/d HTTP/1.0\r\n\r\n", "");
    check_path("GET http://a HTTP/1.0\r\n\r\n", "");
    check_path("OPTIONS * HTTP/1.0\r\n\r\n", "");
    check_path("CONNECT a:1 HTTP/1.0\r\n\r\n", "");
}

/* --- bounds ------------------------------------------------------------------------------------------------------- */

/* A request with a target of so many bytes, or so many fields of so many bytes. */
static void make(struct text *out, size_t target, size_t fields, size_t size)
{
    text_add(out, "GET /");
    for (size_t i = 1; i < target; i++)
        text_add(out, "t");
    text_add(out, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < fields; i++) {
        text_add(out, "X: ");
        for (size_t at = 5; at < size; at++)
            text_add(out, "v");
        text_add(out, "\r\n");
    }
    text_add(out, "\r\n");
}

static int parse_made(size_t target, size_t fields, size_t size, size_t *length)
{
    CLEANUP_TEXT struct text text = {0};
    struct http_head head;
    make(&text, target, fields, size);
    *length = text.length;
    return http_parse_request(text.data, text.length, &head, NULL);
}

static void test_bounds(void **state)
{
    size_t length;
    (void)state;
    assert_int_equal(parse_made(HTTP_TARGET_MAX, 1, 10, &length), 1);
    assert_int_equal(parse_made(HTTP_TARGET_MAX + 1, 1, 10, &length), -ENAMETOOLONG);
    assert_int_equal(parse_made(1, HTTP_FIELDS_MAX - 1, 10, &length), 1);
    assert_int_equal(parse_made(1, HTTP_FIELDS_MAX, 10, &length), -EMSGSIZE);
    assert_int_equal(parse_made(1, 1, HTTP_HEAD_MAX - 27, &length), 1);
    assert_int_equal(length, HTTP_HEAD_MAX);
    assert_int_equal(parse_made(1, 1, HTTP_HEAD_MAX - 26, &length), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_refused_answers),
        cmocka_unit_test(test_refusals_have_a_status),
        cmocka_unit_test(test_understood),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
