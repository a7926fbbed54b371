/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Journal records: exactly what is written is read, and nothing else. */
#include "model/record.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct record make(enum record_kind kind)
{
    struct record record;
    record_init(&record, kind, "web");
    record.sequence = 7;
    record.unix_ms = 1700000000123;
    return record;
}

static void check_line(const struct record *record, const char *body)
{
    CLEANUP_TEXT struct text line = {0}, expected = {0};
    record_format(record, &line);
    text_addf(&expected, "%08" PRIx32 " %s\n", crc32c(body, strlen(body)), body);
    assert_string_equal(line.data, expected.data);
    struct record back;
    assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), 0);
    assert_memory_equal(&back, record, sizeof back);
}

static void test_every_kind(void **state)
{
    struct record record = make(RECORD_APP);
    record.index = 12;
    check_line(&record, "7 1700000000123 app app=web index=12");
    record = make(RECORD_ZONE);
    record.zone = GREEN;
    record.state = ZONE_FAILED;
    strcpy(record.release, "v1.4");
    strcpy(record.reason, "exit 1");
    check_line(&record, "7 1700000000123 zone app=web zone=green state=failed release=v1.4 until=0 reason=exit%201 "
                        "operation=0");
    record.state = ZONE_DRAINING;
    record.until_unix_ms = 1700000030123;
    record.operation = 5;
    check_line(&record, "7 1700000000123 zone app=web zone=green state=draining release=v1.4 until=1700000030123 "
                        "reason=exit%201 operation=5");
    record = make(RECORD_LIVE);
    record.zone = BLUE;
    check_line(&record, "7 1700000000123 live app=web zone=blue");
    record.zone = -1;
    check_line(&record, "7 1700000000123 live app=web zone=none");
    record = make(RECORD_BEGIN);
    record.verb = VERB_DEPLOY;
    record.to = BLUE;
    strcpy(record.release, "v2");
    strcpy(record.who, "alice (uid 1000)");
    check_line(&record,
               "7 1700000000123 begin app=web verb=deploy from=none to=blue release=v2 who=alice%20(uid%201000) "
               "operation=0");
    record.kind = RECORD_END;
    record.begun_unix_ms = 1699999999999;
    record.done = true;
    check_line(&record, "7 1700000000123 end app=web verb=deploy from=none to=blue release=v2 who=alice%20(uid%201000) "
                        "begun=1699999999999 done=1 reason= operation=0 steps= transaction=0 before=0 after=0 ms=0");
    record.operation = 5;
    strcpy(record.steps, "build:12,start:3");
    record.transaction_us = 340;
    record.generation_before = 8;
    record.generation_after = 9;
    record.ms = 615;
    check_line(&record, "7 1700000000123 end app=web verb=deploy from=none to=blue release=v2 who=alice%20(uid%201000) "
                        "begun=1699999999999 done=1 reason= operation=5 steps=build:12,start:3 transaction=340 "
                        "before=8 after=9 ms=615");
    record = make(RECORD_APP_STATE);
    record.app_state = APP_STOPPED;
    check_line(&record, "7 1700000000123 state app=web state=stopped");
    record = make(RECORD_REMOVED);
    check_line(&record, "7 1700000000123 removed app=web");
    record = make(RECORD_INCIDENT);
    record.zone = BLUE;
    record.incident = INCIDENT_MEMORY;
    strcpy(record.release, "v2");
    strcpy(record.reason, "512 MiB");
    check_line(&record,
               "7 1700000000123 incident app=web zone=blue incident=out-of-memory release=v2 reason=512%20MiB");
}

static void test_bakes_and_marks(void **state)
{
    struct record record = make(RECORD_BAKE);
    record.zone = GREEN;
    record.until_unix_ms = 1700000300123;
    record.restarts = 2;
    record.oom_kills = 1;
    record.overflows = 5000000000;
    strcpy(record.reason, "2 exits");
    check_line(&record, "7 1700000000123 bake app=web zone=green until=1700000300123 restarts=2 kills=1 "
                        "overflows=5000000000 reason=2%20exits");
    record = make(RECORD_MARK);
    record.zone = BLUE;
    record.mark = MARK_LEFT;
    check_line(&record, "7 1700000000123 mark app=web zone=blue mark=left reason=");
    record.mark = MARK_BAD;
    strcpy(record.reason, "slow");
    check_line(&record, "7 1700000000123 mark app=web zone=blue mark=bad reason=slow");
    record.mark = MARK_NONE;
    record.reason[0] = '\0';
    memset(record.reason, 0, sizeof record.reason);
    check_line(&record, "7 1700000000123 mark app=web zone=blue mark=none reason=");
}

static void test_locks(void **state)
{
    struct record record = make(RECORD_LOCK);
    record.begun_unix_ms = 1700000000000;
    strcpy(record.who, "alice (uid 1000)");
    strcpy(record.reason, "moving the host");
    check_line(&record, "7 1700000000123 lock app=web who=alice%20(uid%201000) begun=1700000000000 "
                        "reason=moving%20the%20host");
    record = make(RECORD_LOCK);
    check_line(&record, "7 1700000000123 lock app=web who= begun=0 reason=");
    assert_false(record_is_history(&record));
}

static void test_schemas(void **state)
{
    struct record record = make(RECORD_SCHEMA);
    record.schema = (struct schema){.state = SCHEMA_EXPANDED,
                                    .command = SCHEMA_VERIFY,
                                    .version = 2,
                                    .base = 1,
                                    .expanded = 2,
                                    .contracted = 1,
                                    .verified_unix_ms = 1700000300123,
                                    .contracted_unix_ms = 1600000000000};
    record.begun_unix_ms = 1700000300000;
    strcpy(record.release, "v2");
    strcpy(record.schema.verified, "v1");
    strcpy(record.who, "root");
    check_line(&record, "7 1700000000123 schema app=web release=v2 who=root "
                        "schema=expanded/verify/2/1/2/1/1700000300123/1600000000000 verified=v1 begun=1700000300000 "
                        "reason=");
}

static void test_releases(void **state)
{
    struct record record = make(RECORD_RELEASES);
    record.begun_unix_ms = 1700000300000;
    strcpy(record.release, "v2");
    strcpy(record.who, "root");
    check_line(&record, "7 1700000000123 releases app=web release=v2 who=root begun=1700000300000");
    memset(record.release, 0, sizeof record.release);
    check_line(&record, "7 1700000000123 releases app=web release= who=root begun=1700000300000");
}

static void test_what_belongs_to_an_operation(void **state)
{
    struct record record = make(RECORD_DRAINED);
    record.zone = BLUE;
    record.operation = 5;
    record.drained = 12;
    record.cut = 3;
    record.left = 1;
    record.ms = 30000;
    record.nudged = 7;
    check_line(&record,
               "7 1700000000123 drained app=web zone=blue operation=5 drained=12 cut=3 left=1 ms=30000 nudged=7");
    record.drained = record.nudged = 0; /* another agent had begun it */
    record.drained_unknown = true;
    check_line(&record, "7 1700000000123 drained app=web zone=blue operation=5 drained=unknown cut=3 left=1 ms=30000 "
                        "nudged=unknown");
    record = make(RECORD_SERVING);
    record.zone = GREEN;
    record.begun_unix_ms = 1700000000000;
    record.connections = -17;
    record.datagrams = 4;
    check_line(&record, "7 1700000000123 serving app=web zone=green begun=1700000000000 connections=-17 datagrams=4");
    record = make(RECORD_SERVED);
    record.zone = GREEN;
    strcpy(record.release, "v2");
    record.begun_unix_ms = 1700000000000;
    record.operation = 9;
    record.connections = 1204;
    check_line(&record, "7 1700000000123 served app=web zone=green release=v2 begun=1700000000000 operation=9 "
                        "connections=1204 datagrams=0 requests=unknown");
    record.requests_known = true;
    record.requests = 5000000000;
    check_line(&record, "7 1700000000123 served app=web zone=green release=v2 begun=1700000000000 operation=9 "
                        "connections=1204 datagrams=0 requests=5000000000");
}

static void test_canary(void **state)
{
    struct record record = make(RECORD_CANARY);
    record.zone = GREEN;
    record.share = 10;
    record.sticky = true;
    record.begun_unix_ms = 1700000000000;
    record.operation = 9;
    record.restarts = 1;
    check_line(&record, "7 1700000000123 canary app=web zone=green begun=1700000000000 until=0 restarts=1 kills=0 "
                        "overflows=0 reason= operation=9 share=10 sticky=1");
    record = make(RECORD_CANARY);
    record.zone = GREEN;
    strcpy(record.reason, "it failed");
    check_line(&record, "7 1700000000123 canary app=web zone=green begun=0 until=0 restarts=0 kills=0 overflows=0 "
                        "reason=it%20failed operation=0 share=0 sticky=0");
    record.begun_unix_ms = 1700000000000; /* it is drained */
    record.until_unix_ms = 1700000030000;
    record.operation = 9;
    check_line(&record, "7 1700000000123 canary app=web zone=green begun=1700000000000 until=1700000030000 restarts=0 "
                        "kills=0 overflows=0 reason=it%20failed operation=9 share=0 sticky=0");
}

/* The output is wherever the line is, and comes out as it went in. */
static void check_hook(const char *output)
{
    CLEANUP_TEXT struct text encoded = {0}, line = {0}, again = {0};
    char decoded[RECORD_OUTPUT_MAX + 1];
    struct record record = make(RECORD_HOOK), back;
    record.zone = BLUE;
    record.hook = HOOK_PRE_SWITCH;
    record.operation = 5;
    record.ms = 20;
    strcpy(record.reason, "exit status 3");
    record_encode_output(output, &encoded);
    record.output = encoded.data;
    record.output_length = encoded.length;
    record_format(&record, &line);
    assert_true(line.length < RECORD_LINE_MAX);
    assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), 0);
    assert_true(back.output >= line.data && back.output + back.output_length <= line.data + line.length);
    record_decode_output(&back, decoded);
    assert_string_equal(decoded, output);
    record_format(&back, &again); /* as compacting does */
    assert_string_equal(again.data, line.data);
}

static void test_hooks(void **state)
{
    char longest[RECORD_OUTPUT_MAX + 1];
    check_hook("");
    check_hook("one line");
    check_hook("a=b 100%\nsecond line\n");
    memset(longest, '\n', RECORD_OUTPUT_MAX);
    longest[RECORD_OUTPUT_MAX] = '\0';
    check_hook(longest);
}

/* As the first version wrote them. */
static void test_older_records(void **state)
{
    static const char *const bodies[] = {
        "7 1 begin app=web verb=deploy from=none to=blue release=v1 who=root",
        "7 1 end app=web verb=deploy from=none to=blue release=v1 who=root begun=1 done=1 reason=",
        "7 1 zone app=web zone=blue state=draining release=v1 reason=",
        "7 1 canary app=web zone=blue begun=0 restarts=0 kills=0 overflows=0 reason= operation=0 share=0 sticky=0",
        "7 1 drained app=web zone=blue operation=0 drained=4 cut=0 left=0 ms=0",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        CLEANUP_TEXT struct text line = {0};
        struct record record;
        text_addf(&line, "%08" PRIx32 " %s", crc32c(bodies[i], strlen(bodies[i])), bodies[i]);
        assert_int_equal(record_parse(line.data, line.length, &record, NULL), 0);
        assert_int_equal(record.operation, 0);
        assert_string_equal(record.steps, "");
        assert_int_equal(record.transaction_us, 0);
        assert_int_equal(record.ms, 0);
        assert_int_equal(record.until_unix_ms, 0);
    }
}

static void test_values_are_encoded(void **state)
{
    struct record record = make(RECORD_ZONE);
    record.zone = BLUE;
    strcpy(record.reason, "a=b %41\n\t\x7f gr\xc3\xbc\xc3\x9f");
    check_line(&record, "7 1700000000123 zone app=web zone=blue state=absent release= until=0 "
                        "reason=a%3Db%20%2541%0A%09%7F%20gr\xc3\xbc\xc3\x9f operation=0");
}

static void test_longest_record_fits(void **state)
{
    CLEANUP_TEXT struct text line = {0};
    struct record record = make(RECORD_END), back;
    memset(record.app, 'a', APP_NAME_MAX);
    memset(record.release, 'r', RELEASE_NAME_MAX);
    memset(record.who, '=', WIRE_WHO_MAX);
    memset(record.reason, '\n', WIRE_TEXT_MAX);
    record.sequence = record.unix_ms = record.begun_unix_ms = UINT64_MAX;
    record.verb = VERB_ROLLBACK;
    record.from = record.to = GREEN;
    memset(record.steps, '%', RECORD_STEPS_MAX);
    record.operation = UINT64_MAX;
    record.transaction_us = record.generation_before = record.generation_after = UINT32_MAX;
    record_format(&record, &line);
    assert_true(line.length < 3000);
    assert_true(line.length < RECORD_LINE_MAX);
    assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), 0);
    assert_memory_equal(&back, &record, sizeof back);
}

static void test_every_byte_is_checked(void **state)
{
    CLEANUP_TEXT struct text line = {0};
    struct record record = make(RECORD_BEGIN), back;
    strcpy(record.who, "root");
    record_format(&record, &line);
    for (size_t i = 0; i + 1 < line.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            line.data[i] ^= (char)(1 << bit);
            assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), -EBADMSG);
            line.data[i] ^= (char)(1 << bit);
        }
    }
    for (size_t length = 0; length + 1 < line.length; length++)
        assert_int_equal(record_parse(line.data, length, &back, NULL), -EBADMSG);
}

/* Lines with a right check sum, as a hostile hand or another version would write them. */
static void test_whole_but_wrong(void **state)
{
    static const char *const bodies[] = {
        "",
        "7",
        "7 1",
        "0 1 app app=web index=1",
        "x 1 app app=web index=1",
        "-7 1 app app=web index=1",
        "18446744073709551616 1 app app=web index=1",
        "7 x app app=web index=1",
        "7 1 future app=web",
        "7 1 app",
        "7 1 app ",
        "7 1 app app=web",
        "7 1 app index=1 app=web",
        "7 1 app app=web index=1 ",
        "7 1 app app=web index=1 index=2",
        "7 1 app app=web index=16383", /* its zones would have no number */
        "7 1 app app=web  index=1",
        "7 1 app app=web index=",
        "7 1 app app=web index=65536",
        "7 1 app app=web index=-1",
        "7 1 app app= index=1",
        "7 1 app app=Web index=1",
        "7 1 app app=../x index=1",
        "7 1 app app=abcdefghijklmnopqrstuvwxyz012345 index=1",
        "7 1 mark app=web zone=none mark=bad reason=",
        "7 1 mark app=web zone=blue mark=worse reason=",
        "7 1 mark app=web zone=blue mark= reason=",
        "7 1 bake app=web zone=none until=1 restarts=0 kills=0 overflows=0 reason=",
        "7 1 bake app=web zone=blue until=-1 restarts=0 kills=0 overflows=0 reason=",
        "7 1 bake app=web zone=blue until=1 restarts=4294967296 kills=0 overflows=0 reason=",
        "7 1 bake app=web zone=blue until=1 restarts=0 overflows=0 kills=0 reason=",
        "7 1 live app=web zone=red",
        "7 1 live app=web zone=",
        "7 1 zone app=web zone=none state=live release= reason=",
        "7 1 zone app=web zone=blue state=dead release= reason=",
        "7 1 zone app=web zone=blue state=live release=../x reason=",
        "7 1 zone app=web zone=blue state=live release=a%2Fb reason=",
        "7 1 zone app=web zone=blue state=live release= reason=%",
        "7 1 zone app=web zone=blue state=live release= reason=%0",
        "7 1 zone app=web zone=blue state=live release= reason=%00",
        "7 1 zone app=web zone=blue state=live release= reason=%41",
        "7 1 zone app=web zone=blue state=live release= reason=%0a",
        "7 1 zone app=web zone=blue state=live release= reason=a=b",
        "7 1 zone app=web zone=blue state=live release= reason=a\tb",
        "7 1 state app=web state=maybe",
        "7 1 begin app=web verb=explode from=none to=blue release= who=",
        "7 1 begin app=web verb=deploy from=up to=blue release= who=",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun=1 done=2 reason=",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun=1 done=10 reason=",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun= done=1 reason=",
        "7 1 removed app=web why=because",
        "7 1 begin app=web verb=deploy from=none to=blue release= who= operation=",
        "7 1 begin app=web verb=deploy from=none to=blue release= who= steps=",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun=1 done=1 reason= steps=a%",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun=1 done=1 reason= steps= operation=1",
        "7 1 end app=web verb=deploy from=none to=blue release= who= begun=1 done=1 reason= after=4294967296",
        "7 1 drained app=web zone=none operation=1 drained=0 cut=0 left=0 ms=0",
        "7 1 drained app=web zone=blue drained=0 cut=0 left=0 ms=0",
        "7 1 drained app=web zone=blue operation=1 drained=unknown cut=0 left=0 ms=0 nudged=1",
        "7 1 drained app=web zone=blue operation=1 drained=1 cut=0 left=0 ms=0 nudged=unknown",
        "7 1 hook app=web zone=blue release=v1 done=1 reason= operation=1 hook=nap ms=0 output=",
        "7 1 hook app=web zone=blue release=v1 done=1 reason= operation=1 hook=test ms=0 output=%",
        "7 1 hook app=web zone=blue release=v1 done=1 reason= operation=1 hook=test ms=0",
        "7 1 served app=web zone=blue release=v1 begun=1 operation=0 connections=-1 datagrams=0 requests=unknown",
        "7 1 served app=web zone=blue release=v1 begun=1 operation=0 connections=1 datagrams=0 requests=",
        "7 1 serving app=web zone=blue begun=1 connections=- datagrams=0",
        "7 1 canary app=web zone=blue begun=1 restarts=0 kills=0 overflows=0 reason= operation=1 share=100 sticky=0",
        "7 1 canary app=web zone=blue begun=1 restarts=0 kills=0 overflows=0 reason= operation=1 share=10 sticky=2",
        "7 1 canary app=web zone=none begun=1 restarts=0 kills=0 overflows=0 reason= operation=1 share=10 sticky=0",
        "7 1 serving app=web zone=blue begun=1 connections=-0 datagrams=0",
        "7 1 serving app=web zone=blue begun=1 connections=9223372036854775808 datagrams=0",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        CLEANUP_TEXT struct text line = {0};
        struct record record = make(RECORD_APP), before = record;
        text_addf(&line, "%08" PRIx32 " %s", crc32c(bodies[i], strlen(bodies[i])), bodies[i]);
        int result = record_parse(line.data, line.length, &record, NULL);
        if (result != -EPROTO && !(bodies[i][0] == '\0' && result == -EBADMSG))
            fail_msg("\"%s\" gave %d", bodies[i], result);
        assert_memory_equal(&record, &before, sizeof before);
    }
}

/* One byte more than its field holds, with a right check sum. */
static void test_values_that_are_too_long(void **state)
{
    static const struct {
        const char *head;
        int room;
        const char *tail;
    } fields[] = {
        {"7 1 zone app=web zone=blue state=live release= reason=", WIRE_TEXT_MAX, ""},
        {"7 1 zone app=web zone=blue state=live release=", RELEASE_NAME_MAX, " reason="},
        {"7 1 begin app=web verb=deploy from=none to=blue release= who=", WIRE_WHO_MAX, ""},
        {"7 1 removed app=", APP_NAME_MAX, ""},
    };
    char value[WIRE_TEXT_MAX + 2];
    memset(value, 'a', sizeof value);
    for (size_t i = 0; i < COUNT(fields); i++) {
        for (int more = 0; more < 2; more++) {
            CLEANUP_TEXT struct text body = {0}, line = {0};
            struct record record;
            text_addf(&body, "%s%.*s%s", fields[i].head, fields[i].room + more, value, fields[i].tail);
            text_addf(&line, "%08" PRIx32 " %s", crc32c(body.data, body.length), body.data);
            assert_int_equal(record_parse(line.data, line.length, &record, NULL), more ? -EPROTO : 0);
        }
    }
}

static void test_not_a_record(void **state)
{
    struct record record;
    CLEANUP_TEXT struct text line = {0};
    char longest[RECORD_LINE_MAX + 10];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(record_parse("", 0, &record, NULL), -EBADMSG);
    assert_int_equal(record_parse("00000000 ", 9, &record, NULL), -EBADMSG);
    assert_int_equal(record_parse(longest, sizeof longest, &record, NULL), -EBADMSG);
    const char body[] = "7 1 removed app=w\0b";
    text_addf(&line, "%08" PRIx32 " ", crc32c(body, sizeof body - 1));
    text_add_bytes(&line, body, sizeof body - 1);
    assert_int_equal(record_parse(line.data, line.length, &record, NULL), -EBADMSG);
}

static void test_upper_case_check_sum_is_refused(void **state)
{
    CLEANUP_TEXT struct text line = {0};
    struct record record = make(RECORD_APP), back;
    bool changed = false;
    for (record.index = 0; !changed; record.index++) { /* until the sum has a letter in it */
        text_clear(&line);
        record_format(&record, &line);
        for (int i = 0; i < 8; i++) {
            if (line.data[i] >= 'a') {
                line.data[i] = (char)(line.data[i] - 'a' + 'A');
                changed = true;
            }
        }
    }
    assert_int_equal(record_parse(line.data, line.length - 1, &back, NULL), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_bakes_and_marks),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_releases),
        cmocka_unit_test(test_what_belongs_to_an_operation),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_older_records),
        cmocka_unit_test(test_values_are_encoded),
        cmocka_unit_test(test_longest_record_fits),
        cmocka_unit_test(test_every_byte_is_checked),
        cmocka_unit_test(test_whole_but_wrong),
        cmocka_unit_test(test_values_that_are_too_long),
        cmocka_unit_test(test_not_a_record),
        cmocka_unit_test(test_upper_case_check_sum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
