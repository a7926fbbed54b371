/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services: substitution, ports that conflict, the rules between keys. */
#include "model/service.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check_substitution(const char *text, const char *expected)
{
    CLEANUP_FREE char *out = NULL;
    struct error err = {0};
    assert_int_equal(service_substitute(text, "v1.4", GREEN, &out, &err), 0);
    assert_string_equal(out, expected);
}

static void test_substitution(void **state)
{
    check_substitution("", "");
    check_substitution("plain", "plain");
    check_substitution("/srv/%r/bin", "/srv/v1.4/bin");
    check_substitution("%z-%r-%z", "green-v1.4-green");
    check_substitution("100%%", "100%");
    check_substitution("%%r", "%r");
    check_substitution("%%%r", "%v1.4");
}

static void test_substitution_refuses(void **state)
{
    static const char *const bad[] = {"%", "a%", "%x", "%R", "% r", "%%%", "%\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *out = NULL;
        struct error err = {0};
        assert_int_equal(service_substitute(bad[i], "r", BLUE, &out, &err), -EINVAL);
        assert_null(out);
        assert_non_null(strstr(err.text, "%%"));
    }
}

static struct port port(const char *address, uint16_t published, enum protocol protocol)
{
    struct port made = {.published = published, .target = 8080, .protocol = protocol};
    strcpy(made.name, "p");
    if (address)
        assert_true(address_parse(address, &made.listen));
    return made;
}

static void check_conflict(const char *a_address, const char *b_address, bool conflict)
{
    struct port a = port(a_address, 80, PROTOCOL_TCP), b = port(b_address, 80, PROTOCOL_TCP);
    assert_int_equal(port_conflicts(&a, &b), conflict);
    assert_int_equal(port_conflicts(&b, &a), conflict);
    b.protocol = PROTOCOL_UDP;
    assert_false(port_conflicts(&a, &b));
    b = port(b_address, 81, PROTOCOL_TCP);
    assert_false(port_conflicts(&a, &b));
}

static void test_port_conflicts(void **state)
{
    check_conflict(NULL, NULL, true);
    check_conflict(NULL, "192.0.2.1", true);
    check_conflict(NULL, "2001:db8::1", true);
    check_conflict("192.0.2.1", "192.0.2.1", true);
    check_conflict("192.0.2.1", "192.0.2.2", false);
    check_conflict("192.0.2.1", "2001:db8::1", false);
    check_conflict("2001:db8::1", "2001:db8:0::1", true);
}

/* b's range against 8000 to 8010 of a. */
static void check_ranges(uint16_t first, uint16_t count, bool conflict)
{
    struct port a = port(NULL, 8000, PROTOCOL_TCP), b = port("192.0.2.1", first, PROTOCOL_TCP);
    a.count = 11;
    b.count = count;
    assert_int_equal(port_conflicts(&a, &b), conflict);
    assert_int_equal(port_conflicts(&b, &a), conflict);
    b.protocol = PROTOCOL_UDP;
    assert_false(port_conflicts(&a, &b));
}

static void test_ranges_conflict(void **state)
{
    check_ranges(7999, 1, false);
    check_ranges(7999, 0, false);
    check_ranges(7990, 10, false);
    check_ranges(7990, 11, true);
    check_ranges(8000, 0, true);
    check_ranges(8005, 2, true);
    check_ranges(8010, 1, true);
    check_ranges(8010, 4096, true);
    check_ranges(8011, 1, false);
    check_ranges(1, 65535, true);
}

static void test_port_texts(void **state)
{
    char text[PORT_LISTEN_TEXT_MAX];
    struct port any = port(NULL, 80, PROTOCOL_TCP), four = port("255.255.255.254", 65535, PROTOCOL_TCP),
                six = port("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65535, PROTOCOL_UDP);
    assert_string_equal(port_listen_format(&any, text), "80");
    assert_string_equal(port_listen_format(&four, text), "255.255.255.254:65535");
    assert_string_equal(port_listen_format(&six, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
    assert_string_equal(protocol_name(PROTOCOL_TCP), "tcp");
    assert_string_equal(protocol_name(PROTOCOL_UDP), "udp");
    assert_string_equal(protocol_name((enum protocol)1), "unknown");
}

/* --- rules between keys ------------------------------------------------------------------------ */

static void make_valid(struct service *service)
{
    *service = (struct service){.name = "web",
                                .keep_ms = KEEP_UNTIL_NEXT,
                                .user = "web",
                                .health = {.kind = HEALTH_HTTP,
                                           .port = 8080,
                                           .path = "/",
                                           .interval_ms = 1000,
                                           .timeout_ms = 5000,
                                           .passes = 2,
                                           .failures = 3,
                                           .start_timeout_ms = 60000},
                                .restart = {.delay_ms = 200, .delay_max_ms = 30000, .limit = 5, .window_ms = 60000}};
    assert_int_equal(words_add(&service->run, "/srv/%r/server"), 0);
    assert_int_equal(words_add(&service->run, "--zone=%z"), 0);
    assert_int_equal(words_add(&service->environment, "A=%r"), 0);
    service->workdir = strdup("/srv/%r");
    service->env_file = strdup("-/etc/web.env");
    service->ports[0] = port(NULL, 80, PROTOCOL_TCP);
    service->port_count = 1;
}

/* Exactly one problem, and it is this one. */
static void expect_problem(struct service *service, const char *start)
{
    CLEANUP_WORDS struct words problems = {0};
    assert_int_equal(service_problems(service, &problems), 1);
    if (!text_starts_with(problems.items[0], start))
        fail_msg("\"%s\" does not start with \"%s\"", problems.items[0], start);
    service_clear(service);
}

static void test_too_many_ports(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    service.port_count = 2;
    service.ports[1] = port(NULL, 20000, PROTOCOL_UDP);
    service.ports[1].count = SERVICE_PUBLISHED_MAX - 1;
    assert_int_equal(service_problems(&service, &problems), 0);
    service.ports[1].count++;
    expect_problem(&service, "[ports]: 4097 ports, each of a range counted; at most 4096 are possible");
}

static void test_valid_service(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    assert_int_equal(service_problems(&service, &problems), 0);
}

static void replace(char **string, const char *value)
{
    free(*string);
    *string = strdup(value);
}

static void test_app_rules(void **state)
{
    struct service service;
    make_valid(&service);
    strcpy(service.name, "Web");
    expect_problem(&service, "[app] name: ");
    make_valid(&service);
    service.user[0] = '\0';
    expect_problem(&service, "[app] user: missing");
    make_valid(&service);
    words_clear(&service.run);
    expect_problem(&service, "[app] run: missing");
    make_valid(&service);
    replace(&service.run.items[0], "%r/server");
    expect_problem(&service, "[app] run: \"%r/server\" is not an absolute path");
    make_valid(&service);
    replace(&service.run.items[1], "--rate=5%");
    expect_problem(&service, "[app] run: '%' at the end");
    make_valid(&service);
    replace(&service.workdir, "srv");
    expect_problem(&service, "[app] workdir: \"srv\" is not an absolute path");
    make_valid(&service);
    replace(&service.workdir, "/srv/%q");
    expect_problem(&service, "[app] workdir: unknown '%q'");
    make_valid(&service);
    replace(&service.env_file, "-web.env");
    expect_problem(&service, "[app] env_file: \"web.env\" is not an absolute path");
    make_valid(&service);
    replace(&service.environment.items[0], "A=50%");
    expect_problem(&service, "[app] environment: '%' at the end");
    make_valid(&service);
    replace(&service.environment.items[0], "BLUEGREEN_ZONE=red");
    expect_problem(&service, "[app] environment: BLUEGREEN_ZONE is set by the agent");
}

static void test_unreserved_names(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    replace(&service.environment.items[0], "BLUEGREEN_ZONES=2");
    assert_int_equal(service_problems(&service, &problems), 0);
}

static void test_port_rules(void **state)
{
    struct service service;
    make_valid(&service);
    service.ports[1] = port("192.0.2.1", 80, PROTOCOL_TCP);
    strcpy(service.ports[1].name, "second");
    service.port_count = 2;
    expect_problem(&service, "[ports] second: claims 192.0.2.1:80/tcp, which [ports] p claims too");
}

static void test_health_rules(void **state)
{
    struct service service;
    make_valid(&service);
    service.health.passes = 61;
    expect_problem(&service, "[health] start_timeout: 61 passes every 1000ms");
    make_valid(&service);
    service.health.grace_ms = 60000;
    expect_problem(&service, "[health] grace: 60000ms is not shorter");
    make_valid(&service);
    service.health.port = 0;
    expect_problem(&service, "[health] http: port missing");
    make_valid(&service);
    service.health.kind = HEALTH_TCP;
    service.health.port = 0;
    expect_problem(&service, "[health] tcp: port missing");
    make_valid(&service);
    service.health.kind = HEALTH_TCP;
    strcpy(service.health.host, "example.org");
    expect_problem(&service, "[health] host: ");
    make_valid(&service);
    service.health.kind = HEALTH_TCP;
    service.health.status_count = 1;
    expect_problem(&service, "[health] status: ");
    make_valid(&service);
    service.health.kind = HEALTH_ALIVE;
    service.health.follow_redirects = true;
    expect_problem(&service, "[health] follow_redirects: ");
}

static void add_file(struct service *service, enum file_access access, const char *source, const char *target)
{
    service->files[service->file_count++] =
        (struct file_rule){.access = access, .source = strdup(source), .target = target ? strdup(target) : NULL};
}

static void test_file_rules(void **state)
{
    struct service service;
    make_valid(&service);
    add_file(&service, FILE_WRITE, "srv", NULL);
    expect_problem(&service, "[files] write: \"srv\" is not an absolute path");
    make_valid(&service);
    add_file(&service, FILE_STATE, "/var/lib/%z", "/var/../etc");
    expect_problem(&service, "[files] state: \"/var/../etc\" has a \"..\"");
    make_valid(&service);
    add_file(&service, FILE_READ, "/", "/srv/host");
    expect_problem(&service, "[files] read: \"/\" is the whole system");
    make_valid(&service);
    add_file(&service, FILE_READ, "/srv", "/proc");
    expect_problem(&service, "[files] read: /proc is in /proc");
    make_valid(&service);
    add_file(&service, FILE_READ, "/srv/a", NULL);
    add_file(&service, FILE_READ, "/srv/b", "/srv/./a");
    expect_problem(&service, "[files] read: /srv/./a is named twice");
    make_valid(&service);
    add_file(&service, FILE_WRITE, "/srv/green", NULL);
    add_file(&service, FILE_READ, "/srv/%z", NULL);
    expect_problem(&service, "[files] read: /srv/%z is named in [files] write too");
    make_valid(&service);
    add_file(&service, FILE_WRITE, BLUEGREEN_STATEDIR "/bluegreen", NULL);
    expect_problem(&service, "[files] write: " BLUEGREEN_STATEDIR "/bluegreen is the agent's own");
}

/* One source in two places, a hole in what is shown and a window in what is hidden are no contradictions. */
static void test_files_that_are_fine(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    add_file(&service, FILE_WRITE, "/srv/a", NULL);
    add_file(&service, FILE_READ, "/srv/a", "/srv/b");
    add_file(&service, FILE_HIDE, "/srv/a/secret", NULL);
    add_file(&service, FILE_HIDE, "/opt", NULL);
    add_file(&service, FILE_READ, "/opt/x", NULL);
    add_file(&service, FILE_STATE, "/var/lib/bluegreens", NULL);
    add_file(&service, FILE_READ, "/devices", NULL);
    add_file(&service, FILE_READ, "/srv/100%%", NULL);
    add_file(&service, FILE_READ, "/srv/..a", NULL);
    add_file(&service, FILE_WRITE, "/srv/tmp", "/tmp");
    add_file(&service, FILE_READ, "/srv/%r/a", "/srv/%z/a");
    add_file(&service, FILE_READ, BLUEGREEN_STATEDIR "/bluegreen/releases/%r", "/srv/release");
    if (service_problems(&service, &problems) != 0)
        fail_msg("%s", problems.items[0]);
}

static void test_device_rules(void **state)
{
    static const char *const bad[] = {"/dev/",      "/dev",       "dev/fuse", "/dev/../etc",
                                      "/dev//fuse", "/dev/fuse/", "/dev/tty"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct service service;
        make_valid(&service);
        words_add(&service.sandbox.devices, bad[i]);
        expect_problem(&service, "[sandbox] devices: ");
    }
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    words_add(&service.sandbox.devices, "/dev/ttyUSB0");
    words_add(&service.sandbox.devices, "/dev/dri");
    assert_int_equal(service_problems(&service, &problems), 0);
}

static void test_process_rules(void **state)
{
    struct service service;
    make_valid(&service);
    service.process_count = 1;
    strcpy(service.processes[0].name, "worker");
    expect_problem(&service, "[process worker] run: missing");
    make_valid(&service);
    service.process_count = 1;
    strcpy(service.processes[0].name, "main");
    words_add(&service.processes[0].run, "/bin/a");
    expect_problem(&service, "[process main]: ");
    make_valid(&service);
    service.process_count = 2;
    for (int i = 0; i < 2; i++) {
        strcpy(service.processes[i].name, "worker");
        words_add(&service.processes[i].run, "/bin/a");
    }
    expect_problem(&service, "[process worker]: there are two of this name");
}

static void test_check_rules(void **state)
{
    struct service service;
    make_valid(&service);
    service.health.kind = HEALTH_EXEC;
    expect_problem(&service, "[health] exec: no command");
    make_valid(&service);
    service.health.kind = HEALTH_EXEC;
    words_add(&service.health.exec, "/srv/../check");
    expect_problem(&service, "[health] exec: \"/srv/../check\" has a \"..\"");
    make_valid(&service);
    service.health.watchdog_ms = 1000;
    expect_problem(&service, "[health] watchdog: ");
    make_valid(&service);
    service.health.kind = HEALTH_NOTIFY;
    service.health.passes = 60;
    expect_problem(&service, "[health] start_timeout: ");
}

static void test_rules_of_limits_and_restarts(void **state)
{
    struct service service;
    make_valid(&service);
    service.limits.memory = 1 << 20;
    service.limits.memory_high = 2 << 20;
    expect_problem(&service, "[limits] memory_high: ");
    make_valid(&service);
    service.restart.delay_max_ms = 100;
    expect_problem(&service, "[restart] max_delay: ");
    make_valid(&service);
    service.restart.window_ms = 3000; /* 200 + 400 + 800 + 1600 */
    expect_problem(&service, "[restart] window: with these delays 5 ends take at least 3000ms");
    make_valid(&service);
    service.freeze = true;
    service.drain_then = DRAIN_LEAVE;
    expect_problem(&service, "[standby] freeze: ");
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    service.restart.window_ms = 3001;
    service.limits.memory_high = 2 << 20; /* without memory */
    service.freeze = true;
    assert_int_equal(service_problems(&service, &problems), 0);
    service.restart.window_ms = 1000;
    service.restart.policy = RESTART_NO;
    assert_int_equal(service_problems(&service, &problems), 0);
    service_clear(&service);
}

/* One release at a time: what needs two is said, and what does not go together in time. */
static void make_holding(struct service *service)
{
    make_valid(service);
    service->hold = true;
    service->hold_max_ms = service->stop_timeout_ms = 10000;
}

static void test_hold(void **state)
{
    struct service service;
    CLEANUP_WORDS struct words problems = {0};
    (void)state;
    make_holding(&service);
    assert_int_equal(service_problems(&service, &problems), 0);
    service.freeze = true;
    expect_problem(&service, "[standby] freeze: with [switch] mode = hold");
    make_holding(&service);
    service.hold_max_ms--;
    expect_problem(&service, "[switch] hold_max: ");
    make_holding(&service);
    text_copy(service.group_name, sizeof service.group_name, "shop");
    expect_problem(&service, "[app] group_name: ");
    make_holding(&service);
    service.preview.from_count = 1;
    service.preview.from[0] = (struct prefix){.address = {.family = 4, .bytes = {192, 0, 2, 0}}, .length = 24};
    expect_problem(&service, "[preview] port, from: ");
    make_holding(&service);
    service.hold = false;
    service.hold_max_ms = 0;
    service.freeze = true;
    assert_int_equal(service_problems(&service, &problems), 0);
    service_clear(&service);
}

/* A socket that is there before the app is no sign of the app, and there is one of each. */
static void test_sockets_that_are_handed_over(void **state)
{
    struct service service;
    CLEANUP_WORDS struct words problems = {0};
    (void)state;
    make_valid(&service);
    service.ports[0].activated = true;
    assert_int_equal(service_problems(&service, &problems), 0);
    service.health = (struct health){.kind = HEALTH_TCP,
                                     .port = (uint16_t)(service.ports[0].target + 1),
                                     .interval_ms = 1000,
                                     .passes = 1,
                                     .start_timeout_ms = 60000};
    assert_int_equal(service_problems(&service, &problems), 0);
    service.health.port--;
    expect_problem(&service, "[health] tcp: port ");
    make_valid(&service);
    service.ports[0].activated = true;
    service.ports[0].count = 2;
    expect_problem(&service, "[ports] ");
    make_valid(&service);
    service.ports[0].activated = true;
    service.ports[1] = service.ports[0];
    service.ports[1].published++;
    service.port_count = 2;
    expect_problem(&service, "[ports] ");
}

static void test_names_and_needs(void **state)
{
    static const struct limits asked[] = {{.memory = 1},       {.memory_high = 1}, {.swap_set = true},
                                          {.cpu_permille = 1}, {.cpu_weight = 1},  {.tasks = 1},
                                          {.io_weight = 1}};
    static const struct limits none = {.open_files = 16, .optional = true};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        assert_true(limits_need_cgroups(&asked[i]));
    assert_false(limits_need_cgroups(&none));
    assert_string_equal(syscall_profile_name(SYSCALLS_DEFAULT), "default");
    assert_string_equal(syscall_profile_name(SYSCALLS_BASELINE), "baseline");
    assert_string_equal(syscall_profile_name(SYSCALLS_LOG), "log");
    assert_string_equal(syscall_profile_name(SYSCALLS_OFF), "off");
    assert_string_equal(syscall_profile_name((enum syscall_profile)9), "unknown");
    assert_string_equal(file_access_name(FILE_STATE), "state");
    assert_string_equal(file_access_name((enum file_access)9), "unknown");
}

/* With a check the first pass can come at once; without one every interval must be lived through. */
static void test_gate_boundary(void **state)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_WORDS struct words problems = {0};
    make_valid(&service);
    service.health.passes = 60;
    assert_int_equal(service_problems(&service, &problems), 0);
    service.health.kind = HEALTH_ALIVE;
    assert_int_equal(service_problems(&service, &problems), 1);
    service.health.passes = 59;
    assert_int_equal(service_problems(&service, &problems), 0);
}

static void test_every_problem_is_found(void **state)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words problems = {0};
    assert_true(service_problems(&service, &problems) >= 3);
    assert_true(text_starts_with(problems.items[0], "[app] name: "));
    assert_true(text_starts_with(problems.items[1], "[app] user: "));
    assert_true(text_starts_with(problems.items[2], "[app] run: "));
}

static void test_ownership(void **state)
{
    struct service service, *heap = calloc(1, sizeof *heap), zero;
    memset(&zero, 0, sizeof zero);
    make_valid(&service);
    service.source = strdup("text");
    add_file(&service, FILE_STATE, "/a", "/b");
    words_add(&service.sandbox.devices, "/dev/fuse");
    words_add(&service.health.exec, "/bin/check");
    words_add(&service.processes[0].run, "/bin/worker");
    service.process_count = 1;
    service_clear(&service);
    assert_memory_equal(&service, &zero, sizeof zero);
    service_clear(&service);
    make_valid(heap);
    service_free(heap);
    service_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_substitution),
        cmocka_unit_test(test_substitution_refuses),
        cmocka_unit_test(test_port_conflicts),
        cmocka_unit_test(test_port_texts),
        cmocka_unit_test(test_ranges_conflict),
        cmocka_unit_test(test_too_many_ports),
        cmocka_unit_test(test_valid_service),
        cmocka_unit_test(test_app_rules),
        cmocka_unit_test(test_unreserved_names),
        cmocka_unit_test(test_port_rules),
        cmocka_unit_test(test_health_rules),
        cmocka_unit_test(test_gate_boundary),
        cmocka_unit_test(test_file_rules),
        cmocka_unit_test(test_files_that_are_fine),
        cmocka_unit_test(test_device_rules),
        cmocka_unit_test(test_process_rules),
        cmocka_unit_test(test_check_rules),
        cmocka_unit_test(test_rules_of_limits_and_restarts),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_sockets_that_are_handed_over),
        cmocka_unit_test(test_names_and_needs),
        cmocka_unit_test(test_every_problem_is_found),
        cmocka_unit_test(test_ownership),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
