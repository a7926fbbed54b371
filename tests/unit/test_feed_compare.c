/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When two answers are the same, in however many pieces they come. */
#include "base/text.h"
#include "feed/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define JSON         "Content-Type: application/json\r\n"

static const char ignored[][FEED_FIELD_MAX + 1] = {"id", "X-Request-Id", "created_at"};
static const struct compare_rules status = {.compare = FEED_COMPARE_STATUS};
static const struct compare_rules body = {.compare = FEED_COMPARE_BODY};
static const struct compare_rules some = {.compare = FEED_COMPARE_BODY, .ignore = ignored, .ignore_count = 3};

/* An answer's content, in two pieces and then byte by byte. */
static struct wal_answer take(const struct compare_rules *rules, const char *line, const char *fields,
                              const char *content, size_t length, size_t cut)
{
    static const struct http_span post = {"POST", 4};
    char bytes[2048];
    struct http_head head;
    struct compare compare;
    struct wal_answer answer;
    snprintf(bytes, sizeof bytes, "HTTP/1.1 %s\r\n%s\r\n", line, fields);
    assert_int_equal(http_parse_response(bytes, strlen(bytes), post, &head, NULL), 1);
    compare_begin(&compare, rules, &head);
    compare_add(&compare, content, cut);
    for (size_t at = cut; at < length; at++) {
        char one = content[at]; /* nothing around it is looked at */
        compare_add(&compare, &one, 1);
    }
    compare_end(&compare, &answer);
    return answer;
}

static struct wal_answer answer_of(const struct compare_rules *rules, const char *line, const char *fields,
                                   const char *content)
{
    return take(rules, line, fields, content, strlen(content), strlen(content));
}

struct pair {
    const char *fields, *content, *other_fields, *other_content;
};

static bool same(const struct compare_rules *rules, const struct pair *pair)
{
    struct wal_answer live = answer_of(rules, "200 OK", pair->fields, pair->content);
    struct wal_answer other = answer_of(rules, "200 Fine", pair->other_fields, pair->other_content);
    for (size_t cut = 0; cut < strlen(pair->content); cut++) {
        struct wal_answer again = take(rules, "200 OK", pair->fields, pair->content, strlen(pair->content), cut);
        assert_memory_equal(&again, &live, sizeof live);
    }
    return compare_same(rules->compare, &live, &other);
}

static void check_pairs(const struct compare_rules *rules, const struct pair *pairs, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (same(rules, &pairs[i]) != wanted)
            fail_msg("'%s%s' and '%s%s'", pairs[i].fields, pairs[i].content, pairs[i].other_fields,
                     pairs[i].other_content);
    }
}

static void test_by_status(void **state)
{
    struct wal_answer created = answer_of(&status, "201 Created", "", "a"), ok = answer_of(&status, "200 OK", "", "a");
    struct wal_answer other = answer_of(&status, "201 x", "X: y\r\n", "b");
    (void)state;
    assert_true(compare_same(FEED_COMPARE_STATUS, &created, &other));
    assert_false(compare_same(FEED_COMPARE_STATUS, &created, &ok));
    assert_true(compare_same(FEED_COMPARE_NONE, &created, &ok));
    /* It was in doubt, and somebody had it applied: live gave no answer. */
    struct wal_answer none = {0};
    assert_true(compare_same(FEED_COMPARE_STATUS, &none, &created));
    assert_true(compare_same(FEED_COMPARE_BODY, &none, &created));
    /* Journalled before compare = body was asked for: there is nothing to compare with. */
    struct wal_answer digested = answer_of(&body, "201 Created", "", "c");
    assert_true(compare_same(FEED_COMPARE_BODY, &created, &digested));
    assert_false(compare_same(FEED_COMPARE_BODY, &ok, &digested));
}

static void test_by_body(void **state)
{
    static const struct pair alike[] = {
        {"", "", "", ""},
        {"", "abc", "", "abc"},
        {"A: 1\r\nB: 2\r\n", "x", "b: 2\r\na: 1\r\n", "x"},
        {"Date: 1\r\nServer: a\r\nContent-Length: 1\r\n", "x", "Date: 2\r\nTransfer-Encoding: chunked\r\n", "x"},
        {"Connection: close, X-Hop\r\nX-Hop: 1\r\n", "x", "", "x"},
    };
    static const struct pair unlike[] = {
        {"", "abc", "", "abd"},
        {"", "abc", "", "abcd"},
        {"A: 1\r\n", "", "A: 2\r\n", ""},
        {"A: 1\r\n", "", "", ""},
        {"A: 1\r\nA: 2\r\n", "", "A: 2\r\nA: 1\r\n", ""},
        {"Content-Type: text/plain\r\n", "x", JSON, "x"},
        {"X-Request-Id: 1\r\n", "x", "X-Request-Id: 2\r\n", "x"},
        {JSON, "{\"id\":1}", JSON, "{\"id\":2}"},
    };
    (void)state;
    check_pairs(&body, alike, COUNT(alike), true);
    check_pairs(&body, unlike, COUNT(unlike), false);
}

static void test_ignored(void **state)
{
    static const struct pair alike[] = {
        {"x-request-id: 1\r\n", "x", "X-Request-Id: 2\r\n", "x"},
        {"x-request-id: 1\r\n", "x", "", "x"},
        {JSON, "{\"id\":1,\"a\":2}", JSON, "{\"id\":\"one\",\"a\":2}"},
        {JSON, "{\"id\":{\"x\":[1,{}]},\"a\":2}", JSON, "{\"id\":[{\"id\":\"}\"}],\"a\":2}"},
        {JSON, "[{\"id\":-1.5e3},{\"id\":null}]", JSON, "[{\"id\":true},{\"id\":\"\\\"\\u00e9\"}]"},
        {JSON, "{\"a\":{\"b\":[[{\"id\": 1 }]]}}", JSON, "{\"a\":{\"b\":[[{\"id\": \"]\" }]]}}"},
        {JSON, "{\"created_at\":1}", "Content-Type: application/json\r\n", "{\"created_at\":2}"},
        {"Content-Type: application/problem+json; charset=utf-8\r\n", "{\"id\":1}",
         "Content-Type: application/problem+json; charset=utf-8\r\n", "{\"id\":2}"},
    };
    static const struct pair unlike[] = {
        {JSON, "{\"id\":1,\"a\":2}", JSON, "{\"id\":1,\"a\":3}"},
        {JSON, "{\"a\":\"id\",\"b\":1}", JSON, "{\"a\":\"id\",\"b\":2}"},
        {JSON, "{\"ID\":1}", JSON, "{\"ID\":2}"},
        {JSON, "{\"id2\":1}", JSON, "{\"id2\":2}"},
        {JSON, "{\"i\\u0064\":1}", JSON, "{\"i\\u0064\":2}"},
        {JSON, "{\"i\\u0064d\":1}", JSON, "{\"i\\u0064d\":2}"}, /* "idd" */
        {JSON, "{\"id\":1}", JSON, "{}"},
        {JSON, "[\"id\",1]", JSON, "[\"id\",2]"},
        {JSON, "{\"id\":1,\"n\":123456789012345678901}", JSON, "{\"id\":1,\"n\":123456789012345678902}"},
        {JSON, "{\"id\":1,\"n\":1.0}", JSON, "{\"id\":1,\"n\":1.00}"},
        /* not JSON: as it is */
        {"", "{\"id\":1}", "", "{\"id\":2}"},
        {JSON "Content-Encoding: gzip\r\n", "{\"id\":1}", JSON "Content-Encoding: gzip\r\n", "{\"id\":2}"},
        {JSON, "{\"id\":1", JSON, "{\"id\":2"},
        {JSON, "{\"id\":1}}", JSON, "{\"id\":2}}"},
        {JSON, "{\"id\":1}x", JSON, "{\"id\":2}x"},
        {JSON, "{\"id\":1,}", JSON, "{\"id\":2,}"},
        {JSON, "{\"id\" 1}", JSON, "{\"id\" 2}"},
        {JSON, "{\"id\":1]", JSON, "{\"id\":2]"},
        {JSON, "{\"id\":\"\n1\"}", JSON, "{\"id\":\"\n2\"}"},
        {JSON, "{\"id\":\"\\x1\"}", JSON, "{\"id\":\"\\x2\"}"},
        {JSON, "{\"id\":\"\\u12g1\"}", JSON, "{\"id\":\"\\u12g2\"}"},
        {JSON, "{'id':1}", JSON, "{'id':2}"},
        {JSON, "{\"id\":1}{\"id\":1}", JSON, "{\"id\":1}{\"id\":2}"},
        {JSON, "", JSON, "{}"},
    };
    (void)state;
    check_pairs(&some, alike, COUNT(alike), true);
    check_pairs(&some, unlike, COUNT(unlike), false);
}

/* "[[[...{"id":N}...]]]" */
static struct wal_answer nested(size_t depth, char number)
{
    CLEANUP_TEXT struct text text = {0};
    for (size_t i = 1; i < depth; i++)
        text_add(&text, "[");
    text_addf(&text, "{\"id\":%c}", number);
    for (size_t i = 1; i < depth; i++)
        text_add(&text, "]");
    return answer_of(&some, "200 OK", JSON, text.data);
}

static void test_depth(void **state)
{
    struct wal_answer one = nested(JSON_CUT_DEPTH_MAX, '1'), two = nested(JSON_CUT_DEPTH_MAX, '2');
    (void)state;
    assert_true(compare_same(FEED_COMPARE_BODY, &one, &two));
    one = nested(JSON_CUT_DEPTH_MAX + 1, '1');
    two = nested(JSON_CUT_DEPTH_MAX + 1, '2');
    assert_false(compare_same(FEED_COMPARE_BODY, &one, &two));
}

static void test_long_names(void **state)
{
    char name[FEED_FIELD_MAX + 2], content[2][200];
    char names[1][FEED_FIELD_MAX + 1] = {""};
    (void)state;
    memset(name, 'n', sizeof name);
    for (size_t length = FEED_FIELD_MAX; length <= FEED_FIELD_MAX + 1; length++) {
        memcpy(names[0], name, FEED_FIELD_MAX);
        struct compare_rules rules = {
            .compare = FEED_COMPARE_BODY, .ignore = (const char(*)[FEED_FIELD_MAX + 1]) names, .ignore_count = 1};
        for (int i = 0; i < 2; i++)
            snprintf(content[i], sizeof content[i], "{\"%.*s\":%d}", (int)length, name, i);
        struct pair pair = {JSON, content[0], JSON, content[1]};
        assert_int_equal(same(&rules, &pair), length == FEED_FIELD_MAX);
    }
}

static void test_samples(void **state)
{
    static const char hostile[] = "a\0b\x1b[2J\n\xff\tc";
    char long_one[2 * WAL_SAMPLE_MAX];
    (void)state;
    struct wal_answer answer = take(&status, "409 No", "", hostile, sizeof hostile - 1, 3);
    assert_string_equal(answer.sample, "a?b?[2J??\tc");
    assert_int_equal(answer.length, sizeof hostile - 1);
    assert_int_equal(answer.status, 409);
    memset(long_one, 'x', sizeof long_one);
    answer = take(&status, "200 OK", "", long_one, sizeof long_one, 100);
    assert_int_equal(strlen(answer.sample), WAL_SAMPLE_MAX);
    assert_int_equal(answer.length, sizeof long_one);
}

/* Where the bodies are equal, what differs is in a field. */
static void test_fields_in_samples(void **state)
{
    char fields[4 * WAL_SAMPLE_MAX];
    (void)state;
    struct wal_answer answer = answer_of(&body, "200 OK", "Date: 1\r\nX-Release: v2\r\n" JSON, "{}\r\n");
    assert_string_equal(answer.sample, "X-Release: v2; {}");
    answer = answer_of(&some, "200 OK", "X-Request-Id: 9\r\nA: b\r\n", "x");
    assert_string_equal(answer.sample, "A: b; x");
    answer = answer_of(&status, "200 OK", "X-Release: v2\r\n", "{}\n");
    assert_string_equal(answer.sample, "{}");
    /* The content keeps its half. */
    snprintf(fields, sizeof fields, "X: %0*d\r\n", 2 * WAL_SAMPLE_MAX, 0);
    answer = answer_of(&body, "200 OK", fields, "end");
    assert_int_equal(strlen(answer.sample), WAL_SAMPLE_MAX / 2 + 3);
    assert_string_equal(answer.sample + WAL_SAMPLE_MAX / 2, "end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_status),         cmocka_unit_test(test_by_body),
        cmocka_unit_test(test_ignored),           cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long_names),        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_fields_in_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
