/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of UDP on their way through the journal to live, and answers back. */
#include "feed/datagram.h"

#include "base/cleanup.h"
#include "feed/copies.h"
#include "feed/role.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { READ_BATCH = 64 };

struct flow {
    struct list link;
    struct role *role;
    struct door *door;
    int door_fd; /* its answers leave by it */
    struct sockaddr_storage peer;
    socklen_t peer_length;
    struct back *back;
    uint64_t id, used_ms;
    struct list waiting; /* packets, until its socket is there */
};

struct packet {
    struct list link;
    struct role *role;
    uint16_t door; /* the port by which it came */
    uint64_t flow, transaction;
    enum colour zone;
    size_t length;
    char bytes[];
};

/* --- flows -------------------------------------------------------------------------------------------------------- */

void datagrams_init(struct role *role)
{
    list_init(&role->datagrams.flows);
}

static void free_packet(struct packet *packet)
{
    packet->role->datagrams.packets--;
    list_remove(&packet->link);
    free(packet);
}

static void free_flow(struct flow *flow)
{
    struct packet *packet;
    list_for_each(packet, &flow->waiting, link) free_packet(packet);
    flow->role->datagrams.flow_count--;
    flow->door->connections--;
    list_remove(&flow->link);
    back_close(flow->back);
    free(flow);
}

static void begin_waiting(struct flow *flow);

/* Answers of live's; whoever is not there any more has lost them, as ever. */
static void on_back(void *context, struct back *back, enum back_news news, uint32_t events)
{
    struct flow *flow = context;
    char answer[PACKET_SIZE_MAX];
    (void)events;
    if (news == BACK_FAILED) {
        free_flow(flow);
        return;
    }
    if (news == BACK_OPENED) {
        begin_waiting(flow);
        return;
    }
    for (int i = 0; i < READ_BATCH; i++) {
        ssize_t got = recv(back_fd(back), answer, sizeof answer, MSG_DONTWAIT);
        if (got < 0)
            return; /* refused: live does not listen, and the next packet may find it there */
        sendto(flow->door_fd, answer, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&flow->peer,
               flow->peer_length);
    }
}

static struct flow *find(struct role *role, const struct door *door, const struct sockaddr_storage *peer,
                         socklen_t length)
{
    struct flow *flow;
    list_for_each(flow, &role->datagrams.flows, link)
    {
        if (flow->door == door && flow->peer_length == length && memcmp(&flow->peer, peer, length) == 0)
            return flow;
    }
    return NULL;
}

static struct flow *find_id(struct role *role, uint64_t id)
{
    struct flow *flow;
    list_for_each(flow, &role->datagrams.flows, link)
    {
        if (flow->id == id)
            return flow;
    }
    return NULL;
}

static struct flow *take_flow(struct door *door, int fd, const struct sockaddr_storage *peer, socklen_t length)
{
    struct role *role = door->role;
    struct datagrams *datagrams = &role->datagrams;
    const char *why;
    struct flow *flow = find(role, door, peer, length);
    if (!flow) {
        if (datagrams->flow_count >= FLOWS_MAX)
            free_flow(list_entry(datagrams->flows.next, struct flow, link));
        flow = calloc(1, sizeof *flow);
        if (!flow)
            return NULL;
        *flow = (struct flow){.role = role, .door = door, .door_fd = fd, .peer = *peer, .peer_length = length};
        list_init(&flow->waiting);
        flow->id = wal_next_id(role->wal) + datagrams->flows_ever++; /* ids are never used again */
        list_append(&datagrams->flows, &flow->link);
        datagrams->flow_count++;
        door->connections++;
    }
    flow->used_ms = clock_monotonic_ms();
    list_remove(&flow->link);
    list_append(&datagrams->flows, &flow->link);
    if (!flow->back)
        flow->back = back_open(&role->backs[role->live], door_target(role, (enum colour)role->live, door->port), true,
                               on_back, flow, &why);
    return flow;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static void done_with(struct packet *packet)
{
    struct role *role = packet->role;
    free_packet(packet);
    role->underway--;
    role_changed(role);
}

/* As far as anybody can tell: it was handed over. One that live's socket does not take is lost for both. */
static bool send_to_live(const struct packet *packet)
{
    struct flow *flow = find_id(packet->role, packet->flow);
    if (!flow || !flow->back || !back_is_open(flow->back))
        return false;
    ssize_t sent;
    do /* what an earlier packet was refused with is told first */
        sent = send(back_fd(flow->back), packet->bytes, packet->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == ECONNREFUSED)
        sent = send(back_fd(flow->back), packet->bytes, packet->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0;
}

static void on_safe(void *context, int result)
{
    struct packet *packet = context;
    struct role *role = packet->role;
    struct wal_answer none = {0};
    if (result < 0)
        role_journal_failed(role, strerror(-result));
    if (result == 0 && role->live == (int8_t)packet->zone && send_to_live(packet)) {
        if (wal_commit(role->wal, packet->transaction, &none, NULL, NULL) < 0)
            role_doubt(role, packet->transaction);
        role->figures.now.fed++;
    } else {
        role_undone(role, packet->transaction);
    }
    done_with(packet);
}

static void begin(struct packet *packet)
{
    struct role *role = packet->role;
    struct error err = {0};
    char head[COPIES_HEAD_MAX];
    struct wal_request request = {.lane = packet->flow,
                                  .unix_ms = clock_unix_ms(),
                                  .door = packet->door,
                                  .mode = FEED_DATAGRAM,
                                  .head = head,
                                  .head_length = copies_head(head, packet->flow, false),
                                  .body = packet->bytes,
                                  .body_length = packet->length,
                                  .body_fd = -1};
    role->underway++;
    int result = wal_begin(role->wal, &request, &packet->transaction, &err);
    if (result < 0) {
        role_journal_failed(role, err.text);
        done_with(packet);
        return;
    }
    role_journal_works(role);
    if (wal_when_safe(role->wal, on_safe, packet, &err) < 0)
        on_safe(packet, -err.code);
}

/* `begin` may change the list, but only its other end. */
static void begin_waiting(struct flow *flow)
{
    struct role *role = flow->role;
    while (!list_empty(&flow->waiting)) {
        struct packet *packet = list_entry(flow->waiting.next, struct packet, link);
        list_remove(&packet->link);
        if (role->live == (int8_t)packet->zone && role->wal)
            begin(packet);
        else
            free_packet(packet);
    }
}

static bool may_read(const struct role *role)
{
    return role->wal && role->live >= 0 && !role_holds(role) && role->datagrams.packets < PACKETS_MAX &&
           backs_reachable(&role->backs[role->live]);
}

static bool read_one(struct door *door, int fd)
{
    struct role *role = door->role;
    char bytes[PACKET_SIZE_MAX];
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&peer, &length);
    if (got <= 0)
        return got == 0;
    struct flow *flow = take_flow(door, fd, &peer, length);
    struct packet *packet = flow ? malloc(sizeof *packet + (size_t)got) : NULL;
    if (!packet)
        return true; /* lost, as in a full queue */
    packet->role = role;
    packet->door = door->port;
    packet->flow = flow->id;
    packet->zone = (enum colour)role->live;
    packet->length = (size_t)got;
    memcpy(packet->bytes, bytes, (size_t)got);
    list_append(&flow->waiting, &packet->link);
    role->datagrams.packets++;
    if (flow->back && back_is_open(flow->back))
        begin_waiting(flow);
    return true;
}

void datagrams_read(struct door *door, int fd)
{
    for (int i = 0; i < READ_BATCH && may_read(door->role) && read_one(door, fd); i++)
        ;
    datagrams_proceed(door->role);
    role_wake(door->role);
}

/* --- holds, turns, time ------------------------------------------------------------------------------------------- */

void datagrams_proceed(struct role *role)
{
    bool held = !may_read(role);
    if (role->rules.mode != FEED_DATAGRAM || held == role->datagrams.held)
        return;
    role->datagrams.held = held;
    doors_pause(role, held);
}

void datagrams_cut(struct role *role)
{
    struct flow *flow;
    list_for_each(flow, &role->datagrams.flows, link) free_flow(flow);
}

void datagrams_leave(struct role *role, int door_fd)
{
    struct flow *flow;
    list_for_each(flow, &role->datagrams.flows, link)
    {
        if (flow->door_fd == door_fd)
            free_flow(flow);
    }
}

void datagrams_sweep(struct role *role, uint64_t now_ms)
{
    struct flow *flow;
    list_for_each(flow, &role->datagrams.flows, link)
    {
        if (now_ms - flow->used_ms < FLOW_IDLE_MS)
            break; /* in order */
        free_flow(flow);
    }
}
