/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all zones of this agent share, and the names of a zone's traces. */
#pragma once

#include "zone/cgroup.h"
#include "zone/controllers.h"
#include "zone/zone.h"

#include <limits.h>
#include <stdbool.h>

struct zone_host {
    char *instance, *shim_path, *scope_path;
    char *run_zones, *state_zones; /* RUN/zones and STATE/zones, absolute */
    char *hidden[4];               /* RUN, STATE, and the configuration's directory, absolute; NULL-terminated */
    struct address_pools pools;
    bool scopes;                /* a systemd scope for each zone */
    bool cgroups;               /* cgroup v2 can be used */
    bool ipv6;                  /* the kernel has it */
    char cgroup_root[PATH_MAX]; /* where cgroup v2 is mounted */
    char description[512];
    unsigned controllers; /* CONTROLLER_* that zones get */
    char controllers_text[CONTROLLERS_TEXT_MAX];
    struct {
        void *program; /* of struct sock_filter; NULL = not compiled yet */
        size_t count;
    } filters[SYSCALLS_OFF]; /* by profile */
};

#define ZONE_NAME_MAX (APP_NAME_MAX + 8) /* "APP.COLOUR" */

/* Each false if it had to cut. */
bool zone_name(const struct zone_id *id, char name[ZONE_NAME_MAX]);
bool zone_netns_name(const struct zone_id *id, char name[ZONE_NAME_MAX + 4]); /* bg-APP-COLOUR */
bool zone_run_path(const struct zone_host *host, const struct zone_id *id, const char *file,
                   char path[PATH_MAX]); /* file may be "" */
bool zone_scope_name(const struct zone_host *host, const struct zone_id *id,
                     char name[NAME_MAX + 1]); /* INSTANCE-APP-COLOUR.scope */
bool zone_cgroup_path(const struct zone_host *host, const struct zone_id *id,
                      char path[PATH_MAX]); /* where we own the tree */

/* Lets a zone's payload, and its processes below it, have controllers, as far as the kernel does. */
void host_enable_controllers(const struct zone_host *host, const char *cgroup);
/* The compiled profile, which stays the host's; *program is NULL if there is no filter. */
int host_filter(struct zone_host *host, enum syscall_profile profile, const void **program, size_t *count,
                struct error *err);
