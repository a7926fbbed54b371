/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone [SHIM [DIRECTORY]]: how long a zone takes. The zone's network is made by the agent's code and, in turn, by the
 * same kernel calls with messages built by hand (the floor); then whole zones, up to the app's exec; then the
 * shim's memory. To be run in a private world (tests/world/enter), which says where the two arguments are.
 */
#include "zone/zone.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "figure.h"
#include "os/files.h"
#include "os/loop.h"
#include "zone/link.h"
#include "zone/netns.h"
#include "zone/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 60, ZONES = 30, NUMBER = 1, PAUSE_MS = 30 };

#define FLOOR_NAMESPACE "/run/netns/floor"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench zone: %s: %s\n", what, strerror(errno));
    exit(1);
}

static _Noreturn void die_of(const struct error *err)
{
    fprintf(stderr, "bench zone: %s\n", err->text);
    exit(1);
}

/* --- the floor: messages by hand --------------------------------------------------------------------- */

struct message {
    struct nlmsghdr header;
    char body[1024];
};

static void begin(struct message *message, uint16_t type, uint16_t flags, const void *payload, size_t length)
{
    *message =
        (struct message){.header = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)}};
    memcpy(message->body, payload, length);
    message->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
}

static struct rtattr *attribute(struct message *message, uint16_t type, const void *value, size_t length)
{
    struct rtattr *attr = (struct rtattr *)(void *)((char *)message + NLMSG_ALIGN(message->header.nlmsg_len));
    attr->rta_type = type;
    attr->rta_len = (uint16_t)RTA_LENGTH(length);
    if (length)
        memcpy(RTA_DATA(attr), value, length);
    message->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(message->header.nlmsg_len) + RTA_ALIGN(attr->rta_len));
    return attr;
}

static void close_nest(struct message *message, struct rtattr *nest)
{
    nest->rta_len = (uint16_t)((char *)message + message->header.nlmsg_len - (char *)nest);
}

static void talk(int fd, struct message *message, const char *what)
{
    char answer[4096];
    if (send(fd, message, message->header.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0)
        die(what);
    struct nlmsgerr *result = NLMSG_DATA((struct nlmsghdr *)(void *)answer);
    errno = -result->error;
    if (result->error)
        die(what);
}

static void floor_pair(int fd, int netns, const uint8_t host_mac[6], const uint8_t zone_mac[6])
{
    struct message m;
    const struct ifinfomsg info = {0};
    begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    attribute(&m, IFLA_IFNAME, "bg1", 4);
    attribute(&m, IFLA_ADDRESS, host_mac, 6);
    struct rtattr *link = attribute(&m, IFLA_LINKINFO, NULL, 0);
    attribute(&m, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = attribute(&m, VETH_INFO_PEER, &info, sizeof info);
    attribute(&m, IFLA_IFNAME, "eth0", 5);
    attribute(&m, IFLA_ADDRESS, zone_mac, 6);
    attribute(&m, IFLA_NET_NS_FD, &netns, sizeof netns);
    close_nest(&m, peer);
    close_nest(&m, data);
    close_nest(&m, link);
    talk(fd, &m, "veth pair");
}

static int floor_index(int fd, const char *name)
{
    struct message m;
    const struct ifinfomsg info = {0};
    char answer[8192];
    begin(&m, RTM_GETLINK, 0, &info, sizeof info);
    m.header.nlmsg_flags = NLM_F_REQUEST;
    attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
    if (send(fd, &m, m.header.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0)
        die("find link");
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)answer;
    if (header->nlmsg_type != RTM_NEWLINK)
        die("find link");
    return ((struct ifinfomsg *)NLMSG_DATA(header))->ifi_index;
}

static void floor_up(int fd, int index, unsigned flags, uint32_t group)
{
    struct message m;
    const struct ifinfomsg info = {.ifi_index = index, .ifi_flags = flags, .ifi_change = flags};
    begin(&m, RTM_NEWLINK, 0, &info, sizeof info);
    if (group)
        attribute(&m, IFLA_GROUP, &group, sizeof group);
    talk(fd, &m, "up");
}

static size_t bytes_of(const struct address *address)
{
    return address->family == 4 ? 4 : 16;
}

static uint8_t family_of(const struct address *address)
{
    return address->family == 4 ? AF_INET : AF_INET6;
}

static void floor_address(int fd, int index, const struct address *address, bool deprecated)
{
    struct message m;
    const struct ifaddrmsg info = {.ifa_family = family_of(address),
                                   .ifa_prefixlen = address->family == 4 ? 32 : 128,
                                   .ifa_index = (uint32_t)index,
                                   .ifa_flags = address->family == 4 ? 0 : IFA_F_NODAD};
    const struct ifa_cacheinfo lifetimes = {.ifa_valid = UINT32_MAX};
    begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    attribute(&m, IFA_LOCAL, address->bytes, bytes_of(address));
    if (deprecated)
        attribute(&m, IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
    talk(fd, &m, "address");
}

static void floor_route(int fd, int index, const struct address *to, const struct address *gateway,
                        const struct address *source, uint8_t family)
{
    struct message m;
    const struct rtmsg info = {.rtm_family = family,
                               .rtm_table = RT_TABLE_MAIN,
                               .rtm_protocol = RTPROT_STATIC,
                               .rtm_scope = gateway || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                               .rtm_type = RTN_UNICAST,
                               .rtm_flags = gateway ? RTNH_F_ONLINK : 0,
                               .rtm_dst_len = !to                 ? 0
                                              : family == AF_INET ? 32
                                                                  : 128};
    begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    if (to)
        attribute(&m, RTA_DST, to->bytes, bytes_of(to));
    if (gateway)
        attribute(&m, RTA_GATEWAY, gateway->bytes, bytes_of(gateway));
    if (source)
        attribute(&m, RTA_PREFSRC, source->bytes, bytes_of(source));
    attribute(&m, RTA_OIF, &index, sizeof index);
    talk(fd, &m, "route");
}

static void floor_neighbour(int fd, int index, const struct address *address, const uint8_t mac[6])
{
    struct message m;
    const struct ndmsg info = {.ndm_family = family_of(address), .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
    begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
    attribute(&m, NDA_DST, address->bytes, bytes_of(address));
    attribute(&m, NDA_LLADDR, mac, 6);
    talk(fd, &m, "neighbour");
}

static void floor_host(int fd, const struct zone_addresses *a, const uint8_t zone_mac[6])
{
    static const char *const sysctls[][2] = {
        {"ipv4/conf/bg1/route_localnet", "1"},
        {"ipv4/conf/bg1/forwarding", "1"},
        {"ipv4/conf/bg1/rp_filter", "1"},
        {"ipv4/conf/bg1/accept_redirects", "0"},
        {"ipv4/conf/bg1/send_redirects", "0"},
        {"ipv4/neigh/bg1/mcast_solicit", "600"},
        {"ipv4/neigh/bg1/unres_qlen_bytes", "16777216"},
        {"ipv6/conf/bg1/disable_ipv6", "0"},
        {"ipv6/conf/bg1/forwarding", "1"},
        {"ipv6/conf/bg1/accept_ra", "0"},
        {"ipv6/conf/bg1/accept_redirects", "0"},
        {"ipv6/neigh/bg1/mcast_solicit", "600"},
        {"ipv6/neigh/bg1/unres_qlen_bytes", "16777216"},
    };
    const struct address *const host[] = {&a->host4, &a->host6};
    const struct address *const zone[][2] = {{&a->service4, &a->egress4}, {&a->service6, &a->egress6}};
    int index = floor_index(fd, "bg1");
    for (size_t i = 0; i < sizeof sysctls / sizeof *sysctls; i++) {
        char path[128];
        snprintf(path, sizeof path, "/proc/sys/net/%s", sysctls[i][0]);
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0 || write(file, sysctls[i][1], strlen(sysctls[i][1])) < 0)
            die(path);
        close(file);
    }
    floor_up(fd, index, IFF_UP, 4802);
    for (size_t family = 0; family < 2; family++) {
        floor_address(fd, index, host[family], false);
        for (size_t i = 0; i < 2; i++) {
            floor_route(fd, index, zone[family][i], NULL, NULL, family_of(host[family]));
            floor_neighbour(fd, index, zone[family][i], zone_mac);
        }
    }
}

static void floor_zone(int fd, const struct zone_addresses *a, const uint8_t host_mac[6])
{
    const struct address *const all[][3] = {{&a->host4, &a->service4, &a->egress4},
                                            {&a->host6, &a->service6, &a->egress6}};
    floor_up(fd, 1, IFF_UP, 0);
    int index = floor_index(fd, "eth0");
    floor_up(fd, index, IFF_UP | IFF_NOARP, 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t family = family_of(all[i][0]);
        floor_address(fd, index, all[i][1], false);
        floor_address(fd, index, all[i][2], i == 1);
        floor_neighbour(fd, index, all[i][0], host_mac);
        floor_route(fd, index, all[i][0], NULL, all[i][1], family);
        floor_route(fd, index, NULL, all[i][0], all[i][1], family);
    }
}

struct floor_inside {
    int route, diag;
};

static void *floor_thread(void *context)
{
    struct floor_inside *inside = context;
    static const char *const sysctls[][2] = {{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
                                             {"/proc/sys/net/ipv6/conf/default/accept_ra", "0"},
                                             {"/proc/sys/net/ipv6/conf/default/disable_ipv6", "0"}};
    if (unshare(CLONE_NEWNET) < 0)
        die("unshare");
    inside->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    inside->diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    for (size_t i = 0; i < 3; i++) {
        int file = open(sysctls[i][0], O_WRONLY | O_CLOEXEC);
        if (file < 0 || write(file, sysctls[i][1], 1) < 0)
            die(sysctls[i][0]);
        close(file);
    }
    if (mount("/proc/thread-self/ns/net", FLOOR_NAMESPACE, "none", MS_BIND, NULL) < 0)
        die("mount");
    return NULL;
}

static void floor_make(const struct zone_addresses *addresses)
{
    const uint8_t host_mac[] = {2, 'b', 'g', 0, 0, 1}, zone_mac[] = {2, 'b', 'g', 1, 0, 1};
    struct floor_inside inside;
    pthread_t thread;
    int file = open(FLOOR_NAMESPACE, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    close(file);
    if (pthread_create(&thread, NULL, floor_thread, &inside) != 0)
        die("thread");
    pthread_join(thread, NULL);
    int netns = open(FLOOR_NAMESPACE, O_RDONLY | O_CLOEXEC);
    int host = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    floor_pair(host, netns, host_mac, zone_mac);
    floor_zone(inside.route, addresses, host_mac);
    floor_host(host, addresses, zone_mac);
    close(host);
    close(netns);
    close(inside.route);
    close(inside.diag);
}

/* --- measuring --------------------------------------------------------------------------------------- */

struct series {
    uint64_t ns[ROUNDS > ZONES ? ROUNDS : ZONES];
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void add(struct series *series, uint64_t since)
{
    series->ns[series->count++] = clock_monotonic_ns() - since;
}

static void sort(struct series *series)
{
    qsort(series->ns, series->count, sizeof *series->ns, compare);
}

static double at_us(const struct series *series, size_t index)
{
    return (double)series->ns[index] / 1000;
}

static void print(const char *name, const struct series *series)
{
    printf("%s %.0f/%.0f/%.0f us", name, at_us(series, 0), at_us(series, series->count / 2),
           at_us(series, series->count - 1));
}

/* What is removed goes in the background, and would disturb the next one. */
static void remove_network(const char *name)
{
    struct error err = {0};
    if (link_remove(NUMBER, &err) < 0 || netns_remove(name, &err) < 0)
        die_of(&err);
    poll(NULL, 0, PAUSE_MS);
}

static void bench_network(const struct zone_addresses *addresses)
{
    struct series agent = {0}, bare = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct error err = {0};
        struct network network;
        uint64_t began = clock_monotonic_ns();
        if (network_make("bg-bench", NUMBER, addresses, true, &network, &err) < 0)
            die_of(&err);
        add(&agent, began);
        network_close(&network);
        remove_network("bg-bench");
        began = clock_monotonic_ns();
        floor_make(addresses);
        add(&bare, began);
        remove_network("floor");
    }
    sort(&agent);
    sort(&bare);
    print("zone-network: agent min/median/max", &agent);
    print(", floor min/median/max", &bare);
    printf(", ratio %.2f\n", at_us(&agent, agent.count / 2) / at_us(&bare, bare.count / 2));
    figure("The network of a zone", "us to make it", "bluegreen", at_us(&agent, agent.count / 2));
    figure("The network of a zone", "us to make it", "floor: bare messages", at_us(&bare, bare.count / 2));
}

static long shim_rss(pid_t pid)
{
    char path[64];
    CLEANUP_FREE char *content = NULL;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, 65536, &content, NULL, NULL) < 0)
        return -1;
    const char *line = strstr(content, "\nVmRSS:");
    return line ? strtol(line + strlen("\nVmRSS:"), NULL, 10) : -1;
}

static void bench_zones(struct zone_host *host)
{
    const struct zone_id id = {.app = "bench", .colour = BLUE, .number = NUMBER};
    char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"100"}, NULL};
    const struct zone_launch launch = {.argv = {.items = argv, .count = 2},
                                       .workdir = "/",
                                       .uid = 65534,
                                       .gid = 65534,
                                       .hostname = "bench",
                                       .stop_timeout_ms = 1000,
                                       .restart = {.delay_ms = 1000}};
    struct series create = {0}, start = {0}, whole = {0};
    long rss = 0;
    for (unsigned round = 0; round < ZONES; round++) {
        struct zone *zone;
        struct error err = {0};
        uint64_t began = clock_monotonic_ns();
        if (zone_create(host, &id, &zone, &err) < 0)
            die_of(&err);
        add(&create, began);
        uint64_t starting = clock_monotonic_ns();
        if (zone_start(zone, &launch, &err) < 0)
            die_of(&err);
        add(&start, starting);
        add(&whole, began);
        rss = shim_rss(zone_shim_pid(zone));
        zone_destroy(zone);
        poll(NULL, 0, PAUSE_MS);
    }
    sort(&create);
    sort(&start);
    sort(&whole);
    print("zone-create: min/median/max", &create);
    print("\nzone-start: min/median/max", &start);
    print("\nzone-to-exec: min/median/max", &whole);
    printf("\nshim-rss: %ld KiB\n", rss);
}

int main(int argument_count, char *arguments[])
{
    struct zone_host_options options = {.instance = "bench"};
    struct zone_host *host;
    struct zone_addresses addresses;
    struct error err = {0};
    char shim[4096];
    const char *build = getenv("BUILD"), *world = getenv("WORLD");
    if (argument_count > 3 || !build || !world) {
        fprintf(stderr, "usage: tests/world/enter zone [SHIM [DIRECTORY]]\n");
        return 2;
    }
    snprintf(shim, sizeof shim, "%s/bluegreen-zone", build);
    options.shim_path = argument_count > 1 ? arguments[1] : shim;
    options.run_dir = options.state_dir = argument_count > 2 ? arguments[2] : world;
    prefix_parse("10.201.0.0/16", &options.pools.ipv4);
    prefix_parse("fd00:b9::/48", &options.pools.ipv6);
    if (address_plan(&options.pools, NUMBER, &addresses, &err) < 0 || zone_host_open(&options, &host, &err) < 0)
        die_of(&err);
    bench_network(&addresses);
    bench_zones(host);
    zone_host_close(host);
    return 0;
}
