/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks whether the host's own processes still have connections on the ports that are published: model's
 * ruleset_takeover.c says what for. Which ports are new follows from the operations of the transaction that is being
 * made, so a switch looks at nothing.
 *
 * FIN_WAIT2 counts here, unlike in a drain: the process has closed and all has arrived, but what the client's kernel
 * says while its program reads on would be reset, and the program lose the end of what it was sent.
 */
#include "traffic/takeover.h"

#include "base/cleanup.h"
#include "os/log.h"
#include "traffic/internal.h"
#include "traffic/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STATES (SOCKET_STATES_COUNTED | SOCKET_STATE(TCP_FIN_WAIT2))

/* Ports that are looked for, by number: then those with a connection. */
struct search {
    struct ruleset_held *ports; /* owned */
    size_t count, capacity;
};

static void search_clear(struct search *search)
{
    free(search->ports);
}

static int search_add(struct search *search, const struct address *listen, uint16_t port)
{
    if (search->count == search->capacity) {
        size_t capacity = search->capacity ? search->capacity * 2 : 64;
        struct ruleset_held *ports = reallocarray(search->ports, capacity, sizeof *ports);
        if (!ports)
            return -ENOMEM;
        search->ports = ports;
        search->capacity = capacity;
    }
    search->ports[search->count++] = (struct ruleset_held){.listen = *listen, .port = port};
    return 0;
}

static int compare_ports(const void *a, const void *b)
{
    const struct ruleset_held *x = a, *y = b;
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return memcmp(&x->listen, &y->listen, sizeof x->listen);
}

static int compare_number(const void *key, const void *item)
{
    uint16_t port = *(const uint16_t *)key, other = ((const struct ruleset_held *)item)->port;
    return port < other ? -1 : port > other;
}

/* The address that the client connected to; one of IPv4 on a socket for both families is IPv4. */
static struct address local_address(const struct inet_diag_msg *socket)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *bytes = (const uint8_t *)socket->id.idiag_src;
    struct address address = {.family = socket->idiag_family == AF_INET ? 4 : 6};
    if (address.family == 6 && !memcmp(bytes, mapped, sizeof mapped)) {
        address.family = 4;
        bytes += sizeof mapped;
    }
    memcpy(address.bytes, bytes, address.family == 4 ? 4 : 16);
    return address;
}

static const struct address loopback6 = {.family = 6, .bytes = {[15] = 1}};

static int take_socket(void *context, const struct inet_diag_msg *socket)
{
    const struct search *search = context;
    uint16_t port = ntohs(socket->id.idiag_sport);
    struct ruleset_held *found = bsearch(&port, search->ports, search->count, sizeof *found, compare_number);
    if (!found)
        return 0;
    struct address address = local_address(socket);
    if (address_equal(&address, &loopback6)) /* never translated, so always a process of the host's */
        return 0;
    while (found > search->ports && found[-1].port == port)
        found--;
    for (; found < search->ports + search->count && found->port == port; found++)
        if (!found->listen.family || address_equal(&found->listen, &address))
            found->connections++;
    return 0;
}

static void keep_those_with_connections(struct search *search)
{
    size_t kept = 0;
    for (size_t i = 0; i < search->count; i++)
        if (search->ports[i].connections)
            search->ports[kept++] = search->ports[i];
    search->count = kept;
}

static int count_connections(int diag_fd, struct search *search)
{
    struct port ports[SERVICE_PORTS_MAX] = {0};
    struct socket_query query = {.states = STATES, .with_itself = true};
    if (!search->count)
        return 0;
    qsort(search->ports, search->count, sizeof *search->ports, compare_ports);
    if (search->count <= SERVICE_PORTS_MAX) {
        for (size_t i = 0; i < search->count; i++)
            ports[i] = (struct port){.target = search->ports[i].port, .protocol = PROTOCOL_TCP};
        query.ports = ports;
        query.count = search->count;
    }
    int status = sockets_list(diag_fd, &query, take_socket, search);
    keep_those_with_connections(search);
    return status;
}

static bool is_published_set(const struct ruleset_op *op)
{
    return !strcmp(op->table, RULESET_TABLE) && op->data == DATA_VERDICT && op->key < PORT_KEYS;
}

static bool has_element(const struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct ruleset_held *held)
{
    for (size_t i = 0; i < ops->count; i++) {
        const struct ruleset_op *op = &ops->ops[i];
        for (size_t j = 0; op->kind == kind && is_published_set(op) && j < op->count; j++) {
            const struct ruleset_element *element = &ops->elements[op->first + j];
            if (element->protocol == PROTOCOL_TCP && element->port == held->port &&
                address_equal(&element->address, &held->listen))
                return true;
        }
    }
    return false;
}

/* What is published from this transaction on and was not before. */
static int search_new(struct search *search, const struct ruleset_batch *ops)
{
    int status = 0;
    for (size_t i = 0; i < ops->count; i++) {
        const struct ruleset_op *op = &ops->ops[i];
        for (size_t j = 0; op->kind == OP_ADD_ELEMENTS && is_published_set(op) && j < op->count && !status; j++) {
            const struct ruleset_element *element = &ops->elements[op->first + j];
            if (element->protocol == PROTOCOL_TCP)
                status = search_add(search, &element->address, element->port);
        }
    }
    return status;
}

static bool same_ports(const struct search *search, const struct ruleset_state *state)
{
    if (search->count != state->held_count)
        return false;
    for (size_t i = 0; i < search->count; i++)
        if (compare_ports(&search->ports[i], &state->held[i]))
            return false;
    return true;
}

/* Takes the search's ports over. */
static bool settle(struct search *search, struct ruleset_state *state)
{
    bool changed = !same_ports(search, state);
    free(state->held);
    state->held = steal_ptr(&search->ports);
    state->held_count = search->count;
    return changed;
}

int takeover_begin(int diag_fd, const struct ruleset_batch *ops, struct ruleset_state *state)
{
    CLEANUP(search_clear) struct search search = {0};
    int status = search_new(&search, ops);
    bool gone = false;
    for (size_t i = 0; i < state->held_count && !status; i++) {
        if (has_element(ops, OP_ADD_ELEMENTS, &state->held[i]))
            continue;
        if (has_element(ops, OP_DELETE_ELEMENTS, &state->held[i]))
            gone = true;
        else
            status = search_add(&search, &state->held[i].listen, state->held[i].port);
    }
    if (status)
        return status;
    if (!gone && search.count == state->held_count)
        return 0;
    status = count_connections(diag_fd, &search);
    if (status)
        log_warning("look for connections of the host's own processes on the ports that are published: %s; if there "
                    "are any, they may be reset",
                    strerror(-status));
    return settle(&search, state);
}

/* 1: ports are done with; 0: only the figures may have changed; or a negative errno. */
static int look_again(int diag_fd, struct ruleset_state *state)
{
    CLEANUP(search_clear) struct search search = {0};
    int status = 0;
    for (size_t i = 0; i < state->held_count && !status; i++)
        status = search_add(&search, &state->held[i].listen, state->held[i].port);
    if (!status)
        status = count_connections(diag_fd, &search);
    return status ? status : settle(&search, state);
}

static int take_any(void *context, const struct inet_diag_msg *socket)
{
    const struct port *port = context;
    const struct address address = local_address(socket);
    static const struct address every[] = {{.family = 4}, {.family = 6}};
    bool bound = !port->listen.family || address_equal(&port->listen, &address) || address_equal(&every[0], &address) ||
                 address_equal(&every[1], &address);
    return bound ? -EEXIST : 0;
}

bool host_serves_udp(int diag_fd, const struct port *port)
{
    struct port local = *port;
    local.protocol = PROTOCOL_TCP;
    local.target = port->published;
    const struct socket_query query = {
        .ports = &local, .count = 1, .states = UINT32_MAX, .with_itself = true, .udp = true};
    return sockets_list(diag_fd, &query, take_any, &local) == -EEXIST;
}

size_t traffic_held(const struct traffic *traffic, const struct ruleset_held **held)
{
    *held = traffic->state.held;
    return traffic->state.held_count;
}

int traffic_look_at_held(struct traffic *traffic, struct error *err)
{
    struct ruleset_state copy;
    if (ruleset_state_copy(&copy, &traffic->state))
        return error_errno(err, ENOMEM, "copy the rule set");
    int status = look_again(traffic->diag_fd, &copy);
    if (status < 0) {
        ruleset_state_clear(&copy);
        return error_errno(err, -status, "count the connections of the host's own processes");
    }
    return traffic_bring_to(traffic, &copy, NULL, err);
}
