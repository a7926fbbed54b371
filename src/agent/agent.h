/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent (monitor): events come in, the tables of model/machine.h decide, the drivers of the floors below act. What
 * each module does with it is in the module's own header; outside of this folder only agent/run.h is for others.
 *
 * Who owns what: the agent owns the apps, an app its two zones, a zone its kernel handle, its verdict and its drain.
 * A request is a client waiting for an answer; an operation or drain goes on without it.
 */
#pragma once

#include "agent/api_role.h"
#include "agent/app.h"
#include "agent/host.h"
#include "agent/run.h"
#include "base/list.h"
#include "conf/conf.h"
#include "model/turns.h"
#include "os/loop.h"
#include "os/system_journal.h"

struct checkup;
struct journal;
struct prober;

struct agent {
    struct agent_options options;
    struct agent_conf conf;
    struct loop *loop;
    struct journal *journal;
    bool journal_broken; /* the last append failed */
    struct system_journal system_journal;
    struct loop_timer *journal_timer; /* while it is: tries again */
    int network_claim, names_claim;   /* descriptors; -1 until claims_take */
    struct zone_host *zone_host;
    struct traffic *traffic;
    struct prober *prober;
    struct list apps, requests, clients, commands;
    struct list diffs, digests;  /* diff.c, digests.c */
    struct list status_sendings; /* status_sending.c */
    struct {
        uint64_t at_ns;
        int64_t left_ns;
    } counting;                       /* what counting connections for who looks may take: usage.c */
    struct checkup *checkup;          /* doctor.c: one that runs, or NULL */
    struct list waiters;              /* waiting.c */
    struct turns turns;               /* queue.c */
    uint64_t turn;                    /* its ticket while one of them is tried, else 0 */
    bool turn_waits;                  /* it was refused again because of what runs */
    struct loop_timer *changed_timer; /* NULL until somebody waits */
    uint32_t last_command;            /* number of the last one that was run */
    int listen_fd;
    ino_t socket_inode; /* of the control socket, if it was bound here; else 0 */
    struct loop_source *listen_source, *watch_source;
    struct loop_timer *listen_timer; /* armed while no connection can be accepted */
    uint64_t last_client_id;
    gid_t operator_gid;
    bool have_operator_gid;
    struct role api;
    struct host_firewall host_firewall;
    struct host_ports host_ports;
};
