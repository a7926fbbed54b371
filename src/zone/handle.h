/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone as its handle knows it. */
#pragma once

#include "zone/channel.h"
#include "zone/host.h"
#include "zone/network.h"
#include "zone/zone.h"

struct zone {
    struct zone_host *host; /* borrowed */
    struct zone_id id;
    struct zone_addresses addresses;
    struct network network;
    char *log_path;
    char *cgroup; /* its directory in the v2 tree, or NULL */
    struct channel channel;
};
