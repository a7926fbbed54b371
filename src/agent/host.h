/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the host the agent keeps an eye on, because clients would notice and the zones do not: others' firewall rules
 * and processes of the host's that served a port before. Kept in agent/agent.h.
 */
#pragma once

#include "base/text.h"
#include "model/wire.h"
#include "os/loop.h"
#include "traffic/traffic.h"

struct agent;
struct app;

struct host_firewall {
    struct loop_timer *timer;        /* NULL until the first change */
    struct loop_timer *accept_timer; /* the same */
    struct words problems;           /* of [firewall] integrate, as last said */
    struct words findings;           /* as of the last look; none while nothing is published */
    struct words suspected;          /* seen once */
    uint64_t looked_ms;              /* when that ended; 0 = never */
    uint32_t pause_ms;               /* until the next one at least, however often the rules change */
    char by[TRAFFIC_PROGRAM_MAX + 1];
};

struct host_ports {
    struct loop_timer *timer;   /* NULL until the first such port */
    struct ruleset_held *known; /* as last said; owned */
    size_t count;
    uint32_t looks; /* since there are any */
};

/* --- host_firewall.c --------------------------------------------------------------------------------- */
/* Somebody has changed the host's rule set, or what is published is another set of ports: looks soon. */
void host_firewall_changed(struct agent *agent);
/* [firewall] integrate: our accept in others' chains is there, or, if it is not wanted, not there any more. */
void host_firewall_accept(struct agent *agent);
/* Looks now, for what is published and what `also`, if it is not NULL, is about to publish. findings get what drops
 * packets to the zones, and how to mend it. */
int host_firewall_look(struct agent *agent, const struct app *also, struct words *findings, struct error *err);
/* The same by another socket, and without any notice of it. */
int host_firewall_inspect(struct agent *agent, struct traffic *traffic, const struct app *also, struct words *findings,
                          struct error *err);
/* What of it concerns this app, "" if nothing does. */
void host_firewall_text(const struct app *app, char *text, size_t size);
void host_firewall_dispose(struct agent *agent);

/* --- host_ports.c: published ports that processes of the host's still have connections on ----------------- */
/* Rules were applied. */
void host_ports_applied(struct agent *agent);
uint32_t host_ports_count(const struct agent *agent, const struct port *port);
void host_ports_dispose(struct agent *agent);
