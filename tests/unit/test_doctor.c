/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent, its apps and the way to them; and how a finding is put together. */
#include "doctor_seen.h"

/* --- the agent and its apps --------------------------------------------------------------------------- */

static const struct doctor_state good_state = {.directory = "/s",
                                               .available = 1ull << 30,
                                               .size = 2ull << 30,
                                               .api_pid = 1,
                                               .probe_pid = 2,
                                               .now_unix_ms = 10000,
                                               .latest_unix_ms = 9000};

static struct seen *judge_state(const struct doctor_state *facts)
{
    struct seen *seen = fresh();
    doctor_judge_state(&seen->doctor, facts);
    return seen;
}

static void test_state(void **state)
{
    struct doctor_state bad = good_state;
    expect_nothing(judge_state(&good_state));
    bad.available = 60 << 20;
    expect_one(judge_state(&bad), DOCTOR_WARNING, DOCTOR_DISK, "/s has 61440 KiB left", "du -xah /s | sort -h | tail");
    bad.size = 100 << 20; /* a small one that is half empty */
    expect_nothing(judge_state(&bad));
    bad.available = 1000;
    expect_one(judge_state(&bad), DOCTOR_FAULT, DOCTOR_DISK, "0 KiB left", NULL);
    bad = good_state;
    bad.read_only = true;
    expect_one(judge_state(&bad), DOCTOR_FAULT, DOCTOR_JOURNAL, "read-only",
               "mount -o remount,rw \"$(findmnt -no TARGET -T /s)\"");
    bad.read_only = false;
    bad.journal_broken = true;
    expect_one(judge_state(&bad), DOCTOR_FAULT, DOCTOR_JOURNAL, "last record could not be written", "df -h /s");
    bad = good_state;
    bad.api_pid = 0;
    expect_one(judge_state(&bad), DOCTOR_FAULT, DOCTOR_ROLES, "talks to clients does not run", NULL);
    bad = good_state;
    bad.probe_pid = 0;
    expect_one(judge_state(&bad), DOCTOR_FAULT, DOCTOR_ROLES, "makes health checks does not run", NULL);
    bad = good_state;
    bad.latest_unix_ms = 12000; /* a clock that is being adjusted */
    expect_nothing(judge_state(&bad));
    bad.latest_unix_ms = 70000;
    expect_one(judge_state(&bad), DOCTOR_WARNING, DOCTOR_CLOCK, "60 s behind", "timedatectl set-ntp true");
}

static const struct doctor_zone good_zone = {
    .app = "web", .state = ZONE_LIVE, .release = "v1", .why = "", .shim = 'S', .shim_pid = 77};

static struct seen *judge_zone(const struct doctor_zone *facts)
{
    struct seen *seen = fresh();
    doctor_judge_zone(&seen->doctor, facts);
    return seen;
}

static void test_zones(void **state)
{
    struct doctor_zone bad = good_zone;
    expect_nothing(judge_zone(&good_zone));
    bad.unhealthy = true;
    bad.why = "HTTP 500";
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_ZONES, "is live and fails its checks: HTTP 500",
               "bluegreen logs web blue");
    bad.state = ZONE_STANDBY;
    expect_one(judge_zone(&bad), DOCTOR_WARNING, DOCTOR_STANDBY, "would be refused: HTTP 500", NULL);
    bad.crash_loop = true;
    expect_one(judge_zone(&bad), DOCTOR_WARNING, DOCTOR_STANDBY, "exits again and again: HTTP 500", NULL);
    bad.state = ZONE_LIVE;
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_ZONES, "exits again and again", NULL);
    bad = good_zone;
    bad.lost = true;
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_ZONES, "is being rebuilt", NULL);
    bad = good_zone;
    bad.state = ZONE_FAILED;
    bad.shim = '-';
    expect_one(judge_zone(&bad), DOCTOR_NOTE, DOCTOR_STANDBY, "nothing to switch back to", NULL);
    bad = good_zone;
    bad.unlimited = true;
    expect_one(judge_zone(&bad), DOCTOR_WARNING, DOCTOR_CGROUPS, "without the [limits]", NULL);
    bad = good_zone;
    bad.overflows = 3;
    expect_one(judge_zone(&bad), DOCTOR_WARNING, DOCTOR_BACKLOG, "3 connections to zone blue",
               "bluegreen exec web blue -- ss -ltn");
}

static void test_shims(void **state)
{
    struct doctor_zone bad = good_zone;
    bad.shim = 'T';
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_SHIMS, "(pid 77) is stopped", "kill -CONT 77");
    bad.shim = 'Z';
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_SHIMS, "is dead", "bluegreen status web");
    bad.shim = 0;
    expect_one(judge_zone(&bad), DOCTOR_FAULT, DOCTOR_SHIMS, "is dead", NULL);
    bad.shim = '-';
    expect_nothing(judge_zone(&bad));
}

static struct seen *judge_squatter(struct doctor_squatter squatter)
{
    struct seen *seen = fresh();
    squatter.app = "web";
    squatter.port = "80/tcp";
    doctor_judge_squatter(&seen->doctor, &squatter);
    return seen;
}

static void test_squatters(void **state)
{
    expect_one(judge_squatter(
                   (struct doctor_squatter){.command = "nginx", .unit = "nginx.service", .pid = 5, .live = true}),
               DOCTOR_WARNING, DOCTOR_PORTS, "nginx (pid 5, nginx.service) listens on the host's port 80/tcp",
               "systemctl disable --now nginx.service");
    expect_one(judge_squatter((struct doctor_squatter){.command = "nc", .unit = "", .pid = 5, .live = true}),
               DOCTOR_WARNING, DOCTOR_PORTS, "nc (pid 5) listens", "kill 5");
    expect_one(judge_squatter((struct doctor_squatter){.command = "", .unit = "", .uid = 33}), DOCTOR_NOTE,
               DOCTOR_PORTS, "a process of the host of uid 33 listens", "ss -lntup 'sport = :80'");
    expect_one(judge_squatter((struct doctor_squatter){.command = "", .unit = "x.service"}), DOCTOR_NOTE, DOCTOR_PORTS,
               "the first release of web takes it over", "systemctl disable --now x.service");
    /* Nobody has to end it: the preview can go elsewhere. */
    expect_one(judge_squatter((struct doctor_squatter){
                   .command = "nginx", .unit = "nginx.service", .pid = 5, .live = true, .preview = true}),
               DOCTOR_WARNING, DOCTOR_PORTS, "which is a preview of web", "ss -lntup 'sport = :80'");
}

static void test_targets(void **state)
{
    struct seen *seen = fresh();
    struct doctor_target target = {.app = "web", .target = 8080, .live = true, .any = true};
    doctor_judge_target(&seen->doctor, &target);
    expect_nothing(seen);
    target.loopback_only = true;
    doctor_judge_target(&seen->doctor, &target);
    expect_one(seen, DOCTOR_FAULT, DOCTOR_LISTENING, "on the zone's loopback address only",
               "bluegreen exec web blue -- ss -ltnp");
    seen = fresh();
    target.any = target.live = false;
    doctor_judge_target(&seen->doctor, &target);
    expect_one(seen, DOCTOR_WARNING, DOCTOR_LISTENING, "nothing listens on port 8080 in zone blue", NULL);
}

/* --- paths ---------------------------------------------------------------------------------------------- */

static struct seen *judge_path(struct doctor_path path)
{
    struct seen *seen = fresh();
    path.app = "web";
    path.port = "80/tcp";
    path.address = "203.0.113.10";
    path.reached = path.reached ? path.reached : "";
    path.table = path.table ? path.table : "";
    path.chain = path.chain ? path.chain : "";
    path.mend = path.mend ? path.mend : "";
    doctor_judge_path(&seen->doctor, &path);
    return seen;
}

static void test_paths(void **state)
{
    struct seen *seen =
        judge_path((struct doctor_path){.answer = DOCTOR_ANSWERED, .reached = "zone.web.blue", .of_app = true});
    expect_nothing(seen);
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_ANSWERED}), DOCTOR_FAULT, DOCTOR_PATH,
               "answered by somebody else", "nft list ruleset");
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_ANSWERED, .reached = "zone.api.blue"}), DOCTOR_FAULT,
               DOCTOR_PATH, "answered by chain zone.api.blue", NULL);
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_REFUSED, .reached = "zone.web.blue", .of_app = true}),
               DOCTOR_FAULT, DOCTOR_PATH, "came to the live zone and was refused there", NULL);
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_UNREACHABLE}), DOCTOR_FAULT, DOCTOR_PATH,
               "before it came to the live zone", NULL);
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_SILENCE}), DOCTOR_FAULT, DOCTOR_PATH,
               "before it came to our table", "nstat -az TcpExtIPReversePathFilter IpInDiscards IpForwDatagrams");
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_SILENCE, .legacy = true}), DOCTOR_FAULT, DOCTOR_PATH,
               "got no answer", "iptables-legacy -I FORWARD -m conntrack --ctstate DNAT -j ACCEPT");
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_REFUSED, .of_app = true, .only_ipv4 = true}),
               DOCTOR_WARNING, DOCTOR_PATH, "clients that come over IPv6", NULL);
    expect_one(judge_path((struct doctor_path){.answer = DOCTOR_SILENCE, .reached = "zone.web.blue", .of_app = true}),
               DOCTOR_FAULT, DOCTOR_PATH, "on its way there", NULL);
}

static void test_drops(void **state)
{
    struct doctor_path path = {.answer = DOCTOR_SILENCE,
                               .reached = "zone.web.blue",
                               .family = "inet",
                               .table = "filter",
                               .base = "forward",
                               .chain = "inner",
                               .handle = 7,
                               .mend = "\n    one line\n    another line"};
    struct seen *seen = judge_path(path);
    expect_one(seen, DOCTOR_FAULT, DOCTOR_PATH, "dropped by table inet filter, chain inner: its rule with handle 7",
               "one line");
    assert_int_equal(seen->found[0].line_count, 2);
    assert_string_equal(seen->found[0].lines[1], "another line");
    path.handle = 0;
    path.way_back = true;
    path.mend = NULL;
    path.answer = DOCTOR_REFUSED; /* "reject" tells the client */
    expect_one(judge_path(path), DOCTOR_FAULT, DOCTOR_PATH, "the zone's answer to",
               "nft -a list chain inet filter inner");
}

static void test_translations(void **state)
{
    struct seen *seen = fresh();
    struct doctor_translation translation = {
        .app = "web", .port = "80/tcp", .family = "ip", .table = "nat", .chain = "PREROUTING", .handle = 9};
    doctor_judge_translation(&seen->doctor, &translation);
    expect_one(seen, DOCTOR_WARNING, DOCTOR_TRANSLATED, "table ip nat, chain PREROUTING translates port 80/tcp, too:",
               "nft delete rule ip nat PREROUTING handle 9");
    seen = fresh();
    translation.chain = "DOCKER";
    doctor_judge_translation(&seen->doctor, &translation);
    expect_one(seen, DOCTOR_WARNING, DOCTOR_TRANSLATED, "a container publishes it",
               "docker ps --filter publish=80/tcp");
}

/* --- putting together ------------------------------------------------------------------------------------ */

static void test_lines(void **state)
{
    struct seen *seen = fresh();
    char long_line[DOCTOR_LINE_MAX + 2];
    doctor_tell(&seen->doctor, DOCTOR_FAULT, DOCTOR_FIREWALL, NULL, "what it is. To let them through:\n    a b\n    c");
    expect_one(seen, DOCTOR_FAULT, DOCTOR_FIREWALL, "To let them through:", "a b");
    assert_string_equal(seen->found[0].lines[1], "c");
    assert_int_equal(seen->found[0].line_count, 2);
    /* Half a command is worse than none. */
    memset(long_line, 'x', sizeof long_line - 1);
    long_line[sizeof long_line - 1] = '\0';
    doctor_begin(&seen->doctor, DOCTOR_NOTE, DOCTOR_DISK, "web", "text \x1b with a control character");
    doctor_line(&seen->doctor, "%s", long_line);
    for (int i = 0; i < DOCTOR_LINES_MAX + 2; i++)
        doctor_line(&seen->doctor, "line %d", i);
    doctor_end(&seen->doctor);
    assert_int_equal(seen->found[1].line_count, DOCTOR_LINES_MAX);
    assert_string_equal(seen->found[1].lines[0], "line 0");
    assert_string_equal(seen->found[1].app, "web");
    assert_null(strchr(seen->found[1].text, '\x1b'));
}

/* Only what was looked at is well, and only where nothing was found. */
static void test_finish(void **state)
{
    struct seen *seen = fresh();
    doctor_looked(&seen->doctor, DOCTOR_TABLE);
    doctor_looked(&seen->doctor, DOCTOR_CLOCK);
    doctor_tell(&seen->doctor, DOCTOR_NOTE, DOCTOR_CLOCK, NULL, "late");
    doctor_finish(&seen->doctor);
    assert_int_equal(seen->count, 2);
    assert_int_equal(seen->found[1].level, DOCTOR_OK);
    assert_int_equal(seen->found[1].check, DOCTOR_TABLE);
}

static void test_ids(void **state)
{
    for (int i = 0; i < DOCTOR_CHECKS; i++) {
        const char *name = doctor_check_name((enum doctor_check)i);
        assert_non_null(name);
        assert_true(name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, doctor_check_name((enum doctor_check)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state),     cmocka_unit_test(test_zones),        cmocka_unit_test(test_shims),
        cmocka_unit_test(test_squatters), cmocka_unit_test(test_targets),      cmocka_unit_test(test_paths),
        cmocka_unit_test(test_drops),     cmocka_unit_test(test_translations), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_finish),    cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
