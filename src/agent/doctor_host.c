/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's settings and limits, read from /proc/sys and /proc/net. */
#include "agent/doctor_look.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "traffic/listeners.h"
#include "zone/outside.h"
#include "zone/routes.h"

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LINKS_MAX = 70000, LIST_MAX = 1 << 16 };

/* -1: there is none. */
static int64_t read_number(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int64_t read_number(const char *format, ...)
{
    char path[256], value[32], *end;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    if (file_peek(path, value, sizeof value, NULL) < 0)
        return -1;
    int64_t number = strtoll(value, &end, 10);
    return end == value ? -1 : number;
}

/* --- links ----------------------------------------------------------------------------------------- */

static struct doctor_link *link_of(struct look *look, const char *name)
{
    for (size_t i = 0; i < look->link_count; i++) {
        if (strcmp(look->links[i].name, name) == 0)
            return &look->links[i];
    }
    return NULL;
}

static void add_link(struct look *look, const char *name)
{
    struct doctor_link *link = &look->links[look->link_count++];
    text_copy(link->name, sizeof link->name, name);
    link->zone = read_number("/sys/class/net/%s/netdev_group", name) == RULESET_LINK_GROUP;
    link->forwarding4 = (int)read_number("/proc/sys/net/ipv4/conf/%s/forwarding", name);
    link->localnet = (int)read_number("/proc/sys/net/ipv4/conf/%s/route_localnet", name);
    link->rp_filter = (int)read_number("/proc/sys/net/ipv4/conf/%s/rp_filter", name);
    link->forwarding6 = (int)read_number("/proc/sys/net/ipv6/conf/%s/forwarding", name);
    link->force6 = (int)read_number("/proc/sys/net/ipv6/conf/%s/force_forwarding", name);
    link->accept_ra = (int)read_number("/proc/sys/net/ipv6/conf/%s/accept_ra", name);
}

static int list_links(struct look *look)
{
    struct if_nameindex *links = if_nameindex();
    size_t count = 0;
    while (links && links[count].if_index && count < LINKS_MAX)
        count++;
    look->links = links ? calloc(count + 1, sizeof *look->links) : NULL;
    for (size_t i = 0; look->links && i < count; i++) {
        if (strcmp(links[i].if_name, "lo") != 0 && strcmp(links[i].if_name, OUTSIDE_LINK) != 0)
            add_link(look, links[i].if_name);
    }
    if (links)
        if_freenameindex(links);
    return look->links ? 0 : -ENOMEM;
}

static void note_addresses(struct look *look)
{
    struct ifaddrs *addresses;
    if (getifaddrs(&addresses) < 0)
        return;
    for (const struct ifaddrs *at = addresses; at; at = at->ifa_next) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)at->ifa_addr;
        struct doctor_link *link = at->ifa_addr && at->ifa_flags & IFF_UP ? link_of(look, at->ifa_name) : NULL;
        if (!link || link->zone)
            continue;
        link->has4 |= at->ifa_addr->sa_family == AF_INET;
        link->has6 |= at->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
    }
    freeifaddrs(addresses);
}

static void note_default(void *context, int family, const char *name)
{
    struct doctor_link *link = link_of(context, name);
    if (!link || link->zone)
        return;
    link->uplink4 |= family == 4;
    link->uplink6 |= family == 6;
}

bool doctor_has_ipv6(const struct look *look)
{
    for (size_t i = 0; i < look->link_count; i++) {
        if (look->links[i].has6 && !look->links[i].zone)
            return true;
    }
    return false;
}

static void look_at_network(struct look *look)
{
    struct error err = {0};
    if (list_links(look) < 0 || routes_each_default(note_default, look, &err) < 0) {
        if (!err.code)
            error_errno(&err, ENOMEM, "list the host's interfaces");
        doctor_failed(look, DOCTOR_FORWARDING, &err);
        return;
    }
    note_addresses(look);
    const struct doctor_network network = {
        .ip_forward = (int)read_number("/proc/sys/net/ipv4/ip_forward"),
        .localnet_all = (int)read_number("/proc/sys/net/ipv4/conf/all/route_localnet"),
        .rp_filter_all = (int)read_number("/proc/sys/net/ipv4/conf/all/rp_filter"),
        .forwarding6_all = (int)read_number("/proc/sys/net/ipv6/conf/all/forwarding"),
        .links = look->links,
        .count = look->link_count,
    };
    doctor_judge_network(&look->doctor, &network);
}

/* --- connection tracking --------------------------------------------------------------------------- */

/* Which column of the table has this name; -1: none. */
static int column_of(const char *header, const char *name)
{
    size_t length = strlen(name);
    int column = 0;
    for (const char *at = header + strspn(header, " "); *at && *at != '\n'; column++) {
        if (strcspn(at, " \n") == length && strncmp(at, name, length) == 0)
            return column;
        at += strcspn(at, " \n");
        at += strspn(at, " ");
    }
    return -1;
}

/* Hexadecimal, a line for each CPU. */
static uint64_t sum_column(const char *table, const char *name)
{
    int column = column_of(table, name);
    uint64_t sum = 0;
    const char *line = strchr(table, '\n');
    while (column >= 0 && line && *++line) {
        const char *at = line;
        for (int i = 0; i < column; i++) {
            at += strcspn(at, " ");
            at += strspn(at, " ");
        }
        sum += strtoull(at, NULL, 16);
        line = strchr(line, '\n');
    }
    return sum;
}

static void look_at_conntrack(struct look *look)
{
    CLEANUP_FREE char *table = NULL;
    size_t length;
    struct doctor_conntrack conntrack = {
        .count = read_number("/proc/sys/net/netfilter/nf_conntrack_count"),
        .max = read_number("/proc/sys/net/netfilter/nf_conntrack_max"),
        .buckets = read_number("/proc/sys/net/netfilter/nf_conntrack_buckets"),
        .loose = read_number("/proc/sys/net/netfilter/nf_conntrack_tcp_loose"),
    };
    if (file_read("/proc/self/net/stat/nf_conntrack", LIST_MAX, &table, &length, NULL) == 0) {
        conntrack.counted = true;
        conntrack.insert_failed = sum_column(table, "insert_failed");
        conntrack.dropped = sum_column(table, "drop");
        conntrack.early_dropped = sum_column(table, "early_drop");
    }
    doctor_judge_conntrack(&look->doctor, &conntrack);
}

/* --- limits and features --------------------------------------------------------------------------- */

static void look_at_limits(struct look *look)
{
    struct rlimit files = {0};
    struct app *app;
    struct doctor_limits limits = {
        .somaxconn = read_number("/proc/sys/net/core/somaxconn"),
        .net_namespaces = read_number("/proc/sys/user/max_net_namespaces"),
        .pid_namespaces = read_number("/proc/sys/user/max_pid_namespaces"),
        .mnt_namespaces = read_number("/proc/sys/user/max_mnt_namespaces"),
        .open_files = look->files_open,
    };
    list_for_each(app, &look->agent->apps, link) limits.zones += COLOURS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        limits.open_files_limit = (int64_t)files.rlim_cur;
    doctor_judge_limits(&look->doctor, &limits);
}

static bool limits_wanted(const struct look *look)
{
    struct app *app;
    list_for_each(app, &look->agent->apps, link)
    {
        if (app->service && limits_need_cgroups(&app->service->limits))
            return true;
    }
    return false;
}

static void look_at_kernel(struct look *look)
{
    struct error err = {0};
    const struct doctor_kernel kernel = {
        .owned = traffic_owned(look->agent->traffic),
        .destroy = -listeners_try_destroy(&err),
        .controllers = zone_host_controllers(look->agent->zone_host),
        .limits_wanted = limits_wanted(look),
    };
    doctor_judge_kernel(&look->doctor, &kernel);
}

/* Tables of iptables that nf_tables does not have: the look at the host's firewall does not see them. */
static void look_at_legacy(struct look *look)
{
    static const char *const files[] = {"/proc/self/net/ip_tables_names", "/proc/self/net/ip6_tables_names"};
    static const char *const commands[] = {"iptables-legacy-save", "ip6tables-legacy-save"};
    doctor_looked(&look->doctor, DOCTOR_LEGACY);
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FREE char *names = NULL;
        size_t length;
        if (file_read(files[i], LIST_MAX, &names, &length, NULL) < 0 || length == 0)
            continue;
        *(i == 0 ? &look->legacy4 : &look->legacy6) = true;
        for (char *at = names; (at = strchr(at, '\n'));)
            *at = ' ';
        doctor_begin(&look->doctor, DOCTOR_NOTE, DOCTOR_LEGACY, NULL,
                     "iptables-legacy has loaded tables (%s): their rules are not in nf_tables, so nobody here can say "
                     "whether they let clients through; the probe of the paths tells",
                     text_trim(names));
        doctor_line(&look->doctor, "%s", commands[i]);
        doctor_end(&look->doctor);
    }
}

void doctor_look_at_host(struct look *look)
{
    look_at_network(look);
    look_at_conntrack(look);
    look_at_limits(look);
    look_at_kernel(look);
    look_at_legacy(look);
}
