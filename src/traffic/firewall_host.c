/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host the look at its firewall has to know: through which links packets come, of which families. */
#include "traffic/firewall_host.h"

#include "base/cleanup.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void add_link(struct fw_links *links, const char *name, uint32_t index)
{
    for (size_t i = 0; i < links->count; i++)
        if (!strcmp(links->names[i], name))
            return;
    if (links->count == FW_LINKS_MAX || !index)
        return;
    /* Padded with zeros as the kernel's registers are. */
    strncpy(links->names[links->count], name, IF_NAMESIZE - 1);
    links->indexes[links->count++] = index;
}

/* Lines of a routing table in /proc: is this one the default route, and through what? */
static bool default_route4(char *line, char name[IF_NAMESIZE])
{
    unsigned destination, mask;
    return sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) == 3 && !destination && !mask;
}

static bool default_route6(char *line, char name[IF_NAMESIZE])
{
    char destination[33];
    unsigned length;
    return sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %15s", destination, &length, name) == 3 && !length &&
           strspn(destination, "0") == 32;
}

static void add_default_routes(struct fw_links *links, const char *path,
                               bool (*parse)(char *line, char name[IF_NAMESIZE]))
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    char line[256], name[IF_NAMESIZE] = "";
    while (file && fgets(line, sizeof line, file))
        if (parse(line, name) && strcmp(name, "lo"))
            add_link(links, name, if_nametoindex(name));
}

/* "bg" and a number, see zone/link. */
static bool is_zone_link(const char *name)
{
    return !strncmp(name, "bg", 2) && name[2] && strspn(name + 2, "0123456789") == strlen(name + 2);
}

/* Clients come through the default routes; a host without any may be reached through whatever it has. */
int firewall_links(struct fw_links *outside, struct fw_links *zones)
{
    struct if_nameindex *links = if_nameindex();
    if (!links)
        return -errno;
    add_default_routes(outside, "/proc/self/net/route", default_route4);
    add_default_routes(outside, "/proc/self/net/ipv6_route", default_route6);
    bool unknown = !outside->count;
    for (struct if_nameindex *link = links; link->if_index; link++)
        if (is_zone_link(link->if_name))
            add_link(zones, link->if_name, link->if_index);
        else if (unknown && strcmp(link->if_name, "lo"))
            add_link(outside, link->if_name, link->if_index);
    if_freenameindex(links);
    /* Before the first zone: the names begin like this, whatever their numbers; 0 is no interface's index. */
    if (!zones->count) {
        add_link(zones, "bg0", UINT32_MAX);
        add_link(zones, "bg9999999999", UINT32_MAX - 1);
    }
    return 0;
}

int firewall_families(bool *has4, bool *has6)
{
    struct ifaddrs *addresses;
    if (getifaddrs(&addresses) < 0)
        return -errno;
    for (const struct ifaddrs *address = addresses; address; address = address->ifa_next) {
        if (!address->ifa_addr || !strcmp(address->ifa_name, "lo") || is_zone_link(address->ifa_name))
            continue;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address->ifa_addr;
        if (address->ifa_addr->sa_family == AF_INET)
            *has4 = true;
        if (address->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
            *has6 = true;
    }
    freeifaddrs(addresses);
    return 0;
}
