/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doors: the listening sockets of fed ports, made in a zone's network namespace before anything of the app's runs
 * there, and the ports as the kernel sees them because of that. */
#include "agent/feeding_role.h"

#include "agent/feeding.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

bool zone_is_fed(const struct app_zone *zone)
{
    return zone->service && zone->service->feed.mode != FEED_OFF && !zone->unfed;
}

/* 61000 and up, in the order of [ports]; 0: not fed. */
uint16_t zone_door_port(const struct app_zone *zone, const struct port *port)
{
    if (!zone_is_fed(zone) || !service_feeds(zone->service, port))
        return 0;
    return (uint16_t)(FEED_DOOR_FIRST + (port - zone->service->ports));
}

size_t zone_ports_seen(const struct app_zone *zone, struct port ports[SERVICE_PORTS_MAX])
{
    for (size_t i = 0; i < zone->service->port_count; i++) {
        uint16_t door = zone_door_port(zone, &zone->service->ports[i]);
        ports[i] = zone->service->ports[i];
        if (door)
            ports[i].target = door;
    }
    return zone->service->port_count;
}

static int bind_to(int fd, const struct address *address, uint16_t port, bool listens)
{
    int one = 1;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool six = address->family == 6;
    memcpy(&in.sin_addr, address->bytes, sizeof in.sin_addr);
    memcpy(&in6.sin6_addr, address->bytes, sizeof in6.sin6_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one); /* beside those of a role that is about to end */
    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
    if (six)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    const struct sockaddr *at = six ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in;
    bool failed = bind(fd, at, six ? sizeof in6 : sizeof in) < 0 || (listens && listen(fd, BACKLOG) < 0);
    return failed ? -errno : 0;
}

/* The socket, or a negative errno. */
static int make(struct app_zone *zone, const struct address *address, uint16_t port, enum protocol protocol,
                struct error *err)
{
    bool tcp = protocol == PROTOCOL_TCP;
    int fd = zone_socket(zone->kernel, address->family == 6 ? AF_INET6 : AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, err);
    int result = fd < 0 ? fd : bind_to(fd, address, port, tcp);
    if (result == 0)
        return fd;
    if (fd >= 0) {
        error_errno(err, -result, "listen at port %u, where clients of a fed port come in", port);
        close(fd);
    }
    return error_prefix(err, "%s/%s", zone->app->name, colour_name(zone->colour));
}

static void close_door(struct door *door)
{
    close_fd(&door->fds[0]);
    close_fd(&door->fds[1]);
}

static void free_doors(struct zone_doors *doors)
{
    for (size_t i = 0; doors && i < doors->count; i++)
        close_door(&doors->doors[i]);
    free(doors);
}

static int make_door(struct app_zone *zone, const struct port *port, struct error *err)
{
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    const struct address *families[2] = {&addresses->service4, &addresses->service6};
    struct zone_doors *doors = zone->doors;
    struct door *door = &doors->doors[doors->count++];
    *door = (struct door){.made = ++doors->made,
                          .index = (uint8_t)(port - zone->service->ports),
                          .port = port->published,
                          .target = port->target,
                          .protocol = port->protocol,
                          .fds = {-1, -1}};
    for (int family = 0; family < 2; family++) {
        if (!families[family]->family)
            continue;
        int fd = make(zone, families[family], zone_door_port(zone, port), port->protocol, err);
        if (fd < 0)
            return fd;
        door->fds[family] = fd;
    }
    return 0;
}

/* The door of the index-th port, if there is one. */
static struct door *find(struct zone_doors *doors, size_t index)
{
    for (size_t i = 0; i < doors->count; i++) {
        if (doors->doors[i].index == index)
            return &doors->doors[i];
    }
    return NULL;
}

/* Those of ports that are not fed any more go; those that stay are not touched, for clients wait at them. */
static void keep_fed(struct app_zone *zone)
{
    struct zone_doors *doors = zone->doors;
    size_t kept = 0;
    for (size_t i = 0; i < doors->count; i++) {
        if (zone_door_port(zone, &zone->service->ports[doors->doors[i].index]))
            doors->doors[kept++] = doors->doors[i];
        else
            close_door(&doors->doors[i]);
    }
    doors->count = kept;
}

static int make_all(struct app_zone *zone, struct error *err)
{
    keep_fed(zone);
    for (size_t i = 0; i < zone->service->port_count; i++) {
        const struct port *port = &zone->service->ports[i];
        bool fed = zone_door_port(zone, port) != 0;
        int result = fed && !find(zone->doors, i) ? make_door(zone, port, err) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}

int feeding_make_doors(struct app_zone *zone, struct error *err)
{
    bool wanted = zone->kernel && zone->service && zone->service->feed.mode != FEED_OFF;
    zone->unfed = false;
    if (!wanted) {
        feeding_close_doors(zone);
        return 0;
    }
    if (!zone->doors) {
        zone->doors = calloc(1, sizeof *zone->doors);
        if (!zone->doors)
            return error_errno(err, ENOMEM, "make the doors of fed ports");
        zone->doors->serial = (uint32_t)zone_shim_pid(zone->kernel); /* the same for the next agent */
    }
    int result = make_all(zone, err);
    if (result < 0)
        feeding_close_doors(zone);
    return result;
}

void feeding_close_doors(struct app_zone *zone)
{
    free_doors(zone->doors);
    zone->doors = NULL;
}
