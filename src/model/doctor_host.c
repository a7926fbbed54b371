/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host's settings is in the way of clients. Apart because it needs nothing but numbers. */
#include "model/doctor.h"

#include <stdio.h>
#include <string.h>

/* The line that sets one; dots are fine but for names of interfaces that have them (sysctl(8)). */
static void line_of_link(struct doctor *doctor, const char *family, const struct doctor_link *link, const char *key,
                         int value)
{
    if (strchr(link->name, '.'))
        doctor_line(doctor, "sysctl -w net/%s/conf/%s/%s=%d", family, link->name, key, value);
    else
        doctor_line(doctor, "sysctl -w net.%s.conf.%s.%s=%d", family, link->name, key, value);
}

/* --- forwarding ---------------------------------------------------------------------------------- */

static bool serves4(const struct doctor_link *link)
{
    return link->zone || link->has4;
}

/* One line of the whole mends all links, and is what the agent itself sets. */
static void judge_forwarding4(struct doctor *doctor, const struct doctor_network *network)
{
    for (size_t i = 0; i < network->count; i++) {
        const struct doctor_link *link = &network->links[i];
        if (!serves4(link) || link->forwarding4 != 0)
            continue;
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_FORWARDING, NULL,
                     "IPv4 packets that come in through %s are not forwarded: %s", link->name,
                     link->zone ? "the zone's answers do not reach its clients" : "its clients reach no zone");
        if (network->ip_forward == 0)
            doctor_line(doctor, "sysctl -w net.ipv4.ip_forward=1");
        else
            line_of_link(doctor, "ipv4", link, "forwarding", 1);
        doctor_end(doctor);
        if (network->ip_forward == 0)
            return;
    }
}

static void judge_forwarding6(struct doctor *doctor, const struct doctor_network *network)
{
    bool wanted = false, forced = true;
    for (size_t i = 0; i < network->count; i++) {
        const struct doctor_link *link = &network->links[i];
        wanted |= link->has6 && !link->zone;
        forced &= !(link->has6 || link->zone) || link->force6 == 1;
    }
    if (!wanted || forced || network->forwarding6_all != 0)
        return;
    doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_FORWARDING, NULL,
                 "IPv6 packets are not forwarded: clients of the host's IPv6 addresses reach no zone");
    for (size_t i = 0; i < network->count; i++) {
        const struct doctor_link *link = &network->links[i];
        if (link->uplink6 && link->accept_ra == 1)
            line_of_link(doctor, "ipv6", link, "accept_ra", 2);
    }
    doctor_line(doctor, "sysctl -w net.ipv6.conf.all.forwarding=1");
    doctor_end(doctor);
}

/* --- addresses ----------------------------------------------------------------------------------- */

static void judge_localnet(struct doctor *doctor, const struct doctor_network *network)
{
    if (network->localnet_all == 1) {
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_LOCALNET, NULL,
                     "route_localnet is set for all interfaces: neighbours on the network can reach what listens on "
                     "127.0.0.1 only; bluegreen needs it on its own links, and sets it there");
        doctor_line(doctor, "sysctl -w net.ipv4.conf.all.route_localnet=0");
        doctor_end(doctor);
    }
    for (size_t i = 0; i < network->count; i++) {
        const struct doctor_link *link = &network->links[i];
        if (link->zone && link->localnet == 0 && network->localnet_all != 1) {
            doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_LOCALNET, NULL,
                         "route_localnet is off for %s: clients of 127.0.0.1 on this host do not reach the zone",
                         link->name);
            line_of_link(doctor, "ipv4", link, "route_localnet", 1);
            doctor_end(doctor);
        } else if (!link->zone && link->uplink4 && link->localnet == 1) {
            doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_LOCALNET, NULL,
                         "route_localnet is set for %s: neighbours there can reach what listens on 127.0.0.1 only",
                         link->name);
            line_of_link(doctor, "ipv4", link, "route_localnet", 0);
            doctor_end(doctor);
        }
    }
}

/* What holds is the stricter number of all and of the interface: 2 is loose and wins (ip-sysctl). */
static bool strict(const struct doctor_network *network, const struct doctor_link *link)
{
    int both = network->rp_filter_all > link->rp_filter ? network->rp_filter_all : link->rp_filter;
    return both == 1;
}

static void judge_rp_filter(struct doctor *doctor, const struct doctor_network *network)
{
    size_t uplinks = 0;
    for (size_t i = 0; i < network->count; i++)
        uplinks += network->links[i].uplink4;
    for (size_t i = 0; i < network->count && uplinks > 1; i++) {
        const struct doctor_link *link = &network->links[i];
        if (!link->uplink4 || !strict(network, link))
            continue;
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_RP_FILTER, NULL,
                     "the host has %zu ways out, and %s takes only what would be answered through itself (rp_filter "
                     "1): clients that come in there while their answer goes out elsewhere are dropped silently",
                     uplinks, link->name);
        line_of_link(doctor, "ipv4", link, "rp_filter", 2);
        doctor_end(doctor);
    }
}

/* 1 is "unless it forwards". Who had it so before may have chosen it. */
static void judge_accept_ra(struct doctor *doctor, const struct doctor_network *network)
{
    for (size_t i = 0; i < network->count; i++) {
        const struct doctor_link *link = &network->links[i];
        if (link->zone || !link->uplink6 || link->accept_ra != 1 || link->forwarding6 != 1)
            continue;
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_ACCEPT_RA, NULL,
                     "%s forwards, so it does not listen to routers any more (accept_ra 1), and has an IPv6 default "
                     "route: if a router gave it, it will expire",
                     link->name);
        line_of_link(doctor, "ipv6", link, "accept_ra", 2);
        doctor_end(doctor);
    }
}

void doctor_judge_network(struct doctor *doctor, const struct doctor_network *network)
{
    doctor_looked(doctor, DOCTOR_FORWARDING);
    doctor_looked(doctor, DOCTOR_LOCALNET);
    doctor_looked(doctor, DOCTOR_RP_FILTER);
    doctor_looked(doctor, DOCTOR_ACCEPT_RA);
    judge_forwarding4(doctor, network);
    judge_forwarding6(doctor, network);
    judge_localnet(doctor, network);
    judge_rp_filter(doctor, network);
    judge_accept_ra(doctor, network);
}

/* --- connection tracking ------------------------------------------------------------------------- */

/* A full table drops what is new without a word to anybody; 80 % is early enough to do something. */
enum { FILL_WARNING = 80, FILL_FAULT = 95 };

static void judge_fill(struct doctor *doctor, const struct doctor_conntrack *conntrack)
{
    if (conntrack->count < 0 || conntrack->max <= 0)
        return;
    doctor_looked(doctor, DOCTOR_CONNTRACK);
    int64_t percent = conntrack->count * 100 / conntrack->max;
    if (percent < FILL_WARNING)
        return;
    doctor_begin(doctor, percent < FILL_FAULT ? DOCTOR_WARNING : DOCTOR_FAULT, DOCTOR_CONNTRACK, NULL,
                 "the table of connections holds %lld of %lld (%lld %%): when it is full, new connections of everybody "
                 "are dropped silently",
                 (long long)conntrack->count, (long long)conntrack->max, (long long)percent);
    doctor_line(doctor, "sysctl -w net.netfilter.nf_conntrack_max=%lld", (long long)conntrack->max * 4);
    doctor_end(doctor);
}

void doctor_judge_conntrack(struct doctor *doctor, const struct doctor_conntrack *conntrack)
{
    judge_fill(doctor, conntrack);
    if (conntrack->counted && (conntrack->dropped || conntrack->early_dropped || conntrack->insert_failed)) {
        doctor_begin(doctor, DOCTOR_NOTE, DOCTOR_CONNTRACK, NULL,
                     "since the host was started connection tracking has dropped %llu packets because the table was "
                     "full or memory short, forgotten %llu unfinished connections to make room, and dropped %llu "
                     "because two had the same addresses and ports",
                     (unsigned long long)conntrack->dropped, (unsigned long long)conntrack->early_dropped,
                     (unsigned long long)conntrack->insert_failed);
        doctor_line(doctor, "conntrack -S");
        doctor_end(doctor);
    }
    if (conntrack->loose < 0)
        return;
    doctor_looked(doctor, DOCTOR_LOOSE);
    if (conntrack->loose > 0)
        return;
    doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_LOOSE, NULL,
                 "nf_conntrack_tcp_loose is 0: when somebody flushes the table of connections (conntrack -F), every "
                 "open connection to an app hangs");
    doctor_line(doctor, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1");
    doctor_end(doctor);
}

/* --- limits and features ------------------------------------------------------------------------- */

/* 4096 is the kernel's own since 5.4; 128 was before, and is what tuned hosts forgot. */
enum { SOMAXCONN_LOW = 1024 };

static void judge_namespaces(struct doctor *doctor, const char *key, int64_t max, int64_t zones)
{
    if (max < 0 || max >= zones + 2)
        return;
    doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_NAMESPACES, NULL,
                 "the kernel allows %lld namespaces of this kind (user.%s), and the configured apps need up to %lld: "
                 "the next zone cannot be made",
                 (long long)max, key, (long long)zones);
    doctor_line(doctor, "sysctl -w user.%s=%lld", key, (long long)(zones + 2) * 8);
    doctor_end(doctor);
}

void doctor_judge_limits(struct doctor *doctor, const struct doctor_limits *limits)
{
    if (limits->somaxconn >= 0)
        doctor_looked(doctor, DOCTOR_BACKLOG);
    if (limits->somaxconn >= 0 && limits->somaxconn < SOMAXCONN_LOW) {
        doctor_begin(doctor, DOCTOR_NOTE, DOCTOR_BACKLOG, NULL,
                     "somaxconn is %lld: a socket that listens holds no more new connections than that, also if its "
                     "app asks for more",
                     (long long)limits->somaxconn);
        doctor_line(doctor, "sysctl -w net.core.somaxconn=4096");
        doctor_end(doctor);
    }
    doctor_looked(doctor, DOCTOR_NAMESPACES);
    judge_namespaces(doctor, "max_net_namespaces", limits->net_namespaces, limits->zones);
    judge_namespaces(doctor, "max_pid_namespaces", limits->pid_namespaces, limits->zones);
    judge_namespaces(doctor, "max_mnt_namespaces", limits->mnt_namespaces, limits->zones);
    if (limits->open_files < 0 || limits->open_files_limit <= 0)
        return;
    doctor_looked(doctor, DOCTOR_DESCRIPTORS);
    if (limits->open_files * 100 < limits->open_files_limit * FILL_WARNING)
        return;
    doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_DESCRIPTORS, NULL,
                 "the agent has %lld of at most %lld files open: soon it can make no zone and take no client",
                 (long long)limits->open_files, (long long)limits->open_files_limit);
    /* "systemctl set-property" sets what a cgroup has, and no limits of processes. */
    doctor_line(doctor, "mkdir -p /etc/systemd/system/bluegreend.service.d");
    doctor_line(doctor,
                "printf '[Service]\\nLimitNOFILE=%lld\\n' >/etc/systemd/system/bluegreend.service.d/open-files.conf",
                (long long)limits->open_files_limit * 4);
    doctor_line(doctor, "systemctl daemon-reload");
    doctor_line(doctor, "systemctl restart bluegreend.service");
    doctor_end(doctor);
}

void doctor_judge_kernel(struct doctor *doctor, const struct doctor_kernel *kernel)
{
    doctor_looked(doctor, DOCTOR_KERNEL);
    doctor_looked(doctor, DOCTOR_CGROUPS);
    if (kernel->owned == 0) {
        doctor_begin(doctor, DOCTOR_NOTE, DOCTOR_KERNEL, NULL,
                     "this kernel cannot let a table outlive its owner (Linux 6.9 can), so table inet bluegreen is "
                     "watched and repaired instead of owned: when somebody flushes the rule set, new connections fail "
                     "for some milliseconds");
        doctor_end(doctor);
    }
    if (kernel->destroy > 0) {
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_KERNEL, NULL,
                     "this kernel cannot end connections of others (CONFIG_INET_DIAG_DESTROY is not set): what is "
                     "open at the end of a drain stays open until the zone is removed");
        doctor_end(doctor);
    }
    if (kernel->controllers[0])
        return;
    doctor_begin(doctor, kernel->limits_wanted ? DOCTOR_WARNING : DOCTOR_NOTE, DOCTOR_CGROUPS, NULL,
                 "zones get no cgroup v2 controllers: [limits] cannot be held, and memory is estimated");
    doctor_line(doctor, "cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/cgroup.subtree_control");
    doctor_end(doctor);
}
