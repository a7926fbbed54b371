/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic: the one owner of table inet bluegreen and of what follows a change of it. The agent describes the wanted
 * state (model/ruleset.h); the difference from the present one goes to the kernel as one transaction.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
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
/* Brings the kernel to this state. The first call after open replaces the whole table (one transaction, which
 * *transaction is about, between two that add and remove a spare table where there was one), later ones send the
 * difference. On failure the kernel is as before. state is copied. transaction may be NULL. */
int traffic_apply(struct traffic *traffic, const struct ruleset_state *state, struct transaction *transaction,
                  struct error *err);
/* What the kernel's rule set has live for this app at this moment, before or after the first apply: *live is enum
 * colour, or -1 if the table, the app's chain or its goto is not there. For recovery: the journal may not have heard
 * of the last switch. */
int traffic_read_live(struct traffic *traffic, const char *app, int *live, struct error *err);
/* Removes both tables (teardown). */
int traffic_remove(struct traffic *traffic, struct error *err);
/* For the loop, where the table is watched: readable when somebody changed tables; traffic_repair then reloads ours
 * if it was touched (1), or finds it whole (0). -1 as descriptor where the table is owned. */
int traffic_watch_fd(const struct traffic *traffic);
int traffic_repair(struct traffic *traffic, struct error *err);

/* After a switch away from this zone: forget conntrack entries of unreplied TCP and of UDP that moves. */
int traffic_release_flows(struct traffic *traffic, uint16_t zone_number, struct error *err);
/* After ports were published for the first time: forget UDP flows to them that began before. */
int traffic_release_udp_ports(struct traffic *traffic, const struct port *ports, size_t count, struct error *err);
/* UDP flows of a zone, from a kernel-filtered conntrack dump. */
int traffic_count_udp(struct traffic *traffic, uint16_t zone_number, uint32_t *count, struct error *err);

/* Connections of clients to these ports inside a zone, by its sock_diag socket: everything but LISTEN, TIME_WAIT and
 * connections of the zone with itself (our probes). */
int sockets_count(int diag_fd, const struct port *ports, size_t count, uint32_t *connections, struct error *err);
/* Ends them with a RST; *destroyed is how many. */
int sockets_destroy(int diag_fd, const struct port *ports, size_t count, uint32_t *destroyed, struct error *err);

/* Base chains of others that would drop forwarded packets to the zones. Adds to findings, for each, what it is and
 * the line that mends it. */
int firewall_inspect(struct traffic *traffic, const struct address_pools *pools, struct words *findings,
                     struct error *err);
