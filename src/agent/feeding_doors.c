/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doors: the listening sockets of fed ports, made in a zone's network namespace before anything of the app's runs
 * there, and the ports as the kernel sees them because of that. */
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

/* 61000 and up, by the fed ports' order; 0: not fed. */
uint16_t zone_door_port(const struct app_zone *zone, const struct port *port)
{
    uint16_t door = FEED_DOOR_FIRST;
    if (!zone_is_fed(zone) || !service_feeds(zone->service, port))
        return 0;
    for (size_t i = 0; i < zone->service->port_count && &zone->service->ports[i] != port; i++)
        door = (uint16_t)(door + service_feeds(zone->service, &zone->service->ports[i]));
    return door;
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

static int make_all(struct app_zone *zone, struct zone_doors *doors, struct error *err)
{
    const struct zone_addresses *addresses = zone_addresses(zone->kernel);
    const struct address *families[2] = {&addresses->service4, &addresses->service6};
    for (size_t i = 0; i < zone->service->port_count && doors->count < FEED_DOORS_MAX; i++) {
        const struct port *port = &zone->service->ports[i];
        uint16_t door = zone_door_port(zone, port);
        if (!door)
            continue;
        size_t at = doors->count++;
        doors->doors[at].target = port->target;
        doors->doors[at].protocol = port->protocol;
        doors->doors[at].fds[0] = doors->doors[at].fds[1] = -1;
        for (int family = 0; family < 2; family++) {
            int fd = families[family]->family ? make(zone, families[family], door, port->protocol, err) : -1;
            if (fd < 0 && families[family]->family)
                return fd;
            doors->doors[at].fds[family] = fd;
        }
    }
    return 0;
}

static void free_doors(struct zone_doors *doors)
{
    for (size_t i = 0; doors && i < doors->count; i++) {
        close_fd(&doors->doors[i].fds[0]);
        close_fd(&doors->doors[i].fds[1]);
    }
    free(doors);
}

/* Again where the fed ports are others than those that there are doors for. */
static bool fits(const struct app_zone *zone)
{
    size_t count = 0;
    for (size_t i = 0; i < zone->service->port_count && count < FEED_DOORS_MAX; i++) {
        if (!service_feeds(zone->service, &zone->service->ports[i]))
            continue;
        const struct port *port = &zone->service->ports[i];
        if (count == zone->doors->count || zone->doors->doors[count].target != port->target ||
            zone->doors->doors[count].protocol != port->protocol)
            return false;
        count++;
    }
    return count == zone->doors->count;
}

int feeding_make_doors(struct app_zone *zone, struct error *err)
{
    bool wanted = zone->kernel && zone->service && zone->service->feed.mode != FEED_OFF;
    zone->unfed = false;
    if (zone->doors && (!wanted || !fits(zone))) {
        free_doors(zone->doors);
        zone->doors = NULL;
    }
    if (!wanted || zone->doors)
        return 0;
    struct zone_doors *doors = calloc(1, sizeof *doors);
    if (!doors)
        return error_errno(err, ENOMEM, "make the doors of fed ports");
    doors->serial = (uint32_t)zone_shim_pid(zone->kernel); /* the same for the next agent */
    int result = make_all(zone, doors, err);
    if (result < 0)
        free_doors(doors);
    else
        zone->doors = doors;
    return result;
}

void feeding_close_doors(struct app_zone *zone)
{
    free_doors(zone->doors);
    zone->doors = NULL;
}
