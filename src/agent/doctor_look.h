/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor's parts share. All but doctor.c run in a copy of the agent (os/copy.h), which has the agent's memory
 * as it was, none of its descriptors, and time. What of the agent has descriptors is therefore not to be used there.
 */
#pragma once

#include "agent/agent.h"
#include "model/doctor.h"

struct look {
    struct agent *agent;       /* as it was */
    const struct app *only;    /* NULL = all apps */
    struct traffic *rules;     /* a view of its own; NULL if there is none */
    struct doctor_link *links; /* of the host */
    size_t link_count;
    int files_open;
    bool legacy4, legacy6; /* iptables-legacy has tables */
    int channel;
    struct doctor doctor;
};

/* --- doctor_look.c --- */
/* For copy_start; the context is a struct look of which agent and only are set. */
int doctor_look(void *context, int channel, int files_open);
/* Is this app one of those that are looked at? */
bool doctor_wants(const struct look *look, const struct app *app);
/* Published now: its live zone, else NULL. */
const struct app_zone *doctor_live_zone(const struct app *app);
/* What could not be looked at. */
void doctor_failed(struct look *look, enum doctor_check check, const struct error *err);

/* --- doctor_host.c --- */
void doctor_look_at_host(struct look *look);
bool doctor_has_ipv6(const struct look *look); /* clients may come over it */

/* --- doctor_zones.c --- */
void doctor_look_at_state(struct look *look);
void doctor_look_at_zones(struct look *look);
void doctor_look_at_files(struct look *look);

/* --- doctor_ports.c --- */
void doctor_look_at_ports(struct look *look);

/* --- doctor_path.c --- */
void doctor_look_at_paths(struct look *look); /* leaves the host's network: comes last */
