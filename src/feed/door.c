/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets and who comes in by them. */
#include "feed/door.h"

#include "base/cleanup.h"
#include "feed/client.h"
#include "feed/crowd.h"
#include "feed/role.h"
#include "feed/stream.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ACCEPT_BATCH = 64 };

static void on_clients(void *context, int fd, uint32_t events)
{
    struct door *door = context;
    struct role *role = door->role;
    (void)events;
    if (role->rules.mode == FEED_DATAGRAM) {
        datagrams_read(door, fd);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && role->client_count < role->clients_max; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof peer;
        int client = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                crowd_starves(role, errno);
            return;
        }
        int one = 1;
        role->starves = false;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
        if (role->rules.mode == FEED_STREAM)
            stream_new(door, client, &peer);
        else
            client_take(door, client, &peer);
    }
    if (role->client_count >= role->clients_max)
        crowd_thin(role);
    if (role->client_count >= role->clients_max)
        doors_pause(role, true);
}

static void stop_listening(struct door *door)
{
    for (size_t i = 0; i < door->count; i++) {
        loop_remove_fd(door->sources[i]);
        datagrams_leave(door->role, door->fds[i]);
        close_fd(&door->fds[i]);
    }
    door->count = 0;
}

static bool listens(int fd, bool datagrams)
{
    int yes = 0, type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t length = sizeof yes, size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &length) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || (datagrams ? type != SOCK_DGRAM : !yes))
        return false;
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool listen_at(struct door *door, int fd)
{
    if (door->count == DOOR_SOCKETS || !listens(fd, door->role->rules.mode == FEED_DATAGRAM))
        return false;
    struct loop_source *source = loop_add_fd(door->role->loop, fd, door->paused ? 0 : EPOLLIN, on_clients, door);
    if (!source)
        return false;
    door->fds[door->count] = fd;
    door->sources[door->count++] = source;
    return true;
}

void door_open(struct role *role, const struct feed_door *message, const int fds[], size_t count)
{
    struct door *door = &role->doors[message->zone][message->index];
    door->role = role;
    if (!door->keeps || door->count > DOOR_SOCKETS / 2)
        stop_listening(door);
    door->keeps = false;
    door->zone = message->zone;
    door->index = message->index;
    door->port = message->port;
    door->target = message->target;
    door->shut = false;
    door->paused = role->client_count >= role->clients_max || role->datagrams.held;
    for (size_t i = 0; i < count; i++) {
        if (listen_at(door, fds[i]))
            continue;
        log_error("port %u of %s: a descriptor from the agent is no listening socket; it is not served",
                  message->target, colour_name((enum colour)message->zone));
        close(fds[i]);
    }
}

void door_shut(struct role *role, const struct feed_door *message)
{
    role->doors[message->zone][message->index].shut = true;
}

void doors_clear(struct role *role)
{
    for (int zone = 0; zone < COLOURS; zone++) {
        for (int i = 0; i < FEED_DOORS_MAX; i++)
            stop_listening(&role->doors[zone][i]);
    }
}

void doors_end(struct role *role, enum colour zone)
{
    for (int i = 0; i < FEED_DOORS_MAX; i++) {
        struct door *door = &role->doors[zone][i];
        stop_listening(door);
        door->port = door->target = 0;
        door->keeps = false;
    }
}

uint16_t door_target(const struct role *role, enum colour zone, uint16_t port)
{
    for (int i = 0; i < FEED_DOORS_MAX; i++) {
        const struct door *door = &role->doors[zone][i];
        if (door->target && door->port == port)
            return door->target;
    }
    return 0;
}

void doors_pause(struct role *role, bool pause)
{
    for (int zone = 0; zone < COLOURS; zone++) {
        for (int i = 0; i < FEED_DOORS_MAX; i++) {
            struct door *door = &role->doors[zone][i];
            if (door->paused == pause)
                continue;
            door->paused = pause;
            for (size_t j = 0; j < door->count; j++)
                loop_set_events(door->sources[j], pause ? 0 : EPOLLIN);
        }
    }
}
