/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace's TCP counters: columns of two lines, and the namespace of whoever opened the files. */
#include "zone/counters.h"
#include "zone/zone.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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

static void test_lines(void **state)
{
    static const char lines[] = "Udp6InDatagramsX 5\nUdp6InDatagrams                 \t12\nUdp6NoPorts \tx\nLast 7";
    uint64_t number = 0;
    assert_true(counters_find_line(lines, "Udp6InDatagrams", &number));
    assert_int_equal(number, 12);
    assert_true(counters_find_line(lines, "Last", &number));
    assert_int_equal(number, 7);
    assert_false(counters_find_line(lines, "Udp6NoPorts", &number));
    assert_false(counters_find_line(lines, "Udp6", &number));
    assert_false(counters_find_line("", "Last", &number));
}

/* They outlive whoever counted them. */
static void test_own_connections(void **state)
{
    char path[] = "/tmp/bluegreen-own-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(counters_own(path, 0), 0);
    assert_int_equal(counters_own(path, 2), 2);
    assert_int_equal(counters_own(path, 3), 5);
    assert_int_equal(counters_own(path, 0), 5);
    unlink(path);
    assert_int_equal(counters_own(path, 0), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(counters_own(path, 1), 1);
    assert_int_equal(counters_own(path, 0), 1);
    unlink(path);
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
    assert_int_equal(files.snmp6, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_own_connections),
        cmocka_unit_test(test_files_are_opened_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
