/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic: the one owner of table inet bluegreen and of what follows a change of it. The agent describes the wanted
 * state (model/ruleset.h); the difference from the present one goes to the kernel as one transaction.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/connection.h"
#include "model/ruleset.h"

struct traffic;

struct transaction {
    uint32_t microseconds;      /* from the first byte sent to the last ack read */
    uint32_t generation_before; /* nf_tables generation ids; both 0 if nothing had to be changed */
    uint32_t generation_after;
};

/* Opens the sockets and takes the table: adopts an orphaned one, owns it where the kernel can (OWNER|PERSIST), else
 * watches. */
int traffic_open(struct traffic **traffic, struct error *err);
/* Leaves the table in the kernel. */
void traffic_close(struct traffic *traffic);
bool traffic_owned(const struct traffic *traffic);
/* For a process that looks and changes nothing, with a socket of its own: for firewall_inspect and traffic_compare.
 * traffic_close ends it. */
int traffic_view(const struct traffic *of, struct traffic **view, struct error *err);
/* Adds to differences what of the table in the kernel is not as the last traffic_apply wanted it; none: it is. */
int traffic_compare(struct traffic *traffic, struct words *differences, struct error *err);
/* Brings the kernel to this state. The first call after open replaces the whole table (one transaction, which
 * *transaction is about, between two that add and remove a spare table where there was one), later ones send the
 * difference. On failure the kernel is as before. state is copied. transaction may be NULL. */
int traffic_apply(struct traffic *traffic, const struct ruleset_state *state, struct transaction *transaction,
                  struct error *err);
/* The same with a state that is taken over and left empty, whatever comes of it; it has no held ports of its own. To
 * copy a thousand apps takes longer than to switch one. */
int traffic_take(struct traffic *traffic, struct ruleset_state *state, struct transaction *transaction,
                 struct error *err);
/* Ports that are published while processes of the host's still have connections on them, which stay theirs; as of the
 * last apply or look, and traffic's own. To be looked at again while there are any: what has none any more is let go,
 * in a transaction. */
size_t traffic_held(const struct traffic *traffic, const struct ruleset_held **held);
int traffic_look_at_held(struct traffic *traffic, struct error *err);
/* What the kernel's rule set has live for this app at this moment, before or after the first apply: *live is enum
 * colour, or -1 if the table, the app's chain or its goto is not there. For recovery: the journal may not have heard
 * of the last switch. */
int traffic_read_live(struct traffic *traffic, const char *app, int *live, struct error *err);
/* Removes both tables (teardown). */
int traffic_remove(struct traffic *traffic, struct error *err);
/* For the loop: readable when somebody else changed tables, of whatever family. traffic_repair then, where the table
 * is not owned, reloads ours if it was touched (1), or finds it whole (0). */
int traffic_watch_fd(const struct traffic *traffic);
int traffic_repair(struct traffic *traffic, struct error *err);
/* Has anybody changed anybody's tables, as of the last traffic_repair, since this was asked last? by: the program, or
 * "". */
#define TRAFFIC_PROGRAM_MAX 15
bool traffic_others_changed(struct traffic *traffic, char by[TRAFFIC_PROGRAM_MAX + 1]);

/* After a switch away from this zone: forget conntrack entries of unreplied TCP and of UDP that moves. */
int traffic_release_flows(struct traffic *traffic, uint16_t zone_number, struct error *err);
/* After the zone was taken from what is published: forget all its UDP, and its unreplied TCP. */
int traffic_forget_zone(struct traffic *traffic, uint16_t zone_number, struct error *err);
/* After ports were published for the first time: forget UDP flows to them that began before; not those of a process of
 * the host's to a port whose flows are to stay. */
int traffic_release_udp_ports(struct traffic *traffic, const struct port *ports, size_t count, struct error *err);
/* UDP flows of a zone, from a kernel-filtered conntrack dump. */
int traffic_count_udp(struct traffic *traffic, uint16_t zone_number, uint32_t *count, struct error *err);

/* Connections of clients to these ports inside a zone, by its sock_diag socket: everything but LISTEN, TIME_WAIT and
 * connections of the zone with itself (our probes). */
int sockets_count(int diag_fd, const struct port *ports, size_t count, uint32_t *connections, struct error *err);
/* Each of them as it is. A result of each other than 0 ends the listing and is returned, so it should be a negative
 * errno. */
typedef int each_connection(void *context, const struct connection *connection);
int connections_each(int diag_fd, const struct port *ports, size_t count, each_connection *each, void *context,
                     struct error *err);
/* The same for a zone's flows of UDP, from a kernel-filtered conntrack dump. */
int traffic_each_udp(struct traffic *traffic, uint16_t zone_number, each_connection *each, void *context,
                     struct error *err);
/* Ends them with a RST; *destroyed is how many. */
int sockets_destroy(int diag_fd, const struct port *ports, size_t count, uint32_t *destroyed, struct error *err);

/* What a zone has open to outside and may not have: its TCP connections that are not allowed are ended with a RST; its
 * UDP flows from this address are forgotten, so that their next packet meets the fence. */
int sockets_destroy_outgoing(int diag_fd, const struct reach_rule *allow, size_t count, uint32_t *destroyed,
                             struct error *err);
int traffic_forget_outgoing(struct traffic *traffic, const struct address *source, const struct reach_rule *allow,
                            size_t count, uint32_t *forgotten, struct error *err);
/* What the zone's fence has refused since it is in the rule set; 0 where there is none. */
int traffic_read_fenced(struct traffic *traffic, const char *app, enum colour colour, uint64_t *refused,
                        struct error *err);

/* Base chains of others that would drop forwarded packets to the zones, on their way to these published ports. Adds to
 * findings, for each, what it is and the line that mends it. */
int firewall_inspect(struct traffic *traffic, const struct address_pools *pools, const struct port ports[],
                     size_t count, struct words *findings, struct error *err);

/* The same for what zones begin by themselves: to other hosts, if any zone may (elsewhere), and to what [share] gives
 * them of the host. */
int firewall_inspect_outward(struct traffic *traffic, const struct address_pools *pools, bool elsewhere,
                             const struct share_port shares[], size_t count, struct words *findings, struct error *err);

/* "ip", "ip6" or "inet", of NFPROTO_... */
const char *firewall_family_name(uint8_t family);

/* A base chain of somebody's that has dropped a packet. */
struct firewall_place {
    uint8_t family; /* NFPROTO_... of the table */
    const char *table, *chain;
    uint8_t packet; /* 4 or 6 */
    bool answer;    /* of a zone; else a client's first, over TCP */
};

/* Adds the lines that let such packets through, each behind a newline and blanks; none if the chain is not known. */
int firewall_mend(struct traffic *traffic, const struct address_pools *pools, const struct firewall_place *place,
                  struct text *lines, struct error *err);
