/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone as its handle knows it. */
#pragma once

#include "zone/channel.h"
#include "zone/counters.h"
#include "zone/host.h"
#include "zone/network.h"
#include "zone/oom.h"
#include "zone/zone.h"

struct zone {
    struct zone_host *host; /* borrowed */
    struct zone_id id;
    struct zone_addresses addresses;
    struct network network;
    struct counter_files counters;
    char *log_path;
    char *cgroup, *payload; /* its directory in the v2 tree, and the app's in that; or NULL */
    struct channel channel;
    struct limits limits; /* that were last asked for */
    bool frozen;
    int memory_events;    /* of the app's cgroup, or -1 */
    struct oom_count oom; /* what was told of it */
};
