/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks a packet of which only some things are known through a base chain of somebody's, and says whether it is surely
 * dropped. A condition that depends on what is not known goes both ways. Pure.
 */
#pragma once

#include "traffic/firewall_rules.h"

#define FW_LINKS_MAX 16

/* The interfaces that a packet may come or go through; none = not known. */
struct fw_links {
    char names[FW_LINKS_MAX][IF_NAMESIZE];
    uint32_t indexes[FW_LINKS_MAX];
    size_t count;
};

/* A packet of a connection from outside to a published port, or the first one of a connection that a zone begins. */
struct fw_packet {
    bool reply;         /* from the zone; else the client's first packet */
    bool begins;        /* with reply: no answer, but the zone's own first packet, */
    struct address to;  /* to this address */
    bool translated;    /* destination translation has been done: it is the zone's address */
    bool routed;        /* the outgoing interface is known */
    uint8_t protocol;   /* PROTOCOL_TCP, PROTOCOL_UDP */
    uint16_t port;      /* the first packet's destination, as translated or not; 0 = not known */
    struct prefix pool; /* the zones' addresses; its family is the packet's */
    struct fw_links outside, zones;
};

static inline bool fw_answers(const struct fw_packet *packet)
{
    return packet->reply && !packet->begins;
}

struct fw_fate {
    bool dropped;      /* whatever is not known */
    bool by_policy;    /* else by a rule, in the chain that */
    const char *chain; /* names; the firewall's */
};

void firewall_walk(const struct firewall *firewall, const struct fw_chain *base, const struct fw_packet *packet,
                   struct fw_fate *fate);
