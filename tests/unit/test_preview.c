/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [preview]: its ports and clients, which of [ports] they lead to, and what an app claims with them. */
#include "base/cleanup.h"
#include "conf/conf.h"
#include "model/grammar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char head[] = "[app]\nname = web\nuser = web\nrun = /srv/web/bin\n"
                           "[ports]\ndns = 53 -> 5300/udp keep\nhttp = 80 -> 8080/tcp\nadmin = 81 -> 9090/tcp\n"
                           "media = 8000-8003 -> 9000-9003/tcp\n[preview]\n";

static int parse(const char *lines, struct service *service, struct words *problems)
{
    CLEANUP_TEXT struct text file = {0};
    text_addf(&file, "%s%s\n", head, lines);
    return conf_parse_app("apps/web.conf", file.data, file.length, service, problems);
}

static void check(const char *line, size_t at, const char *listen, uint16_t target, enum protocol protocol)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    char text[PORT_LISTEN_TEXT_MAX];
    if (parse(line, &service, &problems) < 0)
        fail_msg("%s: %s", line, problems.items[0]);
    assert_true(at < service.preview.port_count);
    const struct port *port = &service.preview.ports[at];
    assert_string_equal(port_listen_format(port, text), listen);
    assert_int_equal(port->target, target);
    assert_int_equal(port->protocol, protocol);
    assert_int_equal(port->udp, protocol == PROTOCOL_UDP ? UDP_KEEP : UDP_MOVE);
    assert_ptr_equal(service_claim(&service, service.port_count + at), port);
    assert_null(service_claim(&service, service.port_count + service.preview.port_count));
}

static void test_ports_lead_to_those_of_the_app(void **state)
{
    check("port = 8081", 0, "8081", 8080, PROTOCOL_TCP);
    check("port = 198.51.100.7:8081 | [2001:db8::7]:8082 -> admin", 1, "[2001:db8::7]:8082", 9090, PROTOCOL_TCP);
    check("port = 5353->dns", 0, "5353", 5300, PROTOCOL_UDP);
    check("port = 8010-8013 -> media", 0, "8010-8013", 9000, PROTOCOL_TCP);
}

static void check_refused(const char *line, const char *why)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    assert_int_equal(parse(line, &service, &problems), -EINVAL);
    assert_int_equal(problems.count, 1);
    if (!strstr(problems.items[0], why))
        fail_msg("%s: %s", line, problems.items[0]);
}

static void test_ports_that_cannot_be(void **state)
{
    check_refused("port = 8081 -> other", "[preview] port: there is no port other in [ports]");
    check_refused("port = 80", "[preview] port: claims 80/tcp, which [ports] http claims too");
    check_refused("port = 8081 | 198.51.100.7:8081", "claims 198.51.100.7:8081/tcp, which [preview] port claims too");
    check_refused("port = 8002", "which [ports] media claims too");
    check_refused("port = 8081 -> media", "8081 is for 1 ports and [ports] media for 4");
    check_refused("port = 8081 ->", "no port's name behind '->'");
    check_refused("port = 0", "is not a port number");
    check_refused("port = 8081 | ", "nothing between");
    check_refused("port = 0.0.0.0:8081", "means every address");
}

static void test_a_port_needs_one_to_lead_to(void **state)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    static const char file[] = "[app]\nname = web\nuser = web\nrun = /srv/web/bin\n[ports]\ndns = 53 -> 53/udp\n"
                               "[preview]\nport = 8081\n";
    assert_int_equal(conf_parse_app("web.conf", file, sizeof file - 1, &service, &problems), -EINVAL);
    assert_non_null(strstr(problems.items[0], "it leads to the first TCP port of [ports], and there is none"));
}

static void test_clients(void **state)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    char text[ADDRESS_TEXT_MAX + 4];
    assert_int_equal(parse("from = 192.0.2.0/24 | 198.51.100.7 | 2001:db8::/32 | 2001:db8::7", &service, &problems), 0);
    assert_int_equal(service.preview.from_count, 4);
    assert_string_equal(prefix_format(&service.preview.from[0], text), "192.0.2.0/24");
    assert_string_equal(prefix_format(&service.preview.from[1], text), "198.51.100.7/32");
    assert_string_equal(prefix_format(&service.preview.from[3], text), "2001:db8::7/128");
    check_refused("from = 192.0.2.1/24", "is no address and no network");
    check_refused("from = example.org", "is no address and no network");
    check_refused("from = 192.0.2.1, 192.0.2.2", "write them with '|' between");
    check_refused("from = 0.0.0.0/0", "are all clients");
    check_refused("from = ::/0", "are all clients");
}

static void test_what_is_refused_changes_nothing(void **state)
{
    struct preview preview = {.port_count = 3, .from_count = 2};
    assert_int_equal(grammar_preview_ports("8081 | x", &preview, NULL), -EINVAL);
    assert_int_equal(grammar_preview_clients("192.0.2.0/24 | x", &preview, NULL), -EINVAL);
    assert_int_equal(preview.port_count, 3);
    assert_int_equal(preview.from_count, 2);
}

static void test_too_many(void **state)
{
    CLEANUP_TEXT struct text ports = {0};
    CLEANUP_TEXT struct text clients = {0};
    struct preview preview = {0};
    for (int i = 0; i <= PREVIEW_PORTS_MAX; i++)
        text_addf(&ports, "%s%d", i ? " | " : "", 8100 + i);
    for (int i = 0; i <= PREVIEW_FROM_MAX; i++)
        text_addf(&clients, "%s192.0.2.%d", i ? " | " : "", i);
    assert_int_equal(grammar_preview_ports(ports.data, &preview, NULL), -EINVAL);
    assert_int_equal(grammar_preview_clients(clients.data, &preview, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_lead_to_those_of_the_app),  cmocka_unit_test(test_ports_that_cannot_be),
        cmocka_unit_test(test_a_port_needs_one_to_lead_to),     cmocka_unit_test(test_clients),
        cmocka_unit_test(test_what_is_refused_changes_nothing), cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
