/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace's TCP counters: columns of two lines, and the namespace of whoever opened the files. */
#include "zone/counters.h"
#include "zone/zone.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const char content[] = "Ip: Forwarding DefaultTTL OutRsts\nIp: 1 64 99\n"
                              "Tcp: RtoAlgorithm MaxConn EstabResets OutRsts InCsumErrors\nTcp: 1 -1 4 17 0\n"
                              "TcpX: OutRsts\nTcpX: 5\n";

static void test_columns(void **state)
{
    uint64_t number = 0;
    assert_true(counters_find(content, "Tcp", "OutRsts", &number));
    assert_int_equal(number, 17);
    assert_true(counters_find(content, "Tcp", "InCsumErrors", &number));
    assert_int_equal(number, 0);
    assert_true(counters_find(content, "TcpX", "OutRsts", &number));
    assert_int_equal(number, 5);
}

static void test_what_is_not_there(void **state)
{
    uint64_t number = 3;
    assert_false(counters_find(content, "Tcp", "OutRst", &number));
    assert_false(counters_find(content, "Tcp", "DefaultTTL", &number));
    assert_false(counters_find(content, "Udp", "OutRsts", &number));
    assert_false(counters_find(content, "Tcp", "MaxConn", &number)); /* -1 is no count */
    assert_false(counters_find("", "Tcp", "OutRsts", &number));
    assert_false(counters_find("Tcp: OutRsts\n", "Tcp", "OutRsts", &number));
    assert_false(counters_find("Tcp: A OutRsts\nTcp: 1\n", "Tcp", "OutRsts", &number));
    assert_false(counters_find("Tcp: OutRsts\nTcp: 99999999999999999999\n", "Tcp", "OutRsts", &number));
    assert_false(counters_find("Tcp: OutRsts\nTcp: 12x\n", "Tcp", "OutRsts", &number));
}

static void test_files_are_opened_once(void **state)
{
    struct zone_counters counters;
    struct counter_files files = COUNTER_FILES_NONE;
    files.snmp = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
    files.netstat = open("/proc/thread-self/net/netstat", O_RDONLY | O_CLOEXEC);
    if (files.snmp < 0 || files.netstat < 0)
        skip();
    for (int i = 0; i < 3; i++) /* no namespace is entered: there is none to enter */
        assert_int_equal(counters_read(&files, -1, &counters, NULL), 0);
    counters_close(&files);
    assert_int_equal(files.snmp, -1);
    assert_int_equal(files.netstat, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_files_are_opened_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
