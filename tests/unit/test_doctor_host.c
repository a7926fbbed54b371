/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's settings and limits: each finding where it belongs, and nowhere else. */
#include "doctor_seen.h"

/* --- network --------------------------------------------------------------------------------------- */

static struct doctor_link links[3];
static struct doctor_network network;

static struct seen *judge_network(void)
{
    struct seen *seen = fresh();
    doctor_judge_network(&seen->doctor, &network);
    return seen;
}

/* One way out, one other network, one zone, all well. */
static void healthy_network(void)
{
    const struct doctor_link up = {.name = "eth0",
                                   .uplink4 = true,
                                   .uplink6 = true,
                                   .has4 = true,
                                   .has6 = true,
                                   .forwarding4 = 1,
                                   .rp_filter = 1,
                                   .forwarding6 = 1,
                                   .force6 = -1,
                                   .accept_ra = 2};
    const struct doctor_link zone = {.name = "bg1",
                                     .zone = true,
                                     .forwarding4 = 1,
                                     .localnet = 1,
                                     .rp_filter = 1,
                                     .forwarding6 = 1,
                                     .force6 = -1,
                                     .accept_ra = 0};
    links[0] = up;
    links[1] = zone;
    links[2] = (struct doctor_link){.name = "eth1.7", .has4 = true, .forwarding4 = 1, .force6 = -1};
    network = (struct doctor_network){
        .ip_forward = 1, .localnet_all = 0, .rp_filter_all = 0, .forwarding6_all = 1, .links = links, .count = 3};
}

static void test_network_healthy(void **state)
{
    healthy_network();
    struct seen *seen = judge_network();
    expect_nothing(seen);
    doctor_finish(&seen->doctor);
    assert_int_equal(seen->count, 4);
    for (size_t i = 0; i < seen->count; i++)
        assert_int_equal(seen->found[i].level, DOCTOR_OK);
}

static void test_forwarding(void **state)
{
    healthy_network();
    network.ip_forward = 0;
    links[0].forwarding4 = links[1].forwarding4 = links[2].forwarding4 = 0;
    /* One line mends all of them, so it is told once. */
    expect_one(judge_network(), DOCTOR_FAULT, DOCTOR_FORWARDING, "IPv4 packets that come in through eth0",
               "sysctl -w net.ipv4.ip_forward=1");
    healthy_network();
    links[2].forwarding4 = 0;
    expect_one(judge_network(), DOCTOR_FAULT, DOCTOR_FORWARDING, "its clients reach no zone",
               "sysctl -w net/ipv4/conf/eth1.7/forwarding=1");
    healthy_network();
    links[1].forwarding4 = 0;
    expect_one(judge_network(), DOCTOR_FAULT, DOCTOR_FORWARDING, "answers do not reach its clients",
               "sysctl -w net.ipv4.conf.bg1.forwarding=1");
    /* ip_forward is only what new interfaces get. */
    healthy_network();
    network.ip_forward = 0;
    expect_nothing(judge_network());
    /* A link without addresses has no clients. */
    links[2].has4 = false;
    links[2].forwarding4 = 0;
    expect_nothing(judge_network());
}

static void test_forwarding_ipv6(void **state)
{
    healthy_network();
    network.forwarding6_all = 0;
    links[0].accept_ra = 1;
    links[0].forwarding6 = 0;
    struct seen *seen = judge_network();
    expect_one(seen, DOCTOR_FAULT, DOCTOR_FORWARDING, "IPv6 packets are not forwarded",
               "sysctl -w net.ipv6.conf.eth0.accept_ra=2");
    assert_string_equal(seen->found[0].lines[1], "sysctl -w net.ipv6.conf.all.forwarding=1");
    /* Linux 6.17 can forward from one interface only. */
    links[0].force6 = links[1].force6 = 1;
    expect_nothing(judge_network());
    links[0].force6 = links[1].force6 = -1;
    links[0].has6 = false;
    expect_nothing(judge_network());
    healthy_network();
    network.forwarding6_all = -1;
    expect_nothing(judge_network());
}

static void test_addresses(void **state)
{
    healthy_network();
    network.localnet_all = 1;
    expect_one(judge_network(), DOCTOR_WARNING, DOCTOR_LOCALNET, "for all interfaces",
               "sysctl -w net.ipv4.conf.all.route_localnet=0");
    links[1].localnet = 0; /* all is enough for this one */
    expect_one(judge_network(), DOCTOR_WARNING, DOCTOR_LOCALNET, "for all interfaces", NULL);
    network.localnet_all = 0;
    expect_one(judge_network(), DOCTOR_FAULT, DOCTOR_LOCALNET, "off for bg1",
               "sysctl -w net.ipv4.conf.bg1.route_localnet=1");
    healthy_network();
    links[0].localnet = 1;
    expect_one(judge_network(), DOCTOR_WARNING, DOCTOR_LOCALNET, "set for eth0",
               "sysctl -w net.ipv4.conf.eth0.route_localnet=0");
}

static void test_rp_filter(void **state)
{
    healthy_network();
    network.rp_filter_all = 1;
    expect_nothing(judge_network()); /* one way out */
    links[2].uplink4 = true;
    links[2].rp_filter = 2;
    expect_one(judge_network(), DOCTOR_WARNING, DOCTOR_RP_FILTER, "2 ways out, and eth0 takes only",
               "sysctl -w net.ipv4.conf.eth0.rp_filter=2");
    links[0].rp_filter = 2;
    expect_nothing(judge_network());
    network.rp_filter_all = 2;
    links[0].rp_filter = 1;
    expect_nothing(judge_network());
}

static void test_accept_ra(void **state)
{
    healthy_network();
    links[0].accept_ra = 1;
    expect_one(judge_network(), DOCTOR_WARNING, DOCTOR_ACCEPT_RA, "eth0 forwards",
               "sysctl -w net.ipv6.conf.eth0.accept_ra=2");
    links[0].uplink6 = false;
    expect_nothing(judge_network());
}

/* --- tables and limits ------------------------------------------------------------------------------- */

static struct seen *judge_conntrack(int64_t count, int64_t max, int64_t loose)
{
    struct seen *seen = fresh();
    const struct doctor_conntrack conntrack = {.count = count, .max = max, .loose = loose};
    doctor_judge_conntrack(&seen->doctor, &conntrack);
    return seen;
}

static void test_conntrack(void **state)
{
    expect_nothing(judge_conntrack(79, 100, 1));
    expect_one(judge_conntrack(80, 100, 1), DOCTOR_WARNING, DOCTOR_CONNTRACK, "80 of 100 (80 %)",
               "sysctl -w net.netfilter.nf_conntrack_max=400");
    expect_one(judge_conntrack(94, 100, 1), DOCTOR_WARNING, DOCTOR_CONNTRACK, "94 %", NULL);
    expect_one(judge_conntrack(95, 100, 1), DOCTOR_FAULT, DOCTOR_CONNTRACK, "95 %", NULL);
    expect_one(judge_conntrack(1, 100, 0), DOCTOR_WARNING, DOCTOR_LOOSE, "nf_conntrack_tcp_loose is 0",
               "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1");
    expect_nothing(judge_conntrack(-1, -1, -1));
    struct seen *seen = fresh();
    const struct doctor_conntrack dropped = {.count = 1, .max = 100, .loose = 1, .counted = true, .dropped = 7};
    doctor_judge_conntrack(&seen->doctor, &dropped);
    expect_one(seen, DOCTOR_NOTE, DOCTOR_CONNTRACK, "dropped 7 packets", "conntrack -S");
}

static struct seen *judge_limits(const struct doctor_limits *limits)
{
    struct seen *seen = fresh();
    doctor_judge_limits(&seen->doctor, limits);
    return seen;
}

static void test_limits(void **state)
{
    const struct doctor_limits good = {.somaxconn = 4096,
                                       .net_namespaces = 60000,
                                       .pid_namespaces = 60000,
                                       .mnt_namespaces = 60000,
                                       .zones = 20,
                                       .open_files = 100,
                                       .open_files_limit = 1024};
    struct doctor_limits bad = good;
    expect_nothing(judge_limits(&good));
    bad.somaxconn = 128;
    expect_one(judge_limits(&bad), DOCTOR_NOTE, DOCTOR_BACKLOG, "somaxconn is 128",
               "sysctl -w net.core.somaxconn=4096");
    bad = good;
    bad.net_namespaces = 21;
    expect_one(judge_limits(&bad), DOCTOR_FAULT, DOCTOR_NAMESPACES, "need up to 20",
               "sysctl -w user.max_net_namespaces=176");
    bad.net_namespaces = 22;
    expect_nothing(judge_limits(&bad));
    bad.pid_namespaces = 0;
    expect_one(judge_limits(&bad), DOCTOR_FAULT, DOCTOR_NAMESPACES, "user.max_pid_namespaces", NULL);
    bad = good;
    bad.open_files = 900;
    const struct seen *files = judge_limits(&bad);
    expect_one(files, DOCTOR_WARNING, DOCTOR_DESCRIPTORS, "900 of at most 1024 files",
               "mkdir -p /etc/systemd/system/bluegreend.service.d");
    assert_string_equal(
        files->found[0].lines[1],
        "printf '[Service]\\nLimitNOFILE=4096\\n' >/etc/systemd/system/bluegreend.service.d/open-files.conf");
    bad = (struct doctor_limits){
        .somaxconn = -1, .net_namespaces = -1, .pid_namespaces = -1, .mnt_namespaces = -1, .open_files = -1};
    expect_nothing(judge_limits(&bad));
}

static struct seen *judge_kernel(struct doctor_kernel kernel)
{
    struct seen *seen = fresh();
    doctor_judge_kernel(&seen->doctor, &kernel);
    return seen;
}

static void test_kernel(void **state)
{
    expect_nothing(judge_kernel((struct doctor_kernel){.owned = 1, .controllers = "memory"}));
    expect_one(judge_kernel((struct doctor_kernel){.controllers = "memory"}), DOCTOR_NOTE, DOCTOR_KERNEL,
               "watched and repaired", NULL);
    expect_one(judge_kernel((struct doctor_kernel){.owned = 1, .destroy = 95, .controllers = "memory"}), DOCTOR_WARNING,
               DOCTOR_KERNEL, "CONFIG_INET_DIAG_DESTROY", NULL);
    expect_one(judge_kernel((struct doctor_kernel){.owned = 1, .controllers = ""}), DOCTOR_NOTE, DOCTOR_CGROUPS,
               "no cgroup v2 controllers", NULL);
    expect_one(judge_kernel((struct doctor_kernel){.owned = 1, .controllers = "", .limits_wanted = true}),
               DOCTOR_WARNING, DOCTOR_CGROUPS, "[limits] cannot be held", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network_healthy), cmocka_unit_test(test_forwarding),
        cmocka_unit_test(test_forwarding_ipv6), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_rp_filter),       cmocka_unit_test(test_accept_ra),
        cmocka_unit_test(test_conntrack),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
