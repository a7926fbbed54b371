/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/varlink: framing, strict parsing, writing. */
#include "api/varlink.h"

#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Puts bytes in as if they had arrived; false if there was no room for all. */
static bool feed(struct varlink_reader *reader, const char *bytes, size_t length)
{
    char *to;
    size_t size;
    assert_int_equal(varlink_reader_room(reader, &to, &size), 0);
    if (size < length)
        return false;
    memcpy(to, bytes, length);
    varlink_reader_added(reader, length);
    return true;
}

static void assert_next(struct varlink_reader *reader, const char *expected)
{
    size_t length = 99999;
    const char *message = varlink_reader_next(reader, &length);
    if (!expected) {
        assert_null(message);
        return;
    }
    assert_non_null(message);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(message, expected); /* NUL-terminated too */
}

static void test_whole_message(void **state)
{
    (void)state;
    struct varlink_reader reader = {0};
    assert_next(&reader, NULL);
    assert_true(feed(&reader, "hello", 6));
    assert_false(varlink_reader_empty(&reader));
    assert_next(&reader, "hello");
    assert_true(varlink_reader_empty(&reader));
    assert_next(&reader, NULL);
    assert_null(reader.bytes); /* no memory while there is nothing */
}

static void test_every_split(void **state)
{
    (void)state;
    static const char stream[] = "one\0two\0\0three"; /* the literal's own NUL ends the last */
    for (size_t split = 0; split <= sizeof stream; split++) {
        struct varlink_reader reader = {0};
        const char *expected[] = {"one", "two", "", "three"};
        size_t length, seen = 0;
        const char *message;
        assert_true(feed(&reader, stream, split));
        for (int part = 0; part < 2; part++) {
            while ((message = varlink_reader_next(&reader, &length)) != NULL) {
                assert_true(seen < 4);
                assert_string_equal(message, expected[seen++]);
            }
            if (part == 0)
                assert_true(feed(&reader, stream + split, sizeof stream - split));
        }
        assert_int_equal(seen, 4);
        varlink_reader_clear(&reader);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct varlink_reader reader = {0};
    char message[300];
    memset(message, 'x', sizeof message);
    message[sizeof message - 1] = '\0';
    for (size_t i = 0; i + 1 < sizeof message; i++) {
        assert_true(feed(&reader, &message[i], 1));
        assert_next(&reader, NULL);
        assert_false(varlink_reader_overlong(&reader));
    }
    assert_true(feed(&reader, "", 1));
    assert_next(&reader, message);
    varlink_reader_clear(&reader);
}

static void test_longest_message(void **state)
{
    (void)state;
    struct varlink_reader reader = {0};
    char *message = malloc(VARLINK_MESSAGE_MAX);
    memset(message, 'y', VARLINK_MESSAGE_MAX);
    message[VARLINK_MESSAGE_MAX - 1] = '\0';
    assert_true(feed(&reader, message, VARLINK_MESSAGE_MAX));
    assert_false(varlink_reader_overlong(&reader)); /* nothing has been looked for yet */
    assert_next(&reader, message);
    assert_next(&reader, NULL);
    message[VARLINK_MESSAGE_MAX - 1] = 'y';
    assert_true(feed(&reader, message, VARLINK_MESSAGE_MAX));
    assert_next(&reader, NULL);
    assert_true(varlink_reader_overlong(&reader));
    assert_false(feed(&reader, "z", 1));
    varlink_reader_clear(&reader);
    free(message);
}

/* What is consumed makes room again, also when a message lies across the end of the buffer. */
static void test_room_comes_back(void **state)
{
    (void)state;
    struct varlink_reader reader = {0};
    char part[VARLINK_MESSAGE_MAX * 3 / 4];
    memset(part, 'a', sizeof part);
    part[sizeof part - 1] = '\0';
    for (int round = 0; round < 5; round++) {
        assert_true(feed(&reader, part, sizeof part));
        assert_true(feed(&reader, "begin", 5));
        assert_false(feed(&reader, part, sizeof part));
        assert_next(&reader, part);
        assert_next(&reader, NULL);
        assert_true(feed(&reader, "end", 4));
        assert_next(&reader, "beginend");
    }
    varlink_reader_clear(&reader);
}

/* --- calls ----------------------------------------------------------------------------------------------- */

static int parse(const char *message, struct varlink_call *call, struct error *err)
{
    return varlink_call_parse(message, strlen(message), call, err);
}

static void test_call(void **state)
{
    (void)state;
    struct varlink_call call;
    struct error err = {0};
    assert_int_equal(
        parse(" {\"method\":\"a.B\",\"parameters\":{\"x\":1},\"more\":true,\"oneway\":false} ", &call, &err), 0);
    assert_string_equal(call.method, "a.B");
    assert_true(call.more);
    assert_false(call.oneway);
    assert_false(call.upgrade);
    assert_int_equal(json_object_object_length(call.parameters), 1);
    varlink_call_clear(&call);
    assert_null(call.message);
    assert_int_equal(parse("{\"method\":\"a.B\"}", &call, &err), 0);
    assert_null(call.parameters);
    varlink_call_clear(&call);
    struct json_object *word;
    assert_int_equal(parse("{\"method\":\"a.B\",\"parameters\":{\"x\":\"\xc3\xa9 \xf0\x9f\x94\xb5\"}}", &call, &err),
                     0);
    assert_true(json_object_object_get_ex(call.parameters, "x", &word));
    assert_string_equal(json_object_get_string(word), "\xc3\xa9 \xf0\x9f\x94\xb5");
    varlink_call_clear(&call);
    assert_int_equal(parse("{\"oneway\":true,\"method\":\"a.B\",\"parameters\":null,\"upgrade\":true}", &call, NULL),
                     0);
    assert_true(call.oneway && call.upgrade);
    varlink_call_clear(&call);
}

static void test_bad_calls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "\n",
        "x",
        "{",
        "}",
        "[",
        "null",
        "true",
        "1",
        "12e",
        "-",
        "\"text\"",
        "[]",
        "[{\"method\":\"a.B\"}]",
        "{}",
        "{\"method\"}",
        "{\"method\":}",
        "{\"method\":1}",
        "{\"method\":null}",
        "{\"method\":[\"a.B\"]}",
        "{\"method\":\"a.B\"",
        "{\"method\":\"a.B\",}",
        "{'method':'a.B'}",
        "{method:\"a.B\"}",
        "{\"method\":\"a.B\"}}",
        "{\"method\":\"a.B\"}{\"method\":\"a.B\"}",
        "{\"method\":\"a.B\"} x",
        "/* comment */{\"method\":\"a.B\"}",
        "{\"method\":\"a.B\",\"parameters\":[]}",
        "{\"method\":\"a.B\",\"parameters\":\"x\"}",
        "{\"method\":\"a.B\",\"more\":1}",
        "{\"method\":\"a.B\",\"more\":\"true\"}",
        "{\"method\":\"a.B\",\"more\":null}",
        "{\"method\":\"a.B\",\"oneway\":{}}",
        "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
        "{\"method\":\"a.B\",\"surprise\":1}",
        "{\"method\":\"a.B\\u0000.C\"}",
        "{\"method\":\"a\xff.B\"}",
        "{\"method\":\"a.B\",\"parameters\":{\"x\":\"\\\xc3\xa9\"}}",
        "{\"method\":\"a.B\",\"parameters\":{\"x\":\"\xc3\"}}",
        "{\"method\":\"a.B\",\"parameters\":{\"x\":\"\xc0\xaf\"}}",
        "{\"method\":\"a.B\",\"parameters\":{\"\xf0\x9f\":1}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct varlink_call call = {.method = "left over"};
        struct error err = {0};
        int result = parse(bad[i], &call, &err);
        if (result == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(result, -EBADMSG);
        assert_true(err.text[0]);
        assert_null(call.message);
        assert_null(call.method);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (int depth = 1; depth < 3000; depth += depth < 40 ? 1 : 500) {
        struct text message = {0};
        text_add(&message, "{\"method\":\"a.B\",\"parameters\":{\"x\":");
        for (int i = 0; i < depth; i++)
            text_add(&message, "[");
        for (int i = 0; i < depth; i++)
            text_add(&message, "]");
        text_add(&message, "}}");
        struct varlink_call call;
        struct error err = {0};
        int result = varlink_call_parse(message.data, message.length, &call, &err);
        if (depth <= VARLINK_DEPTH_MAX - 4)
            assert_int_equal(result, 0);
        if (depth > VARLINK_DEPTH_MAX)
            assert_int_equal(result, -EBADMSG);
        if (result == 0)
            varlink_call_clear(&call);
        text_clear(&message);
    }
}

/* Bytes that were a call before some of them changed: nothing but 0 or -EBADMSG, and nothing leaks. */
static void test_damaged_calls(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"method\":\"io.bluegreen.Agent.Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v\\u00e9\","
        "\"force\":true},\"more\":true}";
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        char message[sizeof whole];
        memcpy(message, whole, sizeof whole);
        for (int i = 0; i < 1 + round % 4; i++) {
            seed = seed * 1664525u + 1013904223u; /* Numerical Recipes */
            message[(seed >> 8) % (sizeof whole - 1)] = (char)(seed >> 24);
        }
        struct varlink_call call;
        struct error err = {0};
        int result = varlink_call_parse(message, strlen(message), &call, &err);
        assert_true(result == 0 || result == -EBADMSG);
        if (result == 0)
            varlink_call_clear(&call);
    }
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static void assert_written(struct text *output, const char *expected)
{
    assert_false(output->failed);
    assert_int_equal(output->length, strlen(expected) + 1); /* with its NUL */
    assert_string_equal(output->data, expected);
    text_clear(output);
}

static void test_writing(void **state)
{
    (void)state;
    struct text output = {0}, items = {0};
    varlink_reply(&output, NULL, false);
    assert_written(&output, "{\"parameters\":{}}");
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "path", json_object_new_string("/a \"b\"\n"));
    varlink_reply(&output, object, true);
    assert_written(&output, "{\"parameters\":{\"path\":\"/a \\\"b\\\"\\n\"},\"continues\":true}");
    varlink_error(&output, "a.B", NULL);
    assert_written(&output, "{\"error\":\"a.B\",\"parameters\":{}}");
    varlink_reply_list(&output, "apps", &items);
    assert_written(&output, "{\"parameters\":{\"apps\":[]}}");
    varlink_write(&items, json_object_new_int(1));
    text_add(&items, ",");
    varlink_write(&items, json_object_new_int(2));
    varlink_reply_list(&output, "apps", &items);
    assert_written(&output, "{\"parameters\":{\"apps\":[1,2]}}");
    items.failed = true;
    varlink_reply_list(&output, "apps", &items);
    assert_true(output.failed); /* half a list is never sent as a whole one */
    text_clear(&output);
    text_clear(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_message),   cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_byte_by_byte),    cmocka_unit_test(test_longest_message),
        cmocka_unit_test(test_room_comes_back), cmocka_unit_test(test_call),
        cmocka_unit_test(test_bad_calls),       cmocka_unit_test(test_depth),
        cmocka_unit_test(test_damaged_calls),   cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
